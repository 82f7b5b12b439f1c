package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// migrated runs guichet migrate and returns the hash of each table.
func migrated(t *testing.T, from, to string) map[string]string {
	t.Helper()
	code, out, errs := guichet(t, "--config", "absent.yaml", "migrate", from, to, "--json")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	hashes := map[string]string{}
	for line := range strings.Lines(out) {
		var row migratedRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !row.Equal || row.Hash != row.ToHash || row.Rows != row.ToRows {
			t.Errorf("%+v", row)
		}
		hashes[row.Table] = fmt.Sprint(row.Rows, " ", row.Hash)
	}
	return hashes
}

// TestMigrate takes a store that real mails made from SQLite to PostgreSQL and
// back: nothing changes, and the gateway goes on with it on both.
func TestMigrate(t *testing.T) {
	t.Parallel()
	first, pg, last := storetest.SQLite(t), storetest.Postgres(t), storetest.SQLite(t)
	made := makeStore(t, first)
	schemas := storetest.Schemas(t)
	seed := first.Dump(schemas[len(schemas)-1], 0)
	there := migrated(t, first.URL, pg.URL)
	back := migrated(t, pg.URL, last.URL)
	if len(there) < 20 || !maps.Equal(there, back) {
		t.Errorf("hashes there: %v\nand back: %v", there, back)
	}
	for _, d := range []*storetest.Database{pg, last} {
		t.Run(d.Engine, func(t *testing.T) {
			g := seedGateway(t, d.URL)
			key, err := os.ReadFile(filepath.Join(made.dir, "guichet.key"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(g.dir, "guichet.key"), string(key))
			// What was to be tried again a minute later is due now.
			if _, err := d.SQL().Exec(`UPDATE outbox SET due = 0 WHERE state IN ('queued', 'sending')`); err != nil {
				t.Fatal(err)
			}
			g.start()
			t.Cleanup(g.stop)
			g.worksOn(seed)
		})
	}
	code, _, errs := guichet(t, "migrate", first.URL, last.URL)
	if code != exitRefused || !strings.Contains(errs, "it has been a complete copy of postgres://") {
		t.Errorf("a second time: exit %d, %s", code, errs)
	}
}

// TestMigrateUsage: exit codes and words.
func TestMigrateUsage(t *testing.T) {
	dir := t.TempDir()
	check := func(want int, words string, args ...string) {
		t.Helper()
		code, out, errs := guichet(t, append([]string{"migrate"}, args...)...)
		if code != want || !strings.Contains(errs, words) || out != "" {
			t.Errorf("migrate %v: exit %d, %s%s", args, code, out, errs)
		}
	}
	from := "sqlite:" + filepath.Join(dir, "a.db")
	check(exitUsage, "needs FROM and TO")
	check(exitUsage, "needs FROM and TO", from)
	check(exitUsage, "neither sqlite:PATH nor postgres://", from, "mysql://desk.example/a")
	check(exitUsage, "neither sqlite:PATH nor postgres://", filepath.Join(dir, "a.db"), from)
	check(exitRefused, "there is no database at", from, "sqlite:"+filepath.Join(dir, "b.db"))
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("it made %v", left)
	}
}

// TestMigrateServed: neither side is being served, and no incomplete copy is.
func TestMigrateServed(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		g := startGateway(t, d.URL)
		code, _, errs := guichet(t, "migrate", d.URL, storetest.SQLite(t).URL)
		if code != exitRefused || !strings.Contains(errs, "guichet serve is running on") || !strings.Contains(errs, "stop it first") {
			t.Errorf("from what is served: exit %d, %s", code, errs)
		}
		code, _, errs = guichet(t, "migrate", storetest.Postgres(t).URL, d.URL)
		if code != exitRefused {
			t.Errorf("to what is served: exit %d, %s", code, errs)
		}
		g.stop()

		to := storetest.SQLite(t)
		if d.Engine == "postgres" {
			to = storetest.Postgres(t)
		}
		migrated(t, d.URL, to.URL)
		if _, err := to.SQL().Exec(`UPDATE meta SET value = replace(value, '"done"', '"begun"') WHERE key = 'copy'`); err != nil {
			t.Fatal(err)
		}
		incomplete := newGateway(t, to.URL)
		for _, args := range [][]string{{"serve"}, {"ticket", "list"}} {
			cmd := programCmd(t, append(args, "--config", incomplete.config)...)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitRefused || !strings.Contains(string(out), "it is an incomplete copy of "+d.Engine) {
				t.Errorf("%v on an incomplete copy: exit %d, %s", args, cmd.ProcessState.ExitCode(), out)
			}
		}
	})
}

