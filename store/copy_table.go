package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// A batch of rows is committed when it has this many, or this many bytes:
// both bound what is in memory. A row is at most what the limit of a mail
// lets its longest text be.
const (
	copyRows  = 10_000
	copyBytes = 4 << 20
)

// copyTable copies what the destination lacks of a table. Rows come in the
// order of their keys, so that the highest key there says how far it was.
func (c *copier) copyTable(ctx context.Context, t copyTable) error {
	var last []any
	err := c.to.Update(ctx, "copy table", func(tx *Tx) (err error) {
		if _, err = c.mine(tx); err != nil {
			return err
		}
		last, err = t.last(tx)
		return err
	})
	if err != nil {
		return err
	}
	query := t.selectRows(c.from.dialect, "")
	if last != nil {
		query = t.selectRows(c.from.dialect, t.after(c.from.dialect))
	}
	rows, err := c.snapshot.QueryContext(ctx, c.from.dialect.sql(query), last...)
	if err != nil {
		return classify(err)
	}
	defer rows.Close()
	return c.copyRows(ctx, t, rows)
}

func (c *copier) copyRows(ctx context.Context, t copyTable, rows *sql.Rows) error {
	var batch [][]any
	var copied int64
	bytes := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := c.to.Update(ctx, "copy batch", func(tx *Tx) error {
			if _, err := c.mine(tx); err != nil {
				return err
			}
			return t.insert(tx, batch)
		})
		copied += int64(len(batch))
		batch, bytes = nil, 0
		if err == nil && c.opt.Progress != nil {
			c.opt.Progress(t.name, copied)
		}
		return err
	}
	for rows.Next() {
		row, n, err := t.scan(rows)
		if err != nil {
			return err
		}
		batch = append(batch, row)
		if bytes += n; len(batch) == copyRows || bytes >= copyBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return classify(err)
	}
	return flush()
}

// selectRows reads the table in the order of its key, which is the same on
// both engines: PostgreSQL's own order of texts depends on its locale.
func (t copyTable) selectRows(d *dialect, where string) string {
	return t.query(t.list(), where, strings.Join(t.keys(d), ", "))
}

func (t copyTable) query(columns, where, order string) string {
	if t.name == "meta" {
		where = strings.TrimPrefix(where+` AND "key" <> '`+copyKey+`'`, " AND ")
	}
	if where != "" {
		where = " WHERE " + where
	}
	return `SELECT ` + columns + ` FROM ` + quoted(t.name) + where + ` ORDER BY ` + order
}

// after is the condition of the rows behind a key.
func (t copyTable) after(d *dialect) string {
	return `(` + strings.Join(t.keys(d), ", ") + `) > (` + strings.TrimSuffix(strings.Repeat("?, ", len(t.key)), ", ") + `)`
}

// keys are the columns of the key as they are ordered by.
func (t copyTable) keys(d *dialect) []string {
	keys := make([]string, len(t.key))
	for i, name := range t.key {
		keys[i] = quoted(name)
		if d.numbered && t.kind(name) == copyText {
			keys[i] += ` COLLATE "C"`
		}
	}
	return keys
}

func (t copyTable) kind(name string) copyKind {
	for _, c := range t.columns {
		if c.name == name {
			return c.kind
		}
	}
	return 0
}

func (t copyTable) list() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = quoted(c.name)
	}
	return strings.Join(names, ", ")
}

// last is the highest key that the destination has, nil if it has none.
func (t copyTable) last(tx *Tx) ([]any, error) {
	var columns []string
	for _, name := range t.key {
		columns = append(columns, quoted(name))
	}
	query := t.query(strings.Join(columns, ", "), "", strings.Join(t.keys(tx.db.dialect), " DESC, ")+" DESC LIMIT 1")
	values, ptrs := slots(len(t.key))
	err := tx.row(query).Scan(ptrs...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	for i, name := range t.key {
		if err == nil {
			values[i], err = asKind(values[i], t.kind(name))
		}
	}
	return values, err
}

func slots(n int) (values, ptrs []any) {
	values, ptrs = make([]any, n), make([]any, n)
	for i := range values {
		ptrs[i] = &values[i]
	}
	return values, ptrs
}

// scan reads a row: int64, string, []byte or nil, and their size in bytes.
func (t copyTable) scan(rows *sql.Rows) (row []any, size int, err error) {
	row, ptrs := slots(len(t.columns))
	if err := rows.Scan(ptrs...); err != nil {
		return nil, 0, err
	}
	for i, c := range t.columns {
		if row[i], err = asKind(row[i], c.kind); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", c.name, err)
		}
		switch v := row[i].(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
		size += 8
	}
	return row, size, nil
}

// asKind makes the values of both engines alike. SQLite keeps in a column
// what it was given: text may stand where bytes are meant.
func asKind(v any, kind copyKind) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		if kind == copyInt {
			return v, nil
		}
	case string:
		if kind == copyText {
			return v, nil
		}
		if kind == copyBlob {
			return []byte(v), nil
		}
	case []byte:
		if kind == copyBlob {
			return v, nil
		}
		if kind == copyText {
			return string(v), nil
		}
	}
	return nil, fmt.Errorf("a value of type %T where %c is meant", v, kind)
}

// insert writes rows.
func (t copyTable) insert(tx *Tx, rows [][]any) error {
	if tx.db.lite == nil {
		return t.insertArrays(tx, rows)
	}
	query := `INSERT INTO ` + quoted(t.name) + ` (` + t.list() + `) VALUES (` +
		strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ") + `)`
	for _, row := range rows {
		if _, err := tx.exec(query, row...); err != nil {
			return fmt.Errorf("row %s: %w", t.keyOf(row), err)
		}
	}
	return nil
}

// insertArrays writes rows to PostgreSQL in one statement, an array a column:
// a statement a row would be an exchange with the server a row.
func (t copyTable) insertArrays(tx *Tx, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	types := map[copyKind]string{copyInt: "bigint", copyText: "text", copyBlob: "bytea"}
	args, marks := make([]any, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		marks[i] = fmt.Sprintf("$%d::%s[]", i+1, types[c.kind])
		switch c.kind {
		case copyInt:
			args[i] = column[int64](rows, i)
		case copyText:
			args[i] = column[string](rows, i)
		default:
			args[i] = column[[]byte](rows, i)
		}
	}
	_, err := tx.on.exec(tx.ctx, `INSERT INTO `+quoted(t.name)+` (`+t.list()+`) SELECT * FROM unnest(`+strings.Join(marks, ", ")+`)`, args)
	if err != nil {
		return fmt.Errorf("rows %s to %s: %w", t.keyOf(rows[0]), t.keyOf(rows[len(rows)-1]), tx.lose(err))
	}
	return nil
}

// column is the i-th value of each row, nil for NULL.
func column[T any](rows [][]any, i int) []*T {
	values := make([]*T, len(rows))
	for n, row := range rows {
		if v, ok := row[i].(T); ok {
			values[n] = &v
		}
	}
	return values
}

// keyOf names a row for people.
func (t copyTable) keyOf(row []any) string {
	var parts []string
	for _, name := range t.key {
		for i, c := range t.columns {
			if c.name == name {
				parts = append(parts, fmt.Sprintf("%s=%.40q", name, fmt.Sprint(row[i])))
			}
		}
	}
	return strings.Join(parts, " ")
}
