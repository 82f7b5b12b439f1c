package mailflow

import (
	"database/sql"
	"errors"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// mayAnswer says that the writer of a mail may get an automatic answer.
func (d *decision) mayAnswer(w writer) bool { return d.in.verdict.Answerable && w.level != Forged }

// awaitsForm says that a first mail to this desk waits for the form.
func (d *decision) awaitsForm(w writer) bool {
	desk := d.s.Desk(d.d.Desk)
	return desk != nil && desk.Policy.Intake == ticket.Form && d.mayAnswer(w)
}

// join is a further mail of somebody whose form is awaited, or never came: it
// is one more message of that ticket, whatever it refers to.
func (d *decision) join(w writer) (bool, error) {
	desk := d.s.Desk(d.d.Desk)
	if desk == nil || desk.Policy.Intake != ticket.Form || w.level == Forged || d.in.verdict.Class != ClassPerson {
		return false, nil
	}
	// Two first mails of one sender must not begin two tickets.
	if err := d.tx.LockThread(hashOf("form " + d.d.Desk + " " + w.address)); err != nil {
		return false, err
	}
	t, err := d.tx.AwaitingForm(d.d.Desk, w.address)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	self, err := d.tx.PartyByAddress(t.ID, w.address)
	if err != nil || !self.Active {
		return false, ignoreNoRows(err) // no longer a party of it
	}
	w.count(self)
	w.alone = w.level != Proven
	d.d.Reason = "joins the ticket that awaits the sender's form"
	d.because("%s", d.d.Reason)
	return true, d.fromSender(t, w)
}

// fromSender is a mail on a ticket that awaits its writer's form.
func (d *decision) fromSender(t ticket.Ticket, w writer) error {
	words := d.f.withoutSecrets(d.in.mail.Text)
	e := ticket.Event{Type: meaning(words, w.name, t.State, false), Actor: w.address, Role: w.role, Alone: w.alone}
	if e.Type != ticket.Withdraw || e.Alone {
		e.Type = ticket.Joined
	}
	return d.joins(t, w, e, words)
}

// joins stores such a mail and applies it. A stranger gets the form's link
// again no more often than any first answer.
func (d *decision) joins(t ticket.Ticket, w writer, e ticket.Event, words string) error {
	id, err := d.keep(t.ID, w, store.Public, words)
	if err != nil {
		return err
	}
	if err := d.heardFrom(t.ID, w); err != nil {
		return err
	}
	if err := d.addCopied(t.ID, w); err != nil {
		return err
	}
	n := notice{message: id, event: "new-ticket", addressed: d.addressed(), stranger: w.level != Proven, unproven: w.level != Proven}
	if e.Type == ticket.Withdraw {
		n.event = eventCode(e.Type)
	}
	if e.Answerable = d.mayAnswer(w); e.Answerable && w.level == Unproven {
		if e.Answerable, err = d.formLinkAgain(t, w); err != nil {
			return err
		}
		n.first = true
	}
	if err := d.witness(t.ID, &e); err != nil {
		return err
	}
	d.number = t.Number
	after, err := d.apply(t, e, n)
	if err != nil {
		return err
	}
	return d.tellIncomplete(after.ticket, w)
}

// formLinkAgain says whether a stranger's further mail may be answered with
// the form's link once more. It spends the budget only where that is due.
func (d *decision) formLinkAgain(t ticket.Ticket, w writer) (bool, error) {
	if t.State == ticket.AwaitingForm && d.tx.Now().Before(t.FormAt.Add(firstAnswerPeriod)) {
		return false, nil
	}
	count, _, _, err := d.tx.Spend(firstAnswerBudget(d.d.Desk, w.address), firstAnswerPeriod, d.d.ID)
	return count == 1, err
}

// heardFrom notes that a party has written from the address that we write to.
func (d *decision) heardFrom(ticketID int64, w writer) error {
	switch {
	case w.colleague || w.party.Address != w.address:
		return nil
	case w.level == OwnToken || w.level == Proven:
		// Who writes to us by what we sent wants our mails again.
		return errors.Join(d.tx.SetProven(w.party.ID), d.tx.DropBudget(complaintOf(w.address)))
	case !w.party.Reachable: // any mail from it shows that it can be
		return d.tx.SetReachable(ticketID, w.party.Ordinal, true)
	}
	return nil
}
