package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// resolved opens a ticket of ada's, which an agent resolves; it returns the
// agent's notification and the question whether it is solved.
func (w *world) resolved() (tk ticket.Ticket, note, ask *letter) {
	w.t.Helper()
	w.mail(ada, desk, "Router")
	w.run()
	note = w.take(ticket.Notification, agent)
	w.act(note, agent, "#resolve\nReplaced.")
	w.run()
	ask = w.take(ticket.ClosureRequest, ada)
	w.forget()
	return w.ticket(ask.row.TicketID, ticket.Resolved), note, ask
}

// due wants a step at a time and not a second before; it is one mail to ada.
func (w *world) due(id int64, at time.Time, kind ticket.Kind, state ticket.State) {
	w.t.Helper()
	w.at(at.Add(-time.Second))
	w.run()
	if n := w.left(ada); n != 0 {
		w.t.Fatalf("%d mails before %s was due", n, kind)
	}
	w.at(at)
	w.run()
	w.take(kind, ada)
	if n := w.left(ada); n != 0 {
		w.t.Fatalf("%d mails besides %s", n, kind)
	}
	w.forget()
	w.ticket(id, state)
}

// A resolved ticket of which nobody says a word.
func TestSilenceCloses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.resolved()
		begin := w.now()
		w.due(tk.ID, begin.Add(day), ticket.ClosureReminder, ticket.Resolved)
		w.due(tk.ID, begin.Add(2*day), ticket.AutoCloseWarning, ticket.Resolved)
		w.due(tk.ID, begin.Add(3*day), ticket.ClosedMail, ticket.Closed)
		if tk = w.ticket(tk.ID, ticket.Closed); tk.Closed != ticket.Unconfirmed || !tk.Deadline.IsZero() {
			t.Errorf("%+v", tk)
		}
		w.pass(30 * day)
		w.run()
		if len(w.sent) != 0 {
			t.Errorf("%d mails after the end", len(w.sent))
		}
		w.answer(ask, ada, "It is broken again, on another floor.")
		w.run()
		w.ticket(tk.ID, ticket.Closed)
		if w.take(ticket.Acknowledgment, ada).row.TicketID == tk.ID {
			t.Error("too late to reopen, and no ticket of its own")
		}
	})
}

// The last day begins when the relay has taken the warning, however long that
// takes; a warning that fails for good begins it never.
func TestWarningCountsOnceTaken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.resolved()
		w.pass(day)
		w.run()
		w.pass(day)
		w.f.due(ctx, &w.late)
		w.pass(5 * day) // the relay is down
		if w.f.due(ctx, &w.late) != 0 || !w.ticket(tk.ID, ticket.Resolved).Deadline.IsZero() {
			t.Fatal("a deadline without the warning's being on its way")
		}
		w.forget()
		taken := w.now()
		w.run()
		w.take(ticket.AutoCloseWarning, ada)
		w.due(tk.ID, taken.Add(day), ticket.ClosedMail, ticket.Closed)

		tk, _, _ = w.resolved()
		w.pass(day)
		w.run()
		w.pass(day)
		w.f.due(ctx, &w.late)
		w.fail(ada)
		w.pass(30 * day)
		w.forget()
		w.run()
		if n := w.left(ada); n != 0 || w.ticket(tk.ID, ticket.Resolved).Closed != "" {
			t.Errorf("%d mails to whom nothing reaches", n)
		}
	})
}

// Nothing closes that nobody can hear of: its agents are told, once.
func TestUnreachable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.resolved()
		w.pass(day)
		w.f.due(ctx, &w.late)
		w.fail(ada)
		w.run()
		w.forget()
		w.pass(day)
		w.run()
		w.take(ticket.Notification, agent)
		w.take(ticket.Notification, second)
		w.pass(30 * day)
		w.run()
		if tk = w.ticket(tk.ID, ticket.Resolved); len(w.sent) != 0 || !tk.Deadline.IsZero() {
			t.Errorf("%d mails more, due %s", len(w.sent), tk.Deadline)
		}
	})
}

