package rfc822

import (
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
type prefixes map[rune][]string

func newPrefixes(list []string) prefixes {
	p := make(prefixes)
	for _, s := range list {
		r, _ := utf8.DecodeRuneInString(s)
		p[r] = append(p[r], s)
	}
	return p
}

// of returns the first of the list that line begins with, whatever its case,
// or "". Lines that begin with another character cost next to nothing.
func (p prefixes) of(line string) string {
	r, _ := utf8.DecodeRuneInString(line)
	for _, s := range p[unicode.ToLower(r)] {
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
