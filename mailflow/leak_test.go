package mailflow

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
	"guichet/templates"
)

func TestContainsAddress(t *testing.T) {
	check := func(text string, want bool) {
		t.Helper()
		if got := containsAddress(text, agent); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	check(agent, true)
	check("write to agent@desk.example", true)
	check("write to agent@desk.example.", true)
	check("agent@desk.example, or call", true)
	check("<agent@desk.example>", true)
	check("mailto:agent@desk.example?subject=x", true)
	check("agent@desk.example...", true)
	check("agent@desk.example -", true)
	check("agent@desk.example-", true)
	check("-agent@desk.example", true)
	check("_agent@desk.example_", true)
	check("“agent@desk.example”", true)
	check("«\u00a0agent@desk.example\u00a0»", true)
	check("agent@desk.example\u2014or call", true)
	check("请联系agent@desk.example谢谢", true)
	check("xagent@desk.example agent@desk.example", true)
	check("write to Agent@DESK.example.", true)
	check("XAGENT@desk.example", false)
	check("xagent@desk.example", false)
	check("my.agent@desk.example", false)
	check("my-agent@desk.example", false)
	check("agent@desk.example.org", false)
	check("agent@desk.example-mail.org", false)
	check("agent@desk.examples", false)
	check("agent@desk", false)
	check("agent@desk.exampleagent@desk.example", true)
	check("xagent@desk.exampleagent@desk.examplex", false)
	check("", false)
}

// Looking around each @ finds what looking for the address in lower case finds.
func TestContainsAddressProperty(t *testing.T) {
	slow := func(text, address string) bool {
		for rest := strings.ToLower(text); ; {
			before, after, ok := strings.Cut(rest, address)
			if !ok {
				return false
			}
			if whole(before, after) {
				return true
			}
			rest = after
		}
	}
	piece := rapid.SampledFrom([]string{agent, "AGENT@Desk.example", "agent", "@", "@desk.example", "x", "X", ".", "-", "_", " ", "é", "7"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		for _, address := range []string{agent, "@", "agent@", "@desk.example"} {
			if want := slow(text, address); containsAddress(text, address) != want {
				t.Fatalf("%q in %q: want %v", address, text, want)
			}
		}
	})
}

// The scan finds what the expression that it stands for finds.
func TestLongWordsProperty(t *testing.T) {
	slow := regexp.MustCompile(`\b\w{32,}\b`)
	piece := rapid.SampledFrom([]string{someToken, strings.ToUpper(someToken), someToken[:31], someToken[:16], "a", "Z", "2", "8", "_", "-", "@", "é", "ſ", "\n", "[", "`", "{"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		want := slow.FindAllString(text, -1)
		var got []string
		for begin, end := range longWords(text) {
			got = append(got, text[begin:end])
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}

func TestLeaksNote(t *testing.T) {
	check := func(text, note string, want bool) {
		t.Helper()
		if got := leaksNote(foldSpace(text), note); got != want {
			t.Errorf("%q of %q: %v", note, text, got)
		}
	}
	const note = "He has not paid the last invoice.\nAsk Bob."
	check("Hello,\nHe has not paid the last invoice. Bye", note, true)
	check("Hello, he HAS not\n> paid the last\n> invoice.", note, true)
	check("he has not paid the last invoice", note, false)
	check("Ask Bob.", note, false) // short lines stand in many a text
	check("Please ask bob. now", "Ask Bob.", true)
	check("ok", "ok", false)
	check("anything", "", false)
	check("> We have answered you already", "> We have answered you already\nyes", false)
}

// bobs is an update to bob with an agent's words.
func bobs(words string) *draft {
	desk := &testSettings().Desks[0]
	parties := []store.Party{
		{Ordinal: 1, Role: ticket.Customer, Address: ada, Link: strings.Repeat("a1", 20)},
		{Ordinal: 2, Role: ticket.Agent, Address: agent, Link: strings.Repeat("b2", 20)},
		{Ordinal: 3, Role: ticket.Follower, Address: "bob@other.example", Link: strings.Repeat("c3", 20)},
	}
	return &draft{row: store.Outbox{ID: 7, TicketID: 1, Party: 3, Kind: ticket.Update, Recipient: "bob@other.example"},
		args: args{Message: 5, Words: true, State: ticket.Open}, desk: desk, lang: "en", parties: parties, party: parties[2],
		ticket:  ticket.Ticket{ID: 1, Number: "INC-000001", Subject: "Router", State: ticket.Open},
		message: store.Message{ID: 5, Role: ticket.Agent, Address: agent, Words: words},
		notes:   []string{"He has not paid\nthe invoice of last September at all."}}
}

// leakWorld is a Flow without a store, which composing a draft needs not.
func leakWorld(t *testing.T) *Flow { return newWorld(t, storetest.SQLite(t)).f }

func render(t interface{ Fatal(...any) }, f *Flow, dr *draft) templates.Rendered {
	r, err := f.Templates.Load().Mail(dr.row.Kind, dr.lang, f.data(dr))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLeak(t *testing.T) {
	f := leakWorld(t)
	check := func(want, words string, change ...func(*draft)) {
		t.Helper()
		dr := bobs(words)
		for _, c := range change {
			c(dr)
		}
		if got := f.leak(dr, render(t, f, dr)); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
	adas, agents := testKeys.Reply(1, 1), testKeys.Reply(1, 2)
	check("", "We have reset the line.")
	check("address of an agent", "Write to AGENT@desk.example!")
	check("address of an agent", "Écrivez à «\u00a0second@desk.example\u00a0».")
	check("reply address", "support+"+agents+"@desk.example")
	check("reply address", "SUPPORT+"+strings.ToUpper(adas)+"@DESK.EXAMPLE")
	check("reply address", testKeys.Reply(2, 3))
	check("reply address", testKeys.Outbox(ticket.ForConfirm, 8))
	check("", testKeys.Reply(1, 3)+" "+testKeys.Outbox(ticket.ForMessage, 7))
	check("", "support+"+someToken+"@desk.example")
	check("link of somebody else", "http://desk.example/t/"+strings.Repeat("a1", 20))
	check("link of somebody else", "HTTP://DESK.EXAMPLE/T/"+strings.Repeat("B2", 20))
	check("", "http://desk.example/t/"+strings.Repeat("c3", 20))
	check("words of a note", "Well: the invoice\n> of last   september at ALL.")
	// What a party has written, or was shown, is no secret.
	check("", "Write to agent@desk.example", func(d *draft) { d.public = []string{"I know agent@desk.example"} })
	check("", "Write to agent@desk.example", func(d *draft) { d.message.Role, d.message.Address = ticket.Customer, ada })
	check("address of an agent", "Write to agent@desk.example", func(d *draft) { d.public = []string{"I know second@desk.example"} })
	check("", "the invoice of last September at all.", func(d *draft) { d.public = []string{"You mean the invoice of last September at all."} })
	// Mails to agents show what they will.
	check("", "agent@desk.example "+adas, func(d *draft) { d.party, d.row.Party = d.parties[1], 2 })
	// What was said before counts as well.
	check("address of an agent", "Hello", func(d *draft) {
		d.history = []store.Message{{Role: ticket.Agent, Words: "agent@desk.example", Party: 2}}
	})
}

func TestWithoutSecrets(t *testing.T) {
	f := leakWorld(t)
	check := func(words, want string) {
		t.Helper()
		if got := f.withoutSecrets(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
	token, link := testKeys.Reply(1, 1), "http://desk.example/t/"+strings.Repeat("a1", 20)
	check("To: support+"+token+"@desk.example", "To: support+…@desk.example")
	check("To: SUPPORT+"+strings.ToUpper(token)+"@DESK.EXAMPLE", "To: SUPPORT+…@DESK.EXAMPLE")
	check("<"+testKeys.Outbox(ticket.ForMessage, 7)+"@desk.example>", "<…@desk.example>")
	check("see "+link+" and "+link+"/file/1/2", "see http://desk.example/ and http://desk.example/")
	check("<a href=\""+link+"\">x</a>", "<a href=\"http://desk.example/\">x</a>")
	check("support+"+someToken+"@desk.example", "support+"+someToken+"@desk.example")
	check("http://evil.example/t/"+strings.Repeat("a1", 20), "http://evil.example/t/"+strings.Repeat("a1", 20))
	check("nothing", "nothing")
}

// Whatever an agent writes: a mail that is let go shows none of the secrets,
// in whatever letter case and wherever the lines break.
func TestLeakProperty(t *testing.T) {
	f := leakWorld(t)
	secrets := []string{agent, second, testKeys.Reply(1, 1), testKeys.Reply(1, 2), testKeys.Outbox(ticket.ForConfirm, 9),
		"http://desk.example/t/" + strings.Repeat("a1", 20), "the invoice of last September at all."}
	marks := rapid.SampledFrom([]string{" ", "\n", "\n\n", "«", "”", "\u00a0", "—", "*", "`", "<b>", "</b>", "<", ">", "\n> ", "\n| ", "(", ")", ":", ",",
		"&", "#", "\u200b", "\u202e", "\u2066", "\t", "\r\n", "[x](", "![", "{{.}}", "\\", "\"", "'", "…", "·", "请", "é ", "\n1. ", "\n- ", "\n# "})
	words := rapid.OneOf(marks, rapid.SampledFrom([]string{"hello ", "see ", "http://a.example/ ", "bob@other.example "}))
	spelled := rapid.Custom(func(t *rapid.T) string {
		s := []rune(rapid.SampledFrom(secrets).Draw(t, "secret"))
		for i := range s {
			switch rapid.IntRange(0, 9).Draw(t, "how") {
			case 0, 1, 2:
				s[i] = unicode.ToUpper(s[i])
			case 3:
				if s[i] == ' ' {
					s[i] = '\n'
				}
			}
		}
		return marks.Draw(t, "before") + string(s) + marks.Draw(t, "after")
	})
	rapid.Check(t, func(t *rapid.T) {
		dr := bobs(strings.Join(rapid.SliceOfN(words, 0, 8).Draw(t, "above"), "") + spelled.Draw(t, "secret") +
			strings.Join(rapid.SliceOfN(words, 0, 8).Draw(t, "below"), ""))
		dr.lang = rapid.SampledFrom([]string{"en", "fr"}).Draw(t, "lang")
		dr.row.Kind = rapid.SampledFrom([]ticket.Kind{ticket.Update, ticket.Opened, ticket.ClosureRequest, ticket.ClosedMail, ticket.Reopened, ticket.RejectedMail}).Draw(t, "kind")
		r := render(t, f, dr)
		if f.leak(dr, r) != "" {
			return
		}
		shown := strings.ToLower(r.Subject + "\n" + r.Text + "\n" + html.UnescapeString(r.HTML))
		for _, s := range secrets {
			if strings.Contains(shown, strings.ToLower(s)) || strings.Contains(foldSpace(shown), strings.ToLower(s)) {
				t.Fatalf("%q is let go with %q:\n%s", dr.message.Words, s, r.Text)
			}
		}
	})
}

// What a reader has read is looked up in the store before a mail is held.
func TestKnownIsNoLeak(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.change(func(s *Settings) { s.Agents[1].Desks = nil })
	w.submit(ada, desk, "Subject: Line\n\nI have spoken to agent@desk.example.")
	w.run()
	n := w.take(ticket.Notification, agent)
	w.forget()
	w.act(n, agent, "Yes, that was agent@desk.example.")
	w.run()
	if w.left(ada) != 1 {
		t.Errorf("%d mails with an address that she knows, want 1", w.left(ada))
	}
	w.forget()
	w.act(n, agent, "Or ask second@desk.example.")
	w.run()
	if w.left(ada) != 0 {
		t.Errorf("%d mails with an address that she does not know", w.left(ada))
	}
	w.view(func(tx *store.Tx) error {
		held, err := tx.OutboxPage(store.HeldOut, 0, 9)
		if len(held) != 1 || !strings.Contains(held[0].Reply, "address of an agent") {
			t.Errorf("held: %+v", held)
		}
		return err
	})
}

// What somebody has let go leaves again as it was when it comes back and is
// tried once more, and it is no answer to itself.
func TestReleasedComesBack(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.submit(ada, desk, "Subject: Line\n\nIt is dead.")
	w.run()
	n := w.take(ticket.Notification, agent)
	ack := w.take(ticket.Acknowledgment, ada)
	w.act(n, agent, "Ask second@desk.example.")
	w.run()
	held := w.outbox(store.HeldOut)
	w.update(func(tx *store.Tx) error { _, err := Release(tx, held[0].ID); return err })
	w.run()
	answer := w.take(ticket.Update, ada)
	w.report(answer, "failed")
	w.update(func(tx *store.Tx) error {
		ok, err := tx.SetOutbox(answer.row.ID, store.Queued, store.FailedOut)
		if !ok {
			t.Error("it did not fail")
		}
		return err
	})
	w.run()
	again := w.take(ticket.Update, ada)
	if again.mail.MessageID != answer.mail.MessageID || fmt.Sprint(again.mail.InReplyTo) != fmt.Sprint(answer.mail.InReplyTo) ||
		fmt.Sprint(again.mail.References) != fmt.Sprint(answer.mail.References) || slices.Contains(again.mail.References, again.mail.MessageID) {
		t.Errorf("again: %s, answers %s of %s; the acknowledgment was %s", again.mail.MessageID, again.mail.InReplyTo, again.mail.References, ack.mail.MessageID)
	}
}

// Notes are looked up, too.
func TestNoteIsHeld(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.submit(ada, desk, "Subject: Line\n\nIt is dead.")
	w.run()
	n := w.take(ticket.Notification, agent)
	w.act(n, agent, "#note\nShe has not paid the last three invoices.")
	w.run()
	w.forget()
	w.act(n, agent, "Hello,\n\nshe has not paid the last three invoices.")
	w.run()
	if w.left(ada) != 0 {
		t.Errorf("%d mails with words of a note", w.left(ada))
	}
}
