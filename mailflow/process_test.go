package mailflow

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// runFlow runs the pipeline itself until nothing is unprocessed.
func (w *world) runFlow() {
	w.t.Helper()
	running, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); w.f.Run(running) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 1; n > 0; {
		select {
		case <-tick.C:
		case <-running.Done():
			w.t.Fatal("not processed in time")
		}
		w.view(func(tx *store.Tx) (err error) { n, err = tx.Unprocessed(10); return err })
	}
	stop()
	<-ended
}

func newPipeline(f *Flow) *pipeline {
	return &pipeline{f: f, budget: semaphore.NewWeighted(readBudget), slots: semaphore.NewWeighted(inHand)}
}

// crash takes what waits into hand and ends: alone counts the times that the
// process ended while the mail was alone in hand.
func (w *world) crash(alone int) (id int64) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		ds, err := tx.ClaimDeliveries(1, leaseTTL)
		if err == nil {
			id = ds[0].ID
		}
		return err
	})
	for range alone {
		w.pass(leaseTTL)
		w.update(func(tx *store.Tx) error {
			if ok, err := tx.RetryAlone(id, leaseTTL); err != nil || !ok {
				return fmt.Errorf("retry alone: %v, %w", ok, err)
			}
			return nil
		})
	}
	w.pass(leaseTTL)
	return id
}

// What was in hand when the process ended is tried again alone, with the
// attempt counted first, and held once that has ended three processes.
func TestPoison(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for alone := range 5 {
			w.mail(ada, desk, fmt.Sprintf("Poison %c", 'a'+alone))
			id := w.crash(alone)
			w.mail("bob@other.example", desk, fmt.Sprintf("Honest %c", 'a'+alone))
			w.runFlow()
			d, honest := w.delivery(id), w.delivery(id+1)
			if d.Attempts != alone+2 || honest.State != store.DeliveryDone || honest.TicketID == 0 {
				t.Errorf("%d times alone: %d attempts, the honest mail is %s", alone, d.Attempts, honest.State)
			}
			if alone < 3 && d.State != store.DeliveryDone || alone >= 3 && (d.State != store.DeliveryHeld || d.Stop != "read" || d.Reason == "") {
				t.Errorf("%d times alone: %s, %s", alone, d.State, d.Reason)
			}
		}
		held := w.stopped(store.DeliveryHeld)
		if len(held) != 2 || w.f.Count.Held.Load() != 2 {
			t.Fatalf("%d held", len(held))
		}
		w.update(func(tx *store.Tx) error { _, err := tx.RetryDelivery(held[0].ID, ""); return err })
		w.runFlow()
		if d := w.delivery(held[0].ID); d.State != store.DeliveryDone || d.TicketID == 0 {
			t.Errorf("retried by hand: %s, %s", d.State, d.Reason)
		}
	})
}

// Nothing else is in hand while a suspect is tried; until then it is not
// touched, and one whose lease still runs is no suspect.
func TestSuspectIsAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Poison")
		id := w.crash(0)
		p := newPipeline(w.f)
		w.must(p.slots.Acquire(ctx, 1))
		soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		p.alone(soon)
		cancel()
		if d := w.delivery(id); d.Attempts != 1 || d.State != store.DeliveryNew {
			t.Errorf("tried while another was in hand: %+v", d)
		}
		p.slots.Release(1)
		w.pass(-time.Second)
		p.alone(ctx)
		if d := w.delivery(id); d.Attempts != 1 || d.State != store.DeliveryNew {
			t.Errorf("tried while its lease ran: %+v", d)
		}
		w.pass(time.Second)
		p.alone(ctx)
		if d := w.delivery(id); d.Attempts != 2 || d.State != store.DeliveryDone || d.TicketID == 0 {
			t.Errorf("not tried: %+v", d)
		}
	})
}

// A mail whose reading takes too long, or fails the program, is held with its
// reason, and so is one that cannot be decided; the others go on.
func TestHeldAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "First")
		w.run()
		note := w.take(ticket.Notification, agent)
		hold := func(stop, reason string, put, harm, mend func()) {
			t.Helper()
			put()
			harm()
			w.process()
			mend()
			w.mail("bob@other.example", desk, "Honest "+stop)
			w.process()
			held := w.stopped(store.DeliveryHeld)
			if len(held) != 1 || held[0].Stop != stop || !strings.Contains(held[0].Reason, reason) || w.delivery(held[0].ID+1).TicketID == 0 {
				t.Fatalf("%d held, want one at %s: %+v", len(held), stop, held)
			}
			w.update(func(tx *store.Tx) error { _, err := tx.RetryDelivery(held[0].ID, ""); return err })
			w.process()
			if d := w.delivery(held[0].ID); d.State != store.DeliveryDone {
				t.Errorf("%s: not mended: %s, %s", stop, d.State, d.Reason)
			}
		}
		limit := func(d time.Duration) func() {
			return func() { w.change(func(s *Settings) { s.Limits.ReadTimeout = d }) }
		}
		hold("read", "more than", func() { w.mail(ada, desk, "Subject: long\n\n"+strings.Repeat("long ", 200_000)) }, limit(1), limit(time.Minute))
		desks := w.f.Settings.Load().Desks
		hold("read", "the program failed", func() { w.mail("postmaster@desk.example", desk, "x") },
			func() { w.change(func(s *Settings) { s.Desks = nil }) }, // whose postmaster is whose?
			func() { w.change(func(s *Settings) { s.Desks = desks }) })
		hold("decide", "the program failed", func() { w.act(note, agent, "Hello") },
			func() { w.change(func(s *Settings) { s.Desks = desks[1:] }) },
			func() { w.change(func(s *Settings) { s.Desks = desks }) })
	})
}

