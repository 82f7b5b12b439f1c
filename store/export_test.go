package store

import "time"

// What the tests, which are in package store_test for storetest's sake, may
// use besides the exported API.

func (tx *Tx) Exec(query string, args ...any) (int64, error)   { return tx.exec(query, args...) }
func (tx *Tx) Query(query string, args ...any) (rows, error)   { return tx.query(query, args...) }
func (tx *Tx) Row(query string, args ...any) scanner           { return tx.row(query, args...) }
func (tx *Tx) Insert(query string, args ...any) (int64, error) { return tx.insert(query, args...) }
func (tx *Tx) LockKey(hash int64) error                        { return tx.lockKey(hash) }
func (tx *Tx) ForUpdate() string                               { return tx.forUpdate() }
func (tx *Tx) SkipLocked() string                              { return tx.skipLocked() }

var (
	Rebind        = rebind
	CleanOne      = cleanOne
	CheckPostgres = checkPostgres
)

const (
	RawChunk     = rawChunk
	GroupUpdates = groupUpdates
	GroupBytes   = groupBytes
)

// Micros scans as the domain code does.
type Micros = micros

// Waiting is the number of updates in the writer's queue.
func (db *DB) Waiting() int {
	w := db.lite.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) + len(w.urgent)
}

// IncompleteRaw is what SweepRaw looks for.
func (tx *Tx) IncompleteRaw(before time.Time) ([]int64, error) { return tx.incompleteRaw(before) }

// Writing says that the next update will be queued.
func (db *DB) Writing() bool {
	w := db.lite.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writing
}

// Commits is the number of transactions that SQLite's writer committed.
func (db *DB) Commits() int64 { return db.lite.checkpoints.commits.Load() }

// Checkpoint does what a look at a large WAL, and an idle moment, do.
func (db *DB) Checkpoint() (large, idle error) {
	c := db.lite.checkpoints
	return c.shrink(), c.empty()
}

// Tick is what happens every walIdle: it is given the frames that the WAL had
// before, and returns how many it has.
func (db *DB) Tick(seen int64) (int64, error) { return db.lite.checkpoints.idle(seen) }

// RenewNode is what a gateway on PostgreSQL does every 10 s; on SQLite there is
// nothing to do.
func (db *DB) RenewNode() error {
	if db.node == nil {
		return nil
	}
	return db.node.renew()
}
