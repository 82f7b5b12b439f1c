package store_test

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// Who had a row too long changes nothing any more, whoever has it now.
func testStaleFence(t *testing.T, c *steps, a, b *store.DB) {
	id := queue(t, a, store.Outbox{TicketID: 1, Recipient: "a@x", Args: "{}"}, 0)
	old := lease(t, a, 1)[0]
	c.add(leaseTTL - 1000)
	same(t, "reclaimed in time", reclaim(t, b), 0)
	c.add(1000)
	same(t, "run out", reclaim(t, b), 1)
	old.Header, old.MailID, old.Sender = []byte("old"), "<old>", "old@x"
	tryOld := func(when string) {
		t.Helper()
		before := row(t, a, id)
		for _, state := range []store.OutboxState{store.Sent, store.FailedOut, store.Queued, store.HeldOut} {
			same(t, when+": finished as "+string(state), finish(t, a, old, state), false)
		}
		same(t, when+": stored", in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(old) }), false)
		do(t, a, func(tx *store.Tx) error { return tx.HoldOutbox(old, "stale") })
		same(t, when+": the row", row(t, a, id), before)
	}
	tryOld("queued again")
	fresh := lease(t, b, 1)[0]
	same(t, "a fence of its own", fresh.Fence > old.Fence, true)
	tryOld("with b")
	fresh.Header, fresh.MailID = []byte("new"), "<new>"
	same(t, "b stores", in(t, b, func(tx *store.Tx) (bool, error) { return tx.StoreMail(fresh) }), true)
	same(t, "b finishes", finish(t, b, fresh, store.Sent), true)
	same(t, "once", finish(t, b, fresh, store.FailedOut), false)
	tryOld("sent")
	got := row(t, a, id)
	same(t, "sent", fmt.Sprint(got.State, " ", got.MailID), "sent <new>")
}

// loaded reads the bytes of a row.
func loaded(t testing.TB, db *store.DB, id int64) store.Outbox {
	t.Helper()
	return in(t, db, func(tx *store.Tx) (o store.Outbox, err error) {
		o.ID = id
		return o, tx.LoadMail(&o)
	})
}

func testStoredMail(t *testing.T, c *steps, a, b *store.DB) {
	id := queue(t, a, store.Outbox{TicketID: 1, Recipient: "a@x"}, 0)
	same(t, "not composed", loaded(t, a, id).Header == nil, true)
	o := lease(t, a, 1)[0]
	o.Header, o.Body, o.Sender, o.MailID = []byte("A: \xe9\x00\r\n"), bytes.Repeat([]byte{0, 255}, 1<<19), "s@x", "<m@x>"
	same(t, "stored", in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(o) }), true)
	got := loaded(t, a, id)
	if !bytes.Equal(got.Header, o.Header) || !bytes.Equal(got.Body, o.Body) || got.Sender != "s@x" || got.MailID != "<m@x>" || got.BodyID != 0 {
		t.Errorf("read %d and %d bytes, %q, %q, %d", len(got.Header), len(got.Body), got.Sender, got.MailID, got.BodyID)
	}
	finish(t, a, store.Outbox{ID: id, Fence: o.Fence, Due: c.Now()}, store.Queued)
	same(t, "leaves again with the same bytes", bytes.Equal(loaded(t, a, lease(t, a, 1)[0].ID).Body, o.Body), true)

	id = queue(t, a, store.Outbox{TicketID: 2, Recipient: "a@x"}, 0)
	o = lease(t, a, 1)[0]
	o.Header, o.BodyID = []byte("h"), in(t, a, addRaw)
	in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(o) })
	got = loaded(t, a, id)
	same(t, "a large body is elsewhere", fmt.Sprint(got.BodyID == o.BodyID, got.Body == nil), "true true")
}

// What was not taken is kept as it was sent, once; of what was nothing is.
func testKeptMail(t *testing.T, c *steps, a, b *store.DB) {
	try := func(to store.OutboxState, change func(*store.Outbox)) store.Outbox {
		id := queue(t, a, store.Outbox{Recipient: "a@x", Desk: rand.Text()}, 0)
		o := lease(t, a, 1)[0]
		o.Header, o.Body, o.Sender, o.MailID, o.Due = []byte("h"), []byte("b"), "s@x", "<m@x>", c.Now().Add(time.Hour)
		change(&o)
		finish(t, a, o, to)
		return loaded(t, a, id)
	}
	plain := func(*store.Outbox) {}
	kept := func(o store.Outbox) string {
		return fmt.Sprint(o.MailID, " ", string(o.Header), string(o.Body), o.Sender, " ", o.Stored)
	}
	same(t, "deferred", kept(try(store.Queued, plain)), "<m@x> hbs@x true")
	same(t, "failed", kept(try(store.FailedOut, plain)), "<m@x> hbs@x true")
	same(t, "taken", kept(try(store.Sent, plain)), "<m@x>  false")
	same(t, "kept before", kept(try(store.Queued, func(o *store.Outbox) { o.Stored = true })), "<m@x>  false")
	same(t, "not composed", kept(try(store.Queued, func(o *store.Outbox) { o.Header, o.MailID = nil, "" })), "  false")
	same(t, "another's lease", kept(try(store.Queued, func(o *store.Outbox) { o.Fence++ })), "  false")
}

