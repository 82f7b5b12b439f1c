package ticket

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// now is when every event of the tables happens.
var now = time.Date(2025, 11, 21, 14, 5, 0, 0, time.UTC)

// desk reads a policy. Each timer has its own length, so that a deadline shows
// which one set it: reminder 10h, every 20h, close 24h, closure 30h, reopen
// 100h, and two reminders.
func desk(words string) Policy {
	p := Policy{Intake: Direct, Approval: Assumed, Timers: Timers{FormExpires: 72 * time.Hour, ReminderAfter: 10 * time.Hour,
		ReminderEvery: 20 * time.Hour, Reminders: 2, AutoCloseAfter: 24 * time.Hour,
		ClosureReminderAfter: 30 * time.Hour, ReopenWithin: 100 * time.Hour}}
	t := &p.Timers
	off := map[string]*time.Duration{"form=off": &t.FormExpires, "reminder=off": &t.ReminderAfter, "every=off": &t.ReminderEvery,
		"close=off": &t.AutoCloseAfter, "closure=off": &t.ClosureReminderAfter, "reopen=off": &t.ReopenWithin}
	for _, w := range strings.Fields(words) {
		n, isReminders := strings.CutPrefix(w, "reminders=")
		switch {
		case off[w] != nil:
			*off[w] = Off
		case isReminders:
			t.Reminders, _ = strconv.Atoi(n)
		case w == "validation":
			p.Validation = true
		case w == "required":
			p.Approval = Required
		case w == "form":
			p.Intake = Form
		default:
			panic("desk " + w)
		}
	}
	return p
}

// parse reads a ticket as show writes it: the state, and then the reason of
// its closing and how many hours ago that was, "Nx" reminders, "warned", "#N"
// resolutions, "N wait", and what is due: "frozen 1x: reminder in 20h". Where
// a form is awaited, "sent=2h" is when its link was last mailed to the
// customer.
func parse(words string) Ticket {
	head, due, _ := strings.Cut(words, ": ")
	t := Ticket{ID: 7, Number: "INC-7", Desk: "support", Subject: "it fails", Created: now.Add(-999 * time.Hour), Version: 40}
	state, rest, _ := strings.Cut(head, " ")
	if t.State = State(state); state == "none" {
		return Ticket{Desk: "support"}
	}
	if t.State == AwaitingForm || strings.HasPrefix(rest, string(Abandoned)) {
		t.Number, t.FormFor, t.FormAt = "", "customer@example.org", now.Add(-time.Hour)
	}
	number := 0
	for _, w := range strings.Fields(rest) {
		switch {
		case w == "warned":
			t.Warned = true
		case w == "postponed":
			t.Postponed = true
		case w == "invited":
			t.Invited = true
		case strings.HasPrefix(w, "stuck="):
			t.Stuck = Kind(w[len("stuck="):])
		case strings.HasPrefix(w, "sent="):
			t.FormAt = now.Add(-hours(w[len("sent="):]))
		case w == "wait":
			t.Waiting = number
		case w[0] == '#':
			t.Resolution, _ = strconv.Atoi(w[1:])
		case strings.HasSuffix(w, "x"):
			t.Reminders, _ = strconv.Atoi(w[:len(w)-1])
		case strings.HasSuffix(w, "h"):
			t.ClosedAt = now.Add(-hours(w))
		case w[0] >= '0' && w[0] <= '9':
			number, _ = strconv.Atoi(w)
		default:
			t.Closed = Reason(w)
		}
	}
	if kind, in, ok := strings.Cut(due, " in "); ok {
		t.Next, t.Deadline = Kind(kind), now.Add(hours(in))
	}
	return t
}

