package rfc822

import (
	"bytes"
	"strings"
)

// maxHeader is how much of one header block, the mail's or a part's, is kept:
// names and values together, in bytes. Postfix keeps 100 KB. go-message limits
// the top header only; a part header of 43 MB was seen in an attack.
const maxHeader = 256 << 10

// maxFieldName is the longest field name, in bytes, that is taken for one:
// RFC 5322 §2.1.1 has no longer lines.
const maxFieldName = 998

// Get returns the value of the first field called name, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if sameName(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Values returns the values of all fields called name, in the mail's order.
func (h Header) Values(name string) []string {
	var v []string
	for _, f := range h {
		if sameName(f.Name, name) {
			v = append(v, f.Value)
		}
	}
	return v
}

// Has reports whether there is a field called name.
func (h Header) Has(name string) bool {
	for _, f := range h {
		if sameName(f.Name, name) {
			return true
		}
	}
	return false
}

// sameName compares field names, which are ASCII, whatever their case.
func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// rawField is a field before its bytes are read as text: for that the charset
// has to be known, which is a field's parameter itself.
type rawField struct {
	name  string
	value []byte
}

// headerReader reads one header block, tolerantly.
type headerReader struct {
	l      *lines
	delim  func(line []byte) bool // tells a multipart delimiter, which ends any header
	note   func(problem string)
	fields []rawField
	room   int  // bytes that may still be kept
	drop   bool // the present field is over the limit, or is none
	junkTo int  // up to here lines without a colon are junk, not the body
}

// readHeader reads fields up to and including the empty line. Where it is
// missing, the body starts with the first line that can't be of the header.
// ended: a delimiter was met, and there is no body.
func readHeader(l *lines, delim func([]byte) bool, note func(string)) (fields []rawField, ended bool) {
	r := headerReader{l: l, delim: delim, note: note, fields: make([]rawField, 0, 16), room: maxHeader, drop: true}
	for {
		start := l.pos
		line, ok := l.next()
		if ok && delim(line) {
			return r.fields, true
		}
		if !ok || len(line) == 0 || !r.line(line, start) {
			return r.fields, false
		}
	}
}

// line takes one line; false: it is not of the header.
func (r *headerReader) line(line []byte, start int) bool {
	if line[0] == ' ' || line[0] == '\t' {
		if len(bytes.TrimLeft(line, " \t")) == 0 {
			// A line of blanks is a folding (RFC 5322 §4.2), or the empty line
			// of a mail that was indented on its way.
			return r.goesOn()
		}
		r.extend(line)
		return true
	}
	if name, value, ok := cutField(line); ok {
		r.add(name, value)
		return true
	}
	// A line without a colon: either junk between fields (a stray mbox line, a
	// folded line that lost its blank), or the body, the empty line missing.
	if start < r.junkTo || r.findKnown() {
		r.note("A header line is not a field; it was left out.")
		r.drop = true
		return true
	}
	r.note("The empty line after the header is missing.")
	r.l.back(start)
	return false
}

// goesOn reports whether the next line is of the header.
func (r *headerReader) goesOn() bool {
	next := r.l.peek()
	if len(next) == 0 || r.delim(next) {
		return false
	}
	_, _, ok := cutField(next)
	return ok
}

// findKnown looks for a field of a well-known name before the next empty line:
// up to there it is header. It reads ahead once for all lines it passes, so
// that the work stays linear.
func (r *headerReader) findKnown() bool {
	ahead := *r.l
	for {
		at := ahead.pos
		line, ok := ahead.next()
		if !ok || len(line) == 0 || r.delim(line) {
			return false
		}
		if name, _, ok := cutField(line); ok && isKnownField(name) {
			r.junkTo = at
			return true
		}
	}
}

// isKnownField reports whether name is one that mails have at their top, and
// that no sentence of a body starts with.
func isKnownField(name string) bool {
	switch name = strings.ToLower(name); name {
	case "from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "reply-to",
		"received", "return-path", "delivered-to", "mime-version", "dkim-signature", "authentication-results":
		return true
	}
	return strings.HasPrefix(name, "content-") || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "list-")
}

func (r *headerReader) add(name string, value []byte) {
	r.drop = len(name) > r.room
	if r.drop {
		r.note("The header is longer than 256 KiB; the rest of it was left out.")
		return
	}
	r.room -= len(name) + 1
	r.fields = append(r.fields, rawField{name: name})
	r.extend(bytes.TrimLeft(value, " \t"))
}

func (r *headerReader) extend(value []byte) {
	if r.drop {
		return
	}
	if len(value) > r.room {
		r.note("The header is longer than 256 KiB; the rest of it was left out.")
		value, r.drop = value[:max(r.room, 0)], true
	}
	r.room -= len(value)
	f := &r.fields[len(r.fields)-1]
	if f.value == nil {
		f.value = value[:len(value):len(value)] // most fields have one line: no copy
		return
	}
	f.value = append(f.value, value...)
}

// cutField splits a header line. Blanks before the colon are obsolete but
// allowed (RFC 5322 §4.5.8), blanks within a name are not.
func cutField(line []byte) (name string, value []byte, ok bool) {
	i := bytes.IndexByte(line[:min(len(line), maxFieldName)], ':')
	if i <= 0 {
		return "", nil, false
	}
	key := bytes.TrimRight(line[:i], " \t")
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return "", nil, false
		}
	}
	return string(key), line[i+1:], len(key) > 0
}

// skipLead skips what stands before a mail's header: a byte order mark, blank
// lines, and the line in which mbox keeps the envelope.
func skipLead(l *lines, note func(string)) {
	if bytes.HasPrefix(l.b[l.pos:], []byte("\xef\xbb\xbf")) {
		l.back(l.pos + 3)
	}
	start, skipped := l.pos, false
	for {
		at := l.pos
		line, ok := l.next()
		switch {
		case ok && len(bytes.TrimSpace(line)) == 0:
			skipped = true
			continue
		case ok && isMboxLine(line):
			note("An mbox line stands before the header; it was left out.")
			continue
		}
		if _, _, isField := cutField(bytes.TrimLeft(line, " \t")); !ok || !isField {
			// No header follows: blank lines are its end, the rest is body.
			l.back(start)
			return
		}
		if skipped {
			note("Blank lines stand before the header; they were left out.")
		}
		l.back(at + len(line) - len(bytes.TrimLeft(line, " \t")))
		return
	}
}

// isMboxLine reports "From address date"; "From :a@b" is a field.
func isMboxLine(line []byte) bool {
	_, _, field := cutField(line)
	return !field && bytes.HasPrefix(bytes.TrimPrefix(line, []byte(">")), []byte("From "))
}

// fieldsOf makes the fields of raw ones. Bytes that are not ASCII are read as
// UTF-8, or in the charset the mail declares (RFC 5322 allows neither, RFC
// 6532 the first; both are common).
func fieldsOf(raw []rawField, charset string) Header {
	h := make(Header, 0, len(raw))
	for _, f := range raw {
		h = append(h, Field{Name: f.name, Value: strings.TrimRight(cleanField(detect(f.value, charset)), " \t")})
	}
	return h
}

// allASCII reports whether no charset makes a difference.
func allASCII(raw []rawField) bool {
	for _, f := range raw {
		if !isASCII(f.value) {
			return false
		}
	}
	return true
}

func rawValue(raw []rawField, name string) []byte {
	for _, f := range raw {
		if sameName(f.name, name) {
			return f.value
		}
	}
	return nil
}
