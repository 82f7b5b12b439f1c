package ticket

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var everyType = []EventType{Received, OpenedFor, FormSent, Submitted, Joined, PartyRemoved, Categorise, SetUrgency, Escalate,
	TimeSpent, Link, Move, MergedAway, TookOver, Delayed, Answered, Thanked, Approve, Refuse, Withdraw, Arrived, Waits, Validate, Reply,
	AskInfo, AskDo, Reject, Resolve, Close, Reopen, Note, Assign, Accept, Split, AddParty, Deadline, Taken, Failed}

// usual events let histories get far; any others come in between.
var usual = []string{"customer answered", "integrator answered", "follower answered", "customer thanked", "customer approved",
	"customer refused", "customer withdrawn", "integrator approved", "follower waits", "agent validated", "agent replied",
	"agent asked-information", "agent asked-action", "agent resolved", "agent resolved", "agent closed", "agent reopened",
	"agent accepted", "agent split", "agent noted", "customer submitted", "customer joined", "agent escalated",
	"agent moved desk=sales", "agent took-over", "delayed reminder", "deadline lost", "deadline underway", "deadline unreachable", "deadline", "deadline", "deadline", "deadline", "taken auto-close-warning",
	"taken auto-close-warning"}

func drawPolicy(t *rapid.T, mayBeOff bool) Policy {
	timer := func(name string) time.Duration {
		if mayBeOff && rapid.IntRange(0, 4).Draw(t, name+" off") == 0 {
			return Off
		}
		return time.Duration(rapid.Int64Range(1, int64(100*time.Hour)).Draw(t, name))
	}
	return Policy{Intake: rapid.SampledFrom([]Intake{Direct, Form}).Draw(t, "intake"), Validation: rapid.Bool().Draw(t, "validation"),
		Approval: rapid.SampledFrom([]Approval{Assumed, Required}).Draw(t, "approval"),
		Timers: Timers{FormExpires: timer("form"), ReminderAfter: timer("after"), ReminderEvery: timer("every"), AutoCloseAfter: timer("close"),
			Reminders:            rapid.IntRange(0, 4).Draw(t, "reminders"),
			ClosureReminderAfter: timer("closure"), ReopenWithin: timer("reopen")}}
}

func drawEvent(t *rapid.T) Event {
	if rapid.IntRange(0, 3).Draw(t, "usual") != 0 {
		return event(rapid.SampledFrom(usual).Draw(t, "event"))
	}
	return Event{Type: rapid.SampledFrom(everyType).Draw(t, "type"), Role: rapid.SampledFrom(everyRole).Draw(t, "role"),
		Answerable: rapid.Bool().Draw(t, "answerable"), Alone: rapid.Bool().Draw(t, "alone"),
		CustomerSilent: rapid.Bool().Draw(t, "silent"), HasCustomer: rapid.Bool().Draw(t, "customer"),
		Reachable: rapid.Bool().Draw(t, "reachable"), Resolution: rapid.IntRange(0, 2).Draw(t, "resolution"),
		Kind: rapid.SampledFrom([]Kind{Update, Reminder, AutoCloseWarning, FormLink}).Draw(t, "kind"),
		Fate: rapid.SampledFrom([]Fate{Heard, Underway, Lost}).Draw(t, "fate"), Still: rapid.Bool().Draw(t, "still"),
		Button: rapid.Bool().Draw(t, "button"), Into: rapid.Int64Range(0, 8).Draw(t, "into")}
}

// history is a ticket with the time, and what is counted beside it.
type history struct {
	Ticket
	p        Policy
	now      time.Time
	reminded int // in a row, since the parties were asked
}

// begin opens a ticket by mail.
func begin(t *rapid.T, p Policy) *history {
	h := &history{p: p, now: now}
	h.happens(t, event("customer received"))
	return h
}

// pass lets some time go by: none, too little, exactly enough, much too much.
func (h *history) pass(t *rapid.T) {
	switch rapid.IntRange(0, 3).Draw(t, "passes") {
	case 1:
		h.now = h.now.Add(time.Duration(rapid.Int64Range(0, int64(200*time.Hour)).Draw(t, "time")))
	case 2, 3:
		if h.now.Before(h.Deadline) {
			h.now = h.Deadline
		}
	}
}

// happens applies an event and checks what holds for each.
func (h *history) happens(t *rapid.T, e Event) []Effect {
	t.Helper()
	before := h.Ticket
	after, effects, err := Apply(before, e, h.p, h.now)
	again, effectsAgain, errAgain := Apply(before, e, h.p, h.now)
	must := func(ok bool, rule string) {
		t.Helper()
		if !ok {
			t.Fatalf("%s: %s, %+v: %s, %s, %v", rule, show(before), e, show(after), list(effects), err)
		}
	}
	must(after == again && slices.Equal(effects, effectsAgain) && err == errAgain, "Apply is deterministic")
	if err != nil {
		_, refused := err.(Refused)
		must(refused && after == before && effects == nil, "what is refused changes nothing")
		return nil
	}
	h.Ticket = after
	must(after.Version == before.Version+1 && after.Updated.Equal(h.now), "the version grows")
	must(after.State != Closed || after.Deadline.IsZero() && after.Next == "", "nothing is due on a closed ticket")
	must((after.State == Closed) == (after.Closed != ""), "a reason exactly where closed")
	must(after.Deadline.IsZero() == (after.Next == ""), "a deadline has a kind")
	must(after.Stuck == "" || after.Deadline.IsZero(), "what is stuck is not due")
	must((after.FormFor != "") == (after.State == AwaitingForm || after.Closed == Abandoned), "a form is awaited of somebody")
	must(after.Resolution >= before.Resolution && after.Waiting >= 0, "counters")
	if after.State == New || after.State == Open {
		must(after.Deadline.IsZero() && after.Reminders == 0 && !after.Warned, "nothing is due where nobody is asked")
	}
	h.closing(before, e, must)
	h.mails(before, e, effects, must)
	return effects
}

