package store

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// OutboxState says where a mail to one recipient stands.
type OutboxState string

// The states of an outbox row. Held waits for somebody's decision.
const (
	Queued    OutboxState = "queued"
	Sending   OutboxState = "sending"
	Sent      OutboxState = "sent"
	FailedOut OutboxState = "failed"
	HeldOut   OutboxState = "held"
	Cancelled OutboxState = "cancelled"
)

// Outbox is one mail to one recipient.
type Outbox struct {
	ID        int64
	TicketID  int64 // 0: it belongs to none
	Desk      string
	Party     int // ordinal whose reply address it carries; -1: none
	Kind      ticket.Kind
	Recipient string
	State     OutboxState
	Priority  int // lower leaves first
	Due       time.Time
	Tries     int
	Created   time.Time
	Reply     string // the relay's last words, or why it is held
	Args      string // JSON: what composing needs
	Cause     int64  // the delivery that led to it; 0: none did
	MailID    string // set when the mail is stored, or was sent
	Fence     int64

	// The finished mail, once composed or loaded.
	Sender string // of the envelope
	Header []byte
	Body   []byte
	BodyID int64 // a raw row, where the body is large
	Stored bool  // the outbox has these bytes
}

// Lane is the order key: mails of one ticket to one person leave in order.
// Those of no ticket have an order for each desk and kind.
func (o Outbox) Lane() string {
	if o.TicketID == 0 {
		return fmt.Sprintf("%s %s %s", o.Desk, o.Kind, o.Recipient)
	}
	return strconv.FormatInt(o.TicketID, 10) + " " + o.Recipient // asked for several times a mail
}

const outboxColumns = `id, ticket_id, desk, party, kind, recipient, state, priority, due, tries, created, reply, args, cause, mail_id, fence`

func scanOutbox(s scanner) (Outbox, error) {
	o := Outbox{Party: -1}
	var ticketID, party, cause sql.NullInt64
	var due, created micros
	err := s.Scan(&o.ID, &ticketID, &o.Desk, &party, &o.Kind, &o.Recipient, &o.State, &o.Priority, &due, &o.Tries,
		&created, &o.Reply, &o.Args, &cause, &o.MailID, &o.Fence)
	o.Cause = cause.Int64
	o.TicketID, o.Due, o.Created = ticketID.Int64, due.Time(), created.Time()
	if party.Valid {
		o.Party = int(party.Int64)
	}
	return o, err
}

// AddOutbox queues a mail, or holds it where o.State says so; its Message-ID
// is set by [Tx.StoreMail] or [Tx.FinishOutbox], since it is made of the row's
// id.
func (tx *Tx) AddOutbox(o Outbox) (int64, error) {
	if o.State == "" {
		o.State = Queued
	}
	return tx.addOutbox(o, nil, time.Time{})
}

// AddLeasedOutbox is AddOutbox for a mail that this process sends at once: the
// row is leased from the beginning, as if [Tx.LeaseOutbox] had returned it. Its
// lane must be free. It returns the row.
func (tx *Tx) AddLeasedOutbox(o Outbox, ttl time.Duration) (Outbox, error) {
	o.State, o.Fence, o.Created = Sending, 1, tx.Now()
	id, err := tx.addOutbox(o, tx.db.Node(), tx.Now().Add(ttl))
	o.ID = id
	return o, err
}

