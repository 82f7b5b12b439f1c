package store

import (
	"context"
	"database/sql"
)

// sqlRunner runs statements on a transaction of database/sql: all of
// PostgreSQL's, and those that only read SQLite.
type sqlRunner struct{ on *sql.Tx }

func (r sqlRunner) exec(ctx context.Context, query string, args []any) (int64, error) {
	res, err := r.on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (r sqlRunner) insert(ctx context.Context, query string, args []any) (id int64, err error) {
	err = r.on.QueryRowContext(ctx, query, args...).Scan(&id)
	return id, err
}

func (r sqlRunner) query(ctx context.Context, query string, args []any) (rows, error) {
	rows, err := r.on.QueryContext(ctx, query, args...)
	return sqlRows{rows}, err
}

func (r sqlRunner) row(ctx context.Context, query string, args []any) (scanner, error) {
	row := r.on.QueryRowContext(ctx, query, args...)
	return row, row.Err()
}

// sqlRows are those of database/sql.
type sqlRows struct{ *sql.Rows }

// reading asks for the columns, which fails on closed rows; nothing else
// tells.
func (r sqlRows) reading() bool {
	_, err := r.Columns()
	return err == nil
}
