package templates

import (
	"strings"
	"testing"
	"text/template"

	"guichet/mailflow/ticket"
)

// asParsed is what text/template makes of a template.
func asParsed(t testing.TB, m *mailTemplate, v *view) string {
	t.Helper()
	slow, err := m.slow()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := slow.Execute(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// asCompiled is what a program makes of it, with the marks of literal.
func asCompiled(p *program, v *view) (string, bool) {
	var m markup
	ok := p.execute(v, &m)
	m.endLine()
	var b strings.Builder
	for i, l := range m.lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, s := range l {
			if s.value {
				s.text = literal(s.text)
			}
			b.WriteString(s.text)
		}
	}
	return b.String(), ok
}

// All that is built in is compiled, passes the check that Load leaves out for
// it, and gives what text/template gives, whatever the values.
func TestCompiledIsTheSame(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	zone := paris(t)
	for name, m := range set.mails {
		lang, kind, _ := strings.Cut(name, "/")
		if m.fast == nil {
			t.Errorf("%s is not compiled", name)
			continue
		}
		if err := m.check(ticket.Kind(kind), lang); err != nil {
			t.Error(err)
		}
		mails := samples(ticket.Kind(kind))
		for _, g := range golden(zone) {
			d := plainMail(zone, lang == "fr")
			g.change(d, lang == "fr")
			mails = append(mails, d)
		}
		for _, s := range evil {
			mails = append(mails, spread(s, zone))
		}
		for i, d := range mails {
			got, ok := asCompiled(m.fast, newView(ticket.Kind(kind), lang, d))
			if want := asParsed(t, m, newView(ticket.Kind(kind), lang, d)); !ok || got != want {
				t.Errorf("%s, mail %d: %v\n%s\nwanted\n%s", name, i, ok, got, want)
			}
		}
	}
}

// A template of the parts of the language that are compiled gives what
// text/template gives; one of the other parts is not compiled.
func TestCompile(t *testing.T) {
	parse := func(text string) *mailTemplate {
		t.Helper()
		slow, err := template.New("x").Funcs(template.FuncMap{litFunc: literal}).Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		escapeTrees(slow)
		return &mailTemplate{fast: compile(slow, sharedParts{}), slow: func() (*template.Template, error) { return slow, nil }}
	}
	same := func(text string) {
		t.Helper()
		m, v := parse(text), newView(ticket.Update, "fr", fullSample())
		if m.fast == nil {
			t.Errorf("%s: not compiled", text)
			return
		}
		got, ok := asCompiled(m.fast, v)
		if want := asParsed(t, m, v); !ok || got != want {
			t.Errorf("%s: %q %v, want %q", text, got, ok, want)
		}
	}
	same("a{{/* c */}}{{.Number}}{{.N}}{{.Received}}{{.Last}}{{.Desk}}{{.Files}}{{\"x\"}}{{3}}{{true}}")
	same("a {{if .Number}}b\n- {{end}}c\n{{if .N}}-{{end}} d{{.Number}}\n\n{{if .N}}: {{end}}e{{if .N}} |{{end}} {{.Number}}\n")
	same("{{if .Number}}a{{else}}b{{end}}{{if .Stranger}}a{{else if .Files}}b{{else}}c{{end}}{{if .Received}}t{{end}}")
	same("{{with .Name}}{{.}}{{$.Number}}{{else}}{{.Number}}{{end}}{{with .Agent}}{{.Marker}}{{.Parties}}{{end}}{{with .Desk}}{{.Name}}{{end}}")
	same("{{range .Files}}{{.Name}}{{$.Size .Size}}{{else}}none{{end}}{{range .Agent.Also}}{{.}}{{end}}{{range .Times}}{{$.When .}}{{end}}")
	same("{{range $f := .Files}}{{$f.Name}}{{.Size}}{{end}}{{range $i, $f := .Files}}{{$i}}{{$f.Name}}{{range $i, $e := $.History}}{{$i}}{{$e.Author}}{{end}}{{$i}}{{end}}")
	same("{{range .Linked}}{{.URL}}{{end}}{{range slice .Files 0 1}}{{.Name}}{{end}}{{range slice .Files 1 2}}{{.Name}}{{end}}{{len .Files}}")
	same("{{define \"p\"}}{{.Name}}{{end}}{{template \"p\" .}}{{range .Files}}{{template \"p\" .}}{{end}}{{template \"p\" .Desk}}")
	same("{{if and .Number .N}}a{{end}}{{if or .Stranger (eq .N 1)}}b{{end}}{{if not .N}}c{{end}}{{and .Number .Name}}{{or .Number .Name}}{{and .N .Name}}")
	same("{{if eq .State \"open\"}}a{{end}}{{if ne .State .Closed}}b{{end}}{{if gt .N 0}}c{{end}}{{if gt (len .Files) 1}}d{{end}}{{if eq .Number .Number}}e{{end}}{{if ne .N .M}}f{{end}}")
	same("{{.When .Received}}{{.At .Next.At}}{{.Day .Received}}{{.Short .Agent.Created}}{{.Topic}}{{.Where}}{{.StateName .State}}{{.RoleName .AuthorRole}}")
	same("{{.EventName}}{{.Due}}{{.Marker}}{{range .Agent.Commands}}{{$.Help .}}{{end}}{{range .Attached}}{{.Name}}{{end}}{{range .Older}}{{$.Excerpt .Text}}{{end}}{{.Received.IsZero}}")
	for _, text := range []string{
		"{{.Nonsense}}", "{{.Desk.Nonsense}}", "{{.accent}}", "{{.Received.Year}}", "{{printf \"%s\" .Number}}", "{{.Number | len}}", "{{$x := .Number}}{{$x}}",
		"{{range 3}}a{{end}}", "{{range .Number}}a{{end}}", "{{range .Files}}{{break}}{{end}}", "{{template \"none\" .}}", "{{with $x := .Name}}{{$x}}{{end}}",
		"{{eq .N \"1\"}}", "{{eq .N .Number .M}}", "{{.Size .N}}", "{{.Size 3}}", "{{.When .Number}}", "{{.Size}}", "{{.Last 1}}", "{{index .Files 0}}", "{{(index .Files 0).Name}}",
		"{{lt .N 3}}", "{{.Help .}}", "{{nil}}", "{{len .Number}}", "{{slice .Number 0 1}}", "{{1.5}}", "{{or .N .Name | len}}", "{{.Number.Name}}",
	} {
		slow, err := template.New("x").Funcs(template.FuncMap{litFunc: literal}).Parse(text)
		if err != nil {
			continue // not even that
		}
		escapeTrees(slow)
		if compile(slow, sharedParts{}) != nil {
			t.Errorf("%s: compiled", text)
		}
	}
	// What goes wrong while it runs is text/template's to tell.
	m := parse("a\n{{range slice .Files 0 3}}{{.Name}}{{end}}")
	if got, ok := asCompiled(m.fast, newView(ticket.Update, "en", fullSample())); ok || got != "" {
		t.Error("beyond the end: no trouble")
	}
	if _, err := m.run(newView(ticket.Update, "en", fullSample()), &markup{}); err == nil || !strings.Contains(err.Error(), "x:2:") {
		t.Errorf("beyond the end: %v", err)
	}
}

// A part that calls another calls each mail's own.
func TestSharedParts(t *testing.T) {
	parts := template.Must(template.New("parts").Parse(`{{define "outer"}}<{{template "inner" .}}>{{end}}{{define "inner"}}parts{{end}}{{define "alone"}}alone{{end}}`))
	shared := sharedParts{}
	render := func(text string) string {
		t.Helper()
		m := template.New("mail")
		for _, p := range parts.Templates() {
			template.Must(m.AddParseTree(p.Name(), p.Tree))
		}
		got, ok := asCompiled(compile(template.Must(m.Parse(text)), shared), newView(ticket.Update, "en", fullSample()))
		if !ok {
			t.Errorf("%s: not compiled", text)
		}
		return got
	}
	for text, want := range map[string]string{
		`{{template "outer" .}}{{template "alone" .}}`:                              "<parts>alone",
		`{{template "outer" .}}{{define "inner"}}own{{end}}`:                        "<own>",
		`{{template "outer" .}}{{template "alone" .}}{{define "alone"}}mine{{end}}`: "<parts>mine",
	} {
		for range 2 {
			if got := render(text); got != want {
				t.Errorf("%s: %q, want %q", text, got, want)
			}
		}
	}
}
