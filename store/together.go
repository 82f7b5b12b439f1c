package store

import (
	"context"
	"runtime/debug"
	"sync"
)

// togetherMax bounds the views that share one snapshot.
const togetherMax = 64

// together lets views that wait at the same time share one snapshot, as the
// writer lets updates share one commit. A reader of SQLite forgets its pages
// with each new snapshot of a database that was written, so that the first
// statement after it costs more than all others.
type together struct {
	mu      sync.Mutex
	waiting []*sharedView // oldest first
	led     bool          // somebody runs views; the oldest that waits is next
}

type sharedView struct {
	fn   func(*Tx) error
	err  error
	turn chan bool // true: run the next views; closed: it was run
}

// ViewTogether is [DB.View] for short reads that many do at once: they may run
// one after another in one transaction, so fn returns soon. ctx is looked at
// before. On PostgreSQL it is View.
func (db *DB) ViewTogether(ctx context.Context, fn func(*Tx) error) error {
	if db.lite == nil {
		return db.View(ctx, fn)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &db.together
	v := &sharedView{fn: fn, turn: make(chan bool, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, v)
	if !g.led {
		g.led = true
		v.turn <- true
	}
	g.mu.Unlock()
	if lead := <-v.turn; lead {
		db.runViews(g.take())
		g.pass()
	}
	return v.err
}

// take removes the oldest that wait.
func (g *together) take() []*sharedView {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), togetherMax)
	group := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return group
}

// pass lets the oldest that waits by now run the next views.
func (g *together) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led = len(g.waiting) > 0; g.led {
		g.waiting[0].turn <- true
	}
}

// runViews runs views in one transaction; those behind one whose statement
// failed, which ends it for all, run in another.
func (db *DB) runViews(group []*sharedView) {
	for rest := group; len(rest) > 0; {
		ran := 0
		err := db.View(context.Background(), func(tx *Tx) error {
			for tx.lost == nil && ran < len(rest) {
				rest[ran].run(tx)
				ran++
			}
			return nil
		})
		if ran == 0 { // it did not even begin
			rest[0].err, ran = err, 1
		}
		rest = rest[ran:]
	}
	for _, v := range group {
		close(v.turn)
	}
}

func (v *sharedView) run(tx *Tx) {
	defer func() {
		if p := recover(); p != nil {
			v.err = &PanicError{p, debug.Stack()}
			tx.lost = v.err // what it left open is unknown
		}
	}()
	if v.err = v.fn(tx); v.err == nil {
		v.err = tx.lost
	}
	if tx.open != nil {
		tx.open.Close()
		tx.open = nil
	}
	v.err = classify(v.err)
}
