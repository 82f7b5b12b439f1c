package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

// TestLandedMigrations holds that a migration never changes once it is on
// main: databases of operators were made by it, and would be unlike new ones
// for ever.
func TestLandedMigrations(t *testing.T) {
	list := filepath.Join(storetest.Root(t), "testdata", "schemas", "landed.txt")
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	landed := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		landed[words[1]] = words[0]
	}
	found := map[string][]string{}
	for _, engine := range []string{"sqlite", "postgres"} {
		files := storetest.Migrations(t, engine)
		names, _ := fs.Glob(files, "*")
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			found[engine] = append(found[engine], name)
			sum := sha256.Sum256(data)
			checkLanded(t, engine+"/"+name, landed[engine+"/"+name], hex.EncodeToString(sum[:]))
			delete(landed, engine+"/"+name)
		}
	}
	for name := range landed {
		t.Errorf("%s is gone: databases that it has changed are about. Put it back", name)
	}
	if !slices.Equal(found["sqlite"], found["postgres"]) {
		t.Errorf("the engines' migrations have other names: %v", found)
	}
}

func checkLanded(t *testing.T, name, landed, now string) {
	switch landed {
	case now:
	case "":
		t.Errorf("%s is new: once it is final add this line to testdata/schemas/landed.txt:\n%s  %s", name, now, name)
	default:
		t.Errorf("%s has changed. If it is on main, put it back and write a further migration; "+
			"if it never was, its line in testdata/schemas/landed.txt is now:\n%s  %s", name, now, name)
	}
}

// TestSeeds: each schema has a seed in which every column of every table has
// a value, so that what an upgrade loses is seen.
func TestSeeds(t *testing.T) {
	for _, schema := range storetest.Schemas(t) {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			seed := storetest.LoadSeed(t, schema)
			if seed.Schema != schema {
				t.Errorf("it says that it is of schema %d", seed.Schema)
			}
			filled := map[string]bool{}
			for _, row := range seed.Rows {
				for name, v := range row.Values {
					filled[row.Table+"."+name] = filled[row.Table+"."+name] || v != nil
				}
			}
			d := storetest.SQLite(t)
			d.MigrateTo(schema)
			for table, columns := range d.Columns() {
				for _, name := range columns {
					if !filled[table+"."+name] {
						t.Errorf("no row of the seed has a value in %s.%s", table, name)
					}
				}
			}
		})
	}
}

// TestUpgrade brings a database of each schema that ever landed, with data, to
// today's: every row is there with the values it had, and no id is given
// again.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	schemas := storetest.Schemas(t)
	if testing.Short() {
		schemas = schemas[:1] // whose database goes through every migration
	}
	for _, schema := range schemas {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, d *storetest.Database) {
				t.Parallel()
				seed := storetest.LoadSeed(t, schema)
				d.MigrateTo(schema)
				d.Fill(seed)
				db := d.Open(func(o *store.Options) { o.Create, o.Migrate = false, true })
				if v := count(t, db, `SELECT max(version_id) FROM goose_db_version`); int64(v) != newest(t) {
					t.Errorf("the schema is now version %d", v)
				}
				moved(seed)
				checkSeed(t, d, seed)
				checkHighest(t, d, seed)
				if d.Engine == "sqlite" {
					checkIntegrity(t, db)
					if bad := d.Rows(`PRAGMA foreign_key_check`); len(bad) > 0 {
						t.Errorf("foreign keys: %v", bad)
					}
				}
				db.Close()
				checkSameSchema(t, d)
			})
		})
	}
}

// moved says where later schemas keep what a seed has: one rule for each
// migration that moves values.
func moved(seed *storetest.Seed) {
	if seed.Schema < 3 { // 00003: the finished mail of an outbox row
		for _, row := range seed.Rows {
			if row.Table != "outbox" {
				continue
			}
			mail := map[string]any{"outbox_id": row.Values["id"]}
			for _, name := range []string{"sender", "header", "body", "body_id"} {
				mail[name] = row.Values[name]
				delete(row.Values, name)
			}
			if mail["header"] != nil {
				seed.Rows = append(seed.Rows, storetest.SeedRow{Table: "outbox_mail", Values: mail})
			}
		}
	}
}

