package rfc822

import (
	"regexp"
	"strings"

	// Without it go-message decodes names in UTF-8 and Latin-1 only.
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
)

// maxStrict bounds what go-message is given, in bytes: net/mail beneath it
// has been quadratic more than once (GO-2026-4977, GO-2026-4986).
const maxStrict = 2000

// plainAddress is an address that needs no quotes and no decoding.
var plainAddress = regexp.MustCompile("^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+$")

// strictAddresses reads a field as go-message does, by RFC 5322 §3.4. It
// refuses many real mails; what it refuses, and addresses that are not plain,
// is left to our own reading, which agrees with it on all that both read.
func strictAddresses(s string) ([]Address, bool) {
	if len(s) > maxStrict || strings.ContainsAny(s, ":;()") {
		return nil, false // groups and comments: ours keeps what they say
	}
	found, err := mail.ParseAddressList(s)
	if err != nil {
		return nil, false
	}
	list := make([]Address, 0, len(found))
	for _, a := range found {
		if !plainAddress.MatchString(a.Address) || len(a.Address) > maxAddress || strings.Contains(a.Name, "=?") {
			return nil, false
		}
		list = append(list, Address{Name: shownName(a.Name, a.Address), Address: a.Address})
	}
	return list, true
}
