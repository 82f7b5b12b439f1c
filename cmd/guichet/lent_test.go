package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

func lentRow(id int64, priority int, created time.Time) mailflow.Lent {
	return mailflow.Lent{Row: store.Outbox{ID: id, Priority: priority, Created: created}}
}

func lentIDs(rows []mailflow.Lent, stale []store.Outbox) string {
	s := ""
	for _, l := range rows {
		s += fmt.Sprint(l.Row.ID, " ")
	}
	for _, o := range stale {
		s += fmt.Sprint("stale ", o.ID, " ")
	}
	return s
}

// Rows are lent only while none wait in the outbox, leave by their urgency,
// and go back when they were not taken in time.
func TestLentRows(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	l := newLentRows()
	lends := func(want bool) {
		t.Helper()
		if _, ok := l.lends(true); ok != want {
			t.Errorf("lends: %v", ok)
		}
	}
	asks := func(at time.Time, want bool) {
		t.Helper()
		if ok := l.mustAsk(at); ok != want {
			t.Errorf("asks: %v", ok)
		}
	}
	lends(false) // who knows what an earlier process left
	asks(now, true)
	l.asked(now, 4, 4) // there may be more
	lends(false)
	asks(now, true)
	l.asked(now, 4, 3)
	lends(true)
	l.add([]mailflow.Lent{lentRow(1, 2, now), lentRow(2, 3, now), lentRow(3, 0, now), lentRow(4, 2, now)})
	asks(now.Add(askEvery-1), false)
	asks(now.Add(askEvery), true)
	l.asked(now, 4, 0)
	if got := lentIDs(l.take(3, now)); got != "3 1 4 " {
		t.Errorf("took %s", got)
	}
	l.waits()
	lends(false)
	asks(now, true)
	l.waits() // while the outbox is asked
	l.asked(now, 4, 0)
	lends(false)
	asks(now, true)
	l.asked(now, 4, 0)
	lends(true)
	l.add([]mailflow.Lent{lentRow(5, 2, now.Add(lentRest))})
	if got := lentIDs(l.take(9, now.Add(lentRest+1))); got != "5 stale 2 " {
		t.Errorf("took %s", got)
	}
	lends(false) // the row that went back
	asks(now, true)
	l.asked(now, 4, 0)
	for i := range lentMost {
		lends(true)
		l.add([]mailflow.Lent{lentRow(int64(i), 2, now)})
	}
	lends(false)
}

// A decision waits for room as long as mails leave. When none does, it waits
// once, and the others do not.
func TestLentPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLentRows()
		l.mustAsk(time.Now())
		l.asked(time.Now(), 4, 0)
		for i := range lentMost {
			l.add([]mailflow.Lent{lentRow(int64(i), 2, time.Now())})
		}
		type answer struct {
			ok   bool
			took time.Duration
		}
		answers := make(chan answer, 9)
		ask := func(urgent bool) {
			go func() {
				began := time.Now()
				_, ok := l.lends(urgent)
				answers <- answer{ok, time.Since(began)}
			}()
			synctest.Wait()
		}
		want := func(ok bool, took time.Duration) {
			t.Helper()
			if got := <-answers; got != (answer{ok, took}) {
				t.Errorf("got %+v, want %v after %s", got, ok, took)
			}
		}
		ask(true)
		want(false, 0)
		ask(false)
		ask(false)
		ask(false)
		<-time.After(lentPatience / 2)
		l.take(4, time.Now()) // room for two decisions
		want(true, lentPatience/2)
		want(true, lentPatience/2)
		want(true, lentPatience) // the two did not use their room
		l.add([]mailflow.Lent{lentRow(0, 2, time.Now()), lentRow(1, 2, time.Now()), lentRow(2, 2, time.Now()), lentRow(3, 2, time.Now())})
		ask(false)
		want(false, lentPatience)
		ask(false)
		want(false, 0) // nothing leaves
		l.take(1, time.Now())
		ask(false)
		want(true, 0)
	})
}
