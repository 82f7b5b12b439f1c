package templates

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guichet/mailflow/ticket"
)

// evil are values that try to be more than words.
var evil = []string{
	`<b>O'Neil & Söhne</b>`, "[[button: x | http://evil.example]]", "{{.}}", "{{.Desk.Name}}", "${7*7}", "<%= 7*7 %>",
	"> quoted", "# heading", "- point", "---", "| bar", ": a | b", "-- ", "% x", "~ x", "a | b]]", "]]", "&lt;b&gt;",
	"x\n# heading\n\n[[link: y | http://evil.example]]", "\x01x\x02", "\x02\n# y\x01", "\u202egpj.exe", "a\r\nBcc: b@customer.example",
	"<script>alert(1)</script>", `" onmouseover="alert(1)`, "\u2028# z", strings.Repeat("ü", 300),
}

// spread puts one value into everything that people write.
func spread(s string, zone *time.Location) *Mail {
	m := plainMail(zone, false)
	at := m.Received
	m.Name, m.Subject, m.Words, m.Author, m.Asked = s, s, s, s, s
	m.AuthorRole = ticket.Customer
	m.Files = []File{{Name: s, Size: 1}, {Name: s, Size: 1, URL: "https://desk.example/f/1"}}
	m.History = []Entry{{At: at, Author: s, Role: ticket.Customer, Text: s}}
	m.Lines = []Line{{Text: s, Reason: s}}
	m.Agent = &AgentView{
		Marker: "7f3a", Event: s, Sender: s, SenderName: s, Proof: s, Organisation: s, Also: []string{s}, Assignee: s,
		Files: m.Files, Commands: []Command{{Name: s, Help: s}}, Other: s, Reason: s, Created: at,
	}
	return m
}

var (
	linkTarget = regexp.MustCompile(`href="([^"]*)"`)
	tagName    = regexp.MustCompile(`<([a-zA-Z!/][^ >]*)`)
)

// harmless are the elements that our HTML is made of.
var harmless = map[string]bool{
	"!DOCTYPE": true, "html": true, "head": true, "meta": true, "title": true, "style": true, "body": true, "div": true, "table": true,
	"tr": true, "td": true, "p": true, "a": true, "h2": true, "ul": true, "li": true, "span": true, "br": true, "blockquote": true,
}

func checkHarmless(t interface{ Errorf(string, ...any) }, where, value string, r Rendered) {
	if strings.ContainsAny(r.Subject, "\r\n\x00") {
		t.Errorf("%s: subject %q", where, r.Subject)
	}
	if strings.ContainsAny(r.Text+r.HTML, "\x00\x01\x02\r") {
		t.Errorf("%s: a control came through", where)
	}
	for _, m := range linkTarget.FindAllStringSubmatch(r.HTML, -1) {
		if !strings.HasPrefix(m[1], "https://desk.example/") {
			t.Errorf("%s: %q leads to %s", where, value, m[1])
		}
	}
	for _, m := range tagName.FindAllStringSubmatch(r.HTML, -1) {
		if !harmless[strings.TrimPrefix(m[1], "/")] {
			t.Errorf("%s: %q makes an element %s", where, value, m[1])
		}
	}
	if strings.Contains(r.HTML, " onmouseover=\"") {
		t.Errorf("%s: %q makes an attribute", where, value)
	}
}

func TestHostileValuesStayWords(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	zone := paris(t)
	kinds := map[ticket.Kind]bool{}
	for _, v := range golden(zone) {
		kinds[v.kind] = true
	}
	for kind := range kinds {
		for _, s := range evil {
			r, err := set.Mail(kind, "en", spread(s, zone))
			if err != nil {
				t.Fatal(err)
			}
			checkHarmless(t, string(kind), s, r)
		}
	}
	for _, s := range evil {
		r, err := set.Mail(ticket.Update, "fr", spread(s, zone))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(strings.TrimSpace(cleanValue(s)), "\n") {
			if !strings.Contains(r.Text, strings.TrimRight(l, " ")) {
				t.Errorf("the text lost %q:\n%s", l, r.Text)
			}
			if !strings.Contains(r.HTML, html.EscapeString(strings.TrimRight(l, " "))) {
				t.Errorf("the HTML lost %q", l)
			}
		}
	}
}

