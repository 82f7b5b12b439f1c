package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

func claim(t testing.TB, db *store.DB, n int, ttl time.Duration) []store.Delivery {
	t.Helper()
	return in(t, db, func(tx *store.Tx) ([]store.Delivery, error) { return tx.ClaimDeliveries(n, ttl) })
}

// claimed lists, sorted, what was claimed: only which rows come is promised.
func claimed(t testing.TB, db *store.DB, n int) []int64 {
	t.Helper()
	ids := deliveryIDs(claim(t, db, n, time.Minute))
	slices.Sort(ids)
	return ids
}

func suspects(t testing.TB, db *store.DB) []int64 {
	t.Helper()
	return deliveryIDs(in(t, db, func(tx *store.Tx) ([]store.Delivery, error) { return tx.Suspects(10) }))
}

// ask runs a question about one row.
func ask[T any](t testing.TB, db *store.DB, fn func(*store.Tx, int64) (T, error), id int64) T {
	t.Helper()
	return in(t, db, func(tx *store.Tx) (T, error) { return fn(tx, id) })
}

func testDeliveryComesBack(t *testing.T, c *steps, a, b *store.DB) {
	want := store.Delivery{Desk: "support", Listener: "smtp", Client: "192.0.2.1", Hello: "h", TLS: "TLS1.3", Login: "l",
		MailFrom: "a@x.example", Recipients: []string{"b@y.example", "c@y.example"}, Priority: 1}
	id := in(t, a, func(tx *store.Tx) (int64, error) { return addDelivery(tx, want) })
	got := ask(t, a, (*store.Tx).DeliveryByID, id)
	want.ID, want.RawID, want.Received, want.State, want.Attempts = id, got.RawID, got.Received, store.DeliveryNew, 1
	same(t, "as it came", got, want)
	if got.RawID == 0 || got.Received.Location() != time.UTC || len(got.Recipients) != 2 {
		t.Errorf("read %+v", got)
	}
	want.State, want.Stop, want.Reason, want.Why, want.TicketID, want.MessageID = store.DeliveryHeld, "read", "r", "[1]", 7, 8
	want.From, want.To, want.Subject, want.MailID = "f", "t", "s", "<m>"
	do(t, a, func(tx *store.Tx) error { return tx.FinishDelivery(want) })
	same(t, "finished", ask(t, a, (*store.Tx).DeliveryByID, id), want)
	_, err := a.Node(), a.View(t.Context(), func(tx *store.Tx) error { _, err := tx.DeliveryByID(999); return err })
	errorIs(t, "no such delivery", err, sql.ErrNoRows)
}

func testClaimOrder(t *testing.T, c *steps, a, b *store.DB) {
	var ids []int64
	for _, priority := range []int{1, 1, 0, 1, 0} {
		ids = append(ids, in(t, a, func(tx *store.Tx) (int64, error) {
			return addDelivery(tx, store.Delivery{Priority: priority})
		}))
	}
	count := func(tx *store.Tx, limit int64) (int, error) { return tx.Unprocessed(int(limit)) }
	same(t, "unprocessed", ask(t, a, count, 100), 5)
	same(t, "unprocessed, at most 3", ask(t, a, count, 3), 3)
	same(t, "a token first, then the oldest", claimed(t, a, 3), []int64{ids[0], ids[2], ids[4]})
	same(t, "the other gets what is left", claimed(t, b, 1), ids[1:2])
	same(t, "what is in hand counts", ask(t, a, count, 100), 5)
	do(t, b, func(tx *store.Tx) error { return tx.ReleaseDelivery(ids[0]) })
	do(t, a, func(tx *store.Tx) error { return tx.ReleaseDelivery(ids[2]) })
	same(t, "what its owner gave back, and only that", claimed(t, b, 10), []int64{ids[2], ids[3]})
	do(t, b, func(tx *store.Tx) error {
		return tx.FinishDelivery(store.Delivery{ID: ids[2], State: store.DeliveryDone})
	})
	same(t, "nothing is left", claimed(t, a, 10), "[]")
	same(t, "unprocessed", ask(t, a, count, 100), 4)
}

