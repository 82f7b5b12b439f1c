package ticket

import "time"

// clock is what happens without anybody's act: a deadline that came, and the
// news of a mail that a deadline waits for.
func (c *change) clock() error {
	switch c.e.Type {
	case Taken:
		c.taken()
		return nil
	case Failed:
		c.tell = true
		return nil
	}
	if c.Deadline.IsZero() || c.now.Before(c.Deadline) {
		return Refused("nothing is due")
	}
	if c.Waiting > 0 {
		return Refused("a mail of this ticket waits for an agent: the clock stands still")
	}
	if !c.e.Reachable {
		c.calm() // nothing closes that nobody can hear of; agents are told once
		c.tell = true
		return nil
	}
	return c.step()
}

// step takes the one step that is due.
func (c *change) step() error {
	switch c.Next {
	case Reminder:
		if c.Reminders >= c.p.Timers.Reminders { // the policy has changed
			c.warn()
			return nil
		}
		c.remind()
	case ClosureReminder:
		c.mail(ClosureReminder, Parties)
		c.due(AutoCloseWarning, c.p.Timers.ClosureReminderAfter)
	case AutoCloseWarning:
		c.warn()
	case ClosedMail:
		c.tell = true
		if c.State == Resolved {
			c.close(Unconfirmed)
		} else {
			c.close(Unanswered)
		}
	default:
		return c.refuse()
	}
	return nil
}

func (c *change) remind() {
	c.State = Frozen
	c.Reminders++
	c.effects = append(c.effects, Effect{Mail: Reminder, To: Parties, N: c.Reminders, M: c.p.Timers.Reminders})
	if c.Reminders < c.p.Timers.Reminders {
		c.due(Reminder, c.p.Timers.ReminderEvery)
		return
	}
	c.due(AutoCloseWarning, c.p.Timers.ReminderEvery)
}

// warn announces the closing. The 24 hours begin when the relay has taken the
// warning, not now. Where the solution must be approved nothing closes by
// itself: the agents are told, once.
func (c *change) warn() {
	c.calm()
	if c.mustApprove() {
		c.Warned, c.tell = true, true
		return
	}
	if c.p.Timers.AutoCloseAfter == Off {
		return // the policy has changed
	}
	if c.State == Pending {
		c.State = Frozen
	}
	c.Warned = true
	c.mail(AutoCloseWarning, Parties)
}

// taken begins the last period once the warning is on its way.
func (c *change) taken() {
	closing := c.State == Frozen || c.State == Resolved && c.p.Approval == Assumed
	if c.e.Kind == AutoCloseWarning && c.Warned && closing && c.Deadline.IsZero() {
		c.due(ClosedMail, c.p.Timers.AutoCloseAfter)
	}
}

// again gives the running deadline its full period.
func (c *change) again() { c.due(c.Next, c.period()) }

// period is the timer that leads to the next step.
func (c *change) period() time.Duration {
	t := c.p.Timers
	switch c.Next {
	case ClosedMail:
		return t.AutoCloseAfter
	case Reminder, AutoCloseWarning:
		if c.State == Resolved {
			return t.ClosureReminderAfter
		}
		if c.State == Pending {
			return t.ReminderAfter
		}
		return t.ReminderEvery
	}
	return t.ClosureReminderAfter
}
