package mailflow

import (
	"cmp"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// actOf are the purposes of addresses that say something by themselves.
var actOf = map[ticket.Purpose]ticket.EventType{ticket.ForApprove: ticket.Approve, ticket.ForRefuse: ticket.Refuse}

// asks says that a mail of that kind may ask whether the problem is solved.
func asks(kind ticket.Kind) bool {
	return kind == ticket.ClosureRequest || kind == ticket.ClosureReminder || kind == ticket.AutoCloseWarning
}

// chases says that a mail of that kind only asks again for what an earlier one
// has asked.
func chases(kind ticket.Kind) bool {
	return kind == ticket.Reminder || kind == ticket.AutoCloseWarning || kind == ticket.ClosureReminder
}

// lastAsked is what the last mail has asked of the parties, zero if none has.
func lastAsked(tx *store.Tx, ticketID int64) (asked args, err error) {
	_, copies, err := tx.LastAsked(ticketID)
	for id := range copies {
		o, err := tx.OutboxByID(id)
		return argsOf(o), err
	}
	return asked, err
}

// threadByAct finds the ticket of an approve or refuse address. It acts only
// on the resolution that its mail asked about; a ticket that was merged since
// never asked.
func (f *Flow) threadByAct(tx *store.Tx, token ticket.Token, act ticket.EventType) (thread, error) {
	row, err := tx.OutboxByID(token.Row())
	if err != nil {
		return thread{}, err
	}
	t, err := f.threadOf(tx, row.TicketID, row.Party)
	t.how, t.row = byActToken, row.ID
	if t.resolution = argsOf(row).Resolution; t.resolution != 0 && t.ticket.ID == row.TicketID && asks(row.Kind) {
		t.act = act
	}
	return t, err
}

// said makes an event of a party's mail: of its words, or of what its address
// stands for. An address whose question is settled says nothing by itself,
// nor does one that the words beside it contradict.
func (d *decision) said(t thread, w writer, words string) (ticket.Event, error) {
	asked, err := d.asked(t)
	e := ticket.Event{Type: meaning(words, w.name, t.ticket.State, asked), Actor: w.address, Role: w.role, Alone: w.alone}
	if t.act == "" || t.ticket.State != ticket.Resolved && t.ticket.State != ticket.Closed {
		return e, err
	}
	if contradicts(t.act, words, w.name) {
		e.Type = ticket.Answered
		d.because("the words do not agree with the address: an ordinary answer")
		return e, err
	}
	e.Type, e.Resolution = t.act, t.resolution
	return e, err
}

// asked says that the mail answers a question of ours whether the problem is
// solved, and that the question is still the same.
func (d *decision) asked(t thread) (bool, error) {
	o, err := d.tx.OutboxByID(t.row)
	if err != nil {
		return false, ignoreNoRows(err)
	}
	of := argsOf(o).Resolution // 0 in rows of before it was kept
	return asks(o.Kind) && o.TicketID == t.ticket.ID && (of == 0 || of == t.ticket.Resolution), nil
}

// contradicts says that words do not agree with the act that they came with:
// they say the opposite, or an approval has a but.
func contradicts(act ticket.EventType, words, name string) bool {
	said := meaning(words, name, ticket.Resolved, true)
	if act == ticket.Refuse {
		return said == ticket.Approve
	}
	return said == ticket.Refuse || said == ticket.Answered && doubtful(words)
}

// saysAct recognises a mail to an approve or refuse address that says no more
// than the address does, whatever its subject. Any other subject and text is
// a new topic: mail programs remember addresses.
func saysAct(in *incoming, act ticket.EventType) bool {
	words := cmp.Or(in.mail.Reply, in.mail.Subject)
	if words == "" {
		return true
	}
	said := meaning(words, "", ticket.Resolved, true)
	return said == act || said == ticket.Thanked && act == ticket.Approve
}