func hours(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func show(t Ticket) string {
	b := new(strings.Builder)
	b.WriteString(string(t.State))
	say := func(yes bool, format string, args ...any) {
		if yes {
			fmt.Fprintf(b, format, args...)
		}
	}
	say(t.Closed != "", " %s", t.Closed)
	say(t.Reminders != 0, " %dx", t.Reminders)
	say(t.Warned, " warned")
	say(t.Postponed, " postponed")
	say(t.Invited, " invited")
	say(t.Stuck != "", " stuck=%s", t.Stuck)
	say(t.Resolution != 0, " #%d", t.Resolution)
	say(t.Waiting != 0, " %d wait", t.Waiting)
	say(!t.Deadline.IsZero(), ": %s in %gh", t.Next, t.Deadline.Sub(now).Hours())
	say(t.Deadline.IsZero() && t.Next != "", ": %s never", t.Next)
	return b.String()
}

// event reads "ROLE TYPE OPTIONS"; what has no role is the clock's.
func event(words string) Event {
	e := Event{Role: System, Answerable: true, CustomerSilent: true, HasCustomer: true, Reachable: true}
	for i, w := range strings.Fields(words) {
		resolution, isResolution := strings.CutPrefix(w, "#")
		switch {
		case i == 0 && slices.Contains(everyRole, Role(w)):
			e.Role, e.Actor = Role(w), w+"@example.org"
		case e.Type == "":
			e.Type = EventType(w)
		case isResolution:
			e.Resolution, _ = strconv.Atoi(resolution)
		case w == "alone":
			e.Alone = true
		case w == "unanswerable":
			e.Answerable = false
		case w == "customer-spoke":
			e.CustomerSilent = false
		case w == "no-customer":
			e.HasCustomer = false
		case w == "unreachable":
			e.Reachable = false
		case w == "underway" || w == "lost":
			e.Fate = Fate(w)
		case w == "still":
			e.Still = true
		case w == "button":
			e.Button = true
		case w == "linked" && e.Type == Received:
			e.Linked = true
		case w == "words":
			e.Words = true
		case strings.HasPrefix(w, "into="):
			e.Into, _ = strconv.ParseInt(w[len("into="):], 10, 64)
		case strings.HasPrefix(w, "desk="):
			e.Desk = w[len("desk="):]
		case strings.HasPrefix(w, "for="):
			e.For = w[len("for="):]
		case strings.HasPrefix(w, "value="):
			e.Value = w[len("value="):]
		case strings.HasPrefix(w, "spent="):
			e.Spent = hours(w[len("spent="):])
		case strings.Contains(w, "@"):
			e.Assignee = w
		default:
			e.Kind = Kind(w)
		}
	}
	return e
}

var everyRole = []Role{Customer, Integrator, Follower, Agent, System}

// list writes effects as "kind N/M>audience".
func list(effects []Effect) string {
	var out []string
	for _, e := range effects {
		switch {
		case e == OpenLinked:
			out = append(out, "linked-ticket")
		case e.N != 0 || e.M != 0:
			out = append(out, fmt.Sprintf("%s %d/%d>%s", e.Mail, e.N, e.M, e.To))
		default:
			out = append(out, fmt.Sprintf("%s>%s", e.Mail, e.To))
		}
	}
	return strings.Join(out, " ")
}

// rows returns the check of one row: at a desk of that policy, a ticket that
// stands so becomes what is said at an event, and these mails follow. Where it
// becomes "refused", mails is the sentence.
func rows(t *testing.T, policy string) func(from, what, becomes, mails string) {
	p := desk(policy)
	return func(from, what, becomes, mails string) {
		t.Helper()
		before := parse(from)
		after, effects, err := Apply(before, event(what), p, now)
		if becomes == "refused" {
			if err == nil || err.Error() != mails || after != before || effects != nil {
				t.Errorf("%s, %s: %v, %s, %s; want refused: %s", from, what, err, show(after), list(effects), mails)
			}
			return
		}
		if err != nil || show(after) != becomes || list(effects) != mails {
			t.Errorf("%s, %s:\n got %s | %s | %v\nwant %s | %s", from, what, show(after), list(effects), err, becomes, mails)
			return
		}
		if after.Updated != now || after.Version != before.Version+1 {
			t.Errorf("%s, %s: version %d, updated %s", from, what, after.Version, after.Updated)
		}
		if after.State == Closed && before.State != Closed && after.ClosedAt != now {
			t.Errorf("%s, %s: closed at %s", from, what, after.ClosedAt)
		}
		if before.State != None && (after.ID != before.ID || after.Number != before.Number ||
			after.Desk != before.Desk && what[:min(len(what), 11)] != "agent moved" ||
			after.Subject != before.Subject || after.Created != before.Created) {
			t.Errorf("%s, %s: changed more than its state: %+v", from, what, after)
		}
	}
}
