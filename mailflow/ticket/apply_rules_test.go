package ticket

import (
	"errors"
	"strings"
	"testing"
)

// Who may approve, refuse and withdraw; everything else is an ordinary answer.
func TestRights(t *testing.T) {
	const (
		resolved = "resolved #2: closure-reminder in 29h"
		closed   = "closed>parties notification>agents"
		answer   = "update>others notification>agents"
	)
	for _, policy := range []string{"", "required"} {
		row := rows(t, policy)
		row(resolved, "customer approved customer-spoke", "closed approved #2", closed)
		row(resolved, "customer approved #2", "closed approved #2", closed)
		row(resolved, "customer refused #2", "open #2", "reopened>parties notification>agents")
		row(resolved, "integrator approved no-customer", "closed approved #2", closed)
		row(resolved, "integrator approved no-customer customer-spoke", "closed approved #2", closed) // who is no party now
		row(resolved, "integrator refused customer-spoke", "open #2", "reopened>parties notification>agents")
		row(resolved, "integrator approved customer-spoke", "open #2", answer)
		row(resolved, "integrator withdrawn customer-spoke", "open #2", answer)
		for _, e := range []string{"approved", "refused", "withdrawn"} {
			row(resolved, "follower "+e, "open #2", answer)
			row(resolved, "follower "+e+" no-customer", "open #2", answer)
			row(resolved, "customer "+e+" alone", "open #2", answer)
			row(resolved, "integrator "+e+" alone no-customer", "open #2", answer)
			row(resolved, "customer "+e+" #1", "open #2", answer)
			row(resolved, "customer "+e+" #3", "open #2", answer)
		}
		row(resolved, "agent approved", "refused", "a ticket that is resolved cannot be approved")
		row(resolved, "system approved", "refused", "only a party of this ticket can answer it")
		row("open", "customer withdrawn customer-spoke", "closed withdrawn", closed)
		row("open", "integrator withdrawn customer-spoke", "open", answer)
		row("open", "integrator withdrawn no-customer", "closed withdrawn", closed)
		row("pending: reminder in 9h", "integrator withdrawn customer-spoke", "open", answer)
		row("closed agent #2 1h", "customer refused #1", "open #2", "reopened>parties notification>agents")
	}
	row := rows(t, "")
	row(resolved, "integrator approved", "closed approved #2", closed)
	row(resolved, "integrator withdrawn", "closed approved #2", closed)
	row = rows(t, "required")
	row(resolved, "integrator approved", "open #2", answer)
	row(resolved, "integrator withdrawn", "open #2", answer)
}

func TestTimersOff(t *testing.T) {
	row := rows(t, "reminder=off")
	row("open", "agent asked-information", "pending", "information-request>parties")
	row = rows(t, "reminder=off reminders=0")
	row("open", "agent asked-action", "pending", "action-request>parties")
	row = rows(t, "every=off")
	row("pending: reminder in 0h", "deadline", "frozen 1x", "reminder 1/2>parties")
	row = rows(t, "closure=off")
	row("open", "agent resolved", "resolved #1", "closure-request>parties")
	row("resolved #1: closure-reminder in 0h", "deadline", "resolved #1", "closure-reminder>parties")
	// Nothing warns of a closing that does not come.
	row = rows(t, "close=off")
	row("frozen 1x: reminder in 0h", "deadline", "frozen 2x", "reminder 2/2>parties")
	row("resolved #1: closure-reminder in 0h", "deadline", "resolved #1", "closure-reminder>parties")
	row = rows(t, "close=off reminders=0")
	row("open", "agent asked-information", "pending", "information-request>parties")
}

// A ticket keeps its deadline when its desk's policy changes under it.
func TestPolicyChanged(t *testing.T) {
	row := rows(t, "reminders=1")
	row("frozen 1x: reminder in 0h", "deadline", "frozen 1x warned", "auto-close-warning>parties")
	row = rows(t, "reminders=0")
	row("pending: reminder in 0h", "deadline", "frozen warned", "auto-close-warning>parties")
	row = rows(t, "close=off")
	row("frozen 2x: auto-close-warning in 0h", "deadline", "frozen 2x", "")
	row("resolved #1: auto-close-warning in 0h", "deadline", "resolved #1", "")
	row("frozen 2x warned", "taken auto-close-warning", "frozen 2x warned", "")
	row = rows(t, "close=off reminders=0")
	row("pending: auto-close-warning in 0h", "deadline", "pending", "")
}

