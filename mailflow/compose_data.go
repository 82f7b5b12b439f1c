package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// data is all that the template may say to this reader.
func (f *Flow) data(dr *draft) *templates.Mail {
	s := f.Settings.Load()
	a := dr.args
	m := &templates.Mail{
		Desk:     dr.desk.shown(dr.lang),
		Number:   dr.ticket.Number,
		Subject:  dr.ticket.Subject,
		State:    a.State,
		Closed:   a.Closed,
		Stranger: a.Stranger,
		Received: dr.message.At,
		Zone:     dr.zone,
		Next:     templates.Next{Kind: a.Next, At: a.Deadline, CloseAt: closeAt(a, dr.desk.Policy)},
		N:        a.N,
		M:        a.M,
		Count:    a.Count,
		Times:    a.Times,
		Items:    dr.items,
		Asked:    dr.askedName(),
		Other:    a.Other,
		Changes:  f.changes(dr),
		Limit:    a.Limit,

		Validation: dr.desk.Policy.Validation,
		Ours:       dr.opener == ticket.Agent,
		Theirs:     dr.opener != "" && dr.opener != ticket.Agent && dr.opener != dr.party.Role,
	}
	if was := s.Desk(a.Was); was != nil {
		m.Was = was.shown(dr.lang)
	}
	if after := dr.desk.Policy.Timers.AutoCloseAfter; dr.row.Kind == ticket.AutoCloseWarning && after != ticket.Off {
		at := f.Now().Add(after) // it counts from its delivery, which is now
		m.Next = templates.Next{Kind: ticket.ClosedMail, At: at, CloseAt: at}
		m.Lasts = after
	}
	if a.Next == ticket.AutoCloseWarning && a.State == ticket.Resolved && dr.desk.Policy.Approval == ticket.Required {
		m.Next = templates.Next{} // the agents are told, the parties are not warned
	}
	if dr.party.Link != "" {
		m.URL = s.BaseURL + "/t/" + dr.party.Link
	} else {
		m.URL = s.BaseURL + "/"
	}
	if within := dr.desk.Policy.Timers.ReopenWithin; a.State == ticket.Closed && within != ticket.Off && !a.ClosedAt.IsZero() {
		m.ReopenUntil = a.ClosedAt.Add(within)
	}
	for _, l := range a.Lines {
		m.Lines = append(m.Lines, templates.Line{Text: l.Text, Reason: templates.Say(dr.lang, l.Reason), OK: l.OK})
	}
	if dr.party.Role != "" && dr.party.Role != ticket.Agent && !dr.party.Proven && !human(dr) && !dr.vouched() {
		m.Stranger = true // a machine says nothing of theirs to who has proven nothing
	}
	m.Role = dr.party.Role
	f.ask(dr, m)
	switch {
	case dr.row.Kind == ticket.FormLink && m.Ours:
		m.Received = time.Time{} // an agent asks for the form: no mail is answered
	case m.Received.IsZero():
		m.Received = dr.ticket.Created
	}
	if dr.row.Kind == ticket.AlsoReceived {
		return m
	}
	if m.Stranger {
		f.remember(dr, m)
		return m
	}
	m.Name = dr.party.Name
	f.quote(dr, m)
	if dr.agent != nil && (dr.party.Role == ticket.Agent || dr.row.Party < 0) {
		f.agentView(dr, m)
	}
	return m
}

// vouched says that an agent has acted on the ticket, so that its parties have
// its subject and its words already: what the machine says after that keeps to
// the same subject, whoever has proven nothing yet.
func (dr *draft) vouched() bool {
	switch dr.row.Kind {
	case ticket.Opened, ticket.InformationRequest, ticket.ActionRequest, ticket.Reminder, ticket.AutoCloseWarning,
		ticket.ClosureRequest, ticket.ClosureReminder, ticket.Moved, ticket.MergedMail:
		return true
	case ticket.Update:
		return dr.args.Message == 0 // an agent has changed something
	case ticket.ClosedMail:
		return dr.args.Closed != ticket.Withdrawn
	}
	return false
}

// ask gives a mail that asks whether the problem is solved the ways to say so.
// A follower has no say, nor has an integrator where only the customer has.
func (f *Flow) ask(dr *draft, m *templates.Mail) {
	if !asks(dr.row.Kind) || m.State != ticket.Resolved || dr.party.Link == "" || !dr.mayConfirm() {
		return
	}
	m.ApproveURL = m.URL + "/approve"
	if dr.desk.Reply == "off" {
		return
	}
	address := func(p ticket.Purpose) string { return dr.desk.TokenAddress(f.Keys.Outbox(p, dr.row.ID)) }
	subject := m.Subject
	if m.Stranger {
		subject = ""
	}
	m.ApproveMail = templates.Mailto(address(ticket.ForApprove), templates.Subject(dr.lang, subject, m.Number), templates.Phrase(dr.lang, ticket.Approve))
	m.RefuseMail = templates.Mailto(address(ticket.ForRefuse), templates.Subject(dr.lang, subject, m.Number), templates.Phrase(dr.lang, ticket.Refuse))
}

