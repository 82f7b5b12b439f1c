package ticket

import (
	"strings"
	"testing"
)

// These are the rows of the table of a ticket's life (design §3). A ticket is
// written as parse reads it; an hour has passed since its last deadline was
// set, so that "in 9h" is an untouched clock and "in 10h" one set anew.

func TestBegin(t *testing.T) {
	row := rows(t, "")
	row("none", "customer received", "new", "acknowledgment>parties notification>agents")
	row("none", "integrator received", "new", "acknowledgment>parties notification>agents")
	row("none", "follower received", "new", "acknowledgment>parties notification>agents")
	row("none", "customer received unanswerable", "new", "notification>agents")
	row("none", "agent opened-for", "open", "opened>parties")
	row("none", "customer opened-for", "refused", "only an agent opens a ticket for somebody")
	row("none", "customer answered", "refused", "a ticket begins with a mail or a form, or is opened by an agent")
	row = rows(t, "validation required")
	row("none", "customer received", "new", "acknowledgment>parties notification>agents")
	row("none", "agent opened-for", "open", "opened>parties")
}

func TestAgentWhileOpen(t *testing.T) {
	const ends = "pending: reminder in 10h"
	row := rows(t, "")
	row("new", "agent validated", "open", "opened>parties")
	row("new", "agent replied", "open", "update>others")
	row("new", "agent rejected", "closed rejected", "rejected>parties")
	row("new", "agent asked-information", ends, "information-request>parties")
	row("new", "agent asked-action", ends, "action-request>parties")
	for _, from := range []string{"open", "pending: reminder in 9h", "frozen 1x: reminder in 19h",
		"frozen 2x: auto-close-warning in 19h", "frozen 2x warned", "frozen 2x warned: closed in 23h"} {
		row(from, "agent replied", from, "update>others")
		row(from, "agent asked-information", ends, "information-request>parties")
		row(from, "agent asked-action", ends, "action-request>parties")
		row(from, "agent resolved", "resolved #1: closure-reminder in 30h", "closure-request>parties")
		row(from, "agent closed", "closed agent", "closed>parties")
		row(from, "agent validated", "refused", "this ticket is open already")
		row(from, "agent rejected", "refused", "only a new ticket can be rejected; use #close")
		row(from, "agent reopened", "refused", "this ticket is not closed")
	}
	row("new", "agent resolved", "resolved #1: closure-reminder in 30h", "closure-request>parties")
	row("new", "agent closed", "closed agent", "closed>parties")
	row("new", "agent reopened", "refused", "this ticket is not closed")
	row("open #3", "agent resolved", "resolved #4: closure-reminder in 30h", "closure-request>parties")

	row = rows(t, "validation")
	row("new", "agent validated", "open", "opened>parties")
	row("new", "agent replied", "open", "opened>parties")
	row("new", "agent asked-information", ends, "opened>parties")
	row("new", "agent asked-action", ends, "opened>parties")
	row("new", "agent resolved", "resolved #1: closure-reminder in 30h", "closure-request>parties")
	row("open", "agent replied", "open", "update>others")
	row("open", "agent asked-information", ends, "information-request>parties")
	row("pending: reminder in 9h", "agent asked-action", ends, "action-request>parties")
}

func TestPartyWhileOpen(t *testing.T) {
	const told = "update>others notification>agents"
	row := rows(t, "")
	for _, from := range []string{"new", "open", "open #1"} {
		for _, e := range []string{"customer answered", "integrator answered", "follower answered", "customer thanked",
			"customer approved", "customer refused", "follower withdrawn", "customer withdrawn alone"} {
			row(from, e, from, told)
		}
	}
	row("new", "customer withdrawn", "closed withdrawn", "closed>parties notification>agents")
	row("open #1", "integrator withdrawn", "closed withdrawn #1", "closed>parties notification>agents")
	for _, from := range []string{"pending: reminder in 9h", "pending", "frozen 1x: reminder in 19h",
		"frozen 2x: auto-close-warning in 19h", "frozen 2x warned", "frozen 2x warned: closed in 23h"} {
		for _, e := range []string{"customer answered", "integrator answered", "follower answered", "customer thanked",
			"customer approved", "customer refused", "follower withdrawn", "customer withdrawn alone"} {
			row(from, e, "open", told)
		}
		row(from, "customer withdrawn", "closed withdrawn", "closed>parties notification>agents")
		row(from, "integrator withdrawn", "closed withdrawn", "closed>parties notification>agents")
	}
}

