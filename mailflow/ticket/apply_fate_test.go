package ticket

import "testing"

// A reminder counts at the next deadline unless it was lost or is still on
// its way.
func TestFate(t *testing.T) {
	row := rows(t, "")
	const first = "frozen 1x: reminder in 0h"
	row(first, "deadline", "frozen 2x: auto-close-warning in 20h", "reminder 2/2>parties")
	row(first, "deadline lost", "frozen 1x: reminder in 20h", "reminder 1/2>parties")
	row(first, "deadline underway", "frozen 1x: reminder in 20h", "")
	row("frozen 2x: auto-close-warning in 0h", "deadline lost", "frozen 2x: auto-close-warning in 20h", "reminder 2/2>parties")
	row("frozen 2x: auto-close-warning in 0h", "deadline underway", "frozen 2x: auto-close-warning in 20h", "")
	row("resolved #1: auto-close-warning in 0h", "deadline lost", "resolved #1: auto-close-warning in 30h", "closure-reminder>parties")
	row("resolved #1: auto-close-warning in 0h", "deadline underway", "resolved #1: auto-close-warning in 30h", "")
	// Of a lost request the reminder tells, too.
	row("pending: reminder in 0h", "deadline lost", "frozen 1x: reminder in 20h", "reminder 1/2>parties")
	row("pending: reminder in 0h", "deadline underway", "pending: reminder in 10h", "")
	row("resolved #1: closure-reminder in 0h", "deadline lost", "resolved #1: auto-close-warning in 30h", "closure-reminder>parties")
	// Nothing closes after a warning that came back.
	row("frozen 2x warned: closed in 0h", "deadline lost", "frozen 2x warned", "auto-close-warning>parties")
	row("resolved #1 warned: closed in 0h", "deadline lost", "resolved warned #1", "auto-close-warning>parties")
	row("awaiting-form: form-link in 0h", "deadline lost", "awaiting-form: form-link in 72h", "form-link>sender")
	row("awaiting-form: form-link in 0h", "deadline underway", "awaiting-form: form-link in 72h", "")
	row = rows(t, "reminders=1") // it was 2
	row("frozen 2x: auto-close-warning in 0h", "deadline lost", "frozen 2x warned", "auto-close-warning>parties")
}

// The delay of the mail that a deadline follows postpones once a step.
func TestDelayed(t *testing.T) {
	row := rows(t, "")
	row("frozen 1x: reminder in 1h", "delayed reminder", "frozen 1x postponed: reminder in 20h", "")
	row("frozen 1x postponed: reminder in 1h", "delayed reminder", "frozen 1x postponed: reminder in 1h", "")
	row("frozen 1x postponed: reminder in 0h", "deadline", "frozen 2x: auto-close-warning in 20h", "reminder 2/2>parties")
	row("frozen 1x: reminder in 1h", "delayed update", "frozen 1x: reminder in 1h", "")
	row("frozen 2x warned: closed in 1h", "delayed auto-close-warning", "frozen 2x warned postponed: closed in 24h", "")
	row("frozen 2x warned: closed in 1h", "delayed reminder", "frozen 2x warned: closed in 1h", "")
	row("frozen 2x warned", "delayed auto-close-warning", "frozen 2x warned", "")
	row("pending: reminder in 1h", "delayed action-request", "pending postponed: reminder in 10h", "")
	row("resolved #1: closure-reminder in 1h", "delayed closure-request", "resolved postponed #1: closure-reminder in 30h", "")
	row("awaiting-form: form-link in 1h", "delayed form-link", "awaiting-form postponed: form-link in 72h", "")
	row("open", "delayed update", "open", "")
	row("closed agent 1h", "delayed closed", "closed agent", "")
	for _, e := range []string{"customer answered", "agent asked-action", "agent resolved"} {
		got, _, err := Apply(parse("frozen 1x postponed: reminder in 1h"), event(e), desk(""), now)
		if err != nil || got.Postponed {
			t.Errorf("%s: %s, %v", e, show(got), err)
		}
	}
}

