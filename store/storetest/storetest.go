// Package storetest runs a test on both engines: on SQLite in a temporary
// directory, and on a real PostgreSQL that the test process starts for
// itself. A package that uses it has
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
package storetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"guichet/store"
)

// A Database is a fresh database of one test: empty, or see Ready.
type Database struct {
	Engine string // "sqlite" or "postgres"
	URL    string // as store.Open takes it

	t testing.TB
}

// Each runs fn as two subtests, "sqlite" and "postgres", each with a database
// of its own. A machine without PostgreSQL fails the second.
func Each(t *testing.T, fn func(t *testing.T, d *Database)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
}

// Slow is Each for tests of whole mails: with -short, which the race detector
// runs with, on SQLite alone. What races there races on both.
func Slow(t *testing.T, fn func(t *testing.T, d *Database)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	if !testing.Short() {
		t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
	}
}

// Long runs a fault test that takes long: on SQLite, and on PostgreSQL only in
// the long form (GUICHET_FAULT=long).
func Long(t *testing.T, fn func(t *testing.T, d *Database)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	if os.Getenv("GUICHET_FAULT") == "long" {
		t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
	}
}

// SQLite returns a database in a temporary directory.
func SQLite(t testing.TB) *Database {
	if allReady {
		return ReadySQLite(t)
	}
	return newSQLite(t)
}

func newSQLite(t testing.TB) *Database {
	return &Database{Engine: "sqlite", URL: "sqlite:" + filepath.Join(t.TempDir(), "guichet.db"), t: t}
}

// Postgres returns a database of the process's own server, which it starts if
// it is the first. It is dropped when the test ends.
func Postgres(t testing.TB) *Database {
	t.Helper()
	if allReady {
		return readyPostgres(t)
	}
	return &Database{Engine: "postgres", URL: ownServer(t).create(t, "template1"), t: t}
}

// Open opens the database, which it makes if this is the first time, and
// closes it when the test ends. The options can be changed by functions. Any
// number can be open at once, on SQLite only one of them with Serve.
func (d *Database) Open(change ...func(*store.Options)) *store.DB {
	d.t.Helper()
	db, err := d.TryOpen(change...)
	if err != nil {
		d.t.Fatal(err)
	}
	return db
}

// TryOpen is Open for a test that expects an error.
func (d *Database) TryOpen(change ...func(*store.Options)) (*store.DB, error) {
	opt := store.Options{Create: true, Log: slog.New(slog.NewTextHandler(d.t.Output(), nil))}
	for _, fn := range change {
		fn(&opt)
	}
	db, err := store.Open(context.Background(), d.URL, opt)
	if err == nil {
		d.t.Cleanup(func() { db.Close() })
	}
	return db, err
}

// Path is the file of a SQLite database.
func (d *Database) Path() string { return d.URL[len("sqlite:"):] }

// Main runs the tests of a package, stops PostgreSQL if one of them started
// it, and ends the process.
func Main(m *testing.M) {
	mainCalled = true
	code := m.Run()
	if err := stopServer(); err != nil {
		slog.Error("stop the tests' PostgreSQL", "err", err)
		code = max(code, 1)
	}
	os.Exit(code)
}
