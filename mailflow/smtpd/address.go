package smtpd

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"
)

// maxAddress is a path of 256 octets without its brackets (RFC 5321
// §4.5.3.1.3).
const maxAddress = 254

var (
	badSender    = smtp.EnhancedCode{5, 1, 7} // RFC 3463 §3.2
	badRecipient = smtp.EnhancedCode{5, 1, 3}
)

// mailbox is addr as RFC 5321 §4.1.2 writes it, or the answer that refuses
// it. go-smtp takes NUL and other controls, broken UTF-8, and UTF-8 without
// SMTPUTF8, and it unquotes local parts: "a b"@c comes as a b@c.
func mailbox(addr string, smtputf8 bool, syntax smtp.EnhancedCode) (string, *smtp.SMTPError) {
	refuse := func(text string) (string, *smtp.SMTPError) {
		return "", &smtp.SMTPError{Code: 501, EnhancedCode: syntax, Message: text}
	}
	at := strings.LastIndexByte(addr, '@')
	switch {
	case len(addr) > maxAddress:
		return refuse("Address too long")
	case !utf8.ValidString(addr):
		return refuse("Address is not UTF-8")
	case strings.ContainsFunc(addr, unicode.IsControl):
		return refuse("Control character in address")
	case !smtputf8 && !isASCII(addr):
		return "", replyNeedsUTF8
	case at < 1 || !isDomain(addr[at+1:]):
		return refuse("Bad domain in address")
	}
	return quoteLocal(addr[:at]) + addr[at:], nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isDomain is lenient, as domains with an underscore exist, but lets nothing
// through that could end the address in a header field or a command. An
// address literal stands in square brackets (RFC 5321 §4.1.3).
func isDomain(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && !strings.ContainsAny(inner, `[]\()<>,;"@ `)
	}
	return s != "" && !strings.ContainsAny(s, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~ ")
}

// quoteLocal gives a local part back the quotes that go-smtp took. Its
// parser refuses these characters outside quotes.
func quoteLocal(local string) string {
	if !strings.ContainsAny(local, "\"\\()<>,:;@[] ") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}
