package outbound

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestStop: what is under way ends, what is in line goes back untried and due
// now, and nothing is sent after.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{takes: 3 * time.Second}
		for i := range 100 {
			q.add(fmt.Sprint(i), time.Now())
		}
		stop := started(t, &Worker{Queue: q, Relay: f})
		after(time.Second)
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d != 2*time.Second {
			t.Errorf("stopped after %s", d)
		}
		if s := q.states(); s[Sent] != 4 || s[""] != 96 || len(f.asked) != 4 {
			t.Errorf("%v, asked %d", s, len(f.asked))
		}
		for _, r := range q.rows {
			if r.state == Sent {
				continue
			}
			if r.item.Tries != 0 || !r.leased.IsZero() || r.due.After(time.Now()) || r.reply != "" {
				t.Fatalf("row %+v is not back", r)
			}
		}
	})
}

// TestStopHanging: a mail that does not end is cut off after Drain and goes
// back untried; with a store that hangs too, Run still ends in 15 s.
func TestStopHanging(t *testing.T) {
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			q, f := newQueue(), &fakeRelay{takes: time.Hour}
			if broken {
				q.recordErr = func([]Outcome) error { return errStore }
			}
			for i := range 20 {
				q.add(fmt.Sprint(i), time.Now())
			}
			stop := started(t, &Worker{Queue: q, Relay: f})
			after(time.Second)
			began := time.Now()
			err := stop()
			if d := time.Since(began); d > 13*time.Second || (err != nil) != broken {
				t.Errorf("broken %v: %v after %s", broken, err, d)
			}
			cut := 0
			for _, r := range q.rows {
				if r.reply == "cut off" && r.item.Tries == 0 && r.leased.IsZero() {
					cut++
				}
			}
			if !broken && cut != 4 {
				t.Errorf("%d mails were cut off and went back, want one a connection", cut)
			}
		})
	}
}

// TestLongAttempt: an attempt ends before its lease does, and a row that stood
// in line too long is not begun.
func TestLongAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{takes: 24 * time.Hour}
		for i := range 6 {
			q.add(fmt.Sprint(i), time.Now())
		}
		started(t, &Worker{Queue: q, Relay: f, Connections: 2})
		after(15*time.Minute + time.Second)
		begun := 0 // in no order: mails are made side by side
		for i := range 6 {
			switch r := q.row(i); {
			case r.item.Tries == 1 && r.reply == "cut off" && r.leased.IsZero():
				begun++
			case r.item.Tries != 0:
				t.Errorf("row %+v", r)
			}
		}
		if begun != 2 {
			t.Errorf("%d were begun, want one a connection: the others stood in line too long", begun)
		}
		history := q.told()
		if len(history) < 3 {
			t.Errorf("none handed back: %v", history)
		}
	})
}

// TestCrash: the relay took the mail, the 250 was not recorded, and the next
// worker sends the same bytes again (the one window for duplicates).
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, f := newQueue(), &fakeRelay{}
		q.add("a", time.Now())
		q.recordErr = func([]Outcome) error { return errStore }
		stop := started(t, &Worker{Queue: q, Relay: f})
		after(time.Second)
		if stop() == nil {
			t.Error("Run hides that an outcome is lost")
		}
		q.recordErr = nil // Run has ended
		started(t, &Worker{Queue: q, Relay: f})
		after(20 * time.Minute)
		_, taken := f.log()
		if s := q.states(); s[Sent] != 1 || len(taken) != 2 {
			t.Fatalf("%v, taken %d", s, len(taken))
		}
		if a, b := taken[0], taken[1]; !bytes.Equal(a.Header, b.Header) || !bytes.Equal(a.Body, b.Body) {
			t.Error("the two copies differ")
		}
	})
}

// TestLog: the verbs, and neither mail nor credentials.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := slog.New(slog.NewTextHandler(&b, nil))
		q, f := newQueue(), &fakeRelay{answer: func(m Mail) Result {
			return map[string]Result{"r1@b.example": isSent, "r2@b.example": isLater, "r3@b.example": isFailed, "r4@b.example": isTrouble}[m.To]
		}}
		for i := range 4 {
			q.add(fmt.Sprint(i), time.Now())
		}
		stop := started(t, &Worker{Queue: q, Relay: f, Log: log, Connections: 1})
		after(500 * time.Millisecond)
		stop()
		got := b.String()
		for _, want := range []string{"msg=sent mail=0 outbox=1 kind=update to=r1@b.example tries=1", "msg=deferred mail=0 outbox=2", "msg=failed mail=0 outbox=3", "msg=deferred all=true"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if strings.Contains(got, "Hello") || strings.Contains(got, "X-Row") || strings.Count(got, "\n") != 4 {
			t.Errorf("log\n%s", got)
		}
	})
}

// TestLanes: whatever the relay answers, the mails of one lane leave in their
// order, each is taken exactly once, and none is lost.
func TestLanes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lanes := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(rt, "lanes")
		plan := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(rt, "answers")
		conns := rapid.IntRange(1, 6).Draw(rt, "connections")
		rate := rapid.SampledFrom([]int{0, 0, 600}).Draw(rt, "rate")
		synctest.Test(t, func(t *testing.T) { laneRun(t, rt, lanes, plan, conns, rate) })
	})
}

func laneRun(t *testing.T, rt *rapid.T, lanes, plan []int, conns, rate int) {
	q, f := newQueue(), &fakeRelay{takes: 50 * time.Millisecond}
	asked := 0
	f.answer = func(m Mail) Result {
		f.mu.Lock()
		defer f.mu.Unlock()
		asked++
		if asked > len(plan) {
			return isSent
		}
		switch plan[asked-1] {
		case 0, 1:
			return isLater
		case 2:
			return isTrouble
		case 3:
			return Result{State: Deferred, Trouble: true, Tried: true, Reply: "421 bye"}
		case 4:
			return isFailed
		}
		return isSent
	}
	for _, l := range lanes {
		q.add(fmt.Sprint(l), time.Now())
	}
	stop := started(t, &Worker{Queue: q, Relay: f, Connections: conns, Rate: rate})
	for range 100 {
		if after(time.Hour); q.states()[""] == 0 {
			break
		}
	}
	stop()
	if s := q.states(); s[""] != 0 || s[Sent] != len(f.taken) {
		rt.Fatalf("%v, taken %d", s, len(f.taken))
	}
	last := map[string]string{}
	for _, m := range f.taken {
		lane, row := field(m.Header, "X-Lane"), fmt.Sprintf("%03s", field(m.Header, "X-Row"))
		if row <= last[lane] {
			rt.Fatalf("lane %s: row %s after %s", lane, row, last[lane])
		}
		last[lane] = row
	}
}
