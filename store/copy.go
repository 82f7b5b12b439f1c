package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// CopyOptions are for [Copy]; all may be left out.
type CopyOptions struct {
	// Progress is told after each batch how many rows of a table this run has
	// copied.
	Progress func(table string, rows int64)

	// Verified is told what the verification found of each table.
	Verified func(CopiedTable)

	// Log takes what nobody else is told; nil is slog.Default().
	Log *slog.Logger
}

// A CopiedTable is a table as the verification read it on both sides.
type CopiedTable struct {
	Table    string
	From, To TableSum
}

// Equal reports whether both sides have the same rows.
func (t CopiedTable) Equal() bool { return t.From == t.To }

// A TableSum says what a table holds: the number of its rows and the SHA-256,
// in hexadecimal, over all of them in the order of their keys. It is the same
// on both engines.
type TableSum struct {
	Rows int64
	Hash string
}

// Copy copies a whole store from one database to another; both are
// "sqlite:PATH" or "postgres://…", of any two engines.
//
// from must be of this program's schema, and no gateway may serve it. to must
// be empty, or hold what an interrupted run left of the same copy, which then
// goes on: it is made if there is none. Until both sides were read again and
// found equal, [Open] refuses it. Leases are not copied.
//
// Tables and columns are read from the schema, so that this code knows none
// but lease and meta.
func Copy(ctx context.Context, from, to string, opt CopyOptions) (err error) {
	c := &copier{opt: opt, log: opt.Log, run: rand.Text()}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.openFrom(ctx, from); err != nil {
		return fmt.Errorf("the database to be copied: %w", err)
	}
	if err := c.openTo(ctx, from, to); err != nil {
		return fmt.Errorf("the database to copy to: %w", err)
	}
	for _, t := range c.tables {
		if err := c.copyTable(ctx, t); err != nil {
			return fmt.Errorf("copy table %s: %w", t.name, err)
		}
	}
	if err := c.copyHighest(ctx); err != nil {
		return err
	}
	if err := c.verify(ctx); err != nil {
		return err
	}
	return c.end(ctx)
}

// copier is one run of a copy.
type copier struct {
	opt      CopyOptions
	log      *slog.Logger
	run      string // no two runs have the same
	source   string // what is copied, without secrets
	from, to *DB
	snapshot *sql.Tx     // of from: one state of it, for the whole run
	locks    []*fileLock // of SQLite files, as serve takes them
	tables   []copyTable // those referred to first
	highest  map[string]int64
	served   int64 // how often gateways had begun to serve from
}

// openFrom opens the source, keeps gateways out of it and takes a snapshot.
func (c *copier) openFrom(ctx context.Context, url string) (err error) {
	if c.from, err = Open(ctx, url, Options{Log: c.log}); err != nil {
		return err
	}
	if err := c.keepOut(c.from); err != nil {
		return err
	}
	c.source = sourceName(url)
	// Not a View: that lasts seconds.
	if c.snapshot, err = c.from.readAll(ctx); err != nil {
		return err
	}
	if c.served, err = c.notServed(ctx); err != nil {
		return err
	}
	if c.tables, err = tablesOf(ctx, c.from, c.snapshot); err != nil {
		return err
	}
	c.highest, err = highestOf(ctx, c.from, c.snapshot, c.tables)
	return err
}

