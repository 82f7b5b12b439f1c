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
		c.failed()
		return nil
	case Delayed:
		c.delayed()
		return nil
	}
	switch {
	case c.Deadline.IsZero() || c.now.Before(c.Deadline):
		return Refused("nothing is due")
	case c.Waiting > 0:
		return Refused("a mail of this ticket waits for an agent: the clock stands still")
	case c.e.Still:
		return Refused("a mail of this ticket is held, or its mailbox cannot be read: the clock stands still")
	case !c.e.Reachable:
		c.stick(c.Next) // nothing closes that nobody can hear of; agents are told once
		return nil
	}
	return c.step()
}

// stick stops the clock until a party can be reached.
func (c *change) stick(step Kind) {
	c.calm()
	c.Stuck, c.tell = step, true
}

// resume takes the clock up again where it had stopped because nobody could
// be reached. A warning that nobody got stays marked, so that it is what is
// said again, not the reminder before it.
func (c *change) resume() {
	if c.Stuck == "" {
		return
	}
	c.Next = c.Stuck
	c.again()
}

// step takes the one step that is due. It follows a mail of ours: where that
// is still on its way the step waits, and where it was lost it is said again.
func (c *change) step() error {
	c.Postponed = false
	switch {
	case c.e.Fate == Underway:
		c.again()
		return nil
	case c.e.Fate == Lost && c.repeat():
		return nil
	}
	switch c.Next {
	case FormLink:
		c.end(Abandoned)
	case Reminder:
		if c.Reminders >= c.p.Timers.Reminders { // the policy has changed
			c.warn()
			return nil
		}
		c.Reminders++
		c.remind()
	case ClosureReminder:
		c.mail(ClosureReminder, Parties)
		c.due(AutoCloseWarning, c.p.Timers.ClosureReminderAfter)
	case AutoCloseWarning:
		c.warn()
	case ClosedMail:
		c.silent()
	default:
		return c.refuse()
	}
	return nil
}

// silent closes a ticket of which nobody has said a word.
func (c *change) silent() {
	c.tell = true
	switch {
	case c.mustApprove(): // the policy has changed
		c.warn()
	case c.State == Resolved:
		c.close(Unconfirmed)
	default:
		c.close(Unanswered)
	}
}

// repeat says again what nobody got, under the same number; false where it is
// no reminder or warning, and the step that is due says it, too.
func (c *change) repeat() bool {
	switch {
	case c.Next == FormLink:
		c.sendForm()
	case c.Warned:
		c.warn()
	case c.State == Resolved && c.Next == AutoCloseWarning:
		c.mail(ClosureReminder, Parties)
		c.again()
	case c.State == Frozen && c.Reminders > 0 && c.Reminders <= c.p.Timers.Reminders:
		c.remind()
	default:
		return false
	}
	return true
}

func (c *change) remind() {
	c.State = Frozen
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

// awaitsTaken: the warning is out, and nothing is due before the relay has
// taken it.
func (c *change) awaitsTaken() bool {
	return c.Warned && c.Deadline.IsZero() && c.Stuck == "" && (c.State == Frozen || c.State == Resolved && !c.mustApprove())
}

// taken begins the last period once the warning is on its way. Any mail that
// is taken shows that somebody can be reached again.
func (c *change) taken() {
	if c.e.Kind == AutoCloseWarning && c.awaitsTaken() {
		c.due(ClosedMail, c.p.Timers.AutoCloseAfter)
		return
	}
	if c.e.Reachable {
		c.resume()
	}
}

// failed is a mail that did not arrive. Where it was the last copy of a
// warning, the warning was not given.
func (c *change) failed() {
	c.tell = true
	if c.e.Kind != AutoCloseWarning || c.e.Fate != Lost || !c.awaitsTaken() {
		return
	}
	c.stick(AutoCloseWarning)
	if c.e.Reachable {
		c.resume()
	}
}

// delayed postpones the step that follows a mail, once.
func (c *change) delayed() {
	if c.Postponed || c.Deadline.IsZero() || !c.follows(c.e.Kind) {
		return
	}
	c.again()
	c.Postponed = !c.Deadline.IsZero()
}

// follows says whether the deadline follows a mail of that kind.
func (c *change) follows(k Kind) bool {
	switch {
	case c.Warned:
		return k == AutoCloseWarning
	case c.State == AwaitingForm:
		return k == FormLink
	case c.State == Pending:
		return k == InformationRequest || k == ActionRequest || k == Opened
	case c.State == Frozen:
		return k == Reminder
	case c.State == Resolved:
		return k == ClosureRequest || k == ClosureReminder
	}
	return false
}

// again gives the running deadline its full period.
func (c *change) again() { c.due(c.Next, c.period()) }

// following is the step that comes next as the ticket stands, where none was
// due because a timer was off.
func (c *change) following() Kind {
	switch {
	case c.Stuck != "" || c.Warned:
	case c.State == AwaitingForm:
		return FormLink
	case c.State == Resolved:
		return ClosureReminder
	case (c.State == Pending || c.State == Frozen) && c.Reminders < c.p.Timers.Reminders:
		return Reminder
	case c.State == Pending || c.State == Frozen:
		return AutoCloseWarning
	}
	return ""
}

// period is the timer that leads to the next step.
func (c *change) period() time.Duration {
	t := c.p.Timers
	switch c.Next {
	case FormLink:
		return t.FormExpires
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
