package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// walLimit is the size of the WAL, in bytes, at which it is copied into
	// the database file.
	walLimit = 64 << 20

	// walStep is how much it grows, in bytes, before the next try when a
	// reader kept it from being reset.
	walStep = 4 << 20

	// walLook is how many updates, or bytes given to them, pass between two
	// looks at the WAL.
	walLook      = 64
	walLookBytes = 1 << 20

	// walShare is the part of the free space that the WAL may take before it
	// is copied, if that is less than walLimit, but at least walLeast bytes:
	// the copy takes as much again in the database file, and a WAL that cannot
	// be copied on a full disk would keep everything from going on.
	walShare = 4
	walLeast = 1 << 20

	// walIdle is how long nothing was written before the WAL is emptied.
	walIdle = 5 * time.Second
)

// checkpointer copies the WAL into the database file, on a connection of its
// own: SQLite's automatic checkpoint would do it within somebody's commit.
//
// A checkpoint beside a busy writer never quite reaches the WAL's end, and the
// WAL is begun anew only when one does. So there are two passes: a passive one
// beside the writer for the bulk, and one between two commits for what came
// meanwhile.
type checkpointer struct {
	db   *DB
	pool *sql.DB // one connection

	updates atomic.Int64 // since the last look
	bytes   atomic.Int64
	commits atomic.Int64 // ever
	look    chan struct{}
	quit    chan struct{}
	stopped chan struct{}

	pageSize int64

	mu      sync.Mutex // held for a whole checkpoint; guards what follows
	lastLog int64      // frames in the WAL after the last try
	problem string     // the last one logged
}

// startCheckpoints empties the WAL that an earlier process left, if this one
// serves, and begins.
func startCheckpoints(ctx context.Context, db *DB) (*checkpointer, error) {
	c := &checkpointer{
		db: db, pool: openPool(db.lite.path, checkpointConn, 1),
		look: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	err := c.pool.QueryRowContext(ctx, "PRAGMA page_size").Scan(&c.pageSize)
	if err == nil && db.opt.Serve {
		_, _, err = c.run(ctx, "TRUNCATE")
		if errors.Is(err, ErrBusy) {
			err = nil // another command reads: there will be an idle moment
		}
	}
	if err != nil {
		return nil, errors.Join(classify(err), c.pool.Close())
	}
	go c.loop()
	return c, nil
}

func (c *checkpointer) stop() error {
	close(c.quit)
	<-c.stopped
	return c.pool.Close()
}

// wrote is told of each commit, by the writer, and does not wait.
func (c *checkpointer) wrote(updates int, bytes int64) {
	c.commits.Add(1)
	if c.updates.Add(int64(updates)) < walLook && c.bytes.Add(bytes) < walLookBytes {
		return
	}
	c.updates.Store(0)
	c.bytes.Store(0)
	select {
	case c.look <- struct{}{}:
	default:
	}
}

func (c *checkpointer) loop() {
	defer close(c.stopped)
	tick := time.NewTicker(walIdle)
	defer tick.Stop()
	seen := int64(0) // frames
	for {
		select {
		case <-c.quit:
			return
		case <-c.look:
			c.report(c.shrink())
		case <-tick.C:
			var err error
			seen, err = c.idle(seen)
			c.report(err)
		}
	}
}

// idle empties the WAL if it has as many frames as were seen before, and
// returns how many it has. Commits are no measure: the claims of an idle
// gateway are updates that write nothing.
func (c *checkpointer) idle(seen int64) (int64, error) {
	log, _, err := c.run(context.Background(), "NOOP")
	if err != nil || log != seen || c.db.WALSize() == 0 {
		return log, err
	}
	return 0, c.empty()
}

// shrink copies the WAL if it is large and lets the writer begin it anew.
func (c *checkpointer) shrink() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx := context.Background()
	log, copied, err := c.run(ctx, "NOOP")
	if err != nil {
		return err
	}
	if log < c.lastLog {
		c.lastLog = 0 // it was begun anew
	}
	limit := c.limit()
	if copied == log || log*c.pageSize < limit || (log-c.lastLog)*c.pageSize < min(walStep, limit) {
		return nil
	}
	if c.lastLog, _, err = c.run(ctx, "PASSIVE"); err != nil {
		return err
	}
	c.db.lite.writer.gate.Lock()
	defer c.db.lite.writer.gate.Unlock()
	mode := "RESTART"
	if limit < walLimit {
		mode = "TRUNCATE" // gives the space back
	}
	_, _, err = c.run(ctx, mode)
	return err
}

// limit is the size of the WAL at which it is copied, in bytes.
func (c *checkpointer) limit() int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(c.db.lite.path, &fs); err != nil {
		return walLimit
	}
	return min(walLimit, max(walLeast, int64(fs.Bavail)*fs.Bsize/walShare))
}

// empty copies the whole WAL and truncates its file.
func (c *checkpointer) empty() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db.lite.writer.gate.Lock()
	defer c.db.lite.writer.gate.Unlock()
	_, _, err := c.run(context.Background(), "TRUNCATE")
	if err == nil {
		c.lastLog = 0
	}
	return err
}

// run does one checkpoint and returns the frames in the WAL, and how many of
// them are in the database file. ErrBusy says that a reader or another
// process kept it from being finished.
func (c *checkpointer) run(ctx context.Context, mode string) (log, copied int64, err error) {
	var busy int
	err = c.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &copied)
	if err == nil && busy != 0 {
		err = ErrBusy
	}
	if err != nil {
		return 0, 0, fmt.Errorf("checkpoint %s: %w", mode, classify(err))
	}
	return log, copied, nil
}

// report logs a checkpoint that failed, once for each problem. A failed disk
// ends the DB: after a failed fsync of the file, a checkpoint that seems to
// succeed would throw away the WAL, which has the only good copy.
func (c *checkpointer) report(err error) {
	if err == nil || errors.Is(err, ErrBusy) {
		c.problem = ""
		return
	}
	c.db.noticed(err)
	if err.Error() != c.problem {
		c.problem = err.Error()
		c.db.opt.Log.Error("checkpoint failed", "err", err, "wal", c.db.WALSize())
	}
}

// WALSize is the size of SQLite's write-ahead log, in bytes; 0 on PostgreSQL.
func (db *DB) WALSize() int64 {
	if db.lite == nil {
		return 0
	}
	info, err := os.Stat(db.lite.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
