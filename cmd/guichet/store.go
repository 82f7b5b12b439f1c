package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"guichet/store"
)

// withStore runs fn on the configured store, beside a running gateway.
func (e *env) withStore(ctx context.Context, fn func(*Config, *store.DB) error) error {
	cfg, _, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, cfg.Database, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(fn(cfg, db), db.Close())
}

// view runs one read.
func (e *env) view(ctx context.Context, fn func(*store.Tx) error) error {
	return e.withStore(ctx, func(_ *Config, db *store.DB) error { return db.View(ctx, fn) })
}

// update runs one write.
func (e *env) update(ctx context.Context, what string, fn func(*store.Tx) error) error {
	return e.withStore(ctx, func(_ *Config, db *store.DB) error { return db.Update(ctx, what, fn) })
}

// rowID reads an id as lists print it.
func rowID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 {
		return 0, usageError("%q is no id; the list prints them", s)
	}
	return id, nil
}

func found(err error, what string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return refuse("no "+what, args...)
	}
	return err
}

// stamp is a time as JSON rows have it: RFC 3339 in UTC, or null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// text is a value as JSON rows have it: null if there is none.
func text[S ~string](s S) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// table prints rows in columns for people.
func (e *env) table(header string, rows [][]any) error {
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, header)
	for _, row := range rows {
		for i, cell := range row {
			if cell == nil {
				cell = "-"
			}
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