func (tx *Tx) addOutbox(o Outbox, owner any, until time.Time) (int64, error) {
	var party any
	if o.Party >= 0 {
		party = o.Party
	}
	return tx.insert(`INSERT INTO outbox (ticket_id, desk, party, kind, recipient, lane, state, priority, due, created,
		reply, args, cause, lease_owner, lease_until, fence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+returningID,
		nullable(o.TicketID), o.Desk, party, string(o.Kind), o.Recipient, o.Lane(), string(o.State), o.Priority,
		o.Due, tx.Now(), o.Reply, o.Args, nullable(o.Cause), owner, until, o.Fence)
}

// LaneIsFree says whether no mail of a lane waits or is being sent.
func (tx *Tx) LaneIsFree(lane string) (free bool, err error) {
	err = tx.row(`SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE lane = ? AND state = 'queued')
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE lane = ? AND state = 'sending')`, lane, lane).Scan(&free)
	return free, err
}

// byPriority begins a statement: p.v are the priorities of the queued rows,
// each found by one step in the index on (priority, due). What is due later
// is never walked, however much of it there is.
const byPriority = `WITH RECURSIVE p (v) AS (SELECT min(priority) FROM outbox WHERE state = 'queued'
	UNION ALL SELECT (SELECT min(priority) FROM outbox WHERE state = 'queued' AND priority > p.v) FROM p WHERE p.v IS NOT NULL) `

// LeaseCertain is how long after it was given a lease of LeaseOutbox is surely
// its owner's still.
const LeaseCertain = 5 * time.Second

// LeaseOutbox takes up to n due rows, the most urgent first, one a lane, and
// none whose lane has an earlier row that is not sent yet. A gateway whom the
// others will not take for alive throughout LeaseCertain gets none: they would
// take its rows.
func (tx *Tx) LeaseOutbox(n int, ttl time.Duration) (leased []Outbox, err error) {
	alive, args := ``, []any(nil)
	if tx.db.node != nil {
		alive = ` AND EXISTS (SELECT 1 FROM lease WHERE name = ? AND until > ?)`
		args = []any{nodeLease(tx.db.Node()), tx.Now().Add(LeaseCertain)}
	}
	rows, err := tx.query(byPriority+`SELECT v FROM p WHERE v IS NOT NULL`+alive+` ORDER BY v`, args...)
	if err != nil {
		return nil, err
	}
	priorities, err := collect(rows, func(s scanner) (p int, err error) { err = s.Scan(&p); return p, err })
	for i := 0; err == nil && i < len(priorities) && len(leased) < n; i++ {
		var some []Outbox
		some, err = tx.leasePriority(priorities[i], n-len(leased), ttl)
		leased = append(leased, some...)
	}
	return leased, err
}

func (tx *Tx) leasePriority(priority, n int, ttl time.Duration) ([]Outbox, error) {
	// Materialized: see ClaimDeliveries. Of NOT EXISTS PostgreSQL makes a join
	// that reads all lanes.
	rows, err := tx.query(`WITH c AS MATERIALIZED (SELECT id FROM outbox AS o WHERE state = 'queued' AND priority = ? AND due <= ?
			AND (SELECT e.id FROM outbox AS e WHERE e.lane = o.lane AND e.id < o.id AND e.state = 'queued' LIMIT 1) IS NULL
			AND (SELECT e.id FROM outbox AS e WHERE e.lane = o.lane AND e.id < o.id AND e.state = 'sending' LIMIT 1) IS NULL
			ORDER BY due, id LIMIT ?`+tx.skipLocked()+`)
		UPDATE outbox SET state = 'sending', lease_owner = ?, lease_until = ?, fence = fence + 1
		WHERE id IN (SELECT id FROM c) RETURNING `+outboxColumns,
		priority, tx.Now(), n, tx.db.Node(), tx.Now().Add(ttl))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanOutbox)
}

// ReclaimOutbox puts rows back whose lease has run out, or whose gateway is
// no longer alive: the process that had them ended. They leave again with the
// same bytes.
func (tx *Tx) ReclaimOutbox() (int64, error) {
	lapsed, args := tx.lapsed()
	return tx.exec(`UPDATE outbox SET state = 'queued', lease_owner = NULL, lease_until = NULL
		WHERE state = 'sending' AND `+lapsed, args...)
}

// ReturnOutbox gives back a row of this lease that was not tried.
func (tx *Tx) ReturnOutbox(o Outbox) error {
	_, err := tx.exec(`UPDATE outbox SET state = 'queued', lease_owner = NULL, lease_until = NULL
		WHERE id = ? AND fence = ? AND state = 'sending' AND lease_owner = ?`, o.ID, o.Fence, tx.db.Node())
	return err
}

// HasLapsed says whether ReclaimOutbox would find a row.
func (tx *Tx) HasLapsed() (has bool, err error) {
	lapsed, args := tx.lapsed()
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'sending' AND `+lapsed+`)`, args...).Scan(&has)
	return has, err
}

// lapsed is the condition of a leased row that may be taken: its lease has
// run out, or on PostgreSQL its owner is another gateway that gives no sign
// of life any more, as [Tx.LiveNodes] has it.
func (tx *Tx) lapsed() (condition string, args []any) {
	if tx.Engine() == "sqlite" {
		return `lease_until <= ?`, []any{tx.Now()}
	}
	return `(lease_until <= ? OR lease_owner <> ? AND NOT EXISTS
		(SELECT 1 FROM lease WHERE name = ? || lease_owner AND until > ?))`,
		[]any{tx.Now(), tx.db.Node(), nodeLease(""), tx.Now()}
}

// StoreMail keeps a composed mail with its row, if the lease still holds.
func (tx *Tx) StoreMail(o Outbox) (bool, error) {
	// The row is changed first: on PostgreSQL that also locks it.
	n, err := tx.exec(`UPDATE outbox SET mail_id = ? WHERE id = ? AND fence = ? AND state = 'sending'`, o.MailID, o.ID, o.Fence)
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.putMail(o)
}

