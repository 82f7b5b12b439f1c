package mailflow

import (
	"strings"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

const ian = "ian@integrator.example"

func (w *world) integrator() {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		if err := tx.SaveOrganisation(store.Organisation{Name: "Customer SA", Integrators: []string{"integrator.example"}}); err != nil {
			return err
		}
		return tx.SaveContact("Customer SA", store.Contact{Address: ada, Name: "Ada"})
	})
}

// By phone: the agent opens the incident for a customer and an integrator.
func TestOpenedByPhone(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.integrator()
		w.submit(agent, desk, "Subject: Router\n\n#customer "+ada+"\n#integrator "+ian+"\nWe see the fault, too.")
		w.run()
		for _, to := range []string{ada, ian} {
			opened := w.take(ticket.Opened, to)
			if opened.mail.Header.Get("X-Guichet-Ticket") != "INC-000001" || !strings.Contains(opened.mail.Text, "We see the fault, too.") {
				t.Errorf("%s", opened.raw)
			}
			w.ticket(opened.row.TicketID, ticket.Open)
			if w.left(to) != 0 {
				t.Errorf("%d mails more to %s", w.left(to), to)
			}
		}
	})
}

// Or has the form sent to the integrator: its submission opens the incident.
func TestFormSentByPhone(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.integrator()
		w.submit(agent, desk, "Subject: Router\n\n#form "+ian+"\n#customer "+ada+"\nAs we said on the phone.")
		w.run()
		link := w.take(ticket.FormLink, ian)
		id := link.row.TicketID
		tk := w.ticket(id, ticket.AwaitingForm)
		if !tk.Invited || tk.FormFor != ian || tk.Number != "" || w.left(ada) != 0 || w.party(id, ian).Role != ticket.Integrator {
			t.Errorf("%+v, %d mails to the customer, %+v", tk, w.left(ada), w.party(id, ian))
		}
		w.take(ticket.Receipt, agent)
		w.take(ticket.Notification, second)
		w.mail(ian, desk, "I have no time now")
		w.run()
		if len(w.tickets()) != 1 || len(w.sent) != 0 {
			t.Errorf("%d tickets, %d mails", len(w.tickets()), len(w.sent))
		}
		w.form(id, ian)
		w.run()
		for _, to := range []string{ada, ian} {
			if opened := w.take(ticket.Opened, to); opened.mail.Header.Get("X-Guichet-Ticket") != "INC-000001" {
				t.Errorf("%s", opened.raw)
			}
		}
		w.ticket(id, ticket.Open)
		w.take(ticket.Notification, agent)
	})
}

const forward = "Subject: Fwd: Router\n\nIs that ours?\n\n---------- Forwarded message ---------\nFrom: Ada <" + ada + ">\n" +
	"Date: Sat, 21 Nov 2026 at 14:05\nSubject: Router\nTo: <phone@desk.example>\n\nIt is dead."

// An agent's forward opens the ticket for who wrote the mail; what the agent
// wrote above it stays among colleagues.
func TestForwardOpens(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		check := func() {
			t.Helper()
			opened := w.take(ticket.Opened, ada)
			id := opened.row.TicketID
			w.ticket(id, ticket.Open)
			if public := w.messages(id, store.Public); len(public) != 1 || public[0].Words != "It is dead." || public[0].Address != ada || public[0].Role != ticket.Customer {
				t.Errorf("%+v", public)
			}
			if notes := w.messages(id, store.NoteVis); len(notes) != 1 || notes[0].Words != "Is that ours?" || notes[0].Role != ticket.Agent {
				t.Errorf("%+v", notes)
			}
			if strings.Contains(opened.mail.Text, "Is that ours?") {
				t.Errorf("%s", opened.raw)
			}
			// An answer to that mail of hers, later, finds the ticket.
			w.answer(opened, ada, "It is the one in the cellar.")
			w.run()
			if len(w.tickets()) != 1 || len(w.messages(id, store.Public)) != 2 {
				t.Errorf("%d tickets", len(w.tickets()))
			}
		}
		w.submit(agent, desk, forward)
		w.run()
		check()
	})
}

// Unproven it waits for the agent's confirmation.
func TestUnprovenForward(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.mail(agent, desk, forward)
		w.run()
		if len(w.tickets()) != 0 || w.left(ada) != 0 {
			t.Errorf("unproven, and %d tickets", len(w.tickets()))
		}
		confirm := w.take(ticket.ConfirmCommand, agent)
		if !strings.Contains(confirm.mail.Text, "#customer "+ada) {
			t.Errorf("%s", confirm.mail.Text)
		}
		w.answer(confirm, agent, "yes")
		w.run()
		opened := w.take(ticket.Opened, ada)
		if notes := w.messages(opened.row.TicketID, store.NoteVis); len(notes) != 1 {
			t.Errorf("%+v", notes)
		}
	})
}

// A forward of a colleague's mail, or of a desk's, opens nothing for them.
func TestForwardOfOurs(t *testing.T) {
	eachForm(t, func(t *testing.T, w *world) {
		w.submit(agent, desk, strings.ReplaceAll(forward, ada, second))
		w.run()
		w.take(ticket.FormLink, agent) // as anybody's mail
		if w.left(second) != 1 {
			t.Errorf("%d mails", w.left(second))
		}
	})
}
