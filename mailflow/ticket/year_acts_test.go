package ticket_test

import (
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
)

// newPerson draws somebody: most talk, some never do; some mailboxes die, and
// some of them come back.
func (w *world) newPerson(role ticket.Role) *person {
	p := &person{role: role, address: string(role) + "@" + string(role) + ".example", away: w.often(0.08)}
	p.talks = []float64{0, 0, 0.1, 0.5, 0.9}[w.rng.IntN(5)]
	if w.often(0.1) {
		from := w.now.Add(w.about(2*day) - time.Second)
		p.dead = span{from, from.Add(w.about(20 * day))}
		if w.often(0.5) {
			p.dead[1] = w.end
		}
	}
	return p
}

// birth begins a ticket in one of the ways in.
func (w *world) birth() {
	l := &life{w: w, desk: procedures[w.rng.IntN(len(procedures))], people: []*person{w.newPerson(ticket.Customer)}}
	if w.often(0.5) {
		l.people = append(l.people, w.newPerson(ticket.Integrator))
		if w.often(0.5) {
			slices.Reverse(l.people) // the integrator writes
		}
	}
	e := ticket.Event{Type: ticket.Received, Answerable: !w.often(0.03)}
	switch w.pick("mail", 80, "signed in", 8, "agent", 7, "form sent", 5) {
	case "signed in":
		e.Type = ticket.Submitted
	case "agent":
		e.Type = ticket.OpenedFor
	case "form sent":
		if l.desk.form {
			e.Type = ticket.FormSent
		}
	}
	l.begins(e)
}

// linked is the ticket of a mail that came too late for its own.
func (w *world) linked(after *life) {
	l := &life{w: w, desk: after.desk}
	for _, p := range after.people {
		again := *p
		again.lost, again.talks = false, p.talks/3
		l.people = append(l.people, &again)
	}
	l.begins(ticket.Event{Type: ticket.Received, Answerable: true, Linked: true})
}

func (l *life) begins(e ticket.Event) {
	l.w.lives = append(l.w.lives, l)
	l.oracle = &oracle{desk: l.desk, l: l}
	l.t.ID = int64(len(l.w.lives))
	l.parties = l.people[:1]
	switch e.Type {
	case ticket.OpenedFor:
		l.acts(e.Type, "")
	case ticket.FormSent:
		e.For, e.Actor, e.Role = l.people[0].address, agentAddress, ticket.Agent
		l.does(e, l.people[0])
	default:
		l.does(e, l.people[0])
	}
}

// arrives is a mail in somebody's inbox: an absence answers at once, a person
// after a while or never.
func (l *life) arrives(c *letterCopy) {
	p := c.to
	if p.away {
		l.w.count["party: out of office"]++
		l.w.in(l.w.about(5*time.Second), func() { l.does(ticket.Event{Type: ticket.Arrived}, p) })
	}
	if !l.w.often(p.talks) {
		return
	}
	wait := l.w.about([]time.Duration{time.Hour, 12 * time.Hour, 3 * day}[l.w.rng.IntN(3)])
	e := ticket.Event{Type: ticket.Answered, Alone: l.w.often(0.05), Answerable: true}
	switch l.w.mood(c.kind) {
	case "": // nothing to say to that
		return
	case "form":
		e.Type, wait = ticket.Submitted, l.w.about(6*day)
	case "approve":
		e.Type, e.Resolution = ticket.Approve, l.t.Resolution
	case "refuse":
		e.Type, e.Resolution = ticket.Refuse, l.t.Resolution
	case "button":
		e.Type, e.Button, e.Alone = []ticket.EventType{ticket.Approve, ticket.Refuse}[l.w.rng.IntN(2)], true, false
	case "thanks":
		e.Type = ticket.Thanked
	case "withdraw":
		e.Type = ticket.Withdraw
	case "private phone":
		l.w.in(wait, func() {
			l.does(ticket.Event{Type: ticket.Waits, Actor: "home@phone.example", Role: ticket.Follower}, nil)
		})
		return
	case "next month":
		wait = 32*day + l.w.about(day)
	}
	l.w.in(wait, func() { l.says(e, p) })
}

// mood is what people do with a mail.
func (w *world) mood(kind ticket.Kind) string {
	switch kind {
	case ticket.FormLink:
		return w.pick("form", 75, "answer", 15, "next month", 5, "withdraw", 3, "private phone", 2)
	case ticket.ClosureRequest, ticket.ClosureReminder:
		return w.pick("approve", 35, "button", 20, "refuse", 12, "thanks", 12, "answer", 10, "withdraw", 6, "private phone", 5)
	case ticket.InformationRequest, ticket.ActionRequest, ticket.Reminder, ticket.AutoCloseWarning:
		return w.pick("answer", 80, "withdraw", 8, "thanks", 4, "private phone", 8)
	case ticket.ClosedMail:
		return w.pick("", 75, "thanks", 7, "answer", 8, "refuse", 2, "button", 3, "next month", 5)
	case ticket.Acknowledgment, ticket.Opened, ticket.Update:
		return w.pick("", 80, "answer", 15, "withdraw", 3, "thanks", 2)
	}
	return ""
}

