package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/mattn/go-sqlite3"
)

// minSQLite is 3.51.3: the versions before may corrupt the file when the WAL
// is reset (3.7.0 to 3.51.2).
const minSQLite = 3_051_003

// lite is what a DB has on SQLite besides its readers: the writer, the
// checkpoints and the lock.
type lite struct {
	path        string
	lock        *fileLock // nil without Serve
	writePool   *sql.DB   // one connection
	writer      *writer
	checkpoints *checkpointer
}

// openSQLite opens the file at path.
func (db *DB) openSQLite(ctx context.Context, path string) error {
	db.dialect = sqliteDialect()
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	db.lite = &lite{path: path}
	if err := db.prepareFile(); err != nil {
		return err
	}
	if err := db.lite.openWriter(); err != nil {
		return err
	}
	if err := db.migrateSQLite(ctx); err != nil {
		return err
	}
	// The pool comes first: the writer and the checkpoints, once started,
	// must be stopped.
	db.pool = openPool(path, readerConn, max(4, 2*runtime.NumCPU()))
	if err := db.pool.PingContext(ctx); err != nil {
		return classify(err)
	}
	if db.lite.writer, err = startWriter(ctx, db); err != nil {
		return classify(err)
	}
	db.lite.checkpoints, err = startCheckpoints(ctx, db)
	return err
}

// prepareFile takes the lock and sees to it that there is a file.
func (db *DB) prepareFile() error {
	path := db.lite.path
	if db.opt.Create {
		if err := MakeDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	if db.opt.Serve {
		var err error
		if db.lite.lock, err = takeLock(path + ".lock"); err != nil {
			return fmt.Errorf("%w; only one can", err)
		}
	}
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !db.opt.Create {
		return fmt.Errorf("there is no database at %s; guichet serve makes it", path)
	}
	// Made here for its mode, which the WAL inherits. It is not opened if it
	// exists: closing it would end SQLite's locks in this process.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), SyncDir(filepath.Dir(path)))
}

// MakeDir makes a directory that nobody else may look into, and those above
// it, if there is none. Their names are on the disk when it returns.
func MakeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := MakeDir(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(above)
}

// SyncDir puts the names in a directory on the disk: a new file's own fsync
// need not do that.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l *lite) openWriter() error {
	l.writePool = openPool(l.path, writerConn, 1)
	return classify(l.writePool.Ping())
}

// close stops the writer when its queue is empty, then the checkpoints. The
// last connection of all processes to close empties the WAL.
func (l *lite) close() error {
	var errs []error
	if l.writer != nil {
		errs = append(errs, l.writer.stop())
	}
	if l.checkpoints != nil {
		errs = append(errs, l.checkpoints.stop())
	}
	if l.writePool != nil {
		errs = append(errs, l.writePool.Close())
	}
	return errors.Join(errs...)
}

// connKind is what a connection is for.
type connKind int

const (
	readerConn connKind = iota
	writerConn
	checkpointConn
)

// openPool returns up to n connections to the file at path.
func openPool(path string, kind connKind, n int) *sql.DB {
	// mode=rw: no connection makes a file, so that one that vanished while
	// serving is an error and not an empty database. _mutex=no: database/sql
	// lets one goroutine at a time use a connection.
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: path,
		RawQuery: "mode=rw&_txlock=" + map[bool]string{true: "immediate", false: "deferred"}[kind == writerConn] +
			"&_mutex=no&_stmt_cache_size=256&_busy_timeout=" + strconv.Itoa(kind.busyTimeout())}).String()
	pool := sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{ConnectHook: kind.prepare}})
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool
}

// busyTimeout is how long, in ms, the connection waits for another process.
// A checkpoint holds the writer up while it waits for readers.
func (k connKind) busyTimeout() int {
	if k == checkpointConn {
		return 100
	}
	return 5000
}

type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

// prepare sets up a new connection and reads back what durability rests on: a
// driver that stopped knowing an option would say nothing.
func (k connKind) prepare(c *sqlite3.SQLiteConn) error {
	if text, version, _ := sqlite3.Version(); version < minSQLite {
		return fmt.Errorf("SQLite %s may corrupt its file; 3.51.3 or newer is needed", text)
	}
	type setting struct{ name, set, want string }
	settings := []setting{
		{"journal_mode", "", "wal"},  // kept in the file: the writer sets it
		{"synchronous", "FULL", "2"}, // of checkpoints; the writer's commits are for walSync
		{"foreign_keys", "ON", "1"},
		{"secure_delete", "ON", "1"},
		{"wal_autocheckpoint", "0", "0"},
	}
	switch k {
	case writerConn:
		settings[0].set, settings[1].set, settings[1].want = "WAL", "NORMAL", "1"
		settings = append(settings, setting{"cache_size", "-8000", "-8000"})
	case readerConn:
		settings = append(settings, setting{"query_only", "ON", "1"})
	}
	for _, s := range settings {
		if s.set != "" {
			if _, err := c.Exec("PRAGMA "+s.name+"="+s.set, nil); err != nil {
				return fmt.Errorf("set %s: %w", s.name, err)
			}
		}
		got, err := pragma(c, s.name)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		if got != s.want {
			return fmt.Errorf("SQLite has %s=%s where %s is needed", s.name, got, s.want)
		}
	}
	return nil
}

// pragma reads a setting of a connection.
func pragma(c *sqlite3.SQLiteConn, name string) (string, error) {
	rows, err := c.Query("PRAGMA "+name, nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil {
		return "", err
	}
	return fmt.Sprint(row[0]), nil
}
