package ticket

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// letter is one copy of a mail, to one party.
type letter struct {
	kind   Kind
	to     int
	batch  int
	taken  bool
	failed bool
}

// world plays a ticket with its parties and the relay, as the mail flow does:
// it works out who can be reached and what became of each mail.
type world struct {
	*history
	t         *rapid.T
	reachable []bool // of each party
	letters   []*letter
	batch     int
	spoke     bool        // a party, since the agents last asked or resolved
	got       map[int]int // reminders since the parties were asked, by party
}

func newWorld(t *rapid.T) *world {
	p := drawPolicy(t, false)
	p.Approval = Assumed
	l := &world{history: &history{p: p, now: now}, t: t, reachable: []bool{true, true}, got: map[int]int{}}
	l.does(event("customer received"))
	return l
}

// fate is what became of the newest mail that waits for the parties.
func (l *world) fate() Fate {
	newest := -1
	for i, m := range l.letters {
		if m.kind != Update && m.kind != ClosedMail {
			newest = i
		}
	}
	if newest < 0 {
		return Heard
	}
	out := Lost
	for _, m := range l.letters {
		switch {
		case m.batch != l.letters[newest].batch || m.failed:
		case m.taken:
			return Heard
		default:
			out = Underway
		}
	}
	return out
}

// does applies an event and posts its mails.
func (l *world) does(e Event) {
	l.t.Helper()
	e.Reachable, e.Fate = slices.Contains(l.reachable, true), l.fate()
	before := l.Ticket
	effects := l.happens(l.t, e)
	asked := e.Type == AskInfo || e.Type == AskDo || e.Type == Resolve
	if before.Version == l.Version {
		return // refused
	}
	if asked {
		l.spoke = false
		clear(l.got)
	}
	switch e.Type {
	case Answered, Joined, Submitted, Refuse:
		l.spoke = true
	}
	if l.State == Closed && before.State != Closed && e.Type == Deadline && before.State != AwaitingForm && l.spoke {
		l.t.Fatalf("closed by the clock after a party's word: %s", show(before))
	}
	for _, f := range effects {
		l.post(f)
	}
}

// post sends an effect's mail to each party that it goes to.
func (l *world) post(f Effect) {
	l.t.Helper()
	if f.To == Agents || f == OpenLinked {
		return
	}
	l.batch++
	for i, ok := range l.reachable {
		if f.To == Sender && i > 0 || !f.Goes(ok) {
			continue
		}
		if !ok && !f.Words {
			l.t.Fatalf("%s goes to one who cannot be reached", f.Mail)
		}
		l.letters = append(l.letters, &letter{kind: f.Mail, to: i, batch: l.batch})
	}
}

// relay decides the fate of one copy: it is taken, or fails at once or later.
func (l *world) relay(m *letter, fails bool) {
	e := event("taken " + string(m.kind))
	if fails {
		e = event("failed " + string(m.kind))
		if m.taken && m.kind == Reminder {
			l.got[m.to]--
		}
		m.failed, l.reachable[m.to] = true, false
	} else {
		m.taken, l.reachable[m.to] = true, true
		if m.kind == Reminder {
			l.got[m.to]++
		}
		if l.got[m.to] > l.p.Timers.Reminders {
			l.t.Fatalf("party %d got %d reminders of %d", m.to, l.got[m.to], l.p.Timers.Reminders)
		}
	}
	l.does(e)
}

// underway are the copies that the relay has not decided on.
func (l *world) underway() (out []*letter) {
	for _, m := range l.letters {
		if !m.taken && !m.failed {
			out = append(out, m)
		}
	}
	return out
}

// Whatever happened before: with parties who stay silent, where the policy
// closes, a ticket that is pending, frozen or resolved ends closed, or its
// parties cannot be reached.
func TestLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newWorld(t)
		for range rapid.IntRange(0, 50).Draw(t, "events") {
			l.pass(t)
			l.anything()
		}
		for range l.Waiting {
			l.does(event("agent split"))
		}
		if l.State != Pending && l.State != Frozen && l.State != Resolved {
			return
		}
		for range 4 * (l.p.Timers.Reminders + 4) {
			for _, m := range l.underway() {
				l.relay(m, rapid.IntRange(0, 9).Draw(t, "fails") == 0)
			}
			if l.State == Closed || l.Stuck != "" {
				break
			}
			if l.Deadline.IsZero() {
				t.Fatalf("nothing is due: %s, reachable %v", show(l.Ticket), l.reachable)
			}
			l.now = l.Deadline
			l.does(event("deadline"))
		}
		if reachable := slices.Contains(l.reachable, true); l.State != Closed && (l.Stuck == "" || reachable) {
			t.Fatalf("silence ends in %s, reachable %v", show(l.Ticket), l.reachable)
		}
	})
}

// anything is one step of the people, the clock or the relay.
func (l *world) anything() {
	t := l.t
	switch letters := l.underway(); {
	case len(letters) > 0 && rapid.Bool().Draw(t, "relay"):
		l.relay(rapid.SampledFrom(letters).Draw(t, "letter"), rapid.IntRange(0, 3).Draw(t, "fails") == 0)
	case len(l.letters) > 0 && rapid.IntRange(0, 9).Draw(t, "bounce") == 0:
		if m := l.letters[len(l.letters)-1]; m.taken && !m.failed {
			l.relay(m, true)
		}
	default:
		e := event(rapid.SampledFrom(usual).Draw(t, "event"))
		if e.Type == Taken || e.Type == Failed {
			return
		}
		if isParty(e.Role) && e.Type != Waits {
			l.reachable[0] = true // a mail from it
		}
		e.Words = e.Role == Agent
		l.does(e)
	}
}
