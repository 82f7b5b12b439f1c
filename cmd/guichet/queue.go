package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
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

	mu     sync.Mutex
	leased map[int64]store.Outbox // rows as they were leased, until they are prepared
}

func newQueue(db *store.DB, flow *mailflow.Flow) *queue {
	return &queue{db: db, flow: flow, wake: make(chan struct{}, 1), leased: map[int64]store.Outbox{}}
}

func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) Wake() <-chan struct{} { return q.wake }

func (q *queue) Lease(ctx context.Context, n int, ttl time.Duration) ([]outbound.Item, error) {
	var rows []store.Outbox
	err := q.db.Update(ctx, "lease outbox", func(tx *store.Tx) (err error) {
		if _, err = tx.ReclaimOutbox(); err != nil {
			return err
		}
		rows, err = tx.LeaseOutbox(n, ttl)
		return err
	})
	q.mu.Lock()
	defer q.mu.Unlock()
	items := make([]outbound.Item, len(rows))
	for i, o := range rows {
		q.leased[o.ID] = o
		items[i] = outbound.Item{ID: o.ID, Fence: o.Fence, Lane: o.Lane(), Kind: o.Kind, Recipient: o.Recipient,
			Mail: o.Cause, Tries: o.Tries, Created: o.Created}
	}
	return items, err
}

// take gives the row of an item, as it was leased.
func (q *queue) take(id int64) store.Outbox {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.leased[id]
	delete(q.leased, id)
	return o
}

// holds says whether the lease of a row is still ours. One that is not
// composed yet need not be asked for: composing asks when it stores the mail.
func (q *queue) holds(ctx context.Context, o store.Outbox) (ours bool, err error) {
	if o.MailID == "" {
		return true, nil
	}
	err = q.db.View(ctx, func(tx *store.Tx) error {
		now, err := tx.OutboxByID(o.ID)
		ours = now.State == store.Sending && now.Fence == o.Fence
		return err
	})
	return ours, err
}

func (q *queue) Prepare(ctx context.Context, it outbound.Item) (outbound.Mail, error) {
	o := q.take(it.ID)
	if o.Fence != it.Fence {
		return outbound.Mail{}, outbound.ErrGone
	}
	if ours, err := q.holds(ctx, o); err != nil || !ours {
		return outbound.Mail{}, cmp.Or(err, outbound.ErrGone)
	}
	err := q.flow.Compose(ctx, &o)
	if errors.Is(err, mailflow.ErrNotSent) {
		err = outbound.ErrGone
	}
	return outbound.Mail{From: o.Sender, To: o.Recipient, Header: bytes.TrimSuffix(o.Header, []byte("\r\n")), Body: o.Body}, err
}

func (q *queue) Record(ctx context.Context, outcomes []outbound.Outcome) error {
	rows := make([]store.Outbox, len(outcomes))
	for i, out := range outcomes {
		q.take(out.Item.ID)
		rows[i] = store.Outbox{ID: out.Item.ID, Fence: out.Item.Fence, Recipient: out.Item.Recipient, Kind: out.Item.Kind,
			Tries: out.Tries, Reply: out.Reply, Due: out.Next}
		switch out.State {
		case outbound.Sent:
			rows[i].State = store.Sent
		case outbound.Failed:
			rows[i].State = store.FailedOut
		default:
			rows[i].State = store.Queued
		}
	}
	return q.flow.Settle(ctx, rows)
}

func (q *queue) NextDue(ctx context.Context) (at time.Time, err error) {
	err = q.db.View(ctx, func(tx *store.Tx) error {
		at, err = tx.NextOutbox()
		return err
	})
	return at, err
}
