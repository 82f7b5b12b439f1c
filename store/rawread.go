package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ReadRaw returns the bytes of a complete mail, or an error that is
// sql.ErrNoRows if there is none. Its size is bounded by what was accepted.
func (tx *Tx) ReadRaw(id int64) ([]byte, error) {
	size, small, err := tx.RawHead(id)
	if err != nil || small != nil {
		return small, err
	}
	rows, err := tx.query(`SELECT data FROM raw_chunk WHERE raw_id = ? ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read mail %d: %w", id, err)
	}
	defer rows.Close()
	data := make([]byte, 0, size)
	for rows.Next() {
		var piece sql.RawBytes
		if err := rows.Scan(&piece); err != nil {
			return nil, fmt.Errorf("read mail %d: %w", id, err)
		}
		data = append(data, piece...)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read mail %d: %w", id, err)
	}
	if int64(len(data)) != size {
		return nil, fmt.Errorf("read mail %d: %d bytes of %d are there", id, len(data), size)
	}
	return data, nil
}

// RawHead returns the size of a complete mail in bytes and, if it is a small
// one, the mail: nil otherwise. The error is sql.ErrNoRows if there is none.
func (tx *Tx) RawHead(id int64) (size int64, small []byte, err error) {
	err = tx.row(`SELECT size, data FROM raw WHERE id = ? AND complete = 1`, id).Scan(&size, &small)
	if err != nil {
		return 0, nil, fmt.Errorf("read mail %d: %w", id, err)
	}
	return size, small, nil
}

// A RawReader reads a complete mail piece by piece: it is an io.ReaderAt, for
// any number of goroutines, and holds 256 KiB in memory. An io.SectionReader
// over it is an attachment.
//
// Each piece is a View of its own, so that who reads slowly holds nothing up.
type RawReader struct {
	db    *DB
	ctx   context.Context
	id    int64
	size  int64
	small bool // the mail is its own only piece

	mu    sync.Mutex
	seq   int64 // of piece; -1 if there is none
	piece []byte
}

// OpenRaw returns a reader of a complete mail, or an error that is
// sql.ErrNoRows if there is none. ctx is of all its reads.
func (db *DB) OpenRaw(ctx context.Context, id int64) (*RawReader, error) {
	r := &RawReader{db: db, ctx: ctx, id: id, seq: -1}
	err := db.View(ctx, func(tx *Tx) (err error) {
		r.size, r.piece, err = tx.RawHead(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.piece != nil {
		r.seq, r.small = 0, true
	}
	return r, nil
}

// Size is the length of the mail in bytes.
func (r *RawReader) Size() int64 { return r.size }

// Reader returns a sequential reader of the whole mail.
func (r *RawReader) Reader() *io.SectionReader { return io.NewSectionReader(r, 0, r.size) }

// ReadAt implements io.ReaderAt.
func (r *RawReader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read a mail before its beginning")
	}
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		piece, err := r.at(off)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], piece)
		n += m
		off += int64(m)
	}
	return n, nil
}

// at returns the bytes from off to the end of their piece, at least one.
func (r *RawReader) at(off int64) ([]byte, error) {
	if r.small {
		return r.piece[off:], nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq := off / rawChunk; seq != r.seq {
		piece, err := r.fetch(seq)
		if err != nil {
			return nil, fmt.Errorf("read piece %d of mail %d: %w", seq, r.id, err)
		}
		r.seq, r.piece = seq, piece
	}
	if off %= rawChunk; off < int64(len(r.piece)) {
		// A piece is replaced, never changed: it may be read after the lock.
		return r.piece[off:], nil
	}
	return nil, fmt.Errorf("piece %d of mail %d: %w", r.seq, r.id, io.ErrUnexpectedEOF)
}

func (r *RawReader) fetch(seq int64) (piece []byte, err error) {
	err = r.db.View(r.ctx, func(tx *Tx) error {
		return tx.row(`SELECT data FROM raw_chunk WHERE raw_id = ? AND seq = ?`, r.id, seq).Scan(&piece)
	})
	return piece, err
}
