package ticket

// agent is what agents do. Their own acts are not notified to them.
func (c *change) agent() error {
	switch c.e.Type {
	case Note, AddParty, Arrived:
		return nil
	case Waits:
		c.Waiting++
		return nil
	case Assign:
		c.Assignee = c.e.Assignee
		return nil
	case Accept, Split:
		return c.settle()
	}
	switch c.State {
	case New, Open, Pending, Frozen:
		return c.agentWhileOpen()
	case Resolved:
		return c.agentWhileResolved()
	case Closed:
		return c.agentWhenClosed()
	}
	return c.refuse()
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
		c.restart()
		c.State, c.Closed, c.ClosedAt = Closed, Rejected, c.now
		c.mail(RejectedMail, Parties)
	case Resolve:
		c.restart()
		c.State = Resolved
		c.Resolution++
		c.mail(ClosureRequest, Parties)
		c.due(ClosureReminder, c.p.Timers.ClosureReminderAfter)
	case Close:
		c.close(ByAgent)
	case Reopen:
		return Refused("this ticket is not closed")
	default:
		return c.refuse()
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
		c.mail(Opened, Parties)
	} else {
		c.mail(k, Parties)
	}
	c.restart()
	c.State = Pending
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
	case Close:
		c.close(ByAgent)
	case Reopen:
		c.reopen()
	default:
		return c.refuse()
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
	c.restart()
	c.State, c.Closed = Open, ""
	c.mail(Reopened, Parties)
}
