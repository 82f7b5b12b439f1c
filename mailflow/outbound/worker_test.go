package outbound

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// started runs a worker in a bubble; stop ends it and returns Run's error.
func started(t *testing.T, w *Worker) (stop func() error) {
	t.Helper()
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	if w.Rand == nil {
		w.Rand = func() float64 { return 0 }
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- w.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error { once.Do(func() { cancel(); err = <-end }); return err }
	t.Cleanup(func() { stop() })
	return stop
}

// after lets d pass in a bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestSendsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{takes: 10 * time.Millisecond}
		q.commit = 20 * time.Millisecond
		w := &Worker{Queue: q, Relay: f}
		for i := range 500 {
			q.add(fmt.Sprint(i), time.Now())
		}
		stop := started(t, w)
		after(5 * time.Second)
		if s := q.states(); s[Sent] != 500 {
			t.Errorf("%v", s)
		}
		leases, records, _ := q.load()
		if records > 200 || leases > 70 {
			t.Errorf("%d records, %d leases for 500 mails", records, leases)
		}
		q.add("late", time.Now())
		after(50 * time.Millisecond)
		if s := q.states(); s[Sent] != 501 {
			t.Errorf("a new row waits: %v", s)
		}
		if got := w.Status(); got != (Status{Sent: 501}) {
			t.Errorf("%+v", got)
		}
		before, _, _ := q.load()
		after(time.Hour)
		if now, _, _ := q.load(); now-before > 61 {
			t.Errorf("%d leases in an idle hour", now-before)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if f.top != 4 || len(f.taken) != 501 {
			t.Errorf("%d at once, want 4; %d taken", f.top, len(f.taken))
		}
	})
}

// TestUrgent: where the relay is slow, an agent's words do not wait behind a
// long line.
func TestUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{takes: time.Second}
		for i := range 300 {
			q.add(fmt.Sprint(i), time.Now())
		}
		started(t, &Worker{Queue: q, Relay: f})
		after(10*time.Second + 500*time.Millisecond)
		q.add("agent", time.Now(), true)
		after(5 * time.Second)
		if q.row(300).state != Sent {
			_, _, batches := q.load()
			t.Errorf("not sent after 5 s; leases of %v", batches)
		}
	})
}

// TestSchedule follows one row: retries by its own schedule, then given up at
// five days; and one that is older already.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{answer: func(Mail) Result { return isLater }}
		w := &Worker{Queue: q, Relay: f}
		began := time.Now()
		q.add("a", began)
		started(t, w)
		after(giveUp + 3*time.Hour) // three times the longest gap
		row := q.row(0)
		asked, _ := f.log()
		var gaps []string
		for i := 1; i < 9; i++ {
			gaps = append(gaps, asked[i].Sub(asked[i-1]).String())
		}
		if got := strings.Join(gaps, " "); got != "1m0s 2m0s 4m0s 8m0s 16m0s 32m0s 1h0m0s 1h0m0s" {
			t.Errorf("gaps %s", got)
		}
		if last := asked[len(asked)-1].Sub(began); row.state != Failed || last != giveUp {
			t.Errorf("%s, last asked after %s", row.state, last)
		}
		if row.reply != "guichet: given up after 5 days; last: 450 4.2.0 later" || row.item.Tries != len(asked) {
			t.Errorf("%q, %d tries of %d", row.reply, row.item.Tries, len(asked))
		}
		if s := w.Status(); s.Failed != 1 || s.Deferred != int64(len(asked)-1) {
			t.Errorf("%+v", s)
		}
		n := f.count()
		q.add("b", began)
		after(time.Minute)
		if s := q.row(1).state; s != Failed || f.count() != n+1 {
			t.Errorf("an old row: %s after %d tries", s, f.count()-n)
		}
	})
}

func TestPermanent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{answer: func(m Mail) Result {
			if m.To == "r1@b.example" {
				return isFailed
			}
			return isSent
		}}
		q.add("lane", time.Now())
		q.add("lane", time.Now())
		started(t, &Worker{Queue: q, Relay: f})
		after(time.Second)
		if a, b := q.row(0), q.row(1); a.state != Failed || a.reply != isFailed.Reply || b.state != Sent || f.count() != 2 {
			t.Errorf("%+v %+v, asked %d", a, b, f.count())
		}
	})
}

// TestRate: never more than the rate in any minute, and close to it.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{takes: 700 * time.Millisecond}
		began := time.Now()
		for i := range 300 {
			q.add(fmt.Sprint(i), began)
		}
		started(t, &Worker{Queue: q, Relay: f, Rate: 60})
		after(5*time.Minute + 2*time.Second)
		if s := q.states(); s[Sent] != 300 {
			t.Errorf("%v", s)
		}
		asked, _ := f.log()
		for i := 60; i < len(asked); i++ {
			if d := asked[i].Sub(asked[i-60]); d < time.Minute {
				t.Fatalf("61 mails within %s", d)
			}
		}
	})
}

