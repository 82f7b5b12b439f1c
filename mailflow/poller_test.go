//go:build crash

package mailflow

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

const (
	openTickets = 1_000_000
	dueInMinute = 10_000
)

// filled runs statements on a database past the store, which has none that
// make a million rows.
func filled(t *testing.T, d *storetest.Database, statements ...string) {
	t.Helper()
	db := rawSQL(t, d)
	defer db.Close()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%v: %s", err, q)
		}
	}
}

func rawSQL(t *testing.T, d *storetest.Database) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", d.URL
	if d.Engine == "sqlite" {
		driver, dsn = "sqlite3", d.Path()
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// tell gives one number of the database.
func tell(t *testing.T, d *storetest.Database, query string) (n int) {
	t.Helper()
	db := rawSQL(t, d)
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	return n
}

// inMemory keeps the files of a test off the disk where it can: none of it is
// about fsync.
func inMemory(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

// TestFaultMillionOpen has a million open tickets: while nothing is due they
// cost no more than none, and ten thousand that are due within one minute are
// each stepped once, within a second of their time.
func TestFaultMillionOpen(t *testing.T) {
	inMemory(t)
	storetest.Long(t, func(t *testing.T, d *storetest.Database) {
		w := newWorld(t, d)
		idle := w.idlePoll()
		begin := w.now().Add(time.Hour)
		w.fillOpen(t, d, begin)
		million := w.idlePoll()
		w.at(begin)
		slowest := time.Duration(0)
		for w.now().Before(begin.Add(time.Minute + duePoll)) {
			began := time.Now()
			w.f.due(ctx, &w.late)
			slowest = max(slowest, time.Since(began))
			w.pass(duePoll)
		}
		t.Logf("figure %s idle_poll_us %d, with a million %d, slowest_poll_ms %d", t.Name(), idle.Microseconds(), million.Microseconds(), slowest.Milliseconds())
		if million > 3*idle+time.Millisecond {
			t.Errorf("an idle poll takes %s with a million tickets, %s with none", million, idle)
		}
		if slowest > 30*time.Second {
			t.Errorf("a poll took %s", slowest)
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM event WHERE type = 'deadline'`:                  dueInMinute,
			`SELECT count(DISTINCT ticket_id) FROM event WHERE type = 'deadline'`: dueInMinute,
			`SELECT count(*) FROM outbox WHERE kind = 'reminder'`:                 dueInMinute,
			// None before its time, nor a second after it.
			fmt.Sprintf(`SELECT count(*) FROM event e WHERE type = 'deadline' AND (at < %[1]d + (ticket_id - 1) * 6000
				OR at > %[1]d + (ticket_id - 1) * 6000 + 1000000)`, begin.UnixMicro()): 0,
		} {
			if n := tell(t, d, query); n != want {
				t.Errorf("%s: %d, want %d", query, n, want)
			}
		}
	})
}

// fillOpen makes the tickets, the first ten thousand due from a time on within
// a minute, the others later.
func (w *world) fillOpen(t *testing.T, d *storetest.Database, begin time.Time) {
	t.Helper()
	began := time.Now()
	filled(t, d, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO ticket (id, version, number, desk, state, subject, created, updated, deadline, next)
		SELECT i, 1, 'INC-' || i, 'support', 'pending', 's', %[2]d, %[2]d,
			CASE WHEN i <= %[3]d THEN %[4]d + (i - 1) * 6000 ELSE %[4]d + 3600000000 + CAST(i AS BIGINT) * 1000000 END, 'reminder' FROM n`,
		openTickets, w.now().UnixMicro(), dueInMinute, begin.UnixMicro()),
		`INSERT INTO party (ticket_id, ordinal, role, address, name, person_id, added_by, since, link)
		SELECT id, 1, 'customer', 'p' || id || '@customer.example', '', 1, '', 0, 'link' || id FROM ticket`)
	t.Logf("filled in %s", time.Since(began).Round(time.Millisecond))
}

// idlePoll is the median time of a poll that finds nothing.
func (w *world) idlePoll() time.Duration {
	w.t.Helper()
	var took []time.Duration
	for range 201 {
		began := time.Now()
		if n := w.f.due(ctx, &w.late); n != 0 {
			w.t.Fatalf("%d steps were due", n)
		}
		took = append(took, time.Since(began))
		w.pass(duePoll)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// TestFaultTimerStorm lets two weeks pass over five thousand due reminders:
// each ticket is reminded once, at most sixty in any minute.
func TestFaultTimerStorm(t *testing.T) {
	inMemory(t)
	storetest.Long(t, func(t *testing.T, d *storetest.Database) {
		const tickets, rate = 5000, 60
		w := newWorld(t, d)
		for i := 0; i < tickets; i += 100 {
			w.update(func(tx *store.Tx) (err error) {
				for j := i; j < i+100 && err == nil; j++ {
					err = w.overdue(tx, j)
				}
				return err
			})
		}
		w.pass(14 * day)
		began := w.now()
		for range tickets + 60 {
			w.f.due(ctx, &w.late)
			w.pass(time.Second)
		}
		var at []time.Time
		for _, o := range w.outbox(store.Queued) {
			if o.Kind == ticket.Reminder {
				at = append(at, o.Created)
			}
		}
		slices.SortFunc(at, time.Time.Compare)
		for i := range at {
			if j := i + rate; j < len(at) && at[j].Sub(at[i]) < time.Minute {
				t.Fatalf("%d reminders within %s", rate+1, at[j].Sub(at[i]))
			}
		}
		if len(at) != tickets {
			t.Errorf("%d reminders of %d tickets", len(at), tickets)
		}
		if n := tell(t, d, `SELECT count(DISTINCT ticket_id) FROM event WHERE type = 'deadline'`); n != tickets {
			t.Errorf("%d tickets were stepped", n)
		}
		t.Logf("figure %s all_after_min %.0f", strings.TrimPrefix(t.Name(), "Test"), at[len(at)-1].Sub(began).Minutes())
	})
}
