package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// Gateways that lease, send and hand back at the same time: none gets a row
// that another has, nor one whose lane has an earlier row.
func testLeasesCollide(t *testing.T, c *steps, a, b *store.DB) {
	const lanes, each = 30, 4
	do(t, a, func(tx *store.Tx) error {
		for i := range lanes * each {
			if _, err := tx.AddOutbox(store.Outbox{TicketID: int64(1 + i%lanes), Recipient: "a@x", Kind: "update",
				Due: tx.Now(), Priority: i % 3}); err != nil {
				return err
			}
		}
		return nil
	})
	s := newSentBook()
	var wg sync.WaitGroup
	for i := range 6 {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			for range 100_000 / lanes {
				if !s.left(lanes * each) {
					return
				}
				if err := s.work(t, db); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	same(t, "sent in all", len(s.sent), lanes*each)
}

// sentBook is who has what, as the gateways of a test see it.
type sentBook struct {
	mu     sync.Mutex
	inHand map[string]int64 // lane -> row
	last   map[string]int64 // lane -> the row sent last
	sent   map[int64]bool
}

func newSentBook() *sentBook {
	return &sentBook{inHand: map[string]int64{}, last: map[string]int64{}, sent: map[int64]bool{}}
}

func (s *sentBook) left(all int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent) < all
}

// work leases a few rows, notes what is wrong with them, and finishes them:
// most are sent, the others go back.
func (s *sentBook) work(t testing.TB, db *store.DB) error {
	var rows []store.Outbox
	err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
		if _, err = tx.ReclaimOutbox(); err == nil {
			rows, err = tx.LeaseOutbox(5, leaseTTL)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(rows) > 5 {
		return fmt.Errorf("asked for 5 rows, got %d", len(rows))
	}
	for _, o := range rows {
		s.take(t, o)
	}
	for _, o := range rows {
		o.State = store.Sent
		if o.Tries == 0 && o.ID%5 == 0 {
			o.State, o.Tries = store.Queued, 1
		}
		s.give(o) // before: once it is committed another may take it
		ok := false
		if err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
			ok, err = tx.FinishOutbox(o)
			return err
		}); err != nil || !ok {
			return fmt.Errorf("finish row %d: %v, %w", o.ID, ok, err)
		}
	}
	return nil
}

func (s *sentBook) take(t testing.TB, o store.Outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.inHand[o.Lane()]; other != 0 {
		t.Errorf("row %d was leased while %d of its lane was in hand", o.ID, other)
	}
	if s.last[o.Lane()] > o.ID || s.sent[o.ID] {
		t.Errorf("row %d was leased after %d had been sent", o.ID, s.last[o.Lane()])
	}
	s.inHand[o.Lane()] = o.ID
}

func (s *sentBook) give(o store.Outbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inHand, o.Lane())
	if o.State == store.Sent {
		s.sent[o.ID], s.last[o.Lane()] = true, o.ID
	}
}

// alive is a sign of life of gateways.
func alive(t testing.TB, nodes ...*store.DB) {
	t.Helper()
	for _, db := range nodes {
		if err := db.RenewNode(); err != nil {
			t.Fatal(err)
		}
	}
}

// A gateway that gave no sign of life, such as one that the database was away
// from, gets no rows: another would take them at once, and both would send.
func TestLeaseNeedsALiveNode(t *testing.T) {
	t.Parallel()
	c, a, b := twoNodes(t, storetest.Postgres(t))
	queue(t, a, store.Outbox{TicketID: 1, Recipient: "a@x"}, 0)
	c.add(25 * time.Second)
	same(t, "less than LeaseCertain is left", len(lease(t, a, 1)), 0)
	c.add(10 * time.Second)
	same(t, "nothing is left", len(lease(t, a, 1)), 0)
	alive(t, a)
	same(t, "after a sign", len(lease(t, a, 1)), 1)
	same(t, "nobody takes it", reclaim(t, b), 0)
}

// The rows of a gateway that ended do not wait for their lease's end.
func TestReclaimFromDeadNode(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	c, a, b := twoNodes(t, d)
	third := node(d, c, "third")
	var ids []int64
	for i := range 3 {
		ids = append(ids, queue(t, a, store.Outbox{TicketID: int64(i + 1), Recipient: "a@x"}, 0))
	}
	long := func(db *store.DB) store.Outbox {
		t.Helper()
		return in(t, db, func(tx *store.Tx) ([]store.Outbox, error) { return tx.LeaseOutbox(1, 20*time.Minute) })[0]
	}
	old, own, others := long(a), long(b), long(third)
	same(t, "all live", reclaim(t, b), 0)
	c.add(25 * time.Second)
	alive(t, b, third)
	same(t, "all live still", reclaim(t, b), 0)
	c.add(5 * time.Second)
	same(t, "seen", in(t, b, (*store.Tx).HasLapsed), true)
	same(t, "a is dead", reclaim(t, b), 1)
	same(t, "seen no more", in(t, b, (*store.Tx).HasLapsed), false)
	same(t, "its row", outboxIDs(lease(t, b, 9)), []int64{old.ID})
	same(t, "a wakes up", finish(t, a, old, store.Sent), false)
	same(t, "the third has its own", finish(t, third, others, store.Sent), true)
	third.Close()
	c.add(time.Minute)
	same(t, "its own, though it looks dead itself", finish(t, b, own, store.Sent), true)

	queue(t, a, store.Outbox{TicketID: 9, Recipient: "a@x"}, 0)
	fourth := node(d, c, "fourth")
	long(fourth)
	same(t, "alive", reclaim(t, b), 1) // what b itself had leased ran out
	fourth.Close()
	same(t, "a gateway that ended in order", reclaim(t, b), 1)
	same(t, "ids", len(ids), 3)
}
