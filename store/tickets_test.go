package store_test

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

func testTicketComesBack(t *testing.T, c *steps, a, b *store.DB) {
	want := ticket.Ticket{Desk: "support", State: ticket.AwaitingForm, Subject: "s", Created: c.Now(), Updated: c.Now(), Version: 1}
	want.ID = in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddTicket(want, "<first@x>") })
	same(t, "added", ask(t, a, (*store.Tx).TicketByID, want.ID), want)
	at := c.Now().Add(time.Hour)
	want = ticket.Ticket{ID: want.ID, Number: "Inc-000001", Desk: "sales", State: ticket.Closed, Closed: ticket.Merged, Subject: "t",
		Assignee: "a@x", Category: "c", Urgency: "u", Created: want.Created, Updated: at, ClosedAt: at, Deadline: at,
		Next: ticket.Reminder, Reminders: 2, Warned: true, Waiting: 3, Resolution: 4, MergedInto: 5, Version: 6}
	do(t, a, func(tx *store.Tx) error { return tx.SaveTicket(want) })
	same(t, "saved", ask(t, a, (*store.Tx).LockTicket, want.ID), want)
	for _, number := range []string{"Inc-000001", "INC-000001", "inc-000001"} {
		got := in(t, a, func(tx *store.Tx) (ticket.Ticket, error) { return tx.TicketByNumber(number) })
		same(t, number, got, want)
	}
	err := a.View(t.Context(), func(tx *store.Tx) error { _, err := tx.TicketByNumber("Inc-00001"); return err })
	errorIs(t, "no such number", err, sql.ErrNoRows)
	err = a.Update(t.Context(), "test", func(tx *store.Tx) error { _, err := tx.LockTicket(99); return err })
	errorIs(t, "no such ticket", err, sql.ErrNoRows)
	if err := a.Update(t.Context(), "test", func(tx *store.Tx) error { return tx.SaveTicket(ticket.Ticket{ID: 99}) }); err == nil {
		t.Error("a ticket was saved that is not there")
	}
	other := in(t, a, addTicket)
	err = a.Update(t.Context(), "test", func(tx *store.Tx) error {
		return tx.SaveTicket(ticket.Ticket{ID: other, Number: "INC-000001", Updated: c.Now()})
	})
	if err == nil {
		t.Error("two tickets have one number")
	}
	in(t, a, addTicket) // any number of tickets have none
}

