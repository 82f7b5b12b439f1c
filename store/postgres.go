package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	pgConns = 16 // of a gateway; each is a process of the server's

	// A transaction that PostgreSQL asks to be run again is, so many times.
	pgTries = 10

	// pgUpdateLimit bounds an update from BEGIN to the reply to COMMIT, so
	// that a server that went silent does not hold its callers for ever.
	pgUpdateLimit = time.Minute
)

// openPostgres connects to the server at url.
func (db *DB) openPostgres(ctx context.Context, url string) error {
	db.dialect = postgresDialect()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return err // pgx leaves the password out
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "guichet"
	}
	open := func(n int) *sql.DB {
		pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(preparePostgres))
		pool.SetMaxOpenConns(n)
		pool.SetMaxIdleConns(n)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		pool.SetConnMaxLifetime(time.Hour)
		return pool
	}
	// Statements prepared before a migration do not survive it: those
	// connections are used for nothing else.
	first := open(2)
	err = db.migratePostgres(ctx, first)
	first.Close()
	if err != nil {
		return err
	}
	db.pool = open(pgConns)
	if db.opt.Serve {
		db.node, err = startNode(ctx, db)
	}
	return err
}

// preparePostgres sets up a new connection and reads back what durability
// rests on.
func preparePostgres(ctx context.Context, c *pgx.Conn) error {
	// A row's lock is waited for as long as SQLite's file; a transaction left
	// open by a process that hangs does not block the others for ever.
	_, err := c.Exec(ctx, `SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'`)
	if err != nil {
		return err
	}
	var version, commit, fsync, encoding string
	err = c.QueryRow(ctx, `SELECT current_setting('server_version_num'), current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('server_encoding')`).Scan(&version, &commit, &fsync, &encoding)
	if err != nil {
		return err
	}
	return checkPostgres(version, commit, fsync, encoding)
}

// checkPostgres refuses a server that is too old or would lose mail.
func checkPostgres(version, commit, fsync, encoding string) error {
	if n, err := strconv.Atoi(version); err != nil || n < 13_00_00 {
		return fmt.Errorf("PostgreSQL 13 or newer is needed, this is %s", version)
	}
	if commit != "on" && commit != "remote_apply" {
		return fmt.Errorf("synchronous_commit is %s: a mail that was accepted could be lost; set it to on", commit)
	}
	if fsync != "on" {
		return fmt.Errorf("fsync is %s: a mail that was accepted could be lost; set it to on", fsync)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database is encoded in %s; create it with encoding UTF8", encoding)
	}
	return nil
}

// updatePostgres runs fn in a transaction, again if PostgreSQL asks for it.
func (db *DB) updatePostgres(ctx context.Context, what string, fn func(*Tx) error) (after []func(), err error) {
	for try := range pgTries {
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
		after, err = db.tryPostgres(ctx, what, fn)
		if err == nil || !retryable(err) {
			break
		}
	}
	return after, err
}

// pause waits before a further try, longer each time and never as long as
// those that it collided with.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return ctx.Err()
	}
	limit := min(time.Millisecond<<try, 200*time.Millisecond)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryPostgres runs fn once, and commits.
func (db *DB) tryPostgres(ctx context.Context, what string, fn func(*Tx) error) ([]func(), error) {
	// The transaction does not hang on the caller's context: that would end
	// a commit in the middle.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), pgUpdateLimit)
	defer cancel()
	on, err := db.pool.BeginTx(whole, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, classify(err)
	}
	defer on.Rollback()
	ctx, cancelStatements := context.WithCancel(ctx)
	defer cancelStatements()
	context.AfterFunc(whole, cancelStatements)
	tx := db.newTx(ctx, sqlRunner{on})
	if err := tx.protect(fn); err != nil {
		return nil, err
	}
	Point("before", what)
	if err := commitPostgres(on); err != nil {
		return tx.after, err
	}
	Point("after", what)
	return tx.after, nil
}

// protect runs fn and turns a panic into an error.
func (tx *Tx) protect(fn func(*Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
			tx.end(nil)
		}
	}()
	return tx.end(fn(tx))
}

// commitPostgres makes the transaction durable: the one place where
// PostgreSQL does.
func commitPostgres(on *sql.Tx) error { return classify(commitError(on.Commit())) }
