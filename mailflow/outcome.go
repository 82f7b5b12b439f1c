package mailflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// holdMail keeps a mail back until somebody decides, and tells the agents
// why. The clock of its ticket stands still meanwhile.
func (f *Flow) holdMail(ctx context.Context, dr *draft, reason string) error {
	d := &decision{f: f, s: f.Settings.Load()}
	err := f.DB.Update(ctx, "hold mail", func(tx *store.Tx) error {
		d.tx, d.queued = tx, false
		if err := tx.HoldOutbox(dr.row, reason); err != nil || dr.row.TicketID == 0 {
			return err
		}
		if m := dr.message; m.Role == ticket.Agent && m.Visibility == store.Public {
			// Nor do the pages show the words before somebody lets them go.
			if err := tx.ShowMessage(m.ID, store.HeldVis, m.Party, m.Role); err != nil {
				return err
			}
		}
		t, err := tx.TicketByID(dr.row.TicketID)
		if err != nil {
			return err
		}
		if p, err := tx.PartyByOrdinal(t.ID, dr.row.Party); err == nil && p.Role == ticket.Agent {
			return nil // a mail to agents about a mail to agents would be held, too
		}
		told, _, _, err := tx.Spend(fmt.Sprintf("held mail %d %d", t.ID, dr.args.Message), time.Hour, 0)
		if err != nil || told > 1 {
			return err // once for all recipients of the same words
		}
		agents, err := d.agents(t, "")
		for _, p := range agents {
			a := args{Event: "held-mail", Reason: reason, State: t.State, From: t.State, Failed: dr.row.ID}
			if err := d.add(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: ticket.Undeliverable,
				Recipient: p.Address, Priority: priorityAgent, Args: a.json()}); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	f.Log.Warn("held", KeyOutbox, dr.row.ID, KeyTicket, dr.ticket.Number, "reason", reason,
		"do", fmt.Sprintf("guichet outbox release %d", dr.row.ID))
	f.Count.HeldOut.Add(1)
	f.Outgoing()
	return ErrNotSent
}

// Settle records what became of tries at sending, with what follows for the
// tickets: a warning that was taken begins the last day, a mail that failed
// for good is told to the agents. All or none; a row whose lease is another's
// by now is passed over.
func (f *Flow) Settle(ctx context.Context, rows []store.Outbox) error {
	d := &decision{f: f, s: f.Settings.Load()}
	err := f.DB.Update(ctx, "settle", func(tx *store.Tx) error {
		var taken []store.Outbox
		d.tx, d.queued, d.calm = tx, false, false
		for _, o := range rows {
			ours, err := tx.FinishOutbox(o)
			if err != nil {
				return err
			}
			if !ours {
				continue
			}
			var stop *stopped
			var refused ticket.Refused
			err = d.afterTry(o)
			if errors.As(err, &stop) || errors.As(err, &refused) {
				continue // the outcome stands, whatever its ticket says to it
			}
			if err != nil {
				return err
			}
			if o.State == store.Sent {
				taken = append(taken, o)
			}
		}
		return d.reached(taken)
	})
	if err == nil && d.queued {
		f.Outgoing()
	}
	return err
}

// reached notes that parties can be reached again: the relay took mails for
// them. What had stopped because nobody could be reached goes on.
func (d *decision) reached(taken []store.Outbox) error {
	lost, err := d.tx.LostAmong(taken)
	for _, o := range lost {
		if err == nil {
			err = d.reach(o)
		}
	}
	return err
}

func (d *decision) reach(o store.Outbox) error {
	p, err := d.tx.PartyByOrdinal(o.TicketID, o.Party)
	if err != nil {
		return ignoreNoRows(err)
	}
	if err := d.tx.SetReachable(o.TicketID, o.Party, true); err != nil || p.Role == ticket.Agent {
		return err
	}
	return d.relayed(o, ticket.Event{Type: ticket.Taken, Kind: o.Kind}, notice{quiet: true})
}

// relayed enters what became of a mail of ours as an event of its ticket.
func (d *decision) relayed(o store.Outbox, e ticket.Event, n notice) error {
	t, err := d.tx.LockTicket(o.TicketID)
	if err != nil {
		return ignoreNoRows(err)
	}
	e.Role = ticket.System
	if err := d.witness(t.ID, &e); err != nil {
		return err
	}
	var stop *stopped
	var refused ticket.Refused
	_, err = d.apply(t, e, n)
	if errors.As(err, &stop) || errors.As(err, &refused) {
		return nil // the outcome stands, whatever its ticket says to it
	}
	return err
}

// fate is what became of the last mail that asks something of the parties.
func (d *decision) fate(ticketID int64) (ticket.Fate, error) {
	_, copies, err := d.tx.LastAsked(ticketID)
	if err != nil || len(copies) == 0 {
		return ticket.Heard, err
	}
	out := ticket.Lost
	for _, state := range copies {
		switch state {
		case store.Sent:
			return ticket.Heard, nil
		case store.Queued, store.Sending, store.HeldOut:
			out = ticket.Underway
		}
	}
	return out, nil
}

func (d *decision) afterTry(tried store.Outbox) error {
	first := isFirstAnswer(tried.Kind) && (tried.Args == "" || argsOf(tried).First)
	if tried.State != store.FailedOut && (tried.State != store.Sent || tried.Kind != ticket.AutoCloseWarning && !first) {
		return nil
	}
	o := tried
	if o.State == store.FailedOut || o.Desk == "" {
		var err error
		if o, err = d.tx.OutboxByID(tried.ID); err != nil {
			return err
		}
	}
	if o.TicketID == 0 {
		return nil
	}
	if isFirstAnswer(o.Kind) {
		if err := d.answered(o); err != nil || o.State == store.Sent {
			return err
		}
	}
	switch o.State {
	case store.FailedOut:
		return d.undelivered(o, o.Reply)
	case store.Sent:
		return d.relayed(o, ticket.Event{Type: ticket.Taken, Kind: o.Kind}, notice{quiet: true})
	}
	return nil
}

// deadline takes the step that is due on a ticket.
func (f *Flow) deadline(ctx context.Context, id int64) error {
	d := &decision{f: f, s: f.Settings.Load()}
	err := f.DB.Update(ctx, "deadline", func(tx *store.Tx) error {
		d.tx, d.queued = tx, false
		t, err := tx.LockTicket(id)
		if err != nil {
			return err
		}
		e := ticket.Event{Type: ticket.Deadline, Role: ticket.System}
		if err := d.witness(id, &e); err != nil {
			return err
		}
		if e.Fate, err = d.fate(id); err != nil {
			return err
		}
		e.Still = slices.Contains(f.unreadable(), t.Desk)
		_, err = d.apply(t, e, notice{event: "deadline", step: string(t.Next)})
		if _, refused := err.(ticket.Refused); refused {
			return nil // a mail came in between
		}
		return err
	})
	if err == nil && d.queued {
		f.Outgoing()
	}
	if err == sql.ErrNoRows {
		return nil
	}
	return err
}
