package ticket_test

import "guichet/mailflow/ticket"

// meant: whose approval, refusal or withdrawal counts. What does not is an
// ordinary answer.
func (o *oracle) meant(e ticket.Event) ticket.EventType {
	counts := !e.Alone && (e.Resolution == 0 || e.Resolution == o.solutions)
	switch e.Type {
	case ticket.Approve, ticket.Withdraw:
		if e.Role == ticket.Integrator && o.l.hasCustomer() {
			counts = counts && !o.spoke && !o.needsWord()
		}
		counts = counts && e.Role != ticket.Follower
	case ticket.Refuse:
		counts = counts && e.Role != ticket.Follower
	case ticket.Thanked:
		return e.Type
	default:
		return ticket.Answered
	}
	if !counts {
		o.l.w.count["party: approval that does not count"]++
		return ticket.Answered
	}
	return e.Type
}

func (o *oracle) mayReopen() bool {
	return o.desk.reopen != never && !o.at.After(o.ended.Add(o.desk.reopen))
}

// party is what customers and integrators do.
func (o *oracle) party(e ticket.Event, who *person) bool {
	switch {
	case e.Type == ticket.Arrived:
		return true // out of office never counts
	case e.Type == ticket.Waits:
		o.waiting++
		o.agents()
		return true
	case e.Button && e.Type == ticket.Approve && o.phase != ticket.Resolved,
		e.Button && e.Type == ticket.Refuse && o.phase != ticket.Resolved && (o.phase != ticket.Closed || !o.mayReopen()):
		return false // the page says where it stands
	}
	says := o.meant(e)
	o.spoke = o.spoke || who.role == ticket.Customer
	switch o.phase {
	case ticket.AwaitingForm:
		o.beforeForm(e, says)
	case ticket.Closed:
		o.late(e, who)
	case ticket.Resolved:
		o.onSolution(says)
	default:
		if says == ticket.Withdraw {
			o.ends(ticket.Withdrawn, "closed")
		} else {
			o.answered()
		}
		o.agents()
	}
	return true
}

// answered: an answer from either stops the clock, and goes to the other.
func (o *oracle) answered() {
	if o.phase != ticket.New {
		o.turns(ticket.Open)
	}
	o.mail("update", "others")
}

func (o *oracle) beforeForm(e ticket.Event, says ticket.EventType) {
	switch {
	case e.Type == ticket.Submitted:
		o.formFilled()
	case says == ticket.Withdraw:
		o.ends(ticket.Withdrawn, "closed")
		o.agents()
	default: // it joins; the link again, once a day
		if e.Answerable && !o.at.Before(o.formAt.Add(day)) {
			o.formAt = o.at
			o.mail("form-link", "sender")
		}
		o.resumes()
	}
}

func (o *oracle) formFilled() {
	if o.invited { // an agent had confirmed the fault
		o.turns(ticket.Open)
		o.mail("opened", "parties")
	} else {
		o.turns(ticket.New)
		o.mail("acknowledgment", "parties")
	}
	o.invited = false
	o.agents()
}

func (o *oracle) onSolution(says ticket.EventType) {
	switch says {
	case ticket.Approve, ticket.Withdraw:
		o.ends(ticket.Approved, "closed")
	case ticket.Refuse:
		o.turns(ticket.Open)
		o.mail("reopened", "parties")
	case ticket.Thanked: // neither yes nor no
		o.resumes()
	default:
		o.answered()
	}
	o.agents()
}

// late is a word after the closing.
func (o *oracle) late(e ticket.Event, who *person) {
	switch {
	case o.why == ticket.Abandoned && e.Type == ticket.Submitted:
		o.l.w.count["party: form after it was given up"]++
		o.formFilled()
		return
	case e.Type == ticket.Thanked || e.Type == ticket.Approve || e.Type == ticket.Withdraw:
	case o.why == ticket.Abandoned && who == o.sender:
		o.l.w.count["party: writes after it was given up"]++
		o.awaitForm(who)
	case o.mayReopen():
		o.turns(ticket.Open)
		o.mail("reopened", "parties")
	default:
		o.l.w.count["party: late words open a linked ticket"]++
		o.said = append(o.said, "a linked ticket")
		return
	}
	o.agents()
}

// agent is what agents do; false where it must be refused.
func (o *oracle) agent(e ticket.Event) bool {
	switch e.Type {
	case ticket.Validate, ticket.Reply, ticket.AskInfo, ticket.AskDo, ticket.Resolve, ticket.Reopen, ticket.Reject, ticket.Close:
		done := o.command(e.Type)
		if done && e.Type != ticket.Reject && e.Type != ticket.Close {
			o.spoke = false
		}
		return done
	case ticket.Accept, ticket.Split:
		if o.waiting == 0 {
			return false
		}
		o.waiting--
		if e.Type == ticket.Split {
			o.anew()
		}
	case ticket.AddParty:
		o.resumes()
	case ticket.Categorise:
		o.changes(&o.category, e.Value)
	case ticket.SetUrgency:
		o.changes(&o.urgency, e.Value)
	case ticket.Escalate:
		o.mail("update", "others")
	case ticket.Move, ticket.MergedAway, ticket.TookOver:
		return o.phase != ticket.Closed && o.goesOn(e)
	}
	return true
}

func (o *oracle) changes(what *string, to string) {
	if *what != to {
		*what = to
		o.mail("update", "others")
	}
}

func (o *oracle) goesOn(e ticket.Event) bool {
	switch e.Type {
	case ticket.Move:
		o.mail("moved", "parties")
		o.anew()
	case ticket.MergedAway:
		o.ends(ticket.Merged, "merged")
	case ticket.TookOver:
		o.resumes()
		o.anew()
	}
	return true
}

// anew gives a running clock its full period again.
func (o *oracle) anew() {
	if !o.due.IsZero() {
		o.wait(o.next)
	}
}

func (o *oracle) command(what ticket.EventType) bool {
	isNew, early := o.phase == ticket.New, o.phase == ticket.AwaitingForm
	solved, closed := o.phase == ticket.Resolved, o.phase == ticket.Closed
	opens := early || isNew && o.desk.validated // the parties get *opened*
	switch {
	case what == ticket.Reopen && (solved || closed):
		o.turns(ticket.Open)
		o.mail("reopened", "parties")
	case what == ticket.Reopen || closed:
		return false
	case what == ticket.Close:
		o.ends(ticket.ByAgent, "closed")
	case what == ticket.Reply && opens || what == ticket.Validate && (isNew || early):
		o.turns(ticket.Open)
		o.mail("opened", "parties")
	case what == ticket.Reply:
		if isNew {
			o.turns(ticket.Open)
		}
		o.mail("update", "others")
	case what == ticket.Reject && (isNew || early):
		o.ends(ticket.Rejected, "rejected")
	case what == ticket.Validate || what == ticket.Reject || solved || early && what == ticket.Resolve:
		return false
	case what == ticket.Resolve:
		o.turns(ticket.Resolved)
		o.solutions++
		o.mail("closure-request", "parties")
		o.wait("closure-reminder")
	case opens:
		o.asked("opened")
	case what == ticket.AskInfo:
		o.asked("information-request")
	default:
		o.asked("action-request")
	}
	return true
}
