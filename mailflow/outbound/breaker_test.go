package outbound

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestBreaker: what fails together counts once, and the first answer of the
// relay, of whatever kind, ends the trouble.
func TestBreaker(t *testing.T) {
	b := breaker{rnd: func() float64 { return 0 }}
	now := time.Now()
	fail := func(epoch int, want time.Duration) {
		t.Helper()
		if got := b.note(isTrouble, epoch, now); got != want {
			t.Errorf("pause of %s, want %s", got, want)
		}
	}
	fail(0, time.Second)
	fail(0, 0)
	fail(0, 0)
	if open, until, probe, epoch := b.look(now); !open || !probe || epoch != 1 || until != now.Add(time.Second) {
		t.Errorf("open %v until %s, probe %v, epoch %d", open, until, probe, epoch)
	}
	fail(1, 2*time.Second)
	fail(0, 0)
	b.note(Result{State: Failed, Reply: "5.1.3 guichet: recipient"}, 2, now) // the relay was not asked
	if _, _, probe, _ := b.look(now); !probe {
		t.Error("closed by our own refusal")
	}
	b.note(isFailed, 2, now)
	if open, _, probe, epoch := b.look(now); open || probe || epoch != 0 {
		t.Errorf("open %v, probe %v, epoch %d after an answer", open, probe, epoch)
	}
	fail(0, time.Second)
}

// TestRelayDown: a day without the relay costs few probes, no row its tries,
// and ends with all sent; also where it lasts longer than five days.
func TestRelayDown(t *testing.T) {
	for _, down := range []time.Duration{24 * time.Hour, 7 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			q, f := newQueue(), &fakeRelay{answer: func(Mail) Result {
				if time.Since(began) < down {
					return isTrouble
				}
				return isSent
			}}
			for i := range 200 {
				q.add(fmt.Sprint(i), began)
			}
			w := &Worker{Queue: q, Relay: f}
			started(t, w)
			after(down - time.Minute)
			if n, limit := f.count(), int(down/(5*time.Minute))+20; n > limit || n < limit/2 {
				t.Errorf("%d probes, limit %d", n, limit)
			}
			for i := range 200 {
				if r := q.row(i); r.item.Tries != 0 || r.state != "" {
					t.Fatalf("row %d: %d tries, %q", r.item.ID, r.item.Tries, r.state)
				}
			}
			if s := w.Status(); s.Trouble != isTrouble.Reply || s.PausedUntil.IsZero() || q.row(0).reply != isTrouble.Reply {
				t.Errorf("%+v, row's reply %q", s, q.row(0).reply)
			}
			after(6*time.Minute + time.Second)
			if s := q.states(); s[Sent] != 200 {
				t.Errorf("%v", s)
			}
			if s := w.Status(); s.Trouble != "" || !s.PausedUntil.IsZero() {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestLineAtTrouble: rows that stand in line when the relay goes are handed
// back instead of being tried one after the other.
func TestLineAtTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		q, f := newQueue(), &fakeRelay{takes: time.Millisecond}
		f.answer = func(Mail) Result {
			if d := time.Since(began); d > 300*time.Millisecond && d < 10*time.Second {
				return isTrouble
			}
			return isSent
		}
		for i := range 3000 {
			q.add(fmt.Sprint(i), began)
		}
		w := &Worker{Queue: q, Relay: f}
		started(t, w)
		after(9 * time.Second)
		asked, taken := f.log()
		if n := len(asked) - len(taken); n > 4+4 || n < 4 {
			t.Errorf("%d tries in 9 s of trouble", n)
		}
		if _, _, batches := q.load(); w.Status().Released < 20 {
			t.Errorf("none in line, leases of %v", batches)
		}
		after(20 * time.Second)
		if s := q.states(); s[Sent] != 3000 {
			t.Errorf("%v", s)
		}
	})
}

// TestPoison: one mail that breaks the relay at MAIL each time does not stand
// before the others.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{answer: func(m Mail) Result {
			if m.To == "r1@b.example" {
				return Result{State: Deferred, Reply: "MAIL: EOF", Trouble: true, Tried: true}
			}
			return isSent
		}}
		for i := range 100 {
			q.add(fmt.Sprint(i), time.Now())
		}
		started(t, &Worker{Queue: q, Relay: f})
		after(10 * time.Second)
		if s := q.states(); s[Sent] != 99 {
			t.Errorf("%v", s)
		}
		after(giveUp + 3*time.Hour)
		if r := q.row(0); r.state != Failed {
			t.Errorf("%+v", r)
		}
	})
}