// closing checks who may close a ticket.
func (h *history) closing(before Ticket, e Event, must func(bool, string)) {
	if h.State != Closed || before.State == Closed {
		return
	}
	clock := e.Type == Deadline
	must(!slices.Contains([]EventType{Answered, Joined, Submitted, Thanked, Refuse, Arrived, Waits}, e.Type), "an ordinary answer closes nothing")
	must(clock || !e.Alone || e.Role == Agent, "a Message-ID alone closes nothing")
	must(clock || e.Role != Follower, "a follower closes nothing")
	abandoned := before.State == AwaitingForm && h.Closed == Abandoned
	must(!clock || abandoned || before.Warned && h.p.Timers.AutoCloseAfter != Off, "silence closes after a warning only")
	must(!clock || before.Waiting == 0 && e.Reachable && e.Fate == Heard && !e.Still, "nothing closes unheard")
	if before.State == Resolved && h.p.Approval == Required {
		must(e.Role == Agent || e.Role == Customer || e.Role == Integrator && !e.HasCustomer, "the customer approves")
	}
}

// mails checks the mails that follow an event.
func (h *history) mails(before Ticket, e Event, effects []Effect, must func(bool, string)) {
	if e.Type == AskInfo || e.Type == AskDo || h.State != Pending && h.State != Frozen {
		h.reminded = 0
	}
	for _, f := range effects {
		must(f.Mail != Notification || f.To == Agents && (e.Role != Agent || e.Type == FormSent), "agents are not told what agents did")
		must(f.To != Others || f.Mail == Update, "only an update leaves somebody out")
		must((f.To == Sender) == (f.Mail == FormLink), "the form's link is one person's")
		must(f.Mail == Notification || f.To != Agents, "agents get notifications only")
		if f.Mail == Reminder {
			if e.Fate == Heard || before.State == Pending {
				h.reminded++
			}
			must(f.N == h.reminded && f.M == h.p.Timers.Reminders && f.N <= f.M, "reminders are numbered, and no more than there are")
		}
		must(f.Mail != AutoCloseWarning || h.reminded == h.p.Timers.Reminders || h.State == Resolved, "all reminders before the warning")
		must(before.Waiting == 0 || e.Type != Deadline, "the clock stands still while a mail waits")
	}
	must(len(effects) <= 2, "one mail to parties and one to agents")
}

func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := begin(t, drawPolicy(t, true))
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			h.pass(t)
			h.happens(t, drawEvent(t))
		}
	})
}

// Whatever was before: once parties who can be reached are silent, a ticket
// whose policy closes it is closed in so many steps.
func TestSilenceCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t, false)
		p.Approval = Assumed
		h := begin(t, p)
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			h.pass(t)
			e := drawEvent(t)
			e.Reachable = true
			h.happens(t, e)
		}
		switch h.State {
		case AwaitingForm:
			h.happens(t, event("agent asked-action"))
		case New, Open:
			h.happens(t, event(rapid.SampledFrom([]string{"agent asked-action", "agent resolved"}).Draw(t, "asked")))
		case Closed:
			return
		}
		for range h.Waiting {
			h.happens(t, event("agent split"))
		}
		want := Unanswered
		if h.State == Resolved {
			want = Unconfirmed
		}
		if h.Warned {
			h.happens(t, event("taken auto-close-warning"))
		}
		steps := 0
		for ; h.State != Closed && steps < p.Timers.Reminders+3; steps++ {
			h.now = h.Deadline
			for _, f := range h.happens(t, event("deadline")) {
				if f.Mail == AutoCloseWarning {
					h.happens(t, event("taken auto-close-warning"))
				}
			}
		}
		if h.State != Closed || h.Closed != want {
			t.Fatalf("after %d steps: %s, want closed %s", steps, show(h.Ticket), want)
		}
	})
}

// No ticket at all, however broken, makes Apply panic.
func TestApplyNeverPanics(t *testing.T) {
	states := []State{None, AwaitingForm, New, Open, Pending, Frozen, Resolved, Closed, "unheard-of"}
	kinds := []Kind{"", Reminder, AutoCloseWarning, ClosureReminder, ClosedMail, FormLink, "unheard-of"}
	rapid.Check(t, func(t *rapid.T) {
		before := Ticket{State: rapid.SampledFrom(states).Draw(t, "state"), Next: rapid.SampledFrom(kinds).Draw(t, "next"),
			Deadline:  now.Add(time.Duration(rapid.Int64().Draw(t, "deadline"))),
			Reminders: rapid.IntRange(-1, 9).Draw(t, "reminders"), Warned: rapid.Bool().Draw(t, "warned"),
			Waiting: rapid.IntRange(-1, 2).Draw(t, "waiting"), Resolution: rapid.IntRange(0, 3).Draw(t, "resolution")}
		after, effects, err := Apply(before, drawEvent(t), drawPolicy(t, true), now)
		if err != nil && (after != before || effects != nil) {
			t.Fatalf("refused with %v, but %+v became %+v", err, before, after)
		}
	})
}
