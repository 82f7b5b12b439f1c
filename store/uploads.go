package store

import "time"

// Upload is a file that came with a form. It waits for its form to be taken:
// then it is a part of a message, otherwise it is swept.
type Upload struct {
	ID          int64
	PartyID     int64
	Token       string // random; how the page names it
	RawID       int64
	Name        string
	ContentType string
	Size        int64  // bytes
	Sum         string // SHA-256, hexadecimal
	Created     time.Time
	MessageID   int64 // that has taken it; 0 while it waits
}

const uploadColumns = `id, party_id, token, raw_id, name, content_type, size, sum, created, coalesce(message_id, 0)`

func scanUpload(s scanner) (u Upload, err error) {
	var at micros
	err = s.Scan(&u.ID, &u.PartyID, &u.Token, &u.RawID, &u.Name, &u.ContentType, &u.Size, &u.Sum, &at, &u.MessageID)
	u.Created = at.Time()
	return u, err
}

// KeepUpload completes a file's bytes and stores it beside its party; Token,
// Name, ContentType and PartyID are given.
func (tx *Tx) KeepUpload(u Upload, w *RawWriter) (Upload, error) {
	var err error
	if u.RawID, u.Sum, u.Size, err = w.Finish(tx); err != nil {
		return u, err
	}
	u.Created = tx.now
	u.ID, err = tx.insert(`INSERT INTO upload (party_id, token, raw_id, name, content_type, size, sum, created)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, u.PartyID, u.Token, u.RawID, u.Name, u.ContentType, u.Size, u.Sum, u.Created)
	return u, err
}

// Uploads lists the files that came with a party's forms, the oldest first:
// those that wait, and those that a message has taken not long ago.
func (tx *Tx) Uploads(partyID int64) ([]Upload, error) {
	rows, err := tx.query(`SELECT `+uploadColumns+` FROM upload WHERE party_id = ? ORDER BY id`, partyID)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUpload)
}

// TakeUpload makes a file a part of a message; false if it is gone. Its row
// stays for a while: the same form may come again.
func (tx *Tx) TakeUpload(id, message int64) (bool, error) {
	n, err := tx.exec(`UPDATE upload SET message_id = coalesce(message_id, ?) WHERE id = ?`, message, id)
	return n == 1, err
}

// DropUpload forgets a file, unless a message has it. Its bytes count as
// incomplete from now on, so that [DB.SweepRaw] removes them piece by piece.
func (tx *Tx) DropUpload(u Upload) error {
	n, err := tx.exec(`DELETE FROM upload WHERE id = ? AND message_id IS NULL`, u.ID)
	if err != nil || n == 0 {
		return err
	}
	_, err = tx.exec(`UPDATE raw SET complete = 0, created = ? WHERE id = ?`, tx.now, u.RawID)
	return err
}

// DropOldUploads forgets up to n files that came before a time, and returns
// how many.
func (tx *Tx) DropOldUploads(before time.Time, n int) (int, error) {
	rows, err := tx.query(`SELECT `+uploadColumns+` FROM upload WHERE created < ? ORDER BY created, id LIMIT ?`, before, n)
	if err != nil {
		return 0, err
	}
	old, err := collect(rows, scanUpload)
	for _, u := range old {
		if err == nil {
			err = tx.DropUpload(u)
		}
		if err == nil {
			_, err = tx.exec(`DELETE FROM upload WHERE id = ?`, u.ID)
		}
	}
	return len(old), err
}

// Submission is a form that was filled in, as codes.
type Submission struct {
	MessageID int64
	TicketID  int64
	Party     int    // the ordinal of who filled it in
	Form      string // its name in the configuration
	Sum       string // of answers and files: the same again adds nothing
	Answers   string // JSON
	Refused   string // files that were not taken, JSON
}

const submissionColumns = `message_id, ticket_id, party, form, sum, answers, refused`

func scanSubmission(s scanner) (m Submission, err error) {
	err = s.Scan(&m.MessageID, &m.TicketID, &m.Party, &m.Form, &m.Sum, &m.Answers, &m.Refused)
	return m, err
}

// AddSubmission stores a form's answers beside their message.
func (tx *Tx) AddSubmission(m Submission) error {
	_, err := tx.exec(`INSERT INTO submission (message_id, ticket_id, party, form, sum, answers, refused)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, m.MessageID, m.TicketID, m.Party, m.Form, m.Sum, m.Answers, m.Refused)
	return err
}

// LastSubmission is the newest form of a party on a ticket, or sql.ErrNoRows.
func (tx *Tx) LastSubmission(ticketID int64, party int) (Submission, error) {
	return scanSubmission(tx.row(`SELECT `+submissionColumns+` FROM submission WHERE ticket_id = ? AND party = ?
		ORDER BY message_id DESC LIMIT 1`, ticketID, party))
}

// SameSubmission finds a party's form with the same sum, or sql.ErrNoRows.
func (tx *Tx) SameSubmission(ticketID int64, party int, sum string) (Submission, error) {
	return scanSubmission(tx.row(`SELECT `+submissionColumns+` FROM submission WHERE ticket_id = ? AND party = ? AND sum = ?
		ORDER BY message_id DESC LIMIT 1`, ticketID, party, sum))
}

// CountRaw counts the mails and files that are stored whole, and the others.
func (tx *Tx) CountRaw() (complete, incomplete int, err error) {
	err = tx.row(`SELECT coalesce(sum(complete), 0), coalesce(sum(1 - complete), 0) FROM raw`).Scan(&complete, &incomplete)
	return complete, incomplete, err
}

// SameSubmissionLinked finds a form with the same sum that the person of a
// party has sent to a ticket linked with this one, or sql.ErrNoRows.
func (tx *Tx) SameSubmissionLinked(ticketID int64, party int, sum string) (Submission, error) {
	return scanSubmission(tx.row(`SELECT s.message_id, s.ticket_id, s.party, s.form, s.sum, s.answers, s.refused
		FROM ticket_link AS l JOIN submission AS s ON s.ticket_id = l.other_id
		JOIN party AS there ON there.ticket_id = s.ticket_id AND there.ordinal = s.party
		JOIN party AS here ON here.ticket_id = l.ticket_id AND here.person_id = there.person_id
		WHERE l.ticket_id = ? AND here.ordinal = ? AND s.sum = ? ORDER BY s.message_id DESC LIMIT 1`, ticketID, party, sum))
}