func TestClockWhileAsked(t *testing.T) {
	row := rows(t, "")
	row("pending: reminder in 0h", "deadline", "frozen 1x: reminder in 20h", "reminder 1/2>parties")
	row("frozen 1x: reminder in 0h", "deadline", "frozen 2x: auto-close-warning in 20h", "reminder 2/2>parties")
	row("frozen 2x: auto-close-warning in 0h", "deadline", "frozen 2x warned", "auto-close-warning>parties")
	row("frozen 2x warned", "taken auto-close-warning", "frozen 2x warned: closed in 24h", "")
	row("frozen 2x warned: closed in 0h", "deadline", "closed unanswered", "closed>parties notification>agents")
	row = rows(t, "reminders=1")
	row("pending: reminder in 0h", "deadline", "frozen 1x: auto-close-warning in 20h", "reminder 1/1>parties")
	row = rows(t, "reminders=0")
	row("open", "agent asked-information", "pending: auto-close-warning in 10h", "information-request>parties")
	row("pending: auto-close-warning in 0h", "deadline", "frozen warned", "auto-close-warning>parties")
	row("frozen warned", "taken auto-close-warning", "frozen warned: closed in 24h", "")
	row("frozen warned: closed in 0h", "deadline", "closed unanswered", "closed>parties notification>agents")
}

func TestAgentWhileResolved(t *testing.T) {
	row := rows(t, "")
	for _, from := range []string{"resolved #1: closure-reminder in 29h", "resolved #1: auto-close-warning in 29h",
		"resolved warned #1", "resolved warned #1: closed in 23h"} {
		row(from, "agent replied", from, "update>others")
		row(from, "agent closed", "closed agent #1", "closed>parties")
		row(from, "agent reopened", "open #1", "reopened>parties")
		row(from, "agent asked-information", "refused", "this ticket is resolved: #reopen first")
		row(from, "agent asked-action", "refused", "this ticket is resolved: #reopen first")
		row(from, "agent resolved", "refused", "this ticket is resolved already")
		row(from, "agent validated", "refused", "a ticket that is resolved cannot be validated")
		row(from, "agent rejected", "refused", "a ticket that is resolved cannot be rejected")
	}
}

func TestPartyWhileResolved(t *testing.T) {
	for _, policy := range []string{"", "required"} {
		row := rows(t, policy)
		for _, from := range []string{"resolved #1: closure-reminder in 29h", "resolved #1: auto-close-warning in 29h",
			"resolved warned #1", "resolved warned #1: closed in 23h"} {
			row(from, "customer approved", "closed approved #1", "closed>parties notification>agents")
			row(from, "customer withdrawn", "closed approved #1", "closed>parties notification>agents")
			row(from, "customer refused", "open #1", "reopened>parties notification>agents")
			row(from, "integrator refused", "open #1", "reopened>parties notification>agents")
			row(from, "customer thanked", from, "notification>agents")
			row(from, "follower thanked", from, "notification>agents")
			row(from, "customer answered", "open #1", "update>others notification>agents")
			row(from, "follower answered", "open #1", "update>others notification>agents")
		}
	}
}

