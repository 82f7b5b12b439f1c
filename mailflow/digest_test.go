package mailflow

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// In the morning the agents of a desk are told once what needs somebody, in
// their language; a desk that needs nobody tells nothing.
func TestDigest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) {
			form := s.Desks[1]
			form.Key, form.Address, form.Number = "forms", "forms@desk.example", "FRM-%05d"
			form.Policy.Intake, form.Policy.Timers.FormExpires = ticket.Form, 4*day
			s.Desks = append(s.Desks, form)
			s.Agents[0].Desks = append(s.Agents[0].Desks, "forms")
		})
		sweep := func(hour int) {
			t.Helper()
			now := w.now()
			at := time.Date(now.Year(), now.Month(), now.Day(), hour, 30, 0, 0, time.UTC)
			if at.Before(now) {
				at = at.Add(day)
			}
			w.at(at)
			w.f.sweep(ctx)
			for w.send() > 0 {
			}
		}
		w.submit(ada, desk, "Subject: Router\n\nIt is dead.")
		w.submit(ada, "forms@desk.example", "Subject: Panne\n\nPlus rien.")
		w.run()
		w.forget()
		sweep(8)
		if n := w.left(agent); n != 0 {
			t.Fatalf("%d mails of what came within the day", n)
		}
		sweep(7)
		if n := w.left(agent); n != 0 {
			t.Fatalf("%d mails before the morning", n)
		}
		sweep(8)
		l := w.take(ticket.Digest, agent)
		if !strings.Contains(l.mail.Text, "- INC-000001 · Router · since ") ||
			strings.Contains(l.mail.Text, "Panne") || !strings.Contains(l.mail.Text, "0 new, 0 closed") {
			t.Errorf("the digest is\n%s", l.mail.Text)
		}
		again := &draft{row: l.row, args: argsOf(l.row)}
		for range 2 { // as in an update that is run again
			w.view(func(tx *store.Tx) error { return w.f.gather(tx, again) })
			if len(again.items) != 1 {
				t.Errorf("it lists %d tickets, want 1", len(again.items))
			}
		}
		w.take(ticket.Digest, second)
		sweep(9)
		if n := w.left(agent) + w.left(second); n != 0 {
			t.Errorf("%d mails more on that morning", n)
		}
		// Two days before it is given up the form is named.
		sweep(8)
		for _, l := range w.sent {
			if l.row.Kind == ticket.Digest && l.row.Desk == "forms" {
				if !strings.Contains(l.mail.Text, "- Panne · abandon le ") {
					t.Errorf("the digest is\n%s", l.mail.Text)
				}
				return
			}
		}
		t.Error("no digest of the form desk")
	})
}
