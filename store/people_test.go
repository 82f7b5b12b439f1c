package store_test

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

func addParty(t testing.TB, db *store.DB, p store.Party) store.Party {
	t.Helper()
	return in(t, db, func(tx *store.Tx) (store.Party, error) { return tx.AddParty(p) })
}

func testAddParty(t *testing.T, c *steps, a, b *store.DB) {
	tk, other := in(t, a, addTicket), in(t, a, addTicket)
	want := store.Party{TicketID: tk, Role: ticket.Customer, Address: "a@x", Name: "A", AddedBy: "b@x", Since: 3, Proven: true}
	first := addParty(t, a, want)
	want.ID, want.PersonID, want.Ordinal, want.Link = first.ID, first.PersonID, 1, first.Link
	want.Reachable, want.Active = true, true
	same(t, "added", first, want)
	same(t, "160 bits", len(first.Link), 40)
	same(t, "read", ask(t, a, (*store.Tx).Parties, tk), []store.Party{want})
	second := addParty(t, a, store.Party{TicketID: tk, Role: ticket.Agent, Address: "agent@x"})
	same(t, "the next ordinal", second.Ordinal, 2)
	elsewhere := addParty(t, a, store.Party{TicketID: other, Role: ticket.Follower, Address: "a@x"})
	same(t, "from 1 on each ticket", elsewhere.Ordinal, 1)
	same(t, "the same person", elsewhere.PersonID, first.PersonID)
	same(t, "a link of its own", elsewhere.Link != first.Link, true)

	// Once more, in every role.
	for _, again := range []struct{ was, asked, now ticket.Role }{
		{ticket.Agent, ticket.Follower, ticket.Agent},
		{ticket.Agent, ticket.Customer, ticket.Customer},
		{ticket.Customer, ticket.Follower, ticket.Customer},
		{ticket.Customer, ticket.Agent, ticket.Customer},
		{ticket.Follower, ticket.Agent, ticket.Follower},
		{ticket.Follower, ticket.Integrator, ticket.Integrator},
		{ticket.Integrator, ticket.Customer, ticket.Customer},
	} {
		do(t, a, func(tx *store.Tx) error { return tx.SetRole(second.ID, again.was) })
		got := addParty(t, a, store.Party{TicketID: tk, Role: again.asked, Address: "Agent@X", Name: "other"})
		same(t, fmt.Sprint(again), fmt.Sprint(got.ID, got.Ordinal, " ", got.Role, " ", got.Link == second.Link),
			fmt.Sprint(second.ID, 2, " ", again.now, " ", true))
		same(t, "stored", in(t, a, func(tx *store.Tx) (store.Party, error) { return tx.PartyByOrdinal(tk, 2) }), got)
	}
}

func testLostAmong(t *testing.T, c *steps, a, b *store.DB) {
	var rows []store.Outbox
	for i := range 4 {
		tk := in(t, a, addTicket)
		for _, address := range []string{"a@x", "b@x"} {
			p := addParty(t, a, store.Party{TicketID: tk, Role: ticket.Customer, Address: address})
			rows = append(rows, store.Outbox{ID: int64(i), TicketID: tk, Party: p.Ordinal})
		}
	}
	lost := func(rows ...store.Outbox) []store.Outbox {
		t.Helper()
		return in(t, a, func(tx *store.Tx) ([]store.Outbox, error) { return tx.LostAmong(rows) })
	}
	lose := func(o store.Outbox) {
		do(t, a, func(tx *store.Tx) error { return tx.SetReachable(o.TicketID, o.Party, false) })
	}
	same(t, "all can be reached", len(lost(rows...)), 0)
	lose(rows[3])
	same(t, "one is lost", lost(rows...), rows[3:4])
	same(t, "it is the only one", lost(rows[3]), rows[3:4])
	same(t, "the other party of its ticket", len(lost(rows[2])), 0)
	same(t, "tickets on both sides of its own", len(lost(rows[0], rows[4])), 0)
	lose(rows[7])
	same(t, "the first and the last", lost(rows[7], rows[3]), []store.Outbox{rows[7], rows[3]})
	same(t, "the last ticket before the first", lost(rows[7], rows[0]), rows[7:])
	same(t, "of no ticket, of no party", len(lost(store.Outbox{Party: 1}, store.Outbox{TicketID: rows[3].TicketID, Party: -1})), 0)
}

