package outbound

import (
	"sync/atomic"
	"time"
)

// counts are the worker's counters since the start.
type counts struct {
	sent, deferred, failed, gone, released, pauses, underway atomic.Int64
}

// Status is what an operator may ask a worker. Counters run since the start.
type Status struct {
	Sent     int64
	Deferred int64 // tried and put off
	Failed   int64
	Gone     int64 // held or cancelled after their lease
	Released int64 // handed back untried
	Pauses   int64 // times that the relay's trouble stopped the queue
	Underway int64 // mails with the relay now
	// PausedUntil is when the queue goes on after the relay's trouble; zero
	// when there is none. Trouble is the relay's words.
	PausedUntil time.Time
	Trouble     string
}

// Status may be called at any time.
func (w *Worker) Status() Status {
	c := &w.counts
	s := Status{
		Sent: c.sent.Load(), Deferred: c.deferred.Load(), Failed: c.failed.Load(),
		Gone: c.gone.Load(), Released: c.released.Load(), Pauses: c.pauses.Load(),
		Underway: c.underway.Load(),
	}
	s.PausedUntil, s.Trouble = w.breaker.state()
	return s
}
