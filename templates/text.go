package templates

import (
	"strings"
	"unicode/utf8"
)

// textWidth is where paragraphs are broken, so that a mail quoted twice still
// fits 80 columns.
const textWidth = 76

// renderText makes the plain text part.
func renderText(blocks []block, lang string) string {
	labels := labelWidth(blocks)
	var b strings.Builder
	for i, bl := range blocks {
		s := textBlock(bl, lang, labels)
		if s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(gap(blocks[:i], bl))
		}
		b.WriteString(s)
		b.WriteByte('\n')
	}
	return b.String()
}

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

func textBlock(b block, lang string, labels int) string {
	switch b.kind {
	case preheader:
		return ""
	case rule:
		return "———"
	case item:
		return flow(b.body.String(), "- ", "  ")
	case words:
		return trimLines(b.body.raw())
	case quote:
		return "> " + strings.ReplaceAll(trimLines(b.body.raw()), "\n", "\n> ")
	case fact:
		pad := labels - utf8.RuneCountInString(b.label)
		return flow(b.body.String(), b.label+strings.Repeat(" ", pad), strings.Repeat(" ", labels))
	case signature:
		return "-- \n" + b.body.String()
	case button, link:
		return flow(b.body.String()+wordsOf(lang).colon, "", "") + "\n\n" + b.url
	}
	return flow(b.body.String(), "", "")
}

// trimLines drops empty lines around words, and blanks at the end of lines.
func trimLines(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// flow breaks a paragraph between its words; a word longer than a line, such
// as an address, stays whole.
func flow(s, first, next string) string {
	var b strings.Builder
	b.WriteString(first)
	used := utf8.RuneCountInString(first)
	for i, w := range strings.FieldsFunc(s, isBreak) {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case used+1+n > textWidth:
			b.WriteString("\n" + next)
			used = utf8.RuneCountInString(next)
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(w)
		used += n
	}
	return b.String()
}
