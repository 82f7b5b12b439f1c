package store_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// A mail of 5 KB in one row, from one caller and from fifty; ns/op is of one
// durable update.
func BenchmarkGroupCommit(b *testing.B) {
	for _, callers := range []int{1, 10, 50} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) { benchmarkCommit(b, storetest.SQLite(b), callers) })
	}
}

func BenchmarkPostgresCommit(b *testing.B) {
	for _, callers := range []int{1, 50} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) { benchmarkCommit(b, storetest.Postgres(b), callers) })
	}
}

func benchmarkCommit(b *testing.B, d *storetest.Database, callers int) {
	db := newTable(b, d, func(o *store.Options) { o.Serve = true })
	data := mail(5000)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				err := db.Update(context.Background(), "test", func(tx *store.Tx) error {
					_, err := tx.Insert(`INSERT INTO raw (sha256, size, complete, created, data)
						VALUES ('', ?, 1, ?, ?) RETURNING id`, len(data), tx.Now(), data)
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	if d.Engine == "sqlite" {
		b.ReportMetric(float64(b.N)/float64(db.Commits()), "updates/commit")
	}
}
