package store_test

import (
	"bytes"
	"database/sql"
	"math"
	"strings"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// What goes to SQLite on the writer's own way comes back as it went, and as a
// reader's connection reads it.
func TestLiteValues(t *testing.T) {
	db := storetest.ReadySQLite(t).Open()
	do(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec(`CREATE TABLE v (id INTEGER PRIMARY KEY, i, f, t, b, n)`)
		return err
	})
	long := strings.Repeat("é\n", 1<<20)
	type row struct {
		i int64
		f float64
		t string
		b []byte
	}
	for n, want := range []row{
		{0, 0, "", []byte{}},
		{math.MinInt64, -0.5, "a", []byte{0}},
		{math.MaxInt64, math.MaxFloat64, long, bytes.Repeat([]byte{0, 255, 'x'}, 1<<20)},
	} {
		id := in(t, db, func(tx *store.Tx) (int64, error) {
			return tx.Insert(`INSERT INTO v (i, f, t, b, n) VALUES (?, ?, ?, ?, ?) RETURNING id`, want.i, want.f, want.t, want.b, nil)
		})
		same(t, "id", id, int64(n+1))
		var got row
		read := func(tx *store.Tx) error {
			none := sql.NullString{String: "x", Valid: true}
			err := tx.Row(`SELECT i, f, t, b, n FROM v WHERE id = ?`, id).Scan(&got.i, &got.f, &got.t, &got.b, &none)
			same(t, "NULL", none.Valid, false)
			return err
		}
		for way, err := range map[string]error{
			"writer": db.Update(t.Context(), "test", read), "reader": db.View(t.Context(), read),
		} {
			errorIs(t, way, err, nil)
			if got.i != want.i || got.f != want.f || got.t != want.t || !bytes.Equal(got.b, want.b) || got.b == nil {
				t.Errorf("%s: row %d is %d, %g, %d and %d bytes", way, id, got.i, got.f, len(got.t), len(got.b))
			}
		}
	}
}

// What cannot be scanned is an error on both ways, and no value of its own.
func TestLiteScan(t *testing.T) {
	db := storetest.ReadySQLite(t).Open()
	var i int
	var small int8
	var yes bool
	var s string
	var state ticket.State
	var b []byte
	var null sql.NullInt64
	for _, c := range []struct {
		name, query string
		dest        []any
		ok          bool
	}{
		{"no row", `SELECT 1 WHERE 0`, []any{&i}, false},
		{"NULL into a number", `SELECT NULL`, []any{&i}, false},
		{"NULL into text", `SELECT NULL`, []any{&s}, false},
		{"NULL into bytes", `SELECT NULL`, []any{&b}, true},
		{"NULL where it may be", `SELECT NULL`, []any{&null}, true},
		{"text into a number", `SELECT 'x'`, []any{&i}, false},
		{"too large", `SELECT 300`, []any{&small}, false},
		{"two columns into one", `SELECT 1, 2`, []any{&i}, false},
		{"a flag", `SELECT 1`, []any{&yes}, true},
		{"a type of its own", `SELECT 'open'`, []any{&state}, true},
		{"bytes into text", `SELECT x'41'`, []any{&s}, true},
	} {
		read := func(tx *store.Tx) error { return tx.Row(c.query).Scan(c.dest...) }
		for way, err := range map[string]error{
			"writer": db.Update(t.Context(), "test", read), "reader": db.View(t.Context(), read),
		} {
			if (err == nil) != c.ok {
				t.Errorf("%s, %s: %v", c.name, way, err)
			}
		}
	}
	if !yes || state != "open" || s != "A" {
		t.Error(yes, state, s)
	}
}

// A statement that SQLite refuses says why, and one argument too few is none.
func TestLiteRefuses(t *testing.T) {
	db := storetest.ReadySQLite(t).Open()
	for query, want := range map[string]string{
		`SELECT nonsense`:                    "no such column: nonsense",
		`SELECT 1; SELECT 2`:                 "",
		``:                                   "",
		`SELECT ?`:                           "",
		`INSERT INTO person (id) VALUES (1)`: "NOT NULL constraint failed: person.name",
	} {
		err := db.Update(t.Context(), "test", func(tx *store.Tx) error { _, err := tx.Exec(query); return err })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", query, err, want)
		}
	}
}
