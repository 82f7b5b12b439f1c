package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

const (
	// lentFor is how long a row is leased as it is added: as long as the worker
	// leases rows, after up to lentRest of waiting here.
	lentFor = 20*time.Minute + lentRest
	// lentRest is how long a row waits here at most; an older one goes back to
	// the outbox.
	lentRest = time.Minute
	// lentMost is how many rows wait here before new ones wait in the outbox.
	lentMost = 128
	// lentPatience is how long a decision waits for room: what is begun is
	// ended before more is begun, as long as mails do leave. The longest that
	// all who decide are in nobody's service.
	lentPatience = 250 * time.Millisecond
	// askEvery is how often the outbox is asked even if nobody here knows of
	// a row: other programs put rows there.
	askEvery = time.Second
)

// lentRows are rows that were leased as they were added, on their way to the
// worker. There are none as long as rows that came before wait in the outbox:
// the most urgent leaves first.
type lentRows struct {
	mu      sync.Mutex
	rows    []mailflow.Lent
	outbox  bool            // rows may wait in the outbox
	last    time.Time       // when it was asked
	moved   int64           // rows that left for the worker
	stalled bool            // none did for as long as a decision waits
	waiting []chan struct{} // decisions that wait for room, each told by closing
}

func newLentRows() lentRows { return lentRows{outbox: true} }

// lends says for how long the rows of a decision may be leased at once. It
// waits for room, unless the decision is urgent.
func (l *lentRows) lends(urgent bool) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.hasRoom() && !l.stalled && !urgent {
		l.wait()
	}
	return lentFor, l.hasRoom()
}

func (l *lentRows) hasRoom() bool { return len(l.rows) < lentMost && !l.outbox }

// wait lets go of mu until there is room, or for as long as a decision waits.
func (l *lentRows) wait() {
	before := l.moved
	told, timer := make(chan struct{}), time.NewTimer(lentPatience)
	defer timer.Stop()
	l.waiting = append(l.waiting, told)
	l.mu.Unlock()
	select {
	case <-told:
	case <-timer.C:
	}
	l.mu.Lock()
	if i := slices.Index(l.waiting, told); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.stalled = l.moved == before
	}
}

// tell ends the waiting of as many as there is room for.
func (l *lentRows) tell() {
	if !l.hasRoom() {
		return
	}
	n := min(len(l.waiting), (lentMost-len(l.rows)+1)/2) // most have two rows
	for _, told := range l.waiting[:n] {
		close(told)
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
}

func (l *lentRows) add(rows []mailflow.Lent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, rows...)
}

// waits notes that rows wait in the outbox.
func (l *lentRows) waits() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outbox = true
}

// mustAsk says whether the outbox is to be asked for rows. It counts as asked
// from then on: what is added meanwhile is for the next time.
func (l *lentRows) mustAsk(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.outbox && len(l.rows) > 0 && now.Sub(l.last) < askEvery {
		return false
	}
	l.outbox = false
	return true
}

// asked notes that the outbox was, for n rows, and gave so many.
func (l *lentRows) asked(now time.Time, n, got int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = now
	l.outbox = l.outbox || got == n
	l.left(got)
	l.tell()
}

// left counts rows that left for the worker.
func (l *lentRows) left(n int) {
	if n > 0 {
		l.moved += int64(n)
		l.stalled = false
	}
}

// take returns up to n rows, the most urgent first, and all that have waited
// for too long.
func (l *lentRows) take(n int, now time.Time) (rows []mailflow.Lent, stale []store.Outbox) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = slices.DeleteFunc(l.rows, func(r mailflow.Lent) bool {
		old := now.Sub(r.Row.Created) > lentRest
		if old {
			stale = append(stale, r.Row)
		}
		return old
	})
	if len(stale) > 0 {
		l.outbox = true
	}
	slices.SortStableFunc(l.rows, func(a, b mailflow.Lent) int { return cmp.Compare(a.Row.Priority, b.Row.Priority) })
	n = min(n, len(l.rows))
	rows = slices.Clone(l.rows[:n])
	l.rows = slices.Delete(l.rows, 0, n)
	l.left(n)
	l.tell()
	return rows, stale
}
