package store

// Event is a line of a ticket's history with its place among all.
type Event struct {
	ID       int64
	TicketID int64
	HistoryEntry
}

// EventsSince lists up to n lines of all tickets' history after a row id.
func (tx *Tx) EventsSince(id int64, n int) ([]Event, error) {
	rows, err := tx.query(`SELECT id, ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason FROM event
		WHERE id > ? ORDER BY id LIMIT ?`, id, n)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (e Event, err error) {
		var at micros
		err = s.Scan(&e.ID, &e.TicketID, &at, &e.Actor, &e.Role, &e.HistoryEntry.Event, &e.From, &e.To, &e.MailID, &e.Reason)
		e.At = at.Time()
		return e, err
	})
}

// OutboxSince lists up to n rows of the outbox after a row id.
func (tx *Tx) OutboxSince(id int64, n int) ([]Outbox, error) {
	rows, err := tx.query(`SELECT `+outboxColumns+` FROM outbox WHERE id > ? ORDER BY id LIMIT ?`, id, n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanOutbox)
}

// DeliveriesAfter lists up to n deliveries after a row id, in the order of
// their arrival.
func (tx *Tx) DeliveriesAfter(id int64, n int) ([]Delivery, error) {
	return tx.deliveries(`SELECT `+deliveryColumns+` FROM delivery WHERE id > ? ORDER BY id LIMIT ?`, id, n)
}

// DeliveryBefore returns the row id after which the newest n deliveries stand,
// or 0 if there are no more than that.
func (tx *Tx) DeliveryBefore(n int) (id int64, err error) {
	err = tx.row(`SELECT coalesce(min(id), 1) - 1 FROM (SELECT id FROM delivery ORDER BY id DESC LIMIT ?) AS d`, n).Scan(&id)
	return id, err
}
