package ticket

// EventType names what happened to a ticket, as the history keeps it.
type EventType string

// The events. A party's come from mail or a page, an agent's from mail.
const (
	Received  EventType = "received" // the mail that begins a ticket
	OpenedFor EventType = "opened-for"
	Answered  EventType = "answered" // a party writes
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

	Deadline EventType = "deadline"
	Taken    EventType = "taken"  // the relay took a mail that a deadline waits for
	Failed   EventType = "failed" // a mail could not be delivered for good
)

// Event is one thing that happened, with what the rules must know of it.
type Event struct {
	Type  EventType
	Actor string // address, or "" for the clock
	Role  Role

	// Answerable: the writer of a first mail may get an automatic answer.
	Answerable bool
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
	// Assignee is the address that Assign gives the ticket to.
	Assignee string
	// Reachable: at least one party can be reached.
	Reachable bool
	// Kind is the mail that Taken and Failed speak of.
	Kind Kind
}

// Audience says to whom an effect's mail goes.
type Audience string

// The audiences. Parties are all parties, the actor included. Others leaves
// out the writer and who was in To or Cc of the mail. Agents are the
// assignee, or else the desk's agents.
const (
	Parties Audience = "parties"
	Others  Audience = "others"
	Agents  Audience = "agents"
)

// Effect is a mail to send, or, where Mail is empty, a new ticket to open
// that is linked with this one.
type Effect struct {
	Mail Kind
	To   Audience
	N, M int // reminder N of M
}

// OpenLinked is the effect of a mail that came too late to reopen its ticket.
var OpenLinked = Effect{}

// Refused is the error of an event that the ticket's state does not allow. It
// is a sentence for the person who tried.
type Refused string

func (r Refused) Error() string { return string(r) }
