// Package templates makes the mails and pages of the gateway out of files
// that are built in and can be replaced one by one.
//
// One source file a kind and language, mail/LANG/KIND.txt, gives a mail's
// text and its HTML: text/template makes a small markup (markup.go), of which
// text.go and html.go make the two. What a template prints stays words
// whatever it holds (escape.go). mail/LANG/parts.txt holds what several mails
// say. Pages are html/template in page/, with one style sheet.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"text/template"

	"guichet/mailflow/ticket"
)

//go:embed mail page
var builtin embed.FS

// languages are those that the mails exist in; the first stands for all
// others.
var languages = []string{"en", "fr"}

// Set holds the templates of all mails and pages, checked. It is never
// changed: a reload makes another.
type Set struct {
	mails map[string]*mailTemplate // "fr/update"
	pages map[string]*pageTemplate // "ticket"
	style []byte
}

// sources are the files of a set: those of the directory, else the built-in.
type sources struct {
	dir  string
	used map[string]bool
}

// Load reads the built-in templates, replaces those that dir holds ("" holds
// none), and checks every one that is replaced with sample data. The error
// lists all that is wrong, a line each, as file:line: what.
func Load(dir string) (*Set, error) {
	src := &sources{dir: dir, used: map[string]bool{}}
	s := &Set{mails: map[string]*mailTemplate{}, pages: map[string]*pageTemplate{}}
	var errs []error
	for _, lang := range languages {
		names, err := fs.Glob(builtin, "mail/"+lang+"/*.txt")
		if err != nil {
			return nil, err
		}
		mails, err := newMailLoader(src, lang)
		if err != nil {
			errs = append(errs, err)
			for _, name := range names {
				src.used[name] = true
			}
			continue
		}
		for _, name := range names {
			if path.Base(name) == "parts.txt" {
				continue
			}
			m, err := mails.load(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			s.mails[lang+"/"+strings.TrimSuffix(path.Base(name), ".txt")] = m
		}
	}
	errs = append(errs, s.loadPages(src)...)
	errs = append(errs, src.unknown()...)
	if err := joinUnique(errs); err != nil {
		return nil, err
	}
	return s, nil
}

// joinUnique joins errors and says each once: a fault of parts.txt shows in
// every mail that uses it.
func joinUnique(errs []error) error {
	seen := map[string]bool{}
	var list []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}

// read returns a file's text and the name that errors call it by.
func (s *sources) read(name string) (string, string, error) {
	if s.dir != "" {
		file := filepath.Join(s.dir, filepath.FromSlash(name))
		b, err := os.ReadFile(file)
		if err == nil {
			s.used[name] = true
			return string(b), file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("read template: %w", err)
		}
	}
	b, err := builtin.ReadFile(name)
	return string(b), name, err
}

// unknown lists files that replace nothing, most likely by a slip of the pen.
func (s *sources) unknown() []error {
	if s.dir == "" {
		return nil
	}
	var errs []error
	walk := func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			errs = append(errs, fmt.Errorf("read templates: %w", err))
			return nil
		}
		hidden := strings.HasPrefix(e.Name(), ".") && file != s.dir
		if e.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(s.dir, file)
		if err == nil && !hidden && !s.used[filepath.ToSlash(name)] {
			errs = append(errs, fmt.Errorf("%s: no template of ours has that name", file))
		}
		return nil
	}
	if err := filepath.WalkDir(s.dir, walk); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// mailTemplate is a mail's template in one language.
type mailTemplate struct {
	fast *program                           // nil where it could not be compiled
	slow func() (*template.Template, error) // parses it, once
}

// mailLoader loads the mails of one language.
type mailLoader struct {
	src      *sources
	lang     string
	parts    []*template.Template // of parts.txt, shared by all mails
	shared   sharedParts
	replaced bool // parts.txt is not the built-in one
}

