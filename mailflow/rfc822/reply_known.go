package rfc822

import (
	"hash/maphash"
	"strings"
	"unicode"
)

// CutAtMarker returns the text above the line that holds marker, such as
// "please answer above this line", and whether there was one. The line may be
// quoted, and may have been wrapped once. The introduction of the quote right
// above it ("On …, Alice wrote:") goes with it.
func CutAtMarker(text, marker string) (above string, found bool) {
	marker = squash(marker)
	if marker == "" {
		return text, false
	}
	lines := splitReply(text)
	for i := range lines {
		one := squash(unquote(lines[i].trim))
		if !strings.Contains(one, marker) {
			if i+1 == len(lines) || len(one) > len(marker)+200 {
				continue
			}
			next := squash(unquote(lines[i+1].trim))
			if !strings.Contains(one+" "+next, marker) || strings.Contains(next, marker) {
				continue
			}
		}
		return withoutIntroduction(lines[:i]), true
	}
	return text, false
}

// squash folds white space to single blanks.
func squash(s string) string { return strings.Join(strings.Fields(plainBlanks(s)), " ") }

// unquote drops the ">" before a line.
func unquote(line string) string { return strings.TrimLeft(line, "> \t") }

// introductionLines is how far above the marker an introduction begins: an
// attribution or header block, wrapped, and blank or quoted lines.
const introductionLines = 24

// withoutIntroduction joins lines without the introduction of a quote that
// goes to their end.
func withoutIntroduction(lines []replyLine) string {
	end := len(lines)
	for i := max(0, len(lines)-introductionLines); i < len(lines); i++ {
		if lines[i].quoted || lines[i].trim == "" {
			continue
		}
		n := max(attribution(lines, i), headerBlock(lines, i))
		if original, forward := quoteMarker(lines[i].trim); original || forward || isRule(lines[i].trim) {
			n = max(n, 1)
		}
		if n > 0 && nothingNew(lines[i+n:]) {
			end = i
			break
		}
	}
	for end > 0 && (lines[end-1].trim == "" || lines[end-1].quoted && nothingNew(lines[end-1:])) {
		end--
	}
	out := make([]string, 0, end)
	for _, l := range lines[:end] {
		out = append(out, l.raw)
	}
	return trimLines(out)
}

// nothingNew tells whether lines hold nothing but quotes and what introduces
// them.
func nothingNew(lines []replyLine) bool {
	for i := 0; i < len(lines); {
		n := 0
		switch original, forward := quoteMarker(lines[i].trim); {
		case lines[i].trim == "", lines[i].quoted, original, forward, isRule(lines[i].trim):
			n = 1
		default:
			n = max(attribution(lines, i), headerBlock(lines, i))
		}
		if n == 0 {
			return false
		}
		i += n
	}
	return true
}

// knownRun is how many words in a row must be the same to be taken for the
// same text.
const knownRun = 4

// WithoutKnown removes from text what also stands in known, quoted or not and
// however its lines are wrapped: a line goes if each of its words belongs to a
// run of four that stands in known too. So a greeting that both texts share
// stays where new words follow it, and goes within the known text. Known text
// of fewer words is removed where it is a whole line, a line without words
// where it follows words that were removed: an emoji alone may be all that
// somebody answers. Time and memory are linear in both.
func WithoutKnown(text, known string) string {
	runs, lines := knownRuns(known)
	words, spans := flatten(text)
	covered := make([]bool, len(words))
	var h runHash
	for i := range words {
		if i+knownRun <= len(words) && runs[h.of(words[i:i+knownRun])] {
			for j := i; j < i+knownRun; j++ {
				covered[j] = true
			}
		}
	}
	var out []string
	// Blank lines within and around removed text go as well; behind is whether
	// words were removed last.
	removed, behind := true, false
	for _, s := range spans {
		line := strings.Join(words[s.from:s.to], " ")
		switch {
		case s.from == s.to && behind && lines[marksOf(s.raw)]:
			continue
		case s.from == s.to && marksOf(s.raw) == "":
			if !removed {
				out = append(out, s.raw)
			}
			continue
		case s.from == s.to:
			out, removed, behind = append(out, s.raw), false, false
		case allTrue(covered[s.from:s.to]) || lines[line] && len([]rune(line)) > 3:
			removed, behind = true, true
		default:
			out, removed, behind = append(out, s.raw), false, false
		}
	}
	return trimLines(out)
}

// marksOf is what a line without words still says: an emoji, a rule; ">" and
// blanks are nothing.
func marksOf(raw string) string { return strings.Trim(raw, "> \t\r\u00a0") }

func allTrue(b []bool) bool {
	for _, v := range b {
		if !v {
			return false
		}
	}
	return true
}

// lineSpan is a line and its words.
type lineSpan struct {
	raw      string
	from, to int
}

// flatten lists the words of a text, lower-case and without what surrounds
// them, and which of them stand on which line.
func flatten(text string) (words []string, spans []lineSpan) {
	for raw := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		from := len(words)
		for w := range strings.FieldsFuncSeq(strings.ToLower(raw), notWord) {
			words = append(words, w)
		}
		spans = append(spans, lineSpan{raw: raw, from: from, to: len(words)})
	}
	return words, spans
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }

var runSeed = maphash.MakeSeed()

// runHash hashes runs of words. A collision of 64 bits would cost one line in
// a view of a mail that is kept whole.
type runHash struct{ h maphash.Hash }

func (r *runHash) of(words []string) uint64 {
	r.h.SetSeed(runSeed)
	for _, w := range words {
		r.h.WriteString(w)
		r.h.WriteByte(0)
	}
	return r.h.Sum64()
}

// knownRuns are the runs of known, and its lines if it has fewer words than
// one run.
func knownRuns(known string) (runs map[uint64]bool, lines map[string]bool) {
	words, spans := flatten(known)
	runs, lines = make(map[uint64]bool, len(words)), make(map[string]bool)
	var h runHash
	for i := 0; i+knownRun <= len(words); i++ {
		runs[h.of(words[i:i+knownRun])] = true
	}
	for _, s := range spans {
		switch {
		case s.from == s.to && marksOf(s.raw) != "":
			lines[marksOf(s.raw)] = true // a rule, that goes within known text
		case s.from < s.to && len(words) < knownRun:
			lines[strings.Join(words[s.from:s.to], " ")] = true
		}
	}
	return runs, lines
}
