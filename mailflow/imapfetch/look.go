package imapfetch

import (
	"context"
	"slices"
	"time"

	"guichet/store"
)

const (
	// lookBack is how far below the highest UID that we have is looked for
	// mails that were not seen before: a server that delivers two at once may
	// show the later one first.
	lookBack = 1000
	// describeBatch is how many sizes are asked for at once.
	describeBatch = 200
	// settleBatch is after how many mails the server is told what became of
	// them.
	settleBatch = 50
	todoBatch   = 200
)

// look takes all mails that are new, then those that are still to be taken,
// and settles what was taken.
func (w *worker) look(ctx context.Context, s *session) error {
	select {
	case <-s.news: // what it tells of is found now
	default:
	}
	w.next = time.Time{}
	fresh, err := w.fresh(ctx, s)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(fresh, w.batch(describeBatch)) {
		if err := w.takeNew(ctx, s, batch); err != nil {
			return err
		}
	}
	w.settling = w.settling[:0] // the journal has them all
	if err := w.todo(ctx, s); err != nil {
		return err
	}
	return w.settle(ctx, s)
}

// fresh lists the mails that have no row yet.
func (w *worker) fresh(ctx context.Context, s *session) (fresh []uint32, err error) {
	var last uint32
	err = w.f.DB.View(ctx, func(tx *store.Tx) (err error) {
		last, err = tx.LastMailboxUID(w.box.ID, w.box.UIDValidity)
		return err
	})
	if err != nil {
		return nil, err
	}
	from := max(w.box.FirstUID, 1)
	if last > lookBack {
		from = max(from, last-lookBack)
	}
	uids, err := s.search(from)
	if err != nil || len(uids) == 0 {
		return nil, err
	}
	var known []uint32
	err = w.f.DB.View(ctx, func(tx *store.Tx) (err error) {
		known, err = tx.MailboxUIDs(w.box.ID, w.box.UIDValidity, from)
		return err
	})
	for _, uid := range uids {
		if _, has := slices.BinarySearch(known, uid); !has {
			fresh = append(fresh, uid)
		}
	}
	return fresh, err
}

// batch is how many mails are asked about at once: one after the other where
// the connection has ended again and again, so that it is seen which ends it.
func (w *worker) batch(usual int) int {
	if w.tries >= stuckShown {
		return 1
	}
	return usual
}

// takeNew takes mails that have no row.
func (w *worker) takeNew(ctx context.Context, s *session, uids []uint32) error {
	mails, err := s.describe(uids, false)
	switch {
	case err == nil:
	case len(uids) == 1:
		return w.notGiven(ctx, w.row(uids[0], 0), err)
	case isRefused(err): // for one of them, perhaps
		for _, uid := range uids {
			if err := w.takeNew(ctx, s, []uint32{uid}); err != nil {
				return err
			}
		}
		return nil
	default:
		return err
	}
	for _, m := range mails {
		if err := w.take(ctx, s, w.row(m.uid, m.size), ""); err != nil {
			return err
		}
		if len(w.settling) >= settleBatch {
			if err := w.settle(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *worker) row(uid uint32, size int64) store.MailboxMail {
	return store.MailboxMail{MailboxID: w.box.ID, UIDValidity: w.box.UIDValidity, UID: uid, Size: size}
}

func (w *worker) put(row store.MailboxMail) error {
	return w.f.DB.Update(context.Background(), "mailbox mail", func(tx *store.Tx) error {
		if row.State == store.MailDone && row.DeliveryID != 0 {
			if err := tx.EndUnfetched(row.DeliveryID, "has left its mailbox before it could be fetched"); err != nil {
				return err
			}
		}
		return tx.PutMailboxMail(row)
	})
}

// todo goes through the rows with which something is still to be done.
func (w *worker) todo(ctx context.Context, s *session) error {
	for from, more := uint32(0), true; more; {
		var rows []store.MailboxMail
		err := w.f.DB.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = tx.MailboxTodo(w.box.ID, w.box.UIDValidity, from, todoBatch)
			return err
		})
		if err != nil {
			return err
		}
		more = len(rows) == todoBatch
		for _, row := range rows {
			if err := w.resume(ctx, s, row); err != nil {
				return err
			}
			if from = row.UID + 1; from == 0 {
				more = false
			}
		}
	}
	return nil
}

// unsureReason is why a mail is held that was there when the UIDVALIDITY had
// changed.
const unsureReason = "lay in its mailbox when the UIDVALIDITY changed, and may be old: guichet held retry takes it, guichet held discard does not"

// resume goes on with one row.
func (w *worker) resume(ctx context.Context, s *session, row store.MailboxMail) error {
	switch {
	case row.State == store.MailTaken:
		w.settling = append(w.settling, row.UID)
		return nil
	case w.f.Now().Before(row.Due):
		w.tryAt(row.Due)
		return nil
	case row.State == store.MailUnsure:
		return w.take(ctx, s, row, unsureReason)
	}
	return w.take(ctx, s, row, "")
}

// settle has the server show what became of the mails taken. Where it refuses
// they stay as they are, in the journal and in the folder, and it is asked
// again later.
func (w *worker) settle(ctx context.Context, s *session) error {
	if len(w.settling) == 0 {
		return nil
	}
	if w.f.Now().Before(w.settleNext) {
		w.tryAt(w.settleNext)
		return nil
	}
	for uids := range slices.Chunk(w.settling, settleBatch) {
		err := s.mark(uids)
		if isRefused(err) {
			w.settleNext = w.f.Now().Add(w.f.timing().settle)
			w.tryAt(w.settleNext)
			w.log.Warn("not settled", "after", string(w.m.After), "mails", len(w.settling), "next", w.settleNext.UTC().Format(time.RFC3339), "err", err)
			return nil
		}
		if err != nil {
			return err
		}
		err = w.f.DB.Update(ctx, "mailbox settled", func(tx *store.Tx) error {
			return tx.SettleMailboxMails(w.box.ID, w.box.UIDValidity, uids)
		})
		if err != nil {
			return err
		}
	}
	w.settling = nil
	return nil
}
