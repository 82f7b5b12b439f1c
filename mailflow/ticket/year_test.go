package ticket_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

const (
	never = time.Duration(-1)
	day   = 24 * time.Hour
)

// procedure is a desk twice: as its people tell it, which the oracle goes by,
// and as the policy that its configuration makes of it.
type procedure struct {
	name      string
	form      bool // a first mail is answered with a form
	validated bool // an agent validates the problem before it is opened
	confirmed bool // only the customer's word closes what is solved

	formGood time.Duration // how long a form is waited for
	first    time.Duration // from our question to the first reminder
	pace     time.Duration // from one reminder to the next
	relances int
	lastDay  time.Duration // from the warning to the closing
	confirm  time.Duration // from the closure request to its reminder
	reopen   time.Duration

	policy ticket.Policy
}

// procedures are the desks of the year.
var procedures = []*procedure{
	{name: "operator", form: true, validated: true,
		formGood: 14 * day, first: day, pace: day, relances: 3, lastDay: day, confirm: day, reopen: 7 * day,
		policy: ticket.Policy{Intake: ticket.Form, Validation: true, Approval: ticket.Assumed, Timers: ticket.Timers{
			FormExpires: 336 * time.Hour, ReminderAfter: 24 * time.Hour, ReminderEvery: 24 * time.Hour, Reminders: 3,
			AutoCloseAfter: 24 * time.Hour, ClosureReminderAfter: 24 * time.Hour, ReopenWithin: 168 * time.Hour}}},
	{name: "vendor", // nothing closes by itself
		formGood: never, first: never, pace: never, lastDay: never, confirm: never, reopen: 30 * day,
		policy: ticket.Policy{Intake: ticket.Direct, Approval: ticket.Assumed, Timers: ticket.Timers{
			FormExpires: ticket.Off, ReminderAfter: ticket.Off, ReminderEvery: ticket.Off, Reminders: 3,
			AutoCloseAfter: ticket.Off, ClosureReminderAfter: ticket.Off, ReopenWithin: 720 * time.Hour}}},
	{name: "provider", form: true, confirmed: true, // reminders are on, the closing is off
		formGood: 30 * day, first: 2 * day, pace: day, relances: 2, lastDay: never, confirm: 3 * day, reopen: 14 * day,
		policy: ticket.Policy{Intake: ticket.Form, Approval: ticket.Required, Timers: ticket.Timers{
			FormExpires: 720 * time.Hour, ReminderAfter: 48 * time.Hour, ReminderEvery: 24 * time.Hour, Reminders: 2,
			AutoCloseAfter: ticket.Off, ClosureReminderAfter: 72 * time.Hour, ReopenWithin: 336 * time.Hour}}},
	{name: "hasty", form: true, // warns without a reminder; what is solved stays so
		formGood: never, first: 2 * day, pace: day, lastDay: 12 * time.Hour, confirm: never, reopen: never,
		policy: ticket.Policy{Intake: ticket.Form, Approval: ticket.Assumed, Timers: ticket.Timers{
			FormExpires: ticket.Off, ReminderAfter: 48 * time.Hour, ReminderEvery: 24 * time.Hour,
			AutoCloseAfter: 12 * time.Hour, ClosureReminderAfter: ticket.Off, ReopenWithin: ticket.Off}}},
}

// A year of four desks: ten thousand tickets of people who answer, forget, are
// away or cannot be reached, mails that are late or come back, and a gateway
// that is down for hours or weeks. What goes out is held against an oracle and
// against what every trace of mails must show.
func TestYear(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			started := time.Now()
			w := newWorld(t, seed)
			w.run(10_000)
			w.finish()
			t.Logf("%d tickets, %d happenings, %v\n%s", len(w.lives), w.happened, time.Since(started).Round(time.Millisecond), w.report())
			for _, want := range occurs {
				if w.count[want] == 0 {
					t.Errorf("in the whole year there was no %q", want)
				}
			}
		})
	}
}

// occurs must each have happened in a year, or it shows nothing.
var occurs = strings.Split(strings.TrimSpace(`
operator: closed abandoned
operator: closed rejected
operator: closed withdrawn
operator: closed approved
operator: closed unanswered
operator: closed unconfirmed
operator: closed agent
operator: closed merged
operator: ends stopped
vendor: closed withdrawn
vendor: closed approved
vendor: closed agent
vendor: ends open
provider: closed abandoned
provider: closed approved
provider: closed withdrawn
provider: ends frozen
provider: ends resolved
hasty: closed unanswered
hasty: closed approved
hasty: ends resolved
mail reminder 1
mail reminder 2
mail reminder 3
mail rejected 0
mail merged 0
mail moved 0
mail closure-reminder 0
mail reopened 0
step: said again, nobody got it
step: waits, the mail is on its way
step: nobody can be reached
step: late
step: refused, a mail waits
step: refused, a mailbox cannot be read
clock: goes on, somebody can be reached
clock: put off, a mail is late
warning: lost
chase: cancelled
party: out of office
party: late words open a linked ticket
party: form after it was given up
party: writes after it was given up
party: approval that does not count
event: refused
`), "\n")

func (w *world) report() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(w.count)) {
		fmt.Fprintf(&b, "%8d  %s\n", w.count[k], k)
	}
	return b.String()
}

// agrees holds the ticket against what the oracle knows of it.
func (o *oracle) agrees(t ticket.Ticket) string {
	switch {
	case t.State != o.phase || t.Closed != o.why:
		return fmt.Sprintf("it must be %s %s", o.phase, o.why)
	case !t.Deadline.Equal(o.due):
		return fmt.Sprintf("what is due (%s) must be due at %v, not %v", o.next, o.due, t.Deadline)
	case (t.Number != "") != o.number:
		return fmt.Sprintf("number %q", t.Number)
	}
	return ""
}

// same compares mails with what the oracle says.
func same(got []ticket.Effect, want []string) bool {
	var mails []string
	for _, f := range got {
		switch {
		case f == ticket.OpenLinked:
			mails = append(mails, "a linked ticket")
		case f.N > 0 || f.M > 0:
			mails = append(mails, fmt.Sprintf("%s > %s, %d of %d", f.Mail, f.To, f.N, f.M))
		default:
			mails = append(mails, fmt.Sprintf("%s > %s", f.Mail, f.To))
		}
	}
	return slices.Equal(mails, want)
}
