package templates

import (
	"fmt"
	"strings"
)

// The markup of a mail, a line at a time. A line's kind is given by its
// beginning, which must be the template's own and not a value's:
//
//	# Heading
//	- point of a list
//	| human words, lines kept
//	> quoted words, lines kept
//	: Label | value
//	~ small print
//	% preheader: what a list of mails shows; only in the HTML, and only where
//	  it is not the first paragraph
//	-- the desk's name, which ends the mail
//	---
//	[[button: Label | https://…]]
//	[[link: Label | https://…]]
//
// Everything else is a paragraph, up to an empty line.
type blockKind int

const (
	paragraph blockKind = iota
	heading
	item
	words
	quote
	fact
	small
	preheader
	signature
	rule
	button
	link
)

var prefixes = []struct {
	prefix string
	kind   blockKind
}{
	{"# ", heading}, {"- ", item}, {"| ", words}, {"> ", quote}, {": ", fact},
	{"~ ", small}, {"% ", preheader}, {"-- ", signature},
}

// block is a piece of a mail. Facts have a label, buttons and links an
// address besides.
type block struct {
	kind  blockKind
	label string
	body  line
	url   string
}

// span is a run of text; value marks what an action printed.
type span struct {
	text  string
	value bool
}

type line []span

// String is the line's text in one line.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return strings.Join(strings.FieldsFunc(noOverrides(b.String()), isBreak), " ")
}

// noOverrides drops the bidi controls that could turn the rest of our line
// around; words in blocks of their own keep theirs.
func noOverrides(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0x61c || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
}

// isBreak is where a line may be broken: a no-break space is none.
func isBreak(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// raw is the text with its line ends.
func (l line) raw() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// cutPrefix takes a prefix off that is the template's own.
func (l line) cutPrefix(prefix string) (line, bool) {
	if len(l) == 0 || l[0].value || !strings.HasPrefix(l[0].text, prefix) {
		return l, false
	}
	return append(line{{l[0].text[len(prefix):], false}}, l[1:]...), true
}

// cut parts the line at the first separator that is the template's own.
func (l line) cut(sep string) (before, after line, found bool) {
	for i, s := range l {
		if s.value {
			continue
		}
		if a, b, ok := strings.Cut(s.text, sep); ok {
			before = append(append(before, l[:i]...), span{a, false})
			return before, append(line{{b, false}}, l[i+1:]...), true
		}
	}
	return l, nil, false
}

// splitLines reads what a template made. Only the template's own line ends
// end a line: those within a value stay in it.
func splitLines(s string) []line {
	lines := []line{nil}
	add := func(text string, value bool) {
		if text != "" {
			last := len(lines) - 1
			lines[last] = append(lines[last], span{text, value})
		}
	}
	for s != "" {
		own, rest, found := strings.Cut(s, string(litOpen))
		for i, t := range strings.Split(own, "\n") {
			if i > 0 {
				lines = append(lines, nil)
			}
			add(t, false)
		}
		if !found {
			break
		}
		value, after, _ := strings.Cut(rest, string(litClose))
		add(value, true)
		s = after
	}
	return lines
}

// parseMarkup makes the blocks of a mail.
func parseMarkup(s string) ([]block, error) {
	var blocks []block
	open := false // a paragraph goes on
	for _, l := range splitLines(s) {
		if strings.TrimSpace(l.raw()) == "" {
			open = false
			continue
		}
		b, err := parseLine(l)
		if err != nil {
			return nil, err
		}
		if b.kind == paragraph && open {
			p := &blocks[len(blocks)-1]
			p.body = append(append(p.body, span{" ", false}), b.body...)
			continue
		}
		open = b.kind == paragraph
		if b.kind == rule || b.url != "" || strings.TrimSpace(b.body.raw()) != "" {
			blocks = append(blocks, b)
		}
	}
	return blocks, nil
}

func parseLine(l line) (block, error) {
	if len(l) == 1 && !l[0].value && strings.TrimSpace(l[0].text) == "---" {
		return block{kind: rule}, nil
	}
	for _, p := range prefixes {
		rest, found := l.cutPrefix(p.prefix)
		if !found {
			continue
		}
		if p.kind != fact {
			return block{kind: p.kind, body: rest}, nil
		}
		label, value, found := rest.cut(" | ")
		if !found {
			return block{}, fmt.Errorf("no %q in %q", " | ", l.String())
		}
		return block{kind: fact, label: label.String(), body: value}, nil
	}
	for prefix, kind := range map[string]blockKind{"[[button: ": button, "[[link: ": link} {
		if rest, found := l.cutPrefix(prefix); found {
			return parseAction(kind, rest)
		}
	}
	return block{kind: paragraph, body: l}, nil
}

// parseAction reads "Label | address]]".
func parseAction(kind blockKind, l line) (block, error) {
	label, rest, found := l.cut(" | ")
	if !found {
		return block{}, fmt.Errorf("no address in [[%s", l.String())
	}
	address, after, found := rest.cut("]]")
	if !found || strings.TrimSpace(after.raw()) != "" {
		return block{}, fmt.Errorf("no ]] at the end of [[%s", l.String())
	}
	url := strings.TrimSpace(address.raw())
	if url == "" {
		return block{}, nil // a mail without such a page
	}
	if !isWebAddress(url) {
		return block{}, fmt.Errorf("%q is no web address", url)
	}
	return block{kind: kind, body: label, url: url}, nil
}

// isWebAddress says whether a link may go there: over HTTP, and in characters
// that neither HTML nor a text's line can break.
func isWebAddress(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	return ok && rest != "" && !strings.ContainsFunc(rest, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("<>\"'`\\^{|}", r)
	})
}
