package store_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// mail returns n bytes that do not compress and differ everywhere.
func mail(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func count(t testing.TB, db *store.DB, query string) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error { return tx.Row(query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// storeRaw writes data in pieces of odd sizes and finishes it.
func storeRaw(t testing.TB, db *store.DB, data []byte) (id int64) {
	t.Helper()
	w := db.NewRaw(t.Context())
	defer w.Abort()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, bytes.NewReader(data), make([]byte, 10_007)); err != nil {
		t.Fatal(err)
	}
	var sum string
	var size int64
	update(t, db, func(tx *store.Tx) (err error) {
		id, sum, size, err = w.Finish(tx)
		return err
	})
	if want := sha256.Sum256(data); sum != hex.EncodeToString(want[:]) || size != int64(len(data)) {
		t.Errorf("%d bytes: sum %s, size %d", len(data), sum, size)
	}
	return id
}

func TestRawComesBack(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		const c = store.RawChunk
		for _, n := range []int{0, 1, 5000, c - 1, c, c + 1, 2 * c, 2*c + 1, 3_000_000} {
			data := mail(n)
			id := storeRaw(t, db, data)
			var got []byte
			err := db.View(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.ReadRaw(id)
				return err
			})
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: read %d, %v", n, len(got), err)
			}
			r, err := db.OpenRaw(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if r.Size() != int64(n) {
				t.Errorf("%d bytes: size %d", n, r.Size())
			}
			if n < 10_000 || n == c+1 && !testing.Short() { // TestReader reads bytewise: not every size
				if err := iotest.TestReader(r.Reader(), data); err != nil {
					t.Errorf("%d bytes: %.300v", n, err)
				}
			}
			if got, err := io.ReadAll(r.Reader()); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: streamed %d, %v", n, len(got), err)
			}
		}
		if n := count(t, db, `SELECT count(*) FROM raw WHERE complete = 0`); n != 0 {
			t.Errorf("%d are incomplete", n)
		}
	})
}

func TestRawReadAt(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		data := mail(1_000_000)
		r, err := db.OpenRaw(t.Context(), storeRaw(t, db, data))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		for g := range 4 {
			go func() {
				random := rand.New(rand.NewPCG(1, uint64(g)))
				for range 50 {
					off := random.IntN(len(data))
					p := make([]byte, random.IntN(300_000))
					n, err := r.ReadAt(p, int64(off))
					want := data[off:min(off+len(p), len(data))]
					if !bytes.Equal(p[:n], want) || err != nil && err != io.EOF || (err == io.EOF) != (off+len(p) > len(data)) {
						done <- fmt.Errorf("%d bytes at %d: got %d, %v", len(p), off, n, err)
						return
					}
				}
				done <- nil
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestNoSuchRaw(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		w := db.NewRaw(t.Context())
		if _, err := w.Write(mail(600_000)); err != nil { // an incomplete one
			t.Fatal(err)
		}
		for id := range int64(3) {
			if _, err := db.OpenRaw(t.Context(), id); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("opened %d: %v", id, err)
			}
		}
	})
}

// Finish in an update that is rolled back and run again stores the mail once.
func TestFinishRunsAgain(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		for _, size := range []int{5000, 600_000} {
			db := newTable(t, storetestFresh(t, d))
			data := mail(size)
			w := db.NewRaw(t.Context())
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
				_, _, _, err := w.Finish(tx)
				return errors.Join(err, errors.New("mine"))
			})
			if err == nil {
				t.Fatal("no error")
			}
			var id int64
			update(t, db, func(tx *store.Tx) (err error) {
				id, _, _, err = w.Finish(tx)
				return err
			})
			w.Abort() // nothing
			var got []byte
			err = db.View(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.ReadRaw(id)
				return err
			})
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: read %d, %v", size, len(got), err)
			}
			if n := count(t, db, `SELECT count(*) FROM raw`); n != 1 {
				t.Errorf("%d bytes: stored %d times", size, n)
			}
		}
	})
}

// A mail whose Finish was rolled back is removed by Abort.
func TestAbortAfterFinishFailed(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		w := db.NewRaw(t.Context())
		if _, err := w.Write(mail(600_000)); err != nil {
			t.Fatal(err)
		}
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			_, _, _, err := w.Finish(tx)
			return errors.Join(err, errors.New("mine"))
		})
		if err == nil {
			t.Error("no error")
		}
		w.Abort()
		if n := count(t, db, `SELECT (SELECT count(*) FROM raw) + (SELECT count(*) FROM raw_chunk)`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// storetestFresh returns another database of the same engine.
func storetestFresh(t *testing.T, d *storetest.Database) *storetest.Database {
	if d.Engine == "sqlite" {
		return storetest.SQLite(t)
	}
	return storetest.Postgres(t)
}

func TestAbortRemoves(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		w := db.NewRaw(t.Context())
		if _, err := w.Write(mail(3_000_000)); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, `SELECT count(*) FROM raw_chunk`); n < 10 {
			t.Errorf("only %d pieces are stored on the way", n)
		}
		w.Abort()
		if n := count(t, db, `SELECT (SELECT count(*) FROM raw) + (SELECT count(*) FROM raw_chunk)`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("an aborted mail was written")
		}
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			_, _, _, err := w.Finish(tx)
			return err
		})
		if err == nil {
			t.Error("an aborted mail was finished")
		}
	})
}

// The sweep removes what nobody writes any more, and only that.
func TestSweep(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
		db := d.Open(func(o *store.Options) { o.Now = func() time.Time { return now } })
		kept := storeRaw(t, db, mail(600_000))
		left, slow := db.NewRaw(t.Context()), db.NewRaw(t.Context())
		for _, w := range []*store.RawWriter{left, slow} {
			if _, err := w.Write(mail(600_000)); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Hour)
		if _, err := slow.Write(mail(600_000)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if n, err := db.SweepRaw(t.Context(), 30*time.Minute); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if n := count(t, db, `SELECT count(*) FROM raw`); n != 2 {
			t.Errorf("%d mails are there, want 2", n)
		}
		if _, err := left.Write(mail(600_000)); err == nil || !strings.Contains(err.Error(), "was removed") {
			t.Errorf("a piece of what was swept: %v", err)
		}
		update(t, db, func(tx *store.Tx) error {
			_, _, _, err := slow.Finish(tx)
			return err
		})
		now = now.Add(24 * time.Hour)
		if n, err := db.SweepRaw(t.Context(), 0); n != 0 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if _, err := db.OpenRaw(t.Context(), kept); err != nil {
			t.Error(err)
		}
	})
}
