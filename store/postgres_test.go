package store_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

func TestCheckPostgres(t *testing.T) {
	for _, c := range []struct{ version, commit, fsync, encoding, want string }{
		{"130000", "on", "on", "UTF8", ""},
		{"170002", "remote_apply", "on", "UTF8", ""},
		{"120022", "on", "on", "UTF8", "PostgreSQL 13"},
		{"90624", "on", "on", "UTF8", "PostgreSQL 13"},
		{"150004", "off", "on", "UTF8", "synchronous_commit"},
		{"150004", "local", "on", "UTF8", "synchronous_commit"},
		{"150004", "on", "off", "UTF8", "fsync"},
		{"150004", "on", "on", "LATIN1", "UTF8"},
	} {
		err := store.CheckPostgres(c.version, c.commit, c.fsync, c.encoding)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestUnsafeCommitIsRefused(t *testing.T) {
	d := storetest.Postgres(t)
	update(t, d.Open(), func(tx *store.Tx) error {
		var name string
		if err := tx.Row(`SELECT current_database()`).Scan(&name); err != nil {
			return err
		}
		_, err := tx.Exec(`ALTER DATABASE ` + name + ` SET synchronous_commit = off`)
		return err
	})
	wantRefused(t, d, "synchronous_commit is off: a mail that was accepted could be lost")
}

// raise fails as PostgreSQL does when it wants the transaction run again.
func raise(tx *store.Tx, state string) error {
	_, err := tx.Exec(`DO $$ BEGIN RAISE SQLSTATE '` + state + `'; END $$`)
	return err
}

func TestRetry(t *testing.T) {
	db := newTable(t, storetest.Postgres(t))
	for _, state := range []string{"40001", "40P01"} {
		runs, woken := 0, 0
		update(t, db, func(tx *store.Tx) error {
			runs++
			tx.AfterCommit(func() { woken++ })
			if err := insertName(state)(tx); err != nil {
				return err
			}
			if runs <= 3 {
				return raise(tx, state)
			}
			return nil
		})
		if runs != 4 || woken != 1 {
			t.Errorf("%s: %d runs, woken %d times", state, runs, woken)
		}
	}
	wantNames(t, db, "40001 40P01")
	for state, want := range map[string]int{"40001": 10, "23505": 1} {
		runs := 0
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error { runs++; return raise(tx, state) })
		if err == nil || runs != want {
			t.Errorf("%s: %d runs, %v", state, runs, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, "test", func(tx *store.Tx) error { cancel(); return raise(tx, "40001") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
}

// Two updates that lock two rows in opposite order both succeed.
func TestDeadlock(t *testing.T) {
	db := newTable(t, storetest.Postgres(t))
	update(t, db, insertName("a"))
	update(t, db, insertName("b"))
	var met atomic.Int32
	both := make(chan struct{})
	lock := func(first, second string) error {
		return db.Update(context.Background(), "test", func(tx *store.Tx) error {
			for i, name := range []string{first, second} {
				_, err := tx.Exec(`UPDATE t SET n = coalesce(n, 0) + 1 WHERE name = ?`, name)
				if err != nil {
					return err
				}
				if i == 0 {
					if met.Add(1) == 2 {
						close(both)
					}
					<-both
				}
			}
			return nil
		})
	}
	results := make(chan error, 2)
	go func() { results <- lock("a", "b") }()
	go func() { results <- lock("b", "a") }()
	if err := errors.Join(<-results, <-results); err != nil {
		t.Error(err)
	}
	if met.Load() < 3 {
		t.Error("there was no deadlock")
	}
	if n := count(t, db, `SELECT n FROM t WHERE name = 'a'`); n != 2 {
		t.Errorf("counted %d", n)
	}
}

func TestLockKey(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		inside, most := atomic.Int32{}, atomic.Int32{}
		results := make(chan error)
		for range 4 {
			go func() {
				results <- db.Update(context.Background(), "test", func(tx *store.Tx) error {
					if err := tx.LockKey(-42); err != nil {
						return err
					}
					most.Store(max(most.Load(), inside.Add(1)))
					defer inside.Add(-1)
					var n int
					return tx.Row(`SELECT count(*) FROM t` /* a moment */).Scan(&n)
				})
			}()
		}
		for range 4 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d inside at once", most.Load())
		}
	})
}

// Rows that another transaction has locked are left out.
func TestSkipLocked(t *testing.T) {
	db := newTable(t, storetest.Postgres(t))
	update(t, db, insertName("a"))
	update(t, db, insertName("b"))
	pick := func(tx *store.Tx) (name string) {
		if err := tx.Row(`SELECT name FROM t ORDER BY id LIMIT 1` + tx.SkipLocked()).Scan(&name); err != nil {
			t.Error(err)
		}
		return name
	}
	update(t, db, func(tx *store.Tx) error {
		first := pick(tx)
		update(t, db, func(tx *store.Tx) error {
			if second := pick(tx); first != "a" || second != "b" {
				t.Errorf("picked %q and %q", first, second)
			}
			return nil
		})
		return nil
	})
}

// A connection that ends between COMMIT and its reply leaves the outcome
// unknown: the caller is told so, once, and fn is not run again.
func TestLostReplyToCommit(t *testing.T) {
	d := storetest.Postgres(t)
	direct := newTable(t, d)
	p := newProxy(t, d)
	through := *d
	through.URL = p.url
	db := through.Open()
	update(t, db, insertName("a"))

	p.cut.Store(true)
	runs := 0
	err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
		runs++
		tx.AfterCommit(func() { t.Error("AfterCommit ran") })
		return insertName("b")(tx)
	})
	if !errors.Is(err, store.ErrUnknownOutcome) || runs != 1 {
		t.Errorf("%d runs, %v", runs, err)
	}
	wantNames(t, direct, "a b") // it was committed indeed
	p.cut.Store(false)
	update(t, db, insertName("c"))

	p.deaf.Store(true) // the connection ends before the statement arrives
	err = db.Update(t.Context(), "test", insertName("d"))
	if err == nil || errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("a connection lost before COMMIT: %v", err)
	}
	p.deaf.Store(false)
	update(t, db, insertName("e"))
	wantNames(t, direct, "a b c e")
}

// proxy stands between a gateway and PostgreSQL's socket.
type proxy struct {
	url       string
	cut, deaf atomic.Bool
}

func newProxy(t *testing.T, d *storetest.Database) *proxy {
	u, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	q := u.Query()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	p := &proxy{url: u.String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

// serve passes bytes on until a COMMIT is to be cut: then it waits for the
// server's reply and ends both connections instead of passing it on.
func (p *proxy) serve(client net.Conn, path string) {
	defer client.Close()
	server, err := net.Dial("unix", path)
	if err != nil {
		return
	}
	defer server.Close()
	var cutting atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 1<<16)
		for {
			n, err := server.Read(buf)
			if err != nil || cutting.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if p.deaf.Load() && bytes.Contains(buf[:n], []byte("INSERT")) {
			return
		}
		if p.deaf.Load() && n > 0 && buf[0] == 'B' {
			return
		}
		if p.cut.Load() && bytes.Contains(buf[:n], []byte("commit\x00")) {
			cutting.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}
