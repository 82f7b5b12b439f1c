package store

import (
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// DeliveryState says where a delivery stands.
type DeliveryState string

// The states of a delivery: not yet processed; a message, a record or a
// duplicate; kept with a reason until somebody acts; no person's mail.
const (
	DeliveryNew      DeliveryState = "new"
	DeliveryDone     DeliveryState = "done"
	DeliveryHeld     DeliveryState = "held"
	DeliverySetAside DeliveryState = "set-aside"
)

// Delivery is one mail's arrival at one desk.
type Delivery struct {
	ID         int64
	RawID      int64
	Desk       string
	Listener   string
	Client     string
	Hello      string // of one fetched in part: where the whole mail lies
	TLS        string
	Login      string
	MailFrom   string
	Recipients []string
	Received   time.Time
	Priority   int   // 0: a recipient carries a token of ours; 1: the rest
	About      int64 // the ticket of a recipient's reply token; its clock stands still until this is processed

	State    DeliveryState
	Attempts int
	Stop     string // the stage at which it was held
	Reason   string
	Why      string // the decisions taken, a JSON array

	TicketID  int64
	MessageID int64

	// What reading found, for lists.
	From, To, Subject, MailID string

	ContentHash []byte // equal for the same mail sent twice
	CopyHash    []byte // equal for two versions of one mail, such as a list's copy
}

const deliveryColumns = `id, raw_id, desk, listener, client, hello, tls, login, mail_from, recipients, received,
	priority, state, attempts, stop, reason, why, ticket_id, message_id, from_address, to_address, subject, mail_id`

type scanner interface{ Scan(...any) error }

func scanDelivery(s scanner) (Delivery, error) {
	var d Delivery
	var rcpts string
	var received micros
	var ticketID, messageID sql.NullInt64
	err := s.Scan(&d.ID, &d.RawID, &d.Desk, &d.Listener, &d.Client, &d.Hello, &d.TLS, &d.Login, &d.MailFrom, &rcpts,
		&received, &d.Priority, &d.State, &d.Attempts, &d.Stop, &d.Reason, &d.Why, &ticketID, &messageID,
		&d.From, &d.To, &d.Subject, &d.MailID)
	d.Recipients, d.Received = lines(rcpts), received.Time()
	d.TicketID, d.MessageID = ticketID.Int64, messageID.Int64
	return d, err
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// AddDelivery records an arrival and gives its id.
func (tx *Tx) AddDelivery(d Delivery) (int64, error) {
	return tx.insert(`INSERT INTO delivery (raw_id, desk, listener, client, hello, tls, login, mail_from, recipients,
		received, priority, about) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`+returningID,
		d.RawID, d.Desk, d.Listener, d.Client, d.Hello, d.TLS, d.Login, d.MailFrom, strings.Join(d.Recipients, "\n"),
		d.Received, d.Priority, nullable(d.About))
}

// ClaimDeliveries leases up to n deliveries that nobody has in hand, those
// with a token first, then in the order of their arrival.
func (tx *Tx) ClaimDeliveries(n int, ttl time.Duration) ([]Delivery, error) {
	// Materialized: PostgreSQL may run a subquery once a row, and its LIMIT is
	// none then.
	return tx.deliveries(`WITH c AS MATERIALIZED (SELECT id FROM delivery WHERE state = 'new' AND lease_owner IS NULL
		ORDER BY priority, id LIMIT ?`+tx.skipLocked()+`)
		UPDATE delivery SET lease_owner = ?, lease_until = ? WHERE id IN (SELECT id FROM c) RETURNING `+deliveryColumns,
		n, tx.db.Node(), tx.Now().Add(ttl))
}

// Suspects lists deliveries that were in hand when a process ended: their
// lease has run out, or their gateway is no longer alive. They are to be
// retried alone.
func (tx *Tx) Suspects(n int) ([]Delivery, error) {
	lapsed, args := tx.lapsed()
	return tx.deliveries(`SELECT `+deliveryColumns+` FROM delivery WHERE state = 'new' AND lease_owner IS NOT NULL
		AND `+lapsed+` ORDER BY priority, id LIMIT ?`+tx.forUpdate(), append(args, n)...)
}

// HasSuspects says whether there are any, and locks none.
func (tx *Tx) HasSuspects() (has bool, err error) {
	lapsed, args := tx.lapsed()
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'new' AND lease_owner IS NOT NULL AND `+lapsed+`)`, args...).Scan(&has)
	return has, err
}

// RetryAlone leases one suspect and counts the attempt; it says whether the
// suspect was still there to take.
func (tx *Tx) RetryAlone(id int64, ttl time.Duration) (bool, error) {
	lapsed, args := tx.lapsed()
	n, err := tx.exec(`UPDATE delivery SET lease_owner = ?, lease_until = ?, attempts = attempts + 1
		WHERE id = ? AND state = 'new' AND lease_owner IS NOT NULL AND `+lapsed,
		append([]any{tx.db.Node(), tx.Now().Add(ttl), id}, args...)...)
	return n == 1, err
}

// RenewDelivery prolongs the lease of a delivery that this node has in hand.
func (tx *Tx) RenewDelivery(id int64, ttl time.Duration) error {
	_, err := tx.exec(`UPDATE delivery SET lease_until = ? WHERE id = ? AND state = 'new' AND lease_owner = ?`,
		tx.Now().Add(ttl), id, tx.db.Node())
	return err
}

// ReleaseDelivery gives back a lease whose delivery was not touched.
func (tx *Tx) ReleaseDelivery(id int64) error {
	_, err := tx.exec(`UPDATE delivery SET lease_owner = NULL, lease_until = NULL
		WHERE id = ? AND state = 'new' AND lease_owner = ?`, id, tx.db.Node())
	return err
}

// HasDelivery says whether this node still holds the lease of a delivery that
// is not processed yet. Asked in the transaction that processes it, it keeps
// a delivery from being processed twice.
func (tx *Tx) HasDelivery(id int64) (bool, error) {
	var one int
	err := tx.row(`SELECT 1 FROM delivery WHERE id = ? AND state = 'new' AND lease_owner = ?`+tx.forUpdate(),
		id, tx.db.Node()).Scan(&one)
	if err == sql.ErrNoRows {
		return false, nil
	}
	return err == nil, err
}

// FinishDelivery records what became of a delivery.
func (tx *Tx) FinishDelivery(d Delivery) error {
	_, err := tx.finishDelivery(d, ``)
	return err
}

// FinishHeldDelivery is FinishDelivery if this node still holds the lease of
// the delivery and it is not processed yet; ok says whether. If not, the
// transaction must not be committed.
func (tx *Tx) FinishHeldDelivery(d Delivery) (ok bool, err error) {
	n, err := tx.finishDelivery(d, ` AND state = 'new' AND lease_owner = ?`, tx.db.Node())
	return n == 1, err
}

func (tx *Tx) finishDelivery(d Delivery, and string, args ...any) (int64, error) {
	return tx.exec(`UPDATE delivery SET state = ?, stop = ?, reason = ?, why = ?, ticket_id = ?, message_id = ?,
		from_address = ?, to_address = ?, subject = ?, mail_id = ?, content_hash = ?, copy_hash = ?,
		lease_owner = NULL, lease_until = NULL WHERE id = ?`+and, append([]any{
		string(d.State), d.Stop, d.Reason, d.Why, nullable(d.TicketID), nullable(d.MessageID),
		d.From, d.To, d.Subject, d.MailID, d.ContentHash, d.CopyHash, d.ID}, args...)...)
}

// RetryDelivery enters a held or set-aside delivery again, as if it had just
// come; false if there is none. reason is kept for the stages to see.
func (tx *Tx) RetryDelivery(id int64, reason string) (bool, error) {
	n, err := tx.exec(`UPDATE delivery SET state = 'new', attempts = 1, stop = '', reason = ?, lease_owner = NULL,
		lease_until = NULL WHERE id = ? AND state IN ('held', 'set-aside')`, reason, id)
	return n == 1, err
}

// DiscardDelivery ends the matter of a held or set-aside delivery.
func (tx *Tx) DiscardDelivery(id int64) (bool, error) {
	n, err := tx.exec(`UPDATE delivery SET state = 'done', reason = 'discarded by hand: ' || reason
		WHERE id = ? AND state IN ('held', 'set-aside')`, id)
	return n == 1, err
}

// DeliveryByID returns one delivery, or sql.ErrNoRows.
func (tx *Tx) DeliveryByID(id int64) (Delivery, error) {
	return scanDelivery(tx.row(`SELECT `+deliveryColumns+` FROM delivery WHERE id = ?`, id))
}

// StoppedDeliveries lists what is held or set aside, oldest first.
func (tx *Tx) StoppedDeliveries() ([]Delivery, error) {
	return tx.deliveries(`SELECT ` + deliveryColumns + ` FROM delivery WHERE state IN ('held', 'set-aside') ORDER BY id`)
}

// DeliveriesOfMail lists the arrivals of a Message-ID.
func (tx *Tx) DeliveriesOfMail(mailID string) ([]Delivery, error) {
	return tx.deliveries(`SELECT `+deliveryColumns+` FROM delivery WHERE mail_id = ? AND mail_id <> '' ORDER BY id`, mailID)
}

// DeliveriesOfTicket lists the arrivals that became part of a ticket.
func (tx *Tx) DeliveriesOfTicket(ticketID int64) ([]Delivery, error) {
	return tx.deliveries(`SELECT `+deliveryColumns+` FROM delivery WHERE id IN
		(SELECT delivery_id FROM message WHERE ticket_id = ?) ORDER BY id`, ticketID)
}

// SameContent finds another arrival of the same mail since a time; ok is false
// if there is none. One that came later counts if it is on a ticket: it was
// processed first while this one was in the hands of a gateway that ended.
// (On no ticket, it may be a copy of this very one, which was held.)
// copyHash is the mail's, nil if it has none.
func (tx *Tx) SameContent(hash, copyHash []byte, since time.Time, of int64) (Delivery, bool, error) {
	const other = ` AND received >= ? AND (id < ? OR id > ? AND ticket_id IS NOT NULL)`
	if copyHash == nil {
		return tx.processed(`content_hash = ? AND copy_hash IS NULL`+other, hash, since, of, of)
	}
	return tx.processed(`copy_hash = ? AND content_hash = ?`+other, copyHash, hash, since, of, of)
}

// SameMail finds another arrival of a copy of the mail (same desk, Message-ID,
// From and Date) that belongs to a ticket.
func (tx *Tx) SameMail(hash []byte, since time.Time, of int64) (Delivery, bool, error) {
	return tx.processed(`copy_hash = ? AND received >= ? AND id <> ? AND ticket_id IS NOT NULL`, hash, since, of)
}

// HasCopy says whether there is another arrival with the same copy hash: if
// not, there is none of the same content either.
func (tx *Tx) HasCopy(hash []byte, since time.Time, of int64) (has bool, err error) {
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM delivery WHERE copy_hash = ? AND received >= ? AND id <> ?)`, hash, since, of).Scan(&has)
	return has, err
}

