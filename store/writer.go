package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// A group of updates is committed when it has this many, or has been given
// this many bytes to write, or when nobody waits. The bytes bound how long a
// commit holds up the others.
const (
	groupUpdates = 64
	groupBytes   = 1 << 20
	// yields is how often it lets others run before it commits. The first
	// hardly changes a commit's size, the fifth neither.
	yields = 4
)

// writer is the one goroutine that writes to SQLite: its own, or that of an
// update which finds nobody writing, since two changes of goroutine take as
// long as the statements of a small one.
//
// It commits the updates that wait together: they run in turn in one
// transaction, without savepoints, and are answered after its commit. SQLite
// ends the whole transaction when the disk is full or a statement is
// interrupted, savepoints included, so if anything goes wrong the group is
// rolled back and each of its updates is run again in a transaction of its
// own: only the culprit gets its error, and nobody was told success before.
// Nor is anybody before the commit is on the disk: see walSync.
type writer struct {
	db   *DB
	conn *sql.Conn
	lite *liteConn // of conn; used by who writes alone
	disk *walSync
	gate sync.Mutex
	// gate is held for the time of a transaction, and by the checkpoint that
	// resets the WAL.

	mu      sync.Mutex
	queue   []*job // waiting, oldest first
	urgent  []*job // those that go before them
	ahead   int    // urgent jobs taken in a row while others waited
	closed  bool
	writing bool          // somebody writes, or was woken to: what is queued will be run
	single  bool          // the last group was one update
	wake    chan struct{} // tells the goroutine that it writes now; holds one
	moved   *sync.Cond    // of mu: an update was queued, or the disk has nothing to do
	stopped chan struct{} // closed when the goroutine has ended

	// Of who writes, kept here for when fn ends that goroutine.
	group   []*job // run in the open transaction, not answered
	alone   []*job // of a group that failed, to be run singly
	running *job
}

// job is one call of Update.
type job struct {
	ctx   context.Context
	what  string
	fn    func(*Tx) error
	state atomic.Int32  // jobWaiting -> jobTaken or jobGone
	tx    *Tx           // of the last run
	err   error         // set before done is closed
	done  chan struct{} // nil if the caller runs it
}

const (
	jobWaiting int32 = iota
	jobTaken         // the writer has it: the caller waits for the outcome
	jobGone          // the caller gave up: the writer leaves it
)

func startWriter(ctx context.Context, db *DB) (*writer, error) {
	conn, err := db.lite.writePool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	lite, err := newLiteConn(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	w := &writer{db: db, conn: conn, lite: lite, wake: make(chan struct{}, 1), stopped: make(chan struct{}), writing: true}
	w.moved = sync.NewCond(&w.mu)
	w.disk, err = startWALSync(db, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.moved.Signal()
	})
	if err != nil {
		lite.close()
		return nil, errors.Join(err, conn.Close())
	}
	go w.loop()
	return w, nil
}

// update queues fn and waits for its outcome.
func (w *writer) update(ctx context.Context, what string, fn func(*Tx) error) ([]func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{ctx: ctx, what: what, fn: fn}
	queued, err := w.push(j)
	if err != nil {
		return nil, err
	}
	if !queued {
		w.runHere(j)
	} else {
		select {
		case <-j.done:
		case <-ctx.Done():
			if j.state.CompareAndSwap(jobWaiting, jobGone) {
				return nil, ctx.Err()
			}
			// fn may be running, and writes to the caller's variables.
			<-j.done
		}
	}
	if j.err != nil {
		return nil, j.err
	}
	return j.tx.after, nil
}

// push queues a job, or has the caller run it: if nobody writes, and the last
// one to write was alone too. Where many write they wait for one another, and
// share their commits.
func (w *writer) push(j *job) (queued bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return false, ErrClosed
	case !w.writing && w.single:
		w.writing = true
		return false, nil
	}
	j.done = make(chan struct{})
	if isUrgent(j.ctx) {
		w.urgent = append(w.urgent, j)
	} else {
		w.queue = append(w.queue, j)
	}
	w.rouse()
	w.moved.Signal()
	return true, nil
}

// rouse has the goroutine write, if nobody does. mu is held.
func (w *writer) rouse() {
	if !w.writing {
		w.writing = true
		w.wake <- struct{}{}
	}
}