// A ticket that is read for change waits for who changes it.
func testTicketLock(t *testing.T, c *steps, a, b *store.DB) {
	id := in(t, a, addTicket)
	const each = 10
	var wg sync.WaitGroup
	for _, db := range []*store.DB{a, b} {
		wg.Go(func() {
			for range each {
				if err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
					tk, err := tx.LockTicket(id)
					if err != nil {
						return err
					}
					tk.Version++
					return tx.SaveTicket(tk)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	same(t, "version", ask(t, a, (*store.Tx).TicketByID, id).Version, 2*each)
}

func testNumbersAreUnique(t *testing.T, c *steps, a, b *store.DB) {
	const callers, each = 4, 6
	var mu sync.Mutex
	seen := map[int64]bool{}
	var wg sync.WaitGroup
	for i := range callers {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			for range each {
				var n int64
				if err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
					n, err = tx.NextNumber("INC-%06d")
					return err
				}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				if seen[n] {
					t.Errorf("%d was given twice", n)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	next := func(name string) int64 {
		return in(t, a, func(tx *store.Tx) (int64, error) { return tx.NextNumber(name) })
	}
	if n := next("INC-%06d"); a.Engine() == "sqlite" && n != callers*each+1 || n > callers*each+1+3*32 {
		t.Errorf("the next number is %d", n)
	}
	same(t, "another name counts for itself", next("HW-%d"), 1)
}

func testTicketPage(t *testing.T, c *steps, a, b *store.DB) {
	var ids []int64
	for i := range 6 {
		tk := ticket.Ticket{Desk: []string{"support", "sales"}[i%2], State: []ticket.State{ticket.Open, ticket.New, ticket.New}[i%3],
			Created: c.Now(), Updated: c.Now()}
		ids = append(ids, in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddTicket(tk, "") }))
	}
	for _, p := range []struct {
		desk  string
		state ticket.State
		after int64
		n     int
		want  []int64
	}{
		{"", "", 0, 9, ids},
		{"", "", ids[1], 2, ids[2:4]},
		{"sales", "", 0, 9, []int64{ids[1], ids[3], ids[5]}},
		{"", ticket.New, ids[1], 9, []int64{ids[2], ids[4], ids[5]}},
		{"sales", ticket.New, 0, 9, []int64{ids[1], ids[5]}},
		{"none", "", 0, 9, nil},
		{"", "", ids[5], 9, nil},
	} {
		page := in(t, a, func(tx *store.Tx) ([]ticket.Ticket, error) { return tx.TicketPage(p.desk, p.state, p.after, p.n) })
		var got []int64
		for _, tk := range page {
			got = append(got, tk.ID)
		}
		same(t, fmt.Sprint(p), got, p.want)
	}
}

func testDueTickets(t *testing.T, c *steps, a, b *store.DB) {
	add := func(in1 time.Duration, waiting int) int64 {
		tk := ticket.Ticket{Desk: "support", State: ticket.Pending, Created: c.Now(), Updated: c.Now(), Waiting: waiting}
		if in1 != 0 {
			tk.Deadline = c.Now().Add(in1)
		}
		return in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddTicket(tk, "") })
	}
	due := func(n int) []int64 {
		t.Helper()
		return in(t, a, func(tx *store.Tx) ([]int64, error) { return tx.DueTickets(time.UnixMicro(0), tx.Now(), n) })
	}
	same(t, "none", fmt.Sprint(due(9)), "[]")
	none := add(0, 0)
	later := add(time.Hour, 0)
	waits := add(-time.Hour, 1)
	second, first := add(-time.Minute, 0), add(-2*time.Minute, 0)
	held, fresh := add(-3*time.Minute, 0), add(-3*time.Minute, 0)
	row := queue(t, a, store.Outbox{TicketID: held, State: store.HeldOut}, 0)
	delivery := arrive(t, a, store.Delivery{State: store.DeliveryNew, About: fresh})
	same(t, "the oldest first", due(9), []int64{first, second})
	same(t, "at most", due(1), []int64{first})
	between := func(since, until time.Duration) []int64 {
		return in(t, a, func(tx *store.Tx) ([]int64, error) { return tx.DueTickets(c.Now().Add(since), c.Now().Add(until), 9) })
	}
	same(t, "after since", between(-2*time.Minute, 0), []int64{second})
	same(t, "not after until", between(-time.Hour, -2*time.Minute), []int64{first})
	set := func(state store.DeliveryState) {
		t.Helper()
		do(t, a, func(tx *store.Tx) error { return tx.FinishDelivery(store.Delivery{ID: delivery, State: state}) })
	}
	set(store.DeliveryHeld)
	same(t, "a held mail counts", due(9), []int64{first, second})
	set(store.DeliverySetAside)
	same(t, "one set aside does not", due(9), []int64{fresh, first, second})
	do(t, a, func(tx *store.Tx) error { _, err := tx.Release(row); return err })
	same(t, "released", due(1), []int64{held})
	for _, id := range []int64{fresh, held, first, waits} {
		do(t, a, func(tx *store.Tx) error { return tx.PutOff(id, tx.Now().Add(2*time.Hour)) })
	}
	same(t, "put off", due(9), []int64{second})
	do(t, a, func(tx *store.Tx) error { return tx.PutOff(none, tx.Now()) })
	same(t, "none is set by putting off", ask(t, a, (*store.Tx).TicketByID, none).Deadline.IsZero(), true)
	c.add(time.Hour)
	same(t, "due by now", due(9), []int64{second, later})
}

func testLinksAndHistory(t *testing.T, c *steps, a, b *store.DB) {
	one, two := in(t, a, addTicket), in(t, a, addTicket)
	for _, reason := range []string{"first", "second"} {
		do(t, a, func(tx *store.Tx) error { return tx.LinkTickets(one, two, reason) })
	}
	var links string
	do(t, a, func(tx *store.Tx) error {
		return tx.Row(`SELECT count(*) || min(reason) || max(reason) FROM ticket_link`).Scan(&links)
	})
	same(t, "both ways, once", links, "2firstfirst")
	h := store.HistoryEntry{At: c.Now(), Actor: "a@x", Role: ticket.Agent, Event: "replied", From: ticket.New, To: ticket.Open,
		MailID: "<m>", Reason: "r"}
	last := func() time.Time { t.Helper(); return ask(t, a, (*store.Tx).LastAnswer, one) }
	same(t, "no answer yet", last().IsZero(), true)
	do(t, a, func(tx *store.Tx) error { return tx.AddEvent(one, h) })
	note := h
	note.Event, note.At = "noted", c.Now().Add(time.Hour)
	party := h
	party.Role, party.At = ticket.Customer, c.Now().Add(2*time.Hour)
	do(t, a, func(tx *store.Tx) error { return tx.AddEvent(one, note) })
	do(t, a, func(tx *store.Tx) error { return tx.AddEvent(one, party) })
	do(t, a, func(tx *store.Tx) error { return tx.AddEvent(two, note) })
	same(t, "history", ask(t, a, (*store.Tx).History, one), []store.HistoryEntry{h, note, party})
	same(t, "the last answer", last(), c.Now())
}
