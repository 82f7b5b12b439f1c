package mailflow

import (
	"fmt"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

const (
	// failedAnswersMax is how many of the last 200 first answers to strangers
	// may fail: a quarter. More, and somebody makes us write to people who
	// have never written (backscatter).
	failedAnswersMax = 50
	// failedAnswersCalm is how few must be left for the pause to end before
	// its time, when those let out by hand have arrived.
	failedAnswersCalm = 25
	// strangersPause is how long first answers wait for somebody's look, from
	// the last failure on; those held by then stay held.
	strangersPause = 24 * time.Hour
	// strangersWait names the pause among the budgets.
	strangersWait = "strangers wait"
	// strangersReason is why they are held.
	strangersReason = "more than a quarter of the last 200 first answers to strangers could not be delivered"
)

// strangersPaused says why first answers to strangers wait; "" if they do not.
func (d *decision) strangersPaused() (string, error) {
	began, _, ok, err := d.tx.Budget(strangersWait)
	if ok && d.tx.Now().Before(began.Add(strangersPause)) {
		return strangersReason, err
	}
	return "", err
}

const (
	// newMailboxAnswers is how many first answers to the mails of one mailbox
	// leave in its first hour. More, and its old mails may have been taken for
	// new ones.
	newMailboxAnswers = 200
	newMailboxFor     = time.Hour
	newMailboxReason  = "more than 200 first answers in the first hour of a mailbox"
)

// newMailbox counts a first answer to a mail that was fetched, and says why it
// waits; "" if it does not.
func (d *decision) newMailbox() (string, error) {
	if d.d.Listener != ListenerIMAP {
		return "", nil
	}
	m, err := d.tx.MailboxNamed(d.d.Client)
	if err != nil || !d.tx.Now().Before(m.Began.Add(newMailboxFor)) {
		return "", ignoreNoRows(err)
	}
	n, _, _, err := d.tx.Spend(fmt.Sprintf("mailbox %d %d", m.ID, m.UIDValidity), newMailboxFor, 0)
	if err != nil || n <= newMailboxAnswers {
		return "", err
	}
	return newMailboxReason, nil
}

// answered looks at what became of a first answer to a stranger; other mails
// say nothing.
func (d *decision) answered(o store.Outbox) error {
	if !argsOf(o).First {
		return nil
	}
	failed := o.State == store.FailedOut
	if err := d.tx.NoteAnswer(o.ID, failed); err != nil {
		return err
	}
	if failed {
		return d.strangersFailed(o)
	}
	if d.calm {
		return nil
	}
	if _, _, paused, err := d.tx.Budget(strangersWait); err != nil || !paused {
		d.calm = err == nil
		return err
	}
	n, err := d.tx.FailedAnswers()
	if err != nil || n > failedAnswersCalm {
		return err
	}
	return d.tx.DropBudget(strangersWait) // those that were let out have arrived
}

// cameBack is a first answer that was taken at first.
func (d *decision) cameBack(o store.Outbox) error {
	known, err := d.tx.FailAnswer(o.ID)
	if err != nil || !known {
		return err
	}
	return d.strangersFailed(o)
}

// strangersFailed begins the pause, on evidence and never by count alone: an
// outage brings thousands of honest first writers. The agents of the desk
// whose mail failed are told once.
func (d *decision) strangersFailed(o store.Outbox) error {
	d.calm = false
	n, err := d.tx.FailedAnswers()
	if err != nil || n <= failedAnswersMax {
		return err
	}
	uses, _, _, err := d.tx.Spend(strangersWait, strangersPause, o.ID)
	if err != nil || uses > 1 {
		return err
	}
	d.tx.AfterCommit(func() {
		d.f.Log.Warn("held", "all", true, "reason", strangersReason, "do", "guichet outbox list --state held")
	})
	t, err := d.tx.LockTicket(o.TicketID)
	if err != nil {
		return ignoreNoRows(err)
	}
	return d.toAgents(t, args{Event: "strangers-wait", Reason: strangersReason, From: t.State, State: t.State})
}

// isFirstAnswer says whether an effect's mail to a stranger is the first
// answer that he gets.
func isFirstAnswer(k ticket.Kind) bool { return k == ticket.Acknowledgment || k == ticket.FormLink }
