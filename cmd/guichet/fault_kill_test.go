package main

import (
	"syscall"
	"testing"
	"time"

	"guichet/store/storetest"
)

// TestFaultKilled is F1: the gateway is killed without a word while eight
// senders write. Every other kill comes 20 to 500 ms after the start, so that
// many hit the start itself and its recovery; the others as long after the
// first listener opened.
func TestFaultKilled(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killed(t, storetest.SQLite(t), rounds(100, 1000))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killed(t, storetest.Postgres(t), rounds(50, 200))
	})
}

// TestKilledShortly is ten rounds of F1 that make race plays, too: F16, since
// there the gateway is built with the race detector.
func TestKilledShortly(t *testing.T) {
	t.Parallel()
	killed(t, storetest.SQLite(t), 10)
}

func killed(t *testing.T, d *storetest.Database, rounds int) {
	rnd, seed := chance(t)
	begun := time.Now()
	s := newService(t, d.URL)
	s.serve()
	l := startLoad(t, 8, 40*time.Millisecond, seed, s.sink, func(int) string { return s.address("smtp") })
	var kills []time.Time
	early := 0
	for round := range rounds {
		s.until("the gateway is started again", func() bool { n, _ := s.started(); return n > round })
		_, at := s.started()
		if round%2 == 1 {
			s.ready()
			at = time.Now()
		}
		rest(time.Until(at.Add(20*time.Millisecond+time.Duration(rnd.Int64N(int64(480*time.Millisecond))))), nil)
		if s.address("smtp") == "" {
			early++
		}
		s.signal(syscall.SIGKILL)
		kills = append(kills, time.Now())
	}
	l.finish()
	o := askOracle(s, d.URL, l.letters, kills)
	for i, end := range s.died() {
		if end.by != syscall.SIGKILL {
			t.Errorf("end %d was no kill: %+v", i+1, end)
		}
	}
	figures(t, "F1 %s rounds=%d while_starting=%d %s cut=%d refused_4xx=%d refused_5xx=%d slowest_start_ms=%d seed=%d took=%s", d.Engine, rounds, early,
		o.line(), l.cut, l.refused[4], l.refused[5], s.slowest.Milliseconds(), seed, time.Since(begun).Round(time.Second))
}
