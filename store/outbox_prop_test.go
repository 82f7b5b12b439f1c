package store_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guichet/store"
	"guichet/store/storetest"
)

// However two gateways lease, finish, fail and die, the mails of one lane
// leave in order, each once, and none stays behind.
func TestLanesKeepTheirOrder(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // hundreds of commits, of which none is about fsync
	}
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c, a, b := twoNodes(t, d)
		rapid.Check(t, func(rt *rapid.T) {
			w := &lanesModel{t: t, c: c, last: map[string]int64{}, state: map[int64]store.OutboxState{}, lanes: map[int64]string{}}
			w.nodes = [2]*gate{{db: a}, {db: b}}
			w.commit(a, func(tx *store.Tx) error { _, err := tx.Exec(`DELETE FROM outbox`); return err })
			rt.Repeat(map[string]func(*rapid.T){
				"add":    w.add,
				"lease":  w.lease,
				"finish": w.finish,
				"crash":  func(rt *rapid.T) { w.pick(rt).die() },
				"stale":  w.stale,
				"wait":   func(rt *rapid.T) { c.add(time.Duration(rapid.IntRange(1, 15).Draw(rt, "s")) * time.Second) },
			})
			w.drain(rt)
		})
	})
}

// gate is a gateway: what it has in hand, and what it had when it died.
type gate struct {
	db   *store.DB
	held []store.Outbox
	lost []store.Outbox
}

func (g *gate) die() { g.lost, g.held = append(g.lost, g.held...), nil }

type lanesModel struct {
	t     *testing.T
	c     *steps
	nodes [2]*gate
	last  map[string]int64 // lane -> the row sent last
	state map[int64]store.OutboxState
	lanes map[int64]string
}

func (w *lanesModel) pick(rt *rapid.T) *gate { return w.nodes[rapid.IntRange(0, 1).Draw(rt, "node")] }

// commit runs an update that need not outlive the server.
func (w *lanesModel) commit(db *store.DB, fn func(*store.Tx) error) {
	update(w.t, db, func(tx *store.Tx) error {
		if tx.Engine() == "postgres" {
			if _, err := tx.Exec(`SET LOCAL synchronous_commit = off`); err != nil {
				return err
			}
		}
		return fn(tx)
	})
}

func (w *lanesModel) add(rt *rapid.T) {
	o := store.Outbox{TicketID: int64(rapid.IntRange(1, 3).Draw(rt, "lane")), Recipient: "a@x", Kind: "update",
		Priority: rapid.IntRange(0, 2).Draw(rt, "priority")}
	o.Due = w.c.Now().Add(time.Duration(rapid.IntRange(-5, 20).Draw(rt, "due")) * time.Second)
	w.commit(w.nodes[0].db, func(tx *store.Tx) (err error) {
		o.ID, err = tx.AddOutbox(o)
		return err
	})
	w.state[o.ID], w.lanes[o.ID] = store.Queued, o.Lane()
}

func (w *lanesModel) lease(rt *rapid.T) {
	w.leaseFor(rt, w.pick(rt), rapid.IntRange(1, 4).Draw(rt, "n"))
}

func (w *lanesModel) leaseFor(rt *rapid.T, g *gate, n int) {
	alive(w.t, g.db)
	var rows []store.Outbox
	w.commit(g.db, func(tx *store.Tx) (err error) {
		if _, err = tx.ReclaimOutbox(); err == nil {
			rows, err = tx.LeaseOutbox(n, leaseTTL)
		}
		return err
	})
	if len(rows) > n {
		rt.Fatalf("asked for %d rows, got %d", n, len(rows))
	}
	for _, o := range rows {
		for id, state := range w.state {
			if w.lanes[id] == o.Lane() && id < o.ID && (state == store.Queued || state == store.Sending) {
				rt.Fatalf("row %d was leased past %d, which is %s", o.ID, id, state)
			}
		}
		if o.Due.After(w.c.Now()) || w.last[o.Lane()] >= o.ID {
			rt.Fatalf("row %d was leased, due at %v, after %d had been sent", o.ID, o.Due, w.last[o.Lane()])
		}
		w.state[o.ID] = store.Sending
	}
	g.held = append(g.held, rows...)
}

// finish ends one row in hand. If the lease ran out and another took the row
// nothing happens.
func (w *lanesModel) finish(rt *rapid.T) {
	g := w.pick(rt)
	if len(g.held) == 0 {
		rt.Skip()
	}
	i := rapid.IntRange(0, len(g.held)-1).Draw(rt, "row")
	o := g.held[i]
	g.held = append(g.held[:i:i], g.held[i+1:]...)
	o.State = rapid.SampledFrom([]store.OutboxState{store.Sent, store.Sent, store.Queued, store.FailedOut}).Draw(rt, "to")
	o.Tries++
	o.Due = w.c.Now().Add(time.Duration(rapid.IntRange(0, 10).Draw(rt, "again")) * time.Second)
	w.end(rt, g, o)
}

func (w *lanesModel) end(rt *rapid.T, g *gate, o store.Outbox) {
	var ok bool
	w.commit(g.db, func(tx *store.Tx) (err error) {
		ok, err = tx.FinishOutbox(o)
		return err
	})
	if !ok {
		return
	}
	if w.state[o.ID] != store.Sending {
		rt.Fatalf("row %d, which was %s, was finished", o.ID, w.state[o.ID])
	}
	if o.State == store.Sent {
		if w.last[o.Lane()] >= o.ID {
			rt.Fatalf("row %d was sent after %d", o.ID, w.last[o.Lane()])
		}
		w.last[o.Lane()] = o.ID
	}
	w.state[o.ID] = o.State
}

// stale has a gateway that died and came back finish what it had. It may
// where nobody took the row meanwhile.
func (w *lanesModel) stale(rt *rapid.T) {
	g := w.pick(rt)
	if len(g.lost) == 0 {
		rt.Skip()
	}
	o := g.lost[0]
	g.lost = g.lost[1:]
	o.State = store.Sent
	w.end(rt, g, o)
}

// drain lets both gateways die and a last one work until nothing is left.
func (w *lanesModel) drain(rt *rapid.T) {
	w.nodes[0].die()
	w.nodes[1].die()
	for range 10 * (1 + len(w.state)) {
		w.c.add(leaseTTL)
		g := w.nodes[1]
		w.leaseFor(rt, g, 4)
		for _, o := range g.held {
			o.State = store.Sent
			w.end(rt, g, o)
		}
		g.held = nil
		if !w.open() {
			return
		}
	}
	rt.Fatal(fmt.Sprint("rows stay behind: ", w.state))
}

func (w *lanesModel) open() bool {
	for _, s := range w.state {
		if s == store.Queued || s == store.Sending {
			return true
		}
	}
	return false
}
