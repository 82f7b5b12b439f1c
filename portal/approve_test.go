package portal

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// resolved makes a ticket one that was resolved once, an hour ago.
func resolved(t *ticket.Ticket) {
	t.State, t.Resolution, t.Version = ticket.Resolved, 1, 1
}

// postFrom sends a form as a browser does that says where the form came from.
func (s *site) postFrom(path, from string, form url.Values) answer {
	s.Helper()
	header := []string{"Sec-Fetch-Site", from}
	if from == "" {
		header = nil
	}
	a := s.post(path, form, header...)
	if a.StatusCode == http.StatusSeeOther {
		return s.do(http.MethodGet, a.Header.Get("Location"))
	}
	return a
}

func word(w string, more ...string) url.Values {
	form := url.Values{"word": {w}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func (s *site) state(t ticket.Ticket, want ticket.State, why ticket.Reason) {
	s.Helper()
	s.update(func(tx *store.Tx) error {
		now, err := tx.TicketByID(t.ID)
		if now.State != want || now.Closed != why {
			s.Errorf("%s is %s %s, want %s %s", t.Number, now.State, now.Closed, want, why)
		}
		return err
	})
}

func TestApprovalPage(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newSite(t, d)
		s.settings.Load().Desks[0].Policy.Timers.ReopenWithin = 1000 * time.Hour
		tk, anna := s.open("support", "anna@customer.example", "Router", resolved)
		s.says(tk, anna, store.Public, "The router is dead.")
		agent := s.join(tk, ticket.Agent, "agent@desk.example", 0)
		s.says(tk, agent, store.Public, "The fuse was replaced.")
		path := "/t/" + anna.Link + "/approve"
		page := s.get(path)
		s.holds(page, "The fuse was replaced.", `name="word" value="approve"`, `name="word" value="refuse"`, `<textarea id="comment" name="comment"`,
			`method="post" action="`+path+`"`, `name="resolution" value="1"`, "-The router is dead.", "-agent@desk.example", "-<script")
		if n := strings.Count(page, "<form"); n != 1 {
			t.Errorf("%d forms", n)
		}
		// The ticket's own page leads there those whose word is asked for.
		s.holds(s.get("/t/"+anna.Link), `<a class="button" href="`+path+`">`, "-<form")
		s.holds(s.get("/t/"+s.join(tk, ticket.Follower, "fred@customer.example", 0).Link), "-/approve")
		s.holds(s.get("/t/"+agent.Link), "-/approve")
		before := s.snapshot(tk)
		for range 3 {
			s.get(path + "?word=approve&resolution=1")
		}
		for _, bad := range []answer{
			s.postFrom(path, "cross-site", word("approve")), s.postFrom(path, "same-site", word("approve")),
			s.postFrom(path, "same-origin", word("")), s.postFrom(path, "same-origin", word("Approve")),
			s.postFrom(path, "same-origin", word("approve", "comment", strings.Repeat("x", 20_001))),
			s.postFrom(path, "same-origin", word("approve", "comment", strings.Repeat("x", 200_000))),
			s.do(http.MethodPut, path), s.do(http.MethodDelete, path),
		} {
			if bad.StatusCode < 400 || bad.StatusCode >= 500 {
				t.Errorf("%s %s", bad.Request.Method, bad.Status)
			}
		}
		if after := s.snapshot(tk); after != before {
			t.Fatalf("changed from\n%s\nto\n%s", before, after)
		}
		// What was written is kept where the button is missing.
		s.holds(s.postFrom(path, "same-origin", url.Values{"comment": {"All <well>"}}).body, "All &lt;well&gt;", "Please choose")
		a := s.postFrom(path, "same-origin", word("approve", "resolution", "1", "comment", "All well, thanks."))
		s.holds(a.body, "Closed: the solution was confirmed", "-value=\"approve\"")
		s.state(tk, ticket.Closed, ticket.Approved)
		s.holds(s.get("/t/"+anna.Link), "All well, thanks.")
		before = s.snapshot(tk)
		s.postFrom(path, "same-origin", word("approve", "comment", "again"))
		s.postFrom(path, "same-origin", word("refuse", "resolution", "2"))
		if after := s.snapshot(tk); after != before {
			t.Fatalf("a second approval changed\n%s\nto\n%s", before, after)
		}
		// Soon after the closing it can still be said that it was none.
		s.holds(s.get(path), `value="refuse"`, "-value=\"approve\"")
		s.holds(s.postFrom(path, "", word("refuse", "resolution", "1")).body, "There is no solution to confirm")
		s.state(tk, ticket.Open, "")
	})
}

// In any other state, and to anybody else, the page says where it stands, and
// does nothing.
func TestApprovalPageElsewhere(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	check := func(says string, role ticket.Role, change func(*ticket.Ticket)) {
		t.Helper()
		tk, _ := s.open("support", "anna@customer.example", "Router", func(t *ticket.Ticket) { resolved(t); change(t) })
		who := map[ticket.Role]string{ticket.Agent: "agent@desk.example", ticket.Follower: "friend@customer.example", ticket.Customer: "anna@customer.example"}
		p := s.join(tk, role, who[role], 0)
		path := "/t/" + p.Link + "/approve"
		before := s.snapshot(tk)
		s.holds(s.get(path), says, "-value=\"approve\"")
		for _, w := range []string{"approve", "refuse"} {
			s.holds(s.postFrom(path, "same-origin", word(w, "resolution", "1")).body, says)
		}
		if after := s.snapshot(tk); after != before {
			t.Errorf("changed from\n%s\nto\n%s", before, after)
		}
	}
	state := func(st ticket.State) func(*ticket.Ticket) { return func(t *ticket.Ticket) { t.State = st } }
	check("not been filled in yet", ticket.Customer, state(ticket.AwaitingForm))
	check("we are working on it", ticket.Customer, state(ticket.New))
	check("we are working on it", ticket.Customer, state(ticket.Open))
	check("we wait for an answer", ticket.Customer, state(ticket.Pending))
	check("we wait for an answer", ticket.Customer, state(ticket.Frozen))
	check("Closed by the desk", ticket.Customer, func(t *ticket.Ticket) {
		t.State, t.Closed, t.ClosedAt = ticket.Closed, ticket.ByAgent, start.Add(-1000*time.Hour)
	})
	check("The customer was asked", ticket.Follower, func(*ticket.Ticket) {})
	check("The customer was asked", ticket.Agent, func(*ticket.Ticket) {})
	s.nothing("/t/" + strings.Repeat("0", 40) + "/approve")
}

// An integrator whose approval does not count is told so, before and after.
func TestApprovalThatDoesNotCount(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router", resolved)
	p := s.join(tk, ticket.Integrator, "contact@integrator.example", 0)
	s.says(tk, anna, store.Public, "Thanks, I will look.")
	path := "/t/" + p.Link + "/approve"
	s.holds(s.get(path), "counts as an ordinary answer", `value="approve"`)
	s.holds(s.postFrom(path, "same-origin", word("approve", "resolution", "1", "comment", "Works here.")).body,
		"Your answer has been passed on", "-value=\"approve\"")
	s.state(tk, ticket.Open, "")
	s.holds(s.get("/t/"+anna.Link), "Works here.")
}
