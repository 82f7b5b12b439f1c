package ticket

import "time"

// EventType names what happened to a ticket, as the history keeps it.
type EventType string

// The events. A party's come from mail or a page, an agent's from mail.
const (
	Received  EventType = "received" // the mail that begins a ticket
	OpenedFor EventType = "opened-for"
	FormSent  EventType = "form-sent" // an agent has the form's link sent: it begins a ticket
	Submitted EventType = "submitted" // the form
	Joined    EventType = "joined"    // the sender writes again before the form; elsewhere an answer
	Answered  EventType = "answered"  // a party writes
	Thanked   EventType = "thanked"
	Approve   EventType = "approved"
	Refuse    EventType = "refused"
	Withdraw  EventType = "withdrawn"
	Arrived   EventType = "arrived" // a mail that changes nothing: automatic, or a record
	Waits     EventType = "waits"   // a mail that waits for an agent

	Validate EventType = "validated"
	Reply    EventType = "replied" // an agent's public answer
	AskInfo  EventType = "asked-information"
	AskDo    EventType = "asked-action"
	Reject   EventType = "rejected"
	Resolve  EventType = "resolved"
	Close    EventType = "closed"
	Reopen   EventType = "reopened"
	Note     EventType = "noted"
	Assign   EventType = "assigned"
	Accept   EventType = "accepted" // a waiting mail; its words follow as Answered
	Split    EventType = "split"    // a waiting mail leaves for a ticket of its own
	AddParty EventType = "party-added"

	PartyRemoved EventType = "party-removed"
	Categorise   EventType = "categorised"
	SetUrgency   EventType = "urgency-set"
	Escalate     EventType = "escalated"
	TimeSpent    EventType = "time-spent"
	Link         EventType = "linked"
	Move         EventType = "moved"     // to another desk; the policy is that desk's
	MergedAway   EventType = "merged"    // into another ticket
	TookOver     EventType = "took-over" // the survivor's side of a merge

	Deadline EventType = "deadline"
	Taken    EventType = "taken"   // the relay took a mail for a party
	Failed   EventType = "failed"  // a mail could not be delivered for good
	Delayed  EventType = "delayed" // a report says that a mail is late
)

// Event is one thing that happened, with what the rules must know of it.
type Event struct {
	Type  EventType
	Actor string // address, or "" for the clock
	Role  Role

	// Answerable: the writer of a first mail, or of one that joins it before
	// the form, may get an automatic answer.
	Answerable bool
	// For is the address that FormSent sends the form's link to.
	For string
	// Linked: a first mail that follows a closed ticket; it needs no form.
	Linked bool
	// Words: an agent's command carries words for the parties.
	Words bool
	// Alone: neither a token nor any proof but a Message-ID; such words never
	// approve, refuse or withdraw.
	Alone bool
	// CustomerSilent: the customer has not written since the agents' last
	// answer or resolution, so that an integrator's approval counts.
	CustomerSilent bool
	// HasCustomer: the ticket has a party in the role customer.
	HasCustomer bool
	// Resolution is the one that a signed approve or refuse address asked
	// about; 0 where plain words did.
	Resolution int
	// Button: approved or refused by the button of a page, not by a mail.
	Button bool
	// Assignee is the address that Assign gives the ticket to, and that Move
	// leaves it with.
	Assignee string
	// Desk is the key of the desk that Move goes to.
	Desk string
	// Into is the row id of the ticket that MergedAway goes on in.
	Into int64
	// Value is the category or the urgency, as the desk spells it.
	Value string
	// Spent is the working time that TimeSpent adds.
	Spent time.Duration

	// Reachable: at least one party can be reached.
	Reachable bool
	// Fate is, at Deadline and Failed, what became of the last mail that
	// waits for the parties.
	Fate Fate
	// Still: a mail of the ticket is held, or its mailbox cannot be read.
	Still bool
	// Kind is the mail that Taken, Failed and Delayed speak of.
	Kind Kind
}

// Fate is what became of one mail to all parties: the request, reminder or
// warning that a deadline follows.
type Fate string

// The fates. Heard: the relay took one party's copy, and no report says that
// it failed. Underway: none was taken yet, and one may still be. Lost: neither.
const (
	Heard    Fate = ""
	Underway Fate = "underway"
	Lost     Fate = "lost"
)

// Audience says to whom an effect's mail goes.
type Audience string

// The audiences. Parties are all parties, the actor included. Others leaves
// out the writer and who was in To or Cc of the mail. Sender is the one whose
// form is awaited, [Ticket].FormFor. Agents are the assignee, or else the
// desk's agents.
const (
	Parties Audience = "parties"
	Others  Audience = "others"
	Sender  Audience = "sender"
	Agents  Audience = "agents"
)

// Effect is a mail to send, or, where Mail is empty, a new ticket to open
// that is linked with this one.
type Effect struct {
	Mail  Kind
	To    Audience
	N, M  int  // reminder N of M
	Words bool // it carries an agent's own words
}

// Goes says whether the mail is sent to a party that can, or cannot, be
// reached: an agent's own words are tried all the same.
func (f Effect) Goes(reachable bool) bool { return reachable || f.Words }

// OpenLinked is the effect of a mail that came too late to reopen its ticket.
var OpenLinked = Effect{}

// Refused is the error of an event that the ticket's state does not allow. It
// is a sentence for the person who tried.
type Refused string

func (r Refused) Error() string { return string(r) }
