package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// together runs the updates in one group, in their order, after one that
// inserts "first" alone, and returns their errors.
func together(t *testing.T, db *store.DB, fns ...func(*store.Tx) error) []error {
	t.Helper()
	holding, release := make(chan struct{}), make(chan struct{})
	once := false
	results := make([]chan error, len(fns)+1)
	start := func(i int, fn func(*store.Tx) error) {
		results[i] = make(chan error, 1)
		go func() { results[i] <- db.Update(context.Background(), "test", fn) }()
	}
	for db.Writing() {
		runtime.Gosched()
	}
	start(0, func(tx *store.Tx) error {
		if !once {
			once = true
			close(holding)
			<-release
		}
		return insertName("first")(tx)
	})
	<-holding
	for i, fn := range fns {
		start(i+1, fn)
		for db.Waiting() != i+1 {
			runtime.Gosched()
		}
	}
	close(release)
	errs := make([]error, len(results))
	for i := range results {
		errs[i] = <-results[i]
	}
	if errs[0] != nil {
		t.Errorf("the first update: %v", errs[0])
	}
	return errs[1:]
}

func TestGroupIsOneCommit(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	var fns []func(*store.Tx) error
	for i := range store.GroupUpdates + 9 {
		fns = append(fns, insertName(fmt.Sprint(i)))
	}
	before := db.Commits()
	for i, err := range together(t, db, fns...) {
		if err != nil {
			t.Errorf("update %d: %v", i, err)
		}
	}
	if n := db.Commits() - before; n != 3 {
		t.Errorf("%d commits for %d updates", n, len(fns)+1)
	}
	if n := len(strings.Fields(names(t, db))); n != len(fns)+1 {
		t.Errorf("%d rows", n)
	}
}

func TestGroupIsBoundedInBytes(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	var fns []func(*store.Tx) error
	for i := range 8 {
		fns = append(fns, insertName(fmt.Sprint(i)+strings.Repeat("x", store.GroupBytes/4)))
	}
	before := db.Commits()
	together(t, db, fns...)
	if n := db.Commits() - before; n != 3 {
		t.Errorf("%d commits for twice the bytes of a group", n)
	}
}