// says is a party's mail or click when it comes in. What was asked may be over
// by then.
func (l *life) says(e ticket.Event, p *person) {
	if e.Type == ticket.Submitted && (l.t.FormFor != p.address || l.t.Closed == ticket.Merged) {
		return // the page says that it is filled in already
	}
	if !e.Button {
		p.lost = false // a mail from it
	}
	l.does(e, p)
}

const agentAddress = "agent@desk.example"

// acts is an agent's command, with words for the parties where it has some.
func (l *life) acts(what ticket.EventType, value string) bool {
	e := ticket.Event{Type: what, Actor: agentAddress, Role: ticket.Agent, Value: value, Desk: value}
	switch what {
	case ticket.OpenedFor, ticket.Validate, ticket.Reply, ticket.AskInfo, ticket.AskDo, ticket.Resolve, ticket.Reject, ticket.Close, ticket.Reopen:
		e.Words = true
	}
	return l.does(e, nil)
}

// calls has an agent look at the ticket after a while, and again while there is
// something to do.
func (l *life) calls() { l.looksIn(l.w.about(6 * time.Hour)) }

func (l *life) looksIn(d time.Duration) {
	if l.busy {
		return
	}
	l.busy = true
	l.w.in(d, func() {
		l.busy = false
		l.looks()
		if l.t.State == ticket.New || l.t.State == ticket.Open || l.t.Waiting > 0 {
			l.looksIn(l.w.about(12 * time.Hour))
		}
	})
}

// looks is what an agent does with a ticket as it stands.
func (l *life) looks() {
	switch {
	case l.t.Closed == ticket.Merged:
	case l.t.Waiting > 0:
		l.decides()
	case l.t.Stuck != "":
		l.helps()
	case l.t.State == ticket.New:
		l.command(l.w.pick("validated", 50, "replied", 10, "asked-information", 14, "rejected", 8, "resolved", 3, "closed", 2, "merge", 2, "category", 5, "move", 5))
	case l.t.State == ticket.Open:
		l.command(l.w.pick("replied", 25, "asked-information", 20, "asked-action", 10, "resolved", 30, "closed", 2, "merge", 1,
			"category", 3, "escalated", 3, "urgency-set", 2, "noted", 2, "move", 1, "rejected", 1))
	case l.t.State == ticket.AwaitingForm:
		l.command(l.w.pick("", 85, "validated", 4, "asked-information", 3, "rejected", 3, "closed", 2, "resolved", 1, "replied", 2))
	case l.t.State == ticket.Closed:
		l.command(l.w.pick("", 90, "reopened", 3, "replied", 3, "escalated", 2, "closed", 2))
	case l.t.State == ticket.Resolved:
		l.command(l.w.pick("", 85, "replied", 5, "reopened", 3, "asked-information", 3, "closed", 2, "resolved", 2))
	default:
		l.command(l.w.pick("", 80, "replied", 8, "asked-action", 4, "resolved", 4, "category", 4))
	}
}

func (l *life) command(what string) {
	switch what {
	case "":
	case "merge":
		l.merges()
	case "move":
		if l.desk.name == "vendor" { // its other team has the same policy
			l.acts(ticket.Move, l.w.pick("support", 1, "success", 1))
		}
	case "category":
		l.acts(ticket.Categorise, l.w.pick("network", 1, "phone", 1))
	case "urgency-set":
		l.acts(ticket.SetUrgency, l.w.pick("high", 1, "medium", 1))
	case "validated":
		if !l.desk.validated && l.t.State == ticket.New {
			what = "replied"
		}
		l.acts(ticket.EventType(what), "")
	default:
		l.acts(ticket.EventType(what), "")
	}
}

// decides lets a waiting mail in, whose words follow, or splits it off.
func (l *life) decides() {
	if l.w.often(0.4) {
		l.acts(ticket.Split, "")
		return
	}
	l.acts(ticket.Accept, "")
	l.does(ticket.Event{Type: ticket.Answered}, l.joins("home@phone.example", 0.5))
}

// joins makes a follower of somebody.
func (l *life) joins(address string, talks float64) *person {
	for _, p := range l.people {
		if p.address == address {
			p.lost = false // a mail from it
			return p
		}
	}
	p := &person{role: ticket.Follower, address: address, talks: talks}
	l.people = append(slices.Clip(l.people), p)
	l.parties = append(slices.Clip(l.parties), p)
	return p
}

// helps looks for somebody who can be reached.
func (l *life) helps() {
	switch l.w.pick("name", 40, "write", 20, "close", 5, "leave", 35) {
	case "name":
		l.joins(fmt.Sprintf("colleague%d@customer.example", len(l.people)), 0.3)
		l.acts(ticket.AddParty, "")
	case "write":
		l.acts(ticket.Reply, "")
	case "close":
		l.acts(ticket.Close, "")
	}
}

// merges lets the ticket go on under a young one of the same desk.
func (l *life) merges() {
	for _, other := range slices.Backward(l.w.lives) {
		if other != l && other.desk == l.desk && other.t.State != ticket.Closed && other.t.Number != "" {
			l.does(ticket.Event{Type: ticket.MergedAway, Actor: agentAddress, Role: ticket.Agent, Into: other.t.ID}, nil)
			other.does(ticket.Event{Type: ticket.TookOver, Actor: agentAddress, Role: ticket.Agent}, nil)
			return
		}
	}
}
