package store

/*
#include <stdlib.h>
#include <string.h>

// Of SQLite, weak as in sqlite_setup.go.
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
#define WEAK __attribute__((weak))
extern int sqlite3_prepare_v3(sqlite3*, const char*, int, unsigned, sqlite3_stmt**, const char**) WEAK;
extern int sqlite3_bind_null(sqlite3_stmt*, int) WEAK;
extern int sqlite3_bind_int64(sqlite3_stmt*, int, long long) WEAK;
extern int sqlite3_bind_double(sqlite3_stmt*, int, double) WEAK;
extern int sqlite3_bind_text(sqlite3_stmt*, int, const char*, int, void(*)(void*)) WEAK;
extern int sqlite3_bind_blob(sqlite3_stmt*, int, const void*, int, void(*)(void*)) WEAK;
extern int sqlite3_bind_parameter_count(sqlite3_stmt*) WEAK;
extern int sqlite3_clear_bindings(sqlite3_stmt*) WEAK;
extern int sqlite3_step(sqlite3_stmt*) WEAK;
extern int sqlite3_reset(sqlite3_stmt*) WEAK;
extern int sqlite3_finalize(sqlite3_stmt*) WEAK;
extern int sqlite3_data_count(sqlite3_stmt*) WEAK;
extern int sqlite3_column_type(sqlite3_stmt*, int) WEAK;
extern long long sqlite3_column_int64(sqlite3_stmt*, int) WEAK;
extern double sqlite3_column_double(sqlite3_stmt*, int) WEAK;
extern const void *sqlite3_column_blob(sqlite3_stmt*, int) WEAK;
extern const unsigned char *sqlite3_column_text(sqlite3_stmt*, int) WEAK;
extern int sqlite3_column_bytes(sqlite3_stmt*, int) WEAK;
extern int sqlite3_get_autocommit(sqlite3*) WEAK;
extern long long sqlite3_changes64(sqlite3*) WEAK;
extern long long sqlite3_last_insert_rowid(sqlite3*) WEAK;
extern int sqlite3_extended_errcode(sqlite3*) WEAK;
extern int sqlite3_system_errno(sqlite3*) WEAK;
extern const char *sqlite3_errmsg(sqlite3*) WEAK;

enum { NOMEM = 7, MISUSE = 21, RANGE = 25, ROW = 100, DONE = 101, GONE = -1, KEEP = 1 };

// What a statement came to. The rows stand in data, each value as the
// arguments do: a letter, then 8 bytes, or a length of 4 bytes and the bytes.
struct outcome {
	long long changes, rowid, rows;
	int code, system, columns;
	char *data;
	size_t size, room;
};

static int grow(struct outcome *o, size_t n) {
	if (o->room - o->size >= n) return 1;
	size_t room = o->room * 2 + n;
	char *data = realloc(o->data, room);
	if (!data) return 0;
	o->data = data;
	o->room = room;
	return 1;
}

static int put(struct outcome *o, char kind, const void *p, int n, int counted) {
	if (!grow(o, (size_t)n + 5)) return 0;
	o->data[o->size++] = kind;
	if (counted) {
		memcpy(o->data + o->size, &n, 4);
		o->size += 4;
	}
	if (n) memcpy(o->data + o->size, p, n);
	o->size += n;
	return 1;
}

static int put_row(struct outcome *o, sqlite3_stmt *s) {
	o->columns = sqlite3_data_count(s);
	for (int i = 0; i < o->columns; i++) {
		int ok;
		switch (sqlite3_column_type(s, i)) {
		case 1: { long long v = sqlite3_column_int64(s, i); ok = put(o, 'i', &v, 8, 0); break; }
		case 2: { double v = sqlite3_column_double(s, i); ok = put(o, 'f', &v, 8, 0); break; }
		case 3: { const void *p = sqlite3_column_text(s, i); ok = put(o, 't', p, sqlite3_column_bytes(s, i), 1); break; }
		case 4: { const void *p = sqlite3_column_blob(s, i); ok = put(o, 'b', p, sqlite3_column_bytes(s, i), 1); break; }
		default: ok = put(o, 'n', "", 0, 0);
		}
		if (!ok) return 0;
	}
	o->rows++;
	return 1;
}

static int bind_all(sqlite3_stmt *s, const char *a, int n) {
	if (sqlite3_bind_parameter_count(s) != n) return RANGE;
	for (int i = 1; i <= n; i++) {
		char kind = *a++;
		int rc = 0, size = 0;
		long long v;
		double f;
		switch (kind) {
		case 'i': memcpy(&v, a, 8); a += 8; rc = sqlite3_bind_int64(s, i, v); break;
		case 'f': memcpy(&f, a, 8); a += 8; rc = sqlite3_bind_double(s, i, f); break;
		case 't': memcpy(&size, a, 4); a += 4; rc = sqlite3_bind_text(s, i, a, size, 0); a += size; break;
		case 'b': memcpy(&size, a, 4); a += 4; rc = sqlite3_bind_blob(s, i, a, size, 0); a += size; break;
		default: rc = sqlite3_bind_null(s, i);
		}
		if (rc) return rc;
	}
	return 0;
}

// fail notes an error with SQLite's words, if they are about it.
static void fail(sqlite3 *db, int rc, struct outcome *o) {
	int extended = sqlite3_extended_errcode(db);
	const char *m = "";
	o->code = rc;
	if ((extended & 0xff) == (rc & 0xff)) {
		o->code = extended;
		m = sqlite3_errmsg(db);
	}
	o->system = sqlite3_system_errno(db);
	o->size = 0;
	put(o, 't', m, strlen(m), 1);
}

// run binds the arguments, steps through at most so many rows, and leaves the
// statement reset. Where within is set it does nothing without a transaction.
static void run(sqlite3 *db, sqlite3_stmt *s, int within, const char *args, int n, long long rows, struct outcome *o) {
	o->changes = o->rowid = o->rows = o->columns = o->code = o->system = 0;
	o->size = 0;
	if (within && sqlite3_get_autocommit(db)) {
		o->code = GONE;
		return;
	}
	int rc = bind_all(s, args, n);
	if (!rc) {
		while ((rc = sqlite3_step(s)) == ROW) {
			if (!put_row(o, s)) { rc = NOMEM; break; }
			if (o->rows == rows) break;
		}
	}
	if (rc == ROW || rc == DONE) {
		o->changes = sqlite3_changes64(db);
		o->rowid = sqlite3_last_insert_rowid(db);
	} else {
		fail(db, rc, o);
	}
	sqlite3_reset(s);
	sqlite3_clear_bindings(s); // they point into args
}

static void prepare(sqlite3 *db, const char *sql, int n, sqlite3_stmt **s, struct outcome *o) {
	const char *tail = 0;
	o->code = 0;
	int rc = sqlite3_prepare_v3(db, sql, n, KEEP, s, &tail);
	if (!rc && *s && tail == sql + n) return;
	fail(db, rc ? rc : MISUSE, o);
	sqlite3_finalize(*s);
}
*/
import "C"

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mattn/go-sqlite3"
)

