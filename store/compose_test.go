package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

func testStory(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	story := func(message, since int64) store.Story {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (store.Story, error) { return tx.Story(tk, message, since, 0, "a@x") })
	}
	has := func(s store.Story) string { return fmt.Sprint(s.HasParts, s.HasHistory, s.HasNotes) }
	say := func(m store.Message, parts ...store.Part) int64 {
		m.TicketID, m.At, m.RawID = tk, c.Now(), 7
		return in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddMessage(m, parts) })
	}
	whole := in(t, a, func(tx *store.Tx) (ticket.Ticket, error) { return tx.TicketByID(tk) })
	s := story(0, 0)
	same(t, "its ticket", s.Ticket, ticket.Ticket{ID: tk, Number: whole.Number, Subject: whole.Subject, Created: whole.Created, Assignee: whole.Assignee})
	same(t, "nobody wrote", fmt.Sprint("by ", s.Opener, ", ", s.Message.ID), "by , 0")
	same(t, "nothing to read", has(s), "false false false")
	one := say(store.Message{Address: "a@x", Name: "A", Party: -1, Role: ticket.Customer, Visibility: store.Public, Proof: "proven",
		Reason: "DKIM", MailID: "<1@x>", Words: "words"}, store.Part{Path: "1", Name: "f"})
	want := in(t, a, func(tx *store.Tx) (store.Message, error) { return tx.MessageByID(one) })
	s = story(one, 0)
	want.People = nil
	same(t, "its message", fmt.Sprint(s.Message), fmt.Sprint(want))
	same(t, "its first writer", s.Opener, ticket.Customer)
	same(t, "the first has files", has(s), "true false false")
	two := say(store.Message{Address: "b@x", Party: 2, Role: ticket.Agent, Visibility: store.NoteVis})
	same(t, "a note, and one before", has(story(two, 0)), "false true true")
	same(t, "whose it counts for", story(two, 0).Message.Party, 2)
	same(t, "since the note", has(story(two, two)), "false false true")
	same(t, "opened by", story(two, 0).Opener, ticket.Customer)
	same(t, "no such message", story(two+1, 0).Message.ID, int64(0))
	other := in(t, a, addTicket)
	do(t, a, func(tx *store.Tx) error { return tx.MoveMessage(two, tk, other) })
	s = story(two, 0)
	same(t, "a message that went elsewhere", fmt.Sprint(s.Ticket.ID == tk, s.Message.TicketID == other)+" "+has(s), "true true false false false")
	err := a.View(context.Background(), func(tx *store.Tx) error { _, err := tx.Story(other+1, 0, 0, 0, "a@x"); return err })
	errorIs(t, "no such ticket", err, sql.ErrNoRows)
}

func testRemovedParty(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	for i := 1; i <= 3; i++ {
		do(t, a, func(tx *store.Tx) error {
			_, err := tx.AddParty(store.Party{TicketID: tk, Role: ticket.Customer, Address: fmt.Sprintf("p%d@x", i)})
			return err
		})
	}
	do(t, a, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE party SET active = 0 WHERE ticket_id = ? AND address = 'p2@x'`, tk)
		return err
	})
	check := func(ordinal int, want string) {
		t.Helper()
		err := a.View(context.Background(), func(tx *store.Tx) error {
			list, err := tx.Parties(tk)
			if err != nil {
				return err
			}
			one, err := tx.PartyByOrdinal(tk, ordinal)
			if errors.Is(err, sql.ErrNoRows) {
				err = nil
			}
			got := ""
			for _, p := range list {
				got += p.Address + " "
			}
			same(t, fmt.Sprint("parties with ", ordinal), got+"+ "+one.Address, want)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check(1, "p1@x p3@x + p1@x")
	check(2, "p1@x p3@x + p2@x")
	check(4, "p1@x p3@x + ")
	check(-1, "p1@x p3@x + ")
}
