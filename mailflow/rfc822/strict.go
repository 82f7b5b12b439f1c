package rfc822

import (
	"strings"

	// Without it go-message decodes names in UTF-8 and Latin-1 only.
	_ "github.com/emersion/go-message/charset"
	"github.com/emersion/go-message/mail"
)

// maxStrict bounds what go-message is given, in bytes: net/mail beneath it
// has been quadratic more than once (GO-2026-4977, GO-2026-4986).
const maxStrict = 2000

// plainAddresses reads a list of what most addresses are: "a@b.c", "Name <a@b.c>"
// or "\"Name, First\" <a@b.c>". There is but one way to read these, and to read
// them so costs a tenth.
func plainAddresses(s string) (list []Address, ok bool) {
	for {
		var name string
		if strings.HasPrefix(s, `"`) {
			if name, s, ok = strings.Cut(s[1:], `"`); !ok || name == "" || !isPlainName(name, " ,.-_'@&/!") {
				return nil, false
			}
			if s = trimLeft(s, " "); !strings.HasPrefix(s, "<") {
				return nil, false
			}
		}
		one, rest, more := strings.Cut(s, ",")
		if before, in, angle := strings.Cut(one, "<"); angle {
			if words := trimRight(before, " "); words != "" {
				name = words
			}
			if one, ok = strings.CutSuffix(in, ">"); !ok || before != "" && !isPlainName(before, " -_'") {
				return nil, false
			}
		}
		local, _, _ := strings.Cut(one, "@")
		if !isPlainAddress(one) || strings.Contains("."+local+".", "..") {
			return nil, false
		}
		list = append(list, Address{Name: shownName(name, one), Address: one})
		if !more {
			return list, true
		}
		s = trimLeft(rest, " ")
	}
}

// isPlainName reports a name of ASCII letters, digits and the marks given.
func isPlainName(s, marks string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte(marks, s[i]) < 0 {
			return false
		}
	}
	return true
}

// isPlainAddress reports an address that needs no quotes and no decoding: of a
// local part of atoms and dots, and a domain of at least two labels.
func isPlainAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxAddress {
		return false
	}
	for i := range len(local) {
		if !isAlphanumeric(local[i]) && strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", local[i]) < 0 {
			return false
		}
	}
	dots, label := 0, 0
	for i := range len(domain) {
		switch c := domain[i]; {
		case isAlphanumeric(c) || c == '-':
			label++
		case c == '.' && label > 0:
			dots, label = dots+1, 0
		default:
			return false
		}
	}
	return dots > 0 && label > 0
}

func isAlphanumeric(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// strictAddresses reads a field as go-message does, by RFC 5322 §3.4. It
// refuses many real mails; what it refuses, and addresses that are not plain,
// is left to our own reading, which agrees with it on all that both read.
func strictAddresses(s string) ([]Address, bool) {
	if len(s) > maxStrict || strings.ContainsAny(s, ":;()") {
		return nil, false // groups and comments: ours keeps what they say
	}
	if list, ok := plainAddresses(s); ok {
		return list, true
	}
	return libraryAddresses(s)
}

func libraryAddresses(s string) ([]Address, bool) {
	found, err := mail.ParseAddressList(s)
	if err != nil {
		return nil, false
	}
	list := make([]Address, 0, len(found))
	for _, a := range found {
		if !isPlainAddress(a.Address) || strings.Contains(a.Name, "=?") {
			return nil, false
		}
		list = append(list, Address{Name: shownName(a.Name, a.Address), Address: a.Address})
	}
	return list, true
}
