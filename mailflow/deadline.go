package mailflow

import (
	"context"
	"time"

	"guichet/store"
)

// dueBatch bounds the tickets whose deadlines are looked up at once.
const dueBatch = 100

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

// dueNow takes one step on each ticket that is due and says how many were.
func (f *Flow) dueNow(ctx context.Context) int {
	var ids []int64
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.DueTickets(dueBatch)
		return err
	})
	for _, id := range ids {
		if err == nil {
			err = f.deadline(ctx, id)
		}
	}
	if err != nil && ctx.Err() == nil {
		f.Log.Error("deadline", "err", err)
		return 0
	}
	return len(ids)
}

// sweep removes what only had to be remembered for a while.
func (f *Flow) sweep(ctx context.Context) {
	f.update(ctx, "sweep budgets", func(tx *store.Tx) error { return tx.DropBudgets(tx.Now().Add(-2 * firstAnswerPeriod)) })
	if _, err := f.DB.SweepRaw(ctx, 4*time.Hour); err != nil && ctx.Err() == nil {
		f.Log.Error("sweep raw mails", "err", err)
	}
}
