package rfc822

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// outlookRule is the line that Outlook draws above the mail it quotes.
const outlookRule = "________________________________"

// maxQuoteDepth bounds the prefix of a line, and so the output of a mail that
// nests a thousand quotes.
const maxQuoteDepth = 20

func itoa(n int) string { return strconv.Itoa(n) }

// htmlLines collects text as HTML lays it out: white space folds into one
// blank, breaks fold into at most one empty line. Blanks and breaks are
// written only once more text follows, so that none is left at the end.
type htmlLines struct {
	b     strings.Builder
	level int // quote depth of what comes next
	full  bool

	line   bool // the current line has text
	last   int  // quote depth of the last line with text
	breaks int  // due line ends
	blank  bool // a blank is due
	fixed  int  // due no-break spaces
}

// brk ends the line if n is 1 and leaves an empty line if it is 2.
func (o *htmlLines) brk(n int) {
	if n == 0 {
		return
	}
	o.breaks = max(o.breaks, n)
	o.blank, o.fixed = false, 0
}

// newline is a <br>: two of them make an empty line, more make no more.
func (o *htmlLines) newline() {
	o.breaks = min(o.breaks+1, 2)
	o.blank, o.fixed = false, 0
}

func (o *htmlLines) space() { o.blank = true }

// text adds s; with pre set its line ends and blanks stay as they are.
func (o *htmlLines) text(s string, pre bool) {
	for len(s) > 0 && !o.full {
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case ' ', '\t', '\f':
			if pre {
				o.fixed++
			} else {
				o.blank = true
			}
		case '\n', '\r':
			if pre && r == '\n' {
				o.newline()
			} else {
				o.blank = true
			}
		case '\u00a0', '\u202f', '\u2007':
			o.fixed++
		case '\u200b', '\ufeff', '\u00ad', '\u034f', 0:
			// of no width: fillers of preheaders, places to break a word
		default:
			n = wordEnd(s)
			o.word(s[:n])
		}
		s = s[n:]
	}
}

// wordEnd is the length of the run of s that holds nothing text looks at.
func wordEnd(s string) int {
	for i, r := range s {
		switch r {
		case ' ', '\t', '\f', '\n', '\r', '\u00a0', '\u202f', '\u2007',
			'\u200b', '\ufeff', '\u00ad', '\u034f', 0:
			return i
		}
	}
	return len(s)
}

func (o *htmlLines) word(w string) {
	o.lineEnds()
	switch {
	case o.fixed > 0:
		o.b.WriteString(strings.Repeat(" ", min(o.fixed, 40)))
	case o.blank && o.line:
		o.b.WriteByte(' ')
	}
	o.blank, o.fixed, o.line = false, 0, true
	if room := maxHTMLText - o.b.Len(); len(w) >= room {
		w, o.full = strings.ToValidUTF8(w[:max(0, room)], ""), true
	}
	o.b.WriteString(w)
}

// lineEnds writes the line ends that are due and the next line's prefix.
func (o *htmlLines) lineEnds() {
	if o.b.Len() == 0 {
		o.breaks = 0
		o.prefix(o.level)
		return
	}
	if o.breaks == 0 {
		return
	}
	for range o.breaks - 1 {
		o.b.WriteByte('\n')
		if n := min(o.level, o.last); n > 0 {
			o.b.WriteString(strings.Repeat(">", min(n, maxQuoteDepth)))
		}
	}
	o.b.WriteByte('\n')
	o.prefix(o.level)
	o.breaks, o.line = 0, false
}

func (o *htmlLines) prefix(n int) {
	o.last = n
	if n > 0 {
		o.b.WriteString(strings.Repeat(">", min(n, maxQuoteDepth)))
		o.b.WriteByte(' ')
	}
}

func (o *htmlLines) finish() string {
	if o.b.Len() == 0 {
		return ""
	}
	return o.b.String() + "\n"
}
