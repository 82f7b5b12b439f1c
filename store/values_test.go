package store_test

import (
	"database/sql"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

func TestRebind(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"SELECT 1", "SELECT 1"},
		{"a = ? AND b = ?", "a = $1 AND b = $2"},
		{"?, '?', ?", "$1, '?', $2"},
		{"'it''s ?' = ?", "'it''s ?' = $1"},
		{`"odd?" = ?`, `"odd?" = $1`},
		{"? -- why?\n, ?", "$1 -- why?\n, $2"},
		{"? /* why? 'no */ , ?", "$1 /* why? 'no */ , $2"},
		{"'open ?", "'open ?"},
		{"/* open ?", "/* open ?"},
		{"-- open ?", "-- open ?"},
		{"a - ? / ?", "a - $1 / $2"},
		{"(?,?,?,?,?,?,?,?,?,?,?)", "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)"},
		{"", ""},
	} {
		if got := store.Rebind(c.query); got != c.want {
			t.Errorf("%q: got %q, want %q", c.query, got, c.want)
		}
	}
}

func TestCleanOne(t *testing.T) {
	type state string
	type flag bool
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900, time.UTC)
	word, none := "w\x00", (*string)(nil)
	for _, c := range []struct{ arg, want any }{
		{nil, nil},
		{"é", "é"},
		{"a\xff\xfeb", "a\uFFFDb"},
		{"a\x00b", "a\uFFFDb"},
		{state("x\x00"), "x\uFFFD"},
		{true, int64(1)},
		{false, int64(0)},
		{flag(true), int64(1)},
		{7, int64(7)},
		{uint32(7), int64(7)},
		{time.Second, int64(1_000_000_000)},
		{at, at.UnixMicro()},
		{at.In(time.FixedZone("", 7200)), at.UnixMicro()},
		{time.Time{}, nil},
		{&word, "w\uFFFD"},
		{none, nil},
		{&at, at.UnixMicro()},
		{sql.NullString{String: "a\x00", Valid: true}, "a\uFFFD"},
		{sql.NullString{}, nil},
		{sql.NullTime{Time: at, Valid: true}, at.UnixMicro()},
		{sql.NullBool{Bool: true, Valid: true}, int64(1)},
	} {
		got, err := store.CleanOne(c.arg)
		if err != nil || got != c.want {
			t.Errorf("%#v: got %#v, %v, want %#v", c.arg, got, err, c.want)
		}
	}
	if _, err := store.CleanOne(struct{}{}); err == nil {
		t.Error("a struct was accepted")
	}
}

// What PostgreSQL would refuse, or store in another form, comes back alike.
func TestValuesComeBack(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := newTable(t, d)
		at := time.Date(2026, 11, 20, 8, 30, 0, 123456000, time.UTC)
		update(t, db, func(tx *store.Tx) error {
			for _, row := range [][]any{{"a\xff\x00b", at}, {"zero", time.Time{}}, {"flag", true}} {
				if _, err := tx.Exec(`INSERT INTO t (name, n) VALUES (?, ?)`, row...); err != nil {
					return err
				}
			}
			return nil
		})
		wantNames(t, db, "a\uFFFD\uFFFDb zero flag")
		read := func(name string, dest any) {
			t.Helper()
			err := db.View(t.Context(), func(tx *store.Tx) error {
				return tx.Row(`SELECT n FROM t WHERE name = ?`, name).Scan(dest)
			})
			if err != nil {
				t.Error(err)
			}
		}
		var got store.Micros
		if read("a\xff\x00b", &got); got.Time() != at {
			t.Errorf("got %v, want %v", got.Time(), at)
		}
		if read("zero", &got); !got.Time().IsZero() {
			t.Errorf("got %v, want the zero time", got.Time())
		}
		var flag bool
		if read("flag", &flag); !flag {
			t.Error("the flag is not set")
		}
	})
}

func TestKeyFingerprints(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		db := d.Open()
		read := func() (got []string) {
			err := db.View(t.Context(), func(tx *store.Tx) (err error) {
				got, err = tx.KeyFingerprints()
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return got
		}
		if got := read(); len(got) != 0 {
			t.Errorf("a new database has %q", got)
		}
		for _, want := range [][]string{{"aa"}, {"bb", "cc"}} {
			update(t, db, func(tx *store.Tx) error { return tx.SetKeyFingerprints(want) })
			if got := read(); len(got) != len(want) || got[0] != want[0] {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}
