package mailflow

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// unconfirmed has an agent's mail wait for its confirmation.
func (w *world) unconfirmed(text string) (id int64, note, confirm *letter) {
	w.t.Helper()
	w.mail(ada, desk, "Router")
	w.run()
	note = w.take(ticket.Notification, agent)
	w.answer(note, agent, text)
	w.run()
	confirm = w.take(ticket.ConfirmCommand, agent)
	if tk := w.ticket(note.row.TicketID, ticket.New); tk.Waiting != 1 {
		w.t.Fatalf("%d mails wait", tk.Waiting)
	}
	w.forget()
	return note.row.TicketID, note, confirm
}

// A confirmation acts once, within a day, from the agent's address alone.
func TestConfirm(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id, _, confirm := w.unconfirmed("#resolve\nReplaced.")
		if strings.Count(confirm.mail.Text, "#resolve") != 1 || !strings.Contains(confirm.mail.Text, "Replaced.") {
			t.Errorf("it asks\n%s", confirm.mail.Text)
		}
		w.pass(time.Hour)
		w.answer(confirm, "evil@evil.example", "ok")
		w.answer(confirm, second, "ok")
		w.mail(agent, confirm.mail.ReplyTo[0].Address, "Subject: Away\nAuto-Submitted: auto-replied\n\nI am away.")
		w.run()
		if tk := w.ticket(id, ticket.New); tk.Waiting != 1 || len(w.sent) != 0 {
			t.Fatalf("confirmed by somebody else: %+v", tk)
		}
		w.pass(day - time.Hour)
		w.answer(confirm, agent, "ok")
		w.run()
		w.take(ticket.ClosureRequest, ada)
		if tk := w.ticket(id, ticket.Resolved); tk.Waiting != 0 {
			t.Errorf("%d mails wait", tk.Waiting)
		}
		w.update(func(tx *store.Tx) error { return tx.PutOff(id, w.now().Add(1000*day)) })
		w.pass(time.Minute)
		w.answer(confirm, agent, "ok again")
		w.run()
		w.f.sweep(ctx)
		if n := len(w.messages(id, store.Public)); n != 2 || len(w.sent) != 0 {
			t.Errorf("%d public messages, %d mails: confirmed twice", n, len(w.sent))
		}
	})
}

// After a day the mail becomes a record; its confirmation does nothing.
func TestConfirmExpires(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id, _, confirm := w.unconfirmed("#resolve\nReplaced.")
		w.pass(day)
		w.f.sweep(ctx)
		if w.ticket(id, ticket.New).Waiting != 1 {
			t.Fatal("expired before its time")
		}
		w.pass(time.Second)
		w.answer(confirm, agent, "ok")
		w.run()
		if w.ticket(id, ticket.New).Waiting != 1 || len(w.stopped(store.DeliverySetAside)) != 1 {
			t.Error("confirmed after a day")
		}
		w.f.sweep(ctx)
		w.run()
		if tk := w.ticket(id, ticket.New); tk.Waiting != 0 || len(w.messages(id, store.Record)) != 1 || len(w.sent) != 0 {
			t.Errorf("%d wait, %d records, %d mails", tk.Waiting, len(w.messages(id, store.Record)), len(w.sent))
		}
	})
}

// Whatever ends the waiting, the counter is right: run compares it.
func TestWaitingEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id, note, confirm := w.unconfirmed("Hello.")
		unproven := func() {
			w.pass(time.Minute)
			w.mail(ada, desk, "Subject: Re: Router [#"+w.ticket(id, "").Number+"]\n\nIt smokes at "+w.now().String())
		}
		want := func(what string, n int, state ticket.State) {
			t.Helper()
			w.run()
			if tk := w.ticket(id, state); tk.Waiting != n {
				t.Errorf("%s: %d wait, want %d", what, tk.Waiting, n)
			}
		}
		unproven()
		unproven()
		unproven()
		unproven()
		want("five", 5, ticket.New)
		w.act(note, agent, "#accept")
		want("accept", 4, ticket.New)
		w.act(note, agent, "#split\n#accept")
		want("split and accept", 2, ticket.New)
		w.act(note, agent, "#accept\n#accept") // the agent's own is not among them
		want("more than wait", 2, ticket.New)
		first := w.messages(id, store.Waiting)[1].DeliveryID
		w.update(func(tx *store.Tx) error { return Discard(tx, first) })
		want("discard", 1, ticket.New)
		if w.db.Update(ctx, "test", func(tx *store.Tx) error { return Discard(tx, first) }) == nil {
			t.Error("discarded twice")
		}
		w.answer(confirm, agent, "ok")
		want("confirm", 0, ticket.Open)
		w.act(note, agent, "#accept")
		want("nothing waits", 0, ticket.Open)
		unproven()
		w.run()
		w.act(note, agent, "#close\nBye.")
		want("closed while one waits", 1, ticket.Closed)
		w.pass(8 * day) // too late to reopen: a ticket of its own
		w.act(note, agent, "#accept")
		want("accepted too late", 0, ticket.Closed)
		unproven()
		w.run()
		w.act(note, agent, "#split")
		want("split when closed", 0, ticket.Closed)
		if n := len(w.tickets()); n != 4 {
			t.Errorf("%d tickets, want 4", n)
		}
	})
}

// One agent's address asks for no more than twenty confirm mails an hour; the
// mails wait all the same.
func TestConfirmsAnHour(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id, note, _ := w.unconfirmed("One.")
		for range 24 {
			w.pass(time.Second)
			w.answer(note, agent, "Again at "+w.now().String())
		}
		w.run()
		if n := w.left(agent); n != 19 || w.ticket(id, ticket.New).Waiting != 25 {
			t.Errorf("%d confirm mails more", n)
		}
	})
}
