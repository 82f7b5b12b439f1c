package mailflow

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// named prints commands as "name(arg)"; an unknown one is "?".
func named(cmds []command) string {
	var out []string
	for _, c := range cmds {
		name := c.name
		if name == "" {
			name = "?"
		}
		if c.arg != "" {
			name += "(" + c.arg + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestParseCommands(t *testing.T) {
	check := func(text, want, words string) {
		t.Helper()
		cmds, below := parseCommands(text)
		if got := named(cmds); got != want || below != words {
			t.Errorf("%q: %s / %q, want %s / %q", text, got, below, want, words)
		}
	}
	check("", "", "")
	check("hello", "", "hello")
	check("#take", "take", "")
	check("#take\nhello", "take", "hello")
	check("\n\n  #Take  \n\n\n#RESOLVE\n\nhello\n#close\n", "take resolve", "hello\n#close")
	check("#take\r\n\r\n#close\r\n\r\nbye\r\n", "take close", "bye")
	check("hello\n#close", "", "hello\n#close")
	check("# ls\n#close", "", "# ls\n#close")
	check("#", "", "#")
	check("##close", "", "##close")
	check("#1\n#close", "", "#1\n#close")
	check("#!/bin/sh", "", "#!/bin/sh")
	check("#-note", "", "#-note")
	check("#include <stdio.h>", "?(<stdio.h>)", "")
	check("#define", "?", "")
	check("#tomorrow\n#close", "? close", "")
	check("#assign second", "assign(second)", "")
	check("#assign:\tSecond agent ", "assign(Second agent)", "")
	check("#note: he owes us", "note(he owes us)", "")
	check("#customer a@b.example\n#cc c@d.example, e@f.example\nhi", "customer(a@b.example) cc(c@d.example, e@f.example)", "hi")
	// French.
	check("#valider", "validate", "")
	check("#REJETER trop tard", "reject(trop tard)", "")
	check("#résoudre\n#Résoudre\n#RESOUDRE", "resolve resolve resolve", "")
	check("#clôturer\n#cloturer\n#clore\n#fermer", "close close close close", "")
	check("#prendre\n#attribuer x\n#assigner x\n#rouvrir\n#accepter\n#séparer\n#client a@b\n#copie a@b\n#aide",
		"take assign(x) assign(x) reopen accept split customer(a@b) cc(a@b) help", "")
	// Whatever begins with # and a letter is a command, and never words for a
	// customer: a note that was meant for agents must not leave.
	check("#note\u00a0he owes us", "note(he owes us)", "")
	check("\u00a0#note\u202fhe owes us", "note(he owes us)", "")
	check("#note, he owes us", "?(he owes us)", "")
	check("#close.", "?", "")
	check("#note-he owes us", "?(owes us)", "")
	check("#note(he owes us)", "?(owes us))", "")
	check("#été 2026", "?(2026)", "")
	check("#заметка x", "?(x)", "")
	check("#re\u0301soudre", "?", "")
}

// No line that begins with # and a letter is ever among the first words.
func TestParseCommandsProperty(t *testing.T) {
	piece := rapid.OneOf(rapid.SampledFrom([]string{"#note", "#close", "#", "\n", " ", "\u00a0", ":", ".", "x", "é", "\u200b", "#x"}), rapid.StringN(0, 3, -1))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "text"), "")
		cmds, words := parseCommands(text)
		first, _, _ := strings.Cut(words, "\n")
		if commandLetter(first) {
			t.Fatalf("%q: %s / %q", text, named(cmds), words)
		}
		if again, rest := parseCommands(words); len(again) > 0 || rest != words {
			t.Fatalf("%q: %q is cut again: %s", text, words, named(again))
		}
	})
}

func commandLetter(line string) bool {
	after, ok := strings.CutPrefix(line, "#")
	return ok && strings.IndexFunc(after, func(r rune) bool { return r >= 'a' && r <= 'z' || r == 'é' }) == 0
}

func TestSpokenWords(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		cmds, below := parseCommands(text)
		if got := spokenWords(cmds, below); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	check("#close", "")
	check("#close\nbye", "bye")
	check("#close see you", "see you")
	check("#reject not ours\nask Bob", "not ours\n\nask Bob")
	check("#note one\n#resolve two\nthree", "one\n\ntwo\n\nthree")
	check("#accept fine\n#validate good\n#reopen again", "fine\n\ngood\n\nagain")
	check("#assign second\n#cc a@b.example\n#customer a@b.example\nhello", "hello")
}

func TestFindAgent(t *testing.T) {
	s := testSettings()
	s.Agents = append(s.Agents, Agent{Address: "anna@desk.example", Name: "Anna", Desks: []string{"support"}},
		Agent{Address: "annabel@desk.example", Name: "Bel", Desks: []string{"support"}})
	check := func(who, desk, want string) {
		t.Helper()
		got := ""
		if a := s.findAgent(who, desk); a != nil {
			got = a.Address
		}
		if got != want {
			t.Errorf("%q on %s: %q, want %q", who, desk, got, want)
		}
	}
	check("second", "support", second)
	check(" SECOND agent ", "support", second)
	check("Second@Desk.Example", "support", second)
	check("f", "support", agent)
	check("anna", "support", "anna@desk.example") // exactly a name
	check("annab", "support", "annabel@desk.example")
	check("ann", "support", "")
	check("bel", "support", "annabel@desk.example")
	check("second", "sales", "")
	check("a", "sales", agent)
	check("", "support", "")
	check("agent@desk.example.org", "support", "")
	check("nobody", "support", "")
}

