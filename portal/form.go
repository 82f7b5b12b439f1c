package portal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"guichet/mailflow"
)

const (
	// maxBody is the largest form with all its files that is read at all; of
	// what is read, files that are too large are passed over.
	maxBody = 256 << 20
	// sentQuery marks the page that follows a form: the address tells, so that
	// a reload sends nothing again.
	sentQuery = "sent"
)

// asks says that behind the link stands the form. The page in the other
// language is the same address with its name.
func (v *view) asks() bool { return v.asked != nil && mailflow.AwaitsForm(v.ticket, v.party) }

// language is the one that a page is asked for in, then the reader's own,
// then the browser's, then the desk's.
func (v *view) language(r *http.Request) {
	if lang := r.FormValue("lang"); lang == "fr" || lang == "en" {
		v.lang = lang
	} else if v.known == "" && r.Header.Get("Accept-Language") != "" {
		v.lang = preferred(r)
	}
}

// form shows the form of a ticket that awaits it.
func (p *Portal) form(w http.ResponseWriter, r *http.Request, v *view) {
	v.language(r)
	page := v.formPage(p.Now())
	page.Other = page.Action + "?lang=" + map[bool]string{true: "en", false: "fr"}[v.lang == "fr"]
	for i := range v.asked.Fields {
		page.Fields = append(page.Fields, v.blank(&v.asked.Fields[i]))
	}
	v.conditions(page)
	p.page(w, http.StatusOK, "form", page)
}

// submit takes a form: one POST, whatever state its ticket is in by then.
func (p *Portal) submit(w http.ResponseWriter, r *http.Request, link string) {
	v, err := p.look(r.Context(), link, false)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
		return
	case err != nil:
		p.broken(w, err)
		return
	case v.asked == nil:
		notAllowed(w)
		return
	}
	leave, err := p.forms.enter(r.Context())
	if err != nil {
		p.broken(w, err)
		return
	}
	defer leave()
	got, err := p.receive(w, r, v)
	if err != nil {
		p.unreadable(w, err)
		return
	}
	p.take(w, r, v, got)
}

// take checks what was received, and either takes it or shows it again with
// what is wrong.
func (p *Portal) take(w http.ResponseWriter, r *http.Request, v *view, got *received) {
	if lang := got.first("lang"); lang == "fr" || lang == "en" {
		v.lang = lang
	}
	answers, problems := v.asked.Check(got.values, p.Settings.Load().IsOurs)
	got.only(answers.FileFields)
	if len(problems) > 0 {
		p.page(w, http.StatusUnprocessableEntity, "form", v.corrected(got, problems, p.Now()))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
	defer cancel()
	taken, err := p.Flow.Submit(ctx, mailflow.Submission{Link: v.party.Link, Lang: v.lang, Answers: answers, Files: got.tokens(), Refused: got.refused})
	switch {
	case errors.Is(err, mailflow.ErrFormClosed):
		page := v.corrected(got, nil, p.Now())
		page.Shut = true
		p.page(w, http.StatusConflict, "form", page)
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
	case err != nil:
		p.broken(w, fmt.Errorf("submit a form: %w", err))
	default:
		http.Redirect(w, r, "/t/"+taken.Link+"?"+sentQuery, http.StatusSeeOther)
	}
}

// unreadable answers what is no form that could be read.
func (p *Portal) unreadable(w http.ResponseWriter, err error) {
	var refused *unread
	if errors.As(err, &refused) {
		http.Error(w, refused.words, refused.code)
		return
	}
	p.broken(w, fmt.Errorf("receive a form: %w", err))
}

// unread says why a form was not read; words are for the person.
type unread struct {
	code  int
	words string
}

func (u *unread) Error() string { return u.words }
