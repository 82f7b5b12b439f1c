// Package portal serves the pages behind the links in mails. A page shows
// what its reader was mailed, and a GET changes nothing, however often a
// scanner sends it.
package portal

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"guichet/mailflow"
	"guichet/store"
	"guichet/templates"
)

// Portal is the handler of the web listener.
type Portal struct {
	DB        *store.DB
	Flow      *mailflow.Flow // through which a party's act enters, as its mail does
	Settings  *atomic.Pointer[mailflow.Settings]
	Templates *atomic.Pointer[templates.Set]
	Log       *slog.Logger
	Now       func() time.Time

	downloads, forms gate
}

// ServeHTTP answers GET and HEAD, which change nothing, and the POST of a
// page's own form. What does not exist and what is not the reader's look the
// same.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	form := len(parts) == 2 || len(parts) == 3 && parts[2] == "approve"
	if !p.mayAsk(w, r, form && parts[0] == "t") {
		return
	}
	switch {
	case r.URL.Path == "/":
		p.page(w, http.StatusOK, "home", p.home(preferred(r)))
	case r.URL.Path == "/style.css":
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Write(p.Templates.Load().StyleAccent(r.URL.Query().Get("accent")))
	case len(parts) == 2 && parts[0] == "t" && r.Method == http.MethodPost:
		p.submit(w, r, parts[1])
	case len(parts) == 2 && parts[0] == "t":
		p.ticket(w, r, parts[1])
	case len(parts) == 3 && parts[0] == "t" && parts[2] == "approve":
		p.approve(w, r, parts[1])
	case len(parts) == 4 && parts[0] == "t" && parts[2] == "file":
		p.file(w, r, parts[1])
	default:
		p.notFound(w, r)
	}
}

// mayAsk answers what a page does not take: any method but GET and HEAD, and,
// where it has a form, a POST that another site has sent.
func (p *Portal) mayAsk(w http.ResponseWriter, r *http.Request, form bool) bool {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return true
	case !form || r.Method != http.MethodPost:
		notAllowed(w)
		return false
	case p.sameOrigin(r) != nil:
		http.Error(w, "This form was sent by another site. Open the link in our mail and try again.", http.StatusForbidden)
		return false
	}
	return true
}

// sameOrigin refuses an act that another site had the reader's browser do.
// Behind a proxy the address that the reader sees is the configured one.
func (p *Portal) sameOrigin(r *http.Request) error {
	guard := http.NewCrossOriginProtection()
	if u, err := url.Parse(p.Settings.Load().BaseURL); err == nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return err
		}
	}
	return guard.Check(r)
}

func notAllowed(w http.ResponseWriter) {
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "This page only shows something.", http.StatusMethodNotAllowed)
}

// guard sets what every answer carries.
func guard(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // links are secrets
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'")
}

// home names the desk where there is only one.
func (p *Portal) home(lang string) *templates.NotePage {
	page := &templates.NotePage{Lang: lang}
	if desks := p.Settings.Load().Desks; len(desks) == 1 {
		page.Desk = deskOf(&desks[0], lang)
	}
	return page
}

func deskOf(d *mailflow.Desk, lang string) templates.Desk {
	return templates.Desk{Name: d.Name(lang), Address: d.Address, Accent: d.Accent}
}

func (p *Portal) notFound(w http.ResponseWriter, r *http.Request) {
	p.page(w, http.StatusNotFound, "notfound", &templates.NotePage{Lang: preferred(r)})
}

// broken is our own fault: the reader may come back.
func (p *Portal) broken(w http.ResponseWriter, err error) {
	p.Log.Error("page", "err", err)
	w.Header().Set("Retry-After", "60")
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
