package mailflow

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// eachForm is each, at a desk whose first mail asks for a form.
func eachForm(t *testing.T, test func(t *testing.T, w *world)) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) {
			p := &s.Desks[0].Policy
			p.Intake, p.Validation, p.Timers.FormExpires = ticket.Form, true, 14*day
			s.Desks[0].Form = "incident"
		})
		test(t, w)
	})
}

// submit is the form of a party, as the page hands it over.
func (w *world) form(id int64, address string) {
	w.t.Helper()
	d := &decision{f: w.f, s: w.f.Settings.Load()}
	w.update(func(tx *store.Tx) error {
		d.tx = tx
		tk, err := tx.LockTicket(id)
		if err != nil {
			return err
		}
		p, err := tx.PartyByAddress(id, address)
		if err == nil {
			err = tx.SetProven(p.ID)
		}
		if err == nil {
			_, err = d.apply(tk, ticket.Event{Type: ticket.Submitted, Actor: address, Role: p.Role}, notice{event: "form"})
		}
		return err
	})
}

// The first mail to a form desk is kept, its sender gets the form's link, the
// agents are told once; further mails join it, with or without a reference.
func TestFormDesk(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Router")
		w.run()
		link := w.take(ticket.FormLink, ada)
		id := link.row.TicketID
		w.take(ticket.Notification, agent)
		w.take(ticket.Notification, second)
		tk := w.ticket(id, ticket.AwaitingForm)
		if tk.Number != "" || !tk.Deadline.Equal(w.now().Add(14*day)) || tk.Next != ticket.FormLink || tk.FormFor != ada {
			t.Errorf("%+v", tk)
		}
		if got := link.mail.Header.Get("X-Guichet-Ticket"); got != "" || !strings.Contains(link.mail.Text, "/t/"+w.party(id, ada).Link) {
			t.Errorf("number %q, text:\n%s", got, link.mail.Text)
		}
		w.mail(ada, desk, "And the other one")
		w.answer(link, ada, "I cannot open the page, but it is the router in the cellar.")
		w.run()
		if len(w.tickets()) != 1 || len(w.messages(id, store.Public)) != 3 || len(w.sent) != 0 {
			t.Errorf("%d tickets, %d messages, %d mails", len(w.tickets()), len(w.messages(id, store.Public)), len(w.sent))
		}
		w.pass(day)
		w.mail(ada, desk, "Anybody there?")
		w.mail(ada, desk, "Hello?")
		w.run()
		w.take(ticket.FormLink, ada)
		if len(w.sent) != 0 || len(w.messages(id, store.Public)) != 5 {
			t.Errorf("%d mails more", len(w.sent))
		}
		w.form(id, ada)
		w.run()
		w.take(ticket.Notification, agent)
		if tk = w.ticket(id, ticket.New); tk.Number != "INC-000001" || !tk.Deadline.IsZero() || tk.FormFor != "" {
			t.Errorf("%+v", tk)
		}
		if ack := w.take(ticket.Acknowledgment, ada); ack.mail.Header.Get("X-Guichet-Ticket") != "INC-000001" {
			t.Errorf("%s", ack.raw)
		}
		// The form has proven the mailbox: another matter, another form.
		w.forget()
		w.mail(ada, desk, "Printer")
		w.run()
		if other := w.take(ticket.FormLink, ada); other.row.TicketID == id || len(w.tickets()) != 2 {
			t.Error("another matter is no ticket of its own")
		}
	})
}

// Whom the sender has copied follows, but the form is the sender's.
func TestFormLinkIsTheSenders(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.submit(ada, desk, "Cc: bob@customer.example\nSubject: Router\n\nDead.")
		w.run()
		link := w.take(ticket.FormLink, ada)
		if w.left("bob@customer.example") != 0 || w.party(link.row.TicketID, "bob@customer.example").Role != ticket.Follower {
			t.Errorf("%d mails", w.left("bob@customer.example"))
		}
		w.form(link.row.TicketID, ada)
		w.run()
		w.take(ticket.Acknowledgment, "bob@customer.example")
	})
}

// Who gets no form's link is not made to wait for a form.
func TestNoFormLink(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		check := func(from, rest string) {
			t.Helper()
			n := len(w.tickets())
			w.mail(from, desk, rest)
			w.run()
			all := w.tickets()
			if len(all) != n+1 || all[n].State != ticket.New || all[n].Number == "" || w.left(from) != 0 {
				t.Errorf("%s: %d tickets, %+v, %d mails", rest, len(all)-n, all[len(all)-1], w.left(from))
			}
			w.take(ticket.Notification, agent)
			w.forget()
		}
		check("no-reply@shop.example", "Order")
		check("eve@other.example", "From: eve@other.example, mallory@other.example\nSubject: Two From\n\nx")
		check("boss@desk.example", "Forged")
		check("news@shop.example", "List-Id: <news.shop.example>\nPrecedence: bulk\nSubject: News\n\nBuy.")
		// Only one first answer a day: what comes of it with another ticket
		// already begun is told later, and has no form either.
		w.mail(ada, desk, "Router")
		w.run()
		id := w.take(ticket.FormLink, ada).row.TicketID
		w.forget()
		w.update(func(tx *store.Tx) error {
			tk, err := tx.LockTicket(id)
			if err == nil {
				tk.State, tk.FormFor, tk.Deadline, tk.Next = ticket.Closed, "", time.Time{}, ""
				tk.Closed, tk.ClosedAt = ticket.Rejected, w.now()
				err = tx.SaveTicket(tk)
			}
			return err
		})
		check(ada, "Printer")
	})
}

