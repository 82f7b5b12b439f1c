package templates

import (
	"fmt"
	"regexp"
	"strings"

	"guichet/mailflow/ticket"
)

// replyMarks are what mail programs put before the subject of an answer; the
// number in brackets is some lists' counter. Forwarded mail keeps its own.
var replyMarks = regexp.MustCompile(`(?i)^(re|ré|rép|aw|antw|sv|vs|odp|res|rif)(\[\d+\])?[ \x{a0}\x{202f}]*:[ \x{a0}]*`)

// numberTag is a number as our subjects carry it, anybody's.
var numberTag = regexp.MustCompile(`\[#[^\[\]\s]{1,40}\]`)

// subjectMost is how much of a person's subject is kept, in characters.
const subjectMost = 200

// CleanSubject is a person's subject in one line, without marks of answers
// and ticket numbers, however often they are repeated.
func CleanSubject(s string) string {
	s = numberTag.ReplaceAllString(cleanValue(s), " ")
	s = strings.Join(strings.FieldsFunc(s, isBreak), " ")
	for {
		short := replyMarks.ReplaceAllString(s, "")
		if short == s {
			break
		}
		s = short
	}
	if r := []rune(s); len(r) > subjectMost {
		s = strings.TrimRight(string(r[:subjectMost-1]), " ") + "…"
	}
	return s
}

// Subject is the one subject that all mails of a ticket bear, so that mail
// programs keep them together.
func Subject(lang, subject, number string) string {
	s := CleanSubject(subject)
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
func mailSubject(kind ticket.Kind, lang string, d *Mail) string {
	v := wordsOf(lang).subject
	switch {
	case kind == ticket.AlsoReceived:
		return tagged(fmt.Sprintf(v.alsoReceived, d.Desk.Name), d.Number)
	case d.Stranger:
		return tagged(fmt.Sprintf(v.stranger, d.Desk.Name, formatShort(lang, inZone(d.Received, d.Zone))), d.Number)
	}
	return Subject(lang, d.Subject, d.Number)
}
