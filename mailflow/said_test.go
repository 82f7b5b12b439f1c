package mailflow

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// solved opens a ticket of ada's, with an integrator where one is named, has
// it resolved, and gives the closure request.
func (w *world) solved(integrator string) (tk ticket.Ticket, note, ask *letter) {
	w.t.Helper()
	w.mail(ada, desk, "Subject: Router\n\nIt is dead.")
	w.run()
	tk = w.tickets()[0]
	if integrator != "" {
		w.update(func(tx *store.Tx) error {
			_, err := tx.AddParty(store.Party{TicketID: tk.ID, Role: ticket.Integrator, Address: integrator, Proven: true})
			return err
		})
	}
	note = w.take(ticket.Notification, agent)
	w.act(note, agent, "#resolve\n\nThe power supply was replaced.")
	w.run()
	ask = w.take(ticket.ClosureRequest, ada)
	if integrator == "" {
		w.forget()
	}
	return w.ticket(tk.ID, ticket.Resolved), note, ask
}

// mailtos are the approve and the refuse address of a mail, from its HTML;
// the text has them, too.
func mailtos(t testing.TB, l *letter) (approve, refuse *url.URL) {
	t.Helper()
	var list []*url.URL
	for _, rest := range strings.Split(l.html(t), `href="mailto:`)[1:] {
		href, _, _ := strings.Cut(rest, `"`)
		u, err := url.Parse("mailto:" + strings.ReplaceAll(href, "&amp;", "&"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(u.Opaque, "+") {
			list = append(list, u)
			if !strings.Contains(l.mail.Text, "\nmailto:"+u.Opaque+"\n") {
				t.Errorf("the text does not hold %s alone in a line", u.Opaque)
			}
		}
	}
	if len(list) != 2 {
		t.Fatalf("%d addresses in\n%s", len(list), l.html(t))
	}
	return list[0], list[1]
}

// html is the mail's HTML part, with what stands around it.
func (l *letter) html(t testing.TB) string {
	t.Helper()
	b, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(l.raw)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// press sends the mail that such a link begins, with other words if given.
func (w *world) press(from string, u *url.URL, words ...string) {
	w.t.Helper()
	text := u.Query().Get("body")
	if len(words) > 0 {
		text = words[0]
	}
	w.mail(from, u.Opaque, "Subject: "+u.Query().Get("subject")+"\n\n"+text)
	w.run()
}

func TestApproveByAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.solved("")
		approve, _ := mailtos(t, ask)
		w.press(ada, approve)
		if tk = w.ticket(tk.ID, ticket.Closed); tk.Closed != ticket.Approved {
			t.Fatalf("closed as %s", tk.Closed)
		}
		w.take(ticket.ClosedMail, ada)
		w.take(ticket.Notification, agent)
		w.forget()
		// Said twice, it is still closed, and nobody else is told.
		w.press(ada, approve, "It is solved.\n\nAda")
		if w.ticket(tk.ID, ticket.Closed); w.left(ada) != 0 || len(w.tickets()) != 1 {
			t.Fatalf("%d mails, %d tickets", w.left(ada), len(w.tickets()))
		}
	})
}

func TestRefuseByAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, note, ask := w.solved("")
		approve, refuse := mailtos(t, ask)
		w.press(ada, refuse, "")
		w.ticket(tk.ID, ticket.Open)
		w.take(ticket.Reopened, ada)
		// On an open ticket the same address says only what its words say.
		w.press(ada, refuse, "The light is red.")
		w.ticket(tk.ID, ticket.Open)
		w.press(ada, approve, "Approved.")
		w.ticket(tk.ID, ticket.Open)
		// Another resolution is not the one that was asked about.
		w.act(note, agent, "#resolve\n\nOnce more.")
		w.run()
		w.ticket(tk.ID, ticket.Resolved)
		w.forget()
		w.press(ada, approve)
		w.ticket(tk.ID, ticket.Open)
		w.act(note, agent, "#resolve")
		w.run()
		// Nor does a yes to the old question answer the new one.
		w.answer(ask, ada, "Yes")
		w.run()
		w.ticket(tk.ID, ticket.Open)
	})
}

// A closed ticket is open again by the refuse address of its solution.
func TestRefuseWhenClosed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.solved("")
		approve, refuse := mailtos(t, ask)
		w.press(ada, approve)
		w.ticket(tk.ID, ticket.Closed)
		w.forget()
		w.press(ada, refuse)
		w.ticket(tk.ID, ticket.Open)
		w.take(ticket.Reopened, ada)
	})
}

func TestActsByWhom(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.solved("contact@integrator.example")
		approve, _ := mailtos(t, ask)
		// A stranger with the address decides nothing, nor does a machine.
		w.press("stranger@elsewhere.example", approve)
		if tk = w.ticket(tk.ID, ticket.Resolved); tk.Waiting != 1 {
			t.Fatalf("%d mails wait", tk.Waiting)
		}
		w.mail(ada, approve.Opaque, "Subject: Out of office\nAuto-Submitted: auto-replied\n\nI am away.")
		w.run()
		w.ticket(tk.ID, ticket.Resolved)
		// Nor words that do not agree with it.
		w.press(ada, approve, "It is solved, but the second line is dead.")
		w.ticket(tk.ID, ticket.Open)
	})
}

