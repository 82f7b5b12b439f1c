package ticket

// agent is what agents do. Their own acts are not notified to them.
func (c *change) agent() error {
	if done, err := c.aside(); done || err != nil {
		return err
	}
	switch c.State {
	case AwaitingForm:
		return c.agentBeforeForm()
	case New, Open, Pending, Frozen:
		return c.agentWhileOpen()
	case Resolved:
		return c.agentWhileResolved()
	case Closed:
		return c.agentWhenClosed()
	}
	return c.refuse()
}

// aside is what changes no state, and so is possible in every one.
func (c *change) aside() (bool, error) {
	switch c.e.Type {
	case Note, PartyRemoved, Link, Arrived:
	case AddParty:
		c.resume()
	case Waits:
		c.Waiting++
	case Assign:
		c.Assignee = c.e.Assignee
	case Accept, Split:
		return true, c.settle()
	case TimeSpent:
		c.Spent = max(c.Spent+c.e.Spent, 0)
	case Categorise:
		c.set(&c.Category)
	case SetUrgency:
		c.set(&c.Urgency)
	case Escalate:
		c.Escalated = true
		c.mail(Update, Others)
	default:
		return false, nil
	}
	return true, nil
}

// set changes what parties are told of, where it does change.
func (c *change) set(field *string) {
	if *field != c.e.Value {
		*field = c.e.Value
		c.mail(Update, Others)
	}
}

// settle ends the waiting of one mail. Splitting gives the ticket its full
// period again; what Accept releases enters as that party's answer.
func (c *change) settle() error {
	if c.Waiting == 0 {
		return Refused("no mail of this ticket waits for an agent")
	}
	c.Waiting--
	if c.e.Type == Split && !c.Deadline.IsZero() {
		c.again()
	}
	return nil
}

// unlessClosed is what agents do in every state but closed.
func (c *change) unlessClosed() error {
	switch c.e.Type {
	case Close:
		c.close(ByAgent)
	case Move:
		c.move()
	case MergedAway:
		if c.e.Into == 0 || c.e.Into == c.ID {
			return Refused("a ticket is merged into another one")
		}
		c.end(Merged)
		c.MergedInto = c.e.Into
		c.mail(MergedMail, Parties)
	case TookOver:
		c.resume()
		if !c.Deadline.IsZero() {
			c.again()
		}
	default:
		return c.refuse()
	}
	return nil
}

// move gives the ticket to another desk, whose policy holds from now on.
func (c *change) move() {
	c.Desk, c.Assignee = c.e.Desk, c.e.Assignee
	if c.State == AwaitingForm && c.p.Intake == Direct {
		c.submitted() // there is no form to wait for
		return
	}
	c.mail(Moved, Parties)
	if c.Next == ClosedMail && (c.p.Timers.AutoCloseAfter == Off || c.mustApprove()) ||
		c.State == Resolved && c.Warned && c.Deadline.IsZero() {
		c.Warned = false // of what does not come here, or not in the same way
		c.Next = AutoCloseWarning
	}
	if c.Next == "" {
		c.Next = c.following()
	}
	if c.Next != "" {
		c.again()
	}
}

func (c *change) agentBeforeForm() error {
	switch c.e.Type {
	case Validate, Reply:
		c.become(Open)
		c.mail(Opened, Parties)
	case AskInfo, AskDo:
		c.become(Pending)
		c.mail(Opened, Parties)
		c.await()
	case Reject:
		c.end(Rejected)
		c.mail(RejectedMail, Parties)
	case Resolve:
		return Refused("this ticket waits for its form: #validate first")
	case Reopen:
		return Refused("this ticket is not closed")
	default:
		return c.unlessClosed()
	}
	return nil
}

func (c *change) agentWhileOpen() error {
	switch c.e.Type {
	case Validate:
		if c.State != New {
			return Refused("this ticket is open already")
		}
		c.State = Open
		c.mail(Opened, Parties)
	case Reply:
		c.answer()
	case AskInfo:
		c.ask(InformationRequest)
	case AskDo:
		c.ask(ActionRequest)
	case Reject:
		if c.State != New {
			return Refused("only a new ticket can be rejected; use #close")
		}
		c.end(Rejected)
		c.mail(RejectedMail, Parties)
	case Resolve:
		c.become(Resolved)
		c.Resolution++
		c.mail(ClosureRequest, Parties)
		c.due(ClosureReminder, c.p.Timers.ClosureReminderAfter)
	case Reopen:
		return Refused("this ticket is not closed")
	default:
		return c.unlessClosed()
	}
	return nil
}

// answer posts an agent's words. In pending and frozen the clock goes on: it
// waits for the parties, not for the agents.
func (c *change) answer() {
	if c.State == New && c.p.Validation {
		c.State = Open
		c.mail(Opened, Parties)
		return
	}
	if c.State == New {
		c.State = Open
	}
	c.mail(Update, Others)
}

func (c *change) ask(k Kind) {
	if c.State == New && c.p.Validation {
		k = Opened
	}
	c.mail(k, Parties)
	c.become(Pending)
	c.await()
}

// await begins the chain of reminders.
func (c *change) await() {
	if c.p.Timers.Reminders == 0 {
		c.due(AutoCloseWarning, c.p.Timers.ReminderAfter)
		return
	}
	c.due(Reminder, c.p.Timers.ReminderAfter)
}

func (c *change) agentWhileResolved() error {
	switch c.e.Type {
	case Reply:
		c.mail(Update, Others)
	case AskInfo, AskDo:
		return Refused("this ticket is resolved: #reopen first")
	case Resolve:
		return Refused("this ticket is resolved already")
	case Reopen:
		c.reopen()
	default:
		return c.unlessClosed()
	}
	return nil
}

func (c *change) agentWhenClosed() error {
	switch c.e.Type {
	case Reopen:
		c.reopen()
		return nil
	case Reply, AskInfo, AskDo:
		return Refused("this ticket is closed: #reopen first")
	case Close:
		return Refused("this ticket is closed already")
	}
	return c.refuse()
}

func (c *change) reopen() {
	c.become(Open)
	c.mail(Reopened, Parties)
}