// fail refuses what is due to a reader for good.
func (w *world) fail(to string) {
	w.t.Helper()
	var rows []store.Outbox
	w.update(func(tx *store.Tx) (err error) { rows, err = tx.LeaseOutbox(100, time.Minute); return err })
	for i := range rows {
		w.must(w.f.Compose(ctx, &rows[i]))
		rows[i].State, rows[i].Reply = store.Sent, "250 taken"
		if rows[i].Recipient == to {
			rows[i].State, rows[i].Reply = store.FailedOut, "550 5.1.1 no such user"
		}
	}
	w.must(w.f.Settle(ctx, rows))
}

// The clock stands still while a mail waits for an agent, is not processed,
// or is held at either end. Whoever ends the waiting by hand, or lets it
// expire, has a day before the step; else it is due at once.
func TestClockStandsStill(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		still := func(what string, begin, end func(tk ticket.Ticket, note *letter)) {
			t.Helper()
			tk, note, _ := w.resolved()
			begin(tk, note)
			w.pass(10 * day)
			w.forget()
			if w.f.due(ctx, &w.late) != 0 || w.left(ada) != 0 {
				t.Errorf("%s: the clock does not stand still", what)
			}
			end(tk, note)
			w.run()
			w.take(ticket.ClosureReminder, ada)
			w.update(func(tx *store.Tx) error { return tx.PutOff(tk.ID, w.now().Add(1000*day)) })
			w.forget()
		}
		aDayLater := func(tk ticket.Ticket) {
			t.Helper()
			if w.run(); w.f.due(ctx, &w.late) != 0 || !w.ticket(tk.ID, ticket.Resolved).Deadline.Equal(w.now().Add(day)) {
				t.Errorf("the step does not leave a day: %+v", w.ticket(tk.ID, ""))
			}
			w.pass(day)
			w.forget()
		}
		unproven := func(tk ticket.Ticket, _ *letter) {
			w.mail(ada, desk, "Subject: Re: Router [#"+tk.Number+"]\n\nStill dead.")
			w.run()
		}
		still("a waiting mail, discarded", unproven, func(tk ticket.Ticket, _ *letter) {
			d := w.messages(tk.ID, store.Waiting)[0].DeliveryID
			w.update(func(tx *store.Tx) error { return Discard(tx, d) })
			aDayLater(tk)
		})
		still("a waiting mail, split off", unproven, func(tk ticket.Ticket, note *letter) {
			w.act(note, agent, "#split")
			aDayLater(tk)
		})
		still("an agent's unproven mail, expired",
			func(_ ticket.Ticket, note *letter) { w.answer(note, agent, "#close"); w.run() },
			func(tk ticket.Ticket, _ *letter) { w.f.sweep(ctx); aDayLater(tk) })
		still("a mail to its address, not processed",
			func(_ ticket.Ticket, note *letter) { w.act(note, agent, "#note hm") },
			func(ticket.Ticket, *letter) { w.process() })
		var held int64
		still("a mail to its address, held", func(_ ticket.Ticket, note *letter) {
			w.change(func(s *Settings) { s.Limits.ReadTimeout = 1 })
			w.act(note, agent, "#note hm"+strings.Repeat(" and so on", 100_000))
			w.process()
			w.change(func(s *Settings) { s.Limits.ReadTimeout = time.Minute })
			held = w.stopped(store.DeliveryHeld)[0].ID
		}, func(ticket.Ticket, *letter) {
			w.update(func(tx *store.Tx) error { return Discard(tx, held) })
		})
		still("a mail of ours, held", func(_ ticket.Ticket, note *letter) {
			w.act(note, agent, "Write to "+agent+" yourself.")
			w.run()
		}, func(tk ticket.Ticket, _ *letter) {
			w.update(func(tx *store.Tx) error {
				rows, err := tx.OutboxPage(store.HeldOut, 0, 10)
				for _, o := range rows {
					_, err = tx.SetOutbox(o.ID, store.Cancelled, store.HeldOut)
				}
				return err
			})
		})
	})
}

func (w *world) stopped(state store.DeliveryState) (out []store.Delivery) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.StoppedDeliveries()
		for _, d := range all {
			if d.State == state {
				out = append(out, d)
			}
		}
		return err
	})
	return out
}