// grow gives the store rows and bytes enough to be interrupted in.
func grow(t *testing.T, d *storetest.Database, rows int) {
	t.Helper()
	db := d.SQL()
	for _, query := range []string{
		`INSERT INTO person (name) VALUES ('Somebody')`,
		`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(rows) + `)
			INSERT INTO ticket (version, number, desk, state, subject, created, updated)
			SELECT i, 'X-' || i, 'support', 'closed', 'Fault ' || i || ' é', 1000000 + i, -i FROM n`,
		`INSERT INTO event (ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
			SELECT id, created, 'a@customer.example', 'customer', 'mail', 'new', 'open', '<' || id || '@customer.example>', '' FROM ticket`,
		`INSERT INTO event (ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
			SELECT id, updated, '', '', 'deadline', 'open', 'closed', '', 'it''s over' FROM ticket`,
		`INSERT INTO address (address, person_id) SELECT 'c' || id || '@customer.example', (SELECT max(id) FROM person) FROM ticket`,
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaultMigrateKilled kills the copy at random and runs it again until it
// is done: it always goes on, and the copy is whole.
func TestFaultMigrateKilled(t *testing.T) {
	t.Parallel()
	from := storetest.SQLite(t)
	seed := storetest.LoadSeed(t, storetest.Schemas(t)[len(storetest.Schemas(t))-1])
	from.MigrateTo(seed.Schema)
	from.Fill(seed)
	grow(t, from, 8_000)
	model := storetest.SQLite(t)
	begin := time.Now()
	want := migrated(t, from.URL, model.URL)
	whole := time.Since(begin)
	storetest.Each(t, func(t *testing.T, to *storetest.Database) {
		kills, done := 0, false
		for !done {
			cmd := programCmd(t, "migrate", from.URL, to.URL)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// Later ones have less left to copy, and verify.
			until := rand.N(whole / 3)
			if kills == 20 {
				until = time.Minute
			}
			timer := time.AfterFunc(until, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			// A kill may come after the last commit, before the last line.
			if done = err == nil || strings.Contains(errs.String(), "it has been a complete copy of"); done {
				break
			}
			if cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("after %d kills: %v\n%s", kills, err, &errs)
			}
			kills++
		}
		if kills < 3 {
			t.Errorf("only %d kills", kills)
		}
		t.Logf("%d kills", kills)
		again := storetest.SQLite(t)
		if got := migrated(t, to.URL, again.URL); !maps.Equal(got, want) {
			t.Errorf("hashes of what was copied by %d runs: %v\nwant %v", kills+1, got, want)
		}
	})
}

// TestMigrateLarge copies a mail of 25 MB and many rows, both ways: memory is
// bounded by the batch and not by the mail.
func TestMigrateLarge(t *testing.T) {
	t.Parallel()
	tickets, size := 20_000, int64(25<<20)
	if testing.Short() { // the race detector makes them dear
		tickets, size = 4_000, 5<<20
	}
	from := storetest.SQLite(t)
	schemas := storetest.Schemas(t)
	from.MigrateTo(schemas[len(schemas)-1])
	grow(t, from, tickets)
	db := from.Open()
	w := db.NewRaw(t.Context())
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(w, random, size); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), "test", func(tx *store.Tx) error { _, _, _, err := w.Finish(tx); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	rows := tickets*4 + 102
	pg, back := storetest.Postgres(t), storetest.SQLite(t)
	for _, way := range [][2]*storetest.Database{{from, pg}, {pg, back}} {
		cmd := programCmd(t, "migrate", way[0].URL, way[1].URL)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		peak, err := peakMemory(cmd)
		if err != nil {
			t.Fatalf("%v: %s", err, &errs)
		}
		took := time.Since(begin)
		t.Logf("%s to %s: %d rows and %d MB in %v (%v of CPU): %.0f rows/s with the verification, %d MB at most", way[0].Engine,
			way[1].Engine, rows, size>>20, took.Round(time.Millisecond), cmd.ProcessState.UserTime().Round(time.Millisecond), float64(rows)/took.Seconds(), peak)
		if peak > 128 && !testing.Short() { // the race detector needs more
			t.Errorf("%d MB at most", peak)
		}
	}
}

// peakMemory waits for a process and returns how many MB were resident at
// most. Its rusage would count those of the test, which it was forked from.
func peakMemory(cmd *exec.Cmd) (peak int, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-tick.C:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); m != nil {
				kb, _ := strconv.Atoi(string(m[1]))
				peak = max(peak, kb>>10)
			}
		}
	}
}