// Mails with a token go first; the rest in the order of their arrival. Those
// of one thread are decided in that order, however many are under way.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Router")
		w.run()
		ack := w.take(ticket.Acknowledgment, ada)
		w.mail("bob@other.example", desk, "One")
		w.mail("bob@other.example", desk, "Two")
		w.answer(ack, ada, "Three")
		var order []string
		for range 3 {
			w.update(func(tx *store.Tx) error {
				ds, err := tx.ClaimDeliveries(1, leaseTTL)
				order = append(order, fmt.Sprint(ds[0].ID))
				return err
			})
		}
		if got := strings.Join(order, " "); got != "4 2 3" {
			t.Errorf("claimed in the order %s", got)
		}
		w.pass(leaseTTL)
		for i := range 40 {
			w.answer(ack, ada, fmt.Sprintf("Answer %d", i))
			w.mail("carl@other.example", desk, fmt.Sprintf("Subject: x%d\nReferences: <root%d@other.example>\n\n%d", i, i%3, i))
		}
		w.runFlow()
		for _, tk := range w.tickets() {
			last := int64(0)
			for _, m := range w.messages(tk.ID, "") {
				if m.DeliveryID < last {
					t.Errorf("ticket %s: mail %d before %d", tk.Number, last, m.DeliveryID)
				}
				last = m.DeliveryID
			}
		}
		if n := len(w.messages(1, store.Public)); n < 41 {
			t.Errorf("%d messages, want the first and 40 answers", n)
		}
	})
}

// A delivery whose lease another has by now is not decided twice.
func TestLostLease(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Router")
		id := w.crash(0)
		d := w.delivery(id)
		late := &job{d: d}
		late.in, late.err = w.f.read(ctx, d)
		newPipeline(w.f).alone(ctx)
		w.f.settle(late)
		w.f.settle(&job{d: d, err: &stopped{"read", "too late"}})
		if got := w.delivery(id); got.State != store.DeliveryDone || len(w.tickets()) != 1 || len(w.messages(1, "")) != 1 {
			t.Errorf("%s, %d tickets", got.State, len(w.tickets()))
		}
	})
}

// A sender who heard no 250 sends again. On PostgreSQL the second copy is
// processed while the first is still in the hands of the gateway that ended:
// the mail acts once, whichever comes first.
func TestResentBeforeTakenOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const mail = "Subject: Router\nMessage-ID: <r@customer.example>\nDate: Sat, 21 Nov 2026 14:00:00 +0000\n\nIt is off."
		w.mail(ada, desk, mail)
		w.update(func(tx *store.Tx) error { _, err := tx.ClaimDeliveries(1, leaseTTL); return err })
		w.mail(ada, desk, mail)
		w.run()
		w.take(ticket.Acknowledgment, ada)
		w.pass(leaseTTL)
		newPipeline(w.f).alone(ctx)
		w.run()
		first, second := w.delivery(1), w.delivery(2)
		if len(w.tickets()) != 1 || first.State != store.DeliveryDone || first.TicketID != second.TicketID || first.TicketID == 0 {
			t.Errorf("%d tickets; the first copy is %s (%s) on ticket %d", len(w.tickets()), first.State, first.Reason, first.TicketID)
		}

		// A held mail whose copy was called a duplicate of it is not its
		// duplicate in turn.
		held := "Subject: Switch\nMessage-ID: <s@customer.example>\nDate: Sat, 21 Nov 2026 14:00:00 +0000\n\nIt is off, too."
		w.mail(ada, desk, held)
		w.update(func(tx *store.Tx) error {
			ds, err := tx.ClaimDeliveries(1, leaseTTL)
			if err != nil {
				return err
			}
			in, err := w.f.read(ctx, ds[0])
			if err != nil {
				return err
			}
			in.describe(&ds[0])
			ds[0].State, ds[0].Stop = store.DeliveryHeld, "decide"
			return tx.FinishDelivery(ds[0])
		})
		w.mail(ada, desk, held)
		w.run()
		w.update(func(tx *store.Tx) error { _, err := tx.RetryDelivery(3, ""); return err })
		w.run()
		if d := w.delivery(3); len(w.tickets()) != 2 || d.TicketID == 0 || d.TicketID == first.TicketID {
			t.Errorf("%d tickets; the held mail is on %d: %s", len(w.tickets()), d.TicketID, d.Reason)
		}
	})
}

// While the store is in trouble a mail's reading is waited out: the mail is
// neither held nor left lying.
func TestReadInTrouble(t *testing.T) {
	d := storetest.Postgres(t)
	w := newWorld(t, d)
	w.mail(ada, desk, "Router")
	if w.db.TakeRecent(1) == nil { // from now on it is read from the store
		t.Fatal("the mail is not in memory")
	}
	raw, err := sql.Open("pgx", d.URL)
	w.must(err)
	defer raw.Close()
	locked, err := raw.BeginTx(ctx, nil)
	w.must(err)
	defer locked.Rollback()
	_, err = locked.Exec(`LOCK TABLE raw IN ACCESS EXCLUSIVE MODE`)
	w.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.process()
	}()
	// The statements that wait for the lock are cancelled: the first asks for
	// the size, the second for the bytes.
	for cancelled := 0; cancelled < 2; {
		var n int
		w.must(raw.QueryRow(`SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%FROM raw%'`).Scan(&n))
		cancelled += n
	}
	w.must(locked.Rollback())
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the mail is never read again")
	}
	if got := w.delivery(1); got.State != store.DeliveryDone || got.TicketID == 0 {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
}