// Where nobody can be reached the clock stops, agents are told once, and it
// goes on once somebody can.
func TestStuck(t *testing.T) {
	row := rows(t, "")
	due := map[string]string{
		"pending: reminder in 0h":               "pending stuck=reminder",
		"frozen 1x: reminder in 0h":             "frozen 1x stuck=reminder",
		"frozen 2x: auto-close-warning in 0h":   "frozen 2x stuck=auto-close-warning",
		"frozen 2x warned: closed in 0h":        "frozen 2x warned stuck=closed",
		"resolved #1: closure-reminder in 0h":   "resolved stuck=closure-reminder #1",
		"resolved #1: auto-close-warning in 0h": "resolved stuck=auto-close-warning #1",
		"resolved warned #1: closed in 0h":      "resolved warned stuck=closed #1",
		"awaiting-form: form-link in 0h":        "awaiting-form stuck=form-link",
	}
	again := map[string]string{
		"pending stuck=reminder":               "pending: reminder in 10h",
		"frozen 1x stuck=reminder":             "frozen 1x: reminder in 20h",
		"frozen 2x stuck=auto-close-warning":   "frozen 2x: auto-close-warning in 20h",
		"frozen 2x warned stuck=closed":        "frozen 2x warned: closed in 24h",
		"resolved stuck=closure-reminder #1":   "resolved #1: closure-reminder in 30h",
		"resolved stuck=auto-close-warning #1": "resolved #1: auto-close-warning in 30h",
		"resolved warned stuck=closed #1":      "resolved warned #1: closed in 24h",
		"awaiting-form stuck=form-link":        "awaiting-form: form-link in 72h",
	}
	for from, stuck := range due {
		row(from, "deadline unreachable", stuck, "notification>agents")
		row(from, "deadline unreachable lost", stuck, "notification>agents")
		row(stuck, "deadline unreachable", "refused", "nothing is due")
		row(stuck, "taken update unreachable", stuck, "")
		row(stuck, "customer arrived", stuck, "") // a vacation changes nothing
		row(stuck, "taken update", again[stuck], "")
		row(stuck, "agent party-added", again[stuck], "")
		row(stuck, "agent took-over", again[stuck], "")
	}
	row("resolved stuck=closure-reminder #1", "customer thanked", "resolved #1: closure-reminder in 30h", "notification>agents")
	row("resolved stuck=closure-reminder #1", "customer answered", "open #1", "update>others notification>agents")
	row("awaiting-form sent=2h stuck=form-link", "customer joined", "awaiting-form: form-link in 72h", "")
	// The last copy of a warning came back before the relay took any.
	row("frozen 2x warned", "failed auto-close-warning underway", "frozen 2x warned", "notification>agents")
	row("frozen 2x warned", "failed auto-close-warning lost unreachable", "frozen 2x warned stuck=auto-close-warning", "notification>agents")
	row("frozen 2x warned stuck=auto-close-warning", "taken auto-close-warning unreachable", "frozen 2x warned stuck=auto-close-warning", "")
	row("frozen 2x warned stuck=auto-close-warning", "taken update", "frozen 2x warned: auto-close-warning in 20h", "")
	row("frozen 2x warned", "failed auto-close-warning lost", "frozen 2x warned: auto-close-warning in 20h", "notification>agents")
	row("resolved #1 warned", "failed auto-close-warning lost", "resolved warned #1: auto-close-warning in 30h", "notification>agents")
	// What was lost is the warning, not the reminder before it.
	row("frozen 2x warned: auto-close-warning in 0h", "deadline lost", "frozen 2x warned", "auto-close-warning>parties")
	row("resolved #1 warned: auto-close-warning in 0h", "deadline lost", "resolved warned #1", "auto-close-warning>parties")
	row("frozen 2x warned: closed in 1h", "failed auto-close-warning lost", "frozen 2x warned: closed in 1h", "notification>agents")
}

// While a mail is held, or its mailbox cannot be read, no step is taken.
func TestStill(t *testing.T) {
	row := rows(t, "")
	for _, from := range []string{"pending: reminder in 0h", "frozen 2x warned: closed in 0h", "resolved #1 warned: closed in -900h",
		"awaiting-form: form-link in 0h"} {
		row(from, "deadline still", "refused", "a mail of this ticket is held, or its mailbox cannot be read: the clock stands still")
		row(from, "deadline still unreachable", "refused", "a mail of this ticket is held, or its mailbox cannot be read: the clock stands still")
	}
}

// After a downtime one step, and its dates from then on.
func TestOverdue(t *testing.T) {
	row := rows(t, "")
	row("pending: reminder in -900h", "deadline", "frozen 1x: reminder in 20h", "reminder 1/2>parties")
	row("frozen 2x: auto-close-warning in -900h", "deadline", "frozen 2x warned", "auto-close-warning>parties")
	row("resolved #1: closure-reminder in -900h", "deadline", "resolved #1: auto-close-warning in 30h", "closure-reminder>parties")
	row("awaiting-form: form-link in -900h", "deadline", "closed abandoned", "")
}

// The form's link goes out again at most once a day.
func TestFormAgain(t *testing.T) {
	row := rows(t, "form")
	row("awaiting-form sent=23h59m: form-link in 9h", "customer joined", "awaiting-form: form-link in 9h", "")
	row("awaiting-form sent=24h: form-link in 9h", "customer joined", "awaiting-form: form-link in 9h", "form-link>sender")
	row("awaiting-form sent=50h: form-link in 9h", "customer joined unanswerable", "awaiting-form: form-link in 9h", "")
	got, _, _ := Apply(parse("awaiting-form sent=50h: form-link in 9h"), event("customer joined"), desk("form"), now)
	if got, effects, err := Apply(got, event("customer joined"), desk("form"), now.Add(formAgain-1)); len(effects) != 0 || err != nil {
		t.Errorf("a second one within a day: %s, %s, %v", show(got), list(effects), err)
	}
	row = rows(t, "form form=off")
	row("none", "customer received", "awaiting-form", "form-link>sender notification>agents")
}