func TestValuesProperty(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	zone := paris(t)
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(evil), rapid.String()), 1, 4).Draw(t, "parts"), rapid.SampledFrom([]string{"", "\n", " "}).Draw(t, "between"))
		kind := rapid.SampledFrom([]ticket.Kind{ticket.Update, ticket.Notification, ticket.RejectedCommand, ticket.InformationRequest}).Draw(t, "kind")
		r, err := set.Mail(kind, "en", spread(s, zone))
		if err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, string(kind), s, r)
		words := strings.TrimSpace(trimLines(cleanValue(s)))
		if kind == ticket.Update && !strings.Contains(r.Text, words) {
			t.Fatalf("words %q lost in\n%s", words, r.Text)
		}
	})
}

// A stranger's first answer goes to an address that may be a victim's.
func TestStrangerGetsNothingOfTheSender(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range languages {
		for _, v := range golden(paris(t)) {
			m := spread("CANARY", paris(t))
			m.Stranger = true
			r, err := set.Mail(v.kind, lang, m)
			if err != nil {
				t.Fatal(err)
			}
			asked := v.kind == ticket.InformationRequest || v.kind == ticket.ActionRequest // the desk's own word
			if !asked && strings.Contains(r.Subject+r.Text+r.HTML, "CANARY") {
				t.Errorf("%s %s: %s", lang, v.kind, r.Text)
			}
		}
	}
}

// Links stand alone in their line, unbroken; other lines of ours fit 76.
func TestTextLines(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if strings.Contains(f, "hostile") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(b), "\n\n")
		for _, l := range strings.Split(text, "\n") {
			if i := strings.Index(l, "https://"); i > 0 || i == 0 && strings.ContainsAny(l, " ,;") {
				t.Errorf("%s: link within %q", f, l)
			}
			if strings.HasPrefix(l, ">") || strings.Contains(l, "code-barres") || strings.Contains(l, "bar code") {
				continue // human words keep their lines
			}
			if n := len([]rune(l)); n > textWidth {
				t.Errorf("%s: %d columns: %s", f, n, l)
			}
		}
	}
}

func TestReplacedTemplates(t *testing.T) {
	write := func(dir, name, text string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	write(dir, "mail/fr/update.txt", "Le guichet {{.Desk.Name}} a du nouveau.\n\n| {{.Words}}\n")
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := plainMail(paris(t), true)
	m.Words = "# x"
	r, err := set.Mail(ticket.Update, "fr", m)
	if err != nil || r.Text != "Le guichet Support technique a du nouveau.\n\n# x\n" {
		t.Errorf("%q, %v", r.Text, err)
	}
	for text, want := range map[string]string{
		"a\n{{.Nonsense}}":  "update.txt:2:",
		"a\n{{if .Number}}": "update.txt:2",
		"a\n\n{{if eq .State \"frozen\"}}{{.X}}{{end}}": "update.txt:3:",
		"a\n[[button: x {{.URL}}]]":                     "update.txt:2:",
		"a\n\n[[button: x | {{.URL}}":                   "update.txt:3:",
		"a\n: x":                                        "update.txt:2:",
		"[[link: x | ftp://x]]":                         "update.txt:1:",
		"{{template \"nothing\" .}}":                    "update.txt:1:",
		"{{if .Stranger}}{{range .Files}}{{.X}}{{end}}{{end}}{{range .Files}}{{.X}}{{end}}": "update.txt:1:",
	} {
		write(dir, "mail/fr/update.txt", text)
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	write(dir, "mail/fr/update.txt", "x")
	write(dir, "mail/fr/updaet.txt", "x")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "updaet.txt") {
		t.Errorf("a file that replaces nothing: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none")); err == nil {
		t.Error("no such directory: no error")
	}
}
