package store

import (
	"database/sql"
	"math"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// askingKinds are the mails that a deadline follows: what is asked of the
// parties, and what reminds them of it.
var askingKinds = []ticket.Kind{ticket.FormLink, ticket.Opened, ticket.InformationRequest, ticket.ActionRequest, ticket.Reminder,
	ticket.ClosureRequest, ticket.ClosureReminder, ticket.AutoCloseWarning}

// maxCopies is how many copies of one mail are looked at.
const maxCopies = 500

// LastAsked is the newest mail of a ticket that its deadline can follow: its
// kind, and the states of its copies by row id. "" if there is none.
func (tx *Tx) LastAsked(ticketID int64) (kind ticket.Kind, copies map[int64]OutboxState, err error) {
	rows, err := tx.query(`SELECT id, kind, state, created FROM outbox WHERE ticket_id = ? AND kind IN (`+sqlKinds(askingKinds)+`)
		ORDER BY id DESC LIMIT ?`, ticketID, maxCopies)
	if err != nil {
		return "", nil, err
	}
	type copied struct {
		id      int64
		kind    ticket.Kind
		state   OutboxState
		created time.Time
	}
	all, err := collect(rows, func(s scanner) (c copied, err error) {
		var created micros
		err = s.Scan(&c.id, &c.kind, &c.state, &created)
		c.created = created.Time()
		return c, err
	})
	copies = map[int64]OutboxState{}
	for _, c := range all {
		// One event queues all copies, at one time.
		if c.kind == all[0].kind && c.created.Equal(all[0].created) {
			kind, copies[c.id] = c.kind, c.state
		}
	}
	return kind, copies, err
}

func sqlKinds(kinds []ticket.Kind) string {
	all := make([]string, len(kinds))
	for i, k := range kinds {
		all[i] = "'" + string(k) + "'"
	}
	return strings.Join(all, ", ")
}

// CancelChases takes a ticket's reminders and warnings out of the queue that
// have not left yet: somebody has spoken meanwhile.
func (tx *Tx) CancelChases(ticketID int64) error {
	_, err := tx.exec(`UPDATE outbox SET state = 'cancelled', reply = 'somebody has spoken meanwhile' WHERE ticket_id = ?
		AND state = 'queued' AND kind IN ('reminder', 'auto-close-warning', 'closure-reminder')`, ticketID)
	return err
}

// TakenSince says whether the relay took a later mail of the ticket for the
// same recipient.
func (tx *Tx) TakenSince(o Outbox) (has bool, err error) {
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM outbox WHERE ticket_id = ? AND recipient = ? AND id > ? AND state = 'sent')`,
		o.TicketID, o.Recipient, o.ID).Scan(&has)
	return has, err
}

// LostAmong finds the rows whose recipients are parties that cannot be
// reached, as far as is known.
func (tx *Tx) LostAmong(rows []Outbox) ([]Outbox, error) {
	var ids []any
	first, last := int64(math.MaxInt64), int64(0)
	for _, o := range rows {
		if o.TicketID != 0 && o.Party >= 0 {
			ids = append(ids, o.TicketID)
			first, last = min(first, o.TicketID), max(last, o.TicketID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	// One step in an index that is nearly empty mostly ends it; a list costs a
	// step for each ticket, and SQLite a table to hold it.
	var some bool
	err := tx.row(`SELECT EXISTS (SELECT 1 FROM party WHERE reachable = 0 AND ticket_id BETWEEN ? AND ?)`, first, last).Scan(&some)
	if err != nil || !some {
		return nil, err
	}
	found, err := tx.query(`SELECT ticket_id, ordinal FROM party WHERE reachable = 0 AND ticket_id IN (`+marks(len(ids))+`)`, ids...)
	if err != nil {
		return nil, err
	}
	type who struct {
		ticket int64
		party  int
	}
	lost, err := collect(found, func(s scanner) (w who, err error) { err = s.Scan(&w.ticket, &w.party); return w, err })
	var out []Outbox
	for _, o := range rows {
		for _, w := range lost {
			if w.ticket == o.TicketID && w.party == o.Party {
				out = append(out, o)
				break
			}
		}
	}
	return out, err
}

// WaitingSince lists up to n messages after a row that wait for an agent since
// before a time, agents' own not among them. The + keeps the primary key out
// of the plan: from row 0 on it would read the whole table.
func (tx *Tx) WaitingSince(before time.Time, after int64, n int) ([]Message, error) {
	rows, err := tx.query(`SELECT `+messageColumns+` FROM message WHERE visibility = 'waiting' AND role <> 'agent' AND at < ?
		AND +id > ? ORDER BY +id LIMIT ?`, before, after, n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMessage)
}

// AwaitingForm finds the ticket of a desk that awaits the form of an address,
// or was closed because it never came, locked for change: the newest, one
// that still waits before the others. sql.ErrNoRows if there is none.
func (tx *Tx) AwaitingForm(desk, address string) (ticket.Ticket, error) {
	var id int64
	err := tx.row(`SELECT id FROM ticket WHERE form_for = ? AND form_for <> '' AND desk = ?
		ORDER BY CASE WHEN state = 'awaiting-form' THEN 0 ELSE 1 END, id DESC LIMIT 1`, fold(address), desk).Scan(&id)
	if err != nil {
		return ticket.Ticket{}, err
	}
	t, err := tx.LockTicket(id)
	if err == nil && t.FormFor != fold(address) {
		return t, sql.ErrNoRows // it came in between
	}
	return t, err
}
