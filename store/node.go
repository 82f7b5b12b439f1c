package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// nodeTTL is how long after its last sign a gateway on PostgreSQL counts as
// alive; it gives a sign three times as often.
const nodeTTL = 30 * time.Second

// node keeps the lease that shows this gateway to the others.
type node struct {
	db      *DB
	fence   int64
	quit    chan struct{}
	stopped chan struct{}
}

// startNode takes the node's lease. It refuses a name that another gateway
// has, or had within the last 30 s.
func startNode(ctx context.Context, db *DB) (*node, error) {
	n := &node{db: db, quit: make(chan struct{}), stopped: make(chan struct{})}
	var ok bool
	err := db.Update(ctx, "begin node", func(tx *Tx) (err error) {
		n.fence, ok, err = tx.TakeLease(nodeLease(db.Node()), nodeTTL)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("another gateway is called %s, or was less than %v ago", db.Node(), nodeTTL)
	}
	go n.loop()
	return n, nil
}

// stop gives the lease back, so that the others need not wait for its end.
func (n *node) stop() {
	close(n.quit)
	<-n.stopped
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// If it cannot be given back it runs out.
	_ = n.db.Update(ctx, "end node", func(tx *Tx) error {
		return tx.DropLease(nodeLease(n.db.Node()), n.fence)
	})
}

func (n *node) loop() {
	defer close(n.stopped)
	tick := time.NewTicker(nodeTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-n.quit:
			return
		case <-tick.C:
			if err := n.renew(); err != nil {
				n.db.opt.Log.Error("node lease not renewed", "err", err, "node", n.db.Node())
			}
		}
	}
}

// renew takes the lease again if it was lost: others may have taken over what
// this gateway had, which its fences tell it.
func (n *node) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), nodeTTL/3)
	defer cancel()
	var fence int64
	err := n.db.Update(ctx, "renew node", func(tx *Tx) error {
		fence = n.fence
		ok, err := tx.RenewLease(nodeLease(n.db.Node()), n.fence, nodeTTL)
		if err != nil || ok {
			return err
		}
		fence, ok, err = tx.TakeLease(nodeLease(n.db.Node()), nodeTTL)
		if err == nil && !ok {
			err = errors.New("another gateway has this node's name")
		}
		return err
	})
	if err == nil {
		n.fence = fence
	}
	return err
}
