package mailflow

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"guichet/store"
)

const (
	dueBatch  = 100             // tickets whose deadlines are looked up at once
	dueAtOnce = 8               // steps taken at once: together commits cost less
	putOff    = 5 * time.Minute // of a ticket whose step failed
	// lateAfter is how old a step may be that is still taken at once. An older
	// one is overdue: nothing ran at its time, or the ticket's clock stood
	// still.
	lateAfter = 5 * time.Minute
	// duePoll is how often is looked for due steps.
	duePoll = 500 * time.Millisecond
	// catchUpDefault is [Limits].CatchUp where that is 0.
	catchUpDefault = 60

	// keepMails is how long after it was settled a mail of ours stays of which
	// the bytes were kept. Its row, and what it said, stay for good.
	keepMails  = 30 * 24 * time.Hour
	sweepBatch = 200 // rows swept in one transaction
	// sweepBatches bounds one sweep: what a large store has to forget after an
	// upgrade is spread over hours.
	sweepBatches = 500
)

// RunDeadlines takes the steps that are due without any mail, each within a
// second of its time, until ctx ends. It also sweeps what has grown old.
func (f *Flow) RunDeadlines(ctx context.Context) error {
	tick := time.NewTicker(duePoll)
	defer tick.Stop()
	var swept time.Time
	var late catchUp
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		f.due(ctx, &late)
		if now := f.Now(); now.Sub(swept) >= time.Hour {
			swept = now
			f.sweep(ctx)
		}
	}
}

// due takes all steps that are due now, and so many of the overdue as the
// pace allows: after downtime nobody's relay gets two weeks of reminders at
// once, and what is due now does not wait behind them.
func (f *Flow) due(ctx context.Context, late *catchUp) (taken int) {
	for n := dueBatch; n == dueBatch && ctx.Err() == nil; {
		now := f.Now()
		n = f.steps(ctx, now.Add(-lateAfter), now, dueBatch)
		taken += n
	}
	now := f.Now()
	if n := late.free(now, f.Settings.Load().Limits.CatchUp); n > 0 {
		n = f.steps(ctx, time.UnixMicro(0), now.Add(-lateAfter), n)
		late.take(n)
		taken += n
	}
	return taken
}

// catchUp spreads overdue steps evenly.
type catchUp struct {
	every time.Duration
	slot  time.Time // the next free one
}

// free says how many steps may be taken now, of so many a minute.
func (c *catchUp) free(now time.Time, perMinute int) int {
	c.every = time.Minute / time.Duration(cmp.Or(perMinute, catchUpDefault))
	if unused := now.Add(-duePoll); c.slot.Before(unused) || c.slot.After(now.Add(time.Minute)) {
		c.slot = now // nothing was overdue, or the clock has jumped
	}
	if now.Before(c.slot) {
		return 0
	}
	return min(1+int(now.Sub(c.slot)/c.every), dueBatch)
}

// take uses n of the slots that free found.
func (c *catchUp) take(n int) { c.slot = c.slot.Add(time.Duration(n) * c.every) }

// steps takes one step on each of up to n tickets whose deadline lies after
// since and not after until, and says how many were taken. A ticket whose step
// fails stops no other; it is put off.
func (f *Flow) steps(ctx context.Context, since, until time.Time, n int) int {
	var ids []int64
	still := f.unreadable()
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		ids, err = tx.DueTickets(since, until, n, still...)
		return err
	})
	if err != nil && ctx.Err() == nil {
		f.Log.Error("deadlines", "err", err)
	}
	var taken atomic.Int64
	var group errgroup.Group
	group.SetLimit(dueAtOnce)
	for _, id := range ids {
		group.Go(func() error {
			if f.stepOf(ctx, id) {
				taken.Add(1)
			}
			return nil
		})
	}
	group.Wait()
	return int(taken.Load())
}

func (f *Flow) unreadable() []string {
	if f.Unreadable == nil {
		return nil
	}
	return f.Unreadable()
}

// stepOf takes the step of one ticket and says whether it was taken.
func (f *Flow) stepOf(ctx context.Context, id int64) bool {
	err := f.deadline(ctx, id)
	switch {
	case err == nil:
		return true
	case ctx.Err() != nil || store.IsTrouble(err):
		return false
	}
	f.Log.Error("deadline", KeyTicket, id, "err", err)
	f.update(ctx, "put off deadline", func(tx *store.Tx) error { return tx.PutOff(id, tx.Now().Add(putOff)) })
	return false
}

// sweep removes what only had to be remembered for a while.
func (f *Flow) sweep(ctx context.Context) {
	f.update(ctx, "sweep budgets", func(tx *store.Tx) error {
		if err := tx.DropBudgets(tx.Now().Add(-2 * firstAnswerPeriod)); err != nil {
			return err
		}
		return f.digests(tx)
	})
	for more, n := true, 0; more && n < sweepBatches; n++ {
		done := f.update(ctx, "drop old mails", func(tx *store.Tx) error {
			n, err := tx.DropOldMails(tx.Now().Add(-keepMails), sweepBatch)
			more = n > 0
			return err
		})
		more = more && done
	}
	for more, n := true, 0; more && n < sweepBatches; n++ {
		done := f.update(ctx, "forget copies", func(tx *store.Tx) (err error) {
			more, err = tx.ForgetCopies(tx.Now().Add(-duplicateFor), sweepBatch)
			return err
		})
		more = more && done
	}
	f.forgetConfirmations(ctx)
	f.tellOfWaiting(ctx)
	f.sweepUploads(ctx)
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

// waitingBatch is how many waiting mails are looked at in one transaction.
const waitingBatch = 100

// tellOfWaiting tells the agents again, once a day, of each mail that waits for
// them: its ticket's clock stands still.
func (f *Flow) tellOfWaiting(ctx context.Context) {
	d := &decision{f: f, s: f.Settings.Load()}
	for after, more := int64(0), true; more; {
		next := after
		done := f.update(ctx, "tell of waiting", func(tx *store.Tx) error {
			d.tx, d.queued, next = tx, false, after
			waiting, err := tx.WaitingSince(tx.Now().Add(-waitingAgain), after, waitingBatch)
			for _, m := range waiting {
				if err == nil {
					next, err = m.ID, d.stillWaiting(m)
				}
			}
			more = len(waiting) == waitingBatch
			return err
		})
		after, more = next, more && done
		if done && d.queued {
			f.Outgoing()
		}
	}
}

// waitingAgain is how often the agents are told of a mail that waits.
const waitingAgain = 24 * time.Hour

func (d *decision) stillWaiting(m store.Message) error {
	told, _, _, err := d.tx.Spend(fmt.Sprintf("waits %d", m.ID), waitingAgain, 0)
	if err != nil || told > 1 {
		return err
	}
	t, err := d.tx.LockTicket(m.TicketID)
	if err != nil {
		return err
	}
	return d.toAgents(t, args{Message: m.ID, Event: "waiting", Reason: m.Reason, From: t.State, State: t.State})
}
