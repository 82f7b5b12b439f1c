package portal

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
)

// FuzzFileName: whatever a mail calls its file, the download's header is one
// line of ASCII that every reader takes for the same harmless name.
func FuzzFileName(f *testing.F) {
	for _, s := range []string{"a.pdf", "../../etc/passwd", `..\..\x.exe`, "a\r\nSet-Cookie: x=y", "\u202egpj.exe", ".htaccess\u200b", "\x00", strings.Repeat("ü", 500) + ".docx",
		`a"; filename=b`, "%2e%2e%2f", "CON", "  .  ", "\xff\xfe", "é'é*é", strings.Repeat("a", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var name, header string
		fuzztest.Cheap(t, func() { name, header = safeName(s), disposition(s) })
		if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") ||
			strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q becomes %q", s, name)
		}
		if again := safeName(name); again != name {
			t.Errorf("%q becomes %q, then %q", s, name, again)
		}
		if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("header %q", header)
		}
		if kind, p, err := mime.ParseMediaType(header); err != nil || kind != "attachment" || p["filename"] != name {
			t.Errorf("%q is read %s %q, %v", header, kind, p, err)
		}
	})
}
