package ticket

import "time"

// formAgain is how often the form's link is mailed to one who keeps writing
// instead.
const formAgain = 24 * time.Hour

func isParty(r Role) bool { return r == Customer || r == Integrator || r == Follower }

// party is what customers, integrators and followers do.
func (c *change) party() error {
	switch c.e.Type {
	case Arrived:
		return nil
	case Waits:
		c.Waiting++
		c.tell = true
		return nil
	case Answered, Joined, Submitted, Thanked, Approve, Refuse, Withdraw:
	default:
		return c.refuse()
	}
	if !isParty(c.e.Role) {
		return Refused("only a party of this ticket can answer it")
	}
	c.tell = true
	typ := c.meant()
	if c.e.Button && !c.buttonWorks() {
		return Refused("nothing on this ticket waits for that button now")
	}
	switch c.State {
	case AwaitingForm:
		return c.partyBeforeForm(typ)
	case New, Open:
		return c.partyWhileOpen(typ)
	case Pending, Frozen:
		return c.partyWhileAsked(typ)
	case Resolved:
		return c.partyWhileResolved(typ)
	case Closed:
		return c.partyWhenClosed()
	}
	return c.refuse()
}

// buttonWorks: an approval or refusal by button has a meaning only where the
// solution is asked about, and a refusal while the ticket can be reopened.
func (c *change) buttonWorks() bool {
	switch c.e.Type {
	case Approve:
		return c.State == Resolved
	case Refuse:
		return c.State == Resolved || c.State == Closed && c.mayReopen()
	}
	return true
}

// meant takes back an approval, refusal or withdrawal that its writer may not
// give: it is then an ordinary answer. A form beside the one that was awaited
// is one, too.
func (c *change) meant() EventType {
	typ := c.e.Type
	switch typ {
	case Submitted, Joined:
		return Answered
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

// mayApprove says who approves or withdraws. To withdraw what is resolved is
// to approve it.
func (c *change) mayApprove() bool {
	switch c.e.Role {
	case Customer:
		return true
	case Integrator:
		return !c.e.HasCustomer || c.e.CustomerSilent && !c.mustApprove()
	}
	return false
}

// partyBeforeForm: more mails join the first one, and only the form goes on.
func (c *change) partyBeforeForm(typ EventType) error {
	switch {
	case c.e.Type == Submitted:
		c.submitted()
	case typ == Withdraw:
		c.close(Withdrawn)
	default:
		c.tell = false
		if c.e.Answerable && !c.now.Before(c.FormAt.Add(formAgain)) {
			c.mailForm()
		}
		c.resume()
	}
	return nil
}

// submitted is the form that was awaited. Where an agent had it sent the
// fault is confirmed already.
func (c *change) submitted() {
	if c.Invited {
		c.become(Open)
		c.mail(Opened, Parties)
		return
	}
	c.become(New)
	c.mail(Acknowledgment, Parties)
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
	c.become(Open)
	c.mail(Update, Others)
	return nil
}

func (c *change) partyWhileResolved(typ EventType) error {
	switch typ {
	case Approve, Withdraw:
		c.close(Approved)
	case Thanked:
		c.resume()
	case Refuse:
		c.become(Open)
		c.mail(Reopened, Parties)
	default:
		c.become(Open)
		c.mail(Update, Others)
	}
	return nil
}

// partyWhenClosed goes by what was said: an approval that does not count is
// no complaint.
func (c *change) partyWhenClosed() error {
	switch {
	case c.Closed == Abandoned && c.e.Type == Submitted:
		c.submitted()
	case c.e.Type == Thanked || c.e.Type == Approve || c.e.Type == Withdraw:
	case c.Closed == Abandoned && c.FormFor == c.e.Actor:
		c.formAgain()
	case c.mayReopen():
		c.become(Open)
		c.mail(Reopened, Parties)
	default:
		c.tell = false // the linked ticket tells
		c.effects = append(c.effects, OpenLinked)
	}
	return nil
}

// formAgain waits anew for a form that never came.
func (c *change) formAgain() {
	if !c.e.Answerable {
		c.become(New)
		return
	}
	c.become(AwaitingForm)
	c.sendForm()
}

func (c *change) mayReopen() bool {
	within := c.p.Timers.ReopenWithin
	return within != Off && !c.now.After(c.ClosedAt.Add(within))
}
