package imapfetch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxNesting is how deep parentheses may stand in a response. What we ask
	// for has three; go-imap reads a BODYSTRUCTURE nobody asked for to any depth.
	maxNesting = 100
	// writeTimeout is for a command, which is short.
	writeTimeout = time.Minute
)

var (
	errSilent  = errors.New("the server says nothing")
	errBudget  = errors.New("the server sends more than was asked for")
	errNesting = fmt.Errorf("the server nests parentheses more than %d deep", maxNesting)
)

// guard is the connection as go-imap has it: it has limits where go-imap has
// none, and ignores the deadlines that go-imap sets, since they are the same
// for a large mail on a slow line as for a server that has gone silent.
type guard struct {
	net.Conn
	first  io.Reader     // read before the connection, if not nil
	left   atomic.Int64  // bytes that it may send
	failed atomic.Value  // error: why the guard has ended the connection
	scan   responseScan  // of Read
	done   chan struct{} // closed by Close
	closed atomic.Bool

	mu     sync.Mutex    // held while the deadline of a Read is set
	silent time.Duration // how long the server may be silent
}

func newGuard(conn net.Conn, first []byte) *guard {
	g := &guard{Conn: conn, done: make(chan struct{})}
	if len(first) > 0 {
		g.first = bytes.NewReader(first)
	}
	return g
}

// allow sets the budget of a command.
func (g *guard) allow(bytes int64, silent time.Duration) {
	g.left.Store(bytes)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = silent
	if !g.closed.Load() {
		g.Conn.SetReadDeadline(time.Now().Add(silent)) // of a Read under way
	}
}

// begin sets the deadline of a Read.
func (g *guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Conn.SetReadDeadline(time.Now().Add(g.silent))
}

// Read reads what the server may send now. It is called by one goroutine.
func (g *guard) Read(p []byte) (int, error) {
	if g.first != nil {
		if n, err := g.first.Read(p); err == nil {
			return n, nil
		}
		g.first = nil
	}
	g.begin()
	n, err := g.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = g.end(errSilent)
	}
	if err != nil {
		return n, err
	}
	left := g.left.Add(-int64(n))
	if left < 0 {
		return 0, g.end(errBudget)
	}
	if err := g.scan.write(p[:n], left); err != nil {
		return 0, g.end(err)
	}
	return n, nil
}

// Write sends a command.
func (g *guard) Write(p []byte) (int, error) {
	g.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	return g.Conn.Write(p)
}

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing.
func (g *guard) SetDeadline(time.Time) error      { return nil }
func (g *guard) SetReadDeadline(time.Time) error  { return nil }
func (g *guard) SetWriteDeadline(time.Time) error { return nil }

// end closes the connection and remembers why, if it is the first reason.
func (g *guard) end(why error) error {
	g.failed.CompareAndSwap(nil, why)
	g.Close()
	return why
}

// Close ends the connection, once.
func (g *guard) Close() error {
	if g.closed.Swap(true) {
		return nil
	}
	close(g.done)
	return g.Conn.Close()
}

// why is the guard's own reason for the end of the connection, or else err.
func (g *guard) why(err error) error {
	if own, ok := g.failed.Load().(error); ok {
		return own
	}
	return err
}

// responseScan follows the responses as far as their nesting and literals go.
type responseScan struct {
	line    []byte // its beginning, as far as it tells what it is
	depth   int
	quoted  bool
	escaped bool
	size    int64 // of a literal that is announced: see brace
	brace   byte  // '{' while its size is read, '}' behind it, else 0
	literal int64 // bytes of it that are still to come
}

// write looks at bytes of the server. left is what it may send after them.
func (s *responseScan) write(p []byte, left int64) error {
	for i := 0; i < len(p); i++ {
		if s.literal > 0 {
			n := min(s.literal, int64(len(p)-i))
			s.literal -= n
			i += int(n) - 1
			continue
		}
		if err := s.byte(p[i], left+int64(len(p)-i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *responseScan) byte(c byte, left int64) error {
	if c == '\n' {
		announced := s.brace == '}' && !s.isText()
		size := s.size
		s.brace, s.quoted, s.escaped = 0, false, false
		if announced && size > left {
			return errBudget
		}
		if s.literal = 0; announced {
			s.literal = size
			return nil // the same response goes on behind it
		}
		s.line, s.depth = s.line[:0], 0
		return nil
	}
	if len(s.line) < 40 {
		s.line = append(s.line, c)
	}
	if s.quoted {
		s.quoted = c != '"' || s.escaped
		s.escaped = c == '\\' && !s.escaped
		return nil
	}
	switch {
	case c == '"':
		s.quoted = true
	case c == '(':
		if s.depth++; s.depth > maxNesting {
			return errNesting
		}
	case c == ')':
		s.depth--
	}
	s.announce(c)
	return nil
}

// announce follows {123}, behind which a line end makes a literal.
func (s *responseScan) announce(c byte) {
	switch {
	case c == '{':
		s.brace, s.size = '{', 0
	case s.brace == '{' && c >= '0' && c <= '9':
		s.size = min(s.size*10+int64(c-'0'), 1<<50)
	case s.brace == '{' && c == '}':
		s.brace = '}'
	case s.brace == '{' && c == '+', s.brace == '}' && c == '\r':
	default:
		s.brace = 0
	}
}

// isText says that the line is a status with words for people: what looks
// like a literal there is none.
func (s *responseScan) isText() bool {
	tag, rest, _ := bytes.Cut(s.line, []byte(" "))
	word, _, _ := bytes.Cut(rest, []byte(" "))
	for _, status := range []string{"OK", "NO", "BAD", "BYE", "PREAUTH"} {
		if bytes.EqualFold(bytes.TrimRight(word, "\r"), []byte(status)) {
			return true
		}
	}
	return string(tag) == "+"
}
