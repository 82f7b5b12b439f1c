package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// leaseTTL is longer than a node of PostgreSQL is silent in these tests.
const leaseTTL = 20 * time.Second

// lease gives the rows in the order of their ids: only which rows come is
// promised.
func lease(t testing.TB, db *store.DB, n int) []store.Outbox {
	t.Helper()
	rows := in(t, db, func(tx *store.Tx) ([]store.Outbox, error) { return tx.LeaseOutbox(n, leaseTTL) })
	slices.SortFunc(rows, func(a, b store.Outbox) int { return int(a.ID - b.ID) })
	return rows
}

func reclaim(t testing.TB, db *store.DB) int64 {
	t.Helper()
	return in(t, db, (*store.Tx).ReclaimOutbox)
}

// queue adds a row that is due in so long, or at once.
func queue(t testing.TB, db *store.DB, o store.Outbox, due time.Duration) int64 {
	t.Helper()
	if o.Kind == "" {
		o.Kind = ticket.Update
	}
	return in(t, db, func(tx *store.Tx) (int64, error) {
		o.Due = tx.Now().Add(due)
		return tx.AddOutbox(o)
	})
}

func finish(t testing.TB, db *store.DB, o store.Outbox, to store.OutboxState) bool {
	t.Helper()
	o.State = to
	return in(t, db, func(tx *store.Tx) (bool, error) { return tx.FinishOutbox(o) })
}

func row(t testing.TB, db *store.DB, id int64) store.Outbox {
	t.Helper()
	return ask(t, db, (*store.Tx).OutboxByID, id)
}

func testOutboxRowComesBack(t *testing.T, c *steps, a, b *store.DB) {
	for _, o := range []store.Outbox{
		{TicketID: 7, Desk: "support", Party: 2, Kind: ticket.Reminder, Recipient: "a@x.example", Priority: 3, Args: "{}"},
		{Desk: "support", Party: -1, Kind: ticket.FormLink, Recipient: "b@x.example", State: store.HeldOut, Reply: "why", Args: "[]"},
		{TicketID: 7, Party: 0, Recipient: "c@x.example", Kind: ticket.Update},
	} {
		o.ID = queue(t, a, o, time.Hour)
		if o.State == "" {
			o.State = store.Queued
		}
		o.Due, o.Created = c.Now().Add(time.Hour), c.Now()
		same(t, "read", row(t, a, o.ID), o)
		same(t, "locked", ask(t, a, (*store.Tx).LockOutbox, o.ID), o)
	}
	err := a.View(t.Context(), func(tx *store.Tx) error { _, err := tx.OutboxByID(99); return err })
	errorIs(t, "no such row", err, sql.ErrNoRows)
}

func testLeaseOrder(t *testing.T, c *steps, a, b *store.DB) {
	add := func(name string, priority int, due time.Duration) int64 {
		return queue(t, a, store.Outbox{TicketID: 1, Recipient: name, Priority: priority}, due)
	}
	later := add("later", 0, time.Second)
	words, early := add("words", 2, 0), add("early", 2, -time.Second)
	urgent, last, negative := add("urgent", 1, 0), add("last", 9, -time.Hour), add("negative", -1, 0)
	next := func(tx *store.Tx, _ int64) (time.Time, error) { return tx.NextOutbox() }
	same(t, "next", ask(t, a, next, 0), c.Now().Add(-time.Hour))
	same(t, "the lowest priority", outboxIDs(lease(t, a, 1)), []int64{negative})
	same(t, "then the earliest due", outboxIDs(lease(t, b, 2)), []int64{early, urgent})
	same(t, "then the rest that is due", outboxIDs(lease(t, a, 9)), []int64{words, last})
	same(t, "nothing is due", outboxIDs(lease(t, a, 9)), "[]")
	same(t, "none is asked for", outboxIDs(lease(t, a, 0)), "[]")
	same(t, "next", ask(t, a, next, 0), c.Now().Add(time.Second))
	c.add(time.Second)
	same(t, "due now", outboxIDs(lease(t, b, 9)), []int64{later})
	same(t, "next of none", ask(t, a, next, 0).IsZero(), true)
	got := row(t, a, later)
	same(t, "leased", fmt.Sprint(got.State, got.Fence), "sending1")
}

// A row whose lease nobody can be sure of goes back, unless it is another's.
func testReturnOutbox(t *testing.T, c *steps, a, b *store.DB) {
	id := queue(t, a, store.Outbox{TicketID: 1, Recipient: "a@x"}, 0)
	back := func(db *store.DB, o store.Outbox) {
		t.Helper()
		do(t, db, func(tx *store.Tx) error { return tx.ReturnOutbox(o) })
	}
	first := lease(t, a, 1)[0]
	back(b, first)
	same(t, "another's", outboxIDs(lease(t, b, 1)), "[]")
	back(a, first)
	same(t, "given back", outboxIDs(lease(t, a, 1)), []int64{id})
	back(a, first)
	same(t, "an older lease", outboxIDs(lease(t, b, 1)), "[]")
}

