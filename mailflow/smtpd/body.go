package smtpd

import (
	"bufio"
	"bytes"
	"io"

	"github.com/emersion/go-smtp"
)

// dotReader reads the body of DATA up to CRLF.CRLF and undoes the doubled
// dots (RFC 5321 §4.5.2). It replaces go-smtp's own reader, which
//
//   - loses ".CR" at the start of a line,
//   - misses the end behind "CRCRLF", so that an honest sender waits in vain,
//   - refuses a mail of exactly the announced size, and
//   - goes on reading the rest of a body as commands after a timeout
//     (emersion/go-smtp#196).
//
// A line ends at CRLF alone: a dot behind a bare CR or LF is text. That is
// what keeps a second mail from being smuggled in the first (CVE-2023-51764).
type dotReader struct {
	in      *bufio.Reader
	pending []byte // of in's buffer: read, not yet given
	start   bool   // a line begins: CRLF, or nothing yet, stands before
	cr      bool   // the last octet was a CR
	err     error
}

func newDotReader(in *bufio.Reader) *dotReader {
	return &dotReader{in: in, start: true}
}

// Read fills p with what is there, and waits only for the first octet.
func (d *dotReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(d.pending) == 0 {
			if d.err == nil && (n == 0 || d.in.Buffered() > 0) {
				d.next()
			}
			if len(d.pending) == 0 && (d.err != nil || n > 0) {
				break
			}
		}
		copied := copy(p[n:], d.pending)
		d.pending = d.pending[copied:]
		n += copied
	}
	if n > 0 {
		return n, nil
	}
	return 0, d.err
}

// next reads one line, or one buffer of a line that is longer than it.
func (d *dotReader) next() {
	part, err := d.in.ReadSlice('\n')
	switch err {
	case nil, bufio.ErrBufferFull:
	case io.EOF:
		// The end of the connection is not the end of the mail.
		d.err = io.ErrUnexpectedEOF
		return
	default:
		d.err = err
		return
	}
	if d.start && string(part) == ".\r\n" {
		d.err = io.EOF
		return
	}
	cr := d.cr
	if len(part) > 1 {
		cr = part[len(part)-2] == '\r'
	}
	if d.start && part[0] == '.' {
		d.pending = part[1:]
	} else {
		d.pending = part
	}
	d.cr = part[len(part)-1] == '\r'
	d.start = err == nil && cr
}

// sieve looks at a mail's bytes on their way: its size, its longest line, and
// the Received fields of its header.
type sieve struct {
	maxSize int64
	maxLine int
	maxHops int

	size   int64
	column int  // octets of the line so far
	last   byte // the last octet
	body   bool // the header is over
	match  int  // octets of the line so far that agree with "received:"; -1 disagrees
	hops   int
}

const received = "received:"

// check returns the answer that refuses the mail, or nil.
func (s *sieve) check(b []byte) *smtp.SMTPError {
	s.size += int64(len(b))
	longest := 0
	for !s.body && len(b) > 0 {
		s.octet(b[0])
		longest = max(longest, s.column)
		b = b[1:]
	}
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			break
		}
		longest = max(longest, s.column+end)
		s.column = 0
		b = b[end+1:]
	}
	s.column += len(b)
	switch {
	case max(longest, s.column) > s.maxLine:
		return replyBodyLine
	case s.size > s.maxSize:
		return replyTooLarge
	case s.hops > s.maxHops:
		return replyLoop
	}
	return nil
}

// octet looks at one octet of the header. It takes CR, LF and CRLF
// as line ends, as the reader of the mail will.
func (s *sieve) octet(c byte) {
	last := s.last
	s.last = c
	if c == '\n' && last == '\r' {
		return
	}
	if c == '\n' || c == '\r' {
		s.body = s.body || s.column == 0
		s.column, s.match = 0, 0
		return
	}
	s.column++
	if s.match < 0 {
		return
	}
	if lower(c) != received[s.match] {
		s.match = -1
		return
	}
	if s.match++; s.match == len(received) {
		s.hops++
		s.match = -1
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
