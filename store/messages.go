package store

import (
	"crypto/sha256"
	"database/sql"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// Visibility says who sees a message.
type Visibility string

// Public is for all parties, Note for agents. HeldVis is an agent's public
// answer whose mails are held. Waiting is for agents until one
// of them accepts it. Record is kept with the ticket without being part of
// the conversation: a delivery report, an automatic answer.
const (
	Public  Visibility = "public"
	NoteVis Visibility = "note"
	HeldVis Visibility = "held"
	Waiting Visibility = "waiting"
	Record  Visibility = "record"
)

// Message is one mail, or one contribution, of a ticket.
type Message struct {
	ID         int64
	TicketID   int64
	DeliveryID int64
	RawID      int64
	At         time.Time
	Address    string // of the writer, lower case
	Name       string
	Party      int // the ordinal that it counts for; -1: none
	Role       ticket.Role
	Visibility Visibility
	Proof      string // the level, as design and mails name it
	Reason     string
	MailID     string
	People     []string // From, To and Cc, lower case
	Words      string   // the new text, as the parties may read it
}

// Part is an attachment of a message, read out of the raw mail or, where a
// form brought it, out of bytes of its own.
type Part struct {
	MessageID                                    int64
	Path, Name, ContentType, Encoding, ContentID string
	Inline                                       bool
	Offset, Length, Size                         int64
	RawID                                        int64 // of the bytes, where they are not in the message's mail
}

const messageColumns = `id, ticket_id, delivery_id, raw_id, at, address, name, party, role, visibility, proof, reason,
	mail_id, people, words`

func scanMessage(s scanner) (Message, error) {
	var m Message
	var delivery, raw, party sql.NullInt64
	var at micros
	var people string
	err := s.Scan(&m.ID, &m.TicketID, &delivery, &raw, &at, &m.Address, &m.Name, &party, &m.Role, &m.Visibility,
		&m.Proof, &m.Reason, &m.MailID, &people, &m.Words)
	m.DeliveryID, m.RawID, m.At, m.People, m.Party = delivery.Int64, raw.Int64, at.Time(), lines(people), -1
	if party.Valid {
		m.Party = int(party.Int64)
	}
	return m, err
}

// AddMessage stores a message with its parts and gives its id.
func (tx *Tx) AddMessage(m Message, parts []Part) (int64, error) {
	var party any
	if m.Party >= 0 {
		party = m.Party
	}
	id, err := tx.insert(`INSERT INTO message (ticket_id, delivery_id, raw_id, at, address, name, party, role,
		visibility, proof, reason, mail_id, people, words)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+returningID,
		m.TicketID, nullable(m.DeliveryID), nullable(m.RawID), m.At, m.Address, m.Name, party, string(m.Role),
		string(m.Visibility), m.Proof, m.Reason, m.MailID, strings.Join(m.People, "\n"), m.Words)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		if _, err := tx.exec(`INSERT INTO part (message_id, path, name, content_type, encoding, content_id, inline,
			pos, length, size, raw_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			id, p.Path, p.Name, p.ContentType, p.Encoding, p.ContentID, p.Inline, p.Offset, p.Length, p.Size, nullable(p.RawID)); err != nil {
			return 0, err
		}
	}
	tx.begun.add(id, m, len(parts) > 0)
	return id, nil
}

// MessageByID reads one message, or sql.ErrNoRows.
func (tx *Tx) MessageByID(id int64) (Message, error) {
	return scanMessage(tx.row(`SELECT `+messageColumns+` FROM message WHERE id = ?`, id))
}

// LinkedTickets lists the numbers of the tickets that a ticket is linked
// with.
func (tx *Tx) LinkedTickets(ticketID int64) ([]string, error) {
	return tx.strings(`SELECT coalesce(t.number, '') FROM ticket_link AS l JOIN ticket AS t ON t.id = l.other_id
		WHERE l.ticket_id = ? ORDER BY t.id`, ticketID)
}

// Messages lists a ticket's messages, oldest first.
func (tx *Tx) Messages(ticketID int64) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE ticket_id = ? ORDER BY id`, ticketID)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// PublicMessages lists up to n of a ticket's newest public messages before a
// row, from the row since on, newest first.
func (tx *Tx) PublicMessages(ticketID, since, before int64, n int) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE ticket_id = ? AND visibility = 'public'
		AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?`, ticketID, since, before, n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// Notes lists the words of a ticket's notes, which no party may see.
func (tx *Tx) Notes(ticketID int64) ([]string, error) {
	rows, err := tx.query(`SELECT words FROM message WHERE ticket_id = ? AND visibility = 'note'`, ticketID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (w string, err error) { err = s.Scan(&w); return w, err })
}

// PublicWords lists the words of a ticket's newest 100 public messages from
// the row since on, but one.
func (tx *Tx) PublicWords(ticketID, since, but int64) ([]string, error) {
	return tx.strings(`SELECT words FROM message WHERE ticket_id = ? AND visibility = 'public' AND id >= ? AND id <> ?
		ORDER BY id DESC LIMIT 100`, ticketID, since, but)
}

// WaitingMessages lists the messages of a ticket that wait for an agent, at
// most 100: the one asked for first, then the oldest. Agents' own mails wait
// for something else: their confirmation.
func (tx *Tx) WaitingMessages(ticketID, prefer int64) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE ticket_id = ? AND visibility = 'waiting'
		AND role <> 'agent' ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, id LIMIT 100`, ticketID, prefer)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// LastWords is when a role last wrote publicly on a ticket; zero if never.
func (tx *Tx) LastWords(ticketID int64, role ticket.Role) (time.Time, error) {
	var at micros
	err := tx.row(`SELECT max(at) FROM message WHERE ticket_id = ? AND role = ? AND visibility = 'public'`,
		ticketID, string(role)).Scan(&at)
	return at.Time(), err
}

// LastAnswer is when the agents last told the parties something; zero if
// never.
func (tx *Tx) LastAnswer(ticketID int64) (time.Time, error) {
	var at micros
	err := tx.row(`SELECT max(at) FROM event WHERE ticket_id = ? AND role = 'agent' AND type IN
		('replied', 'resolved', 'validated', 'reopened', 'asked-information', 'asked-action')`, ticketID).Scan(&at)
	return at.Time(), err
}

// AgentAnswers lists agents' public messages on a ticket since a time, oldest
// first.
func (tx *Tx) AgentAnswers(ticketID int64, since time.Time) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE ticket_id = ? AND role = 'agent'
		AND visibility = 'public' AND at >= ? ORDER BY id`, ticketID, since)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// LastPublic is the newest public message of a ticket, or 0.