func testSuspects(t *testing.T, c *steps, a, b *store.DB) {
	id := in(t, a, func(tx *store.Tx) (int64, error) { return addDelivery(tx, store.Delivery{}) })
	has := func(db *store.DB) bool { t.Helper(); return ask(t, db, (*store.Tx).HasDelivery, id) }
	retry := func(db *store.DB) bool {
		t.Helper()
		return ask(t, db, func(tx *store.Tx, id int64) (bool, error) { return tx.RetryAlone(id, 10*time.Second) }, id)
	}
	renew := func(db *store.DB) {
		t.Helper()
		do(t, db, func(tx *store.Tx) error { return tx.RenewDelivery(id, 10*time.Second) })
	}
	same(t, "nobody has it", fmt.Sprint(has(a), has(b), suspects(t, b)), "false false []")
	claim(t, a, 1, 10*time.Second)
	same(t, "a has it", fmt.Sprint(has(a), has(b), suspects(t, b)), "true false []")
	c.add(9 * time.Second)
	same(t, "retried in time", retry(b), false)
	renew(a)
	c.add(9 * time.Second)
	renew(b) // not its own
	same(t, "renewed", suspects(t, b), "[]")
	c.add(time.Second)
	same(t, "run out", suspects(t, b), []int64{id})
	same(t, "seen", in(t, b, (*store.Tx).HasSuspects), true)
	same(t, "not claimed as if it were new", claimed(t, b, 1), "[]")
	same(t, "until taken it is a's", has(a), true)
	same(t, "b takes it", retry(b), true)
	same(t, "seen no more", in(t, b, (*store.Tx).HasSuspects), false)
	same(t, "taken twice", retry(a), false)
	renew(a) // lost
	do(t, a, func(tx *store.Tx) error { return tx.ReleaseDelivery(id) })
	same(t, "b has it", fmt.Sprint(has(a), has(b)), "false true")
	same(t, "attempts", ask(t, a, (*store.Tx).DeliveryByID, id).Attempts, 2)
	do(t, b, func(tx *store.Tx) error {
		return tx.FinishDelivery(store.Delivery{ID: id, State: store.DeliveryDone})
	})
	c.add(time.Hour)
	same(t, "done", fmt.Sprint(has(b), suspects(t, a), retry(a)), "false [] false")
}

// A gateway that ended is known before its leases run out.
func TestSuspectsOfDeadNode(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	c, a, b := twoNodes(t, d)
	id := in(t, a, func(tx *store.Tx) (int64, error) { return addDelivery(tx, store.Delivery{}) })
	claim(t, a, 1, time.Hour)
	mine := in(t, b, func(tx *store.Tx) (int64, error) { return addDelivery(tx, store.Delivery{}) })
	claim(t, b, 1, time.Hour)
	same(t, "both live", suspects(t, b), "[]")
	c.add(29 * time.Second)
	if err := b.RenewNode(); err != nil {
		t.Fatal(err)
	}
	same(t, "both live still", suspects(t, b), "[]")
	c.add(time.Second)
	same(t, "a is dead", suspects(t, b), []int64{id})
	retry := func(tx *store.Tx, id int64) (bool, error) { return tx.RetryAlone(id, time.Hour) }
	same(t, "b's own is not taken again", ask(t, b, retry, mine), false)
	same(t, "b takes a's", ask(t, b, retry, id), true)
	same(t, "once", ask(t, b, retry, id), false)
	c.add(time.Minute)
	same(t, "its own, though it looks dead itself", suspects(t, b), "[]")
}

