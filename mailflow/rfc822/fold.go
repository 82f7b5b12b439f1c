package rfc822

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendLower appends s as strings.ToLower gives it.
func appendLower(out []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			out = append(out, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		out = utf8.AppendRune(out, unicode.ToLower(r))
		i += n
	}
	return out
}

// prefixes are beginnings of lines in lower case, by their first character, in
// the order of their list.
type prefixes struct {
	ascii [utf8.RuneSelf][]string
	other map[rune][]string
}

func newPrefixes(list []string) *prefixes {
	p := &prefixes{other: make(map[rune][]string)}
	for _, s := range list {
		r, _ := utf8.DecodeRuneInString(s)
		if r < utf8.RuneSelf {
			p.ascii[r] = append(p.ascii[r], s)
		} else {
			p.other[r] = append(p.other[r], s)
		}
	}
	return p
}

// of returns the first of the list that line begins with, whatever its case,
// or "". Lines that begin with another character cost next to nothing.
func (p *prefixes) of(line string) string {
	r, _ := utf8.DecodeRuneInString(line)
	r = unicode.ToLower(r)
	list := p.other[r]
	if r < utf8.RuneSelf {
		list = p.ascii[r]
	}
	for _, s := range list {
		if beginsWith(line, s) {
			return s
		}
	}
	return ""
}

// beginsWith tells whether s in lower case begins with low.
func beginsWith(s, low string) bool {
	for _, want := range low {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.ToLower(r) != want {
			return false
		}
		s = s[n:]
	}
	return true
}

// trimLeft is strings.TrimLeft for a few ASCII characters, of which most lines
// begin with none.
func trimLeft(s, cutset string) string {
	for s != "" && strings.IndexByte(cutset, s[0]) >= 0 {
		s = s[1:]
	}
	return s
}

// trimRight is strings.TrimRight for a few ASCII characters.
func trimRight(s, cutset string) string {
	for s != "" && strings.IndexByte(cutset, s[len(s)-1]) >= 0 {
		s = s[:len(s)-1]
	}
	return s
}

// cutWord cuts the first word off s; it is "" if there is none.
func cutWord(s string) (word, rest string) {
	from := -1
	for i := 0; i < len(s); {
		space, n := isBlank(s[i]), 1
		if s[i] >= utf8.RuneSelf {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			space = unicode.IsSpace(r)
		}
		if !space && from < 0 {
			from = i
		} else if space && from >= 0 {
			return s[from:i], s[i+n:]
		}
		i += n
	}
	if from < 0 {
		return "", ""
	}
	return s[from:], ""
}

// isBlank reports ASCII's white space.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