// A row that is leased as it is added is one that was added and leased.
func testLeasedAsAdded(t *testing.T, c *steps, a, b *store.DB) {
	add := func(to string) store.Outbox {
		return in(t, a, func(tx *store.Tx) (store.Outbox, error) {
			return tx.AddLeasedOutbox(store.Outbox{TicketID: 1, Desk: "support", Party: -1, Recipient: to, Kind: ticket.Update, Due: tx.Now()}, time.Minute)
		})
	}
	free := func(lane string) bool {
		return in(t, b, func(tx *store.Tx) (bool, error) { return tx.LaneIsFree(lane) })
	}
	same(t, "a lane without rows", free("1 a@x"), true)
	o := add("a@x")
	stored := in(t, a, func(tx *store.Tx) (store.Outbox, error) { return tx.OutboxByID(o.ID) })
	same(t, "as stored", fmt.Sprint(o), fmt.Sprint(stored))
	same(t, "its lane", free(o.Lane()), false)
	next := queue(t, a, store.Outbox{TicketID: 1, Desk: "support", Recipient: "a@x", Kind: ticket.Update}, 0)
	waits := queue(t, a, store.Outbox{TicketID: 1, Desk: "support", Recipient: "b@x", Kind: ticket.Update}, 0)
	same(t, "a lane with a queued row", free("1 b@x"), false)
	same(t, "nobody else has it, none goes past it", outboxIDs(lease(t, b, 9)), []int64{waits})
	finish(t, a, o, store.Sent)
	same(t, "the lane goes on", outboxIDs(lease(t, b, 9)), []int64{next})
	lost := add("c@x")
	c.add(time.Minute)
	alive(t, b)
	do(t, b, func(tx *store.Tx) error { _, err := tx.ReclaimOutbox(); return err })
	again := lease(t, b, 9)
	same(t, "its lease runs out", fmt.Sprint(slices.Contains(outboxRowIDs(again), lost.ID)), "true")
	ours := in(t, a, func(tx *store.Tx) (bool, error) { lost.State = store.Sent; return tx.FinishOutbox(lost) })
	same(t, "the old lease", ours, false)
}

func outboxRowIDs(rows []store.Outbox) (ids []int64) {
	for _, o := range rows {
		ids = append(ids, o.ID)
	}
	return ids
}

func testLanes(t *testing.T, c *steps, a, b *store.DB) {
	add := func(ticketID int64, to string, kind ticket.Kind, priority int, due time.Duration) int64 {
		return queue(t, a, store.Outbox{TicketID: ticketID, Desk: "support", Recipient: to, Kind: kind, Priority: priority}, due)
	}
	first, second := add(1, "a@x", ticket.Update, 5, 0), add(1, "a@x", ticket.Update, 0, 0)
	to2, of2 := add(1, "b@x", ticket.Update, 9, 0), add(2, "a@x", ticket.Update, 9, 0)
	free1, free2 := add(0, "a@x", ticket.FormLink, 9, 0), add(0, "a@x", ticket.FormLink, 9, 0)
	other := add(0, "a@x", ticket.AlsoReceived, 9, 0)
	got := lease(t, a, 9)
	same(t, "one a lane", outboxIDs(got), []int64{first, to2, of2, free1, other})
	same(t, "none past one in hand", outboxIDs(lease(t, b, 9)), "[]")
	finish(t, a, got[3], store.Sent)
	same(t, "the lane goes on", outboxIDs(lease(t, b, 9)), []int64{free2})

	// The first is deferred: the second waits with it.
	again := got[0]
	again.Due, again.Tries = c.Now().Add(time.Second), 1
	finish(t, a, again, store.Queued)
	same(t, "none past a deferred one", outboxIDs(lease(t, b, 9)), "[]")
	set := func(to store.OutboxState) {
		t.Helper()
		do(t, a, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE outbox SET state = ? WHERE id = ?`, string(to), first)
			return err
		})
	}
	for _, state := range []store.OutboxState{store.HeldOut, store.FailedOut, store.Cancelled, store.Sent} {
		set(state)
		rows := lease(t, b, 9)
		same(t, string(state)+" does not block", outboxIDs(rows), []int64{second})
		set(store.Queued)
		for _, o := range rows {
			o.Due = c.Now()
			finish(t, b, o, store.Queued)
		}
		same(t, "queued does", outboxIDs(lease(t, b, 9)), "[]")
	}
}

func testOutboxLists(t *testing.T, c *steps, a, b *store.DB) {
	var ids []int64
	for i, state := range []store.OutboxState{store.Queued, store.HeldOut, store.Queued, store.Queued, store.FailedOut} {
		ids = append(ids, queue(t, a, store.Outbox{TicketID: int64(i + 1), Recipient: "a@x", Desk: "support", State: state}, 0))
	}
	page := func(state store.OutboxState, after int64, n int) []int64 {
		t.Helper()
		return outboxIDs(in(t, a, func(tx *store.Tx) ([]store.Outbox, error) { return tx.OutboxPage(state, after, n) }))
	}
	same(t, "a page", page("", ids[0], 2), ids[1:3])
	same(t, "of a state", page(store.Queued, ids[0], 9), ids[2:4])
	count := func(fn func(*store.Tx, int) (int, error), limit int) int {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (int, error) { return fn(tx, limit) })
	}
	same(t, "depth", count((*store.Tx).OutboxDepth, 9), 3)
	same(t, "depth, at most", count((*store.Tx).OutboxDepth, 2), 2)
	same(t, "busy", count((*store.Tx).OutboxBusy, 9), 3)
	queue(t, a, store.Outbox{TicketID: 9, Priority: 4}, time.Hour)
	lease(t, a, 1)
	same(t, "what is being sent is busy, what is not due is not", count((*store.Tx).OutboxBusy, 9), 3)
	same(t, "busy, at most", count((*store.Tx).OutboxBusy, 2), 2)
	c.add(time.Hour)
	same(t, "depth, whenever due", count((*store.Tx).OutboxDepth, 9), 3)
}
