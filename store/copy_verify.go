package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// verify reads both sides again, whole, and compares them.
func (c *copier) verify(ctx context.Context) error {
	to, err := c.to.readAll(ctx)
	if err != nil {
		return err
	}
	defer to.Rollback()
	var differ []string
	for _, t := range c.tables {
		found := CopiedTable{Table: t.name}
		// A transaction is used by one goroutine; these are two.
		both, ctx := errgroup.WithContext(ctx)
		both.Go(func() (err error) { found.From, err = t.sum(ctx, c.snapshot, c.from.dialect); return err })
		both.Go(func() (err error) { found.To, err = t.sum(ctx, to, c.to.dialect); return err })
		if err := both.Wait(); err != nil {
			return fmt.Errorf("verify table %s: %w", t.name, err)
		}
		if c.opt.Verified != nil {
			c.opt.Verified(found)
		}
		if !found.Equal() {
			differ = append(differ, t.name)
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("the copy differs in %s; it stays marked as incomplete, and guichet serve refuses it: "+
			"empty it and begin anew", strings.Join(differ, ", "))
	}
	return c.verifyRest(ctx, to)
}

// verifyRest looks at what is in no row: the highest ids and the references.
func (c *copier) verifyRest(ctx context.Context, to *sql.Tx) error {
	highest, err := highestOf(ctx, c.to, to, c.tables)
	if err != nil {
		return err
	}
	for table, id := range c.highest {
		if highest[table] != id {
			return fmt.Errorf("the highest id of table %s is %d in the copy and should be %d", table, highest[table], id)
		}
	}
	if c.to.lite == nil {
		return nil // held by PostgreSQL at each statement
	}
	var table string
	err = to.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("check references: %w", classify(err))
	}
	return fmt.Errorf("a row of table %s refers to one that is not there, in both databases", table)
}

// sum reads a table.
func (t copyTable) sum(ctx context.Context, on *sql.Tx, d *dialect) (s TableSum, err error) {
	rows, err := on.QueryContext(ctx, t.selectRows(d, ""))
	if err != nil {
		return s, classify(err)
	}
	defer rows.Close()
	hash := sha256.New()
	var buf []byte
	for rows.Next() {
		row, _, err := t.scan(rows)
		if err != nil {
			return s, err
		}
		buf = buf[:0]
		for _, v := range row {
			buf = appendValue(buf, v)
		}
		hash.Write(buf)
		s.Rows++
	}
	s.Hash = hex.EncodeToString(hash.Sum(nil))
	return s, classify(rows.Err())
}

// appendValue writes a value so that no two lists of values are written alike.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case string:
		return append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
	}
	return append(b, 'n')
}

// highestOf is the highest id that each table ever gave, 0 if none: the row
// may be gone, and its id stands in mails and links.
func highestOf(ctx context.Context, db *DB, on *sql.Tx, tables []copyTable) (map[string]int64, error) {
	highest := map[string]int64{}
	for _, t := range tables {
		if !t.identity {
			continue
		}
		query, args := `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?`, []any{t.name}
		if db.lite == nil {
			var name string
			if err := on.QueryRowContext(ctx, `SELECT pg_get_serial_sequence($1, 'id')`, quoted(t.name)).Scan(&name); err != nil {
				return nil, fmt.Errorf("read the highest id of %s: %w", t.name, err)
			}
			query, args = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+name, nil
		}
		var id, there int64
		err := on.QueryRowContext(ctx, query, args...).Scan(&id)
		if err == nil {
			// Rows may have come with ids of their own.
			err = on.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM `+quoted(t.name)).Scan(&there)
		}
		if err != nil {
			return nil, fmt.Errorf("read the highest id of %s: %w", t.name, err)
		}
		highest[t.name] = max(id, there)
	}
	return highest, nil
}

// copyHighest lets the destination go on where the source was.
func (c *copier) copyHighest(ctx context.Context) error {
	err := c.to.Update(ctx, "copy ids", func(tx *Tx) error {
		if _, err := c.mine(tx); err != nil {
			return err
		}
		for table, id := range c.highest {
			if err := tx.setHighest(table, id); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("copy the highest ids: %w", err)
	}
	return nil
}

func (tx *Tx) setHighest(table string, id int64) error {
	if id == 0 {
		return nil
	}
	if tx.db.lite == nil {
		_, err := tx.exec(`SELECT setval(pg_get_serial_sequence(?, 'id'), ?)`, quoted(table), id)
		return err
	}
	if _, err := tx.exec(`DELETE FROM sqlite_sequence WHERE name = ?`, table); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)`, table, id)
	return err
}
