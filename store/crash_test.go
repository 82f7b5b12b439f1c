package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// childURL is set in a process that TestKilledUnderLoad started: the database
// to be written.
func childURL() string { return os.Getenv("GUICHET_CRASH_URL") }

// crashChild writes for ever from eight goroutines, and prints a line for
// what was acknowledged: "row NAME" or "raw ID SHA256".
func crashChild() {
	db, err := store.Open(context.Background(), childURL(), store.Options{Serve: true})
	if err != nil {
		fmt.Println("open", err)
		os.Exit(1)
	}
	var mu sync.Mutex // a line is written whole
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(words...)
	}
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				if err := childWrite(db, say, fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i), i%8 == g); err != nil {
					say("error", strings.ReplaceAll(err.Error(), "\n", " "))
				}
			}
		}()
	}
	<-db.Failed()
	os.Exit(3)
}

func childWrite(db *store.DB, say func(...any), name string, large bool) error {
	ctx := context.Background()
	if !large {
		if err := db.Update(ctx, "test", insertName(name)); err != nil {
			return err
		}
		say("row", name)
		return nil
	}
	w := db.NewRaw(ctx)
	defer w.Abort()
	if _, err := w.Write(mail(300_000 + rand.IntN(300_000))); err != nil {
		return err
	}
	var id int64
	var sum string
	err := db.Update(ctx, "test", func(tx *store.Tx) (err error) {
		id, sum, _, err = w.Finish(tx)
		return err
	})
	if err == nil {
		say("raw", id, sum)
	}
	return err
}

// TestKilledUnderLoad kills a writing process twenty times, three with -short; what it had
// acknowledged by then is there, whole, and what it had not is no obstacle.
//
// It does not test fsync: what a killed process wrote is in the page cache.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		rounds := map[string]int{"sqlite": 20, "postgres": 5}[d.Engine]
		if testing.Short() {
			rounds = 3
		}
		newTable(t, d).Close()
		var acked [][]string
		for range rounds {
			acked = append(acked, runChild(t, d, 1+rand.IntN(300))...)
		}
		t.Logf("%d acknowledged in %d rounds", len(acked), rounds)
		db := d.Open(func(o *store.Options) { o.Serve = true })
		have := map[string]bool{}
		for _, name := range strings.Fields(names(t, db)) {
			have[name] = true
		}
		for _, a := range acked {
			if a[0] == "row" && !have[a[1]] {
				t.Errorf("lost row %s", a[1])
			}
			if a[0] == "raw" {
				checkRaw(t, db, a[1], a[2])
			}
		}
		left := count(t, db, `SELECT count(*) FROM raw WHERE complete = 0`)
		if n, err := db.SweepRaw(t.Context(), 0); n != left || err != nil {
			t.Errorf("swept %d of %d, %v", n, left, err)
		}
		if d.Engine == "sqlite" {
			checkIntegrity(t, db)
		}
	})
}

// runChild starts a child, kills it after it acknowledged n times, and
// returns what it acknowledged, the lines that were under way included.
func runChild(t *testing.T, d *storetest.Database, n int) (acked [][]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GUICHET_CRASH_URL="+d.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "row" && len(words) < 3 {
			continue // the last line, cut off
		}
		if words[0] != "row" && words[0] != "raw" {
			t.Errorf("the child says: %s", lines.Text())
			continue
		}
		if acked = append(acked, words); len(acked) == n {
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || len(acked) < n {
		t.Errorf("the child ended by itself after %d: %v\n%s", len(acked), err, &stderr)
	}
	return acked
}

func checkRaw(t *testing.T, db *store.DB, id, want string) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		var n int64
		if _, err := fmt.Sscan(id, &n); err != nil {
			return err
		}
		data, err := tx.ReadRaw(n)
		if sum := sha256.Sum256(data); err == nil && hex.EncodeToString(sum[:]) != want {
			err = errors.New("other bytes")
		}
		return err
	})
	if err != nil {
		t.Errorf("lost raw %s: %v", id, err)
	}
}

func checkIntegrity(t *testing.T, db *store.DB) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		var result string
		err := tx.Row(`PRAGMA integrity_check`).Scan(&result)
		if err == nil && result != "ok" {
			err = errors.New(result)
		}
		return err
	})
	if err != nil {
		t.Errorf("integrity: %v", err)
	}
}

// TestFsyncFails runs a child whose disk fails (each fsync from the 40th on
// returns EIO): it stops by itself, acknowledges nothing more, and what it
// acknowledged before is there.
func TestFsyncFails(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("no strace to make fsync fail: apt-get install strace")
	}
	d := storetest.SQLite(t)
	newTable(t, d).Close()
	cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:error=EIO:when=40+", os.Args[0])
	cmd.Env = append(os.Environ(), "GUICHET_CRASH_URL="+d.URL)
	out, err := cmd.Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 {
		t.Fatalf("the child ended with %v:\n%s", err, out)
	}
	db := d.Open()
	have := " " + names(t, db) + " "
	rows := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		switch {
		case words[0] == "row":
			rows++
			if !strings.Contains(have, " "+words[1]+" ") {
				t.Errorf("lost row %s", words[1])
			}
		case words[0] == "raw":
			checkRaw(t, db, words[1], words[2])
		case !strings.Contains(line, "the database's disk failed"):
			t.Errorf("the child says: %s", line)
		}
	}
	if rows == 0 {
		t.Error("the disk failed before the first row")
	}
	checkIntegrity(t, db)
}