// A mail program may quote without a mark and without our line. What we wrote
// is not the agent's word all the same: neither of a mail that was sent at
// once, of which nothing is kept, nor of one that was deferred.
func TestRepeatedWithoutMark(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
			w := newWorld(t, d)
			w.mail(ada, desk, "Subject: Router\n\nThe router in room 12 on the second floor has been dead since Monday.\nPlease send somebody who knows it.")
			w.process()
			if deferred {
				w.deferAll()
			}
			w.run()
			note := w.take(ticket.Notification, agent)
			var ours []string
			for line := range strings.Lines(note.mail.Text) {
				if !strings.Contains(line, " —") {
					ours = append(ours, line)
				}
			}
			w.submit(agent, note.mail.ReplyTo[0].Address, "Subject: Re: Router\nIn-Reply-To: "+note.mail.MessageID+
				"\n\nA technician comes tomorrow.\n\n"+strings.Join(ours, ""))
			w.run()
			all := w.messages(w.tickets()[0].ID, store.Public)
			if got := all[len(all)-1].Words; len(all) != 2 || got != "A technician comes tomorrow." {
				t.Errorf("deferred %v: %d messages, the last says %q", deferred, len(all), got)
			}
		})
	}
}

// What stood in our mail is not the agent's word either when it would no longer
// stand there: of somebody who was removed since, and of a ticket that was
// merged since, whose mails bear a line of their own.
func TestRepeatedOfBefore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.submit(ada, desk, "Subject: Line\n\nThe line is dead since this morning.")
		w.run()
		first := w.take(ticket.Notification, agent)
		w.forget()
		w.act(first, agent, "#cc carol@other.example")
		w.run()
		w.submit(ada, first.mail.ReplyTo[0].Address, "Subject: Line\n\nIt is still dead.")
		w.run()
		var note *letter
		for _, l := range w.sent {
			if l.row.Recipient == agent && strings.Contains(l.mail.Text, "Also on it") {
				note = l
			}
		}
		if note == nil {
			t.Fatal("no notification names carol")
		}
		w.act(first, agent, "#uncc carol@other.example")
		w.run()
		words := func() string {
			all := w.messages(w.tickets()[0].ID, store.Public)
			return all[len(all)-1].Words
		}
		bare := strings.ReplaceAll(note.mail.Text, " —", "")
		w.submit(agent, note.mail.ReplyTo[0].Address, "Subject: Re: Line\nIn-Reply-To: "+note.mail.MessageID+"\n\nWe look into it.\n\n"+bare)
		w.run()
		if got := words(); strings.Contains(got, "carol") {
			t.Errorf("of somebody who was removed:\n%s", got)
		}

		w.submit(ada, desk, "Subject: Another\n\nThe other line is dead as well.")
		w.run()
		w.forget()
		w.act(note, agent, "#merge "+w.tickets()[1].Number)
		w.run()
		w.submit(agent, note.mail.ReplyTo[0].Address, "Subject: Re: Line\nIn-Reply-To: "+note.mail.MessageID+"\n\nBoth work again.\n\n"+
			strings.Replace(note.mail.Text, "assigned to nobody", "assigned to one who has left the desk since", 1))
		w.run()
		all := w.messages(w.tickets()[1].ID, store.Public)
		if got := all[len(all)-1].Words; got != "Both work again." {
			t.Errorf("of a ticket that was merged:\n%s", got)
		}
	})
}

// A command is the agent's though all its words stand in our mail in a row; a
// line of our mail that looks like one is not, wrapped anew or not.
func TestCommandOfKnownWords(t *testing.T) {
	f := fuzzFlow()
	const ours = "Also on it: carol@other.example (customer), bob@other.example (follower)\n\n> #close this ticket\n> since it works now\n> #reject all of them at once\n"
	for text, want := range map[string]string{
		"#customer bob@other.example\n\nHello Bob.":                  "#customer bob@other.example\n\nHello Bob.",
		"#reject\n\nHello Bob.":                                      "#reject\n\nHello Bob.",
		"#close this ticket since it works now\n\nHello.":            "Hello.",
		"#reject all\nof them at once\n#assign second\n\nHello Bob.": "#assign second\n\nHello Bob.",
	} {
		if got := f.agentWords(&incoming{mail: &rfc822.Mail{Text: text}, ours: ours}, 1); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// deferAll has each mail that is due tried once, in vain: it is kept, and
// leaves again as it was.
func (w *world) deferAll() {
	w.t.Helper()
	var tried []store.Outbox
	for _, l := range w.leased() {
		o := l.Row
		w.must(w.f.ComposeLent(ctx, &o, l))
		o.State, o.Tries, o.Due = store.Queued, 1, w.now()
		tried = append(tried, o)
	}
	w.must(w.f.Settle(ctx, tried))
	w.pass(time.Minute)
	for _, o := range tried {
		again := store.Outbox{ID: o.ID, MailID: o.MailID}
		w.must(w.f.Compose(ctx, &again))
		if !bytes.Equal(again.Header, o.Header) || !bytes.Equal(again.Body, o.Body) || again.Sender != o.Sender {
			w.t.Errorf("the next try of %s to %s is another mail:\n%s\nthe first was:\n%s", o.Kind, o.Recipient, again.Header, o.Header)
		}
	}
}
