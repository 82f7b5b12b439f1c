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
// gives the same ticket. For [Move], p is the policy of the desk it goes to.
//
// Apply gives no number: see [Ticket.NeedsNumber].
func Apply(t Ticket, e Event, p Policy, now time.Time) (Ticket, []Effect, error) {
	c := change{Ticket: t, e: e, p: p, now: now}
	var err error
	switch {
	case t.State == None:
		err = c.begin()
	case e.Type == Deadline || e.Type == Taken || e.Type == Failed || e.Type == Delayed:
		err = c.clock()
	case t.Closed == Merged && e.Type != Arrived:
		err = Refused("this ticket was merged into another one and goes on there")
	case e.Role == Agent:
		err = c.agent()
	default:
		err = c.party()
	}
	if err != nil {
		return t, nil, err
	}
	if c.tell && e.Role != Agent {
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
	c.effects = append(c.effects, Effect{Mail: k, To: to, Words: c.e.Role == Agent && c.e.Words && to != Agents})
}

// due sets the one deadline. A timer that is off means that nothing is due,
// and nothing warns of a closing that does not come.
func (c *change) due(next Kind, after time.Duration) {
	c.calm()
	if after == Off || next == AutoCloseWarning && c.p.Timers.AutoCloseAfter == Off && !c.mustApprove() {
		return
	}
	c.Next, c.Deadline = next, c.now.Add(after)
}

// mustApprove: silence never closes this ticket as it stands.
func (c *change) mustApprove() bool { return c.State == Resolved && c.p.Approval == Required }

func (c *change) calm() {
	c.Next, c.Deadline = "", time.Time{}
	c.Postponed, c.Stuck = false, ""
}

// restart forgets reminders, warning and deadline: somebody has spoken.
func (c *change) restart() {
	c.Reminders, c.Warned = 0, false
	c.calm()
}

// become takes the ticket to a state in which nothing is due yet.
func (c *change) become(s State) {
	c.restart()
	c.State, c.Closed = s, ""
	if s != AwaitingForm {
		c.FormFor, c.Invited = "", false
	}
}

// end closes the ticket without a word.
func (c *change) end(why Reason) {
	form, invited := c.FormFor, c.Invited
	c.become(Closed)
	c.Closed, c.ClosedAt = why, c.now
	if why == Abandoned {
		c.FormFor, c.Invited = form, invited
	}
}

func (c *change) close(why Reason) {
	c.end(why)
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
	case FormSent:
		if c.e.Role != Agent {
			return Refused("only an agent sends the form to somebody")
		}
		c.State, c.Invited, c.FormFor = AwaitingForm, true, c.e.For
		c.sendForm()
		c.mail(Notification, Agents) // it begins
	case Received:
		c.received()
	case Submitted: // by somebody who is signed in
		if !isParty(c.e.Role) {
			return Refused("a form is submitted by a party")
		}
		c.State = New
		c.mail(Acknowledgment, Parties)
	default:
		return Refused("a ticket begins with a mail or a form, or is opened by an agent")
	}
	return nil
}

// received is the first mail. Who will get no form's link, or follows a
// closed ticket, is not made to wait for a form.
func (c *change) received() {
	if c.p.Intake == Form && c.e.Answerable && !c.e.Linked {
		c.State, c.FormFor = AwaitingForm, c.e.Actor
		c.sendForm()
		return
	}
	c.State = New
	if c.e.Answerable {
		c.mail(Acknowledgment, Parties)
	}
}

// sendForm mails the form's link and begins the time that it is good for.
func (c *change) sendForm() {
	c.mailForm()
	c.due(FormLink, c.p.Timers.FormExpires)
}

func (c *change) mailForm() {
	c.FormAt = c.now
	c.mail(FormLink, Sender)
}