func TestClockWhileResolved(t *testing.T) {
	row := rows(t, "")
	row("resolved #1: closure-reminder in 0h", "deadline", "resolved #1: auto-close-warning in 30h", "closure-reminder>parties")
	row("resolved #1: auto-close-warning in 0h", "deadline", "resolved warned #1", "auto-close-warning>parties")
	row("resolved warned #1", "taken auto-close-warning", "resolved warned #1: closed in 24h", "")
	row("resolved warned #1: closed in 0h", "deadline", "closed unconfirmed #1", "closed>parties notification>agents")
	for _, policy := range []string{"required", "required close=off"} {
		row = rows(t, policy)
		row("resolved #1: closure-reminder in 0h", "deadline", "resolved #1: auto-close-warning in 30h", "closure-reminder>parties")
		row("resolved #1: auto-close-warning in 0h", "deadline", "resolved warned #1", "notification>agents")
		row("resolved warned #1", "taken auto-close-warning", "resolved warned #1", "")
		row("resolved warned #1", "deadline", "refused", "nothing is due")
	}
}

func TestClosed(t *testing.T) {
	row := rows(t, "")
	for _, from := range []string{"closed agent 1h", "closed rejected 1h", "closed withdrawn 1h", "closed approved #1 1h",
		"closed unanswered 1h", "closed unconfirmed #1 1h", "closed agent 500h"} {
		still, open := show(parse(from)), "open"
		if parse(from).Resolution == 1 {
			open = "open #1"
		}
		row(from, "agent reopened", open, "reopened>parties")
		row(from, "agent replied", "refused", "this ticket is closed: #reopen first")
		row(from, "agent asked-information", "refused", "this ticket is closed: #reopen first")
		row(from, "agent asked-action", "refused", "this ticket is closed: #reopen first")
		row(from, "agent closed", "refused", "this ticket is closed already")
		row(from, "agent validated", "refused", "a ticket that is closed cannot be validated")
		row(from, "agent rejected", "refused", "a ticket that is closed cannot be rejected")
		row(from, "agent resolved", "refused", "a ticket that is closed cannot be resolved")
		row(from, "customer thanked", still, "notification>agents")
		row(from, "customer approved", still, "notification>agents")
		row(from, "customer withdrawn", still, "notification>agents")
		row(from, "deadline", "refused", "nothing is due")
	}
	// Within reopen_within, its end included.
	for _, from := range []string{"closed agent 0h", "closed agent 1h", "closed agent 100h", "closed rejected 99h"} {
		row(from, "customer answered", "open", "reopened>parties notification>agents")
		row(from, "follower answered", "open", "reopened>parties notification>agents")
		row(from, "customer refused", "open", "reopened>parties notification>agents")
	}
	for _, from := range []string{"closed agent 100h1ns", "closed withdrawn 101h"} {
		still := show(parse(from))
		row(from, "customer answered", still, "linked-ticket")
		row(from, "follower answered", still, "linked-ticket")
		row(from, "customer refused", still, "linked-ticket")
		row(from, "customer thanked", still, "notification>agents")
	}
	row = rows(t, "reopen=off")
	row("closed agent 0h", "customer answered", "closed agent", "linked-ticket")
	row("closed agent 0h", "customer refused", "closed agent", "linked-ticket")
	row("closed agent -1h", "customer answered", "closed agent", "linked-ticket") // by a gateway whose clock is ahead
}

// In any state, awaiting-form included.
func TestAnyState(t *testing.T) {
	row := rows(t, "")
	for _, from := range lives {
		if from == "none" || strings.Contains(from, "merged") {
			continue
		}
		from = show(parse(from))
		row(from, "agent noted", from, "")
		row(from, "agent assigned agent@example.org", from, "")
		row(from, "agent party-added", from, "")
		row(from, "customer arrived", from, "")
		row(from, "agent arrived", from, "")
		row(from, "failed update", from, "notification>agents")
		row(from, "taken update", from, "")
	}
	got, _, err := Apply(parse("open"), event("agent assigned bob@desk.example"), desk(""), now)
	if err != nil || got.Assignee != "bob@desk.example" {
		t.Errorf("assigned to %q: %v", got.Assignee, err)
	}
}
