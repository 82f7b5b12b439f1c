package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// report puts in a delivery report on a mail that left: "failed" or "delayed".
func (w *world) report(l *letter, action string) {
	w.t.Helper()
	w.mails++
	raw := fmt.Sprintf("From: MAILER-DAEMON@mx.example\nTo: %s\nSubject: Undelivered\nDate: %s\nMessage-ID: <r%d@mx.example>\n"+
		"Received: from a by b\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry.\n\n--b\n"+
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; %s\nAction: %s\n"+
		"Status: %s\n\n--b--\n", l.row.Sender, w.now().Format(time.RFC1123Z), w.mails, l.row.Recipient, action,
		map[string]string{"failed": "5.1.1", "delayed": "4.4.1"}[action])
	w.deliver(Envelope{Listener: "smtp", Client: "192.0.2.7", Recipients: []string{l.row.Sender}}, raw)
	w.process()
}

// party is a party of a ticket as it stands.
func (w *world) party(id int64, address string) (p store.Party) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { p, err = tx.PartyByAddress(id, address); return err })
	return p
}

// twoResolved is a resolved ticket of ada's and bob's.
func (w *world) twoResolved() (tk ticket.Ticket, note *letter) {
	w.t.Helper()
	w.submit(ada, desk, "Cc: bob@customer.example\nSubject: Router\n\nDead.")
	w.run()
	note = w.take(ticket.Notification, agent)
	w.act(note, agent, "#resolve\nReplaced.")
	w.run()
	w.forget()
	return w.ticket(note.row.TicketID, ticket.Resolved), note
}

// A reminder counts if one party's copy was taken and has not come back.
func TestOneCopyCounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _ := w.twoResolved()
		w.pass(day)
		w.run()
		w.report(w.take(ticket.ClosureReminder, ada), "failed")
		w.run()
		w.forget()
		if w.party(tk.ID, ada).Reachable || !w.party(tk.ID, "bob@customer.example").Reachable {
			t.Error("who can be reached?")
		}
		w.pass(day)
		w.run()
		w.take(ticket.AutoCloseWarning, "bob@customer.example")
		if w.left(ada) != 0 {
			t.Error("a warning to whom nothing reaches")
		}
		w.pass(day)
		w.run()
		w.ticket(tk.ID, ticket.Closed)
		w.take(ticket.ClosedMail, "bob@customer.example")
	})
}

// Where every copy came back, or was taken by no relay yet, the reminder does
// not count: the next step waits, and nobody gets it twice.
func TestReminderUnderway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _ := w.twoResolved()
		w.pass(day)
		w.f.due(ctx, &w.late) // the relay is down
		for range 3 {
			w.pass(day)
			w.f.due(ctx, &w.late)
		}
		if tk = w.ticket(tk.ID, ticket.Resolved); tk.Warned || !tk.Deadline.Equal(w.now().Add(day)) || tk.Next != ticket.AutoCloseWarning {
			t.Errorf("%+v", tk)
		}
		w.run()
		w.take(ticket.ClosureReminder, ada)
		if w.left(ada) != 0 {
			t.Error("the same reminder twice")
		}
		w.pass(day)
		w.run()
		w.take(ticket.AutoCloseWarning, ada)
	})
}

// An agent's words are tried all the same, and once they arrive the clock
// goes on with the step that had stopped.
func TestReachedAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, note, _ := w.resolved()
		w.pass(day)
		w.f.due(ctx, &w.late)
		w.fail(ada)
		w.pass(day)
		w.run()
		w.forget()
		if tk = w.ticket(tk.ID, ticket.Resolved); tk.Stuck != ticket.AutoCloseWarning || w.party(tk.ID, ada).Reachable {
			t.Fatalf("%+v", tk)
		}
		w.act(note, agent, "Is this address still yours?")
		w.run()
		w.take(ticket.Update, ada)
		if tk = w.ticket(tk.ID, ticket.Resolved); tk.Stuck != "" || !tk.Deadline.Equal(w.now().Add(day)) || !w.party(tk.ID, ada).Reachable {
			t.Errorf("%+v", tk)
		}
		w.forget()
		for _, kind := range []ticket.Kind{ticket.ClosureReminder, ticket.AutoCloseWarning, ticket.ClosedMail} {
			w.pass(day) // the reminder that nobody got comes first
			w.run()
			w.take(kind, ada)
		}
		w.ticket(tk.ID, ticket.Closed)
	})
}

// The report on an older mail says nothing where a later one was taken.
func TestLateReport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Router")
		w.run()
		note, ack := w.take(ticket.Notification, agent), w.take(ticket.Acknowledgment, ada)
		w.act(note, agent, "Which one?")
		w.run()
		w.report(ack, "failed")
		if !w.party(note.row.TicketID, ada).Reachable {
			t.Error("the last mail arrived")
		}
		w.run()
		w.take(ticket.Undeliverable, agent)
		w.report(w.take(ticket.Update, ada), "failed")
		if w.party(note.row.TicketID, ada).Reachable {
			t.Error("the last mail came back")
		}
	})
}