func (tx *Tx) LastPublic(ticketID int64) (id int64, err error) {
	err = tx.row(`SELECT coalesce(max(id), 0) FROM message WHERE ticket_id = ? AND visibility = 'public'`, ticketID).Scan(&id)
	return id, err
}

// ShowMessage changes who sees a message.
func (tx *Tx) ShowMessage(id int64, v Visibility, party int, role ticket.Role) error {
	tx.begun = nil
	_, err := tx.exec(`UPDATE message SET visibility = ?, party = ?, role = ? WHERE id = ?`, string(v), party, string(role), id)
	return err
}

// DropMessage forgets a message, not its mail: it is about to be posted anew.
func (tx *Tx) DropMessage(id int64) error {
	tx.begun = nil
	for _, q := range []string{
		`DELETE FROM part WHERE message_id = ?`,
		`DELETE FROM anchor WHERE message_id = ?`,
		`UPDATE delivery SET message_id = NULL WHERE message_id = ?`,
		`DELETE FROM message WHERE id = ?`,
	} {
		if _, err := tx.exec(q, id); err != nil {
			return err
		}
	}
	return nil
}

// MoveMessage gives a message, with the anchors that it bears and the form
// that it is, to another ticket, where its writer is a party already.
func (tx *Tx) MoveMessage(id, from, to int64) error {
	tx.begun = nil
	if _, err := tx.exec(`UPDATE message SET ticket_id = ? WHERE id = ?`, to, id); err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE delivery SET ticket_id = ? WHERE message_id = ?`, to, id); err != nil {
		return err
	}
	if _, err := tx.exec(`UPDATE submission SET ticket_id = ?, party = coalesce((SELECT min(there.ordinal) FROM party AS here
		JOIN party AS there ON there.person_id = here.person_id WHERE here.ticket_id = submission.ticket_id
		AND here.ordinal = submission.party AND there.ticket_id = ?), party) WHERE message_id = ?`, to, to, id); err != nil {
		return err
	}
	if _, err := tx.exec(`INSERT INTO anchor (hash, ticket_id, message_id, own)
		SELECT hash, CAST(? AS BIGINT), message_id, own FROM anchor WHERE message_id = ? AND ticket_id = ?
		ON CONFLICT (hash, ticket_id) DO UPDATE SET message_id = excluded.message_id, own = 1
		WHERE anchor.own = 0 AND excluded.own = 1`, to, id, from); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM anchor WHERE message_id = ? AND ticket_id = ?`, id, from)
	return err
}

