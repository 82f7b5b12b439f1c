//go:build crash

package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// init is also the program that is killed: it copies a database, and ends.
func init() {
	from, to, ok := strings.Cut(os.Getenv("GUICHET_COPY_URLS"), " ")
	if !ok {
		return
	}
	if err := store.Copy(context.Background(), from, to, store.CopyOptions{}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestFaultCopyPoints ends a copy before and after each kind of its commits:
// it is no store until it is done, and run again it goes on to the end.
func TestFaultCopyPoints(t *testing.T) {
	from := storetest.SQLite(t)
	seed := withoutLeases(filled(t, from))
	storetest.Each(t, func(t *testing.T, one *storetest.Database) {
		for _, point := range []string{"before copy begin", "after copy begin", "before copy table", "after copy table", "before copy batch:3",
			"after copy batch:12", "before copy ids", "after copy ids", "before copy end", "after copy end"} {
			to := one
			if one.Engine == "sqlite" {
				to = storetest.SQLite(t)
			} else if _, err := one.SQL().Exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "GUICHET_COPY_URLS="+from.URL+" "+to.URL, "GUICHET_CRASH="+point)
			if out, _ := cmd.CombinedOutput(); !killed(cmd) {
				t.Fatalf("nothing was killed %s: %s", point, out)
			}
			switch point {
			case "after copy end":
				wantCopyRefused(t, from, to, "it has been a complete copy")
			case "before copy begin":
				copied(t, from, to) // an empty store until then
			default:
				wantRefused(t, to, "it is an incomplete copy", command)
				copied(t, from, to)
			}
			to.Open(command).Close()
			dropState(t, to)
			checkSeed(t, to, seed)
		}
	})
}