// runHere runs a job on its caller's goroutine, then lets go of the writing:
// what was queued meanwhile is for the goroutine.
func (w *writer) runHere(j *job) {
	defer func() {
		if w.running != nil {
			w.afterExit() // fn ended this goroutine
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.writing = false
		if len(w.urgent)+len(w.queue) > 0 || w.closed {
			w.rouse()
		}
	}()
	w.runOne(j)
}

// take returns the oldest job whose caller still waits, nil if there is none.
func (w *writer) take() *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.oldest()
}

func (w *writer) oldest() (j *job) {
	for len(w.urgent)+len(w.queue) > 0 {
		from := &w.queue
		if len(w.urgent) > 0 && (w.ahead < groupUpdates/2 || len(w.queue) == 0) {
			from = &w.urgent
			w.ahead++
		} else {
			w.ahead = 0
		}
		j, (*from)[0] = (*from)[0], nil
		*from = (*from)[1:]
		if j.state.CompareAndSwap(jobWaiting, jobTaken) {
			return j
		}
	}
	return nil
}

// takeOrRest is take for the goroutine: with nothing to do it writes no more.
func (w *writer) takeOrRest() (j *job, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j = w.oldest(); j == nil {
		w.writing = w.closed
	}
	return j, w.closed
}

type urgentKey struct{}

// Urgent marks the updates of a context to go before those that wait already,
// up to half of a group: an agent's answer does not stand in line with the
// thousands who write when something is down. On PostgreSQL it does nothing.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

func isUrgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }

// stop refuses new updates, waits until those in the queue are answered, and
// returns the connection.
func (w *writer) stop() error {
	w.mu.Lock()
	w.closed = true
	w.rouse()
	w.mu.Unlock()
	<-w.stopped
	err := w.disk.stop()
	w.lite.close()
	return errors.Join(err, w.conn.Close())
}

// loop runs until the writer is closed and its queue empty.
func (w *writer) loop() {
	over := false
	defer func() {
		if over {
			close(w.stopped)
			return
		}
		// fn ended this goroutine, which cannot be prevented.
		w.afterExit()
		go w.loop()
	}()
	w.runAlone()
	for {
		j, closed := w.takeOrRest()
		switch {
		case j != nil:
			w.runGroup(j)
			w.runAlone()
		case closed:
			over = true
			return
		default:
			<-w.wake
		}
	}
}

// afterExit answers the update that ended the writing goroutine and leaves
// the others of its group to be run singly.
func (w *writer) afterExit() {
	culprit := w.running
	w.running = nil
	for _, j := range w.group {
		if j != culprit {
			w.alone = append(w.alone, j)
		}
	}
	w.group = nil
	if culprit != nil {
		culprit.tx.end(nil)
		culprit.answer(errors.Join(errExited, w.rollback()))
	}
}

// runGroup runs first, and what waits, in one transaction.
func (w *writer) runGroup(first *job) {
	w.gate.Lock()
	defer w.gate.Unlock()
	if err := w.begin(); err != nil {
		w.refuse(first, err)
		return
	}
	w.group = append(w.group[:0], first)
	bytes, spoilt := int64(0), false
	for j := first; j != nil; {
		spoilt = !w.run(j)
		bytes += j.tx.bytes
		if spoilt || len(w.group) == groupUpdates || bytes >= groupBytes {
			break
		}
		if j = w.next(); j != nil {
			w.group = append(w.group, j)
		}
	}
	w.single = len(w.group) == 1
	w.endGroup(spoilt, bytes)
}

// next is the next update of a group. If none waits, the group does while the
// disk has earlier ones; then all others who can run do so first: where the
// machine is busy, what they are about to ask for shares the commit. Where it
// is not, nothing is lost.
func (w *writer) next() *job {
	j := w.await()
	for try := 0; j == nil && len(w.group) > 1 && try < yields; try++ {
		runtime.Gosched()
		j = w.take()
	}
	return j
}

// await is take that waits for the disk.
func (w *writer) await() *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		j := w.oldest()
		if j != nil || !w.disk.busy() {
			return j
		}
		w.moved.Wait()
	}
}