// In a group of good and bad updates only the bad ones fail, and the good are
// stored once, whatever the bad one does.
func TestOnlyTheCulpritFails(t *testing.T) {
	mine := errors.New("mine")
	write := insertName("culprit")
	for _, c := range []struct {
		name    string
		culprit func(*store.Tx) error
		want    string // in its error
	}{
		{"returns an error", func(tx *store.Tx) error { return errors.Join(write(tx), mine) }, "mine"},
		{"panics", func(tx *store.Tx) error { write(tx); panic("poison") }, "poison"},
		{"ends its goroutine", func(tx *store.Tx) error { write(tx); runtime.Goexit(); return nil }, "Goexit"},
		{"rolls back by a conflict", func(tx *store.Tx) error {
			write(tx)
			tx.Exec(`INSERT OR ROLLBACK INTO t (name) VALUES ('old')`)
			return nil
		}, "UNIQUE"},
		{"goes on after a conflict that rolled back", func(tx *store.Tx) error {
			write(tx)
			tx.Exec(`INSERT OR ROLLBACK INTO t (name) VALUES ('old')`)
			return insertName("stray")(tx)
		}, "UNIQUE"},
		{"ends the transaction", func(tx *store.Tx) error {
			write(tx)
			_, err := tx.Exec(`ROLLBACK`)
			return err
		}, "rolled back"},
		{"ends the transaction and writes on", func(tx *store.Tx) error {
			tx.Exec(`ROLLBACK`)
			insertName("stray")(tx)
			return nil
		}, "rolled back"},
		{"makes the commit fail", func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO child (parent) VALUES (12345)`)
			return err
		}, "FOREIGN KEY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := newTable(t, storetest.ReadySQLite(t))
			update(t, db, insertName("old"))
			update(t, db, func(tx *store.Tx) error {
				_, err := tx.Exec(`CREATE TABLE child (parent INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)`)
				return err
			})
			errs := together(t, db, insertName("a"), c.culprit, insertName("b"))
			if errs[0] != nil || errs[2] != nil {
				t.Errorf("the others: %v, %v", errs[0], errs[2])
			}
			if errs[1] == nil || !strings.Contains(errs[1].Error(), c.want) {
				t.Errorf("the culprit: %v, want %q", errs[1], c.want)
			}
			wantNames(t, db, "old first a b")
			update(t, db, insertName("later"))
		})
	}
}

// An update that fails before it wrote does not cost the others a second run
// and a commit each.
func TestFailureWithoutWritesKeepsTheGroup(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	runs, mine := 0, errors.New("mine")
	before := db.Commits()
	errs := together(t, db,
		func(tx *store.Tx) error { runs++; return insertName("a")(tx) },
		func(tx *store.Tx) error { return mine },
		insertName("b"))
	if errs[0] != nil || !errors.Is(errs[1], mine) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	if n := db.Commits() - before; n != 2 || runs != 1 {
		t.Errorf("%d commits, %d runs", n, runs)
	}
	wantNames(t, db, "first a b")
}

// Whoever finds nobody writing writes on its own goroutine. If that ends within
// its update nothing is stored, and the others go on.
func TestCallerEndsItsGoroutine(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	for db.Writing() {
		runtime.Gosched()
	}
	ended, second := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		db.Update(context.Background(), "test", func(tx *store.Tx) error {
			go func() { second <- db.Update(context.Background(), "test", insertName("b")) }()
			for db.Waiting() != 1 {
				runtime.Gosched()
			}
			insertName("a")(tx)
			runtime.Goexit()
			return nil
		})
		t.Error("the update returned")
	}()
	<-ended
	if err := <-second; err != nil {
		t.Error(err)
	}
	update(t, db, insertName("c"))
	wantNames(t, db, "b c")
}

// Nobody is told anything before the commit that holds it.
func TestNoAnswerBeforeTheCommit(t *testing.T) {
	d := storetest.ReadySQLite(t)
	db := newTable(t, d)
	answered := make(chan error, 1)
	seen := false
	errs := together(t, db, func(tx *store.Tx) error {
		select {
		case <-answered:
			seen = true
		default:
		}
		return insertName("a")(tx)
	}, func(tx *store.Tx) error {
		tx.AfterCommit(func() {
			if got := names(t, db); got != "first a b" {
				t.Errorf("answered when %q was stored", got)
			}
			answered <- nil
		})
		return insertName("b")(tx)
	})
	if seen || errors.Join(errs...) != nil {
		t.Errorf("answered early: %v; %v", seen, errs)
	}
}

func TestCallerGivesUpBeforeItsTurn(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	holding, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Update(context.Background(), "test", func(tx *store.Tx) error {
			close(holding)
			<-release
			return insertName("first")(tx)
		})
	}()
	<-holding
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- db.Update(ctx, "test", insertName("second")) }()
	for db.Waiting() != 1 {
		runtime.Gosched()
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) { // while the first still runs
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := db.Update(ctx, "test", insertName("third")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNames(t, db, "first")
}

// A caller that gives up during its turn learns what came of it, and the
// statements of the group are not interrupted.
func TestCallerGivesUpDuringItsTurn(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, "test", func(tx *store.Tx) error {
		cancel()
		return insertName("a")(tx)
	})
	if err != nil {
		t.Errorf("got %v", err)
	}
	wantNames(t, db, "a")
}

// A caller whose context ended before its update is run again, singly, is
// told so, and its update is not stored.
func TestCallerGivesUpBeforeTheSecondRun(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	together(t, db,
		func(tx *store.Tx) error { return insertName("a")(tx) },
		func(tx *store.Tx) error {
			cancel()
			return errors.Join(insertName("b")(tx), errors.New("mine"))
		})
	go func() { got <- db.Update(ctx, "test", insertName("c")) }()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNames(t, db, "first a")
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	d := storetest.ReadySQLite(t)
	db := newTable(t, d)
	holding, release := make(chan struct{}), make(chan struct{})
	results := make(chan error, 3)
	go func() {
		results <- db.Update(context.Background(), "test", func(tx *store.Tx) error {
			close(holding)
			<-release
			return insertName("a")(tx)
		})
	}()
	<-holding
	go func() { results <- db.Update(context.Background(), "test", insertName("b")) }()
	for db.Waiting() != 1 {
		runtime.Gosched()
	}
	go func() { results <- db.Close() }()
	close(release)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	wantNames(t, d.Open(), "a b")
}

// Urgent updates go before those that wait, and leave those half of a group.
func TestUrgentGoesFirst(t *testing.T) {
	db := newTable(t, storetest.ReadySQLite(t))
	const plain, urgent = 10, 80
	var order []string // written by the one writer
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	start := func(ctx context.Context, name string, before func()) {
		wg.Go(func() {
			if err := db.Update(ctx, "test", func(tx *store.Tx) error {
				before()
				order = append(order, name)
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	start(t.Context(), "first", func() { close(holding); <-release })
	<-holding
	for i := range plain + urgent {
		ctx, name := t.Context(), "plain"
		if i >= plain {
			ctx, name = store.Urgent(ctx), "urgent"
		}
		start(ctx, name, func() {})
		for db.Waiting() != i+1 {
			runtime.Gosched()
		}
	}
	close(release)
	wg.Wait()
	at := 0
	for i, name := range order[1:] {
		if name == "plain" {
			at++
			if want := at*(store.GroupUpdates/2+1) - 1; i != min(want, urgent+at-1) {
				t.Errorf("plain update %d ran as number %d, want %d", at, i, want)
			}
		}
	}
}
