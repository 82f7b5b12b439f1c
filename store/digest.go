package store

import (
	"time"

	"guichet/mailflow/ticket"
)

// newestTickets is how many of the newest tickets of all desks are looked at
// for the desk's day: a desk with a million old ones must not wait for it.
const newestTickets = 2000

// WaitingTickets lists up to n tickets of a desk of which a mail waits for an
// agent, the oldest first.
func (tx *Tx) WaitingTickets(desk string, n int) ([]ticket.Ticket, error) {
	return tx.ticketsWhere(`desk = ? AND id IN (SELECT ticket_id FROM message WHERE visibility = 'waiting') ORDER BY id LIMIT ?`, desk, n)
}

// ExpiringForms lists up to n tickets of a desk whose form was not filled in
// and that are given up before until.
func (tx *Tx) ExpiringForms(desk string, until time.Time, n int) ([]ticket.Ticket, error) {
	return tx.ticketsWhere(`form_for <> '' AND desk = ? AND state = 'awaiting-form' AND deadline <= ? ORDER BY deadline, id LIMIT ?`, desk, until, n)
}

// UnopenedTickets lists up to n of a desk's tickets that nobody has opened or
// answered, the oldest first.
func (tx *Tx) UnopenedTickets(desk string, n int) ([]ticket.Ticket, error) {
	return tx.ticketsWhere(`id > (SELECT coalesce(max(id), 0) - ? FROM ticket) AND desk = ? AND state = 'new' ORDER BY id LIMIT ?`, newestTickets, desk, n)
}

// DayOf counts a desk's tickets that were made, and those that were closed,
// since a time.
func (tx *Tx) DayOf(desk string, since time.Time) (made, closed int, err error) {
	err = tx.row(`SELECT coalesce(sum(CASE WHEN created > ? THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN closed_at > ? THEN 1 ELSE 0 END), 0)
		FROM ticket WHERE id > (SELECT coalesce(max(id), 0) - ? FROM ticket) AND desk = ?`, since, since, newestTickets, desk).Scan(&made, &closed)
	return made, closed, err
}

func (tx *Tx) ticketsWhere(where string, args ...any) ([]ticket.Ticket, error) {
	rows, err := tx.query(`SELECT `+ticketColumns+` FROM ticket WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanTicket)
}
