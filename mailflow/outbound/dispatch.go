package outbound

import (
	"context"
	"time"
)

const (
	// idlePoll is the longest time without a lease.
	idlePoll = time.Minute
	// lookEvery is how often an idle queue is looked at: other programs change
	// it without a tick. A look is a read, a lease would be a write.
	lookEvery = time.Second
	// duePoll is the rest where a row is due but none could be leased, since
	// an earlier one of its lane is in somebody's hands.
	duePoll = 250 * time.Millisecond
	// notNowRest is how long a row rests that the queue could not prepare.
	notNowRest = 2 * time.Second
	// queueRest is the first rest after an error of the queue; it doubles up
	// to queueRestMax.
	queueRest    = 250 * time.Millisecond
	queueRestMax = 30 * time.Second
)

// dispatch leases rows and hands them to the senders until ctx is done.
func (r *run) dispatch(ctx context.Context) {
	faults := 0
	for ctx.Err() == nil {
		wake := r.Queue.Wake() // before the look, so that no tick is missed
		n, rest := r.room()
		if n > 0 {
			got, err := r.lease(ctx, n)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				faults++
				rest = double(queueRest, queueRestMax, faults)
				r.Log.Error("lease outbox rows", keyErr, err)
				wake = nil // an ailing store is not asked at its every tick
			case got > 0:
				faults = 0
				continue
			default:
				faults = 0
				r.idle(ctx, wake)
				continue
			}
		}
		r.rest(ctx, wake, rest)
	}
}

// idle rests until a row is due, a tick comes, or idlePoll is over.
func (r *run) idle(ctx context.Context, wake <-chan struct{}) {
	for waited := time.Duration(0); waited < idlePoll; waited += lookEvery {
		d := r.untilDue(ctx)
		if !r.rest(ctx, wake, min(d, lookEvery)) || d <= lookEvery {
			return
		}
	}
}

// room says how many rows may be leased now; where it is none, how long to
// rest at most.
func (r *run) room() (n int, rest time.Duration) {
	now := r.Now()
	open, until, probe, _ := r.breaker.look(now)
	held, waiting := r.holding(), int(r.line.Load())
	switch {
	case open:
		return 0, until.Sub(now)
	case probe && held > 0:
		return 0, idlePoll
	case !probe && r.pace.every == 0:
		return r.batch.next(now, waiting), idlePoll
	case held >= r.Connections:
		return 0, idlePoll
	}
	if d := r.pace.wait(now); d > 0 {
		return 0, d
	}
	return 1, 0
}

// lease takes up to n rows and puts them in line.
func (r *run) lease(ctx context.Context, n int) (int, error) {
	items, err := r.Queue.Lease(ctx, n, r.Lease)
	if err != nil {
		return 0, err
	}
	now := r.Now()
	r.batch.full = len(items) >= n
	if len(items) > 0 && r.pace.every > 0 {
		r.pace.take(now)
	}
	r.hold(len(items))
	r.line.Add(int64(len(items)))
	for _, it := range items {
		r.jobs <- job{item: it, until: now.Add(r.Lease - r.Attempt)}
	}
	return len(items), nil
}

// untilDue is how long nothing is due.
func (r *run) untilDue(ctx context.Context) time.Duration {
	next, err := r.Queue.NextDue(ctx)
	if err != nil || next.IsZero() {
		return idlePoll
	}
	d := next.Sub(r.Now())
	if d <= 0 {
		return duePoll
	}
	return min(d, idlePoll)
}

// rest waits for d, a tick of the queue, a row that leaves our hands, or ctx;
// it says whether it was for d.
func (r *run) rest(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-r.moved:
	case <-t.C:
		return true
	}
	return false
}
