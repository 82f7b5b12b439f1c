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
}

const uploadColumns = `id, party_id, token, raw_id, name, content_type, size, sum, created`

func scanUpload(s scanner) (u Upload, err error) {
	var at micros
	err = s.Scan(&u.ID, &u.PartyID, &u.Token, &u.RawID, &u.Name, &u.ContentType, &u.Size, &u.Sum, &at)
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

// Uploads lists the files of a party that wait for their form, the oldest
// first.
func (tx *Tx) Uploads(partyID int64) ([]Upload, error) {
	rows, err := tx.query(`SELECT `+uploadColumns+` FROM upload WHERE party_id = ? ORDER BY id`, partyID)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUpload)
}

// TakeUpload ends the waiting of a file that has become a part of a message.
func (tx *Tx) TakeUpload(id int64) error {
	_, err := tx.exec(`DELETE FROM upload WHERE id = ?`, id)
	return err
}

// DropUpload forgets a file. Its bytes count as incomplete from now on, so
// that [DB.SweepRaw] removes them piece by piece.
func (tx *Tx) DropUpload(u Upload) error {
	if err := tx.TakeUpload(u.ID); err != nil {
		return err
	}
	_, err := tx.exec(`UPDATE raw SET complete = 0, created = ? WHERE id = ?`, tx.now, u.RawID)
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
