package templates

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"guichet/mailflow/ticket"
)

// replyMarks are what mail programs put before the subject of an answer; the
// number in brackets is some lists' counter. Forwarded mail keeps its own. It
// takes all of them at once: a subject can be of nothing else.
var replyMarks = regexp.MustCompile(`(?i)^(?:(?:re|ré|rép|aw|antw|sv|vs|odp|res|rif)(?:\[\d+\])?[ \x{a0}\x{202f}]*:[ \x{a0}]*)+`)

// numberTag is a number as our subjects carry it, anybody's.
var numberTag = regexp.MustCompile(`\[#[^\[\]\s]{1,40}\]`)

// subjectMost is how much of a person's subject is kept, in characters.
const subjectMost = 200

// CleanSubject is a person's subject in one line, without marks of answers
// and ticket numbers, however often they are repeated.
func CleanSubject(s string) string {
	s = cleanValue(s)
	if strings.Contains(s, "[#") {
		s = numberTag.ReplaceAllString(s, " ")
	}
	s = strings.Join(strings.FieldsFunc(s, isBreak), " ")
	if strings.Contains(s, ":") {
		s = replyMarks.ReplaceAllString(s, "")
	}
	// A blank left at its begin would be taken for the mark's by the next answer.
	s = strings.TrimLeft(s, " \u00a0\u202f")
	if utf8.RuneCountInString(s) > subjectMost {
		r := []rune(s)
		s = strings.TrimRight(string(r[:subjectMost-1]), " ") + "…"
	}
	return s
}

// Subject is the one subject that all mails of a ticket bear, so that mail
// programs keep them together.
func Subject(lang, subject, number string) string {
	return subjectOf(lang, CleanSubject(subject), number)
}

// subjectOf is Subject of a clean one.
func subjectOf(lang, s, number string) string {
	if s == "" {
		s = wordsOf(lang).subject.none
	}
	return tagged("Re: "+s, number)
}

func tagged(s, number string) string {
	if number == "" {
		return s
	}
	return s + " [#" + number + "]"
}

// mailSubject is the subject of one mail. To somebody who has proven nothing
// it is a fixed sentence, since the address may be a victim's.
func mailSubject(d *view) string {
	lang, v := d.lang, wordsOf(d.lang).subject
	switch {
	case d.kind == ticket.AlsoReceived:
		return tagged(fmt.Sprintf(v.alsoReceived, d.Desk.Name), d.Number)
	case d.kind == ticket.Digest:
		return fmt.Sprintf(v.digest, d.Desk.Name, len(d.Items))
	case d.kind == Several:
		return fmt.Sprintf(v.several, d.Desk.Name, d.Count)
	case d.Stranger:
		form := v.stranger
		if d.Theirs && d.Role != "" {
			form = v.strangerOther // it is somebody else's
		}
		return tagged(fmt.Sprintf(form, d.Desk.Name, formatShort(lang, inZone(d.Received, d.Zone))), d.Number)
	}
	return subjectOf(lang, d.Topic(), d.Number)
}
