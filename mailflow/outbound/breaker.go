package outbound

import (
	"sync"
	"time"
)

// breaker stops all sending while the relay is in trouble, so that rows do not
// burn their own schedules on it. After a pause of 1 s, doubled up to 5 min,
// one row at a time is tried; the first that the relay answers closes it.
type breaker struct {
	rnd func() float64

	mu       sync.Mutex // guards all below
	troubles int        // in a row; 0 is closed
	until    time.Time  // end of the pause
	words    string     // the last trouble's
}

// look says whether rows may be tried now, whether only one at a time, and
// where none may, until when. epoch goes back with note.
func (b *breaker) look(now time.Time) (open bool, until time.Time, probe bool, epoch int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Before(b.until), b.until, b.troubles > 0, b.troubles
}

// note takes in a result and says how long the pause is that it began, or 0.
// Several connections fail together when the relay goes: only the first of one
// epoch counts.
func (b *breaker) note(r Result, epoch int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.Trouble && epoch == b.troubles:
		b.troubles++
		d := pause(b.troubles, b.rnd)
		b.until, b.words = now.Add(d), r.Reply
		return d
	case !r.Trouble && r.Tried:
		b.troubles, b.until, b.words = 0, time.Time{}, ""
	}
	return 0
}

// state is for [Worker.Status].
func (b *breaker) state() (until time.Time, words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.until, b.words
}