// endGroup commits the group and leaves it to the disk, or rolls it back and
// leaves it to be run singly.
func (w *writer) endGroup(spoilt bool, bytes int64) {
	var err error
	if spoilt {
		err = w.rollback()
	} else {
		err = w.commit()
	}
	if spoilt && len(w.group) == 1 && err == nil {
		err = w.group[0].err // it was alone already
	}
	switch {
	case !spoilt && err == nil:
		w.db.lite.checkpoints.wrote(len(w.group), bytes)
		w.settle()
	case errors.Is(err, ErrIO), len(w.group) == 1:
		for _, j := range w.group {
			j.answer(err)
		}
	default:
		w.alone = append(w.alone, w.group...)
	}
	clear(w.group)
	w.group = w.group[:0]
}

// settle has the committed group answered once it is on the disk. What only
// read may have read what is not there yet.
func (w *writer) settle() {
	wrote := slices.ContainsFunc(w.group, func(j *job) bool { return j.tx.wrote })
	switch {
	case !wrote && !w.disk.busy():
		answerAll(w.group, w.db.Failure()) // what it read may have been lost just now
	case w.group[0].done == nil:
		answerAll(w.group, w.disk.sync()) // its caller is here
	default:
		w.disk.add(w.group)
	}
}

// run runs one update of the group. It reports whether the group can go on:
// after an update that failed before it wrote anything it can, and that
// update is answered with the others, for it may have failed because of what
// they did.
func (w *writer) run(j *job) bool {
	j.err = nil
	if err := j.ctx.Err(); err != nil {
		j.tx, j.err = &Tx{}, err
		return true
	}
	w.call(j)
	if w.db.noticed(j.err) != nil {
		return !j.tx.wrote && j.tx.lost == nil && w.lite.alive() == nil
	}
	j.err = w.lite.alive()
	return j.err == nil
}

// call runs the update's function and sets j.err.
func (w *writer) call(j *job) {
	j.tx = w.db.newTx(context.Background(), w.lite)
	w.running = j
	defer func() {
		if v := recover(); v != nil {
			j.err = &PanicError{v, debug.Stack()}
			j.tx.end(nil)
			w.running = nil
		}
	}()
	j.err = j.tx.end(j.fn(j.tx))
	w.running = nil
}

// runAlone runs what a failed group left, each in its own transaction.
func (w *writer) runAlone() {
	for len(w.alone) > 0 {
		j := w.alone[0]
		w.alone = w.alone[1:]
		w.runOne(j)
	}
	w.alone = nil
}

func (w *writer) runOne(j *job) {
	w.gate.Lock()
	defer w.gate.Unlock()
	if err := w.begin(); err != nil {
		j.answer(err)
		return
	}
	w.group = append(w.group[:0], j)
	w.endGroup(!w.run(j), j.tx.bytes)
}

// begin opens the transaction.
func (w *writer) begin() error {
	if err := w.db.Failure(); err != nil {
		return err
	}
	err := w.lite.do("BEGIN IMMEDIATE")
	if errors.Is(err, driver.ErrBadConn) {
		err = fmt.Errorf("%w: %w", ErrIO, err)
	}
	return w.db.noticed(classify(err))
}

// commit ends the transaction; it is durable when the disk has it.
func (w *writer) commit() error {
	for _, j := range w.group {
		Point("before", j.what)
	}
	if err := w.lite.do("COMMIT"); err != nil {
		return errors.Join(w.db.noticed(classify(err)), w.rollback())
	}
	return nil
}

// rollback ends the transaction if SQLite has not done so itself. If that
// cannot be done the connection is of no more use, nor the DB.
func (w *writer) rollback() error {
	if w.lite.alive() != nil {
		return nil
	}
	if err := w.lite.do("ROLLBACK"); err != nil {
		return w.db.noticed(fmt.Errorf("%w: roll back: %w", ErrIO, err))
	}
	return nil
}

var errGone = errors.New("SQLite rolled back the whole transaction")

// refuse answers first and all that wait: they would each wait as long for
// the same lock. What comes after the first answer is no longer of those.
func (w *writer) refuse(first *job, err error) {
	jobs := []*job{first}
	for j := w.take(); j != nil; j = w.take() {
		jobs = append(jobs, j)
	}
	answerAll(jobs, err)
}

// answerAll answers a committed group: err says that the disk has it not.
func answerAll(jobs []*job, err error) {
	for _, j := range jobs {
		if err == nil {
			Point("after", j.what)
		}
		j.answer(err)
	}
}

// answer tells the caller the outcome; a clean failure of a run (see run)
// outlives a commit.
func (j *job) answer(err error) {
	if err != nil || j.err == nil {
		j.err = err
	}
	if j.done != nil {
		close(j.done)
	}
}
