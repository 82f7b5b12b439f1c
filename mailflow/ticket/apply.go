package ticket

import (
	"fmt"
	"time"
)

// Apply changes t by e under the policy p at the time now, and says which
// mails follow. It is total: what the table of a ticket's life does not hold
// is refused with a [Refused], and t is returned unchanged.
//
// Everything depends on the arguments alone, so that the same history always
// gives the same ticket.
func Apply(t Ticket, e Event, p Policy, now time.Time) (Ticket, []Effect, error) {
	c := change{Ticket: t, e: e, p: p, now: now}
	var err error
	switch {
	case t.State == None:
		err = c.begin()
	case e.Type == Deadline || e.Type == Taken || e.Type == Failed:
		err = c.clock()
	case e.Role == Agent:
		err = c.agent()
	default:
		err = c.party()
	}
	if err != nil {
		return t, nil, err
	}
	if e.Role != Agent && c.tell {
		c.mail(Notification, Agents)
	}
	c.Updated = now
	c.Version++
	return c.Ticket, c.effects, nil
}

// Meant is what an event of a party amounts to: an approval, a refusal or a
// withdrawal that its writer may not give is an ordinary answer.
func Meant(t Ticket, e Event, p Policy) EventType {
	c := change{Ticket: t, e: e, p: p}
	return c.meant()
}

// change is one application of an event.
type change struct {
	Ticket
	e       Event
	p       Policy
	now     time.Time
	effects []Effect
	tell    bool // the agents are to be notified, unless the actor is one
}

func (c *change) mail(k Kind, to Audience) {
	c.effects = append(c.effects, Effect{Mail: k, To: to})
}

// due sets the one deadline. A timer that is off means that nothing is due,
// and nothing warns of a closing that does not come.
func (c *change) due(next Kind, after time.Duration) {
	if after == Off || next == AutoCloseWarning && c.p.Timers.AutoCloseAfter == Off && !c.mustApprove() {
		c.calm()
		return
	}
	c.Next, c.Deadline = next, c.now.Add(after)
}

// mustApprove: silence never closes this ticket as it stands.
func (c *change) mustApprove() bool { return c.State == Resolved && c.p.Approval == Required }

func (c *change) calm() { c.Next, c.Deadline = "", time.Time{} }

// restart forgets reminders, warning and deadline: somebody has spoken.
func (c *change) restart() {
	c.Reminders, c.Warned = 0, false
	c.calm()
}

func (c *change) close(why Reason) {
	c.restart()
	c.State, c.Closed, c.ClosedAt = Closed, why, c.now
	c.mail(ClosedMail, Parties)
}

func (c *change) refuse() error {
	return Refused(fmt.Sprintf("a ticket that is %s cannot be %s", c.State, c.e.Type))
}

// begin makes a ticket out of nothing.
func (c *change) begin() error {
	c.Created, c.tell = c.now, true
	switch c.e.Type {
	case OpenedFor:
		if c.e.Role != Agent {
			return Refused("only an agent opens a ticket for somebody")
		}
		c.State = Open
		c.mail(Opened, Parties)
	case Received:
		c.State = New
		if c.e.Answerable {
			c.mail(Acknowledgment, Parties)
		}
	default:
		return Refused("a ticket begins with a mail, or is opened by an agent")
	}
	return nil
}

// party is what customers, integrators and followers do.
func (c *change) party() error {
	switch c.e.Type {
	case Arrived:
		return nil
	case Waits:
		c.Waiting++
		c.tell = true
		return nil
	case Answered, Thanked, Approve, Refuse, Withdraw:
	default:
		return c.refuse()
	}
	if c.e.Role != Customer && c.e.Role != Integrator && c.e.Role != Follower {
		return Refused("only a party of this ticket can answer it")
	}
	c.tell = true
	typ := c.meant()
	switch c.State {
	case New, Open:
		return c.partyWhileOpen(typ)
	case Pending, Frozen:
		return c.partyWhileAsked(typ)
	case Resolved:
		return c.partyWhileResolved(typ)
	case Closed:
		return c.partyWhenClosed(c.e.Type) // an approval that does not count is no complaint
	}
	return c.refuse()
}

// meant takes back an approval, refusal or withdrawal that its writer may not
// give: it is then an ordinary answer.
func (c *change) meant() EventType {
	typ := c.e.Type
	switch typ {
	case Approve, Withdraw:
		if c.e.Alone || !c.mayApprove() {
			return Answered
		}
	case Refuse:
		if c.e.Alone || (c.e.Role != Customer && c.e.Role != Integrator) {
			return Answered
		}
	}
	if c.e.Resolution != 0 && c.e.Resolution != c.Resolution {
		return Answered
	}
	return typ
}

func (c *change) mayApprove() bool {
	switch c.e.Role {
	case Customer:
		return true
	case Integrator:
		if c.p.Approval == Required {
			return !c.e.HasCustomer
		}
		return c.e.CustomerSilent || !c.e.HasCustomer
	}
	return false
}

func (c *change) partyWhileOpen(typ EventType) error {
	if typ == Withdraw {
		c.close(Withdrawn)
		return nil
	}
	c.mail(Update, Others)
	return nil
}

func (c *change) partyWhileAsked(typ EventType) error {
	if typ == Withdraw {
		c.close(Withdrawn)
		return nil
	}
	c.restart()
	c.State = Open
	c.mail(Update, Others)
	return nil
}

func (c *change) partyWhileResolved(typ EventType) error {
	switch typ {
	case Approve, Withdraw:
		c.close(Approved)
	case Thanked:
	case Refuse:
		c.restart()
		c.State = Open
		c.mail(Reopened, Parties)
	default:
		c.restart()
		c.State = Open
		c.mail(Update, Others)
	}
	return nil
}

func (c *change) partyWhenClosed(typ EventType) error {
	switch {
	case typ == Thanked || typ == Approve || typ == Withdraw:
		return nil
	case c.p.Timers.ReopenWithin != Off && !c.now.After(c.ClosedAt.Add(c.p.Timers.ReopenWithin)) && c.Closed != Merged:
		c.restart()
		c.State, c.Closed = Open, ""
		c.mail(Reopened, Parties)
		return nil
	}
	c.tell = false // the linked ticket tells
	c.effects = append(c.effects, OpenLinked)
	return nil
}
