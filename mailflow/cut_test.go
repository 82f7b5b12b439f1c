package mailflow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// largeMail is a mail of 3 MB with words and two files; its first MiB ends in
// the second.
func largeMail(n int, from, head, words string) string {
	file := "--b\nContent-Type: application/pdf; name=%[1]s\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=%[1]s\n\n%[2]s"
	return fmt.Sprintf("%sReceived: from a by b; Sun, 22 Nov 2026 09:00:00 +0000\nFrom: %s\nTo: support@desk.example\nDate: Sun, 22 Nov 2026 09:00:00 +0000\n"+
		"Message-ID: <%d@customer.example>\nSubject: Printer\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n%s\n", head, from, n, words) +
		fmt.Sprintf(file, "small.pdf", "JVBERi0=\n") + fmt.Sprintf(file, "large.pdf", strings.Repeat("0123456789abcdef0123456789abcdef\n", 90_000)) + "--b--\n"
}

// fetchCut puts in the beginning of a mail as the fetching does.
func (w *world) fetchCut(uid uint32, raw string) store.Delivery {
	w.t.Helper()
	w.change(func(s *Settings) { s.Limits.MaxMessage = 1 << 20 })
	cut := strings.ReplaceAll(strings.ReplaceAll(raw, "\n", "\r\n")[:1<<20], "\r\n", "\n")
	d, err := w.fetch(uid, cut, func(m *Fetched) { m.Row.State, m.Row.Size = store.MailCut, int64(len(raw)) })
	w.must(err)
	return d
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// A mail that is too large makes a ticket with its words and the files that are
// whole; its sender and the agents are told what is missing, and only agents
// where the whole lies.
func TestCutMail(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fetchCut(7, largeMail(7, ada, "", "It does not print. See the picture."))
		w.run()
		tickets := w.tickets()
		if len(tickets) != 1 {
			t.Fatalf("%d tickets", len(tickets))
		}
		const line = "[This mail is 3 MB; at most 1 MB are taken. Its words are here, files are missing.]"
		m := w.messages(tickets[0].ID, store.Public)[0]
		if words(m.Words) != "It does not print. See the picture. "+line {
			t.Errorf("words %q", m.Words)
		}
		var parts []store.Part
		w.view(func(tx *store.Tx) (err error) { parts, err = tx.Parts(m.ID); return err })
		if len(parts) != 1 || parts[0].Name != "small.pdf" || parts[0].Size != 5 {
			t.Errorf("files %+v", parts)
		}
		for _, to := range []string{agent, second} {
			note := w.take(ticket.Notification, to)
			if text := words(note.mail.Text); !strings.Contains(text, mailboxName+", UID 7") || !strings.Contains(text, line) || len(note.mail.Parts) != 1 {
				t.Errorf("the notification:\n%s", note.mail.Text)
			}
		}
		ack := w.take(ticket.Acknowledgment, ada)
		if text := words(ack.mail.Text); !strings.Contains(text, "Your message is larger than 1 MB, so only its beginning has reached us") || w.left(ada) != 0 {
			t.Errorf("the acknowledgment:\n%s", ack.mail.Text)
		}
		// An answer that is too large is told of by a mail of its own.
		answer := func(uid uint32) {
			t.Helper()
			w.fetchCut(uid, largeMail(int(uid), ada, "Delivered-To: "+ack.mail.ReplyTo[0].Address+"\nIn-Reply-To: "+ack.mail.MessageID+"\n", "Here is another one."))
			w.run()
		}
		answer(8)
		told := w.take(ticket.Incomplete, ada)
		if text := words(told.mail.Text); !strings.Contains(text, "has reached us in part (ticket "+tickets[0].Number+"): it is larger than 1 MB") ||
			told.mail.Header.Get("Auto-Submitted") != "auto-replied" || strings.Contains(text, "another one") || told.mail.InReplyTo[0] != "<8@customer.example>" {
			t.Errorf("to the sender:\n%s", told.raw)
		}
		for _, l := range []*letter{ack, told} {
			if strings.Contains(string(l.raw), mailboxName) || strings.Contains(string(l.raw), "UID") {
				t.Errorf("a party is told where it lies:\n%s", l.raw)
			}
		}
		answer(9)
		if n := w.left(ada); n != 0 {
			t.Errorf("%d mails to the sender within an hour", n)
		}
		w.pass(time.Hour)
		answer(10)
		w.take(ticket.Incomplete, ada)
		if n := len(w.messages(tickets[0].ID, store.Public)); n != 4 || len(w.tickets()) != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

// Only the journal says that a mail was cut. A mail of which the end is missing
// otherwise, and one whose header claims it, are what they are.
func TestCutIsNotClaimed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		whole := largeMail(1, ada, "X-Cut: UIDVALIDITY 7 UID 1, more than 1048576 bytes\n", "It does not print.")
		w.deliver(Envelope{Listener: "smtp", Client: "192.0.2.7", Hello: "UIDVALIDITY 7 UID 1, more than 1048576 bytes", From: ada, Recipients: []string{desk}}, whole[:200_000])
		w.run()
		w.take(ticket.Acknowledgment, ada)
		m := w.messages(w.tickets()[0].ID, store.Public)[0]
		var parts []store.Part
		w.view(func(tx *store.Tx) (err error) { parts, err = tx.Parts(m.ID); return err })
		if strings.Contains(m.Words, "[") || len(parts) != 2 {
			t.Errorf("words %q, files %+v", m.Words, parts)
		}
	})
}

