package rfc822

import "strings"

// ReplyText is what the writer of a mail wrote anew: text without the mails it
// quotes, the lines that introduce them and the signature.
//
// Where it is unsure it keeps. Quoted lines go, the lines between them stay,
// so that answers written into the quote survive. What follows an
// introduction without ">" goes to the end, but only if something new stands
// above it: a bare forward is shown whole. Time is linear in text: a line is
// looked at a bounded number of times.
func ReplyText(text string) string {
	lines := splitReply(text)
	s := replyScanner{lines: lines, keep: make([]string, 0, len(lines))}
	s.scan()
	out := trimLines(s.keep)
	if out == "" && (!s.quotedMail || !s.outer) {
		// Only ">" lines, and nothing says that all of them are a mail.
		return trimLines(strings.Split(text, "\n"))
	}
	return out
}

// replyLine is one line and what can be said of it alone.
type replyLine struct {
	raw    string
	trim   string // without outer blanks, no-break spaces as blanks
	quoted bool   // begins with ">"
	cut    bool   // is "-- ", RFC 3676 §4.3: a signature follows
	verb   verb   // has a word such as "wrote"; see hasVerb
}

// verb is what is known of a line's words. Few lines are asked for theirs.
type verb uint8

const (
	verbUnknown verb = iota
	verbThere
	verbMissing
)

// hasVerb tells whether the line has a word such as "wrote".
func (l *replyLine) hasVerb() bool {
	if l.verb == verbUnknown {
		l.verb = verbMissing
		if hasQuoteVerb(l.trim) {
			l.verb = verbThere
		}
	}
	return l.verb == verbThere
}

func splitReply(text string) []replyLine {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := make([]replyLine, 0, strings.Count(text, "\n")+1)
	for r := range strings.SplitSeq(text, "\n") {
		t := strings.TrimSpace(plainBlanks(r))
		lines = append(lines, replyLine{
			raw:    trimRight(r, " \t\r"),
			trim:   t,
			quoted: strings.HasPrefix(t, ">"),
			cut:    r == "-- " || r == "-- \r",
		})
	}
	return lines
}

// plainBlanks makes blanks of no-break spaces and drops what has no width.
func plainBlanks(s string) string {
	// All of them begin with one of three bytes.
	if strings.IndexByte(s, 0xc2) < 0 && strings.IndexByte(s, 0xe2) < 0 && strings.IndexByte(s, 0xef) < 0 {
		return s
	}
	return blanks.Replace(s)
}

var blanks = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\ufeff", "", "\u200b", "", "\u200e", "", "\u200f", "",
	"\u202a", "", "\u202b", "", "\u202c", "", "\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "")

// replyScanner walks down the lines once and keeps those that are new.
type replyScanner struct {
	lines []replyLine
	keep  []string
	text  bool // something other than blank lines was kept

	// pending are quoted lines that nothing introduced. They stay if the
	// writer goes on below: quoted on purpose, to be answered.
	pending []string

	// quotedMail is set once something shows that a mail is quoted: an
	// attribution, a header block, a marker, even inside ">" lines.
	quotedMail bool
	// outer: that stands outside the ">" lines, or is the first of them.
	outer bool

	legal    bool // a legal notice was cut
	initials int  // how often quotes by initials were looked for
}

func (s *replyScanner) scan() {
	for i := 0; i < len(s.lines); {
		next := s.step(i)
		if next <= i {
			next = i + 1
		}
		i = next
	}
}

