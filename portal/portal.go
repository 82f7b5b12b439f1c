// Package portal serves the pages behind the links in mails. A page shows
// what its reader was mailed, and a GET changes nothing, however often a
// scanner sends it.
package portal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// Portal is the handler of the web listener.
type Portal struct {
	DB        *store.DB
	Settings  *atomic.Pointer[mailflow.Settings]
	Templates *atomic.Pointer[templates.Set]
	Log       *slog.Logger
	Now       func() time.Time
}

// ServeHTTP answers GET and HEAD. What does not exist and what is not the
// reader's look the same.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // links are secrets
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This page only shows something.", http.StatusMethodNotAllowed)
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/":
		p.page(w, http.StatusOK, "home", &templates.NotePage{Lang: preferred(r)})
	case r.URL.Path == "/style.css":
		h.Set("Content-Type", "text/css; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=3600")
		w.Write(p.Templates.Load().StyleAccent(r.URL.Query().Get("accent")))
	case len(parts) == 2 && parts[0] == "t":
		p.ticket(w, r, parts[1])
	case len(parts) == 5 && parts[0] == "t" && parts[2] == "file":
		p.file(w, r, parts[1], parts[3], parts[4])
	default:
		p.notFound(w, r)
	}
}

func (p *Portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.page(w, http.StatusNotFound, "notfound", &templates.NotePage{Lang: preferred(r)})
}

// broken is our own fault: the reader may come back.
func (p *Portal) broken(w http.ResponseWriter, err error) {
	p.Log.Error("page", "err", err)
	http.Error(w, "Something went wrong here. Please try again later.", http.StatusServiceUnavailable)
}

// page renders before it writes, so that no half page leaves.
func (p *Portal) page(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := p.Templates.Load().Page(name, &b, data); err != nil {
		p.broken(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// preferred is the reader's language where nothing else tells it.
func preferred(r *http.Request) string {
	for _, tag := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		switch lang, _, _ := strings.Cut(strings.TrimSpace(tag), "-"); {
		case strings.HasPrefix(lang, "fr"):
			return "fr"
		case strings.HasPrefix(lang, "en"):
			return "en"
		}
	}
	return "en"
}

// view is what a link lets its holder see.
type view struct {
	party    store.Party
	ticket   ticket.Ticket
	lang     string
	messages []store.Message
	files    map[int64][]store.Part
}

// look reads all that stands behind a link; sql.ErrNoRows if nothing does.
func (p *Portal) look(ctx context.Context, link string) (*view, error) {
	var v *view
	err := p.DB.View(ctx, func(tx *store.Tx) (err error) {
		v = &view{files: map[int64][]store.Part{}}
		if v.party, err = tx.PartyByLink(link); err != nil {
			return err
		}
		if v.ticket, err = tx.TicketByID(v.party.TicketID); err != nil {
			return err
		}
		if v.lang, err = tx.Language(v.party.Address); err != nil {
			return err
		}
		all, err := tx.Messages(v.ticket.ID)
		for _, m := range all {
			if err == nil && v.party.MaySee(m) {
				v.messages = append(v.messages, m)
				v.files[m.ID], err = tx.Parts(m.ID)
			}
		}
		return err
	})
	return v, err
}

func (p *Portal) ticket(w http.ResponseWriter, r *http.Request, link string) {
	v, err := p.look(r.Context(), link)
	if errors.Is(err, sql.ErrNoRows) {
		p.notFound(w, r)
		return
	}
	if err != nil {
		p.broken(w, err)
		return
	}
	desk := p.Settings.Load().Desk(v.ticket.Desk)
	if desk == nil {
		p.notFound(w, r)
		return
	}
	p.page(w, http.StatusOK, "ticket", v.page(desk, p.Now()))
}

func (v *view) page(desk *mailflow.Desk, now time.Time) *templates.TicketPage {
	if v.lang == "" {
		v.lang = desk.Language
	}
	t := v.ticket
	page := &templates.TicketPage{
		Desk: templates.Desk{Name: desk.Name(v.lang), Address: desk.Address, Accent: desk.Accent},
		Lang: v.lang, Number: t.Number, Subject: t.Subject, State: t.State, Closed: t.Closed, Since: t.Updated,
		Next: templates.Next{Kind: t.Next, At: t.Deadline}, Zone: desk.Zone, Now: now,
	}
	for _, m := range v.messages {
		shown := templates.PageMessage{At: m.At, Author: v.author(m, desk), Role: m.Role, Text: m.Words}
		for _, f := range v.files[m.ID] {
			shown.Files = append(shown.Files, templates.File{Name: mailflow.FileName(f), Size: f.Size,
				URL: fileURL(v.party.Link, f)})
		}
		page.Messages = append(page.Messages, shown)
	}
	return page
}

// author names a writer as the reader may see him: an agent is the desk.
func (v *view) author(m store.Message, desk *mailflow.Desk) string {
	switch {
	case m.Role == ticket.Agent && v.party.Role != ticket.Agent:
		return desk.Name(v.lang)
	case m.Name != "":
		return m.Name
	}
	return m.Address
}
