package ticket_test

import (
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
)

// post sends an effect's mail, and holds it against what is true of every
// mail of every desk.
func (l *life) post(f ticket.Effect, writer *person) {
	m := &letter{kind: f.Mail, n: f.N, at: l.w.now, number: len(l.letters)}
	l.paced(m)
	l.letters = append(l.letters, m)
	for _, p := range l.parties {
		if f.To == ticket.Sender && p.address != l.t.FormFor || f.To == ticket.Others && p == writer || !f.Goes(!p.lost) {
			continue
		}
		if p.lost && !l.last().e.Words {
			l.fail(fmt.Sprintf("%s goes to one who cannot be reached", f.Mail))
		}
		c := &letterCopy{letter: m, to: p, state: "queued"}
		m.copies = append(m.copies, c)
		l.w.count[fmt.Sprintf("mail %s %d", f.Mail, f.N)]++
		l.w.in(l.w.hops(), func() { l.relay(c) })
	}
	if want := l.audience(f, writer); want != len(m.copies) {
		l.fail(fmt.Sprintf("%s goes to %d people, not %d", f.Mail, len(m.copies), want))
	}
}

func (l *life) last() line { return l.trace[len(l.trace)-1] }

// audience: every change is mailed to all who can be reached, an update to all
// but its writer; agents' own words are tried with the others, too.
func (l *life) audience(f ticket.Effect, writer *person) (n int) {
	for _, p := range l.parties {
		switch {
		case f.Mail == ticket.FormLink && p != l.oracle.sender, f.Mail == ticket.Update && p == writer:
		case !p.lost || l.last().e.Words:
			n++
		}
	}
	return n
}

// paced: nobody is chased twice within the pace, and the chase stands after a
// question of ours.
func (l *life) paced(m *letter) {
	if m.kind != ticket.Reminder && m.kind != ticket.ClosureReminder && m.kind != ticket.AutoCloseWarning {
		return
	}
	before := l.asking()
	pace := l.desk.pace
	if m.kind == ticket.ClosureReminder || l.t.State == ticket.Resolved {
		pace = l.desk.confirm
	}
	if before == nil || m.at.Sub(before.at) < pace {
		l.fail(fmt.Sprintf("%s comes too soon", m.kind))
	}
}

// hops is how long the relay takes with one copy.
func (w *world) hops() time.Duration {
	switch {
	case w.often(0.02):
		return w.about(20 * time.Hour)
	case w.often(0.1):
		return w.about(time.Hour)
	}
	return w.about(20 * time.Second)
}

// relay: the copy is taken, and arrives at once or after a report of a delay,
// or comes back later; or it fails here.
func (l *life) relay(c *letterCopy) {
	dead := c.to.dead.holds(l.w.now)
	switch {
	case c.state != "queued":
		return
	case dead && l.w.often(0.5):
		l.failed(c)
		return
	}
	l.taken(c)
	if l.w.often(0.01) || dead && l.w.often(0.3) {
		l.w.in(4*time.Hour, func() { l.delayed(c) })
	}
	if dead {
		l.w.in(l.w.about([]time.Duration{time.Minute, 2 * day}[l.w.rng.IntN(2)]), func() { l.failed(c) })
		return
	}
	l.arrives(c)
}

func (l *life) taken(c *letterCopy) {
	c.state, c.taken = "taken", l.w.now
	news := ticket.Event{Type: ticket.Taken, Role: ticket.System, Kind: c.kind}
	if c.kind == ticket.AutoCloseWarning {
		l.does(news, nil)
	}
	if c.to.lost {
		c.to.lost = false
		l.does(news, nil)
	}
}

// failed: the person is out of reach, unless a later mail was taken for them.
func (l *life) failed(c *letterCopy) {
	c.state = "failed"
	l.w.count["copy: failed"]++
	c.to.lost = !slices.ContainsFunc(l.letters[c.number+1:], func(m *letter) bool {
		return slices.ContainsFunc(m.copies, func(later *letterCopy) bool { return later.to == c.to && later.state == "taken" })
	}) || c.to.lost
	l.does(ticket.Event{Type: ticket.Failed, Role: ticket.System, Kind: c.kind}, nil)
}

func (l *life) delayed(c *letterCopy) {
	if c.letter == l.asking() && c.state == "taken" {
		l.does(ticket.Event{Type: ticket.Delayed, Role: ticket.System, Kind: c.kind}, nil)
	}
}

// wasSilent holds the trace of a ticket that the clock closed against the
// procedure: what the parties got since anybody spoke, each mail with its
// time, and that the warning was taken a whole last day before and somebody got it.
func (l *life) wasSilent() {
	if l.t.Closed == ticket.Abandoned {
		return
	}
	if l.desk.confirmed || l.desk.lastDay == never {
		l.fail("the clock closes where nothing closes by itself")
	}
	chain := l.chain()
	want := []string{"closure-request", "closure-reminder", "auto-close-warning"}
	if l.t.Closed == ticket.Unanswered {
		want = []string{"request"}
		for n := range l.desk.relances {
			want = append(want, fmt.Sprint("reminder ", n+1))
		}
		want = append(want, "auto-close-warning")
	}
	if !slices.Equal(chain, want) {
		l.fail(fmt.Sprintf("closed after %v", chain))
	}
	warning := l.asking()
	wholeDay := slices.ContainsFunc(warning.copies, func(c *letterCopy) bool {
		return !c.taken.IsZero() && l.w.now.Sub(c.taken) >= l.desk.lastDay
	})
	if !wholeDay || l.heard() != ticket.Heard {
		l.fail("closed though nobody got the warning a whole last day before")
	}
}

// chain are the mails since we asked, each once though it was said again; a
// party's word in between breaks it.
func (l *life) chain() (out []string) {
	for _, h := range l.trace {
		if h.err == nil && (h.e.Type == ticket.Answered || h.e.Type == ticket.Refuse || h.e.Type == ticket.Submitted) && h.e.Role != ticket.Agent {
			out = nil
		}
		for _, f := range h.effects {
			name := string(f.Mail)
			switch f.Mail {
			case ticket.InformationRequest, ticket.ActionRequest, ticket.Opened, ticket.ClosureRequest:
				out = nil
				if f.Mail != ticket.ClosureRequest {
					name = "request"
				}
			case ticket.Reminder:
				name = fmt.Sprint("reminder ", f.N)
			case ticket.ClosureReminder, ticket.AutoCloseWarning:
			default:
				continue
			}
			if len(out) == 0 || out[len(out)-1] != name {
				out = append(out, name)
			}
		}
	}
	return out
}