func (tx *Tx) processed(where string, args ...any) (Delivery, bool, error) {
	d, err := scanDelivery(tx.row(`SELECT `+deliveryColumns+` FROM delivery WHERE `+where+
		` AND state <> 'new' ORDER BY id LIMIT 1`, args...))
	if err == sql.ErrNoRows {
		return d, false, nil
	}
	return d, err == nil, err
}

// ForgetCopies removes what duplicates are recognised by from the deliveries
// received before a time, oldest first, n at once, and says whether there is
// more: the indexes then hold only the mails of which a copy may still come.
func (tx *Tx) ForgetCopies(before time.Time, n int) (more bool, err error) {
	mark, err := tx.meta(copiesForgotten)
	if err != nil {
		return false, err
	}
	from, _ := strconv.ParseInt(mark, 10, 64) // 0 at first
	var last sql.NullInt64
	err = tx.row(`SELECT max(id) FROM (SELECT id, received FROM delivery WHERE id > ? ORDER BY id LIMIT ?) AS d WHERE received < ?`,
		from, n, before).Scan(&last)
	if err != nil || !last.Valid {
		return false, err
	}
	if _, err = tx.exec(`UPDATE delivery SET content_hash = NULL, copy_hash = NULL WHERE id > ? AND id <= ? AND received < ?`,
		from, last.Int64, before); err != nil {
		return false, err
	}
	return true, tx.setMeta(copiesForgotten, strconv.FormatInt(last.Int64, 10))
}

