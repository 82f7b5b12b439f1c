package mailflow

import (
	"fmt"
	"strings"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

const (
	loopMails  = 5               // mails of a machine that answers us
	loopPeriod = time.Hour       // within this
	loopAnswer = 2 * time.Minute // each so soon after our mail
	loopPause  = 24 * time.Hour  // of automatic mail
	loopReason = "five mails in an hour came within two minutes of our automatic mails"
)

// loops recognises a machine that answers our machine, whatever headers are
// missing: by the mails themselves, on one ticket and its follow-ups, never
// by count alone. From the fifth such mail on the address gets no automatic
// mail on that ticket for a day; the agents are told once. Trusted networks
// are exempt.
func (d *decision) loops(t thread, w writer) error {
	if t.owner == nil || t.owner.Role == ticket.Agent || w.agent != nil || w.level == Forged || d.s.trusts(d.d.Client) {
		return nil
	}
	soon, err := d.answersMachine(t, w)
	if err != nil || !soon {
		return err
	}
	id := t.owner.TicketID
	if t.ticket.ID != 0 {
		id = t.ticket.ID
	}
	_, root, ok, err := d.tx.Budget(loopRoot(id))
	if err != nil {
		return err
	}
	if !ok {
		root = id
	}
	d.chain = root
	count, _, _, err := d.tx.Spend(fmt.Sprintf("loop %d %s", root, t.owner.Address), loopPeriod, id)
	if err != nil || count < loopMails {
		return err
	}
	d.because("%s", loopReason)
	d.quiet = t.owner.Address
	if err := d.beQuiet(id, d.quiet); err != nil || count > loopMails {
		return err
	}
	d.tx.AfterCommit(func() {
		d.f.Log.Warn("held", "all", true, KeyTicket, t.ticket.Number, "to", t.owner.Address, "reason", loopReason)
	})
	on, err := d.tx.LockTicket(id)
	if err != nil {
		return err
	}
	return d.toAgents(on, args{Event: "loop", Reason: loopReason, From: on.State, State: on.State})
}

// answersMachine says that a mail came soon after an automatic mail of ours to
// the address that it answers. What we passed on of somebody else's words
// counts where the answer is the same as the one before: so do two ticket
// systems that are parties of one ticket, and no two people.
func (d *decision) answersMachine(t thread, w writer) (bool, error) {
	sent, err := d.tx.SentSince(t.owner.TicketID, t.owner.Address, d.d.Received.Add(-loopAnswer))
	if err != nil {
		return false, err
	}
	for _, o := range sent {
		switch {
		case t.row != 0 && o.ID != t.row || o.Priority == priorityWords:
		case o.Kind != ticket.Update || argsOf(o).Message == 0:
			return true, nil
		default:
			last, err := d.tx.LastWordsOf(t.owner.TicketID, w.address)
			return last != "" && sameWords(last, d.f.withoutSecrets(d.in.mail.Reply)), err
		}
	}
	return false, nil
}

// sameWords compares two texts without what counts up in them.
func sameWords(a, b string) bool {
	bare := func(s string) string { return strings.Join(strings.Fields(digits.ReplaceAllString(s, "")), " ") }
	return bare(a) == bare(b)
}

func loopRoot(ticketID int64) string { return fmt.Sprintf("loop root %d", ticketID) }

func loopQuiet(ticketID int64, address string) string {
	return fmt.Sprintf("quiet %d %s", ticketID, address)
}

func (d *decision) beQuiet(ticketID int64, address string) error {
	_, _, _, err := d.tx.Spend(loopQuiet(ticketID, address), loopPause, d.d.ID)
	return err
}

// chainOn lets a new ticket count with the one that it came of, and keep the
// silence.
func (d *decision) chainOn(ticketID int64) error {
	if d.chain == 0 {
		return nil
	}
	if _, _, _, err := d.tx.Spend(loopRoot(ticketID), loopPause, d.chain); err != nil || d.quiet == "" {
		return err
	}
	return d.beQuiet(ticketID, d.quiet)
}

// silence keeps a mail from somebody who has complained. What the clock sends
// is held, since further steps hang on it.
func (d *decision) silence(o *store.Outbox) (drop bool) {
	if d.in == nil {
		o.State, o.Reply = store.HeldOut, complaintReason
		return false
	}
	d.because("no %s to %s: %s", o.Kind, o.Recipient, complaintReason)
	return true
}

// hush applies the pause to one mail and says whether it is not to be sent. An
// agent's words always are. Other people's words are held, and what the clock
// sends waits until the pause is over, since further steps hang on it.
func (d *decision) hush(o *store.Outbox, words bool) (drop bool, err error) {
	if complained, err := d.hasComplained(o.Recipient); err != nil {
		return false, err
	} else if complained && !words {
		return d.silence(o), nil
	}
	if d.chain == 0 && d.tx.Made(o.TicketID) {
		return false, nil // nobody has had a mail of it, nor of one before
	}
	began, _, ok, err := d.tx.Budget(loopQuiet(o.TicketID, o.Recipient))
	if end := began.Add(loopPause); err != nil || !ok || !d.tx.Now().Before(end) {
		return false, err
	} else if d.in == nil {
		o.Due = end
		return false, nil
	}
	if words {
		o.State, o.Reply = store.HeldOut, loopReason
		return false, nil
	}
	d.because("no %s to %s: %s", o.Kind, o.Recipient, loopReason)
	return true, nil
}