// A form that never comes: closed without a word and without a number, and
// awaited again at its sender's next mail.
func TestAbandoned(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Router")
		w.run()
		link := w.take(ticket.FormLink, ada)
		id := link.row.TicketID
		w.forget()
		w.pass(14*day - time.Second)
		w.run()
		w.ticket(id, ticket.AwaitingForm)
		w.pass(time.Second)
		w.run()
		if tk := w.ticket(id, ticket.Closed); tk.Closed != ticket.Abandoned || tk.Number != "" || len(w.sent) != 0 {
			t.Errorf("%+v, %d mails", tk, len(w.sent))
		}
		w.pass(60 * day)
		w.mail(ada, desk, "The router again")
		w.run()
		again := w.take(ticket.FormLink, ada)
		w.take(ticket.Notification, agent)
		if tk := w.ticket(id, ticket.AwaitingForm); again.row.TicketID != id || !tk.Deadline.Equal(w.now().Add(14*day)) || tk.Number != "" {
			t.Errorf("%+v", tk)
		}
		w.pass(14 * day)
		w.run()
		w.ticket(id, ticket.Closed)
		w.forget()
		w.form(id, ada)
		w.run()
		w.take(ticket.Acknowledgment, ada)
		if tk := w.ticket(id, ticket.New); tk.Number != "INC-000001" || tk.Closed != "" {
			t.Errorf("%+v", tk)
		}
	})
}

// What agents and the sender can do before the form comes.
func TestBeforeTheForm(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		n := 0
		begin := func() (note, link *letter) {
			t.Helper()
			from := strings.Repeat("x", n+1) + "@customer.example"
			n++
			w.mail(from, desk, "Router")
			w.run()
			defer w.forget()
			return w.take(ticket.Notification, agent), w.take(ticket.FormLink, from)
		}
		note, link := begin()
		w.act(note, agent, "#validate\nWe see it, too.")
		w.run()
		opened := w.take(ticket.Opened, link.row.Recipient)
		if tk := w.ticket(link.row.TicketID, ticket.Open); tk.Number != "INC-000001" || !strings.Contains(opened.mail.Text, "We see it, too.") {
			t.Errorf("%+v\n%s", tk, opened.mail.Text)
		}
		w.forget()
		note, link = begin()
		w.act(note, agent, "#reject\nThis is the desk for telephones.")
		w.run()
		w.take(ticket.RejectedMail, link.row.Recipient)
		if tk := w.ticket(link.row.TicketID, ticket.Closed); tk.Number != "" || tk.Closed != ticket.Rejected {
			t.Errorf("%+v", tk)
		}
		w.forget()
		_, link = begin()
		w.answer(link, link.row.Recipient, "C'est réglé, merci !")
		w.run()
		w.take(ticket.ClosedMail, link.row.Recipient)
		if tk := w.ticket(link.row.TicketID, ticket.Closed); tk.Number != "" || tk.Closed != ticket.Withdrawn {
			t.Errorf("%+v", tk)
		}
		w.forget()
		// A vacation note changes nothing.
		_, link = begin()
		before := w.ticket(link.row.TicketID, ticket.AwaitingForm)
		w.mail(link.row.Recipient, link.mail.ReplyTo[0].Address, "Auto-Submitted: auto-replied\nSubject: Away\nIn-Reply-To: "+link.mail.MessageID+"\n\nI am away.")
		w.run()
		if after := w.ticket(link.row.TicketID, ticket.AwaitingForm); !after.Deadline.Equal(before.Deadline) || len(w.sent) != 0 {
			t.Errorf("%+v, %d mails", after, len(w.sent))
		}
	})
}

// An integrator is recognised; the customer is asked for by the form.
func TestIntegratorsForm(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.integrator()
		w.mail(ian, desk, "Cc: "+ada+"\nSubject: Router\n\nDead.")
		w.run()
		link := w.take(ticket.FormLink, ian)
		if p := w.party(link.row.TicketID, ian); p.Role != ticket.Integrator || w.left(ada) != 0 {
			t.Errorf("%+v, %d mails to the customer", p, w.left(ada))
		}
		w.view(func(tx *store.Tx) error {
			if _, err := tx.PartyByAddress(link.row.TicketID, ada); err == nil {
				t.Error("the form has not named the customer yet")
			}
			return nil
		})
	})
}

// Whom only a form has named gets nothing before an agent's first act.
func TestUntold(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		const eve = "eve@other.example"
		begin := func() (id int64, note *letter) {
			t.Helper()
			w.mail(ian, desk, "Router")
			w.run()
			id = w.take(ticket.FormLink, ian).row.TicketID
			w.update(func(tx *store.Tx) error {
				_, err := tx.AddParty(store.Party{TicketID: id, Role: ticket.Customer, Address: eve, Untold: true})
				return err
			})
			w.forget()
			w.form(id, ian)
			w.run()
			w.take(ticket.Acknowledgment, ian)
			note = w.take(ticket.Notification, agent)
			w.forget()
			return id, note
		}
		id, note := begin()
		w.act(note, agent, "#note Who is that?")
		w.act(note, agent, "#take")
		w.run()
		if w.left(eve) != 0 || !w.party(id, eve).Untold {
			t.Error("told before an agent's first act")
		}
		w.act(note, agent, "#validate")
		w.run()
		w.take(ticket.Opened, eve)
		if w.party(id, eve).Untold {
			t.Error("still untold")
		}
		w.forget()
		_, note = begin()
		w.act(note, agent, "#reject\nNo.")
		w.run()
		w.take(ticket.RejectedMail, ian)
		if w.left(eve) != 0 {
			t.Error("told of what was rejected")
		}
	})
}
