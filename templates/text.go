package templates

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// textWidth is where paragraphs are broken, so that a mail quoted twice still
// fits 80 columns.
const textWidth = 76

// renderText makes the plain text part.
func renderText(blocks []block, lang string) string {
	w := textWriter{b: *takeBuffer(), lang: lang, labels: labelWidth(blocks)}
	for i, bl := range blocks {
		before := len(w.b)
		if before > 0 {
			w.put(gap(blocks[:i], bl))
		}
		begin := len(w.b)
		w.block(bl)
		if len(w.b) == begin {
			w.b = w.b[:before]
			continue
		}
		w.put("\n")
	}
	defer leaveBuffer(w.b)
	return string(w.b)
}

// textWriter writes one mail's text.
type textWriter struct {
	b      []byte
	line   []byte // reused
	lang   string
	labels int // the width of the labels of facts
}

func (w *textWriter) put(s string) { w.b = append(w.b, s...) }

// gap is what stands between a block and the one before: lists and facts
// stay together, and so does the line that names the quoted with the quote.
func gap(before []block, bl block) string {
	last := before[len(before)-1]
	if last.kind == preheader && len(before) > 1 {
		last = before[len(before)-2]
	}
	together := last.kind == bl.kind && (bl.kind == item || bl.kind == fact)
	if together || last.kind == small && (bl.kind == quote || bl.kind == fact) {
		return ""
	}
	return "\n"
}

func labelWidth(blocks []block) int {
	n := 0
	for _, b := range blocks {
		if b.kind == fact {
			n = max(n, utf8.RuneCountInString(b.label))
		}
	}
	return n + 2
}

func (w *textWriter) block(b block) {
	switch b.kind {
	case preheader:
	case rule:
		w.put("———")
	case item:
		w.flow(b.body, "", "- ", 2)
	case words:
		w.put(trimLines(b.body.raw()))
	case quote:
		w.put("> ")
		for i, l := range strings.Split(trimLines(b.body.raw()), "\n") {
			if i > 0 {
				w.put("\n> ")
			}
			w.put(l)
		}
	case fact:
		pad := w.labels - utf8.RuneCountInString(b.label)
		w.flow(b.body, "", b.label+strings.Repeat(" ", pad), w.labels)
	case signature:
		w.put("-- \n")
		w.b = b.body.appendTo(w.b)
	case button, link:
		w.flow(b.body, wordsOf(w.lang).colon, "", 0)
		w.put("\n\n")
		w.put(shownAddress(b.url))
	default:
		w.flow(b.body, "", "", 0)
	}
}

// shownAddress is a link as the text shows it. What a mailto says besides the
// address is for programs; people read the address.
func shownAddress(url string) string {
	if isMailAddress(url) {
		url, _, _ = strings.Cut(url, "?")
	}
	return url
}

// trimLines drops empty lines around words, and blanks at the end of lines.
func trimLines(s string) string {
	s = strings.Trim(s, "\n")
	if !strings.Contains(s, " \n") && !strings.Contains(s, "\t\n") {
		return strings.TrimRight(s, " \t\n") // the last line's blanks hid line ends, perhaps
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// flow breaks a paragraph between its words, the first line after first, the
// others after indent blanks; a word longer than a line, such as an address,
// stays whole. end is put behind the last word.
func (w *textWriter) flow(l line, end, first string, indent int) {
	w.put(first)
	used := utf8.RuneCountInString(first)
	w.line = append(l.appendTo(w.line[:0]), end...)
	for i, rest := 0, w.line; len(rest) > 0; i++ {
		word, after, _ := bytes.Cut(rest, []byte{' '})
		n := utf8.RuneCount(word)
		switch {
		case i == 0:
		case used+1+n > textWidth:
			w.b = append(w.b, '\n')
			for range indent {
				w.b = append(w.b, ' ')
			}
			used = indent
		default:
			w.b = append(w.b, ' ')
			used++
		}
		w.b = append(w.b, word...)
		used += n
		rest = after
	}
}
