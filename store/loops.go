package store

import (
	"database/sql"
	"fmt"
	"time"
)

// triedAnswers is how many first answers to strangers are looked back on.
const triedAnswers = 200

const anyTried = `name >= 'tried answer 000' AND name <= 'tried answer 999'`

// NoteAnswer records what became of a first answer to a stranger, the outbox
// row with that id; the 201st takes the place of the first.
func (tx *Tx) NoteAnswer(row int64, failed bool) error {
	n, err := tx.count("tried answers", 1)
	if err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO budget (name, began, count, ref) VALUES (?, ?, ?, ?) ON CONFLICT (name)
		DO UPDATE SET began = excluded.began, count = excluded.count, ref = excluded.ref`,
		fmt.Sprintf("tried answer %03d", n%triedAnswers), tx.Now(), failed, row)
	return err
}

// FailAnswer records that a first answer which was taken came back; it says
// whether that is one of the last 200.
func (tx *Tx) FailAnswer(row int64) (bool, error) {
	n, err := tx.exec(`UPDATE budget SET count = 1 WHERE `+anyTried+` AND ref = ?`, row)
	return n > 0, err
}

// FailedAnswers counts those of the last 200 first answers that were refused
// or came back. What is older than two days is forgotten.
func (tx *Tx) FailedAnswers() (n int, err error) {
	err = tx.row(`SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM budget WHERE ` + anyTried).Scan(&n)
	return n, err
}

// SentSince lists the mails of a ticket to a recipient that have left since a
// time, or are leaving, the newest first.
func (tx *Tx) SentSince(ticketID int64, recipient string, since time.Time) ([]Outbox, error) {
	rows, err := tx.query(`SELECT `+outboxColumns+` FROM outbox WHERE ticket_id = ? AND recipient = ?
		AND (state = 'sending' OR state = 'sent' AND sent >= ?) ORDER BY id DESC`, ticketID, recipient, since)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanOutbox)
}

// LastWordsOf are the words of an address's newest message on a ticket, or "".
func (tx *Tx) LastWordsOf(ticketID int64, address string) (words string, err error) {
	err = tx.row(`SELECT words FROM message WHERE ticket_id = ? AND address = ? ORDER BY id DESC LIMIT 1`,
		ticketID, address).Scan(&words)
	if err == sql.ErrNoRows {
		err = nil
	}
	return words, err
}
