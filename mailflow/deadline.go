package mailflow

import (
	"context"
	"time"

	"guichet/store"
)

const (
	dueBatch = 100             // tickets whose deadlines are looked up at once
	putOff   = 5 * time.Minute // of a ticket whose step failed

	// keepMails is how long the bytes of a mail of ours are kept after it was
	// settled. Its row, and what it said, stay.
	keepMails  = 30 * 24 * time.Hour
	sweepBatch = 200 // rows swept in one transaction
)

// RunDeadlines takes the steps that are due without any mail, each within a
// second of its time, until ctx ends. It also sweeps what has grown old.
func (f *Flow) RunDeadlines(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for f.dueNow(ctx) == dueBatch && ctx.Err() == nil {
		}
		if now := f.Now(); now.Sub(swept) >= time.Hour {
			swept = now
			f.sweep(ctx)
		}
	}
}

// dueNow takes one step on each ticket that is due and says how many steps
// were taken. A ticket whose step fails stops no other; it is put off.
func (f *Flow) dueNow(ctx context.Context) (taken int) {
	var ids []int64
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.DueTickets(dueBatch)
		return err
	})
	if err != nil && ctx.Err() == nil {
		f.Log.Error("deadlines", "err", err)
	}
	for _, id := range ids {
		err := f.deadline(ctx, id)
		switch {
		case err == nil:
			taken++
		case ctx.Err() != nil || store.IsTrouble(err):
			return 0
		default:
			f.Log.Error("deadline", KeyTicket, id, "err", err)
			f.update(ctx, "put off deadline", func(tx *store.Tx) error { return tx.PutOff(id, tx.Now().Add(putOff)) })
		}
	}
	return taken
}

// sweep removes what only had to be remembered for a while.
func (f *Flow) sweep(ctx context.Context) {
	f.update(ctx, "sweep budgets", func(tx *store.Tx) error { return tx.DropBudgets(tx.Now().Add(-2 * firstAnswerPeriod)) })
	for more := true; more; {
		done := f.update(ctx, "drop old mails", func(tx *store.Tx) error {
			n, err := tx.DropOldMails(tx.Now().Add(-keepMails), sweepBatch)
			more = n > 0
			return err
		})
		more = more && done
	}
	for more := true; more; {
		done := f.update(ctx, "forget copies", func(tx *store.Tx) (err error) {
			more, err = tx.ForgetCopies(tx.Now().Add(-duplicateFor), sweepBatch)
			return err
		})
		more = more && done
	}
	f.forgetConfirmations(ctx)
	if _, err := f.DB.SweepRaw(ctx, 4*time.Hour); err != nil && ctx.Err() == nil {
		f.Log.Error("sweep raw mails", "err", err)
	}
}

// forgetConfirmations ends the waiting of agents' mails that nobody has
// confirmed in time. They stay on their tickets as records.
func (f *Flow) forgetConfirmations(ctx context.Context) {
	f.update(ctx, "forget confirmations", func(tx *store.Tx) error {
		stale, err := tx.StaleConfirmations(tx.Now().Add(-confirmFor))
		for _, m := range stale {
			if err == nil {
				err = endWaiting(tx, m, "not confirmed in time")
			}
		}
		return err
	})
}
