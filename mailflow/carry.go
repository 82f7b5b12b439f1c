package mailflow

import (
	"cmp"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// take does one step of a plan.
func (d *decision) take(t ticket.Ticket, p *plan, s step, n notice, message int64) (ticket.Ticket, error) {
	if err := d.before(&t, p, s, &n, message); err != nil {
		return t, err
	}
	e, err := d.ready(t, s.event)
	if err != nil {
		return t, err
	}
	was := t
	if t, err = d.step(t, e, n); err != nil {
		return t, err
	}
	switch e.Type {
	case ticket.Accept:
		return d.accepted(t, s.waiting)
	case ticket.Split:
		return t, d.splitOff(t, s.waiting)
	case ticket.Assign:
		if p.desk == p.t.Desk { // else he is told that it came
			p.after = append(p.after, func(now ticket.Ticket) error { return d.tellAssigned(now, e) })
		}
	case ticket.Link:
		return t, d.tx.LinkTickets(t.ID, s.other.ID, "by an agent")
	case ticket.Move:
		p.after = append(p.after, func(now ticket.Ticket) error { return d.tellMoved(was, now, e) })
	case ticket.MergedAway:
		return t, d.joined(was, s.other, p, message)
	}
	return t, nil
}

// before does what must be there when the rules are asked, and says what the
// mails of the step say besides.
func (d *decision) before(t *ticket.Ticket, p *plan, s step, n *notice, message int64) error {
	switch {
	case s.add.Address != "":
		return d.addNamed(*t, s.add, message)
	case s.remove != 0:
		return d.tx.RemoveParty(s.remove)
	case s.waiting.ID != 0:
		p.lines[s.line].Reason = d.waitingMail(*t, s.waiting)
	}
	switch s.event.Type {
	case ticket.AskInfo, ticket.AskDo:
		n.asked = s.reason
	case ticket.Categorise, ticket.SetUrgency, ticket.Escalate:
		d.changed(*t, s.event)
		n.quietly = true
	case ticket.Move:
		n.was = t.Desk
	case ticket.MergedAway:
		n.other = s.other.Number
		t.Waiting = 0 // what waits goes along
	}
	return nil
}

// argChange is a change of the ticket that parties are told of.
type argChange struct {
	What  ticket.EventType `json:"what"`
	Value string           `json:"value,omitempty"`
	Was   string           `json:"was,omitempty"`
}

// changed remembers a change for the mail that tells of it: the next one to
// the parties, so that several commands make one mail.
func (d *decision) changed(t ticket.Ticket, e ticket.Event) {
	c := argChange{What: e.Type, Value: e.Value}
	switch e.Type {
	case ticket.Categorise:
		c.Was = t.Category
	case ticket.SetUrgency:
		c.Was = t.Urgency
	}
	if c.Was != c.Value || e.Type == ticket.Escalate {
		d.changes = append(d.changes, c)
	}
}

// tellChanges sends what no other mail has told.
func (d *decision) tellChanges(t ticket.Ticket, p *plan) error {
	if len(d.changes) == 0 || t.State == ticket.Closed {
		d.changes = nil
		return nil
	}
	if err := d.tellAll(t.ID); err != nil {
		return err
	}
	e := p.event(ticket.Categorise)
	return d.queue(t.State, t, ticket.Effect{Mail: ticket.Update, To: ticket.Others}, e, notice{addressed: d.addressed()})
}

// tellsChanges says that a mail of this kind has room for what has changed.
func tellsChanges(k ticket.Kind) bool {
	switch k {
	case ticket.Update, ticket.Opened, ticket.InformationRequest, ticket.ActionRequest, ticket.Moved, ticket.Acknowledgment,
		ticket.ClosureRequest, ticket.Reopened:
		return true
	}
	return false
}

// tellMoved tells the agents of the new desk, to whom nobody has said anything
// of the ticket yet, with the words that stood last.
func (d *decision) tellMoved(was, t ticket.Ticket, e ticket.Event) error {
	last, err := d.tx.LastPublic(t.ID)
	if err != nil {
		return err
	}
	agents, err := d.agents(t, e.Actor)
	for _, a := range agents {
		if err != nil {
			return err
		}
		to := d.s.Agent(a.Address)
		err = d.toOneAgent(t, to, args{Message: last, Event: "moved", From: was.State,
			Reason: "from " + d.s.Desk(was.Desk).Name(cmp.Or(to.Language, d.s.Desk(t.Desk).Language))})
	}
	return err
}

// joined is the survivor's side of a merge: its clock starts anew, the parties
// of the other come to it, once each, and see what is written from now on.
// What waits there waits here.
func (d *decision) joined(from, into ticket.Ticket, p *plan, message int64) error {
	into, err := d.tx.LockTicket(into.ID)
	if err != nil {
		return err
	}
	ordinals, err := d.joinParties(from.ID, into.ID, p, message)
	if err != nil {
		return err
	}
	n, err := d.moveWaiting(from.ID, into.ID, ordinals)
	if err != nil {
		return err
	}
	into.Waiting += n
	after, err := d.step(into, p.event(ticket.TookOver), notice{reason: cmp.Or(from.Number, "?"), quiet: true})
	if err != nil {
		return err
	}
	if err := d.tx.LinkTickets(from.ID, into.ID, "merged"); err != nil {
		return err
	}
	to := d.s.Agent(after.Assignee)
	if to == nil || to.Address == p.w.address {
		return nil
	}
	return d.toOneAgent(after, to, args{Event: "took-over", Other: from.Number, Reason: "from " + d.agentName(p.w.address)})
}

// joinParties gives the ordinal that each party of the one has on the other.
// The survivor keeps its customer: a second one follows.
func (d *decision) joinParties(from, into int64, p *plan, since int64) (map[int]int, error) {
	parties, err := d.tx.Parties(into)
	if err != nil {
		return nil, err
	}
	hasCustomer := false
	for _, q := range parties {
		hasCustomer = hasCustomer || q.Role == ticket.Customer
	}
	joining, err := d.tx.Parties(from)
	ordinals := map[int]int{}
	for _, q := range joining {
		if err != nil {
			return nil, err
		}
		if q.Role == ticket.Agent {
			continue
		}
		there, already := d.tx.PartyOf(into, q.Address)
		if already != nil || !there.Active {
			q.TicketID, q.Since, q.AddedBy = into, since, p.w.address
			if q.Role == ticket.Customer && hasCustomer {
				q.Role = ticket.Follower
			}
			if ignoreNoRows(already) != nil {
				return nil, already
			}
			if there, err = d.tx.AddParty(q); err != nil {
				return nil, err
			}
		}
		ordinals[q.Ordinal] = there.Ordinal
	}
	return ordinals, err
}

// moveWaiting takes along the mails that wait for a decision.
func (d *decision) moveWaiting(from, into int64, ordinals map[int]int) (n int, err error) {
	all, err := d.tx.Messages(from)
	for _, m := range all {
		if err != nil || m.Visibility != store.Waiting {
			continue
		}
		n++
		if err = d.tx.MoveMessage(m.ID, from, into); err != nil {
			return n, err
		}
		if there, ok := ordinals[m.Party]; ok {
			err = d.tx.ShowMessage(m.ID, store.Waiting, there, m.Role)
		}
	}
	return n, err
}
