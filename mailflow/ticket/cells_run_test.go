package ticket

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// cell is one row of the table for one shape and one event.
type cell struct{ becomes, mails, deadline string }

// expand replaces the names of groups by what they hold.
func expand(words []string, groups map[string]string, sep string) (out []string) {
	for _, w := range words {
		if g, ok := groups[w]; ok {
			out = append(out, expand(strings.Split(g, sep), groups, sep)...)
		} else if w != "" {
			out = append(out, w)
		}
	}
	return out
}

// life is the table for one policy, and all events that it names.
func life(t *testing.T, p Policy) (cells map[[2]string]cell, events []string) {
	cells = map[[2]string]cell{}
	events = strings.Split(others, "; ")
	for _, line := range strings.Split(strings.TrimSpace(table), "\n")[1:] {
		if strings.TrimSpace(line) == "" {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 6 {
			t.Fatalf("%q", line)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		in, what := expand(strings.Fields(f[0]), groups, " "), expand([]string{f[1]}, eventGroups, "; ")
		events = append(events, what...)
		if !holds(t, f[2], p) {
			continue
		}
		for _, shape := range in {
			for _, e := range what {
				at, row := [2]string{shape, e}, cell{f[3], f[4], f[5]}
				if old, twice := cells[at]; twice && old != row {
					t.Fatalf("%v stands twice in the table: %v, %v", at, old, row)
				}
				cells[at] = row
			}
		}
	}
	slices.Sort(events)
	return cells, slices.Compact(events)
}

func holds(t *testing.T, conditions string, p Policy) bool {
	for _, c := range strings.Fields(conditions) {
		is, ok := map[string]bool{"direct": p.Intake == Direct, "form": p.Intake == Form, "validation": p.Validation,
			"plain": !p.Validation, "assumed": p.Approval == Assumed, "required": p.Approval == Required,
			"reminders": p.Timers.Reminders == 2, "none": p.Timers.Reminders == 0,
			"close": p.Timers.AutoCloseAfter != Off, "neverclose": p.Timers.AutoCloseAfter == Off,
			"reopen": p.Timers.ReopenWithin != Off, "noreopen": p.Timers.ReopenWithin == Off}[c]
		if !ok {
			t.Fatalf("no condition %q", c)
		}
		if !is {
			return false
		}
	}
	return true
}

// TestCells looks at every cell: each shape of a ticket, each event, under
// each policy, with the deadline not yet and just due.
func TestCells(t *testing.T) {
	n := 0
	for _, words := range everyPolicy() {
		p := desk(words)
		cells, events := life(t, p)
		for shape, form := range shapes {
			for _, e := range events {
				before := parse(strings.Replace(form, "%", "0h", 1))
				want, listed := cells[[2]string{shape, e}]
				got, effects, err := Apply(before, event(e), p, now)
				n++
				if !listed {
					refusedCell(t, words+": "+shape+", "+e, before, got, effects, err)
					continue
				}
				ticket, mails := want.apply(t, before, event(e), p)
				if err != nil || got != ticket || list(effects) != mails {
					t.Errorf("%s: %s, %s:\n got %s | %s | %v\nwant %s | %s", words, shape, e, show(got), list(effects), err, show(ticket), mails)
				}
			}
		}
		if t.Failed() {
			break // one policy's differences are enough to read
		}
	}
	t.Logf("%d cells", n)
}

func refusedCell(t *testing.T, where string, before, got Ticket, effects []Effect, err error) {
	t.Helper()
	if _, ok := err.(Refused); !ok || got != before || effects != nil || len(err.Error()) < 10 {
		t.Errorf("%s: want refused with a sentence, got %s | %s | %v", where, show(got), list(effects), err)
	}
}

// everyPolicy combines all switches with each timer off.
func everyPolicy() (all []string) {
	for _, intake := range []string{"", "form "} {
		for _, validation := range []string{"", "validation "} {
			for _, approval := range []string{"", "required "} {
				for _, reminders := range []string{"", "reminders=0 "} {
					for _, off := range []string{"", "form=off", "reminder=off", "every=off", "close=off", "closure=off", "reopen=off"} {
						all = append(all, intake+validation+approval+reminders+off)
					}
				}
			}
		}
	}
	return all
}

// apply says what a row makes of a ticket.
func (c cell) apply(t *testing.T, before Ticket, e Event, p Policy) (Ticket, string) {
	t.Helper()
	after := before
	words := strings.Fields(c.becomes)
	if words[0] != "same" {
		next := parse(c.becomes)
		after.State, after.Closed, after.Reminders, after.Warned = next.State, next.Closed, next.Reminders, next.Warned
		after.Invited = next.Invited || after.Invited && words[len(words)-1] == "keep" || next.Closed == Abandoned && before.Invited
		if next.Closed == "keep" {
			after.Closed = ""
		}
		if after.State == Closed {
			after.ClosedAt = now
		}
		if words[len(words)-1] == "+" {
			after.Closed = ""
			after.Resolution++
		}
		if after.State != AwaitingForm && after.Closed != Abandoned {
			after.FormFor = ""
		}
	}
	if before.State == None {
		after.Created = now
		if after.State == AwaitingForm {
			after.FormFor = "customer@example.org"
		}
	}
	booked(&after, e, p)
	var mails []string
	for _, m := range strings.Split(c.mails, ", ") {
		switch {
		case m == "agents":
			m = "notification>agents"
		case m == "form-link":
			m, after.FormAt = "form-link>sender", now
		case m != "" && m != "linked-ticket" && !strings.Contains(m, ">"):
			m += ">parties"
		}
		if m != "" {
			mails = append(mails, m)
		}
	}
	after.Next, after.Deadline = c.due(t, after, before, p)
	after.Updated, after.Version = now, before.Version+1
	return after, strings.Join(mails, " ")
}

// booked is what an event writes down besides the state.
func booked(t *Ticket, e Event, p Policy) {
	switch e.Type {
	case Waits:
		t.Waiting++
	case Assign:
		t.Assignee = e.Assignee
	case TimeSpent:
		t.Spent += 2 * time.Hour
	case Categorise:
		t.Category = "network"
	case SetUrgency:
		t.Urgency = "high"
	case Escalate:
		t.Escalated = true
	case MergedAway:
		t.MergedInto = 8
	case Move:
		t.Desk = "sales"
		never := p.Timers.AutoCloseAfter == Off || p.Approval == Required && t.State == Resolved
		if t.Warned && (t.Next == ClosedMail && never || t.State == Resolved && t.Deadline.IsZero()) {
			t.Warned = false // of a closing that does not come at that desk
		}
	}
}

// due is the deadline that a row names. A timer that is off means no
// deadline, nor one that only leads to it.
func (c cell) due(t *testing.T, after, before Ticket, p Policy) (Kind, time.Time) {
	t.Helper()
	kind, timer, _ := strings.Cut(c.deadline, " ")
	switch c.deadline {
	case "none":
		return "", time.Time{}
	case "same":
		return before.Next, before.Deadline
	case "again":
		if before.Next == "" {
			return "", time.Time{}
		}
		kind, timer = string(before.Next), periodOf(before.State, before.Next)
	case "moved":
		next := before.Next
		if before.Warned && !after.Warned {
			next = AutoCloseWarning
		}
		if next == "" {
			return "", time.Time{}
		}
		kind, timer = string(next), periodOf(before.State, next)
	}
	timers := map[string]time.Duration{"form_expires": p.Timers.FormExpires, "reminder_after": p.Timers.ReminderAfter,
		"reminder_every": p.Timers.ReminderEvery, "auto_close_after": p.Timers.AutoCloseAfter,
		"closure_reminder_after": p.Timers.ClosureReminderAfter}
	d, ok := timers[timer]
	if !ok {
		t.Fatalf("no timer %q in %v", timer, c)
	}
	if d == Off || Kind(kind) == AutoCloseWarning && p.Timers.AutoCloseAfter == Off && (after.State != Resolved || p.Approval != Required) {
		return "", time.Time{}
	}
	return Kind(kind), now.Add(d)
}

// periodOf names the timer that leads to a step.
func periodOf(s State, next Kind) string {
	switch {
	case next == ClosedMail:
		return "auto_close_after"
	case s == AwaitingForm:
		return "form_expires"
	case s == Resolved:
		return "closure_reminder_after"
	case s == Pending:
		return "reminder_after"
	}
	return "reminder_every"
}
