package store

import "errors"

// noticed closes Failed if err says that the disk failed, and returns err.
func (db *DB) noticed(err error) error {
	if errors.Is(err, ErrIO) {
		db.failOnce.Do(func() {
			db.failure = err
			close(db.failed)
		})
	}
	return err
}