func newest(t *testing.T) int64 {
	all := storetest.Schemas(t)
	return all[len(all)-1]
}

// checkSeed holds that each row of a seed is there, alone, with all its
// values, and none besides.
func checkSeed(t *testing.T, d *storetest.Database, seed *storetest.Seed) {
	t.Helper()
	have := map[string]int{}
	counts := map[string]int64{}
	columnsOf := columnsOf(seed)
	for table, columns := range columnsOf {
		list := `"` + strings.Join(columns, `", "`) + `"`
		for _, row := range d.Rows(`SELECT ` + list + ` FROM ` + table) {
			have[rowText(table, row)]++
			counts[table]++
		}
	}
	for _, row := range seed.Rows {
		columns := columnsOf[row.Table]
		values := make([]any, len(columns))
		for i, name := range columns {
			values[i] = row.Values[name]
		}
		counts[row.Table]--
		if key := rowText(row.Table, values); have[key] != 1 {
			t.Errorf("%d of this row of %s: %.300s", have[key], row.Table, key)
		}
	}
	for table, more := range counts {
		if more != 0 {
			t.Errorf("%s has %+d rows now", table, more)
		}
	}
}

func columnsOf(seed *storetest.Seed) map[string][]string {
	columns := map[string][]string{}
	for _, row := range seed.Rows {
		if columns[row.Table] == nil {
			for name := range row.Values {
				columns[row.Table] = append(columns[row.Table], name)
			}
			slices.Sort(columns[row.Table])
		}
	}
	return columns
}

// rowText tells rows apart. Bytes, which may be megabytes, are their length
// and hash.
func rowText(table string, row []any) string {
	var b bytes.Buffer
	b.WriteString(table)
	for _, v := range row {
		if data, ok := v.([]byte); ok {
			fmt.Fprintf(&b, " %d bytes:%x", len(data), sha256.Sum256(data))
			continue
		}
		fmt.Fprintf(&b, " %T:%q", v, fmt.Sprint(v))
	}
	return b.String()
}

// checkHighest holds that a new row gets an id that no row ever had. A
// migration that makes a table anew must carry that along.
func checkHighest(t *testing.T, d *storetest.Database, seed *storetest.Seed) {
	t.Helper()
	for table, was := range seed.Highest {
		query, args := `SELECT seq FROM sqlite_sequence WHERE name = $1`, []any{table}
		if d.Engine == "postgres" {
			query = `SELECT last_value FROM pg_sequences WHERE schemaname || '.' || sequencename = pg_get_serial_sequence($1, 'id')`
		}
		rows := d.Rows(query, args...)
		if len(rows) != 1 || rows[0][0] == nil || rows[0][0].(int64) < was {
			t.Errorf("the highest id ever of %s was %d and is now %v", table, was, rows)
		}
	}
}

// checkSameSchema holds that an upgraded database is like a new one.
func checkSameSchema(t *testing.T, d *storetest.Database) {
	t.Helper()
	fresh := map[string]func(testing.TB) *storetest.Database{"sqlite": storetest.SQLite, "postgres": storetest.Postgres}[d.Engine](t)
	fresh.MigrateTo(newest(t))
	if got, want := shape(d), shape(fresh); got != want {
		t.Errorf("an upgraded database is unlike a new one:\n%s\nnew:\n%s", got, want)
	}
}

// shape is a database's schema as text, without the time it was made.
func shape(d *storetest.Database) string {
	query := `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE substr(name, 1, 7) <> 'sqlite_' ORDER BY 1, 2`
	if d.Engine == "postgres" {
		query = `SELECT 'column' AS type, table_name || '.' || column_name AS name, data_type || ' ' || is_nullable || ' ' ||
				is_identity || ' ' || coalesce(column_default, '') AS sql FROM information_schema.columns WHERE table_schema = current_schema()
			UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
			UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
				WHERE connamespace = current_schema()::regnamespace
			ORDER BY 1, 2`
	}
	var b strings.Builder
	for _, row := range d.Rows(query) {
		fmt.Fprintln(&b, row...)
	}
	return b.String()
}
