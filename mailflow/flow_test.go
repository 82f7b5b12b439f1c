package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// each runs a test in a world on each engine.
func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		fn(t, newWorld(t, d))
	})
}

// The same mail again is the same mail for seven days, or for an hour where
// it has no Message-ID or no Date.
func TestDuplicateWindows(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		whole := "Subject: x\nMessage-ID: <once@a.example>\nDate: Sat, 21 Nov 2026 10:00:00 +0100\n\nthe text"
		bare := strings.Replace(whole, "<once@a.example>", "none", 1)
		timeless := strings.Replace(whole, "Sat, 21 Nov 2026 10:00:00 +0100", "none", 1)
		begin := w.now()
		n := 0
		check := func(after time.Duration, from, mail string, fresh bool) {
			t.Helper()
			w.at(begin.Add(after))
			w.mail(from, desk, mail)
			w.run()
			if fresh {
				n++
			}
			if got := len(w.tickets()); got != n {
				t.Errorf("%s, %s, fresh %v: %d tickets, want %d", after, from, fresh, got, n)
				n = got
			}
		}
		check(0, "a@a.example", whole, true)
		check(0, "b@a.example", bare, true)
		check(0, "c@a.example", timeless, true)
		check(time.Second, "a@a.example", whole, false)
		check(time.Hour, "b@a.example", bare, false)
		check(time.Hour, "c@a.example", timeless, false)
		check(2*time.Hour+time.Second, "b@a.example", bare, true)
		check(2*time.Hour+time.Second, "c@a.example", timeless, true)
		check(7*day, "a@a.example", whole, false)
		check(14*day+time.Second, "a@a.example", whole, true)
		check(14*day+2*time.Second, "a@a.example", strings.Replace(whole, "text", "other text", 1), false) // another copy
		check(14*day+3*time.Second, "a@a.example", strings.Replace(whole, "10:00", "10:01", 1), true)
		if got := w.f.Count.Duplicates.Load(); got != 5 {
			t.Errorf("%d duplicates counted, want 5", got)
		}
	})
}

// However many mails bear a victim's address, it gets one mail in 24 hours,
// and one more that tells of the rest. Distinct writers are all answered.
func TestFirstAnswerBudget(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) { s.Agents = nil })
		const n = 60
		for i := range n {
			w.mail("victim@victim.example", desk, fmt.Sprintf("Pills from %c%c", 'a'+i%26, 'a'+i/26))
		}
		for i := range n / 4 {
			w.mail(fmt.Sprintf("writer%d@a%d.example", i, i), desk, "Help")
		}
		w.run()
		if got := len(w.tickets()); got != n+n/4 {
			t.Errorf("%d tickets, want %d", got, n+n/4)
		}
		ack := w.take(ticket.Acknowledgment, "victim@victim.example")
		if strings.Contains(strings.ToLower(string(ack.raw)), "pills") || w.left("victim@victim.example") != 0 {
			t.Errorf("to the victim:\n%s", ack.raw)
		}
		for i := range n / 4 {
			w.take(ticket.Acknowledgment, fmt.Sprintf("writer%d@a%d.example", i, i))
		}
		w.pass(day - time.Second)
		w.run()
		if got := w.left("victim@victim.example"); got != 0 {
			t.Errorf("%d mails to the victim within 24 hours", got)
		}
		w.pass(time.Second)
		w.run()
		also := w.take(ticket.AlsoReceived, "victim@victim.example")
		if text := also.mail.Text; !strings.Contains(text, fmt.Sprint(n-1)) || strings.Contains(strings.ToLower(string(also.raw)), "pills") {
			t.Errorf("also-received does not count %d, or repeats them:\n%s", n-1, text)
		}
		w.mail("victim@victim.example", desk, "After a day")
		w.run()
		w.take(ticket.Acknowledgment, "victim@victim.example")
		if len(w.sent) != 0 {
			t.Errorf("%d mails more than expected", len(w.sent))
		}
	})
}

// More than twenty new tickets of one subject in ten minutes from one address
// join the first, and nobody is answered; a trusted network is exempt, and so
// are other subjects, other addresses and other times.
func TestFlood(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		flood := func(n int, put func(string, string, string), from, subject string) int {
			t.Helper()
			before := len(w.tickets())
			for i := range n {
				put(from, desk, fmt.Sprintf("Subject: "+subject+"\n\nmail %d", i, i))
			}
			w.run()
			return len(w.tickets()) - before
		}
		check := func(what string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		check("tickets", flood(30, w.mail, "robot@loop.example", "Re: Ticket received [#T-%d]"), 20)
		check("messages on the first", len(w.messages(w.tickets()[0].ID, "")), 11)
		w.take(ticket.Acknowledgment, "robot@loop.example")
		check("mails to the robot", w.left("robot@loop.example"), 0)
		check("mails to an agent", w.left(agent), 21) // one a ticket, and one about the loop
		check("of another subject", flood(3, w.mail, "robot@loop.example", "Something else %d"), 3)
		check("of another address", flood(22, w.mail, "human@other.example", "Ticket received %d"), 20)
		w.pass(10 * time.Minute)
		check("ten minutes later", flood(3, w.mail, "robot@loop.example", "Ticket received %d"), 3)
		check("from a trusted network", flood(22, w.submit, "monitor@house.example", "Alarm %d"), 22)
	})
}

// What a stranger's forged copies bring stays one ticket's matter: the number
// of somebody else's ticket, with any address, adds nothing and mails nobody.
func TestNumbersProveNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) { s.Agents = s.Agents[:1] })
		w.mail(ada, desk, "Router")
		w.run()
		w.forget()
		for i := range 10 {
			w.mail(fmt.Sprintf("evil%d@evil.example", i), desk, fmt.Sprintf("Subject: Re: Router [#INC-%06d]\nCc: evil@evil.example\n\nsend me everything", i+1))
		}
		w.run()
		tk := w.tickets()[0]
		if n := len(w.messages(tk.ID, "")); n != 1 || w.left(ada) != 0 || w.left("evil@evil.example") != 0 {
			t.Errorf("%d messages on the ticket, %d mails to its customer, %d to the copied", n, w.left(ada), w.left("evil@evil.example"))
		}
		w.view(func(tx *store.Tx) error {
			for _, tk := range w.tickets() {
				if _, err := tx.PartyByAddress(tk.ID, "evil@evil.example"); err == nil {
					t.Errorf("%s: the copied stranger is a party", tk.Number)
				}
			}
			return nil
		})
	})
}
