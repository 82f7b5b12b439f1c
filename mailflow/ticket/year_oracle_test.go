package ticket_test

import (
	"fmt"
	"time"

	"guichet/mailflow/ticket"
)

// oracle says what a desk's procedure makes of each happening. It is written
// from the procedures and the table of mails, and from nothing of the rules'
// code; it looks at the desk as its people tell it, never at the policy.
type oracle struct {
	desk *procedure
	l    *life     // its people and letters: the facts
	at   time.Time // of the happening
	said []string  // the mails that must go out now

	phase  ticket.State
	why    ticket.Reason
	ended  time.Time
	number bool

	next     string // the step that is due: give-up, reminder, closure-reminder, warning or close
	due      time.Time
	putOff   bool   // a report of a delay did so, once
	stopped  string // the step that nobody could have heard of
	reminded int
	warned   bool
	waiting  int

	sender    *person // whose form is awaited
	invited   bool
	formAt    time.Time
	solutions int
	spoke     bool // the customer, since the agents' last words
	category  string
	urgency   string
}

// expects is what must follow from an event; ok is false where it must be
// refused.
func (o *oracle) expects(e ticket.Event, who *person) (said []string, ok bool) {
	o.at, o.said = o.l.w.now, nil
	switch {
	case o.phase == ticket.None:
		o.begins(e, who)
		ok = true
	case e.Type == ticket.Deadline:
		ok = o.step(e)
	case e.Role == ticket.System:
		o.news(e)
		ok = true
	case o.why == ticket.Merged:
		ok = e.Type == ticket.Arrived
	case e.Role == ticket.Agent:
		ok = o.agent(e)
	default:
		ok = o.party(e, who)
	}
	o.number = o.number || o.phase != ticket.AwaitingForm && o.phase != ticket.Closed
	return o.said, ok
}

func (o *oracle) mail(kind ticket.Kind, to string) {
	o.said = append(o.said, fmt.Sprintf("%s > %s", kind, to))
}

func (o *oracle) agents() { o.mail("notification", "agents") }

// begins: items 1 of the desks, and an agent who opens or sends the form.
func (o *oracle) begins(e ticket.Event, who *person) {
	switch {
	case e.Type == ticket.OpenedFor:
		o.phase = ticket.Open
		o.mail("opened", "parties")
		return
	case e.Type == ticket.FormSent:
		o.invited = true
		o.awaitForm(who)
		o.agents()
		return
	case e.Type == ticket.Submitted: // signed in
		o.phase = ticket.New
		o.mail("acknowledgment", "parties")
	case o.desk.form && e.Answerable && !e.Linked:
		o.awaitForm(who)
	default:
		o.phase = ticket.New
		if e.Answerable {
			o.mail("acknowledgment", "parties")
		}
	}
	o.spoke = who.role == ticket.Customer
	o.agents()
}

func (o *oracle) awaitForm(who *person) {
	o.phase, o.why, o.sender, o.formAt = ticket.AwaitingForm, "", who, o.at
	o.mail("form-link", "sender")
	o.wait("give-up")
}

// wait begins the full period before a step, unless the desk does not take it.
// A desk that does not close does not warn, either.
func (o *oracle) wait(step string) {
	o.still()
	period := o.period(step)
	if period == never || step == "warning" && o.desk.lastDay == never && !o.needsWord() {
		return
	}
	o.next, o.due = step, o.at.Add(period)
}

func (o *oracle) period(step string) time.Duration {
	switch {
	case step == "give-up":
		return o.desk.formGood
	case step == "close":
		return o.desk.lastDay
	case o.phase == ticket.Resolved:
		return o.desk.confirm
	case o.phase == ticket.Pending:
		return o.desk.first
	}
	return o.desk.pace
}

// still: nothing is due.
func (o *oracle) still() { o.next, o.due, o.putOff, o.stopped = "", time.Time{}, false, "" }

// turns takes the ticket to another phase, in which no clock runs yet.
func (o *oracle) turns(to ticket.State) {
	o.phase, o.why, o.reminded, o.warned = to, "", 0, false
	o.sender, o.invited = nil, false
	o.still()
}

