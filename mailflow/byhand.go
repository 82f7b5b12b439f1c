package mailflow

import (
	"fmt"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// ReleasedByHand is the reason of a delivery that an operator let go on as a
// person's mail.
const ReleasedByHand = "released by hand"

// Discard ends the matter of a mail that is held, set aside or waiting. Its
// bytes and its place in the history stay.
func Discard(tx *store.Tx, id int64) error {
	d, err := tx.DeliveryByID(id)
	if err != nil {
		return fmt.Errorf("no mail %d: %w", id, err)
	}
	if d.State == store.DeliveryHeld || d.State == store.DeliverySetAside {
		_, err := tx.DiscardDelivery(id)
		return err
	}
	m, err := tx.MessageByID(d.MessageID)
	if err != nil || m.Visibility != store.Waiting {
		return fmt.Errorf("mail %d is neither held, nor set aside, nor waiting", id)
	}
	return endWaiting(tx, m, "by hand")
}

// endWaiting makes a record of a message that waits; the clock of its ticket
// runs again.
func endWaiting(tx *store.Tx, m store.Message, reason string) error {
	if err := tx.ShowMessage(m.ID, store.Record, m.Party, m.Role); err != nil {
		return err
	}
	t, err := tx.LockTicket(m.TicketID)
	if err != nil {
		return err
	}
	t.Waiting = max(t.Waiting-1, 0)
	if soon := tx.Now().Add(24 * time.Hour); !t.Deadline.IsZero() && t.Deadline.Before(soon) {
		t.Deadline = soon // it stood still: what was due meanwhile is not due at once
	}
	t.Version++
	if err := tx.SaveTicket(t); err != nil {
		return err
	}
	return tx.AddEvent(t.ID, store.HistoryEntry{At: tx.Now(), Role: ticket.System, Event: "discarded", From: t.State,
		To: t.State, MailID: m.MailID, Reason: reason})
}

// Release lets a held mail go as it is, and its words onto the pages; false
// if it is not held. One that was held for no words of its own is searched
// all the same.
func Release(tx *store.Tx, id int64) (bool, error) {
	held, err := tx.OutboxByID(id)
	if err != nil {
		return false, ignoreNoRows(err)
	}
	if held.Reply == strangersReason || held.Reply == loopReason {
		return tx.SetOutbox(id, store.Queued, store.HeldOut)
	}
	ok, err := tx.Release(id)
	if err != nil || !ok {
		return ok, err
	}
	o, err := tx.OutboxByID(id)
	if err != nil {
		return false, err
	}
	m, err := tx.MessageByID(argsOf(o).Message)
	if err != nil || m.Role != ticket.Agent || m.Visibility != store.HeldVis {
		return true, ignoreNoRows(err)
	}
	return true, tx.ShowMessage(m.ID, store.Public, m.Party, m.Role)
}
