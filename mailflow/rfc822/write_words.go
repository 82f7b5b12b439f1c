package rfc822

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// outClean makes one line of what somebody wrote: no line break, control,
// bidi override or invalid UTF-8, blanks folded into one. An embedded
// override would turn the words around it; marks that scripts need (ZWJ,
// ZWNJ, variation selectors) stay.
func outClean(s string) string {
	if outIsClean(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 0x61c, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		case r == 0x2028, r == 0x2029, r == '\t', r == '\r', r == '\n':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	// Only the ASCII blank is folded: a no-break space before a French colon
	// is meant.
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
}

// outIsClean says that outClean has nothing to do.
func outIsClean(s string) bool {
	blank := true // a blank may not come next
	for _, r := range s {
		switch {
		case r == ' ' && blank:
			return false
		case r > ' ' && r < 0x7f, r == ' ':
		case r < 0xa0, r == utf8.RuneError, r == 0x61c, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return false
		}
		blank = r == ' '
	}
	return !blank || s == ""
}

// outPlain says whether a word may stand in a header as it is.
func outPlain(word string) bool {
	return outIsASCII(word) && !strings.Contains(word, "=?") && len(word) < outFold
}

// outEncode gives the words of an unstructured field whose name takes used
// characters. From the first to the last word that is not plain all become
// encoded-words, so that [#INC-000123] beside them stays readable to filters.
func outEncode(s string, used int) []string {
	words := strings.Split(s, " ")
	first, last := 0, len(words)
	for first < last && outPlain(words[first]) {
		used += len(words[first]) + 1
		first++
	}
	for last > first && outPlain(words[last-1]) {
		last--
	}
	list := append([]string(nil), words[:first]...)
	if first < last {
		list = append(list, outEncodedWords(strings.Join(words[first:last], " "), used)...)
	}
	return append(list, words[last:]...)
}

// outPhrase gives the words of a display name (RFC 5322 §3.2.5): atoms, a
// quoted string, or encoded-words. A quoted string never holds "=?", which
// many clients decode even there, against RFC 2047 §5.
func outPhrase(name string, used int) []string {
	name = strings.Map(func(r rune) rune {
		if r == 0x200e || r == 0x200f { // a name has no use for direction marks
			return -1
		}
		return r
	}, outClean(name))
	name = outCut(strings.Trim(name, " "), 200)
	switch {
	case name == "":
		return nil
	case !outIsASCII(name) || strings.Contains(name, "=?") || len(name) > outFold-8:
		return outEncodedWords(name, used)
	case outOnly(name, &outAtoms):
		return strings.Split(name, " ")
	}
	return []string{`"` + outQuotes.Replace(name) + `"`}
}

var outQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

const outAlphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// outAtext is RFC 5322 §3.2.3; outAtoms are several atoms.
const outAtext = outAlphanumeric + "!#$%&'*+-/=?^_`{|}~"

var outAtoms = charset(outAtext + " ")

// charset is a set of characters, all of them ASCII.
func charset(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// outOnly says whether s holds nothing but characters of the set.
func outOnly(s string, set *[256]bool) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// outCut cuts at a rune.
func outCut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// outEncodedWords encodes s by RFC 2047: words of at most 75 characters, each
// of whole UTF-8 characters (§5: a multi-octet character may not be split),
// in lines of at most 76 (§2), of which the first has used characters taken.
func outEncodedWords(s string, used int) []string {
	const frame = len("=?utf-8?q??=")
	encoding := "q"
	if outEncodedLen(s, "q") > outEncodedLen(s, "b") {
		encoding = "b"
	}
	var words []string
	room := min(max(outFold-used, frame+12), 75) - frame // 12: the longest character in Q
	start := 0
	flush := func(end int) {
		words = append(words, "=?utf-8?"+encoding+"?"+outEncodeChunk(s[start:end], encoding)+"?=")
		start, room = end, 75-frame
	}
	for i, r := range s {
		if i > start && outEncodedLen(s[start:i+utf8.RuneLen(r)], encoding) > room {
			flush(i)
		}
	}
	if start < len(s) {
		flush(len(s))
	}
	return words
}

// outSafeQ is what RFC 2047 §5 (3) allows in a phrase; a blank is "_".
var outSafeQ = charset(outAlphanumeric + "!*+-/ ")

// outEncodedLen is the length of outEncodeChunk's result.
func outEncodedLen(s, encoding string) int {
	if encoding == "b" {
		return base64.StdEncoding.EncodedLen(len(s))
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if n++; !outSafeQ[s[i]] {
			n += 2
		}
	}
	return n
}

func outEncodeChunk(s, encoding string) string {
	if encoding == "b" {
		return base64.StdEncoding.EncodeToString([]byte(s))
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == ' ':
			b.WriteByte('_')
		case outSafeQ[s[i]]:
			b.WriteByte(s[i])
		default:
			fmt.Fprintf(&b, "=%02X", s[i])
		}
	}
	return b.String()
}
