package mailflow

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

const (
	// leaseTTL is how long a delivery stays with a gateway that does not
	// answer any more. Leases are renewed at a third of it.
	leaseTTL = time.Minute
	// inHand bounds the deliveries that one gateway has in hand.
	inHand = 256
	// leastClaim is for how many there must be room before more are claimed: a
	// claim walks over all that are in hand.
	leastClaim = 32
	// deciders is how many deliveries are decided at once: on SQLite they
	// share a commit. On PostgreSQL each takes one of 16 connections, and half
	// are left to those who accept and send.
	deciders         = 64
	decidersPostgres = 8
	// readBudget bounds the raw bytes being read at once.
	readBudget = 96 << 20
	// aloneTries is how often the process may end while a delivery was alone
	// in hand. One more is counted at its arrival.
	aloneTries = 3
)

// job is one delivery on its way through the stages.
type job struct {
	d    store.Delivery
	in   *incoming
	err  error
	read chan struct{} // closed once in or err is set
}

// thread is equal for all mails of one thread; what could not be read is a
// thread of its own.
func (j *job) thread() string {
	if j.in == nil {
		return strconv.FormatInt(j.d.ID, 10)
	}
	return j.in.root()
}

// Run takes deliveries through the stages until ctx ends. What was in hand
// when an earlier process ended is retried first, one at a time.
func (f *Flow) Run(ctx context.Context) error {
	p := &pipeline{f: f, budget: semaphore.NewWeighted(readBudget), slots: semaphore.NewWeighted(inHand),
		reads: make(chan *job, inHand), order: make(chan *job, inHand), line: newLine()}
	p.start()
	defer p.stop()
	renew := time.NewTicker(leaseTTL / 3)
	defer renew.Stop()
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	p.alone(ctx)
	for ctx.Err() == nil {
		n, err := p.claim(ctx)
		if err != nil && ctx.Err() == nil {
			f.Log.Error("claim deliveries", "err", err)
		}
		if err == nil && n > 0 {
			select {
			case <-renew.C:
				p.renew(ctx)
			default:
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-poll.C:
			if f.hasSuspects(ctx) {
				p.alone(ctx)
			}
		case <-renew.C:
			p.renew(ctx)
		}
	}
	return nil
}

// renew prolongs the leases of what is in hand, and of nothing else: what a
// fault has let slip is found again as a suspect.
func (p *pipeline) renew(ctx context.Context) {
	p.f.update(ctx, "renew leases", func(tx *store.Tx) (err error) {
		p.inHand.Range(func(id, _ any) bool {
			err = tx.RenewDelivery(id.(int64), leaseTTL)
			return err == nil
		})
		return err
	})
	p.alone(ctx)
}

// hasSuspects looks, without writing, whether a gateway has ended that had
// mails in hand.
func (f *Flow) hasSuspects(ctx context.Context) (has bool) {
	_ = f.DB.View(ctx, func(tx *store.Tx) (err error) {
		has, err = tx.HasSuspects()
		return err
	})
	return has
}

// pipeline is the machinery between the claim and the decision.
type pipeline struct {
	f      *Flow
	budget *semaphore.Weighted // bytes being read
	slots  *semaphore.Weighted // deliveries in hand
	reads  chan *job           // to any reader
	order  chan *job           // the same jobs, in journal order
	line   *line
	inHand sync.Map // delivery ids
	doubt  []int64  // claimed in a commit whose outcome is not known
	wg     sync.WaitGroup
}

func (p *pipeline) start() {
	for range runtime.GOMAXPROCS(0) {
		p.wg.Go(func() {
			for j := range p.reads {
				p.read(j)
			}
		})
	}
	n := deciders
	if p.f.DB.Engine() == "postgres" {
		n = decidersPostgres
	}
	for range n {
		p.wg.Go(func() {
			for j := p.line.take(); j != nil; j = p.line.take() {
				p.f.settle(j)
				p.line.done(j)
				p.inHand.Delete(j.d.ID)
				p.slots.Release(1)
			}
		})
	}
	p.wg.Go(func() {
		for j := range p.order {
			<-j.read
			p.line.put(j)
		}
		p.line.close()
	})
}

// stop lets what is in hand finish.
func (p *pipeline) stop() {
	close(p.reads)
	close(p.order)
	p.wg.Wait()
}

// claim takes new deliveries into hand and says how many.
func (p *pipeline) claim(ctx context.Context) (int, error) {
	if err := p.slots.Acquire(ctx, leastClaim); err != nil {
		return 0, nil
	}
	n := leastClaim
	for n < 64 && p.slots.TryAcquire(1) {
		n++
	}
	ds, err := p.f.claim(ctx, n, p.doubt)
	if err != nil {
		if errors.Is(err, store.ErrUnknownOutcome) {
			for _, d := range ds {
				p.doubt = append(p.doubt, d.ID)
			}
		}
		p.slots.Release(int64(n))
		return 0, err
	}
	p.doubt = nil
	p.slots.Release(int64(n - len(ds)))
	for _, d := range ds {
		j := &job{d: d, read: make(chan struct{})}
		p.inHand.Store(d.ID, nil)
		p.reads <- j
		p.order <- j
	}
	return len(ds), nil
}

// claim leases up to n deliveries, in the order of their processing, and
// gives back those of doubt.
func (f *Flow) claim(ctx context.Context, n int, doubt []int64) (ds []store.Delivery, err error) {
	err = f.DB.Update(store.Urgent(ctx), "claim", func(tx *store.Tx) (err error) {
		for _, id := range doubt {
			if err := tx.ReleaseDelivery(id); err != nil {
				return err
			}
		}
		ds, err = tx.ClaimDeliveries(n, leaseTTL)
		return err
	})
	sortDeliveries(ds)
	return ds, err
}

// alone retries deliveries that were in hand when a process ended: nothing
// else is in hand meanwhile, so that the one that ends the process is found.
// The attempt is committed first.
func (p *pipeline) alone(ctx context.Context) {
	var suspects []store.Delivery
	if !p.f.update(ctx, "find suspects", func(tx *store.Tx) (err error) {
		suspects, err = tx.Suspects(inHand)
		return err
	}) || len(suspects) == 0 {
		return
	}
	if p.slots.Acquire(ctx, inHand) != nil {
		return
	}
	defer p.slots.Release(inHand)
	for _, d := range suspects {
		var mine bool
		if !p.f.update(ctx, "retry alone", func(tx *store.Tx) (err error) {
			mine, err = tx.RetryAlone(d.ID, leaseTTL)
			return err
		}) || !mine {
			continue
		}
		j := &job{d: d, read: make(chan struct{})}
		if d.Attempts > aloneTries {
			j.err = &stopped{"read", "the process ended three times while this mail was alone in hand"}
		} else {
			p.read(j)
		}
		p.f.settle(j)
	}
}

// read is stages 2 and 3, on any core.
func (p *pipeline) read(j *job) {
	if j.read != nil {
		defer close(j.read)
	}
	weight := int64(1 << 20)
	ctx := context.Background()
	raw, size, err := p.f.small(ctx, j.d.RawID)
	if err == nil {
		weight = min(max(size, weight), readBudget)
	}
	if err := p.budget.Acquire(ctx, weight); err != nil {
		j.err = err
		return
	}
	defer p.budget.Release(weight)
	for try := 0; ; try++ {
		// Trouble of the store says nothing about the mail: it is waited out.
		if j.in, j.err = p.f.readSafely(ctx, j.d, raw); !store.IsTrouble(j.err) {
			return
		}
		p.f.Log.Error("read", KeyMail, j.d.ID, "err", j.err)
		if !p.f.pause(try) {
			return
		}
	}
}

// stopped is the error of a mail that cannot go on: it is held with the
// stage and the reason until somebody acts.
type stopped struct{ stage, reason string }

func (s *stopped) Error() string { return s.stage + ": " + s.reason }

// settle is stages 4 to 8: one transaction that decides, or else the delivery
// is held. Trouble of the store is waited out, since it says nothing about
// the mail.
func (f *Flow) settle(j *job) {
	for try := 0; ; try++ {
		err := j.err
		if err == nil {
			err = f.decide(j)
		}
		if err == nil {
			f.Count.Processed.Add(1)
			return
		}
		var stop *stopped
		var panicked *store.PanicError
		var refused ticket.Refused
		switch {
		case errors.As(err, &stop):
		case errors.As(err, &refused):
			stop = &stopped{"apply", refused.Error()}
		case errors.As(err, &panicked):
			stop = &stopped{"decide", "the program failed: " + firstLine(panicked.Error())}
		case try < 3 || store.IsTrouble(err):
			f.Log.Error("decide", KeyMail, j.d.ID, "err", err)
			if !f.pause(try) {
				return
			}
			continue
		default:
			stop = &stopped{"decide", err.Error()}
		}
		f.hold(j, stop)
		return
	}
}

// hold keeps a delivery with its reason.
func (f *Flow) hold(j *job, stop *stopped) {
	d := j.d
	d.State, d.Stop, d.Reason = store.DeliveryHeld, stop.stage, stop.reason
	if j.in != nil {
		j.in.describe(&d)
	}
	if f.update(context.Background(), "hold", func(tx *store.Tx) error {
		mine, err := tx.HasDelivery(d.ID)
		if err != nil || !mine {
			return err
		}
		return tx.FinishDelivery(d)
	}) {
		f.Count.Held.Add(1)
		f.Log.Warn("held", KeyMail, d.ID, "stop", d.Stop, "reason", d.Reason,
			"do", fmt.Sprintf("guichet held show %d", d.ID))
	}
}

// update runs one transaction and logs its failure; it says whether it was
// done.
func (f *Flow) update(ctx context.Context, what string, fn func(*store.Tx) error) bool {
	err := f.DB.Update(ctx, what, fn)
	if err != nil && ctx.Err() == nil {
		f.Log.Error(what, "err", err)
	}
	return err == nil
}

// pause waits before the next try: a second at first, half a minute at most.
// It says false once the store has failed for good.
func (f *Flow) pause(try int) bool {
	wait := time.NewTimer(min(time.Second<<min(try, 5), 30*time.Second))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-f.DB.Failed():
		return false
	}
}

// small returns the bytes of a small mail, of another its size.
func (f *Flow) small(ctx context.Context, id int64) (raw []byte, size int64, err error) {
	if raw = f.DB.TakeRecent(id); raw != nil {
		return raw, 0, nil
	}
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		size, raw, err = tx.RawHead(id)
		return err
	})
	return raw, size, err
}

// parse reads the bytes of a mail, or of the beginning of one that is cut,
// within Limits.ReadTimeout. A mail that no limit of the reader stops in time
// is held, its reading goes on and is forgotten.
func (f *Flow) parse(raw []byte, cut bool) (*rfc822.Mail, error) {
	read := rfc822.Parse
	if cut {
		read = rfc822.ParseCut
	}
	type result struct {
		m   *rfc822.Mail
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{nil, &stopped{"read", fmt.Sprintf("the program failed: %v", p)}}
			}
		}()
		done <- result{read(raw), nil}
	}()
	limit := f.Settings.Load().Limits.ReadTimeout
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.m, r.err
	case <-timer.C:
		return nil, &stopped{"read", fmt.Sprintf("reading took more than %s", limit)}
	}
}