// The last period begins when the relay has taken the warning, and once.
func TestTaken(t *testing.T) {
	row := rows(t, "")
	for _, from := range []string{"frozen 2x warned: closed in 23h", "resolved warned #1: closed in 23h", "frozen 1x", "resolved #1", "open",
		"pending: reminder in 9h", "frozen 1x: reminder in 19h", "resolved #1: closure-reminder in 29h", "closed agent"} {
		row(from, "taken auto-close-warning", from, "")
	}
	row("frozen 2x warned", "taken reminder", "frozen 2x warned", "")
	row("frozen 2x warned", "deadline", "refused", "nothing is due")
	row("frozen 2x warned", "failed auto-close-warning", "frozen 2x warned", "notification>agents")
}

// Not too early, and not where nobody can be reached.
func TestDeadline(t *testing.T) {
	row := rows(t, "")
	row("pending: reminder in 1ns", "deadline", "refused", "nothing is due")
	row("pending: reminder in -48h", "deadline", "frozen 1x: reminder in 20h", "reminder 1/2>parties")
	row("open", "deadline", "refused", "nothing is due")
}

// While a mail waits for an agent the clock stands still.
func TestWaiting(t *testing.T) {
	const still = "a mail of this ticket waits for an agent: the clock stands still"
	row := rows(t, "")
	row("open", "customer waits", "open 1 wait", "notification>agents")
	row("open", "agent waits", "open 1 wait", "")
	row("pending 1 wait: reminder in 9h", "follower waits", "pending 2 wait: reminder in 9h", "notification>agents")
	row("closed agent 1h", "follower waits", "closed agent 1 wait", "notification>agents")
	for _, due := range []string{"pending 1 wait: reminder in %", "frozen 2x 1 wait: auto-close-warning in %",
		"frozen 2x warned 1 wait: closed in %", "resolved #1 2 wait: closure-reminder in %"} {
		row(strings.Replace(due, "%", "0h", 1), "deadline", "refused", still)
		row(strings.Replace(due, "%", "-48h", 1), "deadline unreachable", "refused", still)
	}
	// Splitting gives the full period again.
	row("open 1 wait", "agent split", "open", "")
	row("pending 1 wait: reminder in -5h", "agent split", "pending: reminder in 10h", "")
	row("pending 2 wait: reminder in -5h", "agent split", "pending 1 wait: reminder in 10h", "")
	row("frozen 1x 1 wait: reminder in 1h", "agent split", "frozen 1x: reminder in 20h", "")
	row("frozen 2x 1 wait: auto-close-warning in 1h", "agent split", "frozen 2x: auto-close-warning in 20h", "")
	row("frozen 2x warned 1 wait", "agent split", "frozen 2x warned", "")
	row("frozen 2x warned 1 wait: closed in 1h", "agent split", "frozen 2x warned: closed in 24h", "")
	row("resolved #1 1 wait: closure-reminder in 1h", "agent split", "resolved #1: closure-reminder in 30h", "")
	row("resolved #1 1 wait: auto-close-warning in 1h", "agent split", "resolved #1: auto-close-warning in 30h", "")
	row("resolved warned #1 1 wait: closed in 1h", "agent split", "resolved warned #1: closed in 24h", "")
	// What is accepted follows as its party's answer.
	row("pending 1 wait: reminder in -5h", "agent accepted", "pending: reminder in -5h", "")
	row("closed agent 1 wait 1h", "agent accepted", "closed agent", "")
	for _, e := range []string{"agent accepted", "agent split"} {
		row("open", e, "refused", "no mail of this ticket waits for an agent")
	}
	row = rows(t, "reminders=0")
	row("pending 1 wait: auto-close-warning in 1h", "agent split", "pending: auto-close-warning in 10h", "")
	row = rows(t, "reminder=off")
	row("pending 1 wait: reminder in 1h", "agent split", "pending", "")
}

// lives are the shapes that a ticket can have, each with its step due.
var lives = []string{"none", "awaiting-form", "awaiting-form: form-link in 0h", "new", "open", "open #1",
	"pending", "pending: reminder in 0h", "pending: auto-close-warning in 0h",
	"frozen 1x", "frozen 1x: reminder in 0h", "frozen 2x: auto-close-warning in 0h", "frozen 2x warned", "frozen 2x warned: closed in 0h",
	"resolved #1", "resolved #1: closure-reminder in 0h", "resolved #1: auto-close-warning in 0h", "resolved warned #1",
	"resolved warned #1: closed in 0h",
	"closed agent 1h", "closed rejected 500h", "closed approved #1 1h", "closed merged 1h"}

