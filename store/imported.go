package store

import "database/sql"

// AddImported notes that an old mail was imported, by a hash of its desk and
// bytes; false if it was before.
func (tx *Tx) AddImported(hash []byte) (bool, error) {
	n, err := tx.exec(`INSERT INTO imported (hash) VALUES (?) ON CONFLICT DO NOTHING`, hash)
	return n == 1, err
}

// HasImported says that an old mail was imported before.
func (tx *Tx) HasImported(hash []byte) (bool, error) {
	var one int
	err := tx.row(`SELECT 1 FROM imported WHERE hash = ?`, hash).Scan(&one)
	if err == sql.ErrNoRows {
		return false, nil
	}
	return err == nil, err
}
