package main

import (
	"bytes"
	"context"
	"errors"
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
}

func newQueue(db *store.DB, flow *mailflow.Flow) *queue {
	return &queue{db: db, flow: flow, wake: make(chan struct{}, 1)}
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
	items := make([]outbound.Item, len(rows))
	for i, o := range rows {
		items[i] = outbound.Item{ID: o.ID, Fence: o.Fence, Lane: o.Lane(), Kind: o.Kind, Recipient: o.Recipient,
			Mail: o.Cause, Tries: o.Tries, Created: o.Created}
	}
	return items, err
}

func (q *queue) Prepare(ctx context.Context, it outbound.Item) (outbound.Mail, error) {
	var o store.Outbox
	err := q.db.View(ctx, func(tx *store.Tx) (err error) {
		o, err = tx.OutboxByID(it.ID)
		return err
	})
	if err != nil {
		return outbound.Mail{}, err
	}
	if o.State != store.Sending || o.Fence != it.Fence {
		return outbound.Mail{}, outbound.ErrGone
	}
	err = q.flow.Compose(ctx, &o)
	if errors.Is(err, mailflow.ErrNotSent) {
		err = outbound.ErrGone
	}
	return outbound.Mail{From: o.Sender, To: o.Recipient, Header: bytes.TrimSuffix(o.Header, []byte("\r\n")), Body: o.Body}, err
}

func (q *queue) Record(ctx context.Context, outcomes []outbound.Outcome) error {
	rows := make([]store.Outbox, len(outcomes))
	for i, out := range outcomes {
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
