package templates

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
)

// FuzzMarkup: any markup gives a text and an HTML, or an error. A value stays
// words in both: no element, attribute or address comes of it.
func FuzzMarkup(f *testing.F) {
	for _, s := range evil {
		f.Add(s, s)
		f.Add("", s)
	}
	f.Add("# a\n- b\n: c | d\n[[button: e | https://desk.example/t/1]]\n-- f", "x")
	fuzztest.Mails(f, func(raw []byte) { f.Add("| ", string(raw)) })
	f.Fuzz(func(t *testing.T, own, value string) {
		source := own + literal(value)
		var blocks []block
		var err error
		var text, page string
		fuzztest.Cheap(t, func() {
			var m markup
			m.split(source)
			if blocks, err = m.parse(); err == nil {
				text = renderText(blocks, "fr")
				page = renderHTML(blocks, "fr", Subject("fr", value, ""), &Mail{Number: "INC-000123"})
			}
		})
		if err != nil {
			return
		}
		for _, b := range blocks {
			if b.url != "" && (!isWebAddress(b.url) && !isMailAddress(b.url) || !strings.Contains(text, "\n"+shownAddress(b.url)+"\n")) {
				t.Fatalf("%s is not alone in its line:\n%s", b.url, text)
			}
		}
		for _, m := range tagName.FindAllStringSubmatch(page, -1) {
			if !harmless[strings.TrimPrefix(m[1], "/")] {
				t.Errorf("the HTML holds <%s", m[1])
			}
		}
		for _, m := range linkTarget.FindAllStringSubmatch(page, -1) {
			url := html.UnescapeString(m[1])
			if !strings.Contains(own, url) || !isWebAddress(url) {
				t.Errorf("a link to %q", url)
			}
		}
		if utf8.ValidString(own) && (!utf8.ValidString(text) || !utf8.ValidString(page)) || !strings.ContainsAny(own, string(litOpen)+string(litClose)) && strings.ContainsAny(text+page, string(litOpen)+string(litClose)) {
			t.Errorf("a control or no UTF-8 in\n%.300q\n%.3000q", text, page)
		}
	})
}

// FuzzSubject: whatever people write, the subject of our mails is one line, not
// too long, and its answer bears the same.
func FuzzSubject(f *testing.F) {
	for _, s := range append(evil, "Re: AW: [#INC-000123] x", strings.Repeat("Re: ", 300)+"x", strings.Repeat("[#a]", 300), "Re[2]\u00a0: x", strings.Repeat("[#", 500)) {
		f.Add(s)
	}
	fuzztest.Mails(f, func(raw []byte) {
		head, _, _ := strings.Cut(string(raw), "\n\n")
		f.Add(head)
	})
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		fuzztest.Cheap(t, func() { got = CleanSubject(s) })
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00\u0085\u2028\u2029") || utf8.RuneCountInString(got) > subjectMost {
			t.Errorf("%q", got)
		}
		full := Subject("fr", s, "INC-000123")
		if again := Subject("fr", full, "INC-000123"); again != full {
			t.Errorf("%q, answered %q", full, again)
		}
	})
}
