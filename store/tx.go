package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Tx is one transaction, given to the function of [DB.View] or [DB.Update]
// and dead when that returns. It is used by one goroutine.
//
// After a statement failed the transaction is lost, as PostgreSQL has it:
// every further statement fails, and so does Update even if its function
// returns nil. A row that is not there ([sql.ErrNoRows]) is no failure.
type Tx struct {
	db  *DB
	ctx context.Context // of the statements; a Tx lives no longer than one call
	on  runner
	now time.Time

	reader bool  // of a View
	before *asOf // nil: the store is seen as it is

	open  rows  // the last rows handed out, perhaps still being read
	lost  error // the statement that failed
	wrote bool  // something other than a SELECT ran
	bytes int64 // of arguments given to it
	after []func()
	dir   *directory // of the organisations, once asked for
	// parties are those of the tickets that were asked about, all of them,
	// removed ones included; what changes them forgets them.
	parties map[int64][]Party
	made    int64  // the ticket that the transaction made: nobody else sees it
	begun   *begun // what there is of it; nil if that is not known
	// readers are the people that were asked about, by address.
	readers map[string]reader
}

// runner runs the statements of a transaction on one engine.
type runner interface {
	exec(ctx context.Context, query string, args []any) (changed int64, err error)
	insert(ctx context.Context, query string, args []any) (id int64, err error)
	query(ctx context.Context, query string, args []any) (rows, error)
	row(ctx context.Context, query string, args []any) (scanner, error)
}

// rows are those of one statement.
type rows interface {
	rowSource
	reading() bool // neither at their end nor closed
}

// rowSource is what *sql.Rows and our own rows have in common.
type rowSource interface {
	scanner
	Next() bool
	Err() error
	Close() error
}

// returningID ends the statements of [Tx.insert].
const returningID = " RETURNING id"

// Made says that the transaction made the ticket: there is nothing of it yet
// but what the transaction itself stored.
func (tx *Tx) Made(ticketID int64) bool { return ticketID != 0 && ticketID == tx.made }

// Now is the time of the transaction: UTC, whole microseconds, the same at
// every call.
func (tx *Tx) Now() time.Time { return tx.now }

// Engine is "sqlite" or "postgres".
func (tx *Tx) Engine() string { return tx.db.Engine() }

// AfterCommit has fn run once after the transaction was committed, on the
// goroutine that called Update and before that returns; never if it was not,
// or if its outcome is unknown. It is for waking others, who look for
// themselves: a process may end between the commit and fn.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

// exec runs a statement and returns the number of rows that it changed.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if err := tx.prepare(query, args); err != nil {
		return 0, err
	}
	n, err := tx.on.exec(tx.ctx, tx.db.dialect.sql(query), args)
	if err != nil {
		return 0, tx.lose(err)
	}
	return n, nil
}

// query runs a statement that returns rows. They are read to their end, or
// closed, before the next statement of the transaction: PostgreSQL cannot do
// two things at once on a connection. Forgetting it panics on both engines.
func (tx *Tx) query(query string, args ...any) (rows, error) {
	if err := tx.prepare(query, args); err != nil {
		return nil, err
	}
	rows, err := tx.on.query(tx.ctx, tx.db.dialect.sql(query), args)
	if err != nil {
		return nil, tx.lose(err)
	}
	tx.open = rows
	return rows, nil
}

// row runs a statement that returns at most one row. It must be scanned:
// a connection stays with a row that never was.
func (tx *Tx) row(query string, args ...any) scanner {
	if err := tx.prepare(query, args); err != nil {
		return failedRow{err}
	}
	row, err := tx.on.row(tx.ctx, tx.db.dialect.sql(query), args)
	if err != nil {
		return failedRow{tx.lose(err)}
	}
	return row
}

// failedRow is the row of a statement that failed.
type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// insert runs a statement that ends in RETURNING id and returns that id, or
// sql.ErrNoRows if ON CONFLICT DO NOTHING did nothing.
func (tx *Tx) insert(query string, args ...any) (id int64, err error) {
	if err := tx.prepare(query, args); err != nil {
		return 0, err
	}
	id, err = tx.on.insert(tx.ctx, tx.db.dialect.sql(query), args)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, tx.lose(err)
	}
	return id, err
}

// prepare readies the transaction and, in place, the arguments for a
// statement.
func (tx *Tx) prepare(query string, args []any) error {
	if tx.lost != nil {
		return tx.lost
	}
	if tx.reading() {
		panic("store: a statement while the rows of the one before are open: " + query)
	}
	n, err := clean(args)
	if err != nil {
		return tx.lose(fmt.Errorf("argument of %s: %w", query, err))
	}
	if !isSelect(query) {
		tx.wrote = true
		tx.bytes += n
	}
	return nil
}

// isSelect reports whether the statement can only read. In doubt it says no.
func isSelect(query string) bool {
	q := strings.TrimLeft(query, " \t\r\n")
	return len(q) > 6 && strings.EqualFold(q[:6], "select")
}

// reading reports whether the rows handed out last are still open.
func (tx *Tx) reading() bool {
	if tx.open == nil {
		return false
	}
	if tx.open.reading() {
		return true
	}
	tx.open = nil
	return false
}

// lose marks the transaction as lost by err.
func (tx *Tx) lose(err error) error {
	err = classify(err)
	if tx.lost == nil {
		tx.lost = err
	}
	return err
}

// end closes what fn left open and turns what it returned into the outcome.
func (tx *Tx) end(err error) error {
	if tx.open != nil {
		tx.open.Close()
		tx.open = nil
	}
	if err == nil && tx.lost != nil {
		return fmt.Errorf("update went on after a statement failed: %w", tx.lost)
	}
	return classify(err)
}
