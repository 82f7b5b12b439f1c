package store_test

import (
	"fmt"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// arrive stores a mail that is processed at once.
func arrive(t testing.TB, db *store.DB, d store.Delivery) int64 {
	t.Helper()
	return in(t, db, func(tx *store.Tx) (int64, error) {
		id, err := addDelivery(tx, d)
		if err != nil || d.State == store.DeliveryNew {
			return id, err
		}
		d.ID = id
		return id, tx.FinishDelivery(d)
	})
}

func testEarlierArrivals(t *testing.T, c *steps, a, b *store.DB) {
	begin := c.Now()
	content, other := []byte("0123456789abcdef"), []byte("\x00\xff")
	mail := store.Delivery{State: store.DeliveryDone, ContentHash: content, CopyHash: other}
	first := arrive(t, a, mail)
	c.add(time.Hour)
	mail.TicketID = 5
	second := arrive(t, a, mail)
	c.add(time.Hour)
	mail.State = store.DeliveryHeld
	third := arrive(t, a, mail)
	var find func(*store.Tx, []byte, time.Time, int64) (store.Delivery, bool, error)
	check := func(what string, hash []byte, since time.Duration, before, want int64) {
		t.Helper()
		got := in(t, a, func(tx *store.Tx) (id int64, err error) {
			d, ok, err := find(tx, hash, begin.Add(since), before)
			if ok != (d.ID != 0) {
				t.Errorf("%s: %v and %d", what, ok, d.ID)
			}
			return d.ID, err
		})
		same(t, what, got, want)
	}
	sameContent := func(tx *store.Tx, hash []byte, since time.Time, of int64) (store.Delivery, bool, error) {
		return tx.SameContent(hash, other, since, of)
	}
	find = sameContent
	check("the oldest", content, 0, third, first)
	check("the window includes its begin", content, time.Hour, third, second)
	check("before the window", content, time.Hour+1000, third, 0)
	check("held counts", content, 2*time.Hour, third+1, third)
	check("a later one that is on a ticket", content, 0, first, second)
	check("not itself", content, 2*time.Hour, third, 0)
	check("another hash", other, 0, third, 0)
	check("no hash", nil, 0, third, 0)
	find = (*store.Tx).SameMail
	check("a copy with a ticket", other, 0, third, second)
	check("a copy in the window", other, time.Hour+1000, third+1, third)
	check("a later copy", other, 0, second, third)
	check("no other copy", other, time.Hour+1000, third, 0)
	check("not the content", content, 0, third, 0)
	do(t, a, func(tx *store.Tx) error {
		_, err := tx.RetryDelivery(third, "r")
		return err
	})
	find = sameContent
	check("what is not processed does not count", content, 2*time.Hour, third+1, 0)
	bare := arrive(t, a, store.Delivery{State: store.DeliveryDone, ContentHash: content})
	check("without a copy hash, asked with one", content, 2*time.Hour, bare+1, 0)
	find = func(tx *store.Tx, hash []byte, since time.Time, of int64) (store.Delivery, bool, error) {
		return tx.SameContent(hash, nil, since, of)
	}
	check("asked without", content, 2*time.Hour, bare+1, bare)
}

func testDeliveryLists(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	other := in(t, a, addTicket)
	message := func(id int64, v store.Visibility) int64 {
		return in(t, a, func(tx *store.Tx) (int64, error) {
			return tx.AddMessage(store.Message{TicketID: tk, DeliveryID: id, At: tx.Now(), Party: -1, Visibility: v}, nil)
		})
	}
	raw := in(t, a, addRaw)
	shown := arrive(t, a, store.Delivery{State: store.DeliveryDone, RawID: raw, TicketID: tk, MailID: "<x>"})
	waits := arrive(t, a, store.Delivery{State: store.DeliveryDone, RawID: raw, TicketID: other, MailID: "<x>"})
	held := arrive(t, a, store.Delivery{State: store.DeliveryHeld, RawID: raw, Reason: "why"})
	aside := arrive(t, a, store.Delivery{State: store.DeliverySetAside, Reason: "bulk"})
	fresh := arrive(t, a, store.Delivery{State: store.DeliveryNew})
	for id, v := range map[int64]store.Visibility{shown: store.Public, waits: store.Waiting} {
		m := message(id, v)
		do(t, a, func(tx *store.Tx) error {
			d, err := tx.DeliveryByID(id)
			d.MessageID = m
			if err == nil {
				err = tx.FinishDelivery(d)
			}
			return err
		})
	}
	list := func(what string, want []int64, fn func(*store.Tx) ([]store.Delivery, error)) {
		t.Helper()
		same(t, what, deliveryIDs(in(t, a, fn)), want)
	}
	list("waiting", []int64{waits}, (*store.Tx).WaitingDeliveries)
	list("stopped", []int64{held, aside}, (*store.Tx).StoppedDeliveries)
	list("of a mail", []int64{shown, waits}, func(tx *store.Tx) ([]store.Delivery, error) { return tx.DeliveriesOfMail("<x>") })
	list("of no mail", nil, func(tx *store.Tx) ([]store.Delivery, error) { return tx.DeliveriesOfMail("") })
	list("of a ticket", []int64{shown, waits}, func(tx *store.Tx) ([]store.Delivery, error) { return tx.DeliveriesOfTicket(tk) })
	same(t, "tickets of a raw mail", ask(t, a, (*store.Tx).TicketsOfRaw, raw), []int64{tk, other})

	do(t, a, func(tx *store.Tx) error { _, err := tx.Exec(`UPDATE delivery SET attempts = 4`); return err })
	retry := func(tx *store.Tx, id int64) (bool, error) { return tx.RetryDelivery(id, "by hand") }
	same(t, "what is done or new is not retried", fmt.Sprint(ask(t, a, retry, shown), ask(t, a, retry, fresh)), "false false")
	same(t, "what is held or set aside is", fmt.Sprint(ask(t, a, retry, held), ask(t, a, retry, aside)), "true true")
	got := ask(t, a, (*store.Tx).DeliveryByID, held)
	same(t, "as if it had just come", fmt.Sprint(got.State, " ", got.Attempts, got.Stop, got.Reason), "new 1by hand")
	same(t, "claimed again", claimed(t, a, 9), []int64{held, aside, fresh})
	same(t, "new ones are not discarded", ask(t, a, (*store.Tx).DiscardDelivery, held), false)
	again := arrive(t, a, store.Delivery{State: store.DeliveryHeld, Reason: "why"})
	same(t, "a held one is", ask(t, a, (*store.Tx).DiscardDelivery, again), true)
	got = ask(t, a, (*store.Tx).DeliveryByID, again)
	same(t, "discarded", fmt.Sprint(got.State, " ", got.Reason), "done discarded by hand: why")
}

// The one gateway of a SQLite file takes over what another process left, the
// leases that would run for long included.
func testTakeOver(t *testing.T, c *steps, a, b *store.DB) {
	id := arrive(t, a, store.Delivery{State: store.DeliveryNew})
	row := in(t, a, func(tx *store.Tx) (int64, error) {
		return tx.AddOutbox(store.Outbox{Kind: ticket.Update, Due: tx.Now()})
	})
	claim(t, a, 1, time.Hour)
	fresh := arrive(t, a, store.Delivery{State: store.DeliveryNew})
	same(t, "leased", outboxIDs(lease(t, a, 9)), []int64{row})
	same(t, "in a's hands", fmt.Sprint(suspects(t, b), reclaim(t, b)), "[] 0")
	do(t, b, (*store.Tx).TakeOver)
	same(t, "given up", fmt.Sprint(suspects(t, b), reclaim(t, b)), fmt.Sprint([]int64{id}, 1))
	same(t, "leased again", outboxIDs(lease(t, b, 9)), []int64{row})
	same(t, "what nobody had is no suspect", claimed(t, b, 9), []int64{fresh})
}
