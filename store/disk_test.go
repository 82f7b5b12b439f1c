package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// A database that reached its limit refuses what is too large, keeps what is
// not, and goes on when there is space.
func TestFullDatabase(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	limit := func(pages string) {
		update(t, db, func(tx *store.Tx) error {
			var n int
			return tx.Row(`PRAGMA max_page_count = ` + pages).Scan(&n)
		})
	}
	limit("1") // SQLite takes the present size
	big := insertName(strings.Repeat("x", 500_000))
	errs := together(t, db, insertName("a"), big, func(tx *store.Tx) error {
		_ = big(tx) // swallowed
		return insertName("stray")(tx)
	}, insertName("b"))
	if errs[0] != nil || errs[3] != nil {
		t.Errorf("the small ones: %v, %v", errs[0], errs[3])
	}
	for _, err := range errs[1:3] {
		if !errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrIO) {
			t.Errorf("a large one: %v", err)
		}
	}
	wantNames(t, db, "first a b")
	limit("1000000")
	update(t, db, big)
}

// asRoot runs what only root may, by sudo if need be.
func asRoot(t *testing.T, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
}

// The same on a file system that is full.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	asRoot(t, "mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", dir)
	t.Cleanup(func() { asRoot(t, "umount", dir) })
	d := storetest.ReadySQLite(t)
	d.URL = "sqlite:" + dir + "/guichet.db"
	db := newTable(t, d)
	acked := 0
	var err error
	for ; err == nil && acked < 10_000; acked++ {
		err = db.Update(t.Context(), "test", insertName(fmt.Sprint(acked)+strings.Repeat("x", 10_000)))
	}
	acked--
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d rows: %v", acked, err)
	}
	if n := len(strings.Fields(names(t, db))); n != acked {
		t.Errorf("%d rows, %d acknowledged", n, acked)
	}
	asRoot(t, "mount", "-o", "remount,size=8m", dir)
	update(t, db, insertName("after"))
	if err := db.Failure(); err != nil {
		t.Errorf("a full disk counts as failed: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if n := len(strings.Fields(names(t, d.Open()))); n != acked+1 {
		t.Errorf("%d rows after opening again, %d acknowledged", n, acked+1)
	}
}

// A damaged file ends the DB: nothing more is accepted.
func TestDamagedFile(t *testing.T) {
	d := storetest.ReadySQLite(t)
	db := newTable(t, d)
	update(t, db, insertName(strings.Repeat("x", 200_000)))
	root := 0
	update(t, db, func(tx *store.Tx) error {
		return tx.Row(`SELECT rootpage FROM sqlite_schema WHERE name = 't'`).Scan(&root)
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(d.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 4096), int64(root-1)*4096)
	f.Close()

	db = d.Open()
	if err := db.Failure(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), "test", insertName("a")); !errors.Is(err, store.ErrIO) {
		t.Errorf("got %v", err)
	}
	<-db.Failed()
	err = db.Update(t.Context(), "test", func(tx *store.Tx) error { return nil })
	if !errors.Is(err, store.ErrIO) || db.Failure() == nil {
		t.Errorf("an update after the failure: %v", err)
	}
}

// While another process has the write lock an update is refused as busy, and
// so are those that wait behind it, without waiting as long each.
func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel() // it waits long
	d := storetest.ReadySQLite(t)
	db := newTable(t, d)
	other, err := sql.Open("sqlite3", d.Path()+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	results := make(chan error)
	for i := range 4 {
		go func() { results <- db.Update(context.Background(), "test", insertName(fmt.Sprint(i))) }()
	}
	wantNames(t, db, "") // readers are not held up
	for range 4 {
		if err := <-results; !errors.Is(err, store.ErrBusy) {
			t.Errorf("got %v", err)
		}
	}
	if d := time.Since(began); d > 12*time.Second {
		t.Errorf("refused after %v: each waited for the lock", d)
	}
	tx.Rollback()
	update(t, db, insertName("b"))
	wantNames(t, db, "b")
}

func TestOneGatewayServes(t *testing.T) {
	d := storetest.ReadySQLite(t)
	serve := func(o *store.Options) { o.Serve = true }
	db := newTable(t, d, serve)
	_, err := d.TryOpen(serve)
	if err == nil || !strings.Contains(err.Error(), "guichet serve is running") ||
		!strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second gateway: %v", err)
	}
	command := d.Open()
	update(t, command, insertName("a"))
	wantNames(t, db, "a")
	db.Close()
	d.Open(serve)
}

// The WAL is begun anew beside a writer that never pauses and readers. It is
// copied at 64 MiB; how much comes meanwhile depends on writer and disk.
func TestWALStaysSmall(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t), func(o *store.Options) { o.Serve = true })
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				names(t, db)
			}
		}
	}()
	var largest int64
	blob := make([]byte, 250_000)
	for i := range 1600 {
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO raw (sha256, size, complete, created, data) VALUES ('', 0, ?, 0, ?)`, i%2, blob)
			return err
		})
		largest = max(largest, db.WALSize())
	}
	close(stop)
	<-stopped
	t.Logf("400 MB written, the WAL had at most %d MiB", largest>>20)
	if largest > 200<<20 {
		t.Errorf("the WAL grew to %d MiB", largest>>20)
	}
	large, idle := db.Checkpoint()
	if large != nil || idle != nil || db.WALSize() != 0 {
		t.Errorf("%v, %v; the WAL has %d bytes in an idle moment", large, idle, db.WALSize())
	}
}

// Updates that write nothing, as the claims of an idle gateway are, do not
// keep the WAL from being emptied; ones that write do.
func TestIdleWAL(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t), func(o *store.Options) { o.Serve = true })
	tick := func(seen int64) int64 {
		t.Helper()
		n, err := db.Tick(seen)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	update(t, db, insertName("a"))
	seen := tick(0)
	update(t, db, insertName("b"))
	if next := tick(seen); next <= seen || db.WALSize() == 0 {
		t.Errorf("%d frames, then %d: the WAL was emptied while somebody wrote", seen, next)
	} else {
		seen = next
	}
	update(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE t SET name = 'c' WHERE name = 'nobody'`)
		return err
	})
	if seen = tick(seen); seen != 0 || db.WALSize() != 0 {
		t.Errorf("an idle WAL has %d frames, %d bytes", seen, db.WALSize())
	}
}

func TestFileIsPrivate(t *testing.T) {
	d := storetest.ReadySQLite(t)
	d.Open()
	for _, name := range []string{d.Path(), d.Path() + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
