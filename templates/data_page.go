package templates

import (
	"time"

	"guichet/mailflow/ticket"
)

// PageBase is what the frame of every page needs.
type PageBase struct {
	Lang string
	Desk Desk // empty: the page names no desk
	Zone *time.Location
	Now  time.Time // for relative times; zero leaves them out
}

// Based is the data of a page; pages of other packages have types of their
// own.
type Based interface{ PageBase() PageBase }

// TicketPage is what the page of a ticket shows.
type TicketPage struct {
	Desk     Desk
	Lang     string
	Number   string
	Subject  string
	State    ticket.State
	Closed   ticket.Reason
	Since    time.Time // when the ticket came into that state
	Next     Next
	Waits    bool          // for an answer, and not for the reader's
	Asked    string        // whose answer it waits for then, as the reader may see them; "": anybody's else
	Messages []PageMessage // newest last
	Zone     *time.Location
	Now      time.Time // for relative times; zero leaves them out
	Confirm  string    // path of the page that asks the reader whether it is solved; "" if none does
}

// ApprovalPage asks a party whether the problem of a ticket is solved, or says
// where the ticket stands.
type ApprovalPage struct {
	TicketPage
	URL        string // path of the ticket's page; the form is sent to its /approve
	Resolution int    // that the page asks about
	Solution   string // what the desk last wrote
	Asks       bool   // the reader may approve or refuse
	MayRefuse  bool   // the reader may say that it is not solved
	Mine       bool   // the reader's word is asked for at all: no follower, no agent
	Counts     bool   // the reader's approval would be one, not an ordinary answer
	Heard      bool   // it was taken as an ordinary answer
	Comment    string // what was written, where the form comes back
	Unsaid     bool   // the form came without its button
	TooLong    bool   // the comment
}

// PageMessage is one public message of a ticket.
type PageMessage struct {
	At     time.Time
	Author string
	Role   ticket.Role
	Text   string
	Files  []File
}

// FormPage is the form behind a mailed link.
type FormPage struct {
	Desk     Desk
	Lang     string
	Number   string // of a ticket that has one already
	Subject  string
	Received time.Time // when the mail came that the form follows; zero: an agent sent the form
	Until    time.Time // how long the form is open; zero: for good
	Action   string    // where the form goes
	Other    string    // the page in the other language; "": it is not offered
	Fields   []FormField
	Kept     []FormFile // files that came with a form that was refused
	Refused  []FormFile // files that were not taken
	MaxFile  int64      // bytes of one file
	Files    bool       // the form asks for files
	Shut     bool       // the ticket takes no form any more
	Zone     *time.Location
	Now      time.Time
}

// FormField is one question of a form, with what was answered to it.
type FormField struct {
	Name, Type           string
	Label, Help, Example string
	Required             bool
	Values               []string // what was typed or chosen
	Options              []FormOption
	Zones                []string // names such as Europe/Paris, the desk's first
	ZoneName             string   // the one chosen
	AskWords             bool     // a time that may be put into words now
	Words                string
	Problem              string // a code; "" if there is none
	N                    int    // characters too many
	When                 []FormWhen
}

// FormOption is one entry of a list.
type FormOption struct {
	Value, Label string
	Chosen       bool
	Shows        []int // the conditions that hold while it is chosen
}

// FormWhen is a condition of a field: its number, by which the style sheet
// knows it, and the choices that it stands for.
type FormWhen struct {
	N     int
	Words string
}

// FormFile is a file of a form.
type FormFile struct {
	Name   string
	Size   int64  // bytes
	Token  string // of one that is kept
	Reason string // of one that was not taken: "too large", "too many", "empty"
}

// ThanksPage follows a form that was taken.
type ThanksPage struct {
	Desk       Desk
	Lang       string
	Number     string
	State      ticket.State
	Validation bool   // an agent validates the ticket first
	Address    string // where the mails go
	URL        string // of the ticket's page
	Refused    []FormFile
	MaxFile    int64
	Zone       *time.Location
	Now        time.Time
}

// NotePage is a page that says one thing: home and not found.
type NotePage struct {
	Desk Desk // empty: the page names no desk
	Lang string
}

// OutboxPage lists mails that a maildir relay has taken, for the newcomer.
type OutboxPage struct {
	Lang  string
	Zone  *time.Location
	Mails []OutboxMail // newest first
}

// OutboxMail is one mail of an [OutboxPage].
type OutboxMail struct {
	At       time.Time
	From, To string
	Subject  string
	Kind     string
	Text     string
}

// PageBase implements [Based].
func (p *TicketPage) PageBase() PageBase {
	return PageBase{Lang: p.Lang, Desk: p.Desk, Zone: p.Zone, Now: p.Now}
}

// PageBase implements [Based].
func (p *FormPage) PageBase() PageBase {
	return PageBase{Lang: p.Lang, Desk: p.Desk, Zone: p.Zone, Now: p.Now}
}

// PageBase implements [Based].
func (p *ThanksPage) PageBase() PageBase {
	return PageBase{Lang: p.Lang, Desk: p.Desk, Zone: p.Zone, Now: p.Now}
}

// PageBase implements [Based].
func (p *NotePage) PageBase() PageBase { return PageBase{Lang: p.Lang, Desk: p.Desk} }

// PageBase implements [Based].
func (p *OutboxPage) PageBase() PageBase { return PageBase{Lang: p.Lang, Zone: p.Zone} }
