package ticket

import "time"

// Intake says what the first mail to a desk becomes.
type Intake string

// The ways in: a ticket at once, or a form behind a mailed link first.
const (
	Direct Intake = "direct"
	Form   Intake = "form"
)

// Approval says what the silence after a resolution means.
type Approval string

// Assumed: silence closes the ticket in the end. Required: only the
// customer's word does.
const (
	Assumed  Approval = "assumed"
	Required Approval = "required"
)

// Policy switches the steps of a desk's tickets.
type Policy struct {
	Intake     Intake
	Validation bool // an agent validates a new ticket before it is open
	Approval   Approval
	Timers     Timers
}

// Off is a timer that never runs: its step and those after it are not taken.
const Off time.Duration = -1

// Timers are the durations between the steps; each may be [Off].
type Timers struct {
	FormExpires          time.Duration
	ReminderAfter        time.Duration
	ReminderEvery        time.Duration
	Reminders            int // how many before the warning; 0 warns at once
	AutoCloseAfter       time.Duration
	ClosureReminderAfter time.Duration
	ReopenWithin         time.Duration
}
