package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"guichet/store"
)

func newMigrate(e *env) *cobra.Command {
	return e.withJSON(&cobra.Command{
		Use:   "migrate FROM TO",
		Short: "Copy a whole store to another database, of the same engine or the other",
		Long: `Migrate copies everything in FROM to TO. Both are sqlite:PATH or postgres://…,
a PATH being relative to the current folder; the configuration is not read.

No gateway may serve FROM meanwhile, and TO must be empty or not there yet.
Interrupted, it goes on where it was when it is run again. At the end both
sides are read again, and one line is printed for each table: its rows and
their hash. Until all are equal guichet serve refuses TO. FROM stays as it is.

Afterwards name TO as "database" in the configuration, and keep secret_file:
it belongs to the store, wherever that is.

To bring a database to a newer program's schema needs no command: guichet
serve does it when it starts.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError("migrate needs FROM and TO, each sqlite:PATH or postgres://…")
			}
			for _, url := range args {
				if !isDatabase(url) {
					return usageError("%q is neither sqlite:PATH nor postgres://…", url)
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return e.migrate(c.Context(), args[0], args[1]) },
	})
}

func isDatabase(url string) bool {
	path, lite := strings.CutPrefix(url, "sqlite:")
	return lite && path != "" || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// migratedRow is a table as both sides have it.
type migratedRow struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	Hash   string `json:"hash"`
	ToRows int64  `json:"to_rows"`
	ToHash string `json:"to_hash"`
	Equal  bool   `json:"equal"`
}

func (e *env) migrate(ctx context.Context, from, to string) error {
	var failed error
	out := tabwriter.NewWriter(e.stdout, 30, 8, 2, ' ', 0)
	err := store.Copy(ctx, from, to, store.CopyOptions{
		Log:      slog.New(slog.NewTextHandler(e.stderr, nil)),
		Progress: e.copyProgress(),
		Verified: func(t store.CopiedTable) {
			if e.json {
				failed = errors.Join(failed, e.printJSON(migratedRow{t.Table, t.From.Rows, t.From.Hash, t.To.Rows, t.To.Hash, t.Equal()}))
				return
			}
			fmt.Fprintf(out, "%s\t%d rows\t%s\n", t.Table, t.From.Rows, t.From.Hash)
			if !t.Equal() {
				fmt.Fprintf(out, "%s, THE COPY\t%d rows\t%s\n", t.Table, t.To.Rows, t.To.Hash)
			}
			failed = errors.Join(failed, out.Flush())
		},
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	fmt.Fprintln(e.stderr, "The copy is complete. Name it as database in the configuration; secret_file stays the same.")
	return failed
}

// copyProgress tells of each table when it begins, and once a second.
func (e *env) copyProgress() func(string, int64) {
	var table string
	var at time.Time
	return func(now string, rows int64) {
		if now == table && time.Since(at) < time.Second {
			return
		}
		table, at = now, time.Now()
		fmt.Fprintf(e.stderr, "copying %s: %d rows\n", now, rows)
	}
}
