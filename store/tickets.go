package store

import (
	"database/sql"
	"fmt"
	"time"

	"guichet/mailflow/ticket"
)

const ticketColumns = `id, version, number, desk, state, closed, subject, assignee, category, urgency, created, updated,
	closed_at, deadline, next, reminders, warned, waiting, resolution, merged_into, escalated, spent, form_for, form_at, invited,
	postponed, stuck`

func scanTicket(s scanner) (ticket.Ticket, error) {
	var t ticket.Ticket
	var number sql.NullString
	var created, updated, closedAt, deadline, formAt micros
	var spent int64
	err := s.Scan(&t.ID, &t.Version, &number, &t.Desk, &t.State, &t.Closed, &t.Subject, &t.Assignee, &t.Category, &t.Urgency,
		&created, &updated, &closedAt, &deadline, &t.Next, &t.Reminders, &t.Warned, &t.Waiting, &t.Resolution, &t.MergedInto,
		&t.Escalated, &spent, &t.FormFor, &formAt, &t.Invited, &t.Postponed, &t.Stuck)
	t.Number, t.Spent, t.FormAt = number.String, time.Duration(spent)*time.Microsecond, formAt.Time()
	t.Created, t.Updated, t.ClosedAt, t.Deadline = created.Time(), updated.Time(), closedAt.Time(), deadline.Time()
	return t, err
}