// liteConn runs the writer's statements. database/sql and the driver take as
// long for a statement as SQLite does: locks, one call of C for each argument
// and each row, values in interfaces. Here a statement is one call of C: its
// arguments go there in one piece, its rows come back in one.
//
// The connection is opened, set up and closed by the driver. It is used by
// the writing goroutine alone.
type liteConn struct {
	db    *C.sqlite3
	out   *C.struct_outcome
	stmts map[string]*C.sqlite3_stmt
	args  []byte
	// freed is set by close: what comes later fails.
	freed bool
}

// maxStatements bounds the prepared statements that are kept; the program has
// fewer.
const maxStatements = 512

// newLiteConn takes SQLite's connection out of the driver's.
func newLiteConn(conn *sql.Conn) (*liteConn, error) {
	c := &liteConn{stmts: map[string]*C.sqlite3_stmt{}}
	err := conn.Raw(func(dc any) error {
		lite, ok := dc.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("the driver's connection is %T", dc)
		}
		field := reflect.ValueOf(lite).Elem().FieldByName("db")
		if field.Kind() != reflect.Pointer || field.IsNil() {
			return errors.New("the driver's connection has no field db")
		}
		c.db = (*C.sqlite3)(field.UnsafePointer())
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.out = (*C.struct_outcome)(C.calloc(1, C.size_t(unsafe.Sizeof(C.struct_outcome{}))))
	return c, nil
}

// close ends the statements, without which the connection would not close.
func (c *liteConn) close() {
	if c.freed {
		return
	}
	c.freed = true
	c.forget()
	C.free(unsafe.Pointer(c.out.data))
	C.free(unsafe.Pointer(c.out))
}

func (c *liteConn) forget() {
	for _, s := range c.stmts {
		C.sqlite3_finalize(s)
	}
	clear(c.stmts)
}

func (c *liteConn) prepare(query string) (*C.sqlite3_stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	if len(c.stmts) == maxStatements {
		c.forget()
	}
	var s *C.sqlite3_stmt
	text := strings.TrimRight(query, " \t\r\n;")
	C.prepare(c.db, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.int(len(text)), &s, c.out)
	if c.out.code != 0 {
		return nil, c.failure()
	}
	c.stmts[query] = s
	return s, nil
}

// run runs a statement to its end, or to so many rows (-1: all). Within a
// transaction it returns errGone if there is none any more: the statement
// would be committed by itself.
func (c *liteConn) run(query string, within bool, rows int, args []any) (*C.struct_outcome, error) {
	if c.freed {
		return nil, driver.ErrBadConn
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	if c.args, err = encode(c.args[:0], args); err != nil {
		return nil, err
	}
	in := C.int(0)
	if within {
		in = 1
	}
	C.run(c.db, s, in, (*C.char)(unsafe.Pointer(unsafe.SliceData(c.args))), C.int(len(args)), C.longlong(rows), c.out)
	if cap(c.args) > 2*groupBytes {
		c.args = nil
	}
	if c.out.code != 0 {
		return nil, c.failure()
	}
	return c.out, nil
}

// failure is the error that the last statement left.
func (c *liteConn) failure() error {
	code := int(c.out.code)
	if code == C.GONE {
		return errGone
	}
	message := ""
	if c.out.size >= 5 {
		message = C.GoStringN((*C.char)(unsafe.Add(unsafe.Pointer(c.out.data), 5)), C.int(c.out.size-5))
	}
	return &liteError{message, sqlite3.Error{Code: sqlite3.ErrNo(code & 0xff), ExtendedCode: sqlite3.ErrNoExtended(code),
		SystemErrno: syscall.Errno(c.out.system)}}
}

// liteError is the driver's error with SQLite's own words.
type liteError struct {
	message string
	code    sqlite3.Error
}

func (e *liteError) Error() string {
	if e.message == "" {
		return e.code.Error()
	}
	return e.message
}

func (e *liteError) Unwrap() error { return e.code }

// do runs a statement outside of what Tx does.
func (c *liteConn) do(query string) error {
	_, err := c.run(query, false, -1, nil)
	return err
}

// alive returns errGone if there is no transaction.
func (c *liteConn) alive() error {
	if C.sqlite3_get_autocommit(c.db) != 0 {
		return errGone
	}
	return nil
}

// The methods of a runner. An update's statements run to their end, whatever
// becomes of its caller.

func (c *liteConn) exec(_ context.Context, query string, args []any) (int64, error) {
	o, err := c.run(query, true, -1, args)
	if err != nil {
		return 0, err
	}
	return int64(o.changes), nil
}

// insert needs no RETURNING, for which SQLite makes a table of its own.
func (c *liteConn) insert(_ context.Context, query string, args []any) (int64, error) {
	o, err := c.run(strings.TrimSuffix(query, returningID), true, -1, args)
	if err != nil {
		return 0, err
	}
	if o.changes == 0 {
		return 0, sql.ErrNoRows
	}
	return int64(o.rowid), nil
}

func (c *liteConn) query(_ context.Context, query string, args []any) (rows, error) {
	return c.rows(query, -1, args)
}

func (c *liteConn) row(_ context.Context, query string, args []any) (scanner, error) {
	r, err := c.rows(query, 1, args)
	if err != nil {
		return nil, err
	}
	return liteRow{r}, nil
}

func (c *liteConn) rows(query string, n int, args []any) (*liteRows, error) {
	o, err := c.run(query, true, n, args)
	if err != nil {
		return nil, err
	}
	return &liteRows{data: C.GoStringN(o.data, C.int(o.size)), left: int64(o.rows), columns: int(o.columns)}, nil
}

// encode appends the arguments of a statement as C reads them. clean has made
// them one of these types.
func encode(b []byte, args []any) ([]byte, error) {
	for _, arg := range args {
		switch v := arg.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.NativeEndian.AppendUint64(append(b, 'i'), uint64(v))
		case float64:
			b = binary.NativeEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case string:
			b = binary.NativeEndian.AppendUint32(append(b, 't'), uint32(len(v)))
			b = append(b, v...)
		case []byte:
			if v == nil {
				b = append(b, 'n')
				continue
			}
			b = binary.NativeEndian.AppendUint32(append(b, 'b'), uint32(len(v)))
			b = append(b, v...)
		default:
			return nil, fmt.Errorf("an argument is %T", arg)
		}
	}
	return b, nil
}
