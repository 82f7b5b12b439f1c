package rfc822

import "strings"

// maxAddresses is the largest number of addresses read of one kind of field
// (CVE-2024-23184: Dovecot, one field of addresses by the thousand).
const maxAddresses = 500

// maxPending bounds, in bytes, the name with commas that is put together.
const maxPending = 256

// addressLexer reads an address list (RFC 5322 §3.4) and what programs write
// for one: names with commas that nobody quoted, quotes, comments and brackets
// that are not closed, encoded words with specials. It passes over s once: of
// each closing character it learns once that none is left.
type addressLexer struct {
	s    string
	i    int
	list []Address
	over bool // there are more than maxAddresses

	words   strings.Builder // what stands outside brackets and comments
	bare    strings.Builder // the same with its quotes, where an address may be
	angle   string
	inAngle bool // angle was seen
	comment string
	at      bool   // an at sign stands in bare
	pending string // words before a comma that may belong to the next name

	noQuote, noComment, noAngle bool // none is closed in what is left
}

// parseAddresses reads the addresses of a field. Entries without an address
// have a Name only; a group gives its members.
func parseAddresses(s string) (list []Address, over bool) {
	if list, ok := strictAddresses(s); ok {
		return list, false
	}
	l := addressLexer{s: s}
	words := newWordScanner(s)
	for l.i < len(s) && !l.over {
		switch c := s[l.i]; c {
		case '"':
			l.quoted()
		case '(':
			l.parens()
		case '<':
			l.brackets()
		case ',', ';':
			l.flush(c)
		case ':':
			l.colon()
		case '=':
			l.encoded(&words)
		default:
			l.put(s[l.i : l.i+1])
			l.i++
		}
	}
	if !l.over {
		l.flush(0)
	}
	return l.list, l.over
}

// put adds text of a name or an address.
func (l *addressLexer) put(s string) {
	l.words.WriteString(s)
	l.bare.WriteString(s)
	l.at = l.at || strings.IndexByte(s, '@') >= 0
}

func (l *addressLexer) quoted() {
	n := -1
	if !l.noQuote {
		n = closingQuote(l.s[l.i+1:])
	}
	if n < 0 {
		l.noQuote = true
		l.i++ // the quote alone is left out
		return
	}
	inner := l.s[l.i+1 : l.i+1+n]
	l.words.WriteString(unescape(inner))
	l.bare.WriteString(l.s[l.i : l.i+n+2])
	l.at = l.at || strings.IndexByte(inner, '@') >= 0
	l.i += n + 2
}

// parens reads a comment; they nest (RFC 5322 §3.2.2). The depth is counted,
// not recursed into.
func (l *addressLexer) parens() {
	end := -1
	if !l.noComment {
		end = closingParen(l.s[l.i:])
	}
	if end < 0 {
		l.noComment = true
		l.put("(")
		l.i++
		return
	}
	l.comment = l.s[l.i+1 : l.i+end]
	l.bare.WriteByte(' ')
	l.i += end + 1
}

func closingParen(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (l *addressLexer) brackets() {
	n := -1
	if !l.noAngle {
		n = strings.IndexByte(l.s[l.i:], '>')
	}
	if n < 0 {
		// Not closed: up to the next comma.
		l.noAngle = true
		if n = strings.IndexAny(l.s[l.i:], ",;"); n < 0 {
			n = len(l.s) - l.i
		}
		l.setAngle(l.s[l.i+1 : l.i+n])
		l.i += n
		return
	}
	l.setAngle(l.s[l.i+1 : l.i+n])
	for l.i += n + 1; l.i < len(l.s) && l.s[l.i] == '>'; l.i++ {
		// "<<a@b>>"
	}
}

// setAngle keeps the last of several brackets that holds an address: in
// "Jan <jan> <jan@b>" programs put a name into the first.
func (l *addressLexer) setAngle(s string) {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		l.put(s[:i])
		s = s[i+1:]
	}
	if l.inAngle && !strings.Contains(s, "@") {
		return
	}
	l.angle, l.inAngle = s, true
}

// colon ends a group's name (RFC 5322 §3.4); within an address it is a part.
func (l *addressLexer) colon() {
	l.i++
	if l.at || l.inAngle || strings.HasPrefix(l.s[l.i:], "//") {
		l.put(":")
		return
	}
	l.reset()
	l.pending = ""
}

// encoded takes an encoded word as a whole: in it commas are text.
func (l *addressLexer) encoded(w *wordScanner) {
	end := l.i + 1
	if strings.HasPrefix(l.s[l.i:], "=?") {
		if _, e, ok := w.at(l.i); ok {
			end = e
		}
	}
	l.words.WriteString(l.s[l.i:end])
	if end == l.i+1 {
		l.bare.WriteByte('=')
	}
	l.i = end
}

func (l *addressLexer) reset() {
	l.words.Reset()
	l.bare.Reset()
	l.angle, l.inAngle, l.comment, l.at = "", false, "", false
}

// flush ends an entry at sep, or at the end.
func (l *addressLexer) flush(sep byte) {
	l.i++
	words, bare, comment := strings.TrimSpace(l.words.String()), l.bare.String(), l.comment
	angle, inAngle, at := l.angle, l.inAngle, l.at
	l.reset()
	switch {
	case inAngle:
		l.add(join(l.pending, words), comment, angle)
	case at:
		l.dropPending()
		addr, name := bareAddress(bare)
		l.add(name, comment, addr)
	case words == "":
		return
	case sep == ',' && len(l.pending) <= maxPending:
		l.pending = join(l.pending, words)
		return
	default:
		l.add(join(l.pending, words), comment, "")
	}
	l.pending = ""
}

// dropPending gives words that turned out to be no one's name as an entry.
func (l *addressLexer) dropPending() {
	if l.pending != "" {
		l.add(l.pending, "", "")
	}
	l.pending = ""
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

func (l *addressLexer) add(name, comment, addr string) {
	if len(l.list) == maxAddresses {
		l.over = true
		return
	}
	addr = cleanAddress(addr)
	if name == "" {
		name = comment
	}
	if name == "" && addr == "" {
		return
	}
	a := Address{Name: name}
	if at := strings.LastIndexByte(addr, '@'); at > 0 && at < len(addr)-1 {
		a.Address = addr
	} else if name == "" {
		a.Name = addr // <MAILER-DAEMON>
	}
	a.Name = displayName(a.Name, a.Address)
	if a != (Address{}) { // a name can be of controls alone
		l.list = append(l.list, a)
	}
}
