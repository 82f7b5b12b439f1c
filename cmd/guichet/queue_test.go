package main

import (
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// A lease that is old may be another gateway's by now: it is asked about. A
// young one cannot be.
func TestLeaseIsAskedAbout(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.SQLite(t).URL, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	q := newQueue(db, nil)
	var o store.Outbox
	if err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
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
	if !holds(o.Fence-1, 0) || holds(o.Fence-1, certain) {
		t.Error("a lease of before: asked about while young, or not asked about when old")
	}
}
