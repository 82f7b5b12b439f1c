package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"guichet/store"
)

// spend is one use of a budget of an hour: "count ref minutes since begin".
func spend(t testing.TB, db *store.DB, name string, ref int64, begin time.Time) (got string) {
	t.Helper()
	do(t, db, func(tx *store.Tx) error {
		n, began, first, err := tx.Spend(name, time.Hour, ref)
		got = fmt.Sprint(n, first, began.Sub(begin))
		return err
	})
	return got
}

func testSpend(t *testing.T, c *steps, a, b *store.DB) {
	begin := c.Now()
	same(t, "first", spend(t, a, "x", 7, begin), "1 7 0s")
	c.add(30 * time.Minute)
	same(t, "second", spend(t, a, "x", 8, begin), "2 7 0s")
	same(t, "another", spend(t, a, "y", 9, begin), "1 9 30m0s")
	c.add(30*time.Minute - time.Microsecond)
	same(t, "the last of the period", spend(t, a, "x", 8, begin), "3 7 0s")
	c.add(time.Microsecond)
	same(t, "the next period", spend(t, a, "x", 8, begin), "1 8 1h0m0s")
	do(t, a, func(tx *store.Tx) error { return tx.DropBudgets(begin.Add(time.Hour)) })
	same(t, "what began in time is kept", spend(t, a, "x", 5, begin), "2 8 1h0m0s")
	same(t, "what began before is dropped", spend(t, a, "y", 5, begin), "1 5 1h0m0s")
	err := a.Update(t.Context(), "test", func(tx *store.Tx) error {
		if _, _, _, err := tx.Spend("x", time.Hour, 1); err != nil {
			return err
		}
		return fmt.Errorf("no")
	})
	same(t, "what was rolled back is not spent", fmt.Sprint(err, " ", spend(t, a, "x", 5, begin)), "no 3 8 1h0m0s")
}

// Of two gateways that begin a period one has the first use, also where an
// earlier period has ended.
func testSpendersCollide(t *testing.T, c *steps, a, b *store.DB) {
	for round := range 2 {
		const callers = 8
		counts := make([]int, callers+1)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range callers {
			db := []*store.DB{a, b}[i%2]
			wg.Go(func() {
				var n int
				if err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
					n, _, _, err = tx.Spend("x", time.Hour, int64(i))
					return err
				}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				counts[min(n, callers)]++
				mu.Unlock()
			})
		}
		wg.Wait()
		same(t, fmt.Sprint("round ", round), counts, "[0 1 1 1 1 1 1 1 1]")
		c.add(time.Hour)
	}
}
