package mailflow

import (
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
)

// replyTo is the address whose token tells the ticket and the party, or the
// confirmation; none where the desk has no such addresses.
func (f *Flow) replyTo(dr *draft) rfc822.Address {
	if dr.desk.Reply == "off" {
		return rfc822.Address{}
	}
	if dr.row.Kind == ticket.ConfirmCommand {
		return rfc822.Address{Address: dr.desk.TokenAddress(f.Keys.Outbox(ticket.ForConfirm, dr.row.ID))}
	}
	if dr.row.TicketID == 0 || dr.row.Party < 0 {
		return rfc822.Address{}
	}
	name := dr.desk.Name(dr.lang)
	if dr.ticket.Number != "" {
		name += " " + dr.ticket.Number
	}
	return rfc822.Address{Name: name, Address: dr.desk.TokenAddress(f.Keys.Reply(dr.row.TicketID, dr.row.Party))}
}

// envelopeSender is where reports on this one mail come back to.
func (f *Flow) envelopeSender(dr *draft) string {
	if f.Settings.Load().FixedEnvelope || dr.desk.Reply == "off" {
		return dr.desk.Address
	}
	return dr.desk.TokenAddress(f.Keys.Outbox(ticket.ForBounce, dr.row.ID))
}

// refer sets In-Reply-To and References from ids that the reader knows, so
// that no other party's or agent's ids travel, and every program keeps the
// ticket in one thread (RFC 5322 §3.6.4).
func (f *Flow) refer(dr *draft, out *rfc822.Outgoing) {
	if dr.first != "" {
		out.References = append(out.References, dr.first)
	}
	last := dr.last
	if dr.message.Address == dr.row.Recipient && dr.message.MailID != "" {
		last = dr.message.MailID
	}
	if last == "" {
		last = dr.first
	}
	if last != "" && last != dr.first {
		out.References = append(out.References, last)
	}
	out.InReplyTo = last
}

// marks are the header fields that tell machines, and only machines, what
// the mail is (RFC 3834 §5). Human words carry none of the marks of a machine.
func marks(dr *draft) []rfc822.Field {
	fields := []rfc822.Field{{Name: "X-Guichet-Kind", Value: string(dr.row.Kind)}}
	if dr.ticket.Number != "" {
		fields = append(fields, rfc822.Field{Name: "X-Guichet-Ticket", Value: dr.ticket.Number})
	}
	if human(dr) {
		return fields
	}
	auto := "auto-generated"
	switch dr.row.Kind {
	case ticket.Acknowledgment, ticket.RejectedCommand, ticket.Receipt, ticket.ConfirmCommand, ticket.Incomplete:
		auto = "auto-replied"
	}
	return append(fields, rfc822.Field{Name: "Auto-Submitted", Value: auto},
		rfc822.Field{Name: "X-Auto-Response-Suppress", Value: "OOF, AutoReply"})
}

// human says that the mail carries a person's words to a party.
func human(dr *draft) bool {
	switch dr.row.Kind {
	case ticket.Update:
		return dr.args.Message != 0
	case ticket.FormLink, ticket.Opened, ticket.Moved, ticket.MergedMail, ticket.RejectedMail, ticket.ClosureRequest, ticket.InformationRequest, ticket.ActionRequest,
		ticket.ClosedMail, ticket.Reopened:
		return dr.args.Words && dr.message.Words != ""
	}
	return false
}
