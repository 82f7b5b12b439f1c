package storetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"guichet/store"
)

// allReady says that SQLite and Postgres give what Ready does.
var allReady bool

// MainReady is Main for a package that tests what is done with a database, not
// how one is made: its databases have today's schema from the start, copied
// from one that was made once. To make each costs more than most tests.
func MainReady(m *testing.M) {
	allReady = true
	Main(m)
}

// Ready is Each with databases that have today's schema from the start.
func Ready(t *testing.T, fn func(t *testing.T, d *Database)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, ReadySQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, readyPostgres(t)) })
}

// ReadySQLite is SQLite with today's schema from the start.
func ReadySQLite(t testing.TB) *Database {
	d := newSQLite(t)
	file, err := readyFile()
	if err == nil {
		err = os.WriteFile(d.Path(), file, 0o600)
	}
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
	return d
}

func readyPostgres(t testing.TB) *Database {
	t.Helper()
	s := ownServer(t)
	s.ready.Do(func() {
		if _, s.errReady = s.admin.Exec("CREATE DATABASE ready"); s.errReady == nil {
			s.errReady = create(s.url("ready"))
		}
	})
	if s.errReady != nil {
		t.Fatalf("storetest: %v", s.errReady)
	}
	return &Database{Engine: "postgres", URL: s.create(t, "ready"), t: t}
}

// readyFile is the file of a new SQLite database.
var readyFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guichet-ready-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "guichet.db")
	err = create("sqlite:" + path)
	file, errRead := os.ReadFile(path)
	return file, errors.Join(err, errRead, os.RemoveAll(dir))
})

// create makes a database, or its tables.
func create(url string) error {
	db, err := store.Open(context.Background(), url, store.Options{Create: true})
	if err != nil {
		return err
	}
	return db.Close()
}
