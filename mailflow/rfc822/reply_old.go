package rfc822

import (
	"regexp"
	"strings"
)

// Introductions of programs that write none of the usual forms.

// groupWise is how Novell's GroupWise begins a quote that it does not mark:
// ">>> Alice <alice@example.com> 03.03.2026 14:05 >>>".
var groupWise = regexp.MustCompile(`^>>> .*\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4} \d{1,2}[:.]\d\d.* >>>$`)

func isGroupWise(line string) bool {
	return strings.HasPrefix(line, ">>> ") && strings.HasSuffix(line, " >>>") && len(line) < maxAttributionBytes && groupWise.MatchString(line)
}

// quotedHeader tells over how many lines from i a copied header goes that is
// marked with ">", while the text below it is not: webmails of Orange and
// Seznam write that. Nobody quotes a header alone to answer it.
func quotedHeader(lines []replyLine, i int) int {
	if i > 0 && lines[i-1].quoted {
		return 0
	}
	end := i
	for end < len(lines) && end-i <= maxHeaderBlock && lines[end].quoted {
		end++
	}
	if end-i < 3 || end-i > maxHeaderBlock {
		return 0
	}
	inner := make([]replyLine, 0, end-i)
	for _, l := range lines[i:end] {
		t := unquote(l.trim)
		if t == "" && len(inner) == 0 {
			continue
		}
		inner = append(inner, replyLine{raw: t, trim: t})
	}
	skip := 0
	if len(inner) > 0 && headerBlock(inner, 0) == 0 {
		skip = 1 // "Message du 03/03/26 14:05"
	}
	if len(inner) < 3 || headerBlock(inner, skip) == 0 {
		return 0
	}
	for _, l := range inner[skip+headerBlock(inner, skip):] {
		if l.trim != "" && !strings.HasSuffix(l.trim, ":") {
			return 0
		}
	}
	return end - i
}

var (
	// "Alice Martin ---03/03/2026 14:05:12---Hello Bob": Lotus Notes repeats
	// the first words of the mail.
	lotusLine = regexp.MustCompile(`^\S.{0,120}?-{2,3} ?\d{1,4}[./-]\d{1,2}[./-]\d{1,4} \d{1,2}[:.]\d\d(?:[:.]\d\d)?(?: [AP]M)? ?-{3}`)
	// The lines under a name: "03/03/2026 14:05".
	lotusDate = regexp.MustCompile(`^(?:Sent by: .*)?\d{1,4}[./-]\d{1,2}[./-]\d{1,4} \d{1,2}[:.]\d\d(?:[:.]\d\d)?(?: [AP]M)?$`)
)

// lotusIntroduction tells over how many lines from i an introduction of Lotus
// Notes goes: its one line, or a name and a date above labels that stand alone,
// each with its value on the next lines.
func lotusIntroduction(lines []replyLine, i int) int {
	t := lines[i].trim
	if strings.IndexByte(t, '-') >= 0 && len(t) < maxAttributionBytes && strings.Contains(t, "---") && lotusLine.MatchString(t) {
		return 1
	}
	if i+4 >= len(lines) || len(t) > 200 || lines[i+1].trim == "" || lines[i+1].trim[0] != 'S' && !isDigit(lines[i+1].trim[0]) {
		return 0
	}
	at := i + 1
	if strings.HasPrefix(lines[at].trim, "Sent by:") {
		at++
	}
	if d := lines[at].trim; d == "" || d[0] < '0' || d[0] > '9' || !lotusDate.MatchString(d) {
		return 0
	}
	to := false
	for j := at + 1; j < len(lines) && j < at+maxHeaderBlock; j++ {
		switch kind := headerLabels[strings.ToLower(lines[j].trim)]; {
		case kind == labelTo:
			to = true
		case kind == labelSubject && to:
			for j++; j < len(lines) && j < at+maxHeaderBlock && lines[j].trim == ""; j++ {
			}
			return min(j+1, len(lines)) - i
		}
	}
	return 0
}