func (tx *Tx) putMail(o Outbox) error {
	_, err := tx.exec(`INSERT INTO outbox_mail (outbox_id, sender, header, body, body_id) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (outbox_id) DO UPDATE SET sender = excluded.sender, header = excluded.header, body = excluded.body,
		body_id = excluded.body_id`, o.ID, o.Sender, o.Header, o.Body, nullable(o.BodyID))
	return err
}

// LoadMail reads the finished mail that is kept with a row; Header is nil if
// none is, or none any more. It is sql.ErrNoRows if there is no such row.
func (tx *Tx) LoadMail(o *Outbox) error {
	var sender sql.NullString
	var bodyID sql.NullInt64
	err := tx.row(`SELECT o.mail_id, m.sender, m.header, m.body, m.body_id FROM outbox AS o
		LEFT JOIN outbox_mail AS m ON m.outbox_id = o.id WHERE o.id = ?`, o.ID).
		Scan(&o.MailID, &sender, &o.Header, &o.Body, &bodyID)
	o.Sender, o.BodyID, o.Stored = sender.String, bodyID.Int64, o.Header != nil
	return err
}

// DropOldMails forgets the finished mails of rows that were settled before a
// time, the oldest first, at most n, and says how many. The rows stay.
func (tx *Tx) DropOldMails(before time.Time, n int) (int, error) {
	// A cross join, for SQLite would begin with the other table, which is long.
	rows, err := tx.query(`SELECT m.outbox_id, m.body_id FROM (SELECT outbox_id, body_id FROM outbox_mail ORDER BY outbox_id LIMIT ?) AS m
		CROSS JOIN outbox AS o WHERE o.id = m.outbox_id AND o.state IN ('sent', 'failed', 'cancelled') AND coalesce(o.sent, o.due) < ?`, n, before)
	if err != nil {
		return 0, err
	}
	old, err := collect(rows, func(s scanner) (ids [2]sql.NullInt64, err error) {
		err = s.Scan(&ids[0], &ids[1])
		return ids, err
	})
	for i := 0; err == nil && i < len(old); i++ {
		err = tx.dropMail(old[i][0].Int64, old[i][1].Int64)
	}
	return len(old), err
}

