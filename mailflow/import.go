package mailflow

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// imported is the event of an old mail in the history.
const imported ticket.EventType = "imported"

// OldMail is a mail of an archive.
type OldMail struct {
	Raw  []byte
	Desk string    // the desk's key
	At   time.Time // when it was written or came
}

// Outcome is what became of an old mail.
type Outcome struct {
	// Done: it is in the store now. Otherwise it was there already, or Failed
	// says why it could not be read; nothing of it is stored then.
	Done   bool
	Failed string
	// Began: a ticket begins with it. Joined: it is on the ticket of another
	// mail. Neither: no person wrote it and it belongs to no conversation; its
	// bytes are kept all the same.
	Began, Joined bool
	Ticket        string // the number
}

// Import brings old mails in, as closed tickets, in one transaction. Nothing
// is sent and no clock begins to run. Mails that were imported before, and
// other copies of mails that are there, are left out. The mails of one call
// are in memory together.
func (f *Flow) Import(ctx context.Context, old []OldMail) ([]Outcome, error) {
	all := make([]*oldMail, len(old))
	defer func() {
		for _, m := range all {
			if m != nil && m.raw != nil {
				m.raw.Abort()
			}
		}
	}()
	for i := range old {
		var err error
		if all[i], err = f.readOld(ctx, old[i]); err != nil {
			return nil, err
		}
	}
	err := f.commitOld(ctx, all)
	out := make([]Outcome, len(all))
	for i, m := range all {
		out[i] = m.out
	}
	return out, err
}

// commitOld stores mails together or, if one of them cannot be stored, each
// alone, so that it costs no other.
func (f *Flow) commitOld(ctx context.Context, all []*oldMail) error {
	err := f.DB.Update(ctx, "import mails", func(tx *store.Tx) error {
		for _, m := range all {
			if m.raw == nil {
				continue
			}
			m.out = Outcome{}
			if err := f.importOne(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err == nil || ctx.Err() != nil || store.IsTrouble(err):
		return err
	case len(all) == 1:
		all[0].out = Outcome{Failed: firstLine(err.Error())}
		return nil
	}
	for i := range all {
		if err := f.commitOld(ctx, all[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// oldMail is one on its way in.
type oldMail struct {
	OldMail
	in   *incoming
	hash []byte
	raw  *store.RawWriter // nil if it is not imported
	out  Outcome
}

// readOld reads a mail before the transaction.
func (f *Flow) readOld(ctx context.Context, old OldMail) (*oldMail, error) {
	sum := sha256.Sum256(append([]byte(old.Desk+"\n"), old.Raw...))
	m := &oldMail{OldMail: old, hash: sum[:16]}
	var has bool
	if err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		has, err = tx.HasImported(m.hash)
		return err
	}); err != nil || has {
		return m, err
	}
	// Only the mail can tell whether it came from the null path.
	d := store.Delivery{Desk: old.Desk, Listener: "import", MailFrom: "unknown", Priority: 1}
	var err error
	if m.in, err = f.readSafely(ctx, d, old.Raw); err != nil {
		var stop *stopped
		if errors.As(err, &stop) {
			m.out.Failed, err = stop.reason, nil
		}
		return m, err
	}
	m.in.d.MailFrom = m.in.from()
	m.raw = f.DB.NewRaw(ctx)
	_, err = m.raw.Write(old.Raw)
	return m, err
}

// importOne stores one mail.
func (f *Flow) importOne(tx *store.Tx, m *oldMail) error {
	if fresh, err := tx.AddImported(m.hash); err != nil || !fresh {
		return err
	}
	d := &decision{f: f, s: f.Settings.Load(), tx: tx, in: m.in, d: m.in.d}
	there, err := d.isThere(m.At)
	if err != nil || there {
		return err
	}
	if d.d.RawID, _, _, err = m.raw.Finish(tx); err != nil {
		return err
	}
	d.d.Received = tx.Now()
	if d.d.ID, err = tx.AddDelivery(d.d); err != nil {
		return err
	}
	m.in.describe(&d.d)
	d.d.State, d.d.Received = store.DeliveryDone, m.At
	i := importing{decision: d, at: m.At, own: f.isOwn(m.in)}
	if err := i.run(); err != nil {
		return err
	}
	i.out.Done = true
	m.out = i.out
	why, _ := json.Marshal([]string{"imported: " + d.d.Reason})
	d.d.Why = string(why)
	return tx.FinishDelivery(d.d)
}

// isThere recognises another copy of a mail that the store has: that of a
// list, or the sender's own.
func (d *decision) isThere(at time.Time) (bool, error) {
	copies, err := d.tx.DeliveriesOfMail(d.in.mail.MessageID)
	if err != nil || d.in.mail.MessageID == "" {
		return false, err
	}
	for _, c := range copies {
		if c.Desk != d.d.Desk || c.From != d.in.from() || topic(c.Subject) != topic(d.in.mail.Subject) || c.State != store.DeliveryDone {
			continue
		}
		if c.Listener != d.d.Listener || c.MessageID == 0 {
			return true, nil
		}
		m, err := d.tx.MessageByID(c.MessageID)
		if err != nil || m.At.Equal(at) {
			return err == nil, ignoreNoRows(err)
		}
	}
	return false, nil
}
