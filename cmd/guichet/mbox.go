package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
)

// mboxMail is one mail of an mbox as it stands there.
type mboxMail struct {
	offset int64  // of its From line
	length int64  // up to the next From line, or the end
	size   int64  // of the mail itself
	raw    []byte // nil if size is over the limit, and only then
}

// mboxReader takes an mbox apart, mail by mail: mboxrd, where a line of the
// mail that begins like a From line bears a > before it, and what is close to
// it. At most one mail, up to the limit, is in memory.
type mboxReader struct {
	r     *bufio.Reader
	limit int64
	at    int64 // bytes read
	mail  mboxMail
	empty bool   // the line before was an empty one
	held  []byte // an empty line's end, which is the mail's if its next line is
}

func newMboxReader(r io.Reader, limit int64) *mboxReader {
	return &mboxReader{r: bufio.NewReaderSize(r, 64<<10), limit: limit, mail: mboxMail{raw: []byte{}}}
}

var (
	fromLine   = []byte("From ")
	quotedFrom = regexp.MustCompile(`^>+From `)
	// A From line ends in a date, as C's ctime writes it or nearly so. A sentence
	// that begins with From, after an empty line, does not, nor does a header
	// field follow it.
	fromTime    = regexp.MustCompile(`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9]?\d \d\d:\d\d`)
	fromDate    = regexp.MustCompile(`\d:\d\d.*\d{4}|\d{4}.*\d:\d\d`)
	headerField = regexp.MustCompile(`^[!-9;-~]+[ \t]*:|^>?From `)
)

// next returns the next mail, or io.EOF. What it returns is good until the
// next call.
func (m *mboxReader) next() (mboxMail, error) {
	m.mail = mboxMail{offset: m.at, raw: m.mail.raw[:0]}
	m.held, m.empty = nil, false
	begun := false
	for fresh := true; ; {
		if fresh && begun && m.separates() {
			return m.finish()
		}
		line, err := m.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		m.at += int64(len(line))
		if len(line) > 0 && (begun || !bytes.HasPrefix(line, fromLine)) {
			m.take(line, fresh)
		}
		begun = begun || len(line) > 0
		fresh = bytes.HasSuffix(line, []byte("\n"))
		if err == io.EOF && begun {
			return m.finish()
		}
		if err != nil {
			return mboxMail{}, err
		}
	}
}

// separates says that a From line comes next.
func (m *mboxReader) separates() bool {
	if !m.empty {
		return false
	}
	if ahead, _ := m.r.Peek(len(fromLine)); !bytes.Equal(ahead, fromLine) {
		return false
	}
	ahead, _ := m.r.Peek(2 << 10)
	line, rest, _ := bytes.Cut(ahead, []byte("\n"))
	return fromTime.Match(line) || fromDate.Match(line) && headerField.Match(rest)
}

// take adds a line, or a piece of a long one, to the mail.
func (m *mboxReader) take(line []byte, fresh bool) {
	m.add(m.held)
	m.held = nil
	if fresh && quotedFrom.Match(line) {
		line = line[1:]
	}
	m.empty = fresh && (string(line) == "\n" || string(line) == "\r\n")
	if m.empty {
		m.held = bytes.Clone(line)
		return
	}
	m.add(line)
}

func (m *mboxReader) add(b []byte) {
	m.mail.size += int64(len(b))
	if m.mail.size <= m.limit {
		m.mail.raw = append(m.mail.raw, b...)
	}
}

// finish returns the mail without the empty line that stands before each From
// line.
func (m *mboxReader) finish() (mboxMail, error) {
	m.mail.length = m.at - m.mail.offset
	out := m.mail
	if out.size > m.limit {
		out.raw = nil
	}
	return out, nil
}
