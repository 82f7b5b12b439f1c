package mailflow

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// machines are what a proxy between two gateways takes away, so that only the
// mails themselves can show a loop.
var machines = []string{"Auto-Submitted", "X-Auto-Response-Suppress", "X-Guichet-Kind", "X-Guichet-Ticket", "Precedence"}

// stripped is a mail without the marks of a machine, and without more fields.
func stripped(raw []byte, more ...string) string {
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var out strings.Builder
	drop := false
	for _, line := range strings.Split(string(head), "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if line[0] != ' ' && line[0] != '\t' {
			drop = false
			for _, m := range append(machines, more...) {
				drop = drop || strings.EqualFold(name, m)
			}
		}
		if !drop {
			out.WriteString(line + "\n")
		}
	}
	return out.String() + "\n" + strings.ReplaceAll(string(body), "\r\n", "\n")
}

// otherHouse makes a world the gateway of another house.
func (w *world) otherHouse() {
	w.change(func(s *Settings) {
		s.Hostname, s.BaseURL = "help.example", "http://help.example"
		s.Desks = s.Desks[:1:1]
		s.Desks[0].Address, s.Desks[0].Reply, s.Desks[0].Number = "help@help.example", "help+{token}@help.example", "H-%d"
		s.Agents = []Agent{{Address: "agent@help.example", Desks: []string{"support"}}}
	})
	w.f.Keys = ticket.Keyring{{ID: 1, Secret: []byte("another key, also of 32 octets..")}}
	w.r.Keys = w.f.Keys
}

// Two gateways that see nothing of each other's marks end by themselves.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"bare": nil, "unthreaded": {"In-Reply-To", "References"}, "to From": {"Reply-To"}} {
		t.Run(name, func(t *testing.T) {
			storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
				a, b := newWorld(t, d), newWorld(t, storetest.SQLite(t))
				b.otherHouse()
				a.mail("help@help.example", desk, "Subject: Seed\n\nHello?")
				fromA, fromB := 0, 0
				for range 60 {
					fromA += a.pass1(b, "help", more)
					fromB += b.pass1(a, "support", more)
				}
				t.Logf("%d and %d mails, %d and %d tickets", fromA, fromB, len(a.tickets()), len(b.tickets()))
				if na, nb := len(a.tickets()), len(b.tickets()); fromA > 5 || fromB > 5 || fromA == 0 || na+nb > 2 && len(more) < 2 || na > 2 || nb > 2 {
					t.Errorf("%d and %d mails, %d and %d tickets", fromA, fromB, na, nb)
				}
			})
		})
	}
}

// pass1 lets a gateway work for twenty seconds and hands what it wrote to an
// address of the other to that one.
func (w *world) pass1(to *world, local string, more []string) (n int) {
	w.t.Helper()
	w.run()
	for _, l := range w.sent {
		if who, _, _ := strings.Cut(l.row.Recipient, "@"); who == local {
			n++
			to.deliver(Envelope{Listener: "smtp", Client: "192.0.2.9", From: l.row.Sender, Recipients: []string{l.row.Recipient}},
				"Received: from a by b\n"+stripped(l.raw, more...))
		}
	}
	w.forget()
	w.pass(20 * time.Second)
	return n
}

