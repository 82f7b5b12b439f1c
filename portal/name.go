package portal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of a file that is sent, in bytes: file systems
// take 255, and a program may add to it.
const maxName = 200

// disposition is the Content-Disposition of a download: the name in ASCII for
// old programs, and the name itself (RFC 6266 §4.3, RFC 8187 §3.2).
func disposition(name string) string {
	name = safeName(name)
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	var encoded strings.Builder
	for _, c := range []byte(name) {
		if c < utf8.RuneSelf && (unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c)) || strings.IndexByte("!#$&+-.^_`|~", c) >= 0) {
			encoded.WriteByte(c)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", c)
		}
	}
	return fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, plain, &encoded)
}

// safeName is a name without a path, controls and characters that reorder or
// hide others, not hidden and not too long.
func safeName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x200b || r == 0xfeff || r >= 0x2060 && r <= 0x2064:
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	name = strings.TrimRight(strings.TrimLeft(name, " ."), " .")
	if name == "" {
		return "file"
	}
	if len(name) <= maxName {
		return name
	}
	// The extension says what the file is: cut before it.
	ext := ""
	if i := strings.LastIndexByte(name, '.'); len(name)-i <= 16 {
		ext = name[i:]
	}
	n := maxName - len(ext)
	for !utf8.RuneStart(name[n]) {
		n--
	}
	return strings.TrimRight(name[:n], " .") + ext // as above: what is cut may end in one
}
