package rfc822

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isControl reports C0 and C1 controls and DEL.
func isControl(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0
}

// isBidi reports the characters that reorder what stands around them: ALM,
// embeddings, overrides and isolates (UAX #9 §2). In a name or a file name
// they serve only to show another one.
func isBidi(r rune) bool {
	return r == 0x061c || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// isInvisible reports characters without width or meaning in a line. Joiners
// (U+200C, U+200D) and variation selectors stay: Persian, Indic scripts and
// emoji need them.
func isInvisible(r rune) bool {
	return r == 0x200b || r == 0xfeff || r >= 0x2060 && r <= 0x2064
}

// The classes of bytes that cleaning looks at. What is of none is printable
// ASCII, as nearly all of a mail is.
const (
	byteControl = 1 << iota // C0 and DEL
	byteTab
	byteLF
	byteHigh // not ASCII
)

var byteClass = func() (class [256]uint8) {
	for c := range class {
		switch {
		case c == '\t':
			class[c] = byteTab
		case c == '\n':
			class[c] = byteLF
		case c < 0x20 || c == 0x7f:
			class[c] = byteControl
		case c >= 0x80:
			class[c] = byteHigh
		}
	}
	return class
}()

// classes returns the classes of all bytes of s together.
func classes(s string) (all uint8) {
	for len(s) >= 8 {
		if !plainEight(s) {
			for i := range 8 {
				all |= byteClass[s[i]]
			}
		}
		s = s[8:]
	}
	for i := range len(s) {
		all |= byteClass[s[i]]
	}
	return all
}

// plainEight says that the first eight bytes of s are printable ASCII, at once.
func plainEight(s string) bool {
	x := eight(s)
	// The highest bit of a byte is set in x from 0x80 on, in x+ones for 0x7f,
	// in x-0x20*ones below 0x20; what is carried only comes from such bytes.
	return (x|(x+ones)|(x-0x20*ones))&(0x80*ones) == 0
}

const ones = 0x0101010101010101

// eight is the first eight bytes of s in one number.
func eight(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// nfc brings valid UTF-8 to NFC, in which all characters below U+0300 are.
func nfc(s string) string {
	for i := 0; i < len(s); i++ {
		switch {
		case i+8 <= len(s) && eight(s[i:])&(0x80*ones) == 0: // ASCII
			i += 7
		case s[i] >= 0xcc: // starts a character from U+0300 on
			return norm.NFC.String(s)
		}
	}
	return s
}

// validUTF8 puts U+FFFD for what is broken.
func validUTF8(s string) string {
	if utf8.ValidString(s) { // much faster than to look for a place to mend
		return s
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// cleanField makes a field value valid UTF-8 in NFC without controls.
func cleanField(s string) string {
	if classes(s)&^byteTab == 0 {
		return s
	}
	return nfc(strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' {
			return -1
		}
		return r
	}, validUTF8(s)))
}

// cleanLine makes one line fit to be shown of a subject or a name: controls
// and bidi controls go, line and paragraph ends and tabs become blanks.
func cleanLine(s string) string {
	if classes(s) == 0 {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == 0x85 || r == 0x2028 || r == 0x2029:
			return ' '
		case isControl(r) || isBidi(r) || isInvisible(r):
			return -1
		}
		return r
	}, validUTF8(s))
	return strings.TrimSpace(nfc(s))
}

// cleanName is cleanLine for display names, from which the direction marks LRM
// and RLM go too.
func cleanName(s string) string {
	s = cleanLine(s)
	if classes(s) == 0 {
		return s
	}
	return strings.TrimSpace(nfc(directionMarks.Replace(s)))
}

var directionMarks = strings.NewReplacer("\u200e", "", "\u200f", "")

// cleanText makes a body valid UTF-8 in NFC with LF line ends. Bidi characters
// stay: bodies are isolated where they are shown, not edited.
func cleanText(s string) string {
	s = foldLineEnds(s)
	seen := classes(s)
	if seen&^(byteTab|byteLF) == 0 {
		return s
	}
	s = validUTF8(s)
	if seen&byteControl != 0 || strings.Contains(s, "\ufeff") || hasC1(s) {
		s = strings.Map(func(r rune) rune {
			if isControl(r) && r != '\t' && r != '\n' || r == 0xfeff {
				return -1
			}
			return r
		}, s)
	}
	return nfc(s)
}

// hasC1 looks for C1 controls, U+0080 to U+009F, in valid UTF-8.
func hasC1(s string) bool {
	for {
		i := strings.IndexByte(s, 0xc2)
		if i < 0 {
			return false
		}
		if s[i+1] < 0xa0 {
			return true
		}
		s = s[i+2:]
	}
}

// foldLineEnds makes LF of CR CR LF, CRLF and CR.
func foldLineEnds(s string) string {
	i := strings.IndexByte(s, '\r')
	if i < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\r') {
		out.WriteString(s[:i])
		out.WriteByte('\n')
		switch rest := s[i+1:]; {
		case strings.HasPrefix(rest, "\n"):
			i++
		case strings.HasPrefix(rest, "\r\n"):
			i += 2
		}
		s = s[i+1:]
	}
	out.WriteString(s)
	return out.String()
}

// maxFilename is the longest file name kept, in bytes: what file systems take.
const maxFilename = 255

// cleanFilename makes a harmless name of the one a mail gives: the last part
// of a path, without controls. A name of dots alone is none.
func cleanFilename(s string) string {
	s = cleanLine(s)
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = strings.TrimSpace(s[i+1:])
	}
	if strings.Trim(s, ".") == "" {
		return ""
	}
	if len(s) <= maxFilename {
		return s
	}
	// The extension says what the file is: cut before it.
	ext := ""
	if i := strings.LastIndexByte(s, '.'); i >= 0 && len(s)-i <= 16 {
		ext = s[i:]
	}
	return strings.TrimSpace(cut(s, maxFilename-len(ext))) + ext
}

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
