package imapfetch

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

// Fetcher fetches mailboxes, each with a worker of its own: the trouble of
// one is nothing to the others.
type Fetcher struct {
	Mailboxes []Mailbox
	DB        *store.DB
	Receiver  *mailflow.Receiver
	Log       *slog.Logger
	Now       func() time.Time
	// RootCAs certify the servers; nil means the system's.
	RootCAs *x509.CertPool

	// Fetched counts mails taken, Failed those that were held since they could
	// not be.
	Fetched, Failed atomic.Int64

	times   *timing // nil means usual
	mu      sync.Mutex
	workers []*worker
}

// timing is how long things wait; tests have less of it.
type timing struct {
	idle    time.Duration // IDLE is begun anew: RFC 2177 asks for less than 29 minutes
	poll    time.Duration // where there is no IDLE
	lease   time.Duration // of a mailbox, on PostgreSQL
	pause   time.Duration // while no mail can be taken
	first   time.Duration // wait after a failure
	most    time.Duration // wait after many
	refused time.Duration // wait after a refused login
	stuck   time.Duration // wait of a mail that could not be fetched, the first time
	longest time.Duration // and the longest
	settle  time.Duration // wait of mails that could not be moved
	silence time.Duration // of a server that has a command
}

var usual = timing{idle: 5 * time.Minute, poll: time.Minute, lease: 30 * time.Second, pause: 10 * time.Second, first: time.Second,
	most: 5 * time.Minute, refused: time.Minute, stuck: time.Minute, longest: time.Hour, settle: 5 * time.Minute, silence: silence}

func (f *Fetcher) timing() *timing {
	if f.times != nil {
		return f.times
	}
	return &usual
}

func (f *Fetcher) maxMessage() int64 { return f.Receiver.Settings.Load().Limits.MaxMessage }

// Prepare makes the workers. Until one has fetched all that is there, its
// mailbox counts as unreadable.
func (f *Fetcher) Prepare() {
	for _, m := range f.Mailboxes {
		m.Poll = cmp.Or(m.Poll, f.timing().poll)
		f.workers = append(f.workers, &worker{f: f, m: m, log: f.Log.With("mailbox", m.Name), lost: map[uint32]int{}, trouble: "not looked at yet"})
	}
}

// Run fetches until ctx ends. What is in hand then is finished or forgotten,
// and fetched again.
func (f *Fetcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, w := range f.workers {
		wg.Go(func() { w.run(ctx) })
	}
	wg.Wait()
	return nil
}

// Unreadable lists the desks of mailboxes that cannot be read now: an answer
// may lie there.
func (f *Fetcher) Unreadable() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var desks []string
	for _, w := range f.workers {
		if w.trouble == "" {
			continue
		}
		for _, d := range append([]string{w.m.Desk}, w.desks...) {
			if !slices.Contains(desks, d) {
				desks = append(desks, d)
			}
		}
	}
	return desks
}

// UnreadableMailboxes is how many there are.
func (f *Fetcher) UnreadableMailboxes() (n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.workers {
		if w.trouble != "" {
			n++
		}
	}
	return n
}

// paused says that no mail can be taken, for a reason of our own.
type paused struct{ why error }

func (p *paused) Error() string { return "fetching pauses: " + p.why.Error() }
func (p *paused) Unwrap() error { return p.why }

// backoff is how long to wait after n failures in a row, of which err was the
// last: twice as long each time. spread, from 0 to 1, keeps mailboxes of one
// server from coming all at once.
func (t *timing) backoff(err error, n int, spread float64) time.Duration {
	var p *paused
	var login *errLogin
	wait := t.first
	switch {
	case errors.As(err, &p):
		return t.pause
	case errors.As(err, &login):
		wait = t.refused
	}
	wait = min(wait<<min(max(n, 1)-1, 16), t.most)
	return wait - time.Duration(spread*0.2*float64(wait))
}
