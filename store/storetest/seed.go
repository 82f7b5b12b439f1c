package storetest

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A Seed is what a database of an earlier schema held: rows of every table,
// made by the program of that day. testdata/schemas/README.md says how one is
// made; afterwards it never changes.
type Seed struct {
	Schema  int64
	Made    time.Time
	Highest map[string]int64 // the highest id ever given, by table; rows may be gone
	Rows    []SeedRow
}

// A SeedRow is one row: int64, string, []byte or nil by column.
type SeedRow struct {
	Table  string
	Values map[string]any
}

// SeedPath is the file of a schema's seed.
func SeedPath(t testing.TB, schema int64) string {
	return filepath.Join(Root(t), "testdata", "schemas", fmt.Sprintf("%05d.jsonl", schema))
}

// LoadSeed reads the seed of a schema. One that is missing fails the test,
// with what to do.
func LoadSeed(t testing.TB, schema int64) *Seed {
	t.Helper()
	f, err := os.Open(SeedPath(t, schema))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is no data of schema %d to be upgraded later: once its migration is final run "+
			"\"make seed\" and commit testdata/schemas/%05d.jsonl with it", schema, schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := readSeed(f)
	if err != nil {
		t.Fatalf("%s: %v", f.Name(), err)
	}
	return s
}

// seedHead is the first line of a seed's file, seedLine every other.
type (
	seedHead struct {
		Schema  int64            `json:"schema"`
		Made    time.Time        `json:"made"`
		Highest map[string]int64 `json:"highest"`
	}
	seedLine struct {
		Table string         `json:"table"`
		Row   map[string]any `json:"row"`
	}
)

func readSeed(r io.Reader) (*Seed, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	var head seedHead
	s := &Seed{}
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
				return nil, err
			}
			s.Schema, s.Made, s.Highest = head.Schema, head.Made, head.Highest
			continue
		}
		var line seedLine
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		for name, v := range line.Row {
			value, err := unpack(v)
			if err != nil {
				return nil, fmt.Errorf("line %d: %s: %w", n+1, name, err)
			}
			line.Row[name] = value
		}
		s.Rows = append(s.Rows, SeedRow{line.Table, line.Row})
	}
	return s, lines.Err()
}

// unpack is the value of a column: a number, text, null, or bytes as
// {"text": …}, {"hex": …} or {"zlib": base64}.
func unpack(v any) (any, error) {
	switch v := v.(type) {
	case nil, string:
		return v, nil
	case json.Number:
		return v.Int64()
	case map[string]any:
		for how, text := range v {
			text, _ := text.(string)
			switch how {
			case "text":
				return []byte(text), nil
			case "hex":
				return hex.DecodeString(text)
			case "zlib":
				r, err := zlib.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
				if err != nil {
					return nil, err
				}
				return io.ReadAll(r)
			}
		}
	}
	return nil, fmt.Errorf("%T is no value", v)
}

func pack(v any) any {
	b, ok := v.([]byte)
	switch {
	case !ok:
		return v
	case len(b) > 2000:
		var buf bytes.Buffer
		w := zlib.NewWriter(&buf)
		w.Write(b)
		w.Close()
		return map[string]string{"zlib": base64.StdEncoding.EncodeToString(buf.Bytes())}
	case utf8.Valid(b):
		return map[string]string{"text": string(b)}
	}
	return map[string]string{"hex": hex.EncodeToString(b)}
}

// Save writes the seed to its file, which must not exist: what a program of
// the past wrote does not change.
func (s *Seed) Save(t testing.TB) {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.Encode(seedHead{s.Schema, s.Made, s.Highest})
	for _, row := range s.Rows {
		packed := map[string]any{}
		for name, v := range row.Values {
			packed[name] = pack(v)
		}
		enc.Encode(seedLine{row.Table, packed})
	}
	f, err := os.OpenFile(SeedPath(t, s.Schema), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(out.Bytes())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Dump makes a seed of what a SQLite database holds now. lost is how many ids
// are given out in every table and gone since, which is to be seen afterwards.
func (d *Database) Dump(schema, lost int64) *Seed {
	d.t.Helper()
	s := &Seed{Schema: schema, Made: time.Now().UTC().Truncate(time.Second), Highest: map[string]int64{}}
	columns := d.Columns()
	for _, table := range sortedKeys(columns) {
		list := `"` + strings.Join(columns[table], `", "`) + `"`
		for _, row := range d.Rows(`SELECT ` + list + ` FROM ` + table + ` ORDER BY ` + list) {
			values := map[string]any{}
			for i, name := range columns[table] {
				values[name] = row[i]
			}
			s.Rows = append(s.Rows, SeedRow{table, values})
		}
	}
	for _, row := range d.Rows(`SELECT name, seq FROM sqlite_sequence`) {
		if table := row[0].(string); columns[table] != nil {
			s.Highest[table] = row[1].(int64) + lost
		}
	}
	return s
}

// Shift moves all times of a seed, so that it was made a while ago: timers
// and retries go by the clock. Whole numbers that are microseconds since 2020
// are times; ids are not as large.
func (s *Seed) Shift(by time.Duration) {
	for _, row := range s.Rows {
		for name, v := range row.Values {
			if n, ok := v.(int64); ok && n > 1_577_836_800_000_000 && n < 4_102_444_800_000_000 {
				row.Values[name] = n + by.Microseconds()
			}
		}
	}
	s.Made = s.Made.Add(by)
}

// Of are the rows of a table.
func (s *Seed) Of(table string) (rows []map[string]any) {
	for _, row := range s.Rows {
		if row.Table == table {
			rows = append(rows, row.Values)
		}
	}
	return rows
}

// Fill puts a seed into a database of its schema.
func (d *Database) Fill(s *Seed) {
	d.t.Helper()
	db := d.SQL()
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		d.t.Fatal(err)
	}
	defer tx.Rollback()
	exec := func(query string, args ...any) {
		d.t.Helper()
		if _, err := tx.Exec(query, args...); err != nil {
			d.t.Fatalf("storetest: fill: %s: %v", query, err)
		}
	}
	if d.Engine == "postgres" {
		exec(`SET LOCAL session_replication_role = replica`) // rows come in any order
	}
	for _, row := range s.Rows {
		names := sortedKeys(row.Values)
		marks, args := make([]string, len(names)), make([]any, len(names))
		for i, name := range names {
			marks[i], args[i] = fmt.Sprintf("$%d", i+1), row.Values[name]
		}
		exec(`INSERT INTO `+row.Table+` ("`+strings.Join(names, `", "`)+`") VALUES (`+strings.Join(marks, ", ")+`)`, args...)
	}
	for _, table := range sortedKeys(s.Highest) {
		if d.Engine == "postgres" {
			exec(`SELECT setval(pg_get_serial_sequence($1, 'id'), $2)`, table, s.Highest[table])
			continue
		}
		exec(`DELETE FROM sqlite_sequence WHERE name = $1`, table)
		exec(`INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)`, table, s.Highest[table])
	}
	if err := tx.Commit(); err != nil {
		d.t.Fatal(err)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
