package rfc822

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAttribution bounds an attribution: lines it is wrapped over, and bytes.
const (
	maxAttributionLines = 6
	maxAttributionBytes = 600
)

// quoteVerbs are the words for "wrote" that programs put into an attribution.
var quoteVerbs = wordSet(`wrote writes sent schrieb schreibt geschrieben écrit ecrit écrivait
	escribió escribio escribe scritto scrive schreef schrijft geschreven escreveu escreve skrev skriver
	skrifaði napisał napisała napisal napsal napsala napísal napísala napisao написал написала
	pisze píše пишет писал писала пише написав написала написа kirjoitti kirjutas írta yazdı yazmış έγραψε
	scris viết rakstīja rašė menulis napisala כתב كتب كتابة napisana napisane quoting zitat citando`)

// quoteVerbsUnspaced are those of languages written without blanks.
var quoteVerbsUnspaced = []string{"写道", "寫道", "写到", "作成", "작성", "のメッセージ", "のメール", "が書き込みました", "書きました", "님이"}

// attributionStarts are first words of an attribution besides dates.
var attributionStarts = wordSet(`on at le am el il op em den dnia w в во на у dne dňa in a på ons
	vào pe la 在 於 於 tér στις στο tarihinde fra de от il`)

// sentenceWords are words that a mail program never writes before the verb,
// but people do ("On 3 May 2024 at 14:30 we wrote:").
var sentenceWords = wordSet(`i we they the our my this that ich wir unser nous j'ai avons`)

// words is a set of lower-case words. starts holds, for each ASCII letter that
// some begin with, a bit for each that follows it.
type words struct {
	set    map[string]bool
	starts [32]uint32
}

func wordSet(s string) *words {
	w := &words{set: make(map[string]bool)}
	for _, word := range strings.Fields(s) {
		w.set[word] = true
		if len(word) > 1 && word[0] < utf8.RuneSelf && word[1] < utf8.RuneSelf {
			w.starts[word[0]&31] |= 1 << (word[1] & 31)
		}
	}
	return w
}

// may is the cheap look, by two letters: for most words it says no.
func (w *words) may(word string) bool {
	return len(word) < 2 || !isLetter(word[0]) || !isLetter(word[1]) || w.starts[word[0]&31]&(1<<(word[1]&31)) != 0
}

// has tells whether word, without what surrounds it, is in the set.
func (w *words) has(word string) bool {
	if !w.may(word) {
		return false
	}
	var low [64]byte
	word = strings.TrimFunc(word, isOuter)
	return len(word) <= len(low) && w.set[string(appendLower(low[:0], word))]
}

// hasQuoteVerb tells whether line has one of the verbs.
func hasQuoteVerb(line string) bool {
	if len(line) > maxAttributionBytes {
		line = line[:maxAttributionBytes]
	}
	for w := range strings.FieldsSeq(line) {
		if isQuoteVerb(w) {
			return true
		}
	}
	if isASCII([]byte(line)) {
		return false
	}
	for _, v := range quoteVerbsUnspaced {
		if strings.Contains(line, v) {
			return true
		}
	}
	return false
}

func isQuoteVerb(word string) bool {
	if len(word) > 40 || !quoteVerbs.may(word) {
		return false
	}
	var low [64]byte
	w := appendLower(low[:0], strings.TrimFunc(word, isOuter))
	w = bytes.TrimSuffix(w, []byte("(a"))
	w = bytes.TrimSuffix(w, []byte("(а")) // Cyrillic
	return quoteVerbs.set[string(w)]
}

