package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// person is one party of one ticket.
type person struct {
	role    ticket.Role
	address string
	lost    bool    // the last mail to it failed for good
	talks   float64 // how probable an answer is
	away    bool    // answers each mail with an absence, too
	dead    span    // while its mailbox does not exist
}

// letter is one mail with its copies, by the order of sending.
type letter struct {
	kind   ticket.Kind
	n      int
	at     time.Time
	number int
	copies []*letterCopy
}

// letterCopy goes to one person.
type letterCopy struct {
	*letter
	to    *person
	state string // queued, taken, failed or cancelled
	taken time.Time
}

// life is a ticket with its people, its letters and what the oracle knows.
type life struct {
	w       *world
	desk    *procedure
	t       ticket.Ticket
	oracle  *oracle
	people  []*person // those who will be its parties
	parties []*person // those who are
	letters []*letter
	trace   []line

	customerAt, agentAt time.Time
	busy                bool // an agent will look at it
}

// line is one happening, as it is told where a check fails.
type line struct {
	at      time.Time
	e       ticket.Event
	state   ticket.State
	effects []ticket.Effect
	err     error
}

func (l *life) fail(why string) {
	l.w.t.Helper()
	var b strings.Builder
	for _, h := range l.trace {
		fmt.Fprintf(&b, "%s %s %s %s: %s %v %v\n", h.at.Format("01-02 15:04:05"), h.e.Role, h.e.Type, h.e.Kind, h.state, h.effects, h.err)
	}
	l.w.t.Fatalf("%s desk: %s\n%s%s: %s", l.desk.name, why, b.String(), l.w.now.Format("01-02 15:04:05"), why)
}

func (l *life) reachable() bool {
	return slices.ContainsFunc(l.parties, func(p *person) bool { return !p.lost })
}

func (l *life) hasCustomer() bool {
	return slices.ContainsFunc(l.parties, func(p *person) bool { return p.role == ticket.Customer })
}

// asks are the mails that the clock waits on.
var asks = []ticket.Kind{"form-link", "opened", "information-request", "action-request", "reminder", "closure-request", "closure-reminder",
	"auto-close-warning"}

// asking is the last mail that asks something of the parties, or nil.
func (l *life) asking() *letter {
	for _, m := range slices.Backward(l.letters) {
		if slices.Contains(asks, m.kind) {
			return m
		}
	}
	return nil
}

// heard is what became of it: one copy that was taken is enough.
func (l *life) heard() ticket.Fate {
	m := l.asking()
	if m == nil || len(m.copies) == 0 {
		return ticket.Heard
	}
	out := ticket.Lost
	for _, c := range m.copies {
		switch c.state {
		case "taken":
			return ticket.Heard
		case "queued":
			out = ticket.Underway
		}
	}
	return out
}

// does enters an event, as the mail flow does, and holds what follows against
// the oracle.
func (l *life) does(e ticket.Event, who *person) bool {
	if who != nil && e.Role == "" {
		e.Actor, e.Role = who.address, who.role
	}
	e.Reachable, e.HasCustomer, e.CustomerSilent = l.reachable(), l.hasCustomer(), !l.customerAt.After(l.agentAt)
	if e.Type == ticket.Deadline || e.Type == ticket.Failed {
		e.Fate = l.heard()
	}
	want, ok := l.oracle.expects(e, who)
	before := l.t
	after, effects, err := ticket.Apply(l.t, e, l.desk.policy, l.w.now)
	l.trace = append(l.trace, line{l.w.now, e, after.State, effects, err})
	l.t = after
	switch {
	case ok != (err == nil):
		l.fail(fmt.Sprintf("refused: %v; the procedure allows it: %v", err, ok))
	case err != nil && (after != before || effects != nil):
		l.fail("what is refused changes the ticket")
	case err != nil:
		l.w.count["event: refused"]++
		return false
	case !same(effects, want):
		l.fail(fmt.Sprintf("the mails are\n%v, the procedure says\n%v", effects, want))
	}
	l.numbered(before)
	if what := l.oracle.agrees(l.t); what != "" {
		l.fail(what)
	}
	l.heardFrom(e)
	l.cancel(before, e)
	l.follow(before, e, effects, who)
	return true
}

