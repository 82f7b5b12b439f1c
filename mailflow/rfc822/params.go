package rfc822

import (
	"sort"
	"strconv"
	"strings"
)

// maxParams is the largest number of parameters, and of RFC 2231 pieces among
// them, that is read of one field (CVE-2026-27859 used 100,000).
const maxParams = 100

// params are a field's parameters by lower-case name, decoded.
type params map[string]string

// parseParams reads "value; name=value; …" (RFC 2045 §5.1, RFC 2231), with the
// faults that are common: a quote that is not closed, blanks or colons in a
// value without quotes, empty parameters, a comma for the semicolon.
func parseParams(s string) (value string, p params, over bool) {
	value, rest := cutParam(s)
	value = strings.TrimSpace(value)
	// "text/plain charset=x", the semicolon missing.
	if i := strings.IndexAny(value, " \t,"); i >= 0 && strings.Contains(value[i:], "=") {
		value, rest = value[:i], strings.TrimLeft(value[i:], " \t,")+";"+rest
	}
	if rest == "" {
		return value, nil, false
	}
	p = params{}
	pieces := map[string][]piece{}
	for n := 0; rest != ""; {
		var one string
		one, rest = cutParam(rest)
		name, val, ok := strings.Cut(one, "=")
		name = strings.ToLower(strings.Trim(name, " \t,\""))
		if !ok || name == "" {
			continue
		}
		if n++; n > maxParams {
			over = true
			break
		}
		val = unquoteParam(val)
		if strings.Contains(name, "*") {
			if base, pc, ok := pieceOf(name, val); ok {
				pieces[base] = append(pieces[base], pc)
			}
		} else if _, dup := p[name]; !dup {
			p[name] = decodeWords(val)
		}
	}
	for base, list := range pieces {
		if joined := joinPieces(list); joined != "" {
			p[base] = joined // RFC 2231's form goes before the plain one (RFC 6266 §4.3 says why)
		}
	}
	return value, p, over
}

// cutParam cuts s at the first semicolon outside quotes. A quote that is not
// closed counts as a character, else it would swallow what follows.
func cutParam(s string) (one, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ';':
			return s[:i], s[i+1:]
		case '"':
			n := closingQuote(s[i+1:])
			if n < 0 {
				if j := strings.IndexByte(s[i:], ';'); j >= 0 {
					return s[:i+j], s[i+j+1:]
				}
				return s, ""
			}
			i += n + 1
		}
	}
	return s, ""
}

// closingQuote returns where the quoted string that s continues ends, or -1.
func closingQuote(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unquoteParam takes quotes and comments' blanks off a value. A backslash
// before anything but a quote or a backslash stays: Windows paths.
func unquoteParam(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 0 || s[0] != '"' {
		return strings.TrimRight(s, "\" \t,")
	}
	s = s[1:]
	if n := closingQuote(s); n >= 0 {
		s = s[:n]
	}
	return unescape(s)
}

// unescape takes the backslashes off quoted pairs.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// piece is one of a parameter's continuations (RFC 2231 §3).
type piece struct {
	n       int
	encoded bool // percent-encoded (§4)
	text    string
}

// pieceOf reads name*, name*0 and name*0*.
func pieceOf(name, val string) (base string, p piece, ok bool) {
	base, rest, ok := strings.Cut(name, "*")
	if !ok || base == "" {
		return "", piece{}, false
	}
	p.text = val
	if rest == "" {
		p.encoded = true
		return base, p, true
	}
	num, enc := strings.CutSuffix(rest, "*")
	n, err := strconv.ParseUint(num, 10, 16)
	if err != nil {
		return "", piece{}, false
	}
	p.n, p.encoded = int(n), enc
	return base, p, true
}

// joinPieces puts continuations together; charset'language' stands at the
// start of the first. Percent signs in a piece that is not encoded are text.
func joinPieces(list []piece) string {
	sort.SliceStable(list, func(i, j int) bool { return list[i].n < list[j].n })
	charset, encoded := "", false
	var out []byte
	for i, p := range list {
		if i > 0 && list[i-1].n == p.n {
			continue
		}
		if !p.encoded {
			out = append(out, p.text...)
			continue
		}
		if i == 0 {
			if cs, rest, ok := strings.Cut(p.text, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					charset, p.text = cs, text
				}
			}
		}
		encoded = true
		out = append(out, percentDecode(p.text)...)
	}
	if !encoded {
		return decodeWords(string(out))
	}
	text, _ := decodeCharset(out, charset)
	return decodeWords(text)
}

func percentDecode(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hexValue[s[i+1]] < 16 && hexValue[s[i+2]] < 16 {
			out = append(out, hexValue[s[i+1]]<<4|hexValue[s[i+2]])
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return out
}
