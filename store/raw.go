package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"
)

// rawChunk is the size of a piece of a raw mail, in bytes. A smaller mail is
// one row, written with what refers to it; a larger one is appended piece by
// piece as it arrives, so that no transaction, and no buffer, is larger.
const rawChunk = 256 << 10

// A RawWriter stores the bytes of one mail or upload. It is an io.Writer,
// used by one goroutine, that ends with Finish inside an update that was
// committed, or with Abort:
//
//	w := db.NewRaw(ctx)
//	defer w.Abort() // nothing once Finish was committed
//	io.Copy(w, r)
//	db.Update(ctx, "accept", func(tx *Tx) error { id, sum, size, err := w.Finish(tx); … })
//
// At most 256 KiB of it are in memory.
type RawWriter struct {
	db   *DB
	ctx  context.Context // of the pieces that are written on the way
	buf  []byte          // what is not stored yet, less than rawChunk
	hash hash.Hash
	size int64
	id   int64 // of the row, 0 while there is none
	seq  int64 // of the next piece
	err  error // of a piece: the mail has a hole
	done bool  // Finish was committed
}

// errSwept says that no piece came for so long that what was there was
// removed.
var errSwept = errors.New("the incomplete mail was removed: no piece of it came for too long")

// NewRaw begins a mail. ctx is of the writes, not of Finish and Abort.
func (db *DB) NewRaw(ctx context.Context) *RawWriter {
	return &RawWriter{db: db, ctx: ctx, hash: sha256.New()}
}

// Write appends to the mail. Its errors are those of Update; after one the
// mail can only be aborted.
func (w *RawWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.hash.Write(p)
	w.size += int64(len(p))
	for rest := p; ; {
		n := min(len(rest), rawChunk-len(w.buf))
		w.buf = append(w.buf, rest[:n]...)
		// A full buffer is kept until more comes: a mail of exactly 256 KiB
		// is a small one.
		if rest = rest[n:]; len(rest) == 0 {
			return len(p), nil
		}
		if w.err = w.flush(); w.err != nil {
			return len(p) - len(rest), w.err
		}
	}
}

// flush stores the buffer as the next piece.
func (w *RawWriter) flush() error {
	var id int64
	err := w.db.Update(w.ctx, "raw piece", func(tx *Tx) (err error) {
		if id = w.id; id == 0 {
			id, err = tx.insert(`INSERT INTO raw (sha256, size, complete, created) VALUES ('', 0, 0, ?) RETURNING id`, tx.now)
			if err != nil {
				return err
			}
		}
		return w.append(tx, id)
	})
	if err != nil {
		return fmt.Errorf("store piece %d of a mail: %w", w.seq, err)
	}
	w.id = id
	w.seq++
	w.buf = w.buf[:0]
	return nil
}

// append writes the buffer as a piece of the row, which shows that somebody
// is still writing it.
func (w *RawWriter) append(tx *Tx, id int64) error {
	n, err := tx.exec(`UPDATE raw SET created = ? WHERE id = ? AND complete = 0`, tx.now, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return errSwept
	}
	_, err = tx.exec(`INSERT INTO raw_chunk (raw_id, seq, data) VALUES (?, ?, ?)`, id, w.seq, w.buf)
	return err
}

// Finish completes the mail within the caller's transaction and returns its
// row, its SHA-256 in hexadecimal and its size in bytes. It may be run again
// if the transaction is.
func (w *RawWriter) Finish(tx *Tx) (id int64, sum string, size int64, err error) {
	if w.err != nil {
		return 0, "", 0, w.err
	}
	sum = hex.EncodeToString(w.hash.Sum(nil))
	if w.id == 0 {
		id, err = tx.insert(`INSERT INTO raw (sha256, size, complete, created, data) VALUES (?, ?, 1, ?, ?) RETURNING id`,
			sum, w.size, tx.now, w.buf)
	} else {
		id, err = w.id, w.complete(tx, sum)
	}
	if err != nil {
		return 0, "", 0, fmt.Errorf("store a mail: %w", err)
	}
	tx.AfterCommit(func() {
		w.done = true
		if w.id == 0 {
			w.db.recent.put(id, w.buf, tx.now)
		}
	})
	return id, sum, w.size, nil
}

// complete writes the last piece of a large mail.
func (w *RawWriter) complete(tx *Tx, sum string) error {
	if err := w.append(tx, w.id); err != nil {
		return err
	}
	_, err := tx.exec(`UPDATE raw SET complete = 1, sha256 = ?, size = ? WHERE id = ?`, sum, w.size, w.id)
	return err
}

// Abort removes what was stored, unless Finish was committed. It may be
// called at any time; what it cannot remove is swept later.
func (w *RawWriter) Abort() {
	if w.done || w.id == 0 {
		return
	}
	w.err = errors.New("the mail was aborted")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 10*time.Second)
	defer cancel()
	if err := w.db.dropRaw(ctx, w.id, nil); err != nil {
		w.db.opt.Log.Warn("incomplete mail not removed", "err", err, "raw", w.id)
	}
}

// SweepRaw removes the mails that were begun and never completed, and of
// which no piece came for longer than olderThan, and returns how many. One
// that is still being written must not be that slow.
func (db *DB) SweepRaw(ctx context.Context, olderThan time.Duration) (int, error) {
	before := db.now().Add(-olderThan)
	var ids []int64
	err := db.View(ctx, func(tx *Tx) (err error) {
		ids, err = tx.incompleteRaw(before)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep incomplete mails: %w", err)
	}
	for i, id := range ids {
		if err := db.dropRaw(ctx, id, &before); err != nil {
			return i, fmt.Errorf("sweep incomplete mail %d: %w", id, err)
		}
	}
	return len(ids), nil
}

// incompleteRaw returns the rows of incomplete mails last written before a
// time.
func (tx *Tx) incompleteRaw(before time.Time) (ids []int64, err error) {
	rows, err := tx.query(`SELECT id FROM raw WHERE complete = 0 AND created < ? ORDER BY created, id`, before)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// dropRaw removes an incomplete mail, last written before a time if one is
// given, a mebibyte in each update, the row last.
func (db *DB) dropRaw(ctx context.Context, id int64, before *time.Time) error {
	for {
		var gone bool
		err := db.Update(ctx, "drop raw", func(tx *Tx) (err error) {
			gone, err = tx.dropRawPart(id, before)
			return err
		})
		if err != nil || gone {
			return err
		}
	}
}

// dropRawPart removes up to a mebibyte of a mail and reports whether nothing
// is left to be removed.
func (tx *Tx) dropRawPart(id int64, before *time.Time) (gone bool, err error) {
	var last micros
	err = tx.row(`SELECT created FROM raw WHERE id = ? AND complete = 0`+tx.forUpdate(), id).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) || err == nil && before != nil && !last.Time().Before(*before) {
		return true, nil // completed meanwhile, or written
	}
	if err != nil {
		return false, err
	}
	const perUpdate = groupBytes / rawChunk
	n, err := tx.exec(`DELETE FROM raw_chunk WHERE raw_id = ? AND seq IN
		(SELECT seq FROM raw_chunk WHERE raw_id = ? ORDER BY seq DESC LIMIT ?)`, id, id, perUpdate)
	if err != nil || n == perUpdate {
		return false, err
	}
	_, err = tx.exec(`DELETE FROM raw WHERE id = ?`, id)
	return true, err
}
