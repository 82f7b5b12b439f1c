package rfc822

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// dateAndTime tells whether s has what looks like a date and like a time of
// day, in any order and language, and how many numbers it has. Expressions
// would cost ten times as much, and a log has 50,000 lines that need the look.
func dateAndTime(s string) (date, time bool, runs int) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
			n := digits(s[i:])
			runs++
			if i == 0 || !isWord(s[i-1]) {
				date = date || dateAt(s[i:], n)
				time = time || n <= 2 && timeAt(s[i+n:])
			}
			date = date || strings.HasPrefix(s[i+n:], "年")
			i += n - 1
		case c == 0xd9 || c == 0xdb: // Arabic digits
			date = date || arabicYear(s[i:])
		}
	}
	return date, time, runs
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isWord(c byte) bool  { return isDigit(c) || isLetter(c) || c == '_' }

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// twoDigits tells whether s begins with least to two digits and no further
// letter.
func twoDigits(s string, least int) bool {
	n := digits(s)
	return n >= least && n <= 2 && (n == len(s) || !isWord(s[n]))
}

// dateAt judges the number of n digits at the beginning of s: a year, a day
// before a month, or a day, a month's name and a year of two digits.
func dateAt(s string, n int) bool {
	rest := s[n:]
	if n == 4 {
		return (s[:2] == "19" || s[:2] == "20") && (rest == "" || !isWord(rest[0]))
	}
	if n > 2 || rest == "" {
		return false
	}
	switch rest[0] {
	case '.':
		return twoDigits(strings.TrimPrefix(rest[1:], " "), 1)
	case '/', '-':
		return twoDigits(rest[1:], 1)
	case ' ':
		name, year, ok := strings.Cut(rest[1:], " ")
		name = strings.TrimSuffix(name, ".")
		return ok && utf8.RuneCountInString(name) >= 3 && len(name) <= 20 && !strings.ContainsFunc(name, isNoLetter) && twoDigits(year, 2)
	}
	return false
}

func isNoLetter(r rune) bool { return !unicode.IsLetter(r) }

// timeAt tells whether minutes follow an hour: ":05", " h 05", ".05".
func timeAt(s string) bool {
	s = strings.TrimPrefix(s, " ")
	if s == "" || strings.IndexByte(":.h", s[0]) < 0 {
		return false
	}
	return twoDigits(strings.TrimPrefix(s[1:], " "), 2)
}

// arabicYear tells whether s begins with four Arabic or Persian digits.
func arabicYear(s string) bool {
	for range 4 {
		r, n := utf8.DecodeRuneInString(s)
		if (r < '٠' || r > '٩') && (r < '۰' || r > '۹') {
			return false
		}
		s = s[n:]
	}
	return true
}

// hasMailbox tells whether s has something before and behind an "@".
func hasMailbox(s string) bool {
	for i := strings.IndexByte(s, '@'); i >= 0; {
		if i > 0 && i+1 < len(s) && strings.IndexByte(" \t<>\"", s[i-1]) < 0 && strings.IndexByte(" \t<>\"", s[i+1]) < 0 {
			return true
		}
		n := strings.IndexByte(s[i+1:], '@')
		if n < 0 {
			return false
		}
		i += 1 + n
	}
	return false
}
