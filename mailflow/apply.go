package mailflow

import (
	"cmp"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// applied is what one event did.
type applied struct {
	ticket ticket.Ticket
	linked bool // the mail came too late: it begins a ticket of its own
}

// apply is stages 6 to 8 for one event on a stored ticket.
func (d *decision) apply(t ticket.Ticket, e ticket.Event, n notice) (applied, error) {
	desk := d.s.Desk(t.Desk)
	if desk == nil {
		return applied{}, &stopped{"apply", "the desk " + t.Desk + " is no longer configured"}
	}
	e.Words = e.Words || n.fromAgent
	after, effects, err := ticket.Apply(t, e, d.s.policyAfter(t, e), d.tx.Now())
	if err != nil {
		return applied{}, err
	}
	if err := d.settled(t, &after, e, effects); err != nil {
		return applied{}, err
	}
	out := applied{ticket: after, linked: slices.Contains(effects, ticket.OpenLinked)}
	if after != t {
		if err := d.tx.SaveTicket(after); err != nil {
			return out, err
		}
	}
	return out, d.record(t.State, after, e, n, effects)
}

// settled does what follows from a change besides mails: the number of a
// ticket that needs one now, and the end of what is no longer to be said.
func (d *decision) settled(before ticket.Ticket, after *ticket.Ticket, e ticket.Event, effects []ticket.Effect) (err error) {
	if after.NeedsNumber() {
		if after.Number, err = d.nextNumber(d.s.Desk(after.Desk)); err != nil {
			return err
		}
		d.number = after.Number
		d.because("number %s", after.Number)
	}
	if e.Type == ticket.Submitted && before.FormFor == e.Actor {
		// The form behind the mailed link proves the mailbox: the next first
		// mail gets a link again.
		if err := d.tx.DropBudget(firstAnswerBudget(before.Desk, e.Actor)); err != nil {
			return err
		}
	}
	asked := before.State == ticket.Pending || before.State == ticket.Frozen || before.State == ticket.Resolved
	if asked && after.State != before.State && e.Type != ticket.Deadline {
		if err := d.tx.CancelChases(after.ID); err != nil {
			return err
		}
	}
	tells := slices.ContainsFunc(effects, func(f ticket.Effect) bool { return f.To == ticket.Parties || f.To == ticket.Others })
	if e.Role == ticket.Agent && tells && after.State != ticket.Closed {
		return d.tellAll(after.ID)
	}
	return nil
}

// tellAll lets those whom only a form has named get the mails of the ticket
// from now on: an agent has seen what it says.
func (d *decision) tellAll(ticketID int64) error {
	parties, err := d.tx.Parties(ticketID)
	if err != nil || !slices.ContainsFunc(parties, func(p store.Party) bool { return p.Untold }) {
		return err
	}
	return d.tx.TellAll(ticketID)
}

// record writes the history and queues the mails of an event.
func (d *decision) record(before ticket.State, t ticket.Ticket, e ticket.Event, n notice, effects []ticket.Effect) error {
	err := d.tx.AddEvent(t.ID, store.HistoryEntry{At: d.tx.Now(), Actor: cmp.Or(n.actor, e.Actor), Role: e.Role, Event: e.Type,
		From: before, To: t.State, MailID: cmp.Or(n.mailID, d.mailID()), Reason: cmp.Or(n.reason, n.step)})
	if err != nil {
		return err
	}
	d.because("%s: %s", e.Type, changed(before, t.State))
	for _, effect := range effects {
		if effect == ticket.OpenLinked || effect.To == ticket.Agents && n.quiet || effect.Mail == ticket.Update && n.quietly {
			continue
		}
		if err := d.queue(before, t, effect, e, n); err != nil {
			return err
		}
	}
	return nil
}

func changed(from, to ticket.State) string {
	if from == to {
		return "stays " + string(to)
	}
	return strings.TrimSpace(string(from) + " → " + string(to))
}

func (d *decision) mailID() string {
	if d.in == nil {
		return ""
	}
	return d.in.mail.MessageID
}