// StaleConfirmations lists agents' messages that wait for a confirmation
// since before a time, the oldest first, at most 100.
func (tx *Tx) StaleConfirmations(before time.Time) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE visibility = 'waiting' AND role = 'agent'
		AND at < ? ORDER BY at, id LIMIT 100`, before)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// Parts lists a message's attachments.
func (tx *Tx) Parts(messageID int64) ([]Part, error) {
	rows, err := tx.query(`SELECT message_id, path, name, content_type, encoding, content_id, inline, pos, length, size,
		coalesce(raw_id, 0) FROM part WHERE message_id = ? ORDER BY pos, path`, messageID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (p Part, err error) {
		err = s.Scan(&p.MessageID, &p.Path, &p.Name, &p.ContentType, &p.Encoding, &p.ContentID, &p.Inline, &p.Offset, &p.Length, &p.Size, &p.RawID)
		return p, err
	})
}

// Anchor ties a Message-ID to a ticket.
type Anchor struct {
	TicketID int64
	Desk     string // of the ticket
	Subject  string // of the ticket
	Own      bool   // the id is that of a mail of the ticket; else one of its mails refers to it
	Writer   string
	Party    int // the ordinal that the mail counts for; -1: none
	People   []string
}

// idHash folds the letter case of a Message-ID, which some systems change.
func idHash(id string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.Trim(id, "<> "))))
	return sum[:16]
}

// AddAnchor ties an id to a ticket, as the message's own or as one that it
// refers to. What a message refers to never takes the place of an own id.
func (tx *Tx) AddAnchor(ticketID, message int64, id string, own bool) error {
	if id == "" {
		return nil
	}
	conflict := `DO NOTHING`
	if own {
		conflict = `(hash, ticket_id) DO UPDATE SET message_id = excluded.message_id, own = 1 WHERE anchor.own = 0`
	}
	_, err := tx.exec(`INSERT INTO anchor (hash, ticket_id, message_id, own) VALUES (?, ?, ?, ?) ON CONFLICT `+conflict,
		idHash(id), ticketID, message, own)
	return err
}

// Anchors lists the tickets that hold a Message-ID, at most 8.
func (tx *Tx) Anchors(id string) ([]Anchor, error) {
	query, args := tx.anchored(`SELECT a.ticket_id, t.desk, t.subject, a.own, m.address, m.party, m.people FROM anchor AS a
		JOIN message AS m ON m.id = a.message_id JOIN ticket AS t ON t.id = a.ticket_id WHERE a.hash = ?`, []any{idHash(id)})
	rows, err := tx.query(query+` ORDER BY a.ticket_id LIMIT 8`, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (Anchor, error) {
		a := Anchor{Party: -1}
		var party sql.NullInt64
		var people string
		err := s.Scan(&a.TicketID, &a.Desk, &a.Subject, &a.Own, &a.Writer, &party, &people)
		a.People = lines(people)
		if party.Valid {
			a.Party = int(party.Int64)
		}
		return a, err
	})
}