// After two weeks of downtime each ticket gets one step, its dates from then.
func TestOneOverdueStep(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.resolved()
		w.pass(14 * day)
		w.run()
		w.run()
		w.take(ticket.ClosureReminder, ada)
		if got := w.ticket(tk.ID, ticket.Resolved).Deadline; !got.Equal(w.now().Add(day)) || w.left(ada) != 0 {
			t.Errorf("the next step is due %s, %d more mails", got, w.left(ada))
		}
	})
}

// A ticket whose step fails is put off and stops no other.
func TestFailingTicket(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) {
			gone := s.Desks[0]
			gone.Key, gone.Address, gone.Reply = "gone", "gone@desk.example", "gone+{token}@desk.example"
			s.Desks = append(s.Desks[:2:2], gone)
			s.Agents = []Agent{{Address: agent, Desks: []string{"support", "gone"}}}
		})
		w.mail("bob@other.example", "gone@desk.example", "Printer")
		w.run()
		bobs := w.take(ticket.Notification, agent)
		w.act(bobs, agent, "#resolve\nDone.")
		w.run()
		w.pass(time.Second)
		tk, _, _ := w.resolved()
		w.change(func(s *Settings) { s.Desks = s.Desks[:2] })
		w.pass(day)
		w.run()
		w.take(ticket.ClosureReminder, ada)
		if got := w.ticket(bobs.row.TicketID, ticket.Resolved).Deadline; !got.Equal(w.now().Add(5 * time.Minute)) {
			t.Errorf("the failing ticket is due %s", got)
		}
		w.ticket(tk.ID, ticket.Resolved)
	})
}

// After two weeks of downtime the overdue steps are taken evenly, each ticket
// gets one, and one that is due now does not wait behind them.
func TestOverdueStepsAreSpread(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const tickets, rate = 150, 60
		tk, _, _ := w.resolved()
		for i := range tickets {
			w.update(func(tx *store.Tx) error { return w.overdue(tx, i) })
		}
		down := w.now().Add(14 * day)
		w.update(func(tx *store.Tx) error { return tx.PutOff(tk.ID, down.Add(30*time.Second)) })
		w.at(down)
		at := w.spread(tickets*time.Second + 10*time.Second)
		late, onTime := 0, time.Time{}
		perMinute := map[int]int{}
		for id, steps := range at {
			if len(steps) != 1 {
				t.Errorf("ticket %d was stepped %d times", id, len(steps))
			}
			if id == tk.ID {
				onTime = steps[0]
				continue
			}
			late++
			perMinute[int(steps[0].Sub(down)/time.Minute)]++
			if got := w.ticket(id, ticket.Frozen).Deadline; !got.Equal(steps[0].Add(day)) {
				t.Errorf("ticket %d: the next step is due %s after the last", id, got.Sub(steps[0]))
			}
		}
		for minute, n := range perMinute {
			if n > rate {
				t.Errorf("%d overdue steps in minute %d", n, minute)
			}
		}
		if d := onTime.Sub(down.Add(30 * time.Second)); late != tickets || d < 0 || d > time.Second {
			t.Errorf("%d overdue steps, the one in time %s after it was due", late, d)
		}
	})
}

// overdue adds a ticket whose first reminder is due in a minute.
func (w *world) overdue(tx *store.Tx, i int) error {
	id, err := tx.AddTicket(ticket.Ticket{Desk: "support", Number: fmt.Sprintf("OLD-%06d", i), State: ticket.Pending, Subject: "x",
		Created: w.now(), Updated: w.now(), Deadline: w.now().Add(time.Minute), Next: ticket.Reminder}, "")
	if err != nil {
		return err
	}
	_, err = tx.AddParty(store.Party{TicketID: id, Role: ticket.Customer, Address: fmt.Sprintf("p%d@customer.example", i)})
	return err
}

// spread lets the clock run for a time as the poller sees it, and says when
// each ticket was stepped.
func (w *world) spread(d time.Duration) map[int64][]time.Time {
	w.t.Helper()
	for range d / duePoll {
		w.f.due(ctx, &w.late)
		w.pass(duePoll)
	}
	at := map[int64][]time.Time{}
	for _, tk := range w.tickets() {
		w.view(func(tx *store.Tx) error {
			all, err := tx.History(tk.ID)
			for _, h := range all {
				if h.Event == ticket.Deadline {
					at[tk.ID] = append(at[tk.ID], h.At)
				}
			}
			return err
		})
	}
	return at
}