func newMailLoader(src *sources, lang string) (*mailLoader, error) {
	name := "mail/" + lang + "/parts.txt"
	text, file, err := src.read(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(file).Funcs(template.FuncMap{litFunc: literal}).Parse(ownText(text))
	if err != nil {
		return nil, templateError(err)
	}
	escapeTrees(t)
	return &mailLoader{src: src, lang: lang, parts: t.Templates(), shared: sharedParts{}, replaced: src.used[name]}, nil
}

// load reads a mail's template and, unless all of it is built in, checks it:
// our own are checked by the tests.
func (l *mailLoader) load(name string) (*mailTemplate, error) {
	text, file, err := l.src.read(name)
	if err != nil {
		return nil, err
	}
	parse := func() (*template.Template, error) {
		t := template.New(file).Funcs(template.FuncMap{litFunc: literal})
		for _, p := range l.parts {
			if _, err := t.AddParseTree(p.Name(), p.Tree); err != nil {
				return nil, err
			}
		}
		if _, err := t.Parse(ownText(text)); err != nil {
			return nil, templateError(err)
		}
		escapeTrees(t)
		return t, nil
	}
	t, err := parse()
	if err != nil {
		return nil, err
	}
	m := &mailTemplate{fast: compile(t, l.shared)}
	if m.fast != nil {
		m.slow = sync.OnceValues(parse) // hardly ever: t is given up
	} else {
		m.slow = func() (*template.Template, error) { return t, nil }
	}
	if l.replaced || l.src.used[name] {
		if err := m.check(ticket.Kind(strings.TrimSuffix(path.Base(name), ".txt")), l.lang); err != nil {
			return nil, at(err, file, text)
		}
	}
	return m, nil
}

// check runs the template with all sample mails.
func (t *mailTemplate) check(kind ticket.Kind, lang string) error {
	for _, d := range samples(kind) {
		if _, err := t.run(newView(kind, lang, d), &markup{}); err != nil {
			return err
		}
	}
	return nil
}

// ownText is a template's source without the escaper's sentinels.
func ownText(s string) string {
	return strings.NewReplacer(string(litOpen), "", string(litClose), "", "\r", "").Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

// templateError is text/template's error without its own name in front.
func templateError(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// markupError is a fault of the markup that a template made.
type markupError struct{ err error }

func (e *markupError) Error() string { return e.err.Error() }

// at gives a fault of the markup the line that it most likely comes from.
func at(err error, file, source string) error {
	var m *markupError
	if !errors.As(err, &m) {
		return err
	}
	for i, l := range strings.Split(source, "\n") {
		open, closed := strings.Contains(l, "[["), strings.Contains(l, "]]")
		if open && (!closed || !strings.Contains(l, " | ")) || strings.HasPrefix(l, ": ") && !strings.Contains(l, " | ") {
			return fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
	}
	return fmt.Errorf("%s:1: %w", file, err)
}

// Mail renders a mail in the reader's language.
func (s *Set) Mail(kind ticket.Kind, lang string, d *Mail) (Rendered, error) {
	if vocabularies[lang] == nil {
		lang = languages[0]
	}
	t := s.mails[lang+"/"+string(kind)]
	if t == nil {
		return Rendered{}, fmt.Errorf("render %s: no such template", kind)
	}
	r, err := render(t, kind, lang, d)
	if err != nil {
		return Rendered{}, fmt.Errorf("render %s: %w", kind, err)
	}
	return r, nil
}

func render(t *mailTemplate, kind ticket.Kind, lang string, d *Mail) (Rendered, error) {
	v, m := newView(kind, lang, d), markups.Get().(*markup)
	defer m.leave()
	blocks, err := t.run(v, m)
	if err != nil {
		return Rendered{}, err
	}
	subject := mailSubject(v)
	return Rendered{
		Subject: subject,
		Text:    renderText(blocks, lang),
		HTML:    renderHTML(blocks, lang, subject, v.Mail),
	}, nil
}

// run executes a template and reads the markup that it makes. The blocks are
// m's.
func (t *mailTemplate) run(v *view, m *markup) ([]block, error) {
	if !t.fast.execute(v, m) {
		slow, err := t.slow()
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := slow.Execute(&b, v); err != nil {
			return nil, templateError(err)
		}
		m.split(b.String())
	}
	blocks, err := m.parse()
	if err != nil {
		return nil, &markupError{err}
	}
	return blocks, nil
}

// buffers are for what a mail is written into before it is a string.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

func takeBuffer() *[]byte { return buffers.Get().(*[]byte) }

// leaveBuffer keeps a buffer for the next mail, unless it has grown large.
func leaveBuffer(b []byte) {
	if b = b[:0]; cap(b) <= 64<<10 {
		buffers.Put(&b)
	}
}
