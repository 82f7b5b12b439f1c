package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// Views that wait for each other each see what was committed before they were
// called, get their own result, and one's failure is nobody else's.
func TestViewTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		mine := errors.New("mine")
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				name := fmt.Sprint(i)
				if err := db.Update(context.Background(), "test", insertName(name)); err != nil {
					t.Error(err)
				}
				var seen int
				err := db.ViewTogether(context.Background(), func(tx *store.Tx) error {
					switch i % 4 {
					case 1:
						return mine
					case 2:
						_, err := tx.Exec("SELECT * FROM nowhere")
						return err
					case 3:
						if db.Engine() == "sqlite" {
							panic("mine")
						}
					}
					return tx.Row("SELECT count(*) FROM t WHERE name = ?", name).Scan(&seen)
				})
				var panicked *store.PanicError
				switch {
				case i%4 == 1 && errors.Is(err, mine), i%4 == 2 && err != nil && !errors.Is(err, mine),
					i%4 == 3 && (errors.As(err, &panicked) || db.Engine() != "sqlite"):
				case i%4 == 0 && err == nil && seen == 1:
				default:
					t.Errorf("view %d: %v, %d rows", i, err, seen)
				}
			})
		}
		all.Wait()
		ended, end := context.WithCancel(context.Background())
		end()
		errorIs(t, "after the end", db.ViewTogether(ended, func(*store.Tx) error { t.Error("run"); return nil }), context.Canceled)
	})
}
