package mailflow

import (
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
	"guichet/templates"
)

func TestTopic(t *testing.T) {
	check := func(subject, want string) {
		t.Helper()
		if got := topic(subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
		if !sameTopic(subject, want) {
			t.Errorf("%q is not the topic of %q", want, subject)
		}
	}
	check("", "")
	check("Router", "router")
	check("RE: Router", "router")
	check("Re: re : AW: Fwd: WG: Router", "router")
	check("Re[2]: Router", "router")
	check("Re(3): Router", "router")
	check("Rép : TR: Routeur en panne", "routeur en panne")
	check("Re: Router [#INC-000001]", "router")
	check("[#INC-000001] Re: Router", "router")
	check("Re: [#INC-000001] Re: [#SAL-00002]  Router  ", "router")
	check("Réf : Antw: SV: VS: RV: Router", "router")
	check("[team] Router", "[team] router")
	check("Rebooting: Router", "rebooting: router")
	check("Recall: Router", "recall: router")
	check("Re:", "")
	check("Re: [#]", "[#]")
	check("[#"+strings.Repeat("x", 81)+"]", "[#"+strings.Repeat("x", 81)+"]")
}

func TestNumberIn(t *testing.T) {
	s := testSettings()
	s.Desks = append(s.Desks, Desk{Key: "a", Number: "2026-%d/x"}, Desk{Key: "b", Number: "%05d"}, Desk{Key: "c", Number: "100%%-%d"}, Desk{Key: "d", Number: "É-%d"})
	var settings atomic.Pointer[Settings]
	settings.Store(s)
	f := &Flow{Settings: &settings}
	check := func(subject, want string) {
		t.Helper()
		if got := f.numberIn(subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
	check("Re: Router [#INC-000001]", "INC-000001")
	check("[#inc-000001]", "INC-000001")
	check("[#SAL-00012] x [#INC-000001]", "SAL-00012")
	check("[#NO-1] [#INC-000001]", "INC-000001")
	check("[#2026-7/X]", "2026-7/x")
	check("[#00042]", "00042")
	check("[#100%-3]", "100%-3")
	check("[#é-3]", "É-3")
	check("[[#INC-000001]]", "INC-000001")
	// What names none.
	check("INC-000001", "")
	check("[INC-000001]", "")
	check("[#INC-000001", "")
	check("[# INC-000001]", "")
	check("[#INC-000001 ]", "")
	check("[#INC-]", "")
	check("[#INC--1]", "")
	check("[#INC-1-2]", "")
	check("[#INC-0x1]", "")
	check("[#INC-١٢]", "")
	check("[#INC-%06d]", "")
	check("[#INC-0000000000000001]", "")
	check("[#INC-1' OR 1=1 --]", "")
	check("[#]", "")
	check("[#\x80\xff]", "")
	check("[#É]", "")
	check("[#İNC-000001]", "")
	check(strings.Repeat("[#x]", 16)+"[#INC-000001]", "")
	check("", "")
}

func TestNumberInProperty(t *testing.T) {
	var settings atomic.Pointer[Settings]
	settings.Store(testSettings())
	f := &Flow{Settings: &settings}
	piece := rapid.OneOf(rapid.SampledFrom([]string{"[#", "]", "INC-", "SAL-", "0", "12", "\u212a", "ſal-", "é"}), rapid.StringN(0, 3, -1))
	rapid.Check(t, func(t *rapid.T) {
		subject := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "subject"), "")
		if n := f.numberIn(subject); n != "" && (!strings.HasPrefix(n, "INC-") && !strings.HasPrefix(n, "SAL-") || strings.Trim(n[4:], "0123456789") != "") {
			t.Fatalf("%q names %q", subject, n)
		}
		topic(subject)
	})
}

// twoTickets gives ada and bob a ticket each, and the first acknowledgments.
func twoTickets(t *testing.T) (w *world, a, b *letter) {
	w = newWorld(t, storetest.SQLite(t))
	w.mail(ada, desk, "Router")
	w.mail("bob@other.example", desk, "Printer")
	w.run()
	return w, w.take(ticket.Acknowledgment, ada), w.take(ticket.Acknowledgment, "bob@other.example")
}

// threaded is the ticket that a mail would join, 0 for none.
func (w *world) threaded(t interface{ Fatal(...any) }, raw string) (id int64) {
	in := &incoming{d: store.Delivery{Desk: "support"}, mail: rfc822.Parse([]byte(raw))}
	err := w.db.View(ctx, func(tx *store.Tx) error {
		th, err := w.f.thread(tx, in)
		id = th.ticket.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// One other character in a token address or in a Message-ID of ours, and the
// mail belongs to nothing. A token never leads to another ticket than its own.
func TestThreadFlippedTokens(t *testing.T) {
	w, a, b := twoTickets(t)
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	ids := map[string]int64{}
	for _, l := range []*letter{a, b} {
		local, _, _ := cutLast(l.mail.ReplyTo[0].Address)
		ids[strings.TrimPrefix(local, "support+")] = l.row.TicketID
	}
	for token, id := range ids {
		if got := w.threaded(t, "From: evil@evil.example\nTo: support+"+token+"@desk.example\nIn-Reply-To: <x@y>\n\nx"); got != id {
			t.Fatalf("the true token leads to %d, want %d", got, id)
		}
	}
	for _, l := range []*letter{a, b} {
		if got := w.threaded(t, "From: evil@evil.example\nIn-Reply-To: "+l.mail.MessageID+"\n\nx"); got != l.row.TicketID {
			t.Fatalf("the true id leads to %d, want %d", got, l.row.TicketID)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		l := rapid.SampledFrom([]*letter{a, b}).Draw(rt, "mail")
		token, _, _ := cutLast(strings.TrimPrefix(l.mail.ReplyTo[0].Address, "support+"))
		header := "To: support+%@desk.example\nIn-Reply-To: <x@y>"
		if rapid.Bool().Draw(rt, "id") {
			token, _, _ = cutLast(strings.Trim(l.mail.MessageID, "<>"))
			header = rapid.SampledFrom([]string{"In-Reply-To: <%@desk.example>", "References: <x@y> <%@desk.example>"}).Draw(rt, "header")
		}
		flipped := []byte(token)
		for range rapid.IntRange(1, 3).Draw(rt, "times") {
			at := rapid.IntRange(0, len(token)-1).Draw(rt, "at")
			flipped[at] = alphabet[rapid.IntRange(0, 31).Draw(rt, "to")]
		}
		if string(flipped) == token {
			return
		}
		from := rapid.SampledFrom([]string{ada, "bob@other.example", "evil@evil.example"}).Draw(rt, "from")
		raw := "From: " + from + "\n" + strings.ReplaceAll(header, "%", string(flipped)) + "\nSubject: x\n\nx"
		if id := w.threaded(rt, raw); id != 0 {
			rt.Fatalf("%s leads to ticket %d", raw, id)
		}
	})
}

// No piece of two tokens put together is a token, and where a mail bears the
// address of one ticket, the ids and the number of another change nothing.
func TestThreadOneTicketOnly(t *testing.T) {
	w, a, b := twoTickets(t)
	mine, theirs := a.mail.ReplyTo[0].Address, b.mail.ReplyTo[0].Address
	for i := range len(mine) {
		mixed := mine[:i] + theirs[i:]
		if mixed == mine || mixed == theirs {
			continue
		}
		if id := w.threaded(t, "From: "+ada+"\nTo: "+mixed+"\nIn-Reply-To: <x@y>\n\nx"); id != 0 {
			t.Errorf("%s leads to ticket %d", mixed, id)
		}
	}
	raw := "From: " + ada + "\nTo: " + mine + "\nSubject: Re: Printer [#INC-000002]\nIn-Reply-To: " + b.mail.MessageID + "\n\nx"
	if id := w.threaded(t, raw); id != a.row.TicketID {
		t.Errorf("the address of %d led to %d", a.row.TicketID, id)
	}
	w.answer(a, ada, "Still broken")
	w.run()
	if n := w.left("bob@other.example"); n != 0 || len(w.messages(b.row.TicketID, "")) != 1 {
		t.Errorf("%d mails to bob, %d messages on his ticket", n, len(w.messages(b.row.TicketID, "")))
	}
}

// A subject may be as long as a header: 256 KiB of marks cost more than a
// minute when they were taken off one at a time.
func TestTopicOfManyMarks(t *testing.T) {
	n := 64_000
	if testing.Short() {
		n /= 16 // under the race detector
	}
	for _, s := range []string{strings.Repeat("Re:", n), strings.Repeat("Re: ", n) + "x", strings.Repeat("[#a]", n), strings.Repeat("[#", 2*n) + "]"} {
		fuzztest.Cheap(t, func() { topic(s) })
		fuzztest.Cheap(t, func() { subjectFor(&rfc822.Mail{Subject: s}) })
		fuzztest.Cheap(t, func() { fuzzFlow().numberIn(s) })
		fuzztest.Cheap(t, func() { templates.CleanSubject(s) })
	}
	if got := topic("Re: AW:Re[2] : [#INC-000001] tr(3): Router"); got != "router" {
		t.Errorf("%q", got)
	}
}

// Who answers a mail of a ticket belongs to its conversation if he had that
// mail, or answers somebody who had; what many refer to and we never saw binds
// two mails only where they have a reader and the subject in common.
func TestThreadConversation(t *testing.T) { storetest.Each(t, testThreadConversation) }

func testThreadConversation(t *testing.T, d *storetest.Database) {
	w := newWorld(t, d)
	const list = "users@lists.example"
	w.mail(ada, desk, "Subject: Router\nMessage-ID: <router@customer.example>\nReferences: <circular@vendor.example>\nTo: "+desk+", "+list+"\n\nIt is dead")
	w.run()
	check := func(what, header string, class Class, joins bool) {
		t.Helper()
		in := &incoming{d: store.Delivery{Desk: "support"}, mail: rfc822.Parse([]byte(header + "\n\nx")), verdict: Verdict{Class: class}}
		w.view(func(tx *store.Tx) error {
			th, err := w.f.thread(tx, in)
			if (th.ticket.ID != 0) != joins {
				t.Errorf("%s: on ticket %d", what, th.ticket.ID)
			}
			return err
		})
	}
	const bob = "From: bob@other.example\n"
	check("answers on the list", bob+"To: "+list+"\nCc: "+desk+"\nIn-Reply-To: <router@customer.example>", ClassPerson, true)
	check("answers the writer", bob+"To: "+ada+"\nCc: "+desk+"\nReferences: <router@customer.example>\nSubject: Other", ClassPerson, true)
	check("answers us alone", bob+"To: "+desk+"\nReferences: <router@customer.example>\nSubject: Re: Router", ClassPerson, false)
	check("shares an agent with it", bob+"To: "+desk+", "+agent+"\nReferences: <router@customer.example>\nSubject: Re: Router", ClassPerson, false)
	check("the list's own", bob+"To: "+desk+"\nReferences: <router@customer.example>", ClassList, true)
	check("the list's, of what we never saw", bob+"To: "+desk+"\nReferences: <circular@vendor.example>", ClassList, false)
	check("the list's, of what a reader of it never sent us", bob+"To: "+list+"\nReferences: <circular@vendor.example>\nSubject: Printer", ClassList, true)
	check("the question that the answer overtook", bob+"To: "+list+"\nMessage-ID: <circular@vendor.example>", ClassPerson, true)
	check("answers the same circular to us", bob+"To: "+desk+"\nReferences: <circular@vendor.example>\nSubject: Re: Router", ClassPerson, false)
	check("answers it elsewhere", bob+"To: "+list+"\nReferences: <circular@vendor.example>\nSubject: Printer", ClassPerson, false)
	check("answers it on the list", bob+"To: "+list+"\nReferences: <circular@vendor.example>\nSubject: Re: Router", ClassPerson, true)
	// What a stranger says waits: no state changes and no party hears of it.
	w.forget()
	w.mail("bob@other.example", desk, "Subject: Re: Router\nReferences: <router@customer.example>\nCc: "+ada+"\n\nMine too")
	w.run()
	if all := w.tickets(); len(all) != 1 || all[0].State != ticket.New || all[0].Waiting != 1 || w.left(ada) != 0 {
		t.Errorf("tickets %+v, %d mails to the customer", all, w.left(ada))
	}
}

// Whose form is awaited joins, whatever the mail refers to: it would without
// any reference, too.
func TestThreadBeforeForm(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.change(func(s *Settings) { s.Desks[0].Policy.Intake = ticket.Form })
	w.mail(ada, desk, "Subject: Router\nMessage-ID: <router@customer.example>\nCc: bob@other.example\n\nIt is dead")
	w.mail("bob@other.example", desk, "Subject: Re: Router\nMessage-ID: <bob@other.example>\nReferences: <router@customer.example>\nCc: "+ada+"\n\nMine too")
	w.mail(ada, desk, "Subject: Re: Router\nReferences: <router@customer.example> <bob@other.example>\n\nSee")
	w.run()
	all := w.tickets()
	if len(all) != 1 || all[0].State != ticket.AwaitingForm || all[0].Waiting != 1 || len(w.messages(all[0].ID, store.Public)) != 2 {
		t.Errorf("%+v", all)
	}
}
