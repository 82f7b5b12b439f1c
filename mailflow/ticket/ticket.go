// Package ticket holds the rules of a ticket's life: its states, the events
// that change it, the policy of its desk, and the tokens that prove which
// ticket a mail belongs to.
//
// It imports the standard library only and does no input or output, so that
// every rule can be read and tested in one place. [Apply] is the one way to
// change a ticket.
package ticket

import "time"

// State is where a ticket stands.
type State string

// The states of a ticket. None is the state before the first event.
const (
	None         State = ""
	AwaitingForm State = "awaiting-form"
	New          State = "new"
	Open         State = "open"
	Pending      State = "pending"
	Frozen       State = "frozen"
	Resolved     State = "resolved"
	Closed       State = "closed"
)

// Reason says why a closed ticket was closed; it is empty while it is not.
type Reason string

// The reasons of a closing.
const (
	Abandoned   Reason = "abandoned"
	Rejected    Reason = "rejected"
	Withdrawn   Reason = "withdrawn"
	Approved    Reason = "approved"
	Unanswered  Reason = "unanswered"
	Unconfirmed Reason = "unconfirmed"
	ByAgent     Reason = "agent"
	Merged      Reason = "merged"
)

// Role is what a person is on one ticket.
type Role string

// The roles. A follower may write but not approve; System is the gateway's
// own clock.
const (
	Customer   Role = "customer"
	Integrator Role = "integrator"
	Follower   Role = "follower"
	Agent      Role = "agent"
	System     Role = "system"
)

// Kind names a mail that the gateway sends, as X-Guichet-Kind carries it.
type Kind string

// The kinds of mail.
const (
	FormLink           Kind = "form-link"
	Acknowledgment     Kind = "acknowledgment"
	Opened             Kind = "opened"
	RejectedMail       Kind = "rejected"
	Update             Kind = "update"
	InformationRequest Kind = "information-request"
	ActionRequest      Kind = "action-request"
	Reminder           Kind = "reminder"
	AutoCloseWarning   Kind = "auto-close-warning"
	ClosureRequest     Kind = "closure-request"
	ClosureReminder    Kind = "closure-reminder"
	ClosedMail         Kind = "closed"
	Reopened           Kind = "reopened"
	Moved              Kind = "moved"
	MergedMail         Kind = "merged"
	Notification       Kind = "notification"
	AlsoReceived       Kind = "also-received"
	Incomplete         Kind = "incomplete"
	ConfirmCommand     Kind = "confirm-command"
	Receipt            Kind = "receipt"
	RejectedCommand    Kind = "rejected-command"
	Undeliverable      Kind = "undeliverable"
	Digest             Kind = "digest"
)

// Ticket is what the rules know of one ticket.
type Ticket struct {
	ID       int64  // the store's row id; never shown
	Number   string // "" until the ticket has one
	Desk     string // key of the desk in the configuration
	State    State
	Closed   Reason
	Subject  string
	Assignee string // an agent's address, or ""
	Category string
	Urgency  string
	// Escalated is set once an agent has escalated the ticket.
	Escalated bool
	// Spent is the working time that agents have noted.
	Spent time.Duration

	// FormFor is the address whose form is awaited, also while the ticket is
	// closed because it never came; else "".
	FormFor string
	// FormAt is when the form's link was last mailed; zero if never.
	FormAt time.Time
	// Invited: an agent had the form sent, so that its submission opens the
	// ticket.
	Invited bool

	Created  time.Time
	Updated  time.Time
	ClosedAt time.Time // of the last closing; zero before the first

	// Deadline is when Next is due; zero means that nothing is due.
	Deadline time.Time
	Next     Kind
	// Reminders counts those sent since the parties were last asked.
	Reminders int
	// Postponed: a report of a delay has put off the deadline; it does so once
	// a step.
	Postponed bool
	// Stuck is the step that was due when no party could be reached. It is due
	// again once one can.
	Stuck Kind
	// Warned is set once the auto-close warning was sent, or, where a
	// resolution must be approved, once the agents were told of the silence.
	Warned bool
	// Waiting counts mails of this ticket that wait for an agent; while it is
	// not zero the clock stands still.
	Waiting int
	// Resolution counts the resolutions so far, so that an approval holds only
	// for the one its mail asked about.
	Resolution int
	// MergedInto is the row id of the survivor of a merge, or 0.
	MergedInto int64
	// Version is raised at every change.
	Version int64
}

// NeedsNumber says that the ticket has left awaiting-form, or never was there,
// and has no number yet.
func (t Ticket) NeedsNumber() bool {
	return t.Number == "" && t.State != None && t.State != AwaitingForm && t.State != Closed
}