// Gateways that claim at the same time never get one delivery twice, however
// the server plans the statement.
func testClaimsCollide(t *testing.T, c *steps, a, b *store.DB) {
	const total = 200
	do(t, a, func(tx *store.Tx) error {
		for range total {
			if _, err := addDelivery(tx, store.Delivery{Priority: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	seen := map[int64]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			for range total {
				var got []store.Delivery
				err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
					got, err = tx.ClaimDeliveries(7, time.Minute)
					return err
				})
				if err != nil || len(got) > 7 {
					t.Errorf("claimed %d: %v", len(got), err)
				}
				if err != nil || len(got) == 0 {
					return
				}
				mu.Lock()
				for _, d := range got {
					seen[d.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("delivery %d was claimed %d times", id, n)
		}
	}
	same(t, "claimed in all", len(seen), total)
}

// PostgreSQL may plan a claim so that it asks for the rows once a row: no
// more than those asked for come even then.
func TestLimitHoldsForEveryPlan(t *testing.T) {
	t.Parallel()
	d := storetest.Postgres(t)
	for _, off := range []string{"hashjoin", "mergejoin", "hashagg", "sort", "material"} {
		d.URL += "&enable_" + off + "=off"
	}
	_, a, _ := twoNodes(t, d)
	do(t, a, func(tx *store.Tx) error {
		for i := range 20 {
			if _, err := addDelivery(tx, store.Delivery{}); err != nil {
				return err
			}
			if _, err := tx.AddOutbox(store.Outbox{TicketID: int64(i + 1), Kind: "update", Due: tx.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	same(t, "claimed", len(claimed(t, a, 7)), 7)
	same(t, "leased", len(lease(t, a, 7)), 7)
}

// A copy is recognised until its time is over, and what is forgotten is not
// looked at again.
func testForgetCopies(t *testing.T, c *steps, a, b *store.DB) {
	arrive := func(hash string) {
		id := in(t, a, func(tx *store.Tx) (int64, error) { return addDelivery(tx, store.Delivery{Received: tx.Now()}) })
		do(t, a, func(tx *store.Tx) error {
			return tx.FinishDelivery(store.Delivery{ID: id, State: store.DeliveryDone, ContentHash: []byte(hash), CopyHash: []byte(hash)})
		})
	}
	for _, hash := range []string{"1", "2", "3"} {
		arrive(hash)
	}
	c.add(time.Hour)
	arrive("4")
	forget := func() bool {
		return in(t, a, func(tx *store.Tx) (bool, error) { return tx.ForgetCopies(c.Now().Add(-time.Minute), 2) })
	}
	known := func() (all string) {
		for _, hash := range []string{"1", "2", "3", "4"} {
			do(t, b, func(tx *store.Tx) error {
				_, ok, err := tx.SameContent([]byte(hash), []byte(hash), time.Unix(0, 0), 1<<40)
				if ok {
					all += hash
				}
				return err
			})
		}
		return all
	}
	same(t, "more", forget(), true)
	same(t, "two at once", known(), "34")
	same(t, "more", forget(), true)
	same(t, "what is old enough", known(), "4")
	same(t, "no more", forget(), false)
	same(t, "the young one stays", known(), "4")
}

// Only who still holds a delivery ends it.
func testFinishHeldDelivery(t *testing.T, c *steps, a, b *store.DB) {
	id := in(t, a, func(tx *store.Tx) (int64, error) { return addDelivery(tx, store.Delivery{Received: tx.Now()}) })
	end := func(db *store.DB, want bool) {
		t.Helper()
		same(t, "ended", in(t, db, func(tx *store.Tx) (bool, error) {
			return tx.FinishHeldDelivery(store.Delivery{ID: id, State: store.DeliveryDone})
		}), want)
	}
	end(a, false) // not claimed
	do(t, a, func(tx *store.Tx) error { _, err := tx.ClaimDeliveries(9, time.Minute); return err })
	end(b, false)
	end(a, true)
	end(a, false)
}