func testPartyIsFoundAndChanged(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	p := addParty(t, a, store.Party{TicketID: tk, Role: ticket.Customer, Address: "a@x"})
	find := func() (got store.Party) {
		t.Helper()
		got = in(t, a, func(tx *store.Tx) (store.Party, error) { return tx.PartyByAddress(tk, "A@X") })
		same(t, "by ordinal", in(t, a, func(tx *store.Tx) (store.Party, error) { return tx.PartyByOrdinal(tk, 1) }), got)
		return got
	}
	same(t, "found", find(), p)
	same(t, "by link", in(t, a, func(tx *store.Tx) (store.Party, error) { return tx.PartyByLink(p.Link) }), p)
	do(t, a, func(tx *store.Tx) error { return tx.SetReachable(tk, 1, false) })
	same(t, "unreachable", find().Reachable, false)
	do(t, a, func(tx *store.Tx) error { return tx.SetProven(p.ID) })
	got := find()
	same(t, "proven, and so reachable", fmt.Sprint(got.Proven, got.Reachable), "true true")
	do(t, a, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE party SET active = 0 WHERE id = ?`, p.ID)
		return err
	})
	same(t, "removed", ask(t, a, (*store.Tx).Parties, tk), "[]")
	for what, fn := range map[string]func(*store.Tx) error{
		"link":    func(tx *store.Tx) error { _, err := tx.PartyByLink(p.Link); return err },
		"no link": func(tx *store.Tx) error { _, err := tx.PartyByLink(""); return err },
		"address": func(tx *store.Tx) error { _, err := tx.PartyByAddress(tk, "b@x"); return err },
		"ordinal": func(tx *store.Tx) error { _, err := tx.PartyByOrdinal(tk, 2); return err },
	} {
		errorIs(t, what, a.View(t.Context(), fn), sql.ErrNoRows)
	}
	back := addParty(t, a, store.Party{TicketID: tk, Role: ticket.Follower, Address: "a@x"})
	same(t, "back", fmt.Sprint(back.Ordinal, back.Active, len(ask(t, a, (*store.Tx).Parties, tk))), "1 true 1")
}

// Mails that make parties of one ticket at the same time.
func testOrdinalsAreUnique(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	const callers, each = 4, 4
	var wg sync.WaitGroup
	for i := range callers {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			for j := range each {
				if err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
					_, err := tx.AddParty(store.Party{TicketID: tk, Role: ticket.Follower, Address: fmt.Sprintf("p%d@x", (i+j)%6)})
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ordinals := []int{}
	for _, p := range ask(t, a, (*store.Tx).Parties, tk) {
		ordinals = append(ordinals, p.Ordinal)
	}
	same(t, "ordinals", ordinals, "[1 2 3 4 5 6]")
}

func testPersonIsOne(t *testing.T, c *steps, a, b *store.DB) {
	person := func(address string) int64 {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (int64, error) { return tx.Person(address, "n") })
	}
	of := func(address string) int64 {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (int64, error) { return tx.PersonOf(address) })
	}
	same(t, "nobody", of("a@x"), 0)
	first := person("A@x")
	same(t, "the same", fmt.Sprint(person("a@X") == first, of("a@x") == first), "true true")
	second := person("b@x")
	do(t, a, func(tx *store.Tx) error { return tx.AddAlias("B@x", first) })
	do(t, a, func(tx *store.Tx) error { return tx.AddAlias("c@x", first) })
	same(t, "aliases", fmt.Sprint(second != first, of("b@x") == first, of("c@x") == first), "true true true")
	var wg sync.WaitGroup
	ids := make([]int64, 4)
	for i := range ids {
		db := []*store.DB{a, b}[i%2]
		wg.Go(func() {
			if err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
				ids[i], err = tx.Person("new@x", "n")
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		same(t, "one person, whoever came first", id, of("new@x"))
	}
}

func TestMaySee(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		role ticket.Role
		v    store.Visibility
		id   int64
		want bool
	}{
		{ticket.Customer, store.Public, 5, true}, {ticket.Customer, store.Public, 4, false},
		{ticket.Customer, store.NoteVis, 9, false}, {ticket.Follower, store.Waiting, 9, false},
		{ticket.Integrator, store.HeldVis, 9, false}, {ticket.Customer, store.Record, 9, false},
		{ticket.Agent, store.Public, 1, true}, {ticket.Agent, store.NoteVis, 1, true}, {ticket.Agent, store.Waiting, 1, true},
		{ticket.Agent, store.Record, 9, false},
	} {
		same(t, fmt.Sprint(c), store.Party{Role: c.role, Since: 5}.MaySee(store.Message{Visibility: c.v, ID: c.id}), c.want)
	}
}
