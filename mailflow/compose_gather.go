package mailflow

import (
	"context"
	"fmt"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// draft is what composing one row reads from the store.
type draft struct {
	row       store.Outbox
	args      args
	desk      *Desk
	ticket    ticket.Ticket
	party     store.Party
	parties   []store.Party
	message   store.Message
	parts     []store.Part
	history   []store.Message
	notes     []string    // what no party may read
	public    []string    // what this reader may read, the words of this mail left out
	opener    ticket.Role // of the ticket's first message
	first     string      // the reader's first Message-ID on the ticket
	last      string      // the newest that the reader knows
	lang      string
	zone      *time.Location // that the reader has named, else the desk's
	org       string         // of the message's writer
	customers string         // the organisation of the customer, where somebody else writes
	other     store.Outbox
	agent     *Agent // the reader, if one
	items     []templates.Item

	hasNotes, hasParts, hasHistory bool // that the mail needs
}

// gathered reads what the mail may say, but for what is known of it.
func (f *Flow) gathered(ctx context.Context, o *store.Outbox, dr *draft) (*draft, error) {
	var err error
	if dr == nil {
		dr = &draft{row: *o, args: argsOf(*o)}
		// An update, though it only reads: it shares its snapshot with others,
		// and the writer has the pages in memory that a reader of SQLite must
		// fetch anew after each commit.
		err = f.DB.Update(ctx, "gather", func(tx *store.Tx) error { return f.gather(tx, dr) })
	}
	if err == nil && dr.more() {
		err = f.DB.View(ctx, func(tx *store.Tx) error { return f.gatherMore(tx, dr) })
	}
	return dr, err
}

// gather reads all that the mail may say. It may be run again on the same
// draft, as an update is.
func (f *Flow) gather(tx *store.Tx, dr *draft) (err error) {
	s := f.Settings.Load()
	dr.items = nil
	if dr.desk = s.Desk(dr.row.Desk); dr.desk == nil {
		return fmt.Errorf("the desk %s is no longer configured", dr.row.Desk)
	}
	dr.agent = s.Agent(dr.row.Recipient)
	var zone string
	if dr.lang, zone, err = tx.Reader(dr.row.Recipient); err != nil {
		return err
	}
	dr.zone = ZoneOf(zone, dr.desk.Zone)
	if dr.agent != nil && dr.agent.Language != "" {
		dr.lang = dr.agent.Language
	}
	if dr.lang == "" {
		dr.lang = dr.desk.Language
	}
	if dr.row.TicketID != 0 {
		if err = f.gatherTicket(tx, dr); err != nil {
			return err
		}
	}
	if dr.args.Event == severalEvent {
		return f.gatherItems(tx, dr)
	}
	if dr.row.Kind == ticket.Digest {
		return f.gatherDigest(tx, dr)
	}
	if dr.args.Failed != 0 {
		dr.other, err = tx.OutboxByID(dr.args.Failed)
	}
	return ignoreNoRows(err)
}

func (f *Flow) gatherTicket(tx *store.Tx, dr *draft) (err error) {
	id := dr.row.TicketID
	if dr.parties, err = tx.Parties(id); err != nil {
		return err
	}
	if dr.party, err = tx.PartyByOrdinal(id, dr.row.Party); ignoreNoRows(err) != nil {
		return err
	}
	s, err := tx.Story(id, dr.args.Message, dr.party.Since, dr.row.ID, dr.row.Recipient)
	if err != nil {
		return err
	}
	dr.ticket, dr.message, dr.opener, dr.first, dr.last = s.Ticket, s.Message, s.Opener, s.First, s.Last
	dr.hasNotes = s.HasNotes && !dr.toAgent()
	dr.hasParts = s.HasParts && carriesFiles(dr.row.Kind)
	dr.hasHistory = s.HasHistory
	if s.Message.ID == 0 || dr.agent == nil {
		return nil // only agents are told of the organisation
	}
	org, err := tx.OrganisationOf(s.Message.Address)
	if org != nil {
		dr.org = org.Name
	}
	for _, p := range dr.parties {
		if err == nil && p.Role == ticket.Customer && p.Address != s.Message.Address {
			if org, err = tx.OrganisationOf(p.Address); org != nil {
				dr.customers = org.Name
			}
		}
	}
	return err
}

// more says that there is more to read, which may be long.
func (dr *draft) more() bool { return dr.hasNotes || dr.hasParts || dr.hasHistory }

func (f *Flow) gatherMore(tx *store.Tx, dr *draft) (err error) {
	m := dr.message
	if dr.hasNotes {
		if dr.notes, err = tx.Notes(dr.row.TicketID); err != nil {
			return err
		}
	}
	if dr.hasParts {
		if dr.parts, err = tx.Parts(m.ID); err != nil {
			return err
		}
		dr.parts = withoutShells(dr.parts)
	}
	if dr.hasHistory {
		dr.history, err = tx.PublicMessages(m.TicketID, dr.party.Since, m.ID, historyMax)
	}
	return err
}

// gatherPublic reads what the reader may have read before. It is asked for
// only where a mail shows something: most show nothing, and it is long.
func (f *Flow) gatherPublic(ctx context.Context, dr *draft) error {
	return f.DB.View(ctx, func(tx *store.Tx) (err error) {
		dr.public, err = tx.PublicWords(dr.row.TicketID, dr.party.Since, dr.args.Message)
		return err
	})
}