// step handles what begins at line i and returns the line to go on with.
func (s *replyScanner) step(i int) int {
	l := s.lines[i]
	switch {
	case l.trim == "", l.trim == "ᐧ": // the mark of a program that counts readers
		if len(s.pending) > 0 {
			s.pending = append(s.pending, "")
		} else {
			s.keep = append(s.keep, "")
		}
		return i + 1
	case l.quoted:
		if isGroupWise(l.trim) {
			return s.attributed(i, i+1)
		}
		if n := quotedHeader(s.lines, i); n > 0 {
			return s.introduced(i, false)
		}
		return s.quote(i)
	}
	if head, n := sharedLine(s.lines, i); n > 0 {
		// "reply--- On Wed, me@domain.example wrote:" on one line
		s.add(head)
		return s.attributed(i, i+n)
	}
	if n := max(attribution(s.lines, i), lotusIntroduction(s.lines, i)); n > 0 {
		return s.attributed(i, i+n)
	}
	if original, forward := quoteMarker(l.trim); original || forward {
		return s.marker(i, forward)
	}
	if headerBlock(s.lines, i) > 0 {
		if q := belowHeader(s.lines, i); q > 0 && s.text {
			s.quotedMail, s.outer = true, true
			return q
		}
		return s.introduced(i, true)
	}
	if isRule(l.trim) && s.introducesAfterRule(i) {
		return i + 1
	}
	if n := s.signature(i); n > 0 {
		return n
	}
	if n := legalNotice(s.lines, i); n > 0 {
		s.legal = true
		return n
	}
	if s.legal && legalTail(s.lines, i) {
		return len(s.lines)
	}
	s.add(l.raw)
	return i + 1
}

func (s *replyScanner) add(line string) {
	switch {
	case len(s.pending) > 0 && !s.quotedMail:
		s.keep = append(s.keep, s.pending...)
	case len(s.pending) > 0 && len(s.keep) > 0 && s.keep[len(s.keep)-1] != "":
		s.keep = append(s.keep, "")
	}
	s.pending = nil
	s.keep = append(s.keep, line)
	s.text = true
}

// attributed handles an attribution line, or lines, from i to end.
func (s *replyScanner) attributed(i, end int) int {
	s.quotedMail, s.outer = true, true
	next := nextText(s.lines, end)
	s.markInitials(next)
	if next < len(s.lines) && s.lines[next].quoted {
		return next
	}
	if next < len(s.lines) && headerBlock(s.lines, next) > 0 { // Notes: both
		if q := belowHeader(s.lines, next); q > 0 {
			return q
		}
	}
	if !s.text {
		// Nothing above it and no ">" below: an answer below its quote, or
		// a quote that lost its marks. Keep the words.
		return end
	}
	return len(s.lines)
}

// marker handles "-----Original Message-----" and its kin.
func (s *replyScanner) marker(i int, forward bool) int {
	s.quotedMail, s.outer = true, true
	next := nextText(s.lines, i+1)
	if next < len(s.lines) && s.lines[next].quoted {
		return next
	}
	if q := belowHeader(s.lines, next); q > 0 && (s.text || !forward) {
		return q
	}
	return s.introduced(i, forward)
}

// belowHeader returns the first ">" line below the copied header that begins
// at line i, or 0: such a quote is marked, and what is not is new.
func belowHeader(lines []replyLine, i int) int {
	end := i
	for end < len(lines) && end < i+maxHeaderBlock && lines[end].trim != "" && !lines[end].quoted {
		end++
	}
	if end = nextText(lines[:min(len(lines), end+4)], end); end < len(lines) && lines[end].quoted {
		return end
	}
	return 0
}

// introduced handles the beginning of a quote that goes to the end of the
// mail. With whole set, a mail that begins with it is a bare forward.
func (s *replyScanner) introduced(i int, whole bool) int {
	s.quotedMail, s.outer = true, true
	if !s.text && whole {
		for _, l := range s.lines[i:] {
			s.add(l.raw)
		}
	}
	return len(s.lines)
}

// introducesAfterRule tells whether the rule at line i belongs to the quote
// that begins within the next lines, as Outlook's does.
func (s *replyScanner) introducesAfterRule(i int) bool {
	j := nextText(s.lines, i+1)
	return j <= i+3 && j < len(s.lines) && s.introduces(j)
}

