package mailflow

import (
	"fmt"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// strange puts in n first mails of as many strangers and tries to send the
// answers; refuse says which the relay refuses.
func (w *world) strange(name string, n int, refuse func(i int) bool) {
	w.t.Helper()
	for i := range n {
		w.mail(fmt.Sprintf("%s%d@customer.example", name, i), desk, fmt.Sprintf("Problem %s %d", name, i))
	}
	w.process()
	i := 0
	for left := 1; left > 0; {
		var rows []store.Outbox
		for _, l := range w.leased() {
			rows = append(rows, l.Row)
		}
		for j := range rows {
			rows[j].State = store.Sent
			if rows[j].Kind == ticket.Acknowledgment {
				if refuse(i) {
					rows[j].State, rows[j].Reply = store.FailedOut, "550 5.1.1 no such user"
				}
				i++
			}
			w.sent = append(w.sent, &letter{row: rows[j]})
		}
		w.must(w.f.Settle(ctx, rows))
		left = len(rows)
	}
}

func (w *world) outbox(state store.OutboxState) (all []store.Outbox) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { all, err = tx.OutboxPage(state, 0, 100_000); return err })
	return all
}

func (w *world) count(kind ticket.Kind, event string) (n int) {
	for _, l := range w.sent {
		if l.row.Kind == kind && (event == "" || argsOf(l.row).Event == event) {
			n++
		}
	}
	return n
}

// tried fills the look back on first answers: n, of which so many failed.
func (w *world) tried(n, failed int) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error {
		for i := range n {
			if err := tx.NoteAnswer(0, i < failed); err != nil {
				return err
			}
		}
		return nil
	})
}

// When more than a quarter of the last 200 first answers failed, further ones
// are held, the agents hear of it once, and whoever looks lets them go.
func TestStrangersWait(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		all, none := func(int) bool { return true }, func(int) bool { return false }
		w.tried(200, 20)
		w.tried(150, 38) // an outage brings many wrong addresses, too
		w.strange("wrong", 12, all)
		w.strange("honest", 5, none)
		if held := w.outbox(store.HeldOut); len(held) != 0 {
			t.Fatalf("%d held at a quarter of failures", len(held))
		}
		w.strange("wrong again", 1, all)
		w.strange("late", 30, none)
		held := w.outbox(store.HeldOut)
		if len(held) != 30 || held[0].Kind != ticket.Acknowledgment || held[0].Reply != strangersReason {
			t.Fatalf("%d held: %+v", len(held), held)
		}
		if n := w.count(ticket.Notification, "strangers-wait"); n != 2 { // two agents
			t.Errorf("%d notifications of the pause", n)
		}
		if n := len(w.tickets()); n != 48 {
			t.Errorf("%d tickets", n)
		}
		// Others are answered as ever.
		w.forget()
		w.submit(ada, desk, "Router")
		w.run()
		w.take(ticket.Acknowledgment, ada)
		// Let out, they are composed and searched as ever, and leave.
		for _, o := range held[:25] {
			w.update(func(tx *store.Tx) error { _, err := Release(tx, o.ID); return err })
		}
		w.run()
		if n := w.count(ticket.Acknowledgment, ""); n != 25 {
			t.Errorf("%d left by hand", n)
		}
		w.strange("next", 3, none)
		if n := len(w.outbox(store.HeldOut)); n != 8 {
			t.Errorf("%d held", n)
		}
		// After a day the pause is over; those held stay. One failure more, and
		// it begins again.
		w.pass(day)
		w.strange("another", 3, func(i int) bool { return i == 2 })
		w.strange("one more", 1, none)
		if n := len(w.outbox(store.HeldOut)); n != 9 {
			t.Errorf("%d held the day after", n)
		}
		// Once enough have arrived it ends before its time.
		w.tried(150, 0)
		w.update(func(tx *store.Tx) error { _, err := Release(tx, held[29].ID); return err })
		w.run()
		w.strange("at last", 1, none)
		if n := len(w.outbox(store.HeldOut)); n != 8 {
			t.Errorf("%d held after many arrived", n)
		}
	})
}

// Reports that come later count for those of the last 200 that they speak of,
// and mails that are no first answers to strangers count for nothing.
func TestStrangersComeBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tried(160, 0)
		w.tried(40, 40)
		w.strange("honest", 13, func(int) bool { return false })
		letters := w.sent
		w.forget()
		n := 0
		for _, l := range letters {
			if l.row.Kind != ticket.Acknowledgment {
				continue
			}
			w.put("192.0.2.7", "mailer-daemon@relay.example", fmt.Sprintf("support+%s@desk.example", w.f.Keys.Outbox(ticket.ForBounce, l.row.ID)),
				"Subject: Undelivered\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"+
					"--b\nContent-Type: text/plain\n\nIt failed.\n--b\nContent-Type: message/delivery-status\n\n"+
					"Reporting-MTA: dns; relay.example\n\nFinal-Recipient: rfc822; "+l.row.Recipient+"\nAction: failed\nStatus: 5.1.1\n\n--b--")
			if n++; n == 10 {
				w.run()
				w.mail("before@other.example", desk, "Printer")
				w.run()
				w.take(ticket.Acknowledgment, "before@other.example")
			}
		}
		w.run()
		w.mail("after@other.example", desk, "Printer")
		w.run()
		if held := w.outbox(store.HeldOut); len(held) != 1 || held[0].Recipient != "after@other.example" || w.left("after@other.example") != 0 {
			t.Errorf("held %+v", held)
		}
		if n := w.count(ticket.Notification, "strangers-wait"); n != 2 {
			t.Errorf("%d notifications of the pause", n)
		}
	})
}
