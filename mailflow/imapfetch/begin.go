package imapfetch

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"guichet/mailflow"
	"guichet/store"
)

const (
	// clockSlack is how far the server's clock may differ from ours.
	clockSlack = 10 * time.Minute
	// oldDate is how much older than its arrival a mail may say it is and
	// still be taken without a look.
	oldDate   = 24 * time.Hour
	scanBatch = 200
)

// begin compares the folder with what is known of it. At first sight, and
// under a new UIDVALIDITY, what is there already makes no ticket.
func (w *worker) begin(ctx context.Context, s *session, selected *imap.SelectData) error {
	first := uint32(selected.UIDNext)
	if first == 0 {
		uids, err := s.search(1)
		if err != nil {
			return err
		}
		first = 1
		if len(uids) > 0 {
			first = uids[len(uids)-1] + 1
		}
	}
	w.settling = nil
	err := w.f.DB.Update(ctx, "mailbox begun", func(tx *store.Tx) (err error) {
		if w.box, err = tx.OpenMailbox(w.m.Name); err != nil || w.box.UIDValidity == selected.UIDValidity {
			return err
		}
		if w.m.All && w.box.Looked.IsZero() {
			first = 1
		}
		if err := tx.BeginMailbox(w.box.ID, selected.UIDValidity, first); err != nil {
			return err
		}
		w.box, err = tx.OpenMailbox(w.m.Name)
		return err
	})
	if err != nil || w.box.Scanned {
		return err
	}
	return w.scan(ctx, s)
}

// sight counts what a scan has found.
type sight struct{ there, known, wanted, unsure int }

// scan enters what was there into the journal.
func (w *worker) scan(ctx context.Context, s *session) error {
	var all sight
	if w.box.FirstUID > 1 {
		uids, err := s.search(1)
		if err != nil {
			return err
		}
		there, _ := slices.BinarySearch(uids, w.box.FirstUID)
		for batch := range slices.Chunk(uids[:there], w.batch(scanBatch)) {
			if err := w.scanSome(ctx, s, batch, &all); err != nil {
				return err
			}
		}
	}
	err := w.f.DB.Update(ctx, "mailbox scanned", func(tx *store.Tx) error { return tx.MailboxScanned(w.box.ID) })
	if err != nil {
		return err
	}
	w.box.Scanned = true
	if w.box.Looked.IsZero() {
		w.log.Info("mailbox seen for the first time", "there already, without ticket", all.there)
		return nil
	}
	w.log.Warn("mailbox has a new UIDVALIDITY", "there already, without ticket", all.there+all.known, "of these taken before", all.known,
		"new", all.wanted, "held, may be old", all.unsure)
	return nil
}

func (w *worker) scanSome(ctx context.Context, s *session, uids []uint32, all *sight) error {
	mails, err := s.describe(uids, true)
	switch {
	case err == nil:
	case isRefused(err) && len(uids) > 1:
		for _, uid := range uids {
			if err := w.scanSome(ctx, s, []uint32{uid}, all); err != nil {
				return err
			}
		}
		return nil
	case isRefused(err) || len(uids) == 1 && w.losesAgain(uids[0]):
		mails = []found{{uid: uids[0]}}
	default:
		return err
	}
	var some sight
	err = w.f.DB.Update(ctx, "mailbox there", func(tx *store.Tx) error {
		some = sight{}
		for _, m := range mails {
			if err := w.enter(tx, m, &some); err != nil {
				return err
			}
		}
		return nil
	})
	all.there, all.known, all.wanted, all.unsure = all.there+some.there, all.known+some.known, all.wanted+some.wanted, all.unsure+some.unsure
	return err
}

// enter writes the row of a mail that was there.
func (w *worker) enter(tx *store.Tx, m found, n *sight) error {
	row := w.row(m.uid, m.size)
	var written time.Time
	row.Hash, written = mailflow.MailHash(m.head)
	switch _, err := tx.MailboxMail(row.MailboxID, row.UIDValidity, row.UID); {
	case err == nil:
		return nil // entered before, or it is the UIDVALIDITY of old
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	row.State = store.MailThere
	if !w.box.Looked.IsZero() {
		if err := w.recognise(tx, &row, m.date, written); err != nil {
			return err
		}
	}
	switch row.State {
	case store.MailWanted:
		n.wanted++
	case store.MailUnsure:
		n.unsure++
	case store.MailTaken, store.MailCut:
		n.known++
	default:
		n.there++
	}
	return tx.PutMailboxMail(row)
}

// recognise judges a mail under a new UIDVALIDITY: is it one that we know, one
// that came since we last looked, or what has lain there for long? Servers
// keep the time of arrival when they rebuild a folder; where it was made anew
// with old mails, these are old by their own Date.
func (w *worker) recognise(tx *store.Tx, row *store.MailboxMail, arrived, written time.Time) error {
	if row.Hash != nil {
		known, err := tx.KnownMail(row.MailboxID, row.Hash)
		if err == nil {
			row.DeliveryID = known.DeliveryID
			switch known.State {
			case store.MailTaken, store.MailDone:
				row.State = store.MailTaken // settled once more
			case store.MailThere:
			default: // cut, too: that is done with, and nothing settles it
				row.State = known.State
			}
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	since := w.box.Looked.Add(-clockSlack)
	switch {
	case arrived.IsZero() && written.IsZero(): // nothing was said of it
		row.State = store.MailUnsure
	case !arrived.IsZero() && arrived.Before(since):
	case !written.IsZero() && written.Before(since.Add(-oldDate)):
		row.State = store.MailUnsure
	default:
		row.State = store.MailWanted
	}
	return nil
}
