//go:build crash

package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// init is also the program that is killed: it opens a database, which
// migrates it, and ends.
func init() {
	url := os.Getenv("GUICHET_MIGRATE_URL")
	if url == "" {
		return
	}
	db, err := store.Open(context.Background(), url, store.Options{Create: true})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	db.Close()
	os.Exit(0)
}

// migrator is a process that migrates the database.
func migrator(d *storetest.Database, point string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GUICHET_MIGRATE_URL="+d.URL, "GUICHET_CRASH="+point)
	return cmd
}

func killed(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// TestFaultMigrationPoints ends the program before and after the commit of
// each migration, from every schema: the database is then of one schema or
// the next, and the next start finishes.
func TestFaultMigrationPoints(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		m := newMigrations(t, d)
		for from := range m.versions {
			for to := from; to < len(m.versions); to++ {
				if from > 0 && to == from {
					continue // there is nothing to be done
				}
				for _, when := range []string{"before", "after"} {
					if m.versions[to] == 0 && when == "after" {
						continue // goose's table; see "before migration 1"
					}
					point := fmt.Sprintf("%s migration %d", when, m.versions[to])
					d := m.database(from)
					cmd := migrator(d, point)
					if out, _ := cmd.CombinedOutput(); !killed(cmd) {
						t.Fatalf("from schema %d: nothing was killed %s: %s", m.versions[from], point, out)
					}
					want := m.versions[to]
					if when == "before" {
						want = m.versions[max(to-1, 0)]
					}
					m.check(d, from, fmt.Sprintf("from schema %d, killed %s", m.versions[from], point), want)
				}
			}
		}
	})
}

// TestFaultMigrationKilled is the same at random times.
func TestFaultMigrationKilled(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		// Killing a client of PostgreSQL mostly shows that of PostgreSQL.
		rounds := map[string]int{"sqlite": 50, "postgres": 10}[d.Engine]
		m := newMigrations(t, d)
		begin := time.Now()
		if out, err := migrator(m.database(0), "").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		whole := time.Since(begin)
		found := map[int64]int{}
		died := 0
		for round := range rounds {
			from := round % max(1, len(m.versions)-1)
			d := m.database(from)
			cmd := migrator(d, "")
			begin := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(rand.N(whole*3/2), func() { cmd.Process.Kill() })
			cmd.Wait()
			timer.Stop()
			if killed(cmd) {
				died++
			} else {
				whole = min(whole, time.Since(begin)) // the first was in a slow moment
			}
			found[m.check(d, from, fmt.Sprintf("round %d", round), -1)]++
		}
		t.Logf("%d of %d killed, a whole start takes %v; the schema found, and how often: %v", died, rounds, whole.Round(time.Millisecond), found)
		if died < rounds/4 {
			t.Errorf("only %d of %d were killed", died, rounds)
		}
	})
}

// migrations knows how a database of each version looks.
type migrations struct {
	t        *testing.T
	engine   string
	versions []int64 // 0 first: no database yet
	shapes   map[int64]string
	seeds    map[int64]*storetest.Seed
	one      *storetest.Database // PostgreSQL takes long to make another
}

func newMigrations(t *testing.T, d *storetest.Database) *migrations {
	m := &migrations{t: t, engine: d.Engine, versions: append([]int64{0}, storetest.Schemas(t)...),
		shapes: map[int64]string{}, seeds: map[int64]*storetest.Seed{}, one: d}
	for i, v := range m.versions[1:] {
		m.seeds[v] = storetest.LoadSeed(t, v)
		m.shapes[v] = shape(m.database(i + 1))
	}
	return m
}

// database is a new one of the i-th version with its seed.
func (m *migrations) database(i int) *storetest.Database {
	d := m.one
	if m.engine == "sqlite" {
		d = storetest.SQLite(m.t)
	} else if _, err := d.SQL().Exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		m.t.Fatal(err)
	}
	if v := m.versions[i]; v > 0 {
		d.MigrateTo(v)
		d.Fill(m.seeds[v])
	}
	return d
}

// ended waits until the server has noticed that its client was killed.
func (m *migrations) ended(d *storetest.Database) {
	for begin := time.Now(); m.engine == "postgres"; {
		if d.Rows(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'guichet'`)[0][0] == int64(0) {
			return
		}
		if time.Since(begin) > 30*time.Second {
			m.t.Fatal("the killed program is still connected")
		}
	}
}

// check looks at a database that was being brought up from a version: it is of
// one schema, want if that is not -1, and the next start brings it to the
// newest with all its data. It returns the version that was found.
func (m *migrations) check(d *storetest.Database, from int, what string, want int64) int64 {
	m.t.Helper()
	m.ended(d)
	have := m.version(d)
	if have > 0 && m.shapes[have] != shape(d) {
		m.t.Errorf("%s: it says that it is of schema %d, and is:\n%s", what, have, shape(d))
	}
	if tables := len(d.Columns()); have == 0 && tables > 0 {
		m.t.Errorf("%s: it says that there is no schema, and has %d tables", what, tables)
	}
	if want >= 0 && have != want {
		m.t.Errorf("%s: the schema is %d, want %d", what, have, want)
	}
	db, err := store.Open(m.t.Context(), d.URL, store.Options{Create: true})
	if err != nil {
		m.t.Fatalf("%s: the next start: %v", what, err)
	}
	db.Close()
	newest := m.versions[len(m.versions)-1]
	if v := m.version(d); v != newest || shape(d) != m.shapes[newest] {
		m.t.Errorf("%s: after the next start the schema is %d:\n%s", what, v, shape(d))
	}
	if v := m.versions[from]; v > 0 {
		seed := storetest.LoadSeed(m.t, v)
		moved(seed)
		checkSeed(m.t, d, seed)
	}
	return have
}

// version is what goose's table says; 0 if there is none.
func (m *migrations) version(d *storetest.Database) int64 {
	if d.Engine == "sqlite" {
		if _, err := os.Stat(filepath.Clean(d.Path())); err != nil {
			return 0
		}
	}
	query := `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`
	if d.Engine == "postgres" {
		query = strings.Replace(query, "sqlite_schema WHERE name", "pg_tables WHERE tablename", 1)
	}
	if d.Rows(query)[0][0] == int64(0) {
		return 0
	}
	return d.Rows(`SELECT max(version_id) FROM goose_db_version`)[0][0].(int64)
}
