package templates

import (
	"fmt"
	"strings"
	"sync"
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
//	[[link: Label | https://…]]     or mailto:…, of which the text shows no query
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
	{"~ ", small}, {"% ", preheader}, {"-- ", signature}, {"[[button: ", button}, {"[[link: ", link},
}

// begins are the first characters of the prefixes.
const begins = "#-|>:~%["

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
	var buf [256]byte
	return string(l.appendTo(buf[:0]))
}

// appendTo appends the line's text, its breaks one blank each.
func (l line) appendTo(b []byte) []byte {
	begin, blank := len(b), false
	for _, s := range l {
		for t := s.text; t != ""; {
			if isBreak(rune(t[0])) {
				blank, t = true, t[1:]
				continue
			}
			if n := override(t); n > 0 {
				t = t[n:]
				continue
			}
			n := 1
			for n < len(t) && !isBreak(rune(t[n])) && t[n] != 0xe2 && t[n] != 0xd8 {
				n++
			}
			if blank && len(b) > begin {
				b = append(b, ' ')
			}
			b, blank, t = append(b, t[:n]...), false, t[n:]
		}
	}
	return b
}

// noOverrides drops the bidi controls that could turn the rest of our line
// around; words in blocks of their own keep theirs.
func noOverrides(s string) string {
	var kept []byte
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] < 0xd8 {
			continue
		}
		if n := override(s[i:]); n > 0 {
			kept = append(kept, s[done:i]...)
			done = i + n
			i = done - 1
		}
	}
	if done == 0 {
		return s
	}
	return string(append(kept, s[done:]...))
}

// override is the length of the bidi control that s begins with, or 0: U+061C,
// U+202A to 202E and U+2066 to 2069.
func override(s string) int {
	switch {
	case s[0] == 0xd8 && len(s) > 1 && s[1] == 0x9c:
		return 2
	case s[0] == 0xe2 && len(s) > 2 && s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae,
		s[0] == 0xe2 && len(s) > 2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9:
		return 3
	}
	return 0
}

// isBreak is where a line may be broken: a no-break space is none.
func isBreak(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// raw is the text with its line ends.
func (l line) raw() string {
	if len(l) == 1 {
		return l[0].text
	}
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// blank says that there is nothing but blanks.
func (l line) blank() bool {
	for _, s := range l {
		if strings.TrimSpace(s.text) != "" {
			return false
		}
	}
	return true
}

// cutPrefix takes a prefix off that is the template's own; l is of no use then.
func (l line) cutPrefix(prefix string) (line, bool) {
	if len(l) == 0 || l[0].value || !strings.HasPrefix(l[0].text, prefix) {
		return l, false
	}
	if l[0].text = l[0].text[len(prefix):]; l[0].text == "" {
		return l[1:], true
	}
	return l, true
}

// cut parts the line at the first separator that is the template's own.
func (l line) cut(sep string) (before, after line, found bool) {
	for i, s := range l {
		if s.value {
			continue
		}
		if a, b, ok := strings.Cut(s.text, sep); ok {
			before, after = append(l[:i:i], span{a, false}), l[i+1:]
			if b != "" {
				after = append(line{{b, false}}, after...)
			}
			return before, after, true
		}
	}
	return l, nil, false
}

// markup is what a template made, a line at a time. Only the template's own
// line ends end a line: those within a value stay in it.
type markup struct {
	lines  []line // those that are ended
	spans  []span // of all lines
	begin  int    // of the line that is not ended, among spans
	blocks []block
}

var markups = sync.Pool{New: func() any { return &markup{} }}

// leave keeps m for the next mail, unless it has grown large.
func (m *markup) leave() {
	if m.reset(); cap(m.spans) <= 1024 && cap(m.lines) <= 1024 {
		markups.Put(m)
	}
}

// reset makes m empty, and forgets what the mail said.
func (m *markup) reset() {
	clear(m.lines)
	clear(m.spans)
	clear(m.blocks)
	*m = markup{lines: m.lines[:0], spans: m.spans[:0], blocks: m.blocks[:0]}
}

// own adds the template's own words, in lines of which the last goes on.
func (m *markup) own(lines []string) {
	for i, s := range lines {
		if i > 0 {
			m.endLine()
		}
		last := len(m.spans) - 1
		switch {
		case s == "":
		case last >= m.begin && !m.spans[last].value:
			m.spans[last].text += s
		default:
			m.spans = append(m.spans, span{s, false})
		}
	}
}

// value adds what an action printed.
func (m *markup) value(s string) {
	if s != "" {
		m.spans = append(m.spans, span{s, true})
	}
}

func (m *markup) endLine() {
	m.lines = append(m.lines, m.spans[m.begin:len(m.spans):len(m.spans)])
	m.begin = len(m.spans)
}

// split adds what text/template made; see literal for the marks in it.
func (m *markup) split(s string) {
	for s != "" {
		own, rest, found := strings.Cut(s, string(litOpen))
		m.own(strings.Split(own, "\n"))
		if !found {
			return
		}
		value, after, _ := strings.Cut(rest, string(litClose))
		m.value(value)
		s = after
	}
}

// parse makes the blocks of a mail. They hold until m is reset.
func (m *markup) parse() ([]block, error) {
	m.endLine()
	blocks := m.blocks
	open := false // a paragraph goes on
	for _, l := range m.lines {
		if l.blank() {
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
		if b.kind == rule || b.url != "" || !b.body.blank() {
			blocks = append(blocks, b)
		}
	}
	m.blocks = blocks
	return blocks, nil
}

func parseLine(l line) (block, error) {
	if len(l) == 1 && !l[0].value && strings.TrimSpace(l[0].text) == "---" {
		return block{kind: rule}, nil
	}
	if len(l) == 0 || l[0].value || !strings.ContainsRune(begins, rune(l[0].text[0])) {
		return block{kind: paragraph, body: l}, nil
	}
	for _, p := range prefixes {
		rest, found := l.cutPrefix(p.prefix)
		if !found {
			continue
		}
		switch p.kind {
		case button, link:
			return parseAction(p.kind, rest)
		case fact:
			label, value, found := rest.cut(" | ")
			if !found {
				return block{}, fmt.Errorf("no %q in %q", " | ", p.prefix+rest.String())
			}
			return block{kind: fact, label: label.String(), body: value}, nil
		}
		return block{kind: p.kind, body: rest}, nil
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
	if !found || !after.blank() {
		return block{}, fmt.Errorf("no ]] at the end of [[%s", l.String())
	}
	url := strings.TrimSpace(address.raw())
	if url == "" {
		return block{}, nil // a mail without such a page
	}
	if !isWebAddress(url) && !isMailAddress(url) {
		return block{}, fmt.Errorf("%q is no web or mail address", url)
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
	return ok && isPlainAddress(rest)
}

// isMailAddress says whether a link begins a mail (RFC 6068), in the same
// characters.
func isMailAddress(s string) bool {
	rest, ok := strings.CutPrefix(s, "mailto:")
	return ok && !strings.HasPrefix(rest, "?") && isPlainAddress(rest)
}

func isPlainAddress(rest string) bool {
	return rest != "" && !strings.ContainsFunc(rest, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("<>\"'`\\^{|}", r)
	})
}