// Mail programs remember addresses: another topic is another ticket.
func TestActsAndTopics(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, ask := w.solved("")
		approve, refuse := mailtos(t, ask)
		w.mail(ada, approve.Opaque, "Subject: Printer\n\nThe printer is dead, too.")
		w.run()
		w.ticket(tk.ID, ticket.Resolved)
		if n := len(w.tickets()); n != 2 {
			t.Fatalf("%d tickets", n)
		}
		// An empty mail with any subject says what the address says.
		w.mail(ada, refuse.Opaque, "Subject: \n\n")
		w.run()
		w.ticket(tk.ID, ticket.Open)
	})
}

// Where a desk has no signed addresses the page alone is offered.
func TestNoActsWithoutReplyAddresses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.change(func(s *Settings) { s.Desks[0].Reply = "off" })
		_, _, ask := w.solved("")
		if strings.Contains(ask.html(t), `href="mailto:support+`) || strings.Contains(ask.mail.Text, "mailto:") {
			t.Errorf("signed addresses in\n%s", ask.mail.Text)
		}
		if !strings.Contains(ask.mail.Text, "/approve\n") {
			t.Errorf("no page in\n%s", ask.mail.Text)
		}
	})
}

// hear presses a button of somebody's page.
func (w *world) hear(tk ticket.Ticket, who string, act ticket.EventType, comment string) Heard {
	w.t.Helper()
	var p store.Party
	w.view(func(tx *store.Tx) (err error) { p, err = tx.PartyByAddress(tk.ID, who); return err })
	heard, err := w.f.Hear(ctx, Word{Link: p.Link, Act: act, Resolution: tk.Resolution, Comment: comment})
	w.must(err)
	w.run()
	return heard
}

func TestHear(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const integrator = "contact@integrator.example"
		tk, note, _ := w.solved(integrator)
		w.forget()
		if h := w.hear(tk, ada, ticket.Refuse, "The light is red."); h != AsMeant {
			t.Fatalf("heard %q", h)
		}
		w.ticket(tk.ID, ticket.Open)
		if l := w.take(ticket.Reopened, integrator); !strings.Contains(l.mail.Text, "The light is red.") {
			t.Errorf("no comment in\n%s", l.mail.Text)
		}
		if h := w.hear(tk, ada, ticket.Approve, ""); h != Nothing {
			t.Fatalf("an open ticket heard %q", h)
		}
		w.pass(day / 24)
		w.act(note, agent, "#resolve")
		w.run()
		w.forget()
		// The page of the first solution says nothing of the second.
		if h := w.hear(tk, ada, ticket.Approve, ""); h != Nothing {
			t.Fatalf("another resolution heard %q", h)
		}
		tk = w.ticket(tk.ID, ticket.Resolved)
		if h := w.hear(tk, integrator, ticket.Approve, ""); h != AsMeant {
			t.Fatalf("the integrator was heard %q", h)
		}
		if tk = w.ticket(tk.ID, ticket.Closed); tk.Closed != ticket.Approved {
			t.Fatalf("closed as %s", tk.Closed)
		}
		w.take(ticket.ClosedMail, ada)
		w.forget()
		before := len(w.messages(tk.ID, ""))
		if h := w.hear(tk, integrator, ticket.Approve, "again"); h != Nothing || w.left(ada) != 0 || len(w.messages(tk.ID, "")) != before {
			t.Fatalf("a second time heard %q, %d mails", h, w.left(ada))
		}
		if h := w.hear(tk, ada, ticket.Refuse, ""); h != AsMeant {
			t.Fatalf("a closed ticket heard %q", h)
		}
		w.ticket(tk.ID, ticket.Open)
		w.take(ticket.Reopened, ada)
	})
}

// Whose approval does not count has answered, and everybody is told.
func TestHearWhatDoesNotCount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const integrator = "contact@integrator.example"
		tk, _, ask := w.solved(integrator)
		w.pass(day / 24)
		w.answer(ask, ada, "Merci")
		w.run()
		w.ticket(tk.ID, ticket.Resolved)
		w.forget()
		if h := w.hear(tk, integrator, ticket.Approve, ""); h != AsAnswer {
			t.Fatalf("heard %q", h)
		}
		w.ticket(tk.ID, ticket.Open)
		if l := w.take(ticket.Update, ada); !strings.Contains(l.mail.Text, "It is solved.") {
			t.Errorf("no words in\n%s", l.mail.Text)
		}
		w.take(ticket.Notification, agent)
		if n := w.left(integrator); n != 0 {
			t.Errorf("%d mails to the writer", n)
		}
	})
}

func TestHearNobody(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		tk, _, _ := w.solved("")
		if h := w.hear(tk, agent, ticket.Approve, ""); h != Nothing {
			t.Errorf("an agent was heard %q", h)
		}
		w.update(func(tx *store.Tx) error {
			_, err := tx.AddParty(store.Party{TicketID: tk.ID, Role: ticket.Follower, Address: "friend@customer.example"})
			return err
		})
		if h := w.hear(tk, "friend@customer.example", ticket.Refuse, ""); h != Nothing {
			t.Errorf("a follower was heard %q", h)
		}
		w.ticket(tk.ID, ticket.Resolved)
		if _, err := w.f.Hear(ctx, Word{Link: strings.Repeat("0", 40), Act: ticket.Approve}); err == nil {
			t.Error("a link that never was")
		}
	})
}
