package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// keyFingerprints is where meta holds which secrets the database was used
// with.
const keyFingerprints = "key_fingerprints"

// KeyFingerprints returns the fingerprints of the secrets that signed what
// this database knows, oldest first; none if none was ever set.
func (tx *Tx) KeyFingerprints() ([]string, error) {
	value, err := tx.meta(keyFingerprints)
	if err != nil {
		return nil, fmt.Errorf("read key fingerprints: %w", err)
	}
	return strings.Fields(value), nil
}

// SetKeyFingerprints replaces the fingerprints. One is a word without blanks.
func (tx *Tx) SetKeyFingerprints(fingerprints []string) error {
	if err := tx.setMeta(keyFingerprints, strings.Join(fingerprints, "\n")); err != nil {
		return fmt.Errorf("write key fingerprints: %w", err)
	}
	return nil
}

// meta returns a value of the meta table, empty if it was never set.
func (tx *Tx) meta(key string) (value string, err error) {
	err = tx.row(`SELECT value FROM meta WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func (tx *Tx) setMeta(key, value string) error {
	_, err := tx.exec(`INSERT INTO meta (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	return err
}
