package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

func command(o *store.Options) { o.Create = false }

func wantRefused(t *testing.T, d *storetest.Database, want string, change ...func(*store.Options)) {
	t.Helper()
	if _, err := d.TryOpen(change...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestCommandsMakeNoDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		if d.Engine == "postgres" {
			wantRefused(t, d, "no tables of guichet", command)
			return
		}
		wantRefused(t, d, "there is no database at "+d.Path(), command)
		if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file is there: %v", err)
		}
		if err := os.WriteFile(d.Path(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, d, "no tables of guichet", command)
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, ?)`, boolOf(d))
			return err
		})
		db.Close()
		wantRefused(t, d, "newer guichet")
		wantRefused(t, d, "newer guichet", command)
		wantRefused(t, d, "newer guichet", func(o *store.Options) { o.Serve = true })
	})
}

// boolOf is true in goose's own table: a boolean on PostgreSQL, which takes
// the word, and an integer on SQLite.
func boolOf(d *storetest.Database) any {
	if d.Engine == "postgres" {
		return "true"
	}
	return 1
}

func TestOlderSchema(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		serving := d.Open(func(o *store.Options) { o.Serve = true })
		// As a program of one migration less would have left it.
		var steps int
		update(t, serving, func(tx *store.Tx) error {
			if err := tx.Row(`SELECT max(version_id) FROM goose_db_version`).Scan(&steps); err != nil {
				return err
			}
			_, err := tx.Exec(`DELETE FROM goose_db_version WHERE version_id = ?`, steps)
			return err
		})
		wantRefused(t, d, "guichet serve changes it when it starts", command)
		if d.Engine == "sqlite" {
			wantRefused(t, d, "stop it before the schema is changed", func(o *store.Options) { o.Create, o.Migrate = false, true })
		}
	})
}

// Gateways that start together on PostgreSQL migrate once.
func TestGatewaysStartTogether(t *testing.T) {
	d := storetest.Postgres(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := d.TryOpen(func(o *store.Options) { o.Serve = true }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	db := d.Open(command)
	if n := count(t, db, `SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version`); n != 0 {
		t.Errorf("%d migrations ran twice", n)
	}
}

func TestFolderIsMade(t *testing.T) {
	d := storetest.SQLite(t)
	d.URL = "sqlite:" + filepath.Join(t.TempDir(), "odd ?name%20#", "var", "guichet.db")
	wantNames(t, newTable(t, d), "")
	info, err := os.Stat(filepath.Dir(d.Path()))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}
