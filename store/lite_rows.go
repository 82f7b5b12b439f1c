package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// liteRows are the rows of a statement of [liteConn], all of them.
type liteRows struct {
	data    string // what is not scanned yet
	left    int64  // rows
	columns int
	row     []any // the present one
	closed  bool
}

// Next takes the next row, if there is one.
func (r *liteRows) Next() bool {
	if r.closed || r.left == 0 {
		r.closed = true
		return false
	}
	r.left--
	if r.row == nil {
		r.row = make([]any, r.columns)
	}
	for i := range r.row {
		r.row[i] = r.value()
	}
	return true
}

// value decodes the next value: see struct outcome.
func (r *liteRows) value() any {
	kind := r.data[0]
	r.data = r.data[1:]
	switch kind {
	case 'i':
		return int64(r.fixed())
	case 'f':
		return math.Float64frombits(r.fixed())
	case 't':
		return r.bytes()
	case 'b':
		return []byte(r.bytes())
	}
	return nil
}

func (r *liteRows) fixed() uint64 {
	v := binary.NativeEndian.Uint64([]byte(r.data[:8]))
	r.data = r.data[8:]
	return v
}

func (r *liteRows) bytes() string {
	n := binary.NativeEndian.Uint32([]byte(r.data[:4]))
	s := r.data[4 : 4+n]
	r.data = r.data[4+n:]
	return s
}

// Scan copies the row that Next took.
func (r *liteRows) Scan(dest ...any) error {
	if r.closed || r.row == nil {
		return errors.New("scan without a row")
	}
	if len(dest) != len(r.row) {
		return fmt.Errorf("scan %d columns into %d places", len(r.row), len(dest))
	}
	for i, v := range r.row {
		if err := assign(dest[i], v); err != nil {
			return fmt.Errorf("scan column %d: %w", i, err)
		}
	}
	return nil
}

// Err is nil: the rows were read before.
func (r *liteRows) Err() error { return nil }

// Close ends the reading.
func (r *liteRows) Close() error {
	r.closed = true
	return nil
}

func (r *liteRows) reading() bool { return !r.closed }

// liteRow is the first of the rows, or sql.ErrNoRows.
type liteRow struct{ rows *liteRows }

// Scan copies the row.
func (r liteRow) Scan(dest ...any) error {
	if !r.rows.Next() {
		return sql.ErrNoRows
	}
	err := r.rows.Scan(dest...)
	r.rows.Close()
	return err
}

// assign sets what dest points to, as database/sql does where the program
// needs it.
func assign(dest, v any) error {
	switch d := dest.(type) {
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch v := v.(type) {
		case nil:
			*d = nil
			return nil
		case []byte:
			*d = v
			return nil
		case string:
			*d = []byte(v)
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	return assignKind(reflect.ValueOf(dest), v)
}

// assignKind is assign for what has a type of its own: a ticket.State is a
// string.
func assignKind(dest reflect.Value, v any) error {
	if dest.Kind() != reflect.Pointer || dest.IsNil() {
		return fmt.Errorf("%s is no place for a value", dest.Type())
	}
	to := dest.Elem()
	switch v := v.(type) {
	case int64:
		switch to.Kind() {
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			if !to.OverflowInt(v) {
				to.SetInt(v)
				return nil
			}
		case reflect.Bool:
			to.SetBool(v != 0)
			return nil
		case reflect.String:
			to.SetString(fmt.Sprint(v))
			return nil
		}
	case float64:
		if to.CanFloat() {
			to.SetFloat(v)
			return nil
		}
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case []byte:
		if to.Kind() == reflect.String {
			to.SetString(string(v))
			return nil
		}
	}
	return fmt.Errorf("%T does not fit into %s", v, to.Type())
}
