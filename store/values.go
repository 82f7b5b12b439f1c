package store

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// clean replaces the arguments of a statement, in place, by what both engines
// store alike, and returns their size in bytes, roughly:
//
//   - a time becomes UTC microseconds, the zero time NULL
//   - a bool becomes 0 or 1
//   - text becomes valid UTF-8 without NUL, which PostgreSQL refuses
//   - a nil pointer becomes NULL, another what it points to
func clean(args []any) (int64, error) {
	var n int64
	for i, arg := range args {
		v, err := cleanOne(arg)
		if err != nil {
			return 0, err
		}
		args[i] = v
		switch v := v.(type) {
		case string:
			n += int64(len(v))
		case []byte:
			n += int64(len(v))
		default:
			n += 8
		}
	}
	return n, nil
}

func cleanOne(arg any) (any, error) {
	switch v := arg.(type) {
	case nil, int64, []byte, float64:
		return v, nil
	case string:
		return cleanText(v), nil
	case bool:
		return cleanBool(v), nil
	case time.Time:
		return cleanTime(v), nil
	case driver.Valuer:
		inner, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return nil, err
		}
		return cleanOne(inner)
	}
	return cleanKind(arg)
}

// cleanKind cleans what has a type of its own: a ticket.State is a string.
func cleanKind(arg any) (any, error) {
	switch v := reflect.ValueOf(arg); v.Kind() {
	case reflect.String:
		return cleanText(v.String()), nil
	case reflect.Bool:
		return cleanBool(v.Bool()), nil
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return cleanOne(v.Elem().Interface())
	}
	return driver.DefaultParameterConverter.ConvertValue(arg)
}

// cleanText returns s as valid UTF-8 without NUL: each run of bytes that is
// neither becomes one U+FFFD, so that the loss is seen.
func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.ReplaceAll(s, "\x00", "\uFFFD")
}

func cleanBool(b bool) any {
	if b {
		return int64(1)
	}
	return int64(0)
}

func cleanTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// micros is the destination of a column of UTC microseconds, to be given to
// Scan by its address.
type micros struct{ t time.Time }

// Time is what was scanned, the zero time for NULL.
func (m micros) Time() time.Time { return m.t }

// Scan implements sql.Scanner.
func (m *micros) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		m.t = time.Time{}
	case int64:
		m.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", src)
	}
	return nil
}
