package outbound

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReply bounds a kept reply, in bytes; maxAddress an address, in octets
// (RFC 5321 §4.5.3.1.3: a path of 256 with its brackets).
const (
	maxReply   = 500
	maxAddress = 254
)

// oneLine makes s fit for a row, a log line and a page: valid UTF-8 without
// control, format or separator characters, blanks folded, at most 500 bytes.
func oneLine(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			blank = b.Len() > 0
			continue
		}
		n := utf8.RuneLen(r)
		if blank {
			n++
		}
		if b.Len()+n > maxReply {
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// checkAddress refuses what must not stand between the brackets of MAIL and
// RCPT: go-smtp looks only for CR and LF, so "a@b> SIZE=1" would reach the wire.
// The null path is not an address.
func checkAddress(a string) error {
	switch at := strings.LastIndexByte(a, '@'); {
	case len(a) > maxAddress:
		return fmt.Errorf("address has %d octets, more than %d", len(a), maxAddress)
	case !utf8.ValidString(a):
		return errors.New("address is not valid UTF-8")
	case at < 1 || at == len(a)-1:
		return errors.New("address is not of the form local@domain")
	case strings.ContainsAny(a, "<>"):
		return errors.New("address holds an angle bracket")
	}
	for _, r := range a {
		if unicode.IsSpace(r) || !unicode.IsGraphic(r) {
			return fmt.Errorf("address holds the character %U", r)
		}
	}
	return nil
}

// ascii says whether s holds no octet above 127.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// needsUTF8 says whether the relay must offer SMTPUTF8 (RFC 6531 §3.2).
func (m *Mail) needsUTF8() bool { return m.UTF8 || !ascii(m.From) || !ascii(m.To) }

// check looks for what no relay may be given. The zero Result means that the
// mail may go; otherwise the row fails by our own word, with the enhanced code
// (RFC 3463) that a relay would have used.
func (m *Mail) check() Result {
	if m.From != "" {
		if err := checkAddress(m.From); err != nil {
			return refuse("5.1.7", "envelope sender: "+err.Error())
		}
	}
	if err := checkAddress(m.To); err != nil {
		return refuse("5.1.3", "recipient: "+err.Error())
	}
	if len(m.Header) == 0 {
		return refuse("5.6.0", "the mail has no header")
	}
	for _, part := range [2][]byte{m.Header, m.Body} {
		if loose(part) {
			return refuse("5.6.0", "the mail holds NUL, or CR or LF alone")
		}
	}
	return Result{}
}

// loose says whether b holds a NUL, a CR without LF or an LF without CR
// (RFC 5321 §2.3.8: lines end in CRLF only; anything else can be smuggled).
func loose(b []byte) bool {
	pairs := 0
	for rest := b; ; pairs++ {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return bytes.Count(b, []byte{'\r'}) != pairs || bytes.IndexByte(b, 0) >= 0
		}
		if i == 0 || rest[i-1] != '\r' {
			return true
		}
		rest = rest[i+1:]
	}
}

// refuse is a failure by our own word: no relay was asked.
func refuse(code, why string) Result {
	return Result{State: Failed, Reply: oneLine(code + " guichet: " + why)}
}
