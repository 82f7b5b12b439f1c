package templates

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// pageTemplate is a page within the frame of base.html.
type pageTemplate struct{ t *template.Template }

// maxStyle bounds the style sheet: a page must be light on a bad line.
const maxStyle = 15_000

// loadPages reads the pages and the style sheet.
func (s *Set) loadPages(src *sources) []error {
	var errs []error
	style, file, err := src.read("page/style.css")
	if err != nil {
		return []error{err}
	}
	if len(style) > maxStyle {
		errs = append(errs, fmt.Errorf("%s:1: %d bytes; a style sheet has at most %d", file, len(style), maxStyle))
	}
	s.style = []byte(style)
	names, err := fs.Glob(builtin, "page/*.html")
	if err != nil {
		return append(errs, err)
	}
	for _, name := range names {
		if name == "page/base.html" {
			continue
		}
		p, err := loadPage(src, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.pages[strings.TrimSuffix(path.Base(name), ".html")] = p
	}
	return errs
}

func loadPage(src *sources, name string) (*pageTemplate, error) {
	base, baseFile, err := src.read("page/base.html")
	if err != nil {
		return nil, err
	}
	text, file, err := src.read(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(baseFile).Parse(base)
	if err != nil {
		return nil, templateError(err)
	}
	if _, err := t.New(file).Parse(text); err != nil {
		return nil, templateError(err)
	}
	p := &pageTemplate{t}
	for _, data := range pageSamples(strings.TrimSuffix(path.Base(name), ".html")) {
		if err := p.render(io.Discard, data); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Page writes a page: ticket (a [TicketPage]), form (a [FormPage]), thanks (a
// [ThanksPage]), approve (an [ApprovalPage]), notfound and home (a [NotePage]), outbox (an [OutboxPage]); data is a pointer to it, or any
// [Based].
func (s *Set) Page(name string, w io.Writer, data any) error {
	p := s.pages[name]
	if p == nil {
		return fmt.Errorf("render page %s: no such template", name)
	}
	d, ok := data.(Based)
	if !ok {
		return fmt.Errorf("render page %s: %T is no page data", name, data)
	}
	if err := p.render(w, d); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	return nil
}

// render writes nothing at all where something is wrong.
func (p *pageTemplate) render(w io.Writer, data Based) error {
	base := data.PageBase()
	if vocabularies[base.Lang] == nil {
		base.Lang = languages[0]
	}
	var b bytes.Buffer
	if err := p.t.Execute(&b, &pageView{PageBase: base, D: data}); err != nil {
		return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "html/"), "template: "))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Style is the style sheet that pages ask for as /style.css.
func (s *Set) Style() []byte { return s.style }

// StyleAccent is the style sheet in a desk's colour, for which pages ask as
// /style.css?accent=rrggbb: in a style element it would need an exception
// from the content security policy. What is no readable colour gives ours.
func (s *Set) StyleAccent(accent string) []byte {
	c := Desk{Accent: "#" + strings.TrimPrefix(accent, "#")}.accent()
	return bytes.ReplaceAll(s.style, []byte(ourAccent), []byte(c))
}

// pageView is what a page's template sees: the frame's data, the page's own
// as D, and methods that say things in the reader's language.
type pageView struct {
	PageBase
	D any
}

// Say chooses between English and French.
func (v *pageView) Say(en, fr string) string {
	if v.Lang == "fr" {
		return fr
	}
	return en
}

// Colour is the desk's accent for the style sheet's address, "" for ours.
func (v *pageView) Colour() string {
	if c := v.Desk.accent(); c != ourAccent {
		return c[1:]
	}
	return ""
}

// When is an exact time.
func (v *pageView) When(t time.Time) string { return formatWhen(v.Lang, inZone(t, v.Zone)) }

// At is an exact time without the zone.
func (v *pageView) At(t time.Time) string { return formatAt(v.Lang, inZone(t, v.Zone)) }

// Ago is a relative time, or "".
func (v *pageView) Ago(t time.Time) string {
	if v.Now.IsZero() || t.IsZero() || t.After(v.Now) {
		return ""
	}
	return formatSince(v.Lang, t, v.Now)
}

// Machine is a time as the time element wants it.
func (v *pageView) Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Size is a file's size.
func (v *pageView) Size(n int64) string { return formatSize(v.Lang, n) }

// RoleName is what somebody is on the ticket.
func (v *pageView) RoleName(r ticket.Role) string { return wordsOf(v.Lang).roles[r] }

// Where says where a ticket stands.
func (v *pageView) Where(s ticket.State, why ticket.Reason) string { return StateWords(v.Lang, s, why) }

// Topic is a subject without marks of answers and numbers.
func (v *pageView) Topic(s string) string { return CleanSubject(s) }

// Pieces parts a text of ours at its links, which stand alone in their lines.
func (v *pageView) Pieces(s string) []Piece {
	var list []Piece
	for l := range strings.SplitAfterSeq(s, "\n") {
		p := Piece{Text: l}
		if t := strings.TrimSpace(l); isWebAddress(t) {
			p.URL = t
		}
		list = append(list, p)
	}
	return list
}

// Piece is a line of a text, with its address if it is one.
type Piece struct{ Text, URL string }

// pageSamples are the data that a page is checked with.
func pageSamples(name string) []Based {
	m := fullSample()
	var list []Based
	for _, lang := range languages {
		switch name {
		case "ticket":
			list = append(list, &TicketPage{}, &TicketPage{
				Desk: m.Desk, Lang: lang, Number: m.Number, Subject: m.Subject, State: ticket.Pending, Since: m.Received,
				Next: m.Next, Zone: time.UTC, Now: m.Received.Add(time.Hour), Confirm: "/t/x/approve",
				Messages: []PageMessage{{At: m.Received, Author: m.Name, Role: ticket.Customer, Text: m.Words, Files: m.Files}},
			}, &TicketPage{Lang: lang, State: ticket.Frozen, Next: m.Next, Zone: time.UTC, Waits: true, Asked: m.Name})
		case "form":
			list = append(list, formSamples(m, lang)...)
		case "thanks":
			list = append(list, &ThanksPage{}, &ThanksPage{Desk: m.Desk, Lang: lang, Number: m.Number, State: ticket.New, Validation: true,
				Address: "a", URL: "/t/x", Refused: []FormFile{{Name: m.Files[0].Name, Size: 9e6, Reason: "too large"}}, MaxFile: 2 << 20})
		case "approve":
			for _, s := range []ticket.State{ticket.Open, ticket.Resolved, ticket.Closed} {
				list = append(list, &ApprovalPage{TicketPage: TicketPage{Desk: m.Desk, Lang: lang, Number: m.Number, Subject: m.Subject, State: s, Next: m.Next, Zone: time.UTC},
					URL: "/t/x", Resolution: 1, Solution: m.Words, Asks: s == ticket.Resolved, MayRefuse: s == ticket.Closed, Mine: true,
					Counts: lang == "en", Heard: s == ticket.Open, Comment: "words", Unsaid: lang == "en", TooLong: lang == "fr"})
			}
			list = append(list, &ApprovalPage{})
		case "home", "notfound":
			list = append(list, &NotePage{Lang: lang}, &NotePage{Lang: lang, Desk: m.Desk})
		case "outbox":
			list = append(list, &OutboxPage{Lang: lang}, &OutboxPage{Lang: lang, Mails: []OutboxMail{{At: m.Received, From: "a", To: "b", Text: m.Words}}})
		}
	}
	return list
}
