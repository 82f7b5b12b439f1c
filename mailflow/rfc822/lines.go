package rfc822

import "bytes"

// lines walks over the lines of a mail in one pass. CRLF, LF and a bare CR end
// a line: all three reach us (RFC 5321 §2.3.8 allows only the first). CR CR LF,
// which some gateways make of CRLF, is one line end too.
type lines struct {
	b   []byte
	pos int // start of the next line
	lf  int // the first LF at or after pos as far as known; see next
}

// next returns the next line without its end. The position of the next LF is
// remembered, so that a mail of bare CRs is not searched again for each line.
func (l *lines) next() (line []byte, ok bool) {
	if l.pos >= len(l.b) {
		return nil, false
	}
	if l.lf < l.pos {
		l.lf = len(l.b)
		if i := bytes.IndexByte(l.b[l.pos:], '\n'); i >= 0 {
			l.lf = l.pos + i
		}
	}
	seg := l.b[l.pos:l.lf]
	cr := bytes.IndexByte(seg, '\r')
	if cr < 0 {
		l.pos = min(l.lf+1, len(l.b))
		return seg, true
	}
	if rest := len(seg) - cr; l.lf < len(l.b) && (rest == 1 || rest == 2 && seg[cr+1] == '\r') {
		l.pos = l.lf + 1
	} else {
		l.pos += cr + 1
	}
	return seg[:cr], true
}

// back makes the line that starts at pos the next one.
func (l *lines) back(pos int) {
	l.pos, l.lf = pos, pos-1
}

// forward makes the line that starts at pos, which is not passed yet, the next
// one. What is known of the next LF stays known: of a mail of bare CRs each line
// would search the rest again.
func (l *lines) forward(pos int) { l.pos = pos }

// peek returns the next line without taking it.
func (l *lines) peek() []byte {
	c := *l
	line, _ := c.next()
	return line
}

// contentEnd returns where the body ends whose delimiter line starts at pos:
// the line end before a delimiter belongs to it (RFC 2046 §5.1.1).
func contentEnd(b []byte, start, pos int) int {
	pos = min(pos, len(b))
	if pos > start && b[pos-1] == '\n' {
		pos--
		if pos > start && b[pos-1] == '\r' {
			pos--
		}
		return pos
	}
	if pos > start && b[pos-1] == '\r' {
		pos--
	}
	return pos
}