// readAll begins a transaction that reads one state for as long as it takes.
func (db *DB) readAll(ctx context.Context) (*sql.Tx, error) {
	tx, err := db.pool.BeginTx(ctx, db.viewOptions())
	if err == nil && db.lite == nil {
		// It may be idle while the other side is being written to.
		_, err = tx.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`)
	}
	return tx, err
}

// keepOut takes the lock that serve takes on a SQLite file.
func (c *copier) keepOut(db *DB) error {
	if db.lite == nil {
		return nil
	}
	l, err := takeLock(db.lite.path + ".lock")
	if err != nil {
		return fmt.Errorf("%w: stop it first", err)
	}
	c.locks = append(c.locks, l)
	return nil
}

// notServed refuses a PostgreSQL database with a gateway that is alive, and
// says how often gateways have begun to serve it.
func (c *copier) notServed(ctx context.Context) (begun int64, err error) {
	if c.from.lite != nil {
		return 0, nil // locked
	}
	err = c.from.View(ctx, func(tx *Tx) error {
		nodes, err := tx.LiveNodes()
		if err != nil {
			return err
		}
		if len(nodes) > 0 {
			return fmt.Errorf("guichet serve is running on it (%s): stop it first; one that was killed counts as running for %v",
				strings.Join(nodes, ", "), nodeTTL)
		}
		return tx.row(`SELECT CAST(coalesce(sum(fence), 0) AS BIGINT) FROM lease WHERE name LIKE ?`, nodeLease("%")).Scan(&begun)
	})
	return begun, err
}

// openTo opens the destination, which must be empty or an interrupted copy.
func (c *copier) openTo(ctx context.Context, from, to string) (err error) {
	if path, ok := strings.CutPrefix(to, "sqlite:"); ok && c.from.lite != nil && sameFile(path, c.from.lite.path) {
		return errors.New("it is the one to be copied")
	}
	// Before anything is changed in it.
	if err := c.look(ctx, to); err != nil {
		return err
	}
	if c.to, err = Open(ctx, to, Options{Create: true, copying: true, Log: c.log}); err != nil {
		return err
	}
	if err := c.keepOut(c.to); err != nil {
		return err
	}
	if err := c.sameTables(ctx); err != nil {
		return err
	}
	return c.to.Update(ctx, "copy begin", c.begin)
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// sourceName names a database without its secrets.
func sourceName(url string) string {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		return "sqlite:" + path
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "postgres"
	}
	return fmt.Sprintf("postgres://%s:%d/%s", config.Host, config.Port, config.Database)
}

// copyKey is where meta of the destination says what it is a copy of. It is
// not copied.
const copyKey = "copy"

// copyState is the value of copyKey, as JSON.
type copyState struct {
	From    string           `json:"from"`
	Done    string           `json:"done,omitempty"` // when; "" while the copy is incomplete
	Run     string           `json:"run"`            // the run that works on it
	Highest map[string]int64 `json:"highest"`        // of the source when the copy began
}

var errInUse = errors.New("it holds something already; a copy needs a database of its own, empty or not there yet")

// begin marks the destination as an incomplete copy, or takes over the copy
// that an interrupted run left.
func (c *copier) begin(tx *Tx) error {
	state, err := tx.copyState(true)
	switch {
	case err != nil:
		return err
	case state == nil:
		if err := tx.wantEmpty(c.tables); err != nil {
			return err
		}
		state = &copyState{From: c.source, Highest: c.highest}
	case state.Done != "":
		return fmt.Errorf("it has been a complete copy of %s since %s: serve it, or empty it to copy anew", state.From, state.Done)
	case state.From != c.source:
		return fmt.Errorf("it holds an incomplete copy of %s: go on with that one, or empty it", state.From)
	case !maps.Equal(state.Highest, c.highest):
		return fmt.Errorf("%s was written to since its copy began, so that the two would not agree: empty the copy and begin anew", c.source)
	}
	state.Run = c.run
	return tx.setCopyState(state)
}

// wantEmpty refuses a database that holds a row, or that a gateway used.
func (tx *Tx) wantEmpty(tables []copyTable) error {
	for _, t := range append([]copyTable{{name: leaseTable}}, tables...) {
		var one int
		err := tx.row(`SELECT 1 FROM ` + quoted(t.name) + ` LIMIT 1`).Scan(&one)
		if err == nil {
			return errInUse
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return nil
}

// copyState reads what a database is a copy of; nil if of nothing. With lock
// it stays so until the transaction ends: a later run waits for what an
// earlier one has under way, and an earlier one finds that it is no longer
// its copy.
func (tx *Tx) copyState(lock bool) (*copyState, error) {
	query := `SELECT value FROM meta WHERE key = ?`
	if lock {
		query += tx.forUpdate()
	}
	var value string
	err := tx.row(query, copyKey).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	state := &copyState{}
	if err == nil {
		err = json.Unmarshal([]byte(value), state)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the copy: %w", err)
	}
	return state, nil
}

func (tx *Tx) setCopyState(state *copyState) error {
	value, err := json.Marshal(state)
	if err == nil {
		err = tx.setMeta(copyKey, string(value))
	}
	return err
}

// mine holds the copy for a transaction, or says that another run has it.
func (c *copier) mine(tx *Tx) (*copyState, error) {
	state, err := tx.copyState(true)
	if err != nil {
		return nil, err
	}
	if state == nil || state.Run != c.run {
		return nil, errors.New("another guichet migrate has taken over this copy")
	}
	return state, nil
}

// end marks the copy as complete.
func (c *copier) end(ctx context.Context) error {
	if begun, err := c.notServed(ctx); err != nil || begun != c.served {
		return cmp.Or(err, fmt.Errorf("a gateway served %s while it was copied: stop it, empty the copy and begin anew", c.source))
	}
	return c.to.Update(ctx, "copy end", func(tx *Tx) error {
		state, err := c.mine(tx)
		if err != nil {
			return err
		}
		state.Done = tx.Now().Format(time.RFC3339)
		return tx.setCopyState(state)
	})
}

// refuseIncomplete is asked by Open: an incomplete copy is no store.
func (db *DB) refuseIncomplete(ctx context.Context) error {
	if db.opt.copying {
		return nil
	}
	return db.View(ctx, func(tx *Tx) error {
		state, err := tx.copyState(false)
		if err != nil || state == nil || state.Done != "" {
			return err
		}
		return fmt.Errorf("it is an incomplete copy of %s: let guichet migrate finish it, or use that one", state.From)
	})
}

func (c *copier) close() error {
	var errs []error
	if c.snapshot != nil {
		c.snapshot.Rollback()
	}
	for _, db := range []*DB{c.to, c.from} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	for _, l := range slices.Backward(c.locks) {
		l.release()
	}
	return errors.Join(errs...)
}
