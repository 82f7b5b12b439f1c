package rfc822

import "strings"

// bareAddress finds the address in an entry without brackets; the rest is a
// name: "jan@b", "jan @ b", "Jan Meyer jan@b".
func bareAddress(s string) (addr, name string) {
	s = joinAt(s)
	var rest []string
	for _, f := range splitOutsideQuotes(s) {
		if addr == "" && strings.Contains(f, "@") {
			addr = f
			continue
		}
		rest = append(rest, strings.Trim(f, `"`))
	}
	return addr, strings.Join(rest, " ")
}

// joinAt takes away blanks around an at sign (RFC 5322 §4.4).
func joinAt(s string) string {
	if !strings.Contains(s, " @") && !strings.Contains(s, "@ ") {
		return s
	}
	parts := strings.Split(s, "@")
	for i := range parts {
		if i > 0 {
			parts[i] = strings.TrimLeft(parts[i], " \t")
		}
		if i < len(parts)-1 {
			parts[i] = strings.TrimRight(parts[i], " \t")
		}
	}
	return strings.Join(parts, "@")
}

// splitOutsideQuotes splits at blanks, of which a quoted local part may have some.
func splitOutsideQuotes(s string) []string {
	quoted := false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t')
	})
}

// maxAddress is the longest address kept, in bytes: RFC 5321 §4.5.3.1 allows
// 64 for the local part and 255 for the domain. A longer one is none.
const maxAddress = 64 + 1 + 255

// cleanAddress takes off what programs put around an address: a route (RFC
// 5322 §4.4), mailto:, quotes, brackets, comments, the root's dot.
func cleanAddress(s string) string {
	if len(s) > 4*maxAddress {
		return ""
	}
	s = strings.TrimSpace(cleanName(s))
	if strings.HasPrefix(s, "@") {
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			s = s[i+1:]
		}
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if i := strings.IndexByte(s, '('); i >= 0 && !strings.Contains(s, `"`) {
		if end := closingParen(s[i:]); end > 0 {
			s = s[:i] + s[i+end+1:]
		}
	}
	if strings.ContainsAny(s, " \t") {
		if addr, _ := bareAddress(s); addr != "" {
			s = addr
		}
	}
	s = strings.Trim(s, "<>,; \t")
	if n := len(s); n > 2 && (s[0] == '\'' && s[n-1] == '\'' || s[0] == '"' && s[n-1] == '"') {
		s = s[1 : n-1]
	}
	s = cleanName(strings.TrimRight(s, ".>")) // again: what was joined may not be NFC
	if len(s) > maxAddress {
		return ""
	}
	return s
}

// displayName decodes a name. One that looks like an address other than the
// real one is dropped: `"ceo@corp" <x@evil>` is to show x@evil.
func displayName(s, addr string) string { return shownName(decodeWords(s), addr) }

// shownName cleans a decoded name.
func shownName(name, addr string) string {
	name = cleanName(name)
	name = strings.Join(strings.Fields(name), " ")
	if n := len(name); n > 2 && (name[0] == '\'' && name[n-1] == '\'' || name[0] == '"' && name[n-1] == '"') {
		name = strings.TrimSpace(name[1 : n-1])
	}
	if addr != "" && namesOther(name, addr) {
		return ""
	}
	return name
}

// atSigns are the characters that look like an at sign.
var atSigns = strings.NewReplacer("\uff20", "@", "\ufe6b", "@")

// namesOther reports whether name has an address in it that is not addr.
func namesOther(name, addr string) bool {
	if classes(name)&byteHigh != 0 {
		name = atSigns.Replace(name)
	}
	if !strings.Contains(name, "@") {
		return false
	}
	for _, f := range strings.Fields(joinTightAt(name)) {
		f = strings.Trim(f, "<>()[]{}\"'`,;:.")
		if i := strings.IndexByte(f, '@'); i > 0 && i < len(f)-1 && !strings.EqualFold(f, addr) {
			return true
		}
	}
	return false
}

// joinTightAt joins "ceo @corp.example": a blank does not make it honest. A
// lone at sign between words without a dot is a name's, "Meet @ Home".
func joinTightAt(s string) string {
	if j := joinAt(s); j != s {
		if i := strings.IndexByte(j, '@'); strings.Contains(j[i:], ".") {
			return j
		}
	}
	return s
}

// maxReferences is how many ids of References are kept: the first, which is the
// thread's root, and the newest 199 (RFC 5322 §3.6.4 says how it grows).
const maxReferences = 200

// maxID is the longest message id kept, in bytes: RFC 5322's line.
const maxID = 998

// parseIDs reads message ids, with their brackets. Blanks in an id, which come
// of folding, are taken away; text between ids is passed over (In-Reply-To of
// old programs: "Your message of Monday <a@b>"). Without any brackets words
// with an at sign are ids.
func parseIDs(s string) (list []string, over bool) {
	ids := &idList{}
	bracket := false
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		n := strings.IndexByte(s[i:], '>')
		if n < 0 {
			break
		}
		bracket = true
		inner := s[i+1 : i+n]
		if j := strings.LastIndexByte(inner, '<'); j >= 0 {
			inner = inner[j+1:] // one before it is not closed
		}
		ids.add(inner)
		s = s[i+n+1:]
	}
	if !bracket {
		for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
			if strings.Contains(f, "@") {
				ids.add(strings.Trim(f, "<>\"';()"))
			}
		}
	}
	return ids.list, ids.over
}

// idList keeps the first id and the newest.
type idList struct {
	list []string
	over bool
}

func (l *idList) add(id string) {
	id = cleanID(id)
	if id == "" {
		return
	}
	if len(l.list) == maxReferences {
		l.over = true
		copy(l.list[1:], l.list[2:])
		l.list = l.list[:maxReferences-1]
	}
	l.list = append(l.list, id)
}

// cleanID gives an id with its brackets, or "".
func cleanID(s string) string {
	s = cleanName(strings.Join(strings.Fields(s), ""))    // last: joining can undo NFC
	s = strings.TrimLeft(strings.Trim(s, "<>"), "\u0338") // NFC would make one character of it and the bracket
	if i := strings.IndexAny(s, "<>"); i >= 0 {
		s = s[:i] // "a@b>c": what another reader of it would take
	}
	if s == "" || len(s) > maxID-2 {
		return ""
	}
	return "<" + s + ">"
}

// ownID reads Message-ID: an id, or whatever stands there for one.
func ownID(s string) string {
	if ids, _ := parseIDs(s); len(ids) > 0 {
		return ids[0]
	}
	return cleanID(s)
}