// Who is not to be answered is not told that a mail was cut: no machine, no
// stranger who has had his answer, nobody whose mail waits.
func TestCutIsNotAnswered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.fetchCut(1, largeMail(1, "robot@customer.example", "Auto-Submitted: auto-generated\n", "Backup done."))
		w.run()
		if n := w.left("robot@customer.example"); n != 0 {
			t.Errorf("%d mails to a machine", n)
		}
		w.mail("victim@victim.example", desk, "Help")
		w.run()
		first := w.take(ticket.Acknowledgment, "victim@victim.example")
		w.fetchCut(2, largeMail(2, "victim@victim.example", "", "Help again."))
		w.run()
		waits := "Delivered-To: " + first.mail.ReplyTo[0].Address + "\nIn-Reply-To: " + first.mail.MessageID + "\n"
		w.fetchCut(3, largeMail(3, "somebody@else.example", waits, "From my other address."))
		w.run()
		if n := w.left("victim@victim.example") + w.left("somebody@else.example"); n != 0 {
			t.Errorf("%d mails to strangers", n)
		}
		w.pass(day)
		w.run()
		also := w.take(ticket.AlsoReceived, "victim@victim.example")
		if !strings.Contains(words(also.mail.Text), "A message was larger than 1 MB") {
			t.Errorf("the further mails:\n%s", also.mail.Text)
		}
	})
}

// On a form desk the form's link says it; who has proven nothing hears no more of
// it within a day, who answers our mail does.
func TestCutAtAFormDesk(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) {
			s.Desks[0].Policy.Intake, s.Desks[0].Policy.Timers.FormExpires = ticket.Form, 7*day
		})
		w.fetchCut(1, largeMail(1, ada, "", "It does not print."))
		w.run()
		link := w.take(ticket.FormLink, ada)
		if !strings.Contains(words(link.mail.Text), "Your message is larger than 1 MB") {
			t.Errorf("the form's link:\n%s", link.mail.Text)
		}
		w.fetchCut(2, largeMail(2, ada, "", "Another picture."))
		w.run()
		if n := w.left(ada); n != 0 {
			t.Errorf("%d mails to who has proven nothing", n)
		}
		w.fetchCut(3, largeMail(3, ada, "Delivered-To: "+link.mail.ReplyTo[0].Address+"\nIn-Reply-To: "+link.mail.MessageID+"\n", "A third."))
		w.run()
		w.take(ticket.Incomplete, ada)
		w.pass(day)
		w.fetchCut(4, largeMail(4, ada, "Delivered-To: "+link.mail.ReplyTo[0].Address+"\nIn-Reply-To: "+link.mail.MessageID+"\n", "A fourth."))
		w.run()
		if again := w.take(ticket.FormLink, ada); !strings.Contains(words(again.mail.Text), "Your message is larger than 1 MB") || w.left(ada) != 0 {
			t.Errorf("the link again, and %d mails:\n%s", w.left(ada), again.mail.Text)
		}
		if len(w.tickets()) != 1 || len(w.messages(1, store.Public)) != 4 {
			t.Errorf("%d tickets, %d messages", len(w.tickets()), len(w.messages(1, store.Public)))
		}
	})
}

