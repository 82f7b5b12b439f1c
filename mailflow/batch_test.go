package mailflow

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// After 30 notifications to one agent in ten minutes the rest come as one
// mail, which names each ticket with its link; then each is a mail again.
func TestNotificationsTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i := range 33 {
			w.submit(fmt.Sprintf("p%d@customer.example", i), desk, fmt.Sprintf("Outage %d", i))
			w.pass(time.Second)
		}
		w.run()
		told := 0
		for _, l := range w.sent {
			if l.row.Recipient == agent && l.row.Kind == ticket.Notification {
				told++
			}
		}
		if told != 30 {
			t.Fatalf("%d notifications, want 30", told)
		}
		w.forget()
		w.pass(10*time.Minute - time.Second)
		w.run()
		if w.left(agent) != 0 {
			t.Fatal("told before the ten minutes are over")
		}
		w.pass(2 * time.Second)
		w.run()
		all := w.take(ticket.Notification, agent)
		if got := all.mail.Subject; got != "support@desk.example: 3 notifications" {
			t.Errorf("subject %q", got)
		}
		for i := 30; i < 33; i++ {
			for _, want := range []string{fmt.Sprintf("INC-%06d · Outage %d · new ticket", i+1, i)} {
				if !strings.Contains(all.mail.Text, want) {
					t.Errorf("no %q in:\n%s", want, all.mail.Text)
				}
			}
		}
		var p store.Party
		w.view(func(tx *store.Tx) (err error) { p, err = tx.PartyByAddress(32, agent); return err })
		if !strings.Contains(all.mail.Text, "\nhttp://desk.example/t/"+p.Link+"\n") {
			t.Errorf("no link of the ticket in:\n%s", all.mail.Text)
		}
		if strings.Contains(all.mail.Text, "Outage 29") || all.row.TicketID != 0 || all.mail.Header.Get("Auto-Submitted") == "" {
			t.Errorf("%+v:\n%s", all.row, all.mail.Text)
		}
		w.take(ticket.Notification, second)
		// Of these tickets he has no other mail: he answers to the address of each.
		to := regexp.MustCompile(`\nmailto:(support\+[a-z2-7]{32}@desk\.example)\n`).FindAllStringSubmatch(all.mail.Text, -1)
		if len(to) != 3 {
			t.Fatalf("%d addresses to answer to in:\n%s", len(to), all.mail.Text)
		}
		w.submit(agent, to[1][1], "Subject: Yours\n\n#take\n")
		w.run()
		if tk := w.ticket(32, ticket.New); tk.Assignee != agent {
			t.Errorf("assigned to %q", tk.Assignee)
		}
		w.forget()
		w.submit("late@customer.example", desk, "Late")
		w.run()
		if one := w.take(ticket.Notification, agent); one.row.TicketID == 0 {
			t.Error("a mail of its own again")
		}
	})
}

// The row that collects may have left already, or its transaction have failed.
func TestBatchIsGone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i := range 31 {
			w.submit(fmt.Sprintf("p%d@customer.example", i), desk, fmt.Sprintf("Outage %d", i))
		}
		w.run()
		row := w.f.batches.agents[agent].row
		w.update(func(tx *store.Tx) error { _, err := tx.SetOutbox(row, store.Cancelled, store.Queued); return err })
		w.f.batches.collect(second, 1<<40)
		w.submit("last@customer.example", desk, "Last")
		w.run()
		w.forget()
		w.pass(10 * time.Minute)
		w.run()
		if got := w.take(ticket.Notification, agent).mail.Text; !strings.Contains(got, "Last") || strings.Contains(got, "Outage") {
			t.Errorf("%s", got)
		}
		if n := w.left(second); n != 2 {
			t.Errorf("%d mails to the other agent", n)
		}
	})
}
