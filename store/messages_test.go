package store_test

import (
	"fmt"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

func testMessageComesBack(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	want := store.Message{TicketID: tk, DeliveryID: 3, RawID: 4, At: c.Now(), Address: "a@x", Name: "A", Party: 0, Role: ticket.Customer,
		Visibility: store.Public, Proof: "proven", Reason: "r", MailID: "<m>", People: []string{"a@x", "b@x"}, Words: "w\n"}
	parts := []store.Part{
		{Path: "2", Name: "n", ContentType: "text/x", Encoding: "base64", ContentID: "cid", Inline: true, Offset: 90, Length: 8, Size: 6},
		{Path: "1", Name: "first", Offset: 10}, {Path: "1", Name: "again", Offset: 11},
	}
	want.ID = in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddMessage(want, parts) })
	same(t, "read", ask(t, a, (*store.Tx).MessageByID, want.ID), want)
	for i := range parts {
		parts[i].MessageID = want.ID
	}
	same(t, "its parts, each path once", ask(t, a, (*store.Tx).Parts, want.ID), []store.Part{parts[1], parts[0]})
	do(t, a, func(tx *store.Tx) error { return tx.ShowMessage(want.ID, store.Waiting, 5, ticket.Follower) })
	want.Visibility, want.Party, want.Role = store.Waiting, 5, ticket.Follower
	same(t, "shown", ask(t, a, (*store.Tx).MessageByID, want.ID), want)
	bare := store.Message{TicketID: tk, At: c.Now(), Party: -1}
	bare.ID = in(t, a, func(tx *store.Tx) (int64, error) { return tx.AddMessage(bare, nil) })
	same(t, "bare", ask(t, a, (*store.Tx).MessageByID, bare.ID), bare)
}

func testMessageLists(t *testing.T, c *steps, a, b *store.DB) {
	tk, other := in(t, a, addTicket), in(t, a, addTicket)
	ids := map[string]int64{}
	add := func(tk int64, v store.Visibility, role ticket.Role, w string) {
		c.add(time.Minute)
		ids[w] = in(t, a, func(tx *store.Tx) (int64, error) { return addMessage(tx, tk, v, role, w) })
	}
	begin := c.Now()
	for i, v := range []store.Visibility{store.Public, store.NoteVis, store.Waiting, store.Record, store.HeldVis, store.Public, store.Waiting} {
		add(tk, v, ticket.Customer, fmt.Sprint("m", i))
	}
	add(tk, store.Waiting, ticket.Agent, "unconfirmed")
	add(tk, store.Public, ticket.Agent, "answer")
	for _, v := range []store.Visibility{store.Public, store.NoteVis, store.Waiting} {
		add(other, v, ticket.Customer, "other "+string(v))
	}
	list := func(what, want string, fn func(*store.Tx) ([]store.Message, error)) {
		t.Helper()
		same(t, what, words(in(t, a, fn)), want)
	}
	public := func(since, before string, n int) func(*store.Tx) ([]store.Message, error) {
		return func(tx *store.Tx) ([]store.Message, error) { return tx.PublicMessages(tk, ids[since], ids[before], n) }
	}
	ids["end"] = 1 << 40
	list("all", "[m0 m1 m2 m3 m4 m5 m6 unconfirmed answer]", func(tx *store.Tx) ([]store.Message, error) { return tx.Messages(tk) })
	list("public, newest first", "[answer m5 m0]", public("", "end", 9))
	list("since includes, before does not", "[m5]", public("m5", "answer", 9))
	list("after the first", "[answer m5]", public("m1", "end", 9))
	list("at most", "[answer]", public("", "end", 1))
	same(t, "notes", ask(t, a, (*store.Tx).Notes, tk), "[m1]")
	same(t, "public words but one", in(t, a, func(tx *store.Tx) ([]string, error) { return tx.PublicWords(tk, ids["m0"], ids["m5"]) }), "[answer m0]")
	waiting := func(prefer int64) func(*store.Tx) ([]store.Message, error) {
		return func(tx *store.Tx) ([]store.Message, error) { return tx.WaitingMessages(tk, prefer) }
	}
	list("waiting, oldest first", "[m2 m6]", waiting(0))
	list("the one asked for first", "[m6 m2]", waiting(ids["m6"]))
	list("an agent's is not among them", "[m2 m6]", waiting(ids["unconfirmed"]))
	last := func(role ticket.Role) time.Duration {
		t.Helper()
		at := in(t, a, func(tx *store.Tx) (time.Time, error) { return tx.LastWords(tk, role) })
		if at.IsZero() {
			return 0
		}
		return at.Sub(begin)
	}
	same(t, "last words", fmt.Sprint(last(ticket.Customer), last(ticket.Agent), last(ticket.Integrator)), "6m0s 9m0s 0s")
	stale := func(before time.Duration) func(*store.Tx) ([]store.Message, error) {
		return func(tx *store.Tx) ([]store.Message, error) { return tx.StaleConfirmations(begin.Add(before)) }
	}
	list("confirmed in time", "[]", stale(8*time.Minute))
	list("stale", "[unconfirmed]", stale(8*time.Minute+1000))
}

func testMailIDs(t *testing.T, c *steps, a, b *store.DB) {
	tk := in(t, a, addTicket)
	ids := func(address string) string {
		t.Helper()
		story := in(t, a, func(tx *store.Tx) (store.Story, error) { return tx.Story(tk, 0, 0, 0, address) })
		return story.First + story.Last
	}
	same(t, "neither", ids("a@x"), "")
	send := func(ticketID int64, to, mailID string) {
		queue(t, a, store.Outbox{TicketID: ticketID, Recipient: to}, 0)
		o := lease(t, a, 1)[0]
		o.MailID, o.Due, o.Header = mailID, c.Now(), []byte("h")
		in(t, a, func(tx *store.Tx) (bool, error) { return tx.StoreMail(o) })
		finish(t, a, o, store.Sent)
	}
	send(tk, "a@x", "")
	send(tk+1, "a@x", "<elsewhere>")
	send(tk, "b@x", "<b>")
	send(tk, "a@x", "<one>")
	send(tk, "a@x", "<two>")
	same(t, "what it was sent", ids("a@x"), "<one><two>")
	write := func(address, mailID string) {
		do(t, a, func(tx *store.Tx) error {
			_, err := tx.AddMessage(store.Message{TicketID: tk, At: tx.Now(), Address: address, MailID: mailID}, nil)
			return err
		})
	}
	write("a@x", "")
	write("b@x", "<of b>")
	write("a@x", "<own>")
	write("a@x", "<own2>")
	same(t, "what it wrote", ids("a@x"), "<own><two>")
}
