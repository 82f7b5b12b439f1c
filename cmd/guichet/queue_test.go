package main

import (
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/store"
	"guichet/store/storetest"
)

// openQueue is a queue on a store of its own.
func openQueue(t *testing.T, now func() time.Time) *queue {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.SQLite(t).URL, store.Options{Create: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return newQueue(db, nil)
}

// Rows that were leased as they were added and not taken in time are with
// nobody until the outbox is asked again: it is asked at once.
func TestStaleRowsAreAskedFor(t *testing.T) {
	late := time.Now().Add(-2 * lentRest)
	q := openQueue(t, func() time.Time { return late })
	var o store.Outbox
	if err := q.db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
		o, err = tx.AddLeasedOutbox(store.Outbox{Desk: "support", Party: -1, Recipient: "ada@customer.example", Kind: "update", Due: tx.Now()}, lentFor)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	q.take([]mailflow.Lent{{Row: o}})
	<-q.Wake()
	lease := func() int {
		t.Helper()
		items, err := q.Lease(t.Context(), 4, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return len(items)
	}
	if n := lease(); n != 0 {
		t.Errorf("%d rows that had waited for too long", n)
	}
	select {
	case <-q.Wake():
	default:
		t.Error("nobody is told that rows wait")
	}
	if n := lease(); n != 1 {
		t.Errorf("%d rows after that, want 1", n)
	}
}

// A lease that is old may be another gateway's by now: it is asked about. A
// young one cannot be.
func TestLeaseIsAskedAbout(t *testing.T) {
	q := openQueue(t, time.Now)
	var o store.Outbox
	if err := q.db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
		if _, err = tx.AddOutbox(store.Outbox{Desk: "support", Party: -1, Recipient: "ada@customer.example", Kind: "update", Due: tx.Now()}); err != nil {
			return err
		}
		rows, err := tx.LeaseOutbox(1, time.Minute)
		o = rows[0]
		return err
	}); err != nil {
		t.Fatal(err)
	}
	holds := func(fence int64, age time.Duration) bool {
		t.Helper()
		o := o
		o.Fence = fence
		l := inHand{since: time.Now().Add(-age)}
		l.Row = o
		ours, err := q.holds(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		return ours
	}
	if !holds(o.Fence, 0) || !holds(o.Fence, time.Minute) {
		t.Error("its own lease is not found")
	}
	if !holds(o.Fence-1, 0) || holds(o.Fence-1, store.LeaseCertain) {
		t.Error("a lease of before: asked about while young, or not asked about when old")
	}
}
