package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
	"github.com/pressly/goose/v3"
)

// Root is the folder of go.mod, above that of the running test.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			err = errors.New("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal(err)
	return ""
}

// Migrations are the files of an engine's migrations.
func Migrations(t testing.TB, engine string) fs.FS {
	return os.DirFS(filepath.Join(Root(t), "store", "migrations", engine))
}

// Schemas are the versions that the schema had, oldest first; the last one is
// today's.
func Schemas(t testing.TB) (versions []int64) {
	t.Helper()
	names, err := fs.Glob(Migrations(t, "sqlite"), "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for _, name := range names {
		v, err := goose.NumericComponent(path.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	slices.Sort(versions)
	return versions
}

// MigrateTo makes the database, or brings it, to a version of the schema, as
// the program of that day did.
func (d *Database) MigrateTo(version int64) {
	d.t.Helper()
	dialect := map[string]goose.Dialect{"sqlite": goose.DialectSQLite3, "postgres": goose.DialectPostgres}[d.Engine]
	db := d.SQL()
	defer db.Close()
	p, err := goose.NewProvider(dialect, db, Migrations(d.t, d.Engine), goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = p.UpTo(context.Background(), version)
	}
	if err != nil {
		d.t.Fatalf("storetest: schema %d: %v", version, err)
	}
}

// SQL is a connection beside the store's own, for what its API does not do.
// On SQLite it makes the file, and foreign keys are not held.
func (d *Database) SQL() *sql.DB {
	d.t.Helper()
	driver, dsn := "pgx", d.URL
	if d.Engine == "sqlite" {
		driver = "sqlite3"
		dsn = (&url.URL{Scheme: "file", OmitHost: true, Path: d.Path(), RawQuery: "_journal_mode=WAL&_busy_timeout=5000"}).String()
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		d.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	d.t.Cleanup(func() { db.Close() })
	return db
}

// Columns are the tables of the schema, without goose's own and the
// engine's, and the names of their columns.
func (d *Database) Columns() map[string][]string {
	d.t.Helper()
	query := `SELECT l.name, c.name FROM pragma_table_list l JOIN pragma_table_info(l.name) c
		WHERE l.schema = 'main' AND l.type = 'table' AND substr(l.name, 1, 7) <> 'sqlite_' AND l.name <> 'goose_db_version'`
	if d.Engine == "postgres" {
		query = `SELECT table_name, column_name FROM information_schema.columns
			WHERE table_schema = current_schema() AND table_name <> 'goose_db_version'`
	}
	tables := map[string][]string{}
	for _, row := range d.Rows(query) {
		table := fmt.Sprint(row[0])
		tables[table] = append(tables[table], fmt.Sprint(row[1]))
	}
	return tables
}

// Rows are what a query returns: int64, string, []byte or nil.
func (d *Database) Rows(query string, args ...any) (all [][]any) {
	d.t.Helper()
	db := d.SQL()
	defer db.Close()
	rows, err := db.Query(query, args...)
	if err != nil {
		d.t.Fatalf("storetest: %s: %v", query, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		d.t.Fatal(err)
	}
	for rows.Next() {
		row := make([]any, len(types))
		ptrs := make([]any, len(types))
		for i := range row {
			ptrs[i] = &row[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			d.t.Fatal(err)
		}
		for i := range row {
			row[i] = oneKind(row[i], types[i].DatabaseTypeName())
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// oneKind makes the values of both engines alike: SQLite may keep text in a
// column of bytes and gives bytes for some text.
func oneKind(v any, column string) any {
	bytes := strings.EqualFold(column, "BLOB") || strings.EqualFold(column, "BYTEA")
	switch v := v.(type) {
	case string:
		if bytes {
			return []byte(v)
		}
	case []byte:
		if !bytes {
			return string(v)
		}
	case int32:
		return int64(v)
	}
	return v
}
