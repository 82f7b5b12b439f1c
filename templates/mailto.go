package templates

import (
	"net/url"
	"strings"

	"guichet/mailflow/ticket"
)

// Mailto is a link that begins a mail with a subject and a text (RFC 6068).
func Mailto(address, subject, text string) string {
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "\n", "%0D%0A").Replace(url.QueryEscape(s))
	}
	return "mailto:" + address + "?subject=" + escape(subject) + "&body=" + escape(text)
}

// Phrase is what a party says with a button or a signed address, in words:
// for the mail that such a link begins, and for the ticket where no other
// words came with it.
func Phrase(lang string, act ticket.EventType) string {
	v := wordsOf(lang)
	if act == ticket.Approve {
		return v.solved
	}
	return v.notSolved
}