// introduces tells whether a quoted mail begins at line i.
func (s *replyScanner) introduces(i int) bool {
	l := s.lines[i]
	if l.quoted || attribution(s.lines, i) > 0 || headerBlock(s.lines, i) > 0 {
		return true
	}
	original, forward := quoteMarker(l.trim)
	return original || forward
}

// quote sets the run of quoted lines at i aside. A line that a mail program
// wrapped without repeating the ">" belongs to the run.
func (s *replyScanner) quote(i int) int {
	for i < len(s.lines) {
		l := s.lines[i]
		if !l.quoted && !wrappedQuote(s.lines, i) {
			return i
		}
		if !s.quotedMail && innerIntroduction(l) {
			s.quotedMail, s.outer = true, len(s.pending) == 0 && !s.text
		}
		s.pending = append(s.pending, l.raw)
		i++
	}
	return i
}

// innerIntroduction tells whether a quoted line shows that a mail is quoted.
func innerIntroduction(l replyLine) bool {
	inner := trimLeft(l.trim, "> ")
	if original, forward := quoteMarker(inner); original || forward {
		return true
	}
	if !attributionStart(inner) {
		return false
	}
	l.hasVerb()
	one := []replyLine{{raw: inner, trim: inner, verb: l.verb}}
	return attribution(one, 0) > 0
}

// wrappedQuote tells whether line i is the tail of the quoted line before it:
// it stands between two quoted lines, and the one before is as long as a
// wrapped line or ends inside a URL.
func wrappedQuote(lines []replyLine, i int) bool {
	if i == 0 || i+1 >= len(lines) || lines[i].trim == "" {
		return false
	}
	before, after := lines[i-1], lines[i+1]
	if !before.quoted || !after.quoted {
		return false
	}
	last := before.trim[strings.LastIndexByte(before.trim, ' ')+1:]
	if strings.Contains(last, "://") || isURL(lines[i].trim) {
		return true
	}
	return len(before.trim) >= 60 && len(lines[i].trim) < 60 && !strings.ContainsAny(last[len(last)-1:], ".?!:")
}

// isURL tells whether a line is one link and brackets around it.
func isURL(line string) bool {
	t := strings.Trim(line, "()<>[] ")
	return (strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "https://")) && !strings.Contains(t, " ")
}

// maxInitials is how often a mail may change the way it quotes.
const maxInitials = 4

// markInitials marks the lines that quote by a person's initials ("AM> words")
// or by a bar, if line i, below an introduction, begins so. Without one they
// are a prompt, or a table.
func (s *replyScanner) markInitials(i int) {
	if i >= len(s.lines) || s.lines[i].quoted || s.initials == maxInitials {
		return
	}
	t := s.lines[i].trim
	n := strings.IndexAny(t, ">|")
	if n < 0 || n > 4 || t[n] == '|' && n > 0 || strings.ToUpper(t[:n]) != t[:n] || strings.ContainsAny(t[:n], " <") {
		return
	}
	s.initials++
	for j := i; j < len(s.lines); j++ {
		s.lines[j].quoted = s.lines[j].quoted || strings.HasPrefix(s.lines[j].trim, t[:n+1])
	}
}

// nextText is the first line from i on that is not blank.
func nextText(lines []replyLine, i int) int {
	for i < len(lines) && lines[i].trim == "" {
		i++
	}
	return i
}

// trimLines joins lines without the blank ones at both ends, and with at most
// two in a row. The first line keeps its indent.
func trimLines(lines []string) string {
	size := 0
	for _, l := range lines {
		size += len(l) + 1
	}
	var out strings.Builder
	out.Grow(size)
	blank := 0
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			blank++
			continue
		}
		if out.Len() > 0 {
			out.WriteString("\n\n\n"[:1+min(blank, 2)])
		}
		blank = 0
		out.WriteString(l)
	}
	return out.String()
}