// TestPrepare: a row that is gone is left alone, one that can't be made
// is put off, one that panics too; the others go.
func TestPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{answer: func(m Mail) Result {
			if m.To == "r4@b.example" {
				panic("in the relay")
			}
			return isSent
		}}
		q.prepareErr = func(it Item) error {
			switch it.ID {
			case 1:
				return fmt.Errorf("row 1: %w", ErrGone)
			case 2:
				return errStore
			case 3:
				panic("poison")
			}
			return nil
		}
		for i := range 5 {
			q.add(fmt.Sprint(i), time.Now())
		}
		w := &Worker{Queue: q, Relay: f}
		started(t, w)
		after(10 * time.Second)
		if got := w.Status(); got != (Status{Sent: 1, Gone: 1, Deferred: 3}) {
			t.Errorf("%+v", got)
		}
		for _, o := range q.told() {
			if o.Item.ID == 1 || o.Item.ID < 5 && (o.State != Deferred || o.Tries != 1 || o.Next.Sub(o.Item.Created) < 45*time.Second) {
				t.Errorf("%+v", o)
			}
		}
	})
}

// TestNotNow: trouble of the queue costs no row a try, nor a minute.
// A mail that was made and not taken goes back with its outcome, but for a large
// one, which is stored, and for one whose bytes were let go: of nothing a mail
// without a header would be kept.
func TestOutcomeHasMail(t *testing.T) {
	small, large := Mail{Header: []byte("h"), Body: make([]byte, keepPrepared)}, Mail{Header: []byte("h"), Body: make([]byte, keepPrepared+1)}
	for _, state := range []State{Deferred, Failed} {
		if out := (Outcome{State: state}).with(small); out.Mail == nil || len(out.Mail.Body) != keepPrepared {
			t.Errorf("%s: the mail is not kept", state)
		}
		if (Outcome{State: state}).with(large).Mail != nil || (Outcome{State: state}).with(Mail{}).Mail != nil {
			t.Errorf("%s: a large mail, or none, is kept", state)
		}
	}
	if (Outcome{State: Sent}).with(small).Mail != nil {
		t.Error("a mail that was taken is kept")
	}
}

func TestNotNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{}
		begun := time.Now()
		q.prepareErr = func(Item) error {
			if time.Since(begun) < 5*time.Second {
				return fmt.Errorf("the store: %w", ErrNotNow)
			}
			return nil
		}
		q.add("a", begun)
		w := &Worker{Queue: q, Relay: f}
		started(t, w)
		after(7 * time.Second)
		told := q.told()
		if s := q.states(); s[Sent] != 1 || len(told) != 4 {
			t.Errorf("%v after %d outcomes", s, len(told))
		}
		for _, o := range told[:len(told)-1] {
			if o.State != Deferred || o.Tries != 0 {
				t.Errorf("%+v", o)
			}
		}
	})
}

// TestStoreFaults: outcomes are kept until they can be recorded, sending stops
// meanwhile, and one that the store refuses does not hold up the others.
func TestStoreFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{}
		broken := true
		q.recordErr = func(outs []Outcome) error {
			for _, o := range outs {
				if broken || o.Item.ID == 7 {
					return errStore
				}
			}
			return nil
		}
		for i := range 100 {
			q.add(fmt.Sprint(i), time.Now())
		}
		stop := started(t, &Worker{Queue: q, Relay: f, Lease: time.Hour})
		after(5 * time.Second)
		// A group that could not be stored, a full channel, and one in hand for
		// each connection.
		if n := f.count(); n > (2*unrecorded+1)*4 {
			t.Errorf("%d sent while nothing could be recorded", n)
		}
		q.mu.Lock()
		broken = false
		q.mu.Unlock()
		after(10 * time.Second)
		if s := q.states(); s[Sent] != 99 {
			t.Errorf("%v", s)
		}
		stopErr := stop()
		// Row 7 is never recorded: it is the only one lost, and Run says so.
		if stopErr == nil || !strings.Contains(stopErr.Error(), "record 1 outcomes") {
			t.Errorf("Run: %v", stopErr)
		}
		seen := map[int64]int{}
		for _, o := range q.told() {
			if seen[o.Item.ID]++; seen[o.Item.ID] > 1 && o.State == Sent {
				t.Errorf("row %d recorded twice", o.Item.ID)
			}
		}
	})
}

func TestLeaseFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{}
		q.leaseErr = errStore
		q.add("a", time.Now())
		started(t, &Worker{Queue: q, Relay: f})
		for range 600 {
			tick(q.wake)
			after(time.Second)
		}
		if n, _, _ := q.load(); n > 40 {
			t.Errorf("%d leases of a broken store in 10 min", n)
		}
		q.mu.Lock()
		q.leaseErr = nil
		q.mu.Unlock()
		after(31 * time.Second)
		if s := q.states(); s[Sent] != 1 {
			t.Errorf("%v", s)
		}
	})
}