func (tx *Tx) dropMail(row, body int64) error {
	if _, err := tx.exec(`DELETE FROM outbox_mail WHERE outbox_id = ?`, row); err != nil || body == 0 {
		return err
	}
	if _, err := tx.exec(`DELETE FROM raw_chunk WHERE raw_id = ?`, body); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM raw WHERE id = ?`, body)
	return err
}

// FinishOutbox records the outcome of an attempt and says whether the lease
// still held. A row that is queued again is due at o.Due. A composed mail that
// was not taken is kept, so that every try sends the same bytes.
func (tx *Tx) FinishOutbox(o Outbox) (bool, error) {
	var sent any
	if o.State == Sent {
		sent = tx.Now()
	}
	if o.Due.IsZero() {
		o.Due = tx.Now()
	}
	reply, said := `?`, any(o.Reply)
	if o.State == Queued && o.Reply == "" { // handed back untried, it says what it said before
		reply, said = `CASE WHEN tries = ? THEN reply ELSE '' END`, o.Tries
	}
	n, err := tx.exec(`UPDATE outbox SET state = ?, reply = `+reply+`, due = ?, tries = ?, sent = ?, lease_owner = NULL,
		lease_until = NULL, mail_id = CASE WHEN ? = '' THEN mail_id ELSE ? END WHERE id = ? AND fence = ? AND state = 'sending'`,
		string(o.State), said, o.Due, o.Tries, sent, o.MailID, o.MailID, o.ID, o.Fence)
	if err != nil || n != 1 {
		return false, err
	}
	if o.Header != nil && !o.Stored && o.State != Sent {
		err = tx.putMail(o)
	}
	return err == nil, err
}

// SetOutbox moves a row by hand from one of the states from to another; it
// says whether the row was in one of them.
func (tx *Tx) SetOutbox(id int64, to OutboxState, from ...OutboxState) (bool, error) {
	args := []any{string(to), tx.Now(), id}
	marks := make([]string, len(from))
	for i, f := range from {
		marks[i], args = "?", append(args, string(f))
	}
	n, err := tx.exec(`UPDATE outbox SET state = ?, due = ?, lease_owner = NULL, lease_until = NULL WHERE id = ? AND state IN (`+
		strings.Join(marks, ", ")+`)`, args...)
	return n == 1, err
}

// Release lets a held row out: what held it is not asked again.
func (tx *Tx) Release(id int64) (bool, error) {
	n, err := tx.exec(`UPDATE outbox SET state = 'queued', due = ?, reply = ? WHERE id = ? AND state = 'held'`, tx.Now(), Released, id)
	return n == 1, err
}

// Released is the reply of a row that somebody let out.
const Released = "released"

// HoldOutbox takes a leased row out of the queue until somebody decides.
func (tx *Tx) HoldOutbox(o Outbox, reason string) error {
	_, err := tx.exec(`UPDATE outbox SET state = 'held', reply = ?, lease_owner = NULL, lease_until = NULL
		WHERE id = ? AND fence = ? AND state = 'sending'`, reason, o.ID, o.Fence)
	return err
}

// OutboxByID reads a row without its mail, or sql.ErrNoRows.
func (tx *Tx) OutboxByID(id int64) (Outbox, error) {
	return scanOutbox(tx.row(`SELECT `+outboxColumns+` FROM outbox WHERE id = ?`, id))
}

// LockOutbox is OutboxByID for change: on PostgreSQL the row stays locked.
func (tx *Tx) LockOutbox(id int64) (Outbox, error) {
	return scanOutbox(tx.row(`SELECT `+outboxColumns+` FROM outbox WHERE id = ?`+tx.forUpdate(), id))
}

// OutboxPage lists up to n rows after an id, oldest first; an empty state
// means any.
func (tx *Tx) OutboxPage(state OutboxState, after int64, n int) ([]Outbox, error) {
	rows, err := tx.query(`SELECT `+outboxColumns+` FROM outbox WHERE id > ? AND (? = '' OR state = ?) ORDER BY id LIMIT ?`,
		after, string(state), string(state), n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanOutbox)
}

// TicketNumbers are the numbers of the tickets of rows, by ticket.
func (tx *Tx) TicketNumbers(rows []Outbox) (map[int64]string, error) {
	numbers := map[int64]string{}
	var ids []any
	for _, o := range rows {
		ids = append(ids, o.TicketID)
	}
	if len(ids) == 0 {
		return numbers, nil
	}
	found, err := tx.query(`SELECT id, coalesce(number, '') FROM ticket WHERE id IN (`+marks(len(ids))+`)`, ids...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var id int64
		var number string
		if err := found.Scan(&id, &number); err != nil {
			return nil, err
		}
		numbers[id] = number
	}
	return numbers, found.Err()
}

// QueuedLater finds the queued also-received mail to a recipient at a desk
// that is not composed yet, or sql.ErrNoRows.
func (tx *Tx) QueuedLater(recipient, desk string) (Outbox, error) {
	return scanOutbox(tx.row(`SELECT `+outboxColumns+` FROM outbox WHERE recipient = ? AND kind = 'also-received' AND state = 'queued'
		AND desk = ? AND mail_id = '' ORDER BY id LIMIT 1`+tx.forUpdate(), recipient, desk))
}

// SetArgs changes what a row that is not composed yet will say.
func (tx *Tx) SetArgs(id int64, args string) error {
	_, err := tx.exec(`UPDATE outbox SET args = ? WHERE id = ?`, args, id)
	return err
}

// NextOutbox is when the next queued row is due; zero if none is queued.
func (tx *Tx) NextOutbox() (time.Time, error) {
	var at micros
	err := tx.row(byPriority + `SELECT min((SELECT min(due) FROM outbox WHERE state = 'queued' AND priority = p.v)) FROM p`).Scan(&at)
	return at.Time(), err
}

// OutboxDepth counts queued rows up to limit, for metrics.
func (tx *Tx) OutboxDepth(limit int) (n int, err error) {
	err = tx.row(`SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'queued' LIMIT ?) AS q`, limit).Scan(&n)
	return n, err
}

// FailSent records that a mail which was taken came back.
func (tx *Tx) FailSent(id int64, reply string) error {
	_, err := tx.exec(`UPDATE outbox SET state = 'failed', reply = ? WHERE id = ? AND state IN ('sent', 'failed')`, reply, id)
	return err
}

// OutboxBusy counts rows that are due or being sent, up to limit.
func (tx *Tx) OutboxBusy(limit int) (n int, err error) {
	err = tx.row(byPriority+`SELECT CAST(coalesce(sum((SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'queued'
			AND priority = p.v AND due <= ? LIMIT ?) AS d)), 0) AS BIGINT)
		+ (SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'sending' LIMIT ?) AS s) FROM p`,
		tx.Now(), limit, limit).Scan(&n)
	return min(n, limit), err
}
