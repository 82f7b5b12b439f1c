package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mailbox is a folder that mails are fetched from, and how far that is.
type Mailbox struct {
	ID          int64
	Name        string // user@host/FOLDER
	UIDValidity uint32 // 0: never seen
	// FirstUID parts what was there when this UIDVALIDITY was first seen from
	// what came later.
	FirstUID uint32
	Scanned  bool      // whether all that was there is in the journal
	Began    time.Time // when this UIDVALIDITY was first seen
	Looked   time.Time // when all its mails were last known to be taken; zero: never
	Trouble  string    // why it cannot be read; "" while it can
	Desks    []string  // that its mails went to
}

// MailState says where a mail of a mailbox stands. A mail without a row is
// new.
type MailState string

// The states: there before we came; to be fetched; to be fetched and shown to
// somebody, for it may be old; could not be fetched and is tried again; in our
// hands, but not marked, moved or deleted yet; settled; too large, of which the
// beginning is in our hands and the whole stays where it is, untouched, for good.
const (
	MailThere  MailState = "there"
	MailWanted MailState = "wanted"
	MailUnsure MailState = "unsure"
	MailStuck  MailState = "stuck"
	MailTaken  MailState = "taken"
	MailDone   MailState = "done"
	MailCut    MailState = "cut"
)

// MailboxMail is a row of the journal: one mail of a mailbox.
type MailboxMail struct {
	MailboxID   int64
	UIDValidity uint32
	UID         uint32
	State       MailState
	Hash        []byte    // tells it from other mails under any UIDVALIDITY; nil: not known
	Size        int64     // bytes, as the server says
	Tries       int       // in vain
	Due         time.Time // of the next one
	DeliveryID  int64     // what became of it; 0: none
}

// OpenMailbox returns the mailbox of that name; it is made if it is not known.
func (tx *Tx) OpenMailbox(name string) (Mailbox, error) {
	m, err := tx.MailboxNamed(name)
	if !errors.Is(err, sql.ErrNoRows) {
		return m, err
	}
	if _, err := tx.exec(`INSERT INTO mailbox (name, uid_validity, first_uid, scanned, began, trouble, desks)
		VALUES (?, 0, 0, 0, ?, '', '') ON CONFLICT DO NOTHING`, name, tx.now); err != nil {
		return m, fmt.Errorf("open mailbox %s: %w", name, err)
	}
	return tx.MailboxNamed(name)
}

// MailboxNamed returns the mailbox of that name, or sql.ErrNoRows.
func (tx *Tx) MailboxNamed(name string) (Mailbox, error) {
	var m Mailbox
	var validity, first, scanned int64
	var began, looked micros
	var desks string
	err := tx.row(`SELECT id, name, uid_validity, first_uid, scanned, began, looked, trouble, desks FROM mailbox WHERE name = ?`, name).
		Scan(&m.ID, &m.Name, &validity, &first, &scanned, &began, &looked, &m.Trouble, &desks)
	m.UIDValidity, m.FirstUID = uint32(validity), uint32(first)
	m.Scanned, m.Began, m.Looked, m.Desks = scanned == 1, began.Time(), looked.Time(), lines(desks)
	return m, err
}

// BeginMailbox records that a UIDVALIDITY is seen for the first time, and the
// UID from which on mails are new.
func (tx *Tx) BeginMailbox(id int64, uidValidity, firstUID uint32) error {
	_, err := tx.exec(`UPDATE mailbox SET uid_validity = ?, first_uid = ?, scanned = 0, began = ? WHERE id = ?`,
		int64(uidValidity), int64(firstUID), tx.now, id)
	return err
}

// MailboxScanned records that all that was there is in the journal.
func (tx *Tx) MailboxScanned(id int64) error {
	_, err := tx.exec(`UPDATE mailbox SET scanned = 1 WHERE id = ?`, id)
	return err
}

// MailboxLooked records that all mails of a mailbox are taken.
func (tx *Tx) MailboxLooked(id int64) error {
	_, err := tx.exec(`UPDATE mailbox SET looked = ?, trouble = '' WHERE id = ?`, tx.now, id)
	return err
}

// MailboxTrouble records why a mailbox cannot be read.
func (tx *Tx) MailboxTrouble(id int64, why string) error {
	_, err := tx.exec(`UPDATE mailbox SET trouble = ? WHERE id = ?`, why, id)
	return err
}

// AddMailboxDesk records that a mail of a mailbox goes to a desk.
func (tx *Tx) AddMailboxDesk(m Mailbox, desk string) error {
	if slices.Contains(m.Desks, desk) {
		return nil
	}
	now, err := tx.MailboxNamed(m.Name)
	if err != nil || slices.Contains(now.Desks, desk) {
		return err
	}
	_, err = tx.exec(`UPDATE mailbox SET desks = ? WHERE id = ?`, strings.Join(append(now.Desks, desk), "\n"), m.ID)
	return err
}

const mailboxMailColumns = `mailbox_id, uid_validity, uid, state, hash, size, tries, due, delivery_id`