func testFinishedRows(t *testing.T, c *steps, a, b *store.DB) {
	id := queue(t, a, store.Outbox{TicketID: 1, Recipient: "a@x", State: store.HeldOut, Reply: "looks like a note"}, 0)
	release := func() bool { return ask(t, a, (*store.Tx).Release, id) }
	same(t, "released, once", fmt.Sprint(release(), release()), "true false")
	o := lease(t, a, 1)[0]
	same(t, "what held it is not asked again", o.Reply, store.Released)
	back := func(tries int, reply string) string {
		t.Helper()
		o.Tries, o.Reply, o.Due = tries, reply, c.Now()
		finish(t, a, o, store.Queued)
		o = lease(t, a, 1)[0]
		return o.Reply
	}
	same(t, "handed back untried", back(0, ""), store.Released)
	same(t, "deferred", back(1, "451 later"), "451 later")
	same(t, "tried without a word", back(2, ""), "")
	same(t, "tries", o.Tries, 2)
	back(3, "451 again")
	o.Reply, o.Due = "", time.Time{}
	same(t, "sent", finish(t, a, o, store.Sent), true)
	same(t, "said nothing", row(t, a, id).Reply, "")

	fail := func() { do(t, a, func(tx *store.Tx) error { return tx.FailSent(id, "550 no") }) }
	fail()
	got := row(t, a, id)
	same(t, "came back", fmt.Sprint(got.State, " ", got.Reply), "failed 550 no")
	set := func(to store.OutboxState, from ...store.OutboxState) bool {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (bool, error) { return tx.SetOutbox(id, to, from...) })
	}
	c.add(time.Second)
	same(t, "not from there", set(store.Queued, store.Sent, store.HeldOut), false)
	same(t, "by hand", set(store.Queued, store.HeldOut, store.FailedOut), true)
	got = row(t, a, id)
	same(t, "due now", fmt.Sprint(got.State, " ", got.Due.Equal(c.Now())), "queued true")
	fail()
	same(t, "what is not sent cannot come back", row(t, a, id).State, store.Queued)
	o = lease(t, a, 1)[0]
	do(t, a, func(tx *store.Tx) error { return tx.HoldOutbox(o, "why") })
	got = row(t, a, id)
	same(t, "held", fmt.Sprint(got.State, " ", got.Reply), "held why")
	same(t, "cancelled", set(store.Cancelled, store.HeldOut), true)
	same(t, "not released", release(), false)
}

func testQueuedLater(t *testing.T, c *steps, a, b *store.DB) {
	add := func(to, desk string, kind ticket.Kind, due time.Duration) int64 {
		return queue(t, a, store.Outbox{Desk: desk, Recipient: to, Kind: kind, Args: "old"}, due)
	}
	add("b@x", "support", ticket.AlsoReceived, time.Hour)
	add("a@x", "sales", ticket.AlsoReceived, time.Hour)
	add("a@x", "support", ticket.FormLink, time.Hour)
	find := func() (o store.Outbox) {
		t.Helper()
		do(t, a, func(tx *store.Tx) (err error) {
			o, err = tx.QueuedLater("a@x", "support")
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
			return err
		})
		return o
	}
	same(t, "none", find().ID, 0)
	id := add("a@x", "support", ticket.AlsoReceived, 0)
	second := add("a@x", "support", ticket.AlsoReceived, 0)
	same(t, "the first", find().ID, id)
	do(t, a, func(tx *store.Tx) error { return tx.SetArgs(id, "new") })
	same(t, "its words", fmt.Sprint(find().Args, row(t, a, second).Args), "newold")
	o := lease(t, a, 1)[0]
	same(t, "one in hand is too late", find().ID, second)
	o.Header, o.MailID = []byte("h"), "<m@x>"
	in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(o) })
	finish(t, a, o, store.Queued)
	same(t, "so is one that is composed", find().ID, second)
}

// What was settled long ago keeps its row and loses its mail, a large one with
// its raw row; what has not left keeps both.
func testDropOldMails(t *testing.T, c *steps, a, b *store.DB) {
	send := func(state store.OutboxState, large bool) (id, raw int64) {
		id = queue(t, a, store.Outbox{Recipient: "a@x", Desk: rand.Text()}, 0)
		o := lease(t, a, 1)[0]
		o.Header, o.MailID, o.Due = []byte("h"), "<m@x>", c.Now()
		if state == store.Queued {
			o.Due = c.Now().Add(24 * time.Hour)
		}
		if large {
			o.BodyID = in(t, a, addRaw)
		}
		in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(o) })
		finish(t, a, o, state)
		return id, o.BodyID
	}
	sent, raw := send(store.Sent, true)
	failed, _ := send(store.FailedOut, false)
	waits, _ := send(store.Queued, false)
	c.add(time.Hour)
	alive(t, a)
	fresh, _ := send(store.Sent, false)
	drop := func() int {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (int, error) { return tx.DropOldMails(c.Now().Add(-time.Minute), 10) })
	}
	same(t, "dropped", drop(), 2)
	same(t, "again", drop(), 0)
	for id, there := range map[int64]bool{sent: false, failed: false, waits: true, fresh: true} {
		o := row(t, a, id)
		do(t, a, func(tx *store.Tx) error { return tx.LoadMail(&o) })
		same(t, fmt.Sprint("mail of ", id), o.Header != nil, there)
		same(t, "its id", o.MailID, "<m@x>")
	}
	err := a.View(t.Context(), func(tx *store.Tx) error { _, err := tx.ReadRaw(raw); return err })
	errorIs(t, "the large body", err, sql.ErrNoRows)
}