func (o *oracle) ends(why ticket.Reason, kind ticket.Kind) {
	sender, invited := o.sender, o.invited
	o.turns(ticket.Closed)
	o.why, o.ended = why, o.at
	if why == ticket.Abandoned {
		o.sender, o.invited = sender, invited
	}
	if kind != "" {
		o.mail(kind, "parties")
	}
}

// needsWord: silence never closes it.
func (o *oracle) needsWord() bool { return o.phase == ticket.Resolved && o.desk.confirmed }

// asked is an information or action request: item 4.
func (o *oracle) asked(kind ticket.Kind) {
	o.mail(kind, "parties")
	o.turns(ticket.Pending)
	if o.desk.relances == 0 {
		o.wait("warning")
		return
	}
	o.wait("reminder")
}

// step is the clock's: items 5 and 6.
func (o *oracle) step(e ticket.Event) bool {
	switch {
	case o.due.IsZero() || o.at.Before(o.due) || o.waiting > 0 || e.Still:
		return false
	case !o.l.reachable():
		step := o.next
		o.still()
		o.stopped = step
		o.agents()
		o.l.w.count["step: nobody can be reached"]++
		return true
	}
	o.putOff = false
	switch o.l.heard() {
	case ticket.Underway:
		o.l.w.count["step: waits, the mail is on its way"]++
		o.wait(o.next)
		return true
	case ticket.Lost:
		if o.again() {
			o.l.w.count["step: said again, nobody got it"]++
			return true
		}
	}
	o.takes()
	return true
}

func (o *oracle) takes() {
	switch o.next {
	case "give-up": // no mail, and no number was used
		o.ends(ticket.Abandoned, "")
	case "reminder":
		o.reminded++
		o.reminds()
	case "closure-reminder":
		o.mail("closure-reminder", "parties")
		o.wait("warning")
	case "warning":
		o.warns()
	case "close":
		if o.phase == ticket.Resolved {
			o.ends(ticket.Unconfirmed, "closed")
		} else {
			o.ends(ticket.Unanswered, "closed")
		}
		o.agents()
	}
}

// again: what nobody got did not count; it is said once more.
func (o *oracle) again() bool {
	switch o.l.asking().kind {
	case "form-link":
		o.mail("form-link", "sender")
		o.formAt = o.at
		o.wait("give-up")
	case "reminder":
		o.reminds()
	case "closure-reminder":
		o.mail("closure-reminder", "parties")
		o.wait("warning")
	case "auto-close-warning":
		o.warns()
	default:
		return false
	}
	return true
}

// reminds: the ticket is frozen from the first reminder on, and the warning
// follows the last.
func (o *oracle) reminds() {
	o.phase = ticket.Frozen
	o.mail("reminder", fmt.Sprintf("parties, %d of %d", o.reminded, o.desk.relances))
	if o.reminded == o.desk.relances {
		o.wait("warning")
		return
	}
	o.wait("reminder")
}

// warns: the last day begins when the warning was taken. Where only the
// customer's word closes, the agents are told instead.
func (o *oracle) warns() {
	o.still()
	o.warned = true
	if o.needsWord() {
		o.agents()
		return
	}
	if o.phase == ticket.Pending {
		o.phase = ticket.Frozen
	}
	o.mail("auto-close-warning", "parties")
}

// news is what became of a mail of ours.
func (o *oracle) news(e ticket.Event) {
	given := o.warned && o.due.IsZero() && o.stopped == "" && !o.needsWord() // not yet taken
	switch e.Type {
	case ticket.Taken:
		if e.Kind == "auto-close-warning" && given {
			o.wait("close")
		} else if o.l.reachable() {
			o.resumes()
		}
	case ticket.Failed:
		o.agents()
		if e.Kind == "auto-close-warning" && given && o.l.heard() == ticket.Lost {
			o.l.w.count["warning: lost"]++
			o.stopped = "warning"
			if o.l.reachable() {
				o.resumes()
			}
		}
	case ticket.Delayed:
		if !o.due.IsZero() && !o.putOff {
			o.l.w.count["clock: put off, a mail is late"]++
			o.wait(o.next)
			o.putOff = true
		}
	}
}

// resumes: somebody can be reached again.
func (o *oracle) resumes() {
	if o.stopped == "" {
		return
	}
	o.l.w.count["clock: goes on, somebody can be reached"]++
	o.wait(o.stopped)
}