// mayConfirm says that the reader's word on the solution can count.
func (dr *draft) mayConfirm() bool {
	switch dr.party.Role {
	case ticket.Customer:
		return true
	case ticket.Integrator:
		return dr.desk.Policy.Approval != ticket.Required ||
			!slices.ContainsFunc(dr.parties, func(p store.Party) bool { return p.Role == ticket.Customer })
	}
	return false
}

// remember repeats an agent's words in a mail of the clock: the question that
// has no answer, the solution that nobody has confirmed.
func (f *Flow) remember(dr *draft, m *templates.Mail) bool {
	if !chases(dr.row.Kind) || dr.message.Role != ticket.Agent || dr.message.Visibility != store.Public || dr.message.ID < dr.party.Since {
		return false
	}
	m.Words, m.Author, m.AuthorRole = dr.message.Words, dr.desk.Name(dr.lang), ticket.Agent
	return true
}

// quote adds the words that the mail carries, and those before.
func (f *Flow) quote(dr *draft, m *templates.Mail) {
	switch {
	case dr.row.Kind == ticket.Acknowledgment:
		m.Author = f.author(dr, dr.message)
	case f.remember(dr, m):
	case dr.message.Words != "" && !dr.args.Mute && (dr.args.Words || dr.message.Role != ticket.Agent || dr.party.Role == ticket.Agent):
		m.Words = dr.message.Words
		if dr.row.Kind == ticket.ConfirmCommand {
			_, m.Words = parseCommands(m.Words) // the commands stand in the list
		}
		m.Author, m.AuthorRole = f.author(dr, dr.message), dr.message.Role
		m.Own = dr.message.Address == dr.row.Recipient
	}
	for _, h := range dr.history {
		m.History = append(m.History, templates.Entry{At: h.At, Author: f.author(dr, h), Role: h.Role, Text: h.Words})
	}
}

// author names a writer as the reader may see him: to parties an agent is the
// desk, and never an address.
func (f *Flow) author(dr *draft, m store.Message) string {
	reader := dr.party.Role
	if m.Role == ticket.Agent && reader != ticket.Agent {
		return dr.desk.Name(dr.lang)
	}
	name := m.Name
	if name == "" {
		name = m.Address
	}
	for _, p := range dr.parties {
		if p.Ordinal == m.Party && p.Address != m.Address {
			return fmt.Sprintf(forWhom[dr.lang], name, p.Address)
		}
	}
	return name
}

// forWhom names a colleague and the party that he speaks for.
var forWhom = map[string]string{"en": "%s for %s", "fr": "%s, pour %s"}

// agentView is what only agents are told.
func (f *Flow) agentView(dr *draft, m *templates.Mail) {
	a := dr.args
	v := &templates.AgentView{From: a.From, To: a.State, Event: a.Event, Reason: templates.Say(dr.lang, a.Reason), Other: a.Other,
		Created: dr.ticket.Created, Deadline: a.Deadline, Organisation: dr.org, Assignee: dr.ticket.Assignee, Whole: a.Whole,
		ToYou: dr.ticket.Assignee != "" && dr.ticket.Assignee == dr.row.Recipient}
	if dr.row.TicketID != 0 {
		v.Marker = f.marker(dr.row.TicketID)
	}
	if w := dr.message; w.ID != 0 {
		v.Sender, v.SenderName, v.Role = cmp.Or(w.Address, "?"), w.Name, w.Role
		v.Proof = templates.Say(dr.lang, w.Proof+": "+w.Reason)
	}
	for _, p := range dr.parties {
		if p.Role == ticket.Agent {
			continue
		}
		v.Parties++
		if p.Address != v.Sender {
			is := templates.RoleName(dr.lang, p.Role)
			if p.Role == ticket.Customer && dr.customers != "" {
				is += ", " + dr.customers
			}
			v.Also = append(v.Also, fmt.Sprintf("%s (%s)", p.Address, is))
		}
	}
	if dr.row.Kind == ticket.Undeliverable && dr.other.ID != 0 {
		v.Sender, v.SenderName = dr.other.Recipient, ""
	}
	v.Commands = commandsFor(dr)
	m.Agent = v
}
