package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/outbound"
	"guichet/store"
)

// queue is the store's outbox as the outbound worker sees it.
type queue struct {
	db   *store.DB
	flow *mailflow.Flow
	wake chan struct{}
	// doubt are rows leased in a commit whose outcome is not known. The one
	// goroutine that leases has them.
	doubt []store.Outbox
	lent  lentRows

	mu     sync.Mutex
	leased map[int64]inHand
}

// inHand is a row as it was leased, or as it is since a mail was made of it.
type inHand struct {
	mailflow.Lent
	since time.Time // when its lease was begun
}

func newQueue(db *store.DB, flow *mailflow.Flow) *queue {
	return &queue{db: db, flow: flow, wake: make(chan struct{}, 1), leased: map[int64]inHand{}, lent: newLentRows()}
}

// wakeUp says that rows were added to the outbox.
func (q *queue) wakeUp() {
	q.lent.waits()
	q.tick()
}

func (q *queue) tick() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take has rows that were leased as they were added.
func (q *queue) take(rows []mailflow.Lent) {
	q.lent.add(rows)
	q.tick()
}

func (q *queue) Wake() <-chan struct{} { return q.wake }

// Lease takes rows of the outbox, and then those that were leased as they were
// added. The outbox is not asked as long as nothing waits there.
func (q *queue) Lease(ctx context.Context, n int, ttl time.Duration) ([]outbound.Item, error) {
	var items []outbound.Item
	if q.lent.mustAsk(time.Now()) {
		began := time.Now().Round(0) // time in which the machine slept counts
		rows, err := q.lease(ctx, n, ttl)
		if err != nil {
			return nil, err
		}
		q.lent.asked(time.Now(), n, len(rows))
		for _, o := range rows {
			items = append(items, q.hold(inHand{mailflow.Lent{Row: o}, began}))
		}
	}
	rows, stale := q.lent.take(n-len(items), time.Now())
	if len(stale) > 0 {
		q.doubt = append(q.doubt, stale...)
		q.tick() // the next lease gives them back: nobody else knows of them
	}
	for _, l := range rows {
		items = append(items, q.hold(inHand{l, l.Row.Created}))
	}
	return items, nil
}

// lease takes rows of the outbox.
func (q *queue) lease(ctx context.Context, n int, ttl time.Duration) (rows []store.Outbox, err error) {
	err = q.db.Update(store.Urgent(ctx), "lease outbox", func(tx *store.Tx) (err error) {
		for _, o := range q.doubt {
			if err := tx.ReturnOutbox(o); err != nil {
				return err
			}
		}
		if _, err = tx.ReclaimOutbox(); err != nil {
			return err
		}
		rows, err = tx.LeaseOutbox(n, ttl)
		return err
	})
	switch {
	case err == nil:
		q.doubt = nil
	case errors.Is(err, store.ErrUnknownOutcome):
		q.doubt = append(q.doubt, rows...)
	}
	return rows, err
}

// hold notes a row in hand.
func (q *queue) hold(l inHand) outbound.Item {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := l.Row
	q.leased[o.ID] = l
	return outbound.Item{ID: o.ID, Fence: o.Fence, Lane: o.Lane(), Kind: o.Kind, Recipient: o.Recipient,
		Mail: o.Cause, Tries: o.Tries, Created: o.Created}
}

// row gives the row of an item in hand.
func (q *queue) row(id int64) inHand {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leased[id]
}

// forget ends the knowledge of a row, except that a later lease has it.
func (q *queue) forget(it outbound.Item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leased[it.ID].Row.Fence == it.Fence {
		delete(q.leased, it.ID)
	}
}

// composed remembers what became of a row in hand, but for the mail: the worker
// has it, or it is stored.
func (q *queue) composed(it outbound.Item, o store.Outbox) {
	o.Header, o.Body = nil, nil
	q.mu.Lock()
	defer q.mu.Unlock()
	if l, ok := q.leased[it.ID]; ok && l.Row.Fence == it.Fence {
		q.leased[it.ID] = inHand{mailflow.Lent{Row: o}, l.since}
	}
}

// holds says whether the lease of a row is still ours. For its first seconds
// nobody need be asked.
func (q *queue) holds(ctx context.Context, l inHand) (ours bool, err error) {
	if time.Since(l.since) < store.LeaseCertain {
		return true, nil
	}
	err = q.db.View(ctx, func(tx *store.Tx) error {
		now, err := tx.OutboxByID(l.Row.ID)
		ours = now.State == store.Sending && now.Fence == l.Row.Fence
		return err
	})
	return ours, err
}

func (q *queue) Prepare(ctx context.Context, it outbound.Item) (outbound.Mail, error) {
	l := q.row(it.ID)
	o := l.Row
	ours := o.Fence == it.Fence
	var err error
	if ours {
		ours, err = q.holds(ctx, l)
	}
	if ours && err == nil {
		err = q.flow.ComposeLent(ctx, &o, l.Lent)
	}
	switch {
	case err == nil && !ours, errors.Is(err, mailflow.ErrNotSent):
		q.forget(it)
		err = outbound.ErrGone
	case store.IsTrouble(err):
		err = fmt.Errorf("%w: %w", outbound.ErrNotNow, err)
	}
	if err != nil {
		return outbound.Mail{}, err
	}
	q.composed(it, o)
	return outbound.Mail{From: o.Sender, To: o.Recipient, Header: bytes.TrimSuffix(o.Header, []byte("\r\n")), Body: o.Body}, nil
}

func (q *queue) Record(ctx context.Context, outcomes []outbound.Outcome) error {
	rows := make([]store.Outbox, len(outcomes))
	for i, out := range outcomes {
		o := q.row(out.Item.ID).Row
		o.ID, o.Fence, o.Recipient, o.Kind = out.Item.ID, out.Item.Fence, out.Item.Recipient, out.Item.Kind
		o.Tries, o.Reply, o.Due = out.Tries, out.Reply, out.Next
		if out.Mail != nil && !o.Stored {
			o.Header, o.Body = slices.Concat(out.Mail.Header, []byte("\r\n")), out.Mail.Body
		}
		rows[i] = o
		switch out.State {
		case outbound.Sent:
			rows[i].State = store.Sent
		case outbound.Failed:
			rows[i].State = store.FailedOut
		default:
			rows[i].State = store.Queued
		}
	}
	err := q.flow.Settle(ctx, rows)
	if err == nil {
		for _, out := range outcomes {
			q.forget(out.Item)
		}
	}
	return err
}

func (q *queue) NextDue(ctx context.Context) (at time.Time, err error) {
	err = q.db.View(ctx, func(tx *store.Tx) error {
		lapsed, err := tx.HasLapsed()
		if lapsed {
			at = tx.Now() // what a gateway had that has ended can be leased
		}
		if err != nil || lapsed {
			return err
		}
		at, err = tx.NextOutbox()
		return err
	})
	return at, err
}