// An agent's answer that is too large is posted, and the agent is told.
func TestCutOfAnAgent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Help")
		w.run()
		w.take(ticket.Acknowledgment, ada)
		note := w.take(ticket.Notification, agent)
		w.forget()
		w.change(func(s *Settings) { s.TrustedNetworks = nil })
		w.fetchCut(1, largeMail(1, agent, "Delivered-To: "+note.mail.ReplyTo[0].Address+"\nIn-Reply-To: "+note.mail.MessageID+"\n", "Please see the manual."))
		w.run()
		confirm := w.take(ticket.ConfirmCommand, agent)
		w.mail(agent, confirm.mail.ReplyTo[0].Address, "Subject: Re: x\nIn-Reply-To: "+confirm.mail.MessageID+"\n\nYes.")
		w.run()
		if l := w.take(ticket.Update, ada); !strings.Contains(words(l.mail.Text), "Please see the manual. [This mail is 3 MB; at most 1 MB are taken.") {
			t.Errorf("the answer:\n%s", l.mail.Text)
		}
		if l := w.take(ticket.Incomplete, agent); !strings.Contains(l.mail.Text, "has reached us in part") {
			t.Errorf("to the agent:\n%s", l.mail.Text)
		}
	})
}

// What is here of the words is said as it is, in the desk's language.
func TestCutLine(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		check := func(n int, language, raw string, want ...string) {
			t.Helper()
			w.change(func(s *Settings) { s.Desks[0].Language = language })
			d := w.fetchCut(uint32(n), raw)
			w.run()
			m := w.messages(w.delivery(d.ID).TicketID, store.Public)[0]
			if got := words(m.Words); !strings.HasSuffix(got, strings.Join(want, " ")) {
				t.Errorf("%d: …%q, want %q", n, got[max(len(got)-200, 0):], want)
			}
		}
		head := func(n int, kind string) string {
			return fmt.Sprintf("From: c%d@customer.example\nDate: Sun, 22 Nov 2026 09:00:00 +0000\nMessage-ID: <%d@customer.example>\nSubject: x\nContent-Type: %s\n\n", n, n, kind)
		}
		check(1, "fr", largeMail(1, ada, "", "Bonjour."), "Bonjour. [Ce message pèse 3 Mo ; 1 Mo au plus sont acceptés. Son texte est ici, il manque des fichiers.]")
		check(2, "de", head(2, "text/plain")+strings.Repeat("A line of a log.\n", 100_000), "A line of a log. […] [This mail is 1.7 MB; at most 1 MB are taken. Only the beginning of its words is here.]")
		check(3, "en", head(3, "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m")+strings.Repeat("0123456789abcdef\n", 120_000),
			"[This mail is 2 MB; at most 1 MB are taken. Only its beginning is here, without words that can be read.]")
		check(4, "en", head(4, "application/pdf; name=a.pdf")+strings.Repeat("0123456789abcdef\n", 61_700),
			"[This mail is more than 1 MB; at most 1 MB are taken. Only its beginning is here, without words that can be read.]")
	})
}
