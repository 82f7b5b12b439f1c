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

// plain reports whether s is ASCII without controls but those in keep: then
// there is nothing to clean, which is the case of nearly all lines.
func plain(s, keep string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || c < 0x20 && strings.IndexByte(keep, c) < 0 {
			return false
		}
	}
	return true
}

// cleanField makes a field value valid UTF-8 in NFC without controls.
func cleanField(s string) string {
	if plain(s, "\t") {
		return s
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}

// cleanLine makes one line fit to be shown of a subject or a name: controls
// and bidi controls go, line and paragraph ends and tabs become blanks.
func cleanLine(s string) string {
	if plain(s, "") {
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
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.TrimSpace(norm.NFC.String(s))
}

// cleanName is cleanLine for display names, from which the direction marks LRM
// and RLM go too.
func cleanName(s string) string {
	s = cleanLine(s)
	if plain(s, "") {
		return s
	}
	return strings.TrimSpace(norm.NFC.String(strings.NewReplacer("\u200e", "", "\u200f", "").Replace(s)))
}

// cleanText makes a body valid UTF-8 in NFC with LF line ends. Bidi characters
// stay: bodies are isolated where they are shown, not edited.
func cleanText(s string) string {
	if strings.IndexByte(s, '\r') >= 0 {
		s = lineEnds.Replace(s)
	}
	if plain(s, "\t\n") {
		return s
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' && r != '\n' || r == 0xfeff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}

var lineEnds = strings.NewReplacer("\r\r\n", "\n", "\r\n", "\n", "\r", "\n")

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