func scanMailboxMail(s scanner) (MailboxMail, error) {
	var m MailboxMail
	var validity, uid int64
	var due micros
	var delivery sql.NullInt64
	err := s.Scan(&m.MailboxID, &validity, &uid, &m.State, &m.Hash, &m.Size, &m.Tries, &due, &delivery)
	m.UIDValidity, m.UID = uint32(validity), uint32(uid)
	m.Due, m.DeliveryID = due.Time(), delivery.Int64
	return m, err
}

// MailboxMail returns the row of one mail, or sql.ErrNoRows.
func (tx *Tx) MailboxMail(mailbox int64, uidValidity, uid uint32) (MailboxMail, error) {
	return scanMailboxMail(tx.row(`SELECT `+mailboxMailColumns+` FROM mailbox_mail WHERE mailbox_id = ? AND uid_validity = ? AND uid = ?`,
		mailbox, int64(uidValidity), int64(uid)))
}

// MailboxUIDs lists the mails from a UID on that have a row.
func (tx *Tx) MailboxUIDs(mailbox int64, uidValidity, from uint32) ([]uint32, error) {
	rows, err := tx.query(`SELECT uid FROM mailbox_mail WHERE mailbox_id = ? AND uid_validity = ? AND uid >= ? ORDER BY uid`,
		mailbox, int64(uidValidity), int64(from))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (uint32, error) {
		var uid int64
		err := s.Scan(&uid)
		return uint32(uid), err
	})
}

// LastMailboxUID is the highest UID that has a row; 0 if none has.
func (tx *Tx) LastMailboxUID(mailbox int64, uidValidity uint32) (uint32, error) {
	var uid int64
	err := tx.row(`SELECT coalesce(max(uid), 0) FROM mailbox_mail WHERE mailbox_id = ? AND uid_validity = ?`,
		mailbox, int64(uidValidity)).Scan(&uid)
	return uint32(uid), err
}

// MailboxTodo lists up to n mails with which something is still to be done,
// the lowest UID first, from one on.
func (tx *Tx) MailboxTodo(mailbox int64, uidValidity, from uint32, n int) ([]MailboxMail, error) {
	rows, err := tx.query(`SELECT `+mailboxMailColumns+` FROM mailbox_mail WHERE mailbox_id = ? AND uid_validity = ? AND uid >= ?
		AND state IN ('wanted', 'unsure', 'stuck', 'taken') ORDER BY uid LIMIT ?`, mailbox, int64(uidValidity), int64(from), n)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMailboxMail)
}

// PutMailboxMail writes a row of the journal, in the place of an earlier one.
func (tx *Tx) PutMailboxMail(m MailboxMail) error {
	_, err := tx.exec(`INSERT INTO mailbox_mail (`+mailboxMailColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (mailbox_id, uid_validity, uid) DO UPDATE SET state = excluded.state, hash = coalesce(excluded.hash, mailbox_mail.hash),
		size = excluded.size, tries = excluded.tries, due = excluded.due,
		delivery_id = coalesce(excluded.delivery_id, mailbox_mail.delivery_id)`,
		m.MailboxID, int64(m.UIDValidity), int64(m.UID), string(m.State), m.Hash, m.Size, m.Tries, m.Due, nullable(m.DeliveryID))
	return err
}

// SettleMailboxMails records that nothing is to be done any more with mails
// that were taken.
func (tx *Tx) SettleMailboxMails(mailbox int64, uidValidity uint32, uids []uint32) error {
	for _, uid := range uids {
		if _, err := tx.exec(`UPDATE mailbox_mail SET state = 'done' WHERE mailbox_id = ? AND uid_validity = ? AND uid = ? AND state = 'taken'`,
			mailbox, int64(uidValidity), int64(uid)); err != nil {
			return err
		}
	}
	return nil
}

// KnownMail finds a mail of a mailbox by its hash, under any UIDVALIDITY; one
// that was taken rather than one that was there before. It is sql.ErrNoRows if
// there is none.
func (tx *Tx) KnownMail(mailbox int64, hash []byte) (MailboxMail, error) {
	return scanMailboxMail(tx.row(`SELECT `+mailboxMailColumns+` FROM mailbox_mail WHERE mailbox_id = ? AND hash = ?
		ORDER BY CASE WHEN state IN ('taken', 'done', 'cut') THEN 0 ELSE 1 END, uid_validity DESC, uid DESC LIMIT 1`, mailbox, hash))
}

// EndUnfetched ends the matter of a held delivery that only stands for a mail
// that could not be fetched, and says why.
func (tx *Tx) EndUnfetched(held int64, reason string) error {
	_, err := tx.exec(`UPDATE delivery SET state = 'done', reason = ? WHERE id = ? AND state = 'held'`, reason, held)
	return err
}

// Unfetched says whether a held delivery only stands for a mail that could not
// be fetched: its bytes are not here, at most its header.
func (tx *Tx) Unfetched(delivery int64) (bool, error) {
	var n int
	err := tx.row(`SELECT count(*) FROM mailbox_mail WHERE state IN ('stuck', 'unsure') AND delivery_id = ?`, delivery).Scan(&n)
	return n > 0, err
}
