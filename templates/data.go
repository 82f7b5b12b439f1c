package templates

import (
	"time"

	"guichet/mailflow/ticket"
)

// Mail is all that a mail of ours can say. A template prints any of it as it
// is: whatever a value holds, it stays words (see escape.go).
type Mail struct {
	Desk    Desk
	Was     Desk   // moved: the desk that had the ticket so far; the zero value if unknown
	Number  string // "" while the ticket has none
	Subject string // the ticket's own; never used where Stranger is set
	URL     string // the ticket's page, or the form of a form-link
	State   ticket.State
	Closed  ticket.Reason
	Name    string      // the reader's; "" if unknown
	Role    ticket.Role // of the reader: a follower confirms nothing
	// Stranger marks the first answer to somebody who has proven nothing:
	// nothing of the sender's own may stand in it, neither subject nor text,
	// name or file name, or the gateway mails anybody's words to anybody.
	Stranger bool
	Received time.Time // of the mail that is answered; zero: an agent began
	// Theirs: somebody else than the reader began the ticket, no agent.
	Theirs bool
	// Ours: an agent opened the ticket.
	Ours bool
	// Validation: an agent confirms a new ticket before it is open.
	Validation bool
	Zone       *time.Location

	Words      string // human words that this mail carries: an answer, a question, a reason
	Author     string // whose words, as the reader may see it: parties see an agent only as the desk
	AuthorRole ticket.Role
	Own        bool // the words are the reader's own
	Files      []File
	History    []Entry // older public messages, newest first

	Changes []Change // what an agent has set meanwhile

	Next        Next
	N, M        int       // reminder N of M
	Asked       string    // who is expected to act, as the reader may see it; "" is every reader
	Other       string    // number of the ticket where a merged one goes on
	ReopenUntil time.Time // zero: an answer makes a new ticket

	ApproveURL string // the page with both buttons; "": only an answer to this mail does it
	// ApproveMail and RefuseMail are mailto addresses that say it by an empty
	// mail; "" where the desk has no signed addresses.
	ApproveMail, RefuseMail string
	// Lasts is how long from the sending of this mail to Next.At, where that
	// can be said in hours; "24 hours" is said only where it is true.
	Lasts time.Duration

	// Limit is set where the reader's own mail was larger than this, in bytes,
	// so that only its beginning came.
	Limit int64

	Agent *AgentView // only in mails to agents
	Lines []Line     // commands, and what was wrong with each
	Count int        // also-received: how many mails; notifications: how many
	Items []Item     // notifications: one a ticket's event, the first of Count
	Times []time.Time
}

// Desk is the desk as its mails and pages show it.
type Desk struct {
	Name    string
	Address string
	About   string // what it is for; "" if it does not say
	Accent  string // "#rrggbb"; one with too little contrast is replaced by ours
}

// File is an attachment.
type File struct {
	Name string
	Size int64  // bytes
	URL  string // "" if it travels with the mail
}

// Entry is an older message.
type Entry struct {
	At     time.Time
	Author string
	Role   ticket.Role
	Text   string
}

// Next is what happens by itself if nobody does anything. The zero value says
// that nothing does.
type Next struct {
	Kind    ticket.Kind
	At      time.Time
	CloseAt time.Time // when the ticket would be closed, as far as that can be said
}

// AgentView is what only agents are told.
type AgentView struct {
	Marker       string // code of the line above which an agent writes, such as 7f3a
	From, To     ticket.State
	Event        string // a code: new-ticket, answer, colleague, waiting, …
	Sender       string // address; "" if nobody wrote
	SenderName   string
	Proof        string // a code or a reason, printed as it is: "DKIM", "own token"
	Role         ticket.Role
	Organisation string
	Also         []string // "contact@integrator.example (integrator)"
	Assignee     string   // address; "" if nobody has it
	ToYou        bool     // the assignee is the reader
	Created      time.Time
	Deadline     time.Time
	Files        []File
	Commands     []Command
	Parties      int    // how many people an answer goes to
	Other        string // number of another ticket that the mail names
	Reason       string // why it waits, failed or was not understood
	Whole        string // where all of a mail lies of which only the beginning came; "": it is whole
}

// Change is something of the ticket that an agent has set.
type Change struct {
	What       string // categorised, urgency-set or escalated
	Value, Was string // as the reader may see them; "": none
}

// Item is one of several notifications in one mail, or of a digest's tickets,
// whose Event is the section.
type Item struct {
	Number, Subject, Event string
	State                  ticket.State
	At                     time.Time
	URL                    string
	Answer                 string // a mailto link to answer on that ticket; "" without one
}

// Several names the template of the mail that tells an agent of several
// things at once; its kind is [ticket.Notification] all the same.
const Several ticket.Kind = "notifications"

// Command is a first line that an agent may write in this state.
type Command struct {
	Name string // "#assign NAME"
	Help string // five words; "" takes ours
}

// Line is one line of a report: a command or a recipient.
type Line struct {
	Text   string
	Reason string // what was wrong with it, or what came of it
	OK     bool
}

// Rendered is a finished mail.
type Rendered struct {
	Subject, Text, HTML string
}
