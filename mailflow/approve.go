package mailflow

import (
	"cmp"
	"context"
	"database/sql"
	"strings"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// Word is what a party says of a solution on its page, by a button.
type Word struct {
	Link       string           // of the party
	Act        ticket.EventType // Approve or Refuse
	Resolution int              // that the page asked about
	Comment    string           // the party's own words; may be ""
}

// Heard is what came of a [Word].
type Heard string

// Nothing: the ticket no longer asks, or never asked this party. AsMeant: it
// was approved or refused. AsAnswer: the approval is not this party's to give
// now, and counts as an ordinary answer.
const (
	Nothing  Heard = ""
	AsMeant  Heard = "meant"
	AsAnswer Heard = "answer"
)

// MaxComment is the longest comment that is kept, in bytes.
const MaxComment = 20_000

// Hear lets a party approve or refuse on its page. It is the same act as by
// mail and enters at the same function. A word about another resolution than
// the ticket's, or said twice, does nothing. It returns sql.ErrNoRows if
// nothing stands behind the link.
func (f *Flow) Hear(ctx context.Context, w Word) (Heard, error) {
	var heard Heard
	d := &decision{f: f, s: f.Settings.Load()}
	err := f.DB.Update(ctx, "hear", func(tx *store.Tx) (err error) {
		d.tx, d.queued, d.why = tx, false, nil
		heard, err = d.hear(w)
		return err
	})
	if err != nil {
		return Nothing, err
	}
	if heard != Nothing {
		f.Log.Info("threaded", KeyTicket, d.number, "by", "page", "reason", heard)
	}
	if d.queued {
		f.Outgoing()
	}
	return heard, nil
}

func (d *decision) hear(w Word) (Heard, error) {
	t, p, err := d.behind(w.Link)
	if err != nil {
		return Nothing, err
	}
	d.number = t.Number
	desk := d.s.Desk(t.Desk)
	if desk == nil || !AsksWord(t, p, desk.Policy, w, d.tx.Now()) {
		return Nothing, nil
	}
	e := ticket.Event{Type: w.Act, Actor: p.Address, Role: p.Role, Resolution: t.Resolution, Button: true}
	if err := d.witness(t.ID, &e); err != nil {
		return Nothing, err
	}
	heard, words := AsMeant, strings.TrimSpace(w.Comment)
	if t.State != ticket.Closed && ticket.Meant(t, e, desk.Policy) != w.Act {
		e.Type, heard = ticket.Answered, AsAnswer
		words = cmp.Or(words, templates.Phrase(desk.Language, w.Act))
	}
	n := notice{event: eventCode(e.Type)}
	if words != "" {
		if n.message, err = d.keepComment(t, p, words); err != nil {
			return Nothing, err
		}
	}
	if err := d.tx.SetProven(p.ID); err != nil { // the link was mailed to that address alone
		return Nothing, err
	}
	_, err = d.apply(t, e, n)
	return heard, err
}

// keepComment stores what a party wrote on its page.
func (d *decision) keepComment(t ticket.Ticket, p store.Party, words string) (int64, error) {
	return d.tx.AddMessage(store.Message{TicketID: t.ID, At: d.tx.Now(), Address: p.Address, Name: p.Name, Party: p.Ordinal,
		Role: p.Role, Visibility: store.Public, Proof: string(OwnToken), Reason: "written on the page behind the mailed link",
		Words: d.f.withoutSecrets(words)}, nil)
}

// AsksWord says that a ticket asks a party for that word now: an approval
// while it is resolved, a refusal also soon after it was closed, and both only
// for the resolution that the word is about.
func AsksWord(t ticket.Ticket, p store.Party, policy ticket.Policy, w Word, now time.Time) bool {
	if p.Role != ticket.Customer && p.Role != ticket.Integrator || w.Resolution != t.Resolution || t.Resolution == 0 {
		return false
	}
	within := policy.Timers.ReopenWithin
	switch {
	case t.State == ticket.Resolved:
		return w.Act == ticket.Approve || w.Act == ticket.Refuse
	case t.State == ticket.Closed && w.Act == ticket.Refuse:
		return t.Closed != ticket.Merged && within != ticket.Off && !now.After(t.ClosedAt.Add(within))
	}
	return false
}

// ApprovalCounts says that a party's approval of a resolved ticket would be
// one, not an ordinary answer.
func ApprovalCounts(tx *store.Tx, t ticket.Ticket, p store.Party, policy ticket.Policy) (bool, error) {
	e := ticket.Event{Type: ticket.Approve, Actor: p.Address, Role: p.Role}
	d := &decision{tx: tx}
	if err := d.witness(t.ID, &e); err != nil {
		return false, err
	}
	return ticket.Meant(t, e, policy) == ticket.Approve, nil
}

// behind finds the ticket and the party behind a link, or where a merged
// ticket goes on, locked for change; sql.ErrNoRows if there is none.
func (d *decision) behind(link string) (ticket.Ticket, store.Party, error) {
	p, err := d.tx.PartyByLink(link)
	if err != nil {
		return ticket.Ticket{}, p, err
	}
	t, err := d.f.survivor(d.tx, p.TicketID)
	if err != nil || t.ID == p.TicketID {
		return t, p, err
	}
	p, err = d.tx.PartyByAddress(t.ID, p.Address)
	if err == nil && !p.Active {
		err = sql.ErrNoRows
	}
	return t, p, err
}
