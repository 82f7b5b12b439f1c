package mailflow

import (
	"strings"
	"testing"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// arf is an abuse report (RFC 5965) that returns a mail.
func arf(id string) string {
	return "From: <feedback@provider.example>\nSubject: FW: Your request\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nThis is an abuse report.\n" +
		"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Reports/1\nVersion: 1\n" +
		"Original-Rcpt-To: <" + ada + ">\n\n--b\nContent-Type: message/rfc822\n\nFrom: support@desk.example\nMessage-ID: " + id + "\nSubject: Your request\n\nHello.\n--b--"
}

// Who calls an automatic mail abuse gets no more of them, on no ticket, until
// they answer a mail of ours; agents are told, once, and their words still go. A report that
// carries no id of ours does nothing.
func TestComplaint(t *testing.T) {
	t.Parallel()
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		w := newWorld(t, d)
		w.mail(ada, desk, "First")
		w.run()
		ack, note := w.take(ticket.Acknowledgment, ada), w.take(ticket.Notification, agent)
		w.forget()

		forged := strings.Replace(ack.mail.MessageID, ack.mail.MessageID[1:5], "aaaa", 1)
		w.mail("feedback@provider.example", desk, arf(forged))
		w.run()
		if n := w.left(agent); n != 0 || len(w.tickets()) != 1 {
			t.Fatalf("a forged report: %d mails to the agent, %d tickets", n, len(w.tickets()))
		}
		w.mail("feedback@provider.example", desk, arf(ack.mail.MessageID))
		w.mail("feedback@provider.example", desk, arf(ack.mail.MessageID)+"\nagain")
		w.run()
		w.take(ticket.Undeliverable, agent)
		if n := w.left(ada) + w.left("feedback@provider.example"); n != 0 || len(w.tickets()) != 1 {
			t.Fatalf("%d mails, %d tickets", n, len(w.tickets()))
		}
		w.forget()

		w.pass(10 * day)
		w.update(func(tx *store.Tx) error { return tx.DropBudgets(w.now()) })
		w.mail(ada, desk, "Second")
		w.run()
		if n := w.left(ada); n != 0 || len(w.tickets()) != 2 || w.left(agent) != 1 {
			t.Errorf("%d automatic mails, %d tickets", n, len(w.tickets()))
		}
		w.forget()
		w.act(note, agent, "We are sorry.")
		w.run()
		update := w.take(ticket.Update, ada)

		// An answer to our own mail ends it: she wants to hear of us again.
		w.act(update, ada, "Never mind, it was my program.")
		w.run()
		w.forget()
		w.pass(2 * day)
		w.mail(ada, desk, "Third")
		w.run()
		w.take(ticket.Acknowledgment, ada)
	})
}

// An abuse report on somebody else's mail is no one's.
func TestComplainsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	raw := []byte(arf("<other@provider.example>"))
	m := rfc822.Parse(raw)
	if v := Classify(m, Envelope{}, false, nil); v.Class != ClassComplaint || w.f.complains(m, v, raw) != 0 {
		t.Errorf("%+v, %d", v, w.f.complains(m, v, raw))
	}
}
