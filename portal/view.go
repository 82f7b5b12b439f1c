package portal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// maxMerges is how many merges are followed to the ticket that lives.
const maxMerges = 100

// view is what a link lets its holder see now.
type view struct {
	party    store.Party
	desk     *mailflow.Desk
	ticket   ticket.Ticket
	lang     string
	zone     *time.Location    // that the reader has named, else the desk's
	known    string            // the reader's own language, "" if nobody knows it
	asked    *mailflow.Asked   // the desk's form, nil if it has none for this reader
	uploads  []store.Upload    // files that wait for the form
	last     *store.Submission // the reader's newest form, nil without one
	since    time.Time         // of the ticket's state
	waits    bool              // for an answer, and not for the reader's
	answers  string            // whose it waits for then, "" if they have no name here
	messages []store.Message
	files    map[int64][]store.Part
}

// ticket shows the page behind a link, and for a merged ticket the one where
// it goes on, if the reader is there too.
func (p *Portal) ticket(w http.ResponseWriter, r *http.Request, link string) {
	v, err := p.look(r.Context(), link, true)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
	case err != nil:
		p.broken(w, err)
	case v.asks():
		p.form(w, r, v)
	case v.last != nil && r.URL.Query().Has(sentQuery):
		p.page(w, http.StatusOK, "thanks", v.thanksPage(p.Now()))
	default:
		p.page(w, http.StatusOK, "ticket", v.page(p.Now()))
	}
}

// look reads all that stands behind a link; sql.ErrNoRows if nothing does,
// or nothing that its holder may see now.
func (p *Portal) look(ctx context.Context, link string, follow bool) (v *view, err error) {
	s := p.Settings.Load()
	err = p.DB.View(ctx, func(tx *store.Tx) error {
		party, err := tx.PartyByLink(link)
		if err != nil {
			return err
		}
		if v, err = admit(tx, s, party); err != nil {
			return err
		}
		if follow && v.ticket.MergedInto != 0 {
			if v, err = v.survivor(tx, s); err != nil {
				return err
			}
		}
		if err := v.readForm(tx, s); err != nil {
			return err
		}
		return v.read(tx)
	})
	return v, err
}

// admit opens a party's ticket. An agent's row lets nobody in who is no agent
// of the desk any more.
func admit(tx *store.Tx, s *mailflow.Settings, party store.Party) (*view, error) {
	v := &view{party: party}
	var err error
	if v.ticket, err = tx.TicketByID(party.TicketID); err != nil {
		return nil, err
	}
	if v.desk = s.Desk(v.ticket.Desk); v.desk == nil {
		return nil, sql.ErrNoRows
	}
	var zone string
	if v.lang, zone, err = tx.Reader(party.Address); err != nil {
		return nil, err
	}
	v.zone = mailflow.ZoneOf(zone, v.desk.Zone)
	if party.Role == ticket.Agent {
		agent := s.Agent(party.Address)
		if agent == nil || !agent.WorksOn(v.ticket.Desk) {
			return nil, sql.ErrNoRows
		}
		if agent.Language != "" {
			v.lang = agent.Language
		}
	}
	if v.known = v.lang; v.lang == "" {
		v.lang = v.desk.Language
	}
	return v, nil
}

// survivor is the reader's view of the ticket that a merged one goes on in,
// or of the merged one where the reader is no party of that.
func (v *view) survivor(tx *store.Tx, s *mailflow.Settings) (*view, error) {
	t := v.ticket
	for hops := 0; t.MergedInto != 0; hops++ {
		var err error
		if t, err = tx.TicketByID(t.MergedInto); err != nil {
			return nil, err
		}
		if hops == maxMerges {
			return nil, fmt.Errorf("follow ticket %d: merged tickets run in a circle", v.ticket.ID)
		}
	}
	party, err := tx.PartyByAddress(t.ID, v.party.Address)
	if err == sql.ErrNoRows || err == nil && !party.Active {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := admit(tx, s, party)
	if err == sql.ErrNoRows {
		return v, nil
	}
	return there, err
}

// read takes the messages that the reader may see, with their files.
func (v *view) read(tx *store.Tx) error {
	history, err := tx.History(v.ticket.ID)
	if err != nil {
		return err
	}
	v.since = v.ticket.Created
	for _, h := range history {
		if h.From != h.To {
			v.since = h.At
		}
	}
	if v.ticket.State == ticket.Pending || v.ticket.State == ticket.Frozen {
		if v.answers, err = mailflow.AskedOf(tx, v.ticket.ID, v.party, v.lang); err != nil {
			return err
		}
		v.waits = v.answers != "" || v.party.Role == ticket.Agent || v.party.Role == ticket.Follower
	}
	all, err := tx.Messages(v.ticket.ID)
	v.files = map[int64][]store.Part{}
	for _, m := range all {
		if err == nil && v.party.MaySee(m) {
			v.messages = append(v.messages, m)
			v.files[m.ID], err = tx.Parts(m.ID)
		}
	}
	return err
}

// readForm takes the desk's form with what was sent of it, for those whom it
// asks.
func (v *view) readForm(tx *store.Tx, s *mailflow.Settings) error {
	if v.party.Role == ticket.Agent || v.desk.Form == "" {
		return nil
	}
	var err error
	if v.asked, err = mailflow.Ask(tx, s, v.desk, v.party); err != nil {
		return err
	}
	if v.uploads, err = tx.Uploads(v.party.ID); err != nil {
		return err
	}
	last, err := tx.LastSubmission(v.ticket.ID, v.party.Ordinal)
	if err == sql.ErrNoRows {
		return nil
	}
	v.last = &last
	return err
}

func (v *view) page(now time.Time) *templates.TicketPage {
	t, desk := v.ticket, v.desk
	page := &templates.TicketPage{
		Desk: deskOf(desk, v.lang), Lang: v.lang, Number: t.Number, Subject: t.Subject, State: t.State, Closed: t.Closed, Since: v.since,
		Next: templates.Next{Kind: t.Next, At: t.Deadline}, Waits: v.waits, Asked: v.answers, Zone: v.zone, Now: now,
	}
	word := mailflow.Word{Act: ticket.Approve, Resolution: t.Resolution}
	if mailflow.AsksWord(t, v.party, desk.Policy, word, now) {
		page.Confirm = "/t/" + v.party.Link + "/approve"
	}
	for _, m := range v.messages {
		shown := templates.PageMessage{At: m.At, Author: v.author(m), Role: m.Role, Text: m.Words}
		for _, f := range v.files[m.ID] {
			shown.Files = append(shown.Files, templates.File{Name: mailflow.FileName(f), Size: f.Size,
				URL: mailflow.FileURL(v.party.Link, f)})
		}
		page.Messages = append(page.Messages, shown)
	}
	return page
}

// author names a writer as the reader may see him: an agent is the desk. What
// only agents may read says so beside the name.
func (v *view) author(m store.Message) string {
	if m.Role == ticket.Agent && v.party.Role != ticket.Agent {
		return v.desk.Name(v.lang)
	}
	name := m.Name
	if name == "" {
		name = m.Address
	}
	if mark := marks[v.lang == "fr"][m.Visibility]; mark != "" {
		name += " · " + mark
	}
	return name
}

// marks are the words for what no party sees, in French and not.
var marks = map[bool]map[store.Visibility]string{
	false: {store.NoteVis: "note, for agents only", store.Waiting: "waits for a decision, not shown to customers"},
	true:  {store.NoteVis: "note, pour les agents seulement", store.Waiting: "attend une décision, invisible aux clients"},
}