func (l *life) numbered(before ticket.Ticket) {
	if l.t.NeedsNumber() {
		l.t.Number = fmt.Sprintf("INC-%06d", len(l.w.numbers)+1)
	}
	if before.Number != "" && l.t.Number != before.Number {
		l.fail("the number changed")
	}
	if l.t.Number != "" && before.Number == "" {
		l.w.numbers[l.t.Number] = true
		l.parties = l.people
	}
}

// heardFrom notes when the customer and the agents last spoke.
func (l *life) heardFrom(e ticket.Event) {
	switch {
	case e.Role == ticket.Customer && e.Type != ticket.Arrived && e.Type != ticket.Waits:
		l.customerAt = l.w.now
	case e.Role == ticket.Agent && e.Words && e.Type != ticket.Close && e.Type != ticket.Reject:
		l.agentAt = l.w.now
	}
}

// cancel takes back what chases people and has not left: somebody spoke.
func (l *life) cancel(before ticket.Ticket, e ticket.Event) {
	asked := before.State == ticket.Pending || before.State == ticket.Frozen || before.State == ticket.Resolved
	if !asked || before.State == l.t.State || e.Type == ticket.Deadline {
		return
	}
	for _, m := range l.letters {
		if m.kind != ticket.Reminder && m.kind != ticket.AutoCloseWarning && m.kind != ticket.ClosureReminder {
			continue
		}
		for _, c := range m.copies {
			if c.state == "queued" {
				c.state = "cancelled"
				l.w.count["chase: cancelled"]++
			}
		}
	}
}

// follow does what comes of an event: mails, the next step, an agent's look.
func (l *life) follow(before ticket.Ticket, e ticket.Event, effects []ticket.Effect, who *person) {
	if l.t.State == ticket.Closed && before.State != ticket.Closed {
		l.w.count[l.desk.name+": closed "+string(l.t.Closed)]++
		if e.Type == ticket.Deadline {
			l.wasSilent()
		}
	}
	for _, f := range effects {
		switch {
		case f == ticket.OpenLinked:
			l.w.linked(l)
		case f.To == ticket.Agents:
			l.w.count["mail to agents"]++
			l.calls()
		default:
			l.post(f, who)
		}
	}
	if !l.t.Deadline.IsZero() && l.t.Waiting == 0 && (!l.t.Deadline.Equal(before.Deadline) || before.Waiting > 0) {
		l.ticks(l.t.Deadline)
	}
}

// ticks takes the step that is due, unless something else comes before.
func (l *life) ticks(due time.Time) {
	at := due
	if at.Before(l.w.now) {
		at = l.w.now
	}
	l.w.push(item{at: at, clock: true, do: func() {
		if !l.t.Deadline.Equal(due) {
			return
		}
		if l.w.now.After(due) {
			l.w.count["step: late"]++
		}
		if shut := within(l.w.shut, l.w.now); shut != nil {
			l.w.count["step: refused, a mailbox cannot be read"]++
			l.does(ticket.Event{Type: ticket.Deadline, Role: ticket.System, Still: true}, nil)
			l.w.push(item{at: l.w.overdue(shut[1]), clock: true, do: func() { l.steps(due) }})
			return
		}
		l.steps(due)
	}})
}

func (l *life) steps(due time.Time) {
	if !l.t.Deadline.Equal(due) {
		return
	}
	if l.t.Waiting > 0 {
		l.w.count["step: refused, a mail waits"]++
	}
	l.does(ticket.Event{Type: ticket.Deadline, Role: ticket.System}, nil)
}
