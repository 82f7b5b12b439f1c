package store

import (
	"database/sql"

	"guichet/mailflow/ticket"
)

// Story is what composing a mail about a ticket asks of it besides its
// parties, all in one statement: on PostgreSQL each further one would be a
// round trip, and on SQLite the greater part of the cost.
type Story struct {
	Ticket  ticket.Ticket // ID, Number, Subject, Created and Assignee alone
	Message Message       // the one asked for, without DeliveryID and People; ID is 0 if there is none
	Opener  ticket.Role   // of the ticket's first message; "" if nobody wrote
	// First is the Message-ID of the first mail that the reader wrote on the
	// ticket, or else of the first that they were sent; Last that of the newest
	// mail of ours that they were sent before; "" if there is none. References hold
	// them, so that each reader's program keeps one thread.
	First, Last string
	// What else there is to read, each by a statement of its own:
	HasParts   bool // [Tx.Parts] of the message
	HasHistory bool // [Tx.PublicMessages] before it, from the row since on
	HasNotes   bool // [Tx.Notes]
}

// The message stands beside the ticket, so that a ticket is read also where
// the message is gone.
const storyQuery = `SELECT t.id, t.number, t.subject, t.created, t.assignee,
	m.id, m.ticket_id, m.raw_id, m.at, m.address, m.name, m.party, m.role, m.visibility, m.proof, m.reason, m.mail_id, m.words,
	coalesce((SELECT role FROM message WHERE ticket_id = t.id ORDER BY id LIMIT 1), ''),
	coalesce((SELECT mail_id FROM message WHERE ticket_id = t.id AND address = ? AND mail_id <> '' ORDER BY id LIMIT 1),
		(SELECT mail_id FROM outbox WHERE ticket_id = t.id AND recipient = ? AND mail_id <> '' AND id <> ? ORDER BY id LIMIT 1), ''),
	coalesce((SELECT mail_id FROM outbox WHERE ticket_id = t.id AND recipient = ? AND mail_id <> '' AND id <> ? ORDER BY id DESC LIMIT 1), ''),
	CASE WHEN EXISTS (SELECT 1 FROM part WHERE message_id = m.id) THEN 1 ELSE 0 END,
	CASE WHEN EXISTS (SELECT 1 FROM message WHERE ticket_id = m.ticket_id AND visibility = 'public' AND id >= ? AND id < m.id) THEN 1 ELSE 0 END,
	CASE WHEN EXISTS (SELECT 1 FROM message WHERE ticket_id = t.id AND visibility = 'note') THEN 1 ELSE 0 END
	FROM ticket AS t LEFT JOIN message AS m ON m.id = ? WHERE t.id = ?`

// Story reads a ticket for a mail to reader, the outbox row with that id, that
// is about a message (0: about none); since is the first message row that the
// reader may see. It returns sql.ErrNoRows if there is no such ticket.
func (tx *Tx) Story(ticketID, message, since, row int64, reader string) (s Story, err error) {
	if tx.Made(ticketID) && tx.begun.tells(message) {
		return tx.begun.story(reader), nil
	}
	var number sql.NullString
	var created, at micros
	var m struct {
		id, ticketID, raw, party                                      sql.NullInt64
		address, name, role, visibility, proof, reason, mailID, words sql.NullString
	}
	err = tx.row(storyQuery, reader, reader, row, reader, row, since, message, ticketID).Scan(
		&s.Ticket.ID, &number, &s.Ticket.Subject, &created, &s.Ticket.Assignee,
		&m.id, &m.ticketID, &m.raw, &at, &m.address, &m.name, &m.party, &m.role, &m.visibility, &m.proof, &m.reason, &m.mailID, &m.words,
		&s.Opener, &s.First, &s.Last, &s.HasParts, &s.HasHistory, &s.HasNotes)
	if err != nil {
		return Story{}, err
	}
	s.Ticket.Number, s.Ticket.Created = number.String, created.Time()
	if !m.id.Valid {
		return s, nil
	}
	s.Message = Message{ID: m.id.Int64, TicketID: m.ticketID.Int64, RawID: m.raw.Int64, At: at.Time(), Address: m.address.String,
		Name: m.name.String, Party: -1, Role: ticket.Role(m.role.String), Visibility: Visibility(m.visibility.String),
		Proof: m.proof.String, Reason: m.reason.String, MailID: m.mailID.String, Words: m.words.String}
	if m.party.Valid {
		s.Message.Party = int(m.party.Int64)
	}
	return s, nil
}

// begun is a ticket that the transaction made with its one message: what a
// mail about it asks is known without a statement.
type begun struct {
	ticket   ticket.Ticket
	message  Message // the first; ID is 0 as long as there is none
	messages int
	parts    bool // the message has attachments
}

// add notes a message; those of other tickets are passed over.
func (b *begun) add(id int64, m Message, parts bool) {
	if b == nil || m.TicketID != b.ticket.ID {
		return
	}
	b.messages++
	m.ID, m.DeliveryID, m.People = id, 0, nil
	b.message, b.parts = m, parts
}

// tells says whether story knows all about a mail that shows a message.
func (b *begun) tells(message int64) bool {
	return b != nil && b.messages == 1 && b.message.ID == message && b.message.Visibility == Public
}

// story is what [Tx.Story] would read.
func (b *begun) story(reader string) Story {
	t, m := b.ticket, b.message
	m.Address, m.Name, m.Proof, m.Reason = cleanText(m.Address), cleanText(m.Name), cleanText(m.Proof), cleanText(m.Reason)
	m.MailID, m.Words = cleanText(m.MailID), cleanText(m.Words)
	s := Story{Message: m, Opener: m.Role, HasParts: b.parts,
		Ticket: ticket.Ticket{ID: t.ID, Number: cleanText(t.Number), Subject: cleanText(t.Subject), Created: t.Created, Assignee: cleanText(t.Assignee)}}
	if m.Address == reader {
		s.First = m.MailID
	}
	return s
}
