package store_test

import (
	"fmt"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// anchored is what Anchors finds, as "ticket:writer" or "ticket:(writer)"
// where the id is only referred to; first is the ticket that counts as 1.
func anchored(t testing.TB, db *store.DB, first int64, id string) string {
	t.Helper()
	found := in(t, db, func(tx *store.Tx) ([]store.Anchor, error) { return tx.Anchors(id) })
	all := []string{}
	for _, a := range found {
		writer := a.Writer
		if !a.Own {
			writer = "(" + writer + ")"
		}
		all = append(all, fmt.Sprintf("%d:%s", a.TicketID-first+1, writer))
	}
	return fmt.Sprint(all)
}

func testAnchors(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	from := func(ticketID int64, writer string) int64 {
		return in(t, a, func(tx *store.Tx) (int64, error) {
			return tx.AddMessage(store.Message{TicketID: ticketID, At: tx.Now(), Address: writer, Party: 2, People: []string{writer, "desk@x"}}, nil)
		})
	}
	m1, m2, m3 := from(tk, "a@x"), from(tk, "b@x"), from(tk, "c@x")
	anchor := func(ticketID, message int64, id string, own bool) {
		do(t, a, func(tx *store.Tx) error { return tx.AddAnchor(ticketID, message, id, own) })
	}
	anchor(tk, m1, "", true)
	same(t, "an empty id is no anchor", anchored(t, a, tk, ""), "[]")
	anchor(tk, m1, "<Ref@X.example>", false)
	anchor(tk, m2, "<ref@x.example>", false)
	same(t, "the first that refers to it", anchored(t, a, tk, "<ref@x.example>"), "[1:(a@x)]")
	anchor(tk, m2, "<rEf@x.example>", true)
	same(t, "its own message wins", anchored(t, a, tk, " REF@x.example"), "[1:b@x]")
	anchor(tk, m3, "<ref@x.example>", false)
	anchor(tk, m3, "<ref@x.example>", true)
	same(t, "and stays", anchored(t, a, tk, "<ref@x.example>"), "[1:b@x]")
	same(t, "another id", anchored(t, a, tk, "<reff@x.example>"), "[]")
	got := in(t, a, func(tx *store.Tx) ([]store.Anchor, error) { return tx.Anchors("<ref@x.example>") })
	same(t, "whole", got, []store.Anchor{{TicketID: tk, Desk: "support", Own: true, Writer: "b@x", Party: 2, People: []string{"b@x", "desk@x"}}})
	for range 9 {
		other := in(t, a, addTicket)
		anchor(other, from(other, "z@x"), "<many@x.example>", true)
	}
	same(t, "at most 8", anchored(t, a, tk, "<many@x.example>"), "[2:z@x 3:z@x 4:z@x 5:z@x 6:z@x 7:z@x 8:z@x 9:z@x]")
}

// A message that is given to another ticket takes along its anchors, its
// arrival and nothing else.
func testMoveMessage(t *testing.T, c *steps, a, b *store.DB) {
	old, fresh := in(t, a, addTicket), in(t, a, addTicket)
	arrivals := map[int64]int64{}
	add := func(tk int64, writer string, ids ...string) (id int64) {
		do(t, a, func(tx *store.Tx) (err error) {
			id, err = tx.AddMessage(store.Message{TicketID: tk, At: tx.Now(), Address: writer, Party: -1, Role: ticket.Customer}, nil)
			for i, anchor := range ids {
				if err == nil {
					err = tx.AddAnchor(tk, id, anchor, i == 0)
				}
			}
			return err
		})
		arrivals[id] = arrive(t, a, store.Delivery{State: store.DeliveryDone, TicketID: tk, MessageID: id})
		return id
	}
	stays := add(old, "stays@x", "<stays>", "<root>")
	moves := add(old, "moves@x", "<moves>", "<root>", "<ref>", "<shared>")
	add(fresh, "there@x", "<shared>", "<moves>")
	do(t, a, func(tx *store.Tx) error { return tx.MoveMessage(moves, old, fresh) })
	for id, want := range map[string]string{
		"<stays>": "[1:stays@x]", "<root>": "[1:(stays@x)]", "<moves>": "[2:moves@x]", "<ref>": "[2:(moves@x)]",
	} {
		same(t, id, anchored(t, a, old, id), want)
	}
	same(t, "one that the other ticket holds as its own", anchored(t, a, old, "<shared>"), "[2:there@x]")
	ticketOf := func(message int64) int64 {
		t.Helper()
		return ask(t, a, (*store.Tx).DeliveryByID, arrivals[message]).TicketID
	}
	same(t, "arrivals", fmt.Sprint(ticketOf(moves), ticketOf(stays)), fmt.Sprint(fresh, old))
	same(t, "the message", ask(t, a, (*store.Tx).MessageByID, moves).TicketID, fresh)
	same(t, "the other", ask(t, a, (*store.Tx).MessageByID, stays).TicketID, old)
}
