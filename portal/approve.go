package portal

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// maxWord is the largest body of the approval form, in bytes: the comment,
// encoded.
const maxWord = 4*mailflow.MaxComment + 1<<10

// approve is the page that asks whether the problem is solved, and takes the
// answer. A second POST finds nothing that asks: the page says where the
// ticket stands.
func (p *Portal) approve(w http.ResponseWriter, r *http.Request, link string) {
	v, err := p.look(r.Context(), link, true)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
		return
	case err != nil:
		p.broken(w, err)
		return
	}
	page, err := p.approvalPage(r.Context(), v)
	if err != nil {
		p.broken(w, err)
		return
	}
	if r.Method == http.MethodPost {
		p.hear(w, r, v, page)
		return
	}
	page.Heard = r.URL.Query().Get("heard") == string(mailflow.AsAnswer) && page.State == ticket.Open
	p.page(w, http.StatusOK, "approve", page)
}

// hear takes the form. What is missing is asked for again, with what was
// written kept.
func (p *Portal) hear(w http.ResponseWriter, r *http.Request, v *view, page *templates.ApprovalPage) {
	r.Body = http.MaxBytesReader(w, r.Body, maxWord)
	word, ok := readWord(r, v)
	page.Comment = word.Comment
	switch {
	case !ok || len(word.Comment) > mailflow.MaxComment:
		page.TooLong = !ok || len(word.Comment) > mailflow.MaxComment
		p.page(w, http.StatusRequestEntityTooLarge, "approve", page)
		return
	case word.Act == "" && page.Asks:
		page.Unsaid = true
		p.page(w, http.StatusUnprocessableEntity, "approve", page)
		return
	}
	heard, err := p.Flow.Hear(r.Context(), word)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
		return
	case err != nil:
		p.broken(w, err)
		return
	}
	to := "/t/" + v.party.Link + "/approve"
	if heard == mailflow.AsAnswer {
		to += "?heard=" + string(heard)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// readWord reads the form. Without a resolution it is about the ticket's: the
// page that was sent names the one that it asked about.
func readWord(r *http.Request, v *view) (mailflow.Word, bool) {
	word := mailflow.Word{Link: v.party.Link, Resolution: v.ticket.Resolution}
	err := r.ParseMultipartForm(maxWord)
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return word, false
	}
	if n, err := strconv.Atoi(r.PostForm.Get("resolution")); err == nil {
		word.Resolution = n
	}
	switch r.PostForm.Get("word") {
	case "approve":
		word.Act = ticket.Approve
	case "refuse":
		word.Act = ticket.Refuse
	}
	word.Comment = r.PostForm.Get("comment")
	return word, true
}

// approvalPage is what the page shows of a view now.
func (p *Portal) approvalPage(ctx context.Context, v *view) (*templates.ApprovalPage, error) {
	now := p.Now()
	page := &templates.ApprovalPage{TicketPage: *v.page(now), URL: "/t/" + v.party.Link, Resolution: v.ticket.Resolution}
	page.Solution = v.solution()
	word := mailflow.Word{Act: ticket.Approve, Resolution: v.ticket.Resolution}
	page.Asks = mailflow.AsksWord(v.ticket, v.party, v.desk.Policy, word, now)
	word.Act = ticket.Refuse
	page.MayRefuse = mailflow.AsksWord(v.ticket, v.party, v.desk.Policy, word, now)
	page.Mine = v.party.Role == ticket.Customer || v.party.Role == ticket.Integrator
	if !page.Asks {
		return page, nil
	}
	err := p.DB.View(ctx, func(tx *store.Tx) (err error) {
		page.Counts, err = mailflow.ApprovalCounts(tx, v.ticket, v.party, v.desk.Policy)
		return err
	})
	return page, err
}

// solution is what the desk last told the parties: what the page asks about.
func (v *view) solution() (words string) {
	var at time.Time
	for _, m := range v.messages {
		if m.Role == ticket.Agent && m.Visibility == store.Public && !m.At.Before(at) {
			words, at = m.Words, m.At
		}
	}
	return words
}