// matrix says who may bring which event in which state: p a party, a an agent,
// * whoever it is. The rest is refused.
const matrix = `
                   none awaiting-form new open pending frozen resolved closed
received           *    .             .   .    .       .      .        .
opened-for         a    .             .   .    .       .      .        .
form-sent          a    .             .   .    .       .      .        .
submitted          p    p             p   p    p       p      p        p
joined             .    p             p   p    p       p      p        p
answered           .    p             p   p    p       p      p        p
thanked            .    p             p   p    p       p      p        p
approved           .    p             p   p    p       p      p        p
refused            .    p             p   p    p       p      p        p
withdrawn          .    p             p   p    p       p      p        p
arrived            .    *             *   *    *       *      *        *
waits              .    *             *   *    *       *      *        *
validated          .    a             a   .    .       .      .        .
replied            .    a             a   a    a       a      a        .
asked-information  .    a             a   a    a       a      .        .
asked-action       .    a             a   a    a       a      .        .
rejected           .    a             a   .    .       .      .        .
resolved           .    .             a   a    a       a      .        .
closed             .    a             a   a    a       a      a        .
reopened           .    .             .   .    .       .      a        a
moved              .    a             a   a    a       a      a        .
merged             .    a             a   a    a       a      a        .
took-over          .    a             a   a    a       a      a        .
noted              .    a             a   a    a       a      a        a
assigned           .    a             a   a    a       a      a        a
accepted           .    a             a   a    a       a      a        a
split              .    a             a   a    a       a      a        a
party-added        .    a             a   a    a       a      a        a
party-removed      .    a             a   a    a       a      a        a
categorised        .    a             a   a    a       a      a        a
urgency-set        .    a             a   a    a       a      a        a
escalated          .    a             a   a    a       a      a        a
time-spent         .    a             a   a    a       a      a        a
linked             .    a             a   a    a       a      a        a
deadline           .    *             .   .    *       *      *        .
taken              .    *             *   *    *       *      *        *
failed             .    *             *   *    *       *      *        *
delayed            .    *             *   *    *       *      *        *
unheard-of         .    .             .   .    .       .      .        .`

// Every pair of state and event is in the table or refused, whoever brings it
// under whatever policy.
func TestTotal(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	states := strings.Fields(lines[0])
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		for i, who := range cells[1:] {
			for _, role := range append(everyRole, "", "unheard-of") {
				party := role == Customer || role == Integrator || role == Follower
				want := who == "*" || who == "a" && role == Agent || who == "p" && party
				if got := accepted(t, states[i], EventType(cells[0]), role); got != want {
					t.Errorf("%s, %q %s: accepted %v", states[i], role, cells[0], got)
				}
			}
		}
	}
	row := rows(t, "")
	row("unheard-of", "customer answered", "refused", "a ticket that is unheard-of cannot be answered")
	row("unheard-of", "agent resolved", "refused", "a ticket that is unheard-of cannot be resolved")
	row("open: moved in 0h", "deadline", "refused", "a ticket that is open cannot be deadline")
}

// accepted says whether some ticket of a state takes an event, and that each
// that does not is refused with a sentence and stays as it is.
func accepted(t *testing.T, state string, typ EventType, role Role) (some bool) {
	t.Helper()
	e := event("system x")
	e.Type, e.Role, e.Into = typ, role, 8
	for _, life := range lives {
		if !strings.HasPrefix(life, state) {
			continue
		}
		for _, policy := range []string{"", "validation", "required", "reminders=0", "close=off", "reopen=off"} {
			for waiting := range 2 {
				before, p := parse(life), desk(policy)
				before.Waiting = waiting
				after, effects, err := Apply(before, e, p, now)
				some = some || err == nil
				var refused Refused
				if err != nil && (!errors.As(err, &refused) || len(refused) < 10 || after != before || effects != nil) {
					t.Errorf("%s, %q %s: refused with %v, %v, %v", life, role, typ, err, show(after), effects)
				}
			}
		}
	}
	return some
}
