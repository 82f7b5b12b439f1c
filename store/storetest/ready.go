package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"guichet/store"
)

// isReady says that every database has today's schema from the start.
var isReady bool

// MainReady is Main for a package that tests what is done with a database, not
// how one is made: its databases have today's schema from the start, copied
// from one that was made once. To make each costs more than most tests.
func MainReady(m *testing.M) {
	isReady = true
	Main(m)
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

// copyReady puts a new database at path.
func copyReady(t testing.TB, path string) {
	t.Helper()
	file, err := readyFile()
	if err == nil {
		err = os.WriteFile(path, file, 0o600)
	}
	if err != nil {
		t.Fatalf("storetest: %v", err)
	}
}

// template is the database of the server that new ones are copies of.
func (s *server) template() (string, error) {
	s.ready.Do(func() {
		s.from = "template1"
		if !isReady {
			return
		}
		s.from = "ready"
		if _, s.errReady = s.admin.Exec("CREATE DATABASE ready"); s.errReady == nil {
			s.errReady = create(s.url("ready"))
		}
	})
	if s.errReady != nil {
		return "", fmt.Errorf("make the first database: %w", s.errReady)
	}
	return s.from, nil
}