// AddTicket stores a new ticket and gives its row id. opener is the
// Message-ID of the mail that began it, or "".
func (tx *Tx) AddTicket(t ticket.Ticket, opener string) (int64, error) {
	id, err := tx.insert(`INSERT INTO ticket (version, number, desk, state, closed, subject, assignee, category, urgency,
		created, updated, closed_at, deadline, next, reminders, warned, waiting, resolution, merged_into, escalated, spent,
		form_for, form_at, invited, postponed, stuck, opener)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+returningID,
		t.Version, nullString(t.Number), t.Desk, string(t.State), string(t.Closed), t.Subject, t.Assignee, t.Category, t.Urgency,
		t.Created, t.Updated, t.ClosedAt, t.Deadline, string(t.Next), t.Reminders, t.Warned, t.Waiting, t.Resolution,
		t.MergedInto, t.Escalated, t.Spent.Microseconds(), t.FormFor, t.FormAt, t.Invited, t.Postponed, string(t.Stuck), opener)
	if err == nil {
		t.ID = id
		tx.made = id
		tx.begun = &begun{ticket: t}
		tx.knowParties(id, nil)
	}
	return id, err
}

// SaveTicket stores a changed ticket.
func (tx *Tx) SaveTicket(t ticket.Ticket) error {
	tx.begun = nil
	n, err := tx.exec(`UPDATE ticket SET version = ?, number = ?, desk = ?, state = ?, closed = ?, subject = ?,
		assignee = ?, category = ?, urgency = ?, updated = ?, closed_at = ?, deadline = ?, next = ?, reminders = ?,
		warned = ?, waiting = ?, resolution = ?, merged_into = ?, escalated = ?, spent = ?, form_for = ?, form_at = ?,
		invited = ?, postponed = ?, stuck = ? WHERE id = ?`,
		t.Version, nullString(t.Number), t.Desk, string(t.State), string(t.Closed), t.Subject,
		t.Assignee, t.Category, t.Urgency, t.Updated, t.ClosedAt, t.Deadline, string(t.Next), t.Reminders,
		t.Warned, t.Waiting, t.Resolution, t.MergedInto, t.Escalated, t.Spent.Microseconds(), t.FormFor, t.FormAt,
		t.Invited, t.Postponed, string(t.Stuck), t.ID)
	if err == nil && n != 1 {
		return fmt.Errorf("save ticket %d: no such row", t.ID)
	}
	return err
}

// LockTicket reads a ticket for change: on PostgreSQL its row stays locked to
// the end of the transaction. sql.ErrNoRows if there is none.
func (tx *Tx) LockTicket(id int64) (ticket.Ticket, error) {
	if tx.forUpdate() != "" {
		delete(tx.parties, id) // whoever held the lock before may have changed them
	}
	return scanTicket(tx.row(`SELECT `+ticketColumns+` FROM ticket WHERE id = ?`+tx.forUpdate(), id))
}

// TicketByID reads a ticket, or sql.ErrNoRows.
func (tx *Tx) TicketByID(id int64) (ticket.Ticket, error) {
	return scanTicket(tx.row(`SELECT `+ticketColumns+` FROM ticket WHERE id = ?`, id))
}

// TicketByNumber reads a ticket by its number, whatever the letter case, or
// sql.ErrNoRows.
func (tx *Tx) TicketByNumber(number string) (ticket.Ticket, error) {
	return scanTicket(tx.row(`SELECT `+ticketColumns+` FROM ticket WHERE lower(number) = lower(?)`, number))
}

// TicketPage lists up to n tickets after a row id, in the order of their row
// ids; an empty desk or state means any.
func (tx *Tx) TicketPage(desk string, state ticket.State, after int64, n int) ([]ticket.Ticket, error) {
	rows, err := tx.query(`SELECT `+ticketColumns+` FROM ticket WHERE id > ? AND (? = '' OR desk = ?)
		AND (? = '' OR state = ?) ORDER BY id LIMIT ?`, after, desk, desk, string(state), string(state), n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanTicket)
}

// DueTickets lists up to n tickets whose deadline lies after since and not
// after until, the oldest first. The clock of a ticket stands still while one
// of its mails waits for an agent, is held, or is not processed yet, and while
// its desk is one of still.
func (tx *Tx) DueTickets(since, until time.Time, n int, still ...string) ([]int64, error) {
	args := []any{since, until}
	but := ""
	for _, desk := range still {
		but, args = but+" AND desk <> ?", append(args, desk)
	}
	rows, err := tx.query(`SELECT id FROM ticket WHERE deadline > ? AND deadline <= ?`+but+` AND waiting = 0 AND NOT EXISTS
		(SELECT 1 FROM outbox WHERE outbox.ticket_id = ticket.id AND outbox.state = 'held')
		AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.about = ticket.id AND delivery.state IN ('new', 'held'))
		ORDER BY deadline, id LIMIT ?`, append(args, n)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (id int64, err error) { err = s.Scan(&id); return id, err })
}

// PutOff moves a ticket's deadline.
func (tx *Tx) PutOff(id int64, to time.Time) error {
	_, err := tx.exec(`UPDATE ticket SET deadline = ? WHERE id = ? AND deadline IS NOT NULL`, to, id)
	return err
}

// LinkTickets records that two tickets belong together, once.
func (tx *Tx) LinkTickets(a, b int64, reason string) error {
	for _, pair := range [][2]int64{{a, b}, {b, a}} {
		if _, err := tx.exec(`INSERT INTO ticket_link (ticket_id, other_id, reason) VALUES (?, ?, ?)
			ON CONFLICT DO NOTHING`, pair[0], pair[1], reason); err != nil {
			return err
		}
	}
	return nil
}

// HistoryEntry is one row of a ticket's history: codes, never sentences.
type HistoryEntry struct {
	At       time.Time
	Actor    string
	Role     ticket.Role
	Event    ticket.EventType
	From, To ticket.State
	MailID   string
	Reason   string
}

// AddEvent writes one line of history.
func (tx *Tx) AddEvent(ticketID int64, h HistoryEntry) error {
	_, err := tx.exec(`INSERT INTO event (ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, ticketID, h.At, h.Actor, string(h.Role), string(h.Event),
		string(h.From), string(h.To), h.MailID, h.Reason)
	return err
}

// History lists what happened to a ticket, oldest first.
func (tx *Tx) History(ticketID int64) ([]HistoryEntry, error) {
	rows, err := tx.query(`SELECT at, actor, role, type, from_state, to_state, mail_id, reason FROM event
		WHERE ticket_id = ? ORDER BY id`, ticketID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (h HistoryEntry, err error) {
		var at micros
		err = s.Scan(&at, &h.Actor, &h.Role, &h.Event, &h.From, &h.To, &h.MailID, &h.Reason)
		h.At = at.Time()
		return h, err
	})
}

func nullString(s string) any {
	if s == "" {
		return nil
	}
	return s
}
