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
	Messages []PageMessage // newest last
	Zone     *time.Location
	Now      time.Time // for relative times; zero leaves them out
}

// PageMessage is one public message of a ticket.
type PageMessage struct {
	At     time.Time
	Author string
	Role   ticket.Role
	Text   string
	Files  []File
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
func (p *NotePage) PageBase() PageBase { return PageBase{Lang: p.Lang, Desk: p.Desk} }

// PageBase implements [Based].
func (p *OutboxPage) PageBase() PageBase { return PageBase{Lang: p.Lang, Zone: p.Zone} }
