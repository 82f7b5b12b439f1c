package rfc822

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// WireAddress is an address as it may stand in a header or an SMTP command:
// ASCII, the domain in punycode (RFC 5891), the local part an RFC 5321
// dot-string, or quoted where its dots stand wrongly (docomo.ne.jp gave such
// addresses away). Everything else is refused: go-smtp does not refuse ">".
func WireAddress(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || len(address) > 254 {
		return "", fmt.Errorf("address %.80q: not local@domain", address)
	}
	local, domain := address[:at], address[at+1:]
	if !outOnly(local, &outLocal) {
		return "", fmt.Errorf("address %.80q: its local part can't be written", address)
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		local = `"` + local + `"`
	}
	ascii, err := outDomain(domain)
	if err != nil {
		return "", fmt.Errorf("address %.80q: %w", address, err)
	}
	return local + "@" + ascii, nil
}

// outDomain is a domain in ASCII; an underscore is let pass, as in the wild.
func outDomain(domain string) (string, error) {
	if !outIsASCII(domain) {
		var err error
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", fmt.Errorf("domain: %w", err)
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label ||
			!outOnly(label, &outLabel) {
			return "", errors.New("domain: not host labels")
		}
	}
	return domain, nil
}

// What may stand in a local part and in the label of a domain.
var outLocal, outLabel = charset(outAtext + "."), charset(outAlphanumeric + "-_")

// outFilename gives the parameters of a Content-Disposition: an ASCII name
// for old clients and, where that is not the name, RFC 2231's, each on a line
// of its own. RFC 2231 §3 cuts a long one into numbered sections.
func outFilename(name string) string {
	name = outCleanFilename(name)
	ascii := outASCIIName(name)
	params := ";\r\n filename=\"" + ascii + `"`
	if ascii == name {
		return params
	}
	var sections []string
	var b strings.Builder
	for _, r := range name {
		if b.Len() > 48 {
			sections = append(sections, b.String())
			b.Reset()
		}
		outPercent(&b, r)
	}
	sections = append(sections, b.String())
	if len(sections) == 1 {
		return params + ";\r\n filename*=utf-8''" + sections[0]
	}
	sections[0] = "utf-8''" + sections[0]
	for i, s := range sections {
		params += fmt.Sprintf(";\r\n filename*%d*=%s", i, s)
	}
	return params
}

// outPercent writes what RFC 2231 calls an attribute-char, or its octets.
func outPercent(b *strings.Builder, r rune) {
	if r < utf8.RuneSelf && (outSafeQ[r] || r == '.' || r == '_') && !strings.ContainsRune(" */", r) {
		b.WriteRune(r)
		return
	}
	for _, c := range []byte(string(r)) {
		fmt.Fprintf(b, "%%%02X", c)
	}
}

// outCleanFilename keeps a name's end, which says what the file is.
func outCleanFilename(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, outClean(name))
	if r := []rune(name); len(r) > 120 {
		name = string(r[:90]) + "…" + string(r[len(r)-29:])
	}
	if strings.Trim(name, ". ") == "" {
		return "attachment"
	}
	return name
}

// outASCIIName drops accents and replaces what is left: "Grüße.pdf" becomes
// "Gru_e.pdf". A percent or question mark in it could be taken for an
// encoding.
func outASCIIName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r == '"', r == '%', r == '?', r < ' ', r > '~':
			return '_'
		}
		return r
	}, norm.NFD.String(name))
}