// A number is given when a ticket leaves awaiting-form for anything but
// closed.
func TestNumber(t *testing.T) {
	check := func(from, what string, want bool) {
		t.Helper()
		before := parse(from)
		before.Number = ""
		after, _, err := Apply(before, event(what), desk("form"), now)
		if err != nil || after.NeedsNumber() != want {
			t.Errorf("%s, %s: %s needs a number: %v, %v", from, what, show(after), after.NeedsNumber(), err)
		}
	}
	check("none", "customer received", false)
	check("none", "agent form-sent for=a@b.example", false)
	check("none", "customer received unanswerable", true)
	check("none", "agent opened-for", true)
	check("awaiting-form", "customer joined", false)
	check("awaiting-form", "customer submitted", true)
	check("awaiting-form", "agent validated", true)
	check("awaiting-form", "agent asked-action", true)
	for _, e := range []string{"agent rejected", "agent closed", "customer withdrawn", "agent merged into=8"} {
		check("awaiting-form", e, false)
	}
	check("awaiting-form: form-link in 0h", "deadline", false)
	check("closed abandoned 1h", "customer joined", false)
	check("closed abandoned 1h", "customer submitted", true)
	check("closed rejected 1h", "agent reopened", true)
}

// The deadline that runs at a new desk is that desk's.
func TestMove(t *testing.T) {
	row := rows(t, "")
	row("pending: reminder in 1h", "agent moved desk=sales", "pending: reminder in 10h", "moved>parties")
	row("pending", "agent moved desk=sales", "pending: reminder in 10h", "moved>parties") // its timer was off
	row("frozen 2x", "agent moved desk=sales", "frozen 2x: auto-close-warning in 20h", "moved>parties")
	row("resolved #1", "agent moved desk=sales", "resolved #1: closure-reminder in 30h", "moved>parties")
	row("frozen 2x warned: closed in 1h", "agent moved desk=sales", "frozen 2x warned: closed in 24h", "moved>parties")
	row("frozen 2x warned", "agent moved desk=sales", "frozen 2x warned", "moved>parties")
	row("frozen 2x stuck=auto-close-warning", "agent moved desk=sales", "frozen 2x stuck=auto-close-warning", "moved>parties")
	row("awaiting-form: form-link in 1h", "agent moved desk=sales", "new", "acknowledgment>parties")
	row = rows(t, "reminders=1")
	row("frozen 2x", "agent moved desk=sales", "frozen 2x: auto-close-warning in 20h", "moved>parties")
	row = rows(t, "reminder=off")
	row("pending: reminder in 1h", "agent moved desk=sales", "pending", "moved>parties")
	row = rows(t, "close=off")
	row("frozen 2x warned: closed in 1h", "agent moved desk=sales", "frozen 2x", "moved>parties")
	row = rows(t, "required")
	row("resolved #1 warned: closed in 1h", "agent moved desk=sales", "resolved #1: auto-close-warning in 30h", "moved>parties")
	got, _, err := Apply(parse("open"), event("agent moved desk=sales bob@desk.example"), desk(""), now)
	if err != nil || got.Desk != "sales" || got.Assignee != "bob@desk.example" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMerged(t *testing.T) {
	row := rows(t, "")
	row("open", "agent merged", "refused", "a ticket is merged into another one")
	row("open", "agent merged into=7", "refused", "a ticket is merged into another one") // itself
	row("frozen 1x: reminder in 1h", "agent took-over", "frozen 1x: reminder in 20h", "")
	row("open", "agent took-over", "open", "")
	for _, e := range []string{"customer answered", "customer waits", "agent replied", "agent noted", "agent reopened", "agent moved desk=sales"} {
		row("closed merged 1h", e, "refused", "this ticket was merged into another one and goes on there")
	}
}

// What is already so is told to nobody.
func TestSameValue(t *testing.T) {
	row := rows(t, "")
	row("open", "agent categorised", "open", "")
	row("open", "agent urgency-set", "open", "")
	row("open", "agent categorised value=network", "open", "update>others")
}

// An agent's own words are tried where mail does not arrive.
func TestGoes(t *testing.T) {
	check := func(what string, want bool) {
		t.Helper()
		_, effects, err := Apply(parse("open"), event(what), desk(""), now)
		if err != nil || effects[0].Goes(false) != want || !effects[0].Goes(true) {
			t.Errorf("%s: %v, %v", what, effects, err)
		}
	}
	check("agent replied words", true)
	check("agent asked-action words", true)
	check("agent resolved", false)
	check("customer answered words", false)
}

// With a required approval an integrator withdraws as elsewhere, but to
// withdraw what is resolved is to approve it.
func TestIntegratorWithdraws(t *testing.T) {
	row := rows(t, "required")
	row("open", "integrator withdrawn", "closed withdrawn", "closed>parties notification>agents")
	row("open", "integrator withdrawn customer-spoke", "open", "update>others notification>agents")
	row("resolved #1: closure-reminder in 1h", "integrator withdrawn", "open #1", "update>others notification>agents")
}
