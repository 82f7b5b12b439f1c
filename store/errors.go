package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// Errors that a caller can tell apart with errors.Is. All but ErrIO pass by
// themselves: answer "try again" and go on.
var (
	// ErrFull says that nothing was written because the disk, a quota or the
	// database's own limit is full.
	ErrFull = errors.New("no space left for the database")

	// ErrBusy says that nothing was written because another process, or a
	// row's other user, kept its lock too long.
	ErrBusy = errors.New("the database is locked by another process")

	// ErrIO says that the disk failed or the file is damaged. Whether the
	// update will be there after a restart is not known. The DB takes no
	// further update: see [DB.Failed].
	ErrIO = errors.New("the database's disk failed")

	// ErrUnknownOutcome says that the connection was lost between COMMIT and
	// its reply, so that the update may or may not be there. Who runs it
	// again must find what it did the first time.
	ErrUnknownOutcome = errors.New("the connection was lost during commit; the update may or may not be stored")

	// ErrClosed says that the DB was closed before the update's turn.
	ErrClosed = errors.New("the database is closed")
)

// A PanicError is what Update returns when its function panicked. The update
// was rolled back and the process lives.
type PanicError struct {
	Value any
	Stack []byte // of the panicking goroutine
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("update panicked: %v\n%s", e.Value, e.Stack)
}

// errExited answers an update whose function ended its goroutine, as t.Fatal
// does.
var errExited = errors.New("update called runtime.Goexit (t.Fatal inside an update?)")

// classify adds ErrFull, ErrBusy or ErrIO to an engine's error. Other errors
// are returned as they are.
func classify(err error) error {
	if kind := kindOf(err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func kindOf(err error) error {
	if err == nil {
		return nil
	}
	if lite, ok := errors.AsType[sqlite3.Error](err); ok {
		return kindOfSQLite(lite)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "53100": // disk_full
			return ErrFull
		case "55P03": // lock_not_available
			return ErrBusy
		}
	}
	return nil
}

func kindOfSQLite(err sqlite3.Error) error {
	switch err.Code {
	case sqlite3.ErrFull:
		return ErrFull
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return ErrBusy
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return ErrIO
	case sqlite3.ErrIoErr:
		// The -shm file cannot grow on a full disk, which SQLite reports as
		// an I/O error; nothing was written and nothing is damaged.
		if err.SystemErrno == syscall.ENOSPC || err.SystemErrno == syscall.EDQUOT {
			return ErrFull
		}
		if err.ExtendedCode == ioErrNoMem {
			return nil
		}
		return ErrIO
	}
	return nil
}

// ioErrNoMem is SQLITE_IOERR_NOMEM: memory ran out, the disk is well.
const ioErrNoMem = sqlite3.ErrNoExtended(10 | 12<<8)

// retryable reports whether PostgreSQL asks for the transaction to be run
// again from its beginning.
func retryable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}

// commitError tells, from what COMMIT returned on PostgreSQL, whether the
// update is certain not to be stored.
func commitError(err error) error {
	if err == nil || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	// pgconn.SafeToRetry is no help: pgx 5.12 says it of "conn closed", which
	// is also what a COMMIT returns whose reply was lost. Seen in
	// TestLostReplyToCommit.
	// A server that shuts down (class 57) or loses the connection (08) says
	// so without saying whether the commit was recorded before.
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code[:2] != "57" && pg.Code[:2] != "08" {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// IsTrouble says that an error is the store's own and passes: it says nothing
// about what was to be stored.
func IsTrouble(err error) bool {
	var connect *pgconn.ConnectError
	var lost net.Error
	var server *pgconn.PgError
	if errors.As(err, &server) {
		// 08 connection, 53 resources, 57 operator intervention, 25P03 idle
		// too long, 40 serialization failures beyond our own retries.
		switch server.Code[:min(2, len(server.Code))] {
		case "08", "40", "53", "57":
			return true
		}
		return server.Code == "25P03"
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, ErrFull) || errors.Is(err, ErrBusy) || errors.Is(err, ErrIO) ||
		errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrClosed) || errors.As(err, &connect) ||
		errors.As(err, &lost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