func isOuter(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// attribution tells over how many lines from i the introduction of a quote
// goes ("On …, Alice wrote:"), or 0. Long ones come wrapped.
func attribution(lines []replyLine, i int) int {
	if lines[i].quoted || !attributionStart(lines[i].trim) {
		return 0
	}
	size, open := 0, 0 // of the lines so far: bytes, and "<" without ">"
	ends := false      // the last line with text can be the end
	bare := beginsWithDate(trimLeft(lines[i].trim, "-*_ "))
	for n := 1; n <= maxAttributionLines && i+n <= len(lines); n++ {
		if n > 1 && !continuesAttribution(lines, i+n-1, open) {
			return 0
		}
		if l := lines[i+n-1].trim; l != "" {
			if size += len(l) + min(size, 1); size > maxAttributionBytes {
				return 0
			}
			open += strings.Count(l, "<") - strings.Count(l, ">")
			ends = endsAttribution(l)
		}
		if (ends || bare) && attributionOf(lines, i, n) {
			return n
		}
	}
	return 0
}

// attributionOf judges the n lines from i as a whole.
func attributionOf(lines []replyLine, i, n int) bool {
	var joined strings.Builder
	verb := false
	for j := i; j < i+n; j++ {
		l := &lines[j]
		verb = verb || l.hasVerb()
		if joined.Len() > 0 && l.trim != "" {
			joined.WriteByte(' ')
		}
		joined.WriteString(l.trim)
	}
	near := lines[:min(len(lines), i+n+3)]
	next := nextText(near, i+n)
	return isAttribution(joined.String(), verb, next < len(near) && near[next].quoted)
}

// endsAttribution is the cheap look at what may be its last line: a colon or
// the verb stands at the end, behind no more than dashes. A line of dashes
// alone says nothing.
func endsAttribution(line string) bool {
	line = trimRight(line, "-*_ ")
	return line == "" || strings.HasSuffix(line, ":") || strings.HasSuffix(line, "：") || endsWithVerb(line)
}

// continuesAttribution tells whether line i can go on with what was joined so
// far, in which open "<" are not closed: a text line; a ">" that closes an
// address; a blank line before one.
func continuesAttribution(lines []replyLine, i, open int) bool {
	l := &lines[i]
	if l.quoted {
		return open > 0
	}
	if l.trim == "" {
		return i+1 < len(lines) && strings.HasPrefix(lines[i+1].trim, "<")
	}
	return true
}

// attributionStart is the cheap first look at a line.
func attributionStart(line string) bool {
	line = trimLeft(line, "-*_ \t")
	if line == "" || len(line) > maxAttributionBytes {
		return false
	}
	if strings.IndexByte(line, '@') >= 0 || strings.HasPrefix(line, "在") || strings.HasPrefix(line, "於") {
		return true
	}
	if beginsAsDate(line) {
		return true
	}
	return (isFramed(line) || endsWithColon(line)) && hasQuoteVerb(line)
}

func endsWithColon(s string) bool { return strings.HasSuffix(s, ":") || strings.HasSuffix(s, "：") }

// beginsAsDate tells whether one of the first three words is a number, or the
// first one that stands before a date.
func beginsAsDate(line string) bool {
	first, words := 0, 0
	for i := 0; i < len(line); i++ {
		if i > 0 && !isBlank(line[i-1]) {
			continue
		}
		if isBlank(line[i]) {
			continue
		}
		if words++; words > 3 {
			break
		}
		if isDigit(line[i]) {
			return true
		}
		if words == 1 {
			first = i
		}
	}
	word, _ := cutWord(line[first:])
	return attributionStarts.has(word)
}

// isFramed tells whether dashes stand at the end, as in "--- Bob wrote ---".
func isFramed(s string) bool { return strings.HasSuffix(s, "--") }

var (
	// Gmail in languages it has no words for: "2014-03-09 20:48 GMT+01:00 Bob <bob@example.com>:"
	gmailBare = regexp.MustCompile(`^\d{4}[-/.] ?\d{1,2}[-/.] ?\d{1,2}.{0,40}(?:<[^<>]+@[^<>]+>:?$| GMT[+-]\d\d:\d\d )`)
)

// isAttribution judges the joined lines. quoted tells that ">" lines follow,
// which leaves little doubt; without them the form must be complete.
func isAttribution(s string, verb, quoted bool) bool {
	framed := isFramed(s)
	s = strings.Trim(s, "-*_ ")
	if s == "" {
		return false
	}
	if beginsWithDate(s) && gmailBare.MatchString(s) {
		return true
	}
	colon := endsWithColon(s)
	last := verb && endsWithVerb(s)
	if !colon && !last {
		return false // the cheap look first: most lines end here
	}
	mail := hasMailbox(s)
	if !verb {
		if !mail {
			return false
		}
		date, time, _ := dateAndTime(s)
		return date && (quoted || strings.HasSuffix(s, ">:") && time)
	}
	if !colon && !framed && !mail && !quoted {
		return false
	}
	date, time, runs := dateAndTime(s)
	if quoted || framed {
		return date || time || mail || framed || beginsAsDate(s) || strings.HasPrefix(s, "在") || strings.HasPrefix(s, "於") || strings.Contains(s, "さん")
	}
	if mail {
		return date || time || last
	}
	if hasSentenceWord(s) || !date {
		return false
	}
	return time || runs > 1
}

// beginsWithDate is the cheap look before gmailBare.
func beginsWithDate(s string) bool {
	if len(s) < 5 || strings.IndexByte("-/.", s[4]) < 0 {
		return false
	}
	_, err := strconv.ParseUint(s[:4], 10, 16)
	return err == nil
}

// endsWithVerb tells whether the last word is the verb.
func endsWithVerb(s string) bool {
	for strings.HasSuffix(s, ":") || strings.HasSuffix(s, " ") || strings.HasSuffix(s, "：") {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	i := strings.LastIndexByte(s, ' ')
	if isQuoteVerb(s[i+1:]) {
		return true
	}
	if s == "" || s[len(s)-1] < utf8.RuneSelf {
		return false
	}
	for _, v := range quoteVerbsUnspaced {
		if strings.HasSuffix(s, v) {
			return true
		}
	}
	return false
}

func hasSentenceWord(s string) bool {
	for w := range strings.FieldsSeq(s) {
		// Names are capitalised: "The Hiring Engine" may well have written.
		if r, _ := utf8.DecodeRuneInString(w); (unicode.IsLower(r) || w == "I") && sentenceWords.set[strings.ToLower(w)] {
			return true
		}
	}
	return false
}

// sharedLine finds an attribution that begins within line i, after dashes:
// "reply--- On Wed, Apr 4, 2012 at 3:59 PM, me@domain.com wrote:". It returns
// what stands before it, and over how many lines it goes.
func sharedLine(lines []replyLine, i int) (head string, n int) {
	l := &lines[i]
	at := strings.Index(l.trim, "--- ")
	if at <= 0 || !l.hasVerb() {
		return "", 0
	}
	rest := *l
	rest.trim = l.trim[at:]
	tail := append([]replyLine{rest}, lines[i+1:min(len(lines), i+1+maxAttributionLines+3)]...)
	if n = attribution(tail, 0); n == 0 {
		return "", 0
	}
	return strings.TrimRight(l.trim[:at], "- "), n
}