// A machine that answers each of our mails, under a number of its own and
// without any reference, hears no more of us after its fifth answer, on that
// ticket and on those that its answers began; the day after it is answered
// again. Others are answered all the time.
func TestMachineAnswers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const machine = "tickets@partner.example"
		reply := func(l *letter, i int) {
			w.mail(machine, l.mail.ReplyTo[0].Address, fmt.Sprintf("Subject: Your request %d is registered\n\nThank you. Your number is %d.", 7000+i, 7000+i))
		}
		w.mail(machine, desk, "Your order")
		w.run()
		got := 0
		for i := range 30 {
			n := 0
			for _, l := range w.sent {
				if l.row.Recipient == machine {
					n++
					reply(l, i)
				}
			}
			got += n
			w.pass(25 * time.Second) // too slow for those who count new tickets
			w.forgetBut(agent)
			w.run()
			if n == 0 {
				break
			}
		}
		if got != loopMails {
			t.Errorf("the machine got %d mails, want %d", got, loopMails)
		}
		if n := w.count(ticket.Notification, "loop"); n != 1 {
			t.Errorf("the agents heard %d times of the loop", n)
		}
		var notes []*letter // of the tickets that the machine's answers began
		for _, l := range w.sent {
			if l.row.Kind == ticket.Notification && argsOf(l.row).Event == "loop" {
				notes = append(notes, l)
			}
		}
		w.forget()
		w.mail(ada, desk, "Router")
		w.run()
		w.take(ticket.Acknowledgment, ada)
		if n := len(w.tickets()); n != loopMails+2 {
			t.Errorf("%d tickets", n)
		}
		// An agent's act is told all the same; the answer to the machine's No
		// only once the day is over.
		for i, want := range []int{0, 1} {
			w.pass(time.Duration(i) * day)
			w.act(notes[len(notes)-1], agent, "#resolve\nDone.")
			w.run()
			ask := w.take(ticket.ClosureRequest, machine)
			w.pass(time.Hour)
			w.answer(ask, machine, "No, it does not work.")
			w.run()
			if n := w.count(ticket.Reopened, ""); n != want {
				t.Errorf("%d mails that it is open again, want %d", n, want)
			}
		}
		w.forget()
		w.mail(machine, desk, "Subject: Our printers\n\nAnother matter.")
		w.run()
		w.take(ticket.Acknowledgment, machine)
	})
}

func (w *world) forgetBut(reader string) {
	rest := w.sent[:0:0]
	for _, l := range w.sent {
		if l.row.Recipient == reader {
			rest = append(rest, l)
		}
	}
	w.sent = rest
}

// two opens a ticket of two parties.
func (w *world) two(bob string) (tk ticket.Ticket) {
	w.t.Helper()
	w.change(func(s *Settings) { s.TrustedNetworks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	w.submit(ada, desk, "Subject: Router\nCc: "+bob+"\n\nIt is broken.")
	w.run()
	return w.ticket(w.take(ticket.Acknowledgment, ada).row.TicketID, "")
}

// talk lets two parties answer whatever they are sent, a minute later.
func (w *world) talk(bob string, rounds int, words func(from string, i int) string) (mails int) {
	w.t.Helper()
	for i := range rounds {
		sent := w.sent
		w.forget()
		w.pass(time.Minute)
		for _, l := range sent {
			if who := l.row.Recipient; who == ada || who == bob {
				mails++
				w.answer(l, who, words(who, i))
			}
		}
		w.run()
	}
	return mails
}

// Two machines that are parties of one ticket and answer each other's words
// through us end; what is left of them waits in the outbox.
func TestMachinesOnOneTicket(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const bob = "system@partner.example"
		w.two(bob)
		var sent []*letter
		sent = append(sent, w.sent...)
		loops := 0
		w.answerFirst(sent, bob, "Ticket 1 of ours is updated.")
		mails := w.talk(bob, 40, func(from string, i int) string {
			for _, l := range w.sent {
				if l.row.Kind == ticket.Notification && argsOf(l.row).Event == "loop" {
					loops++
				}
			}
			return fmt.Sprintf("Ticket %d of ours is updated.", i)
		})
		if mails > 3*loopMails {
			t.Errorf("%d mails", mails)
		}
		held := w.outbox(store.HeldOut)
		if len(held) == 0 || held[0].Reply != loopReason || held[0].Kind != ticket.Update {
			t.Errorf("held: %+v", held)
		}
	})
}

func (w *world) answerFirst(sent []*letter, from, text string) {
	w.t.Helper()
	for _, l := range sent {
		if l.row.Recipient == from {
			w.answer(l, from, text)
			w.run()
			return
		}
	}
	w.t.Fatalf("no mail to %s", from)
}

// Two people who talk fast by one ticket are no machines.
func TestTwoPeopleTalk(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const bob = "bob@customer.example"
		w.two(bob)
		w.answerFirst(w.sent, bob, "Which router?")
		if mails := w.talk(bob, 20, func(from string, i int) string { return fmt.Sprintf("Have you tried the %c socket?", 'a'+i) }); mails < 20 {
			t.Errorf("%d mails", mails)
		}
		if held := w.outbox(store.HeldOut); len(held) != 0 || w.count(ticket.Notification, "loop") != 0 {
			t.Errorf("held: %+v", held)
		}
	})
}
