package imapfetch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

// worker fetches one mailbox.
type worker struct {
	f   *Fetcher
	m   Mailbox
	log *slog.Logger

	// These belong to the goroutine of run.
	box        store.Mailbox
	fence      int64          // of the lease, on PostgreSQL
	lost       map[uint32]int // connections that ended with a mail, in a row
	settling   []uint32       // taken, and not settled yet
	settleNext time.Time      // not before, after a failure
	freshToken bool           // the server has refused the kept one
	tries      int            // failures in a row
	lookedAt   time.Time      // when the store was last told so
	next       time.Time      // of the next try that is due; zero: none

	// f.mu guards these.
	trouble string // why it cannot be read; "" while it can
	desks   []string
}

// run fetches until ctx ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.leased(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := w.f.timing().lease / 3 // another gateway has it
		if err != nil {
			w.tries++
			wait = w.f.timing().backoff(err, w.tries, rand.Float64())
			w.fails(ctx, err, wait)
		}
		sleep(ctx, wait)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// fetchFolder is one connection, from its beginning to its end.
func (w *worker) fetchFolder(ctx context.Context) error {
	if err := w.f.Receiver.Ready(0); err != nil {
		return &paused{err} // before any login: this may last
	}
	s, selected, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	w.settleNext = time.Time{}
	if err := w.begin(ctx, s, selected); err != nil {
		return err
	}
	for {
		if err := w.look(ctx, s); err != nil {
			return err
		}
		if err := w.looked(ctx, s); err != nil {
			return err
		}
		again, err := s.wait(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if !again {
			continue
		}
		// Nothing came for a while: is it still the folder it was?
		if selected, err = s.selectFolder(); err != nil {
			return err
		}
		if selected.UIDValidity != w.box.UIDValidity {
			if err := w.begin(ctx, s, selected); err != nil {
				return err
			}
		}
	}
}

// looked notes that all mails are in our hands.
func (w *worker) looked(ctx context.Context, s *session) error {
	w.tries = 0
	now := w.f.Now()
	if w.readable() && now.Sub(w.lookedAt) < 10*time.Minute && !now.Before(w.lookedAt) {
		return nil
	}
	err := w.f.DB.Update(ctx, "mailbox looked", func(tx *store.Tx) (err error) {
		if err := tx.MailboxLooked(w.box.ID); err != nil {
			return err
		}
		w.box, err = tx.OpenMailbox(w.m.Name)
		return err
	})
	if err != nil {
		return err
	}
	if !w.readable() {
		w.log.Info("mailbox is read", "new mails", s.how())
	}
	w.lookedAt = now
	w.report("", w.box.Desks)
	return nil
}

// fails notes that the mailbox cannot be read.
func (w *worker) fails(ctx context.Context, err error, wait time.Duration) {
	why := shown(err.Error())
	w.log.Warn("mailbox cannot be read", "err", why, "try", w.tries, "again in", wait.Round(time.Millisecond))
	if w.box.ID == 0 || w.box.Trouble != why { // other gateways ask the store
		_ = w.f.DB.Update(ctx, "mailbox trouble", func(tx *store.Tx) (err error) {
			if w.box, err = tx.OpenMailbox(w.m.Name); err == nil {
				w.box.Trouble, err = why, tx.MailboxTrouble(w.box.ID, why)
			}
			return err
		})
	}
	w.report(why, w.box.Desks)
}

// tryAt has the next look be no later than at a time.
func (w *worker) tryAt(at time.Time) {
	if w.next.IsZero() || at.Before(w.next) {
		w.next = at
	}
}

func (w *worker) readable() bool {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	return w.trouble == ""
}

func (w *worker) report(trouble string, desks []string) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	w.trouble, w.desks = trouble, desks
}

// leased fetches the mailbox as long as this gateway has its lease. Without
// error it was, or is now, another's. On SQLite there is no other.
func (w *worker) leased(ctx context.Context) error {
	if w.f.DB.Engine() == "sqlite" {
		return w.fetchFolder(ctx)
	}
	var mine bool
	err := w.f.DB.Update(ctx, "mailbox lease", func(tx *store.Tx) (err error) {
		if w.fence, mine, err = tx.TakeLease(w.lease(), w.f.timing().lease); err != nil || mine {
			return err
		}
		w.box, err = tx.OpenMailbox(w.m.Name)
		return err
	})
	if err != nil {
		return err
	}
	if !mine {
		trouble := w.box.Trouble
		if w.box.Looked.IsZero() {
			trouble = "not looked at yet"
		}
		w.report(trouble, w.box.Desks)
		return nil
	}
	held, lost := context.WithCancel(ctx)
	defer lost()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		w.keepLease(held, lost)
	}()
	err = w.fetchFolder(held)
	if held.Err() != nil && ctx.Err() == nil || errors.Is(err, mailflow.ErrNotFetched) {
		w.log.Info("mailbox is another gateway's now")
		err = nil // which is no trouble of the mailbox
	}
	lost()
	<-renewed
	w.giveBack()
	return err
}

func (w *worker) lease() string { return "mailbox/" + w.m.Name }

// mine says, in a transaction, that the mailbox is still this gateway's.
func (w *worker) mine(tx *store.Tx) (bool, error) {
	if tx.Engine() == "sqlite" {
		return true, nil
	}
	return tx.HoldLease(w.lease(), w.fence)
}

// keepLease renews the lease, and ends the fetching where that fails.
func (w *worker) keepLease(ctx context.Context, lost func()) {
	defer lost()
	ttl := w.f.timing().lease
	for until := time.Now().Add(ttl); time.Now().Before(until); {
		sleep(ctx, ttl/3)
		if ctx.Err() != nil {
			return
		}
		var ok bool
		begun := time.Now()
		err := w.f.DB.Update(ctx, "mailbox lease renewed", func(tx *store.Tx) (err error) {
			ok, err = tx.RenewLease(w.lease(), w.fence, ttl)
			return err
		})
		if err == nil && !ok {
			return
		}
		if err == nil {
			until = begun.Add(ttl)
		}
	}
}

// giveBack lets another gateway have the mailbox at once.
func (w *worker) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = w.f.DB.Update(ctx, "mailbox given back", func(tx *store.Tx) error { return tx.DropLease(w.lease(), w.fence) })
}