// copiesForgotten names the newest delivery that ForgetCopies has seen to.
const copiesForgotten = "copies forgotten"

// Unprocessed counts the deliveries that wait to be processed, at most limit.
func (tx *Tx) Unprocessed(limit int) (n int, err error) {
	err = tx.row(`SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state = 'new' LIMIT ?) AS d`, limit).Scan(&n)
	return n, err
}

func (tx *Tx) deliveries(query string, args ...any) ([]Delivery, error) {
	rows, err := tx.query(query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanDelivery)
}

// collect reads all rows, so that the next statement finds the connection
// free.
func collect[T any](rows rowSource, scan func(scanner) (T, error)) ([]T, error) {
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// nullable makes NULL of a zero id.
func nullable(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// TicketsOfRaw lists the tickets that the deliveries of one mail became part
// of.
func (tx *Tx) TicketsOfRaw(rawID int64) ([]int64, error) {
	rows, err := tx.query(`SELECT ticket_id FROM delivery WHERE raw_id = ? AND ticket_id IS NOT NULL ORDER BY id`, rawID)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (id int64, err error) { err = s.Scan(&id); return id, err })
}

// TakeOver ends the leases of deliveries and outbox rows that another process
// left, for the one gateway on SQLite, which knows that nobody else lives.
func (tx *Tx) TakeOver() error {
	for _, q := range []string{
		`UPDATE delivery SET lease_until = ? WHERE state = 'new' AND lease_owner IS NOT NULL`,
		`UPDATE outbox SET lease_until = ? WHERE state = 'sending'`,
	} {
		if _, err := tx.exec(q, tx.Now()); err != nil {
			return err
		}
	}
	return nil
}

// WaitingDeliveries lists the deliveries whose message waits for an agent.
func (tx *Tx) WaitingDeliveries() ([]Delivery, error) {
	return tx.deliveries(`SELECT ` + deliveryColumns + ` FROM delivery WHERE message_id IN
		(SELECT id FROM message WHERE visibility = 'waiting') ORDER BY id`)
}

// HeldNow counts what is held, set aside or waits for an agent, up to limit.
func (tx *Tx) HeldNow(limit int) (n int, err error) {
	err = tx.row(`SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state IN ('held', 'set-aside')
		UNION ALL SELECT 1 FROM message WHERE visibility = 'waiting' LIMIT ?) AS h`, limit).Scan(&n)
	return n, err
}
