package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/mattn/go-sqlite3"
)

// leaseTable says who works on what now, which is nobody on a copy.
const leaseTable = "lease"

// copyTable is a table as the schema of a database has it.
type copyTable struct {
	name     string
	columns  []copyColumn // by name: the engines may have them in another order
	key      []string     // the columns of the primary key
	identity bool         // its column id is given by the database, and never twice
	refers   []string     // tables that must be there first
}

type copyColumn struct {
	name string
	kind copyKind
}

// copyKind is what a column holds, whatever an engine calls it.
type copyKind byte

const (
	copyInt  copyKind = 'i'
	copyText copyKind = 't'
	copyBlob copyKind = 'b'
)

func kindOfColumn(typ string) (copyKind, error) {
	switch strings.ToUpper(typ) {
	case "INTEGER", "BIGINT", "SMALLINT":
		return copyInt, nil
	case "TEXT":
		return copyText, nil
	case "BLOB", "BYTEA":
		return copyBlob, nil
	}
	return 0, fmt.Errorf("its type %s is not known to the copy", typ)
}

// The schema of an engine: a row a column, with its place in the primary key
// from 0 (-1 for none), and a row a reference. Tables of goose, of SQLite
// itself, of full-text search, and generated columns are made by the schema.
const (
	sqliteColumns = `SELECT l.name, c.name, c.type, c.pk - 1, instr(upper(s.sql), 'AUTOINCREMENT') > 0
		FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
		JOIN pragma_table_xinfo(l.name) AS c
		WHERE l.schema = 'main' AND l.type = 'table' AND c.hidden = 0
		AND substr(l.name, 1, 7) <> 'sqlite_' AND l.name <> 'goose_db_version' ORDER BY l.name, c.name`
	sqliteReferences = `SELECT l.name, r."table" FROM pragma_table_list AS l JOIN pragma_foreign_key_list(l.name) AS r
		WHERE l.schema = 'main' AND l.type = 'table'`
	postgresColumns = `SELECT t.relname, c.attname, format_type(c.atttypid, c.atttypmod),
			coalesce((SELECT array_position(i.indkey::int2[], c.attnum) FROM pg_index AS i
				WHERE i.indrelid = t.oid AND i.indisprimary), -1),
			CASE WHEN EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attidentity <> '') THEN 1 ELSE 0 END
		FROM pg_class AS t JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped AND c.attgenerated = ''
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND t.relname <> 'goose_db_version'
		ORDER BY t.relname COLLATE "C", c.attname COLLATE "C"`
	postgresReferences = `SELECT t.relname, r.relname FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
		JOIN pg_class AS r ON r.oid = c.confrelid WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace`
)

// tablesOf reads which tables are to be copied, those first that others refer
// to.
func tablesOf(ctx context.Context, db *DB, on *sql.Tx) ([]copyTable, error) {
	columns, references := sqliteColumns, sqliteReferences
	if db.lite == nil {
		columns, references = postgresColumns, postgresReferences
	}
	tables, err := readColumns(ctx, on, columns)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	rows, err := on.QueryContext(ctx, references)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, other string
		if err := rows.Scan(&name, &other); err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		if t := tables[name]; t != nil && other != name && !slices.Contains(t.refers, other) {
			t.refers = append(t.refers, other)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return ordered(tables)
}

func readColumns(ctx context.Context, on *sql.Tx, query string) (map[string]*copyTable, error) {
	rows, err := on.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tables := map[string]*copyTable{}
	places := map[string]map[int]string{}
	for rows.Next() {
		var table, name, typ string
		var place, identity int
		if err := rows.Scan(&table, &name, &typ, &place, &identity); err != nil {
			return nil, err
		}
		if table == leaseTable {
			continue
		}
		kind, err := kindOfColumn(typ)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", table, name, err)
		}
		if tables[table] == nil {
			tables[table], places[table] = &copyTable{name: table, identity: identity > 0}, map[int]string{}
		}
		tables[table].columns = append(tables[table].columns, copyColumn{name, kind})
		if place >= 0 {
			places[table][place] = name
		}
	}
	for name, t := range tables {
		for i := range len(places[name]) {
			t.key = append(t.key, places[name][i])
		}
		if len(t.key) == 0 {
			return nil, fmt.Errorf("table %s has no primary key to copy it by", name)
		}
		if t.identity && !slices.Equal(t.key, []string{"id"}) {
			return nil, fmt.Errorf("table %s gives ids in another column than id", name)
		}
	}
	return tables, rows.Err()
}

// ordered puts tables behind those that they refer to.
func ordered(tables map[string]*copyTable) (list []copyTable, err error) {
	var names []string
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	done := map[string]bool{}
	for len(names) > 0 {
		i := slices.IndexFunc(names, func(name string) bool {
			return !slices.ContainsFunc(tables[name].refers, func(r string) bool { return !done[r] && tables[r] != nil })
		})
		if i < 0 {
			return nil, fmt.Errorf("tables refer to each other in a circle: %s", strings.Join(names, ", "))
		}
		done[names[i]] = true
		slices.Sort(tables[names[i]].refers)
		list = append(list, *tables[names[i]])
		names = slices.Delete(names, i, i+1)
	}
	return list, nil
}

// sameTables holds that both sides have the same tables and columns.
func (c *copier) sameTables(ctx context.Context) error {
	tx, err := c.to.readAll(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	tables, err := tablesOf(ctx, c.to, tx)
	if err != nil {
		return err
	}
	for i := range max(len(tables), len(c.tables)) {
		if i >= len(tables) || i >= len(c.tables) || !reflect.DeepEqual(tables[i], c.tables[i]) {
			return fmt.Errorf("its schema is unlike that of the other engine, which is a fault of this program: %v and %v",
				tables[min(i, len(tables)-1)], c.tables[min(i, len(c.tables)-1)])
		}
	}
	return nil
}

// look refuses a destination that holds something else, before anything is
// changed in it.
func (c *copier) look(ctx context.Context, to string) error {
	pool, query, err := lookPool(to)
	if pool == nil || err != nil {
		return err
	}
	defer pool.Close()
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return classify(err)
	}
	names, err := collect(rows, func(s scanner) (name string, err error) { err = s.Scan(&name); return name, err })
	if err != nil {
		return classify(err)
	}
	if slices.Contains(names, "meta") && slices.Contains(names, "goose_db_version") {
		var n int
		// Which copy it is, is looked at when it is locked.
		if err := pool.QueryRowContext(ctx, `SELECT count(*) FROM meta WHERE key = '`+copyKey+`'`).Scan(&n); err != nil || n > 0 {
			return err
		}
	}
	for _, name := range names {
		var n int
		err := pool.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+quoted(name)+` LIMIT 1) AS r`).Scan(&n)
		if err != nil {
			return err
		}
		if n > 0 && name != "goose_db_version" || !slices.Contains(names, "goose_db_version") {
			return errInUse
		}
	}
	return nil
}

// lookPool opens a database without making or changing anything, and says how
// its tables are asked for; nil if there is no file yet.
func lookPool(to string) (*sql.DB, string, error) {
	path, ok := strings.CutPrefix(to, "sqlite:")
	if !ok {
		if !strings.HasPrefix(to, "postgres://") && !strings.HasPrefix(to, "postgresql://") {
			return nil, "", nil // Open says it
		}
		config, err := pgx.ParseConfig(to)
		if err != nil {
			return nil, "", err
		}
		return stdlib.OpenDB(*config), `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`, nil
	}
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, "", nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, "", err
	}
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "mode=rw&_query_only=1&_busy_timeout=5000"}).String()
	return sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{}}),
		`SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'`, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
