package mailflow

import (
	"regexp"
	"strings"
	"testing"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

const jira = "jira@integrator.example"

// withNumbers configures a partner's system, and RT as what stood before.
func withNumbers(s *Settings) {
	s.Systems = []System{{From: jira, Number: regexp.MustCompile(`(?i)\b(SUP-[0-9]+)\b`)},
		{From: "tools.example", Number: regexp.MustCompile(`(?i)case ([0-9]+)`)}}
	s.OldNumbers = []OldNumber{{System: "rt", Pattern: regexp.MustCompile(`(?i)\[RT #([0-9]+)\]`)}}
}

func TestNumbersOfOthers(t *testing.T) {
	s := testSettings()
	withNumbers(s)
	check := func(from, subject, text, number, old string) {
		t.Helper()
		in := &incoming{mail: rfc822.Parse([]byte("From: " + from + "\nSubject: " + subject + "\n\n" + text))}
		in.numbers(s)
		if in.number != number || strings.Join(in.old, ",") != old {
			t.Errorf("%s %q: %q %q, want %q %q", from, subject, in.number, in.old, number, old)
		}
	}
	check(jira, "SUP-7 Router", "", "system integrator.example sup-7", "")
	check("JIRA@integrator.example", "x", "see sup-8", "system integrator.example sup-8", "")
	check("bob@integrator.example", "SUP-7", "", "", "")
	check("anybody@tools.example", "Case 12 [RT #5]", "", "system tools.example 12", "old rt 5")
	check("anybody@sub.tools.example", "Case 12", "", "", "")
	check("evil@jira@integrator.example.evil.example", "SUP-7", "", "", "")
	check(jira+", b@other.example", "SUP-7", "", "", "")
	check(ada, "Re: [rt #5] [RT #5] Router", "[RT #6]", "", "old rt 5")
	check(ada, "RT #5", "", "", "")
	check(ada, "[RT #"+strings.Repeat("1", 65)+"]", "", "", "")
}

func TestFromSystem(t *testing.T) {
	check := func(head string, want Class, answerable bool) {
		t.Helper()
		m := rfc822.Parse([]byte("From: " + jira + "\nTo: " + desk + "\n" + head + "\n\nBob commented on SUP-7: it works."))
		v := fromSystem(m, Classify(m, Envelope{}, false, nil), true, true)
		if v.Class != want || v.Answerable != answerable {
			t.Errorf("%s: %s, %v (%s)", head, v.Class, v.Answerable, v.Reason)
		}
	}
	check("Subject: SUP-7", ClassPerson, false)
	check("Subject: SUP-7\nAuto-Submitted: auto-generated", ClassBulk, false)
	check("Subject: SUP-7\nX-Auto-Response-Suppress: All\nIn-Reply-To: <a@b>", ClassBulk, false)
	check("Subject: SUP-7\nX-Loop: jira", ClassBulk, false)
	check("Subject: SUP-7\nX-Loop: jira\nX-Guichet-Kind: acknowledgment", ClassLoop, false)
	check("Subject: SUP-7\nAuto-Submitted: auto-replied", ClassAutoReply, false)
	check("Subject: SUP-7\nPrecedence: auto_reply", ClassAutoReply, false)
	check("Subject: Out of office: SUP-7\nAuto-Submitted: auto-generated", ClassAutoReply, false)
	check("Subject: SUP-7\nContent-Type: multipart/report; report-type=disposition-notification; boundary=x", ClassAutoReply, false)
}

// A partner's system names its number in its answer to us; its later mails
// find the ticket by it. What is not proven waits, and nobody else comes in.
func TestSystemNumber(t *testing.T) { storetest.Each(t, testSystemNumber) }

func testSystemNumber(t *testing.T, d *storetest.Database) {
	w := newWorld(t, d)
	w.change(withNumbers)
	w.submit(ada, desk, "Subject: Router\nCc: "+jira+"\n\nDead") // proven: jira becomes a follower
	w.run()
	id := w.tickets()[0].ID
	told := w.take(ticket.Acknowledgment, jira)
	w.mail(jira, told.mail.ReplyTo[0].Address, "Subject: Issue SUP-41 was created\n\nWe call it so.") // to our address, as it is
	w.run()
	w.forget()
	const machine = "Auto-Submitted: auto-generated\nSubject: [SUP-41] new comment\n\n"
	w.mail(jira, desk, machine+"Bob has looked at it.")
	w.run()
	if tk := w.ticket(id, ticket.New); tk.Waiting != 1 || w.left(ada) != 0 || len(w.tickets()) != 1 {
		t.Fatalf("unproven: %+v, %d mails to ada, %d tickets", tk, w.left(ada), len(w.tickets()))
	}
	w.submit(jira, desk, machine+"Bob has found it.")
	w.run()
	if got := w.take(ticket.Update, ada); !strings.Contains(got.mail.Text, "Bob has found it.") {
		t.Errorf("told ada: %s", got.mail.Text)
	}
	if w.left(jira) != 0 {
		t.Errorf("%d mails to the system", w.left(jira))
	}
	w.submit(jira, desk, "Auto-Submitted: auto-replied\nSubject: [SUP-41] received\n\nYour mail was received.")
	w.run()
	if n := len(w.messages(id, store.Record)); n != 1 || w.left(ada) != 0 {
		t.Errorf("an automatic answer: %d records, %d mails to ada", n, w.left(ada))
	}
	w.mail("bob@other.example", desk, "Subject: SUP-41\n\nMine")
	w.mail(jira, desk, "Subject: SUP-42\n\nAnother matter")
	w.run()
	if n := len(w.tickets()); n != 3 {
		t.Errorf("%d tickets, want 3: another writer's, and another number", n)
	}
}

// The number of a former system is a hint like our own: from a party's address
// it joins and waits, anybody else's mail is a ticket of its own.
func TestOldNumber(t *testing.T) { storetest.Each(t, testOldNumber) }

func testOldNumber(t *testing.T, d *storetest.Database) {
	w := newWorld(t, d)
	w.change(withNumbers)
	w.mail(ada, desk, "Re: [RT #77] Router")
	w.run()
	first := w.tickets()[0]
	w.mail("bob@other.example", desk, "Re: [RT #77] Router")
	w.mail(ada, desk, "[rt #77] Any news?")
	w.run()
	all := w.tickets()
	if len(all) != 2 || all[0].Waiting != 1 || len(w.messages(first.ID, "")) != 2 {
		t.Fatalf("%+v", all)
	}
	w.view(func(tx *store.Tx) error {
		linked, err := tx.LinkedTickets(first.ID)
		if len(linked) != 1 || linked[0] != all[1].Number {
			t.Errorf("linked with %q, want the ticket that names it", linked)
		}
		return err
	})
	w.submit("bob@other.example", desk, "Subject: AW: [RT #77] Router\n\nMine works again, thank you") // by now on a ticket of his own
	w.run()
	if n := len(w.tickets()); n != 2 || len(w.messages(all[1].ID, "")) != 2 {
		t.Errorf("%d tickets", n)
	}
	// Closed too long ago, the matter goes on in a linked ticket; from then on
	// the number means that one.
	w.act(w.takeFirst(ticket.Notification, agent, first.Number), agent, "#close")
	w.run()
	w.pass(30 * day)
	w.submit(ada, desk, "Subject: [RT #77] Router\n\nIt is dead again")
	w.run()
	if all = w.tickets(); len(all) != 3 {
		t.Fatalf("%d tickets, want a linked one", len(all))
	}
	w.submit(ada, desk, "Subject: [RT #77] Router\n\nStill")
	w.run()
	if n := len(w.tickets()); n != 3 || len(w.messages(all[2].ID, "")) != 2 {
		t.Errorf("%d tickets, %d messages on the newest", n, len(w.messages(all[2].ID, "")))
	}
}

// takeFirst takes the first mail of a kind about a ticket.
func (w *world) takeFirst(kind ticket.Kind, to, number string) *letter {
	w.t.Helper()
	for _, l := range w.sent {
		if l.row.Kind == kind && l.row.Recipient == to && l.mail.Header.Get("X-Guichet-Ticket") == number {
			return l
		}
	}
	w.t.Fatalf("no %s to %s about %s", kind, to, number)
	return nil
}
