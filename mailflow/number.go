package mailflow

import (
	"regexp"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
)

const (
	// maxNumber is the longest number of another system, in bytes.
	maxNumber = 64
	// maxOldNumbers is how many old numbers of one subject count.
	maxOldNumbers = 4
	// numberText is how much of a text is searched for a number, in bytes.
	numberText = 64 << 10
)

// System is a partner's ticket system, whose mails carry its own number.
type System struct {
	From   string // an address, or a domain; lower case
	Number *regexp.Regexp
}

// OldNumber is how the system that a desk used before numbered its tickets.
type OldNumber struct {
	System  string // the name under which its numbers are kept
	Pattern *regexp.Regexp
}

// wrote says that an address is the system's.
func (s *System) wrote(address string) bool {
	if address == s.From {
		return true
	}
	_, domain, ok := cutLast(address)
	return ok && domain == s.From
}

// isAddress says that the system has an address of its own, from which no
// person writes.
func (s *System) isAddress() bool { return strings.Contains(s.From, "@") }

// numberOf finds the system's number in a mail: in the subject, the new text,
// or else the whole text; "" if there is none. It is kept under the system's
// domain, so that it is found again after from was made narrower or wider.
func (s *System) numberOf(m *rfc822.Mail) string {
	for _, text := range []string{m.Subject, m.Reply, m.Text} {
		if n := numberFound(s.Number, text); n != "" {
			_, domain, _ := cutLast(s.From)
			if domain == "" {
				domain = s.From
			}
			return "system " + domain + " " + n
		}
	}
	return ""
}

// numberFound is the first number that a pattern finds, in lower case.
func numberFound(pattern *regexp.Regexp, text string) string {
	found := pattern.FindStringSubmatch(head(text, numberText))
	if len(found) != 2 || len(found[1]) > maxNumber {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(found[1]))
}

// oldNumbersIn lists the numbers of former systems in a subject, as they are
// kept.
func (s *Settings) oldNumbersIn(subject string) (all []string) {
	for i := range s.OldNumbers {
		n := numberFound(s.OldNumbers[i].Pattern, subject)
		key := "old " + s.OldNumbers[i].System + " " + n
		if n != "" && !slices.Contains(all, key) && len(all) < maxOldNumbers {
			all = append(all, key)
		}
	}
	return all
}

// numbers finds what other systems call the matter of a mail, and judges
// anew what a partner's system sent.
func (in *incoming) numbers(s *Settings) {
	in.old = s.oldNumbersIn(in.mail.Subject)
	from := in.from()
	for i := range s.Systems {
		if !s.Systems[i].wrote(from) {
			continue
		}
		if in.number = s.Systems[i].numberOf(in.mail); in.number != "" || s.Systems[i].isAddress() {
			in.verdict = fromSystem(in.mail, in.verdict, s.Systems[i].isAddress(), in.number != "")
		}
		if in.number != "" {
			return
		}
	}
}

// fromSystem is the verdict on a mail of a partner's ticket system. None of
// its address is answered automatically. What only bears the marks of a
// machine, and the system's number, is what somebody there wrote or did; what
// says that it is an automatic answer, or has the form of a receipt or a
// report, stays that.
func fromSystem(m *rfc822.Mail, v Verdict, address, numbered bool) Verdict {
	switch {
	case v.Class == ClassPerson && address && v.Answerable:
		return Verdict{Class: ClassPerson, Reason: "a partner's ticket system"}
	case numbered && (v.Class == ClassAutoReply && !answersItself(m) || v.Class == ClassLoop && !m.Header.Has("X-Guichet-Kind")):
		return Verdict{Class: ClassBulk, Reason: "a partner's ticket system, " + v.Reason}
	}
	return v
}

// answersItself says that a mail calls itself an automatic answer, or has the
// form of one.
func answersItself(m *rfc822.Mail) bool {
	c := classifier{m: m, subject: strings.ToLower(m.Subject)}
	if strings.HasPrefix(c.header("Auto-Submitted"), "auto-replied") || strings.HasPrefix(c.contentType(), "multipart/report") {
		return true
	}
	for _, check := range []func() (Class, string){c.autoReplyHeader, c.receipt, c.awayWords, c.challenge} {
		if class, _ := check(); class != "" {
			return true
		}
	}
	return false
}
