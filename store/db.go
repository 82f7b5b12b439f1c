// Package store keeps everything that must outlive the process, in SQLite or
// PostgreSQL.
//
// [Open] takes "sqlite:PATH" or "postgres://…" and gives one concrete [DB]
// with two verbs: [DB.View] reads, [DB.Update] writes and is durable when it
// returns nil. One SQL text serves both engines; dialect.go holds the rest.
//
// # What an update may do
//
// Its function may be run more than once (a group of updates that is split,
// a serialization failure) and only the last run counts: it sets its results
// anew in each run and changes nothing outside of the database. On SQLite it
// runs on the one writer: no network, parsing or rendering inside, and no
// call of Update, which would wait for itself.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// viewLimit is how long a View may take. A longer one would keep the WAL of
// SQLite from being reset, and rows of PostgreSQL from being vacuumed.
const viewLimit = 5 * time.Second

// Options of a DB. The zero value opens an existing database of this
// program's own schema.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// Serve is set by the gateway itself: it takes the lock of a SQLite file,
	// or a lease for its node on PostgreSQL, and migrates. The other commands
	// work beside it in short transactions.
	Serve bool

	// Create makes the database if there is none (on PostgreSQL its tables)
	// and migrates it.
	Create bool

	// Migrate brings an older database to this program's schema. Without it,
	// Serve or Create an older database is refused.
	Migrate bool

	// Node names this process as an owner of leases; it must be unique among
	// the gateways of a database. Empty makes one of the host's name, the
	// process id and chance.
	Node string

	// copying lets Copy open what is not a store yet.
	copying bool

	// Log takes what nobody else is told, such as a failed checkpoint; nil is
	// slog.Default().
	Log *slog.Logger
}

// A DB is an open database. Its methods may be called by any goroutine.
type DB struct {
	opt     Options
	dialect *dialect
	pool    *sql.DB // readers on SQLite, everything on PostgreSQL
	lite    *lite   // nil on PostgreSQL
	node    *node   // nil on SQLite and without Serve
	numbers numbers // of tickets, set aside

	directory atomic.Pointer[directory]
	recent    recentMails

	closeOnce sync.Once
	closed    atomic.Bool

	failOnce sync.Once
	failed   chan struct{}
	failure  error // set before failed is closed
}

// Open opens the database at url: "sqlite:PATH" or "postgres://…".
//
// It refuses, with a sentence for the operator, a database that is not there
// (without Create), one whose schema is newer than this program, one that is
// an incomplete copy (see [Copy]), a SQLite file that another gateway serves, and a server or connection whose settings
// would lose mail.
func Open(ctx context.Context, url string, opt Options) (*DB, error) {
	opt = opt.withDefaults()
	db := &DB{opt: opt, failed: make(chan struct{})}
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		err = db.openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"))
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		err = db.openPostgres(ctx, url)
	default:
		return nil, fmt.Errorf("open database: not sqlite:PATH or postgres://…")
	}
	if err == nil {
		err = db.refuseIncomplete(ctx)
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

func (opt Options) withDefaults() Options {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Node == "" {
		host, _ := os.Hostname()
		opt.Node = fmt.Sprintf("%s-%d-%s", host, os.Getpid(), rand.Text()[:8])
	}
	return opt
}

// migrates reports whether Open may change the schema.
func (opt Options) migrates() bool { return opt.Serve || opt.Create || opt.Migrate }

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.engine }

// Node is the name under which this process owns leases.
func (db *DB) Node() string { return db.opt.Node }

// View runs fn in a transaction that reads one state of the database and
// cannot write. After 5 s, or when ctx ends, its statements fail.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	on, err := db.pool.BeginTx(ctx, db.viewOptions())
	if err != nil {
		return db.viewError(ctx, err)
	}
	defer on.Rollback()
	tx := db.newTx(ctx, sqlRunner{on})
	tx.reader = true
	return db.viewError(ctx, tx.end(fn(tx)))
}

// viewOptions asks for one snapshot of the whole transaction, which SQLite
// gives anyhow; its readers are query_only.
func (db *DB) viewOptions() *sql.TxOptions {
	if db.lite != nil {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (db *DB) viewError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("read the database: %w: %w", ctx.Err(), err)
	}
	return db.noticed(classify(err))
}

// Update runs fn in a transaction and commits it. When Update returns nil the
// commit is on the disk. When it returns an error nothing is stored, but for
// [ErrIO] and [ErrUnknownOutcome], after which nobody knows.
//
// fn may be run more than once: see the package comment. ctx is looked at
// before fn's turn; from then on Update waits for the outcome, however late,
// so that an error of ctx always means that nothing was stored. On PostgreSQL
// ctx also ends the statements of fn, but never the commit.
//
// A panic in fn becomes a [*PanicError].
//
// what says in a word or two what is committed. It names the crash points
// before and after the commit (see [Point]), so that no commit is without.
func (db *DB) Update(ctx context.Context, what string, fn func(*Tx) error) error {
	if db.closed.Load() {
		return ErrClosed
	}
	var after []func()
	var err error
	if db.lite != nil {
		after, err = db.lite.writer.update(ctx, what, fn)
	} else {
		after, err = db.updatePostgres(ctx, what, fn)
	}
	if err != nil {
		return db.noticed(err)
	}
	for _, fn := range after {
		fn()
	}
	return nil
}

func (db *DB) newTx(ctx context.Context, on runner) *Tx {
	return &Tx{db: db, ctx: ctx, on: on, now: db.now()}
}

func (db *DB) now() time.Time { return db.opt.Now().UTC().Truncate(time.Microsecond) }

// Failed is closed when the disk under a SQLite file failed. What was
// answered before is as safe as the disk; nothing can be stored any more, for
// after a failed fsync a second one that succeeds proves nothing. The process
// should refuse new mail and end.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Failure is the error that closed Failed, nil if it is open.
func (db *DB) Failure() error {
	select {
	case <-db.failed:
		return db.failure
	default:
		return nil
	}
}

// Close lets the updates that wait finish and closes the database; then View
// and Update return ErrClosed. What was leased stays leased, but for the
// node's own lease. Closing again does nothing.
func (db *DB) Close() error {
	var err error
	db.closeOnce.Do(func() { err = db.close() })
	return err
}

func (db *DB) close() error {
	var errs []error
	if db.node != nil {
		db.node.stop()
	}
	db.closed.Store(true)
	if db.lite != nil {
		errs = append(errs, db.lite.close())
	}
	if db.pool != nil {
		errs = append(errs, db.pool.Close())
	}
	if db.lite != nil {
		db.lite.lock.release()
	}
	return errors.Join(errs...)
}
