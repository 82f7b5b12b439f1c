package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Keys of the log. The verbs are sent, deferred and failed; neither headers,
// bodies nor credentials are ever logged.
const (
	keyRow   = "outbox"
	keyMail  = "mail"
	keyKind  = "kind"
	keyTo    = "to"
	keyTries = "tries"
	keyReply = "reply"
	keyNext  = "next"
	keyErr   = "err"
)

// Worker sends what waits in Queue through Relay. Its fields are set before
// Run and not changed afterwards; a zero field means its default.
type Worker struct {
	Queue Queue
	Relay Relay

	// Connections is how many mails are under way at once. Default 4.
	Connections int
	// Rate is the most mails a minute, retries included. Default 0: no limit.
	Rate int
	// Attempt is the longest that one mail may take: 10 min for the reply to
	// the final dot (RFC 5321 §4.5.3.2.6) and 5 min for all before it.
	// Default 15 min.
	Attempt time.Duration
	// Lease is how long a row stays ours: Attempt and the time it may stand in
	// line here before. A row that stood longer goes back untried.
	// Default Attempt + 5 min.
	Lease time.Duration
	// GiveUp is the age at which a deferred row fails. Default 5 days.
	GiveUp time.Duration
	// Drain is how long mails under way may take to end once Run is told to
	// stop. Default 9 s.
	Drain time.Duration
	// Now is the clock for what is recorded. Default time.Now.
	Now func() time.Time
	// Rand returns numbers in [0,1). Default math/rand/v2's.
	Rand func() float64
	// Log defaults to slog.Default().
	Log *slog.Logger

	once    sync.Once
	breaker breaker
	counts  counts
}

// recordDrain is how long after Drain the last outcomes may take to be stored.
const recordDrain = 3 * time.Second

// maxBatch bounds one lease, in rows.
const maxBatch = 64

// unrecorded is how many outcomes a connection wait for one commit, while as
// many are in it: with half of it the senders of a busy queue wait for the disk.
const unrecorded = 8

func (w *Worker) defaults() {
	w.Connections = cmp.Or(w.Connections, 4)
	w.Attempt = cmp.Or(w.Attempt, 15*time.Minute)
	w.Lease = cmp.Or(w.Lease, w.Attempt+5*time.Minute)
	w.GiveUp = cmp.Or(w.GiveUp, giveUp)
	w.Drain = cmp.Or(w.Drain, 9*time.Second)
	if w.Now == nil {
		w.Now = time.Now
	}
	if w.Rand == nil {
		w.Rand = rand.Float64
	}
	if w.Log == nil {
		w.Log = slog.Default()
	}
	w.breaker.rnd = w.Rand
}

// Run sends until ctx is done. Then it takes no more rows, lets those under way
// end within Drain, hands the untried back as due now, and returns when all
// outcomes are recorded, after Drain and three seconds at the latest. It
// returns an error only if outcomes could not be recorded by then: those rows
// may be sent twice. It is called once; the relay is left open.
func (w *Worker) Run(ctx context.Context) error {
	w.once.Do(w.defaults)
	if w.Queue == nil || w.Relay == nil {
		return errors.New("outbound: worker without queue or relay")
	}
	r := newRun(w)
	// Attempts and records outlive ctx: they end in their own time.
	sending, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	recording, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()

	var preparers, senders, recorder sync.WaitGroup
	recorder.Go(func() { r.record(recording) })
	for range w.Connections {
		preparers.Go(func() { r.prepareRows(ctx, sending) })
		senders.Go(func() { r.send(ctx, sending) })
	}
	r.dispatch(ctx)
	close(r.jobs)

	defer time.AfterFunc(w.Drain, abort).Stop()
	defer time.AfterFunc(w.Drain+recordDrain, cut).Stop()
	preparers.Wait()
	close(r.made)
	senders.Wait()
	close(r.outcomes)
	recorder.Wait()
	return r.lost
}

// run is what one Run works with.
type run struct {
	*Worker
	jobs     chan job      // leased, not yet prepared
	made     chan prepared // not yet tried
	outcomes chan Outcome  // not yet recorded
	// moved is ticked when a row left the line or the worker's hands, or a
	// pause began, so that the dispatcher looks again.
	moved chan struct{}
	late  error        // why an attempt is cut off
	lost  error        // the recorder's last word; read when it has ended
	line  atomic.Int64 // rows leased and not yet under way

	pace  pace
	batch batch

	mu   sync.Mutex
	held int // rows leased and not yet recorded or forgotten
}

// job is a leased row in line.
type job struct {
	item  Item
	until time.Time // the latest start that still fits into the lease
}

func newRun(w *Worker) *run {
	return &run{
		Worker:   w,
		late:     fmt.Errorf("the attempt took longer than %s", w.Attempt),
		jobs:     make(chan job, maxBatch+w.Connections),
		made:     make(chan prepared, w.Connections),
		outcomes: make(chan Outcome, unrecorded*w.Connections),
		moved:    make(chan struct{}, 1),
		pace:     newPace(w.Rate),
		batch:    batch{least: w.Connections, most: max(maxBatch, w.Connections)},
	}
}

// hold changes the number of rows in hand and wakes the dispatcher when some
// left.
func (r *run) hold(n int) {
	r.mu.Lock()
	r.held += n
	r.mu.Unlock()
	if n < 0 {
		tick(r.moved)
	}
}

func (r *run) holding() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

func tick(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