// A report that does not come to the envelope's address is tied to its mail by
// the id that it answers or names; one without any is kept with the ticket
// whose address it came to.
func TestReportElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const words = "Échec de la remise pour ces destinataires :\n\nada@customer.example\n550 5.1.1 RESOLVER.ADR.RecipNotFound\n"
		for i, c := range []struct {
			head, text string
			toTicket   bool
			failed     bool
		}{
			{"", "\nVotre message <ID> est perdu.\n", false, true},
			{"In-Reply-To: <ID>\n", "", false, true},
			{"", "\nVotre message <aeaaaaaabyaadyd4qqs2qtpzydvbo77c@desk.example> est perdu.\n", false, false},
			{"", "", true, false},
		} {
			who := fmt.Sprintf("ada%d@customer.example", i)
			w.mail(who, desk, "Router")
			w.run()
			note, ack := w.take(ticket.Notification, agent), w.take(ticket.Acknowledgment, who)
			to := desk
			if c.toTicket {
				to = ack.mail.ReplyTo[0].Address
			}
			id := strings.NewReplacer("<ID>", "<"+strings.Trim(ack.row.MailID, "<>")+">")
			raw := "From: MAILER-DAEMON@mx.example\nTo: " + to + "\nSubject: Message non remis\nDate: " + w.now().Format(time.RFC1123Z) +
				fmt.Sprintf("\nMessage-ID: <else%d@mx.example>\nReceived: from a by b\n", i) + id.Replace(c.head) +
				"Content-Type: text/plain; charset=utf-8\n\n" + words + id.Replace(c.text)
			w.deliver(Envelope{Listener: "smtp", Client: "192.0.2.7", Recipients: []string{to}}, raw)
			w.process()
			if got := !w.party(note.row.TicketID, who).Reachable; got != c.failed {
				t.Errorf("%d: failed is %v", i, got)
			}
			var d store.Delivery
			w.view(func(tx *store.Tx) error {
				all, err := tx.DeliveriesOfMail(fmt.Sprintf("<else%d@mx.example>", i))
				d = all[0]
				return err
			})
			if kept := d.TicketID == note.row.TicketID; kept != (c.failed || c.toTicket) {
				t.Errorf("%d: kept is %v: %s", i, kept, d.Reason)
			}
		}
	})
}

// A delay of the last reminder postpones the next step, once.
func TestDelayPostponesOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.resolved()
		w.pass(day)
		w.run()
		reminder := w.take(ticket.ClosureReminder, ada)
		w.pass(12 * time.Hour)
		w.report(ask, "delayed") // an older mail
		first := w.ticket(tk.ID, ticket.Resolved).Deadline
		w.report(reminder, "delayed")
		second := w.ticket(tk.ID, ticket.Resolved).Deadline
		w.pass(time.Hour)
		w.report(reminder, "delayed")
		third := w.ticket(tk.ID, ticket.Resolved).Deadline
		if begin := reminder.row.Created; !first.Equal(begin.Add(day)) || !second.Equal(begin.Add(36*time.Hour)) || !third.Equal(second) {
			t.Errorf("%s, %s, %s after %s", first, second, third, begin)
		}
	})
}

// No step is taken while the mailbox of a desk cannot be read.
func TestUnreadableMailbox(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.resolved()
		down := []string{"support"}
		w.f.Unreadable = func() []string { return down }
		w.pass(10 * day)
		w.run()
		if w.left(ada) != 0 {
			t.Error("a step while the mailbox cannot be read")
		}
		w.must(w.f.deadline(ctx, tk.ID)) // nor where it fails at the last moment
		down = []string{"sales"}
		w.run()
		w.take(ticket.ClosureReminder, ada)
		if got := w.ticket(tk.ID, ticket.Resolved).Deadline; !got.Equal(w.now().Add(day)) {
			t.Errorf("due %s", got)
		}
	})
}

// A reminder that has not left when somebody speaks is not sent any more.
func TestReminderIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.resolved()
		w.pass(day)
		w.f.due(ctx, &w.late)
		w.answer(ask, ada, "I will look at it tomorrow and tell you.")
		w.process()
		w.ticket(tk.ID, ticket.Open)
		for w.send() > 0 {
		}
		if w.left(ada) != 0 {
			t.Error("reminded of what was answered")
		}
	})
}

// Agents are told again, daily, of a mail that waits for them.
func TestWaitingIsToldDaily(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.resolved()
		w.mail("eve@other.example", desk, "From: "+ada+"\nSubject: Re: Router [#"+tk.Number+"]\n\nStill dead.")
		w.run()
		w.take(ticket.Notification, agent)
		w.forget()
		told := func() (n int) {
			for _, l := range w.sent {
				if l.row.Recipient == agent && l.row.Kind == ticket.Notification {
					n++
				}
			}
			return n
		}
		for i := range 5 * 24 {
			w.pass(time.Hour)
			w.f.sweep(ctx)
			w.run()
			if n := told(); n != (i+1)/24 && n != i/24 {
				t.Fatalf("after %d hours the agent was told %d times", i+1, n)
			}
		}
		if told() < 4 || w.left(ada) != 0 {
			t.Errorf("told %d times, %d mails to the customer", told(), w.left(ada))
		}
		w.update(func(tx *store.Tx) error { return Discard(tx, w.messages(tk.ID, store.Waiting)[0].DeliveryID) })
		w.forget()
		w.pass(23 * time.Hour)
		w.f.sweep(ctx)
		w.run()
		if w.left(agent) != 0 {
			t.Error("told of what waits no more")
		}
	})
}
