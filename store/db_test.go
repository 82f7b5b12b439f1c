package store_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"guichet/store"
	"guichet/store/storetest"
)

func TestMain(m *testing.M) {
	if childURL() != "" {
		crashChild()
	}
	storetest.Main(m)
}

// newTable opens the database with a table t (id, name, n) in it.
func newTable(t testing.TB, d *storetest.Database, change ...func(*store.Options)) *store.DB {
	t.Helper()
	db := d.Open(change...)
	ids := map[string]string{
		"sqlite":   "id INTEGER PRIMARY KEY AUTOINCREMENT",
		"postgres": "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	}
	update(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE t (` + ids[d.Engine] + `, name TEXT UNIQUE, n BIGINT)`)
		return err
	})
	return db
}

func update(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), "test", fn); err != nil {
		t.Fatal(err)
	}
}

// insertName returns an update that adds a row.
func insertName(name string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Insert(`INSERT INTO t (name) VALUES (?) RETURNING id`, name)
		return err
	}
}

// names returns the names in t, joined by blanks in the order of their ids.
func names(t testing.TB, db *store.DB) string {
	t.Helper()
	var all []string
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT name FROM t ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			all = append(all, name)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func wantNames(t testing.TB, db *store.DB, want string) {
	t.Helper()
	if got := names(t, db); got != want {
		t.Errorf("stored: %q, want %q", got, want)
	}
}

func TestUpdateIsSeenAndKept(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		var first, second int64
		update(t, db, func(tx *store.Tx) (err error) {
			first, err = tx.Insert(`INSERT INTO t (name) VALUES (?) RETURNING id`, "a")
			return err
		})
		update(t, db, func(tx *store.Tx) (err error) {
			second, err = tx.Insert(`INSERT INTO t (name) VALUES (?) RETURNING id`, "b")
			return err
		})
		if second <= first {
			t.Errorf("ids %d, %d", first, second)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantNames(t, d.Open(), "a b")
	})
}

func TestErrorRollsBack(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		mine := errors.New("mine")
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			tx.AfterCommit(func() { t.Error("AfterCommit ran") })
			return errors.Join(insertName("a")(tx), mine)
		})
		if !errors.Is(err, mine) {
			t.Errorf("got %v", err)
		}
		wantNames(t, db, "")
	})
}

func TestPanicIsAnError(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			if err := insertName("a")(tx); err != nil {
				return err
			}
			panic("poison")
		})
		p, ok := errors.AsType[*store.PanicError](err)
		if !ok || p.Value != "poison" || !strings.Contains(err.Error(), "TestPanicIsAnError") {
			t.Errorf("got %v", err)
		}
		update(t, db, insertName("b"))
		wantNames(t, db, "b")
	})
}

// A failed statement that the function did not mind loses the transaction on
// PostgreSQL: so it does on SQLite.
func TestSwallowedErrorLosesTheTransaction(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		update(t, db, insertName("a"))
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			if err := insertName("b")(tx); err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT INTO t (name) VALUES (?)`, "a"); err == nil {
				t.Error("two names are the same")
			}
			if _, err := tx.Exec(`INSERT INTO t (name) VALUES (?)`, "c"); err == nil {
				t.Error("a statement after a failed one succeeded")
			}
			var n int
			if err := tx.Row(`SELECT 1`).Scan(&n); err == nil {
				t.Error("a row after a failed statement was read")
			}
			return nil
		})
		if err == nil {
			t.Error("Update returned nil")
		}
		wantNames(t, db, "a")
	})
}

func TestNoRowsIsNoFailure(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		update(t, db, insertName("a"))
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Insert(`INSERT INTO t (name) VALUES (?) ON CONFLICT DO NOTHING RETURNING id`, "a")
			if !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("got %v", err)
			}
			return insertName("b")(tx)
		})
		wantNames(t, db, "a b")
	})
}

func TestStatementWhileRowsAreOpen(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		update(t, db, insertName("a"))
		update(t, db, insertName("b"))
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
			rows, err := tx.Query(`SELECT id FROM t`)
			if err != nil {
				return err
			}
			rows.Next()
			return insertName("c")(tx) // rows are not closed either
		})
		if _, ok := errors.AsType[*store.PanicError](err); !ok {
			t.Errorf("got %v", err)
		}
		update(t, db, insertName("d"))
		wantNames(t, db, "a b d")
	})
}

func TestViewCannotWrite(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		if err := db.View(t.Context(), insertName("a")); err == nil {
			t.Error("a View wrote")
		}
		wantNames(t, db, "")
	})
}

// A View sees one state, whatever is written beside it.
func TestViewIsOneState(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		update(t, db, insertName("a"))
		count := func(tx *store.Tx) (n int) {
			if err := tx.Row(`SELECT count(*) FROM t`).Scan(&n); err != nil {
				t.Error(err)
			}
			return n
		}
		err := db.View(t.Context(), func(tx *store.Tx) error {
			before := count(tx)
			update(t, db, insertName("b"))
			if after := count(tx); before != 1 || after != 1 {
				t.Errorf("counted %d, then %d", before, after)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestViewEndsWithItsContext(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := db.View(ctx, func(tx *store.Tx) error {
			var n int
			return tx.Row(`WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000)
				SELECT count(*) FROM r`).Scan(&n)
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 4*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestClock(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		at := time.Date(2026, 11, 20, 8, 30, 0, 123456789, time.FixedZone("", 3600))
		db := d.Open(func(o *store.Options) { o.Now = func() time.Time { return at } })
		update(t, db, func(tx *store.Tx) error {
			if want := time.Date(2026, 11, 20, 7, 30, 0, 123456000, time.UTC); tx.Now() != want {
				t.Errorf("now is %v, want %v", tx.Now(), want)
			}
			return nil
		})
	})
}

func TestAfterCommitRunsOnce(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		ran := 0
		update(t, db, func(tx *store.Tx) error {
			tx.AfterCommit(func() {
				wantNames(t, db, "a")
				ran++
			})
			return insertName("a")(tx)
		})
		if ran != 1 {
			t.Errorf("ran %d times", ran)
		}
	})
}

func TestClosedDB(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d, func(o *store.Options) { o.Serve = true })
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		other, err := d.TryOpen()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
		if err := other.Update(t.Context(), "test", insertName("a")); err == nil {
			t.Error("a closed database was written to")
		}
		wantNames(t, db, "")
	})
}

func TestUnknownURL(t *testing.T) {
	for _, url := range []string{"", "guichet.db", "mysql://x"} {
		if _, err := store.Open(t.Context(), url, store.Options{Create: true}); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
}
