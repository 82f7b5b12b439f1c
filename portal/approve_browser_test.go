package portal

import (
	"strings"
	"testing"

	"guichet/mailflow/ticket"
	"guichet/portal/browsertest"
	"guichet/store"
	"guichet/store/storetest"
)

// A person refuses, and then confirms, a solution in a browser without
// scripts.
func TestBrowserApproves(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Donaudampfschifffahrtsgesellschaftskapitän <b>O'Neil & Söhne</b>", resolved)
	agent := s.join(tk, ticket.Agent, "agent@desk.example", 0)
	s.says(tk, agent, store.Public, "The fuse was replaced.")
	b := browsertest.Start(t)
	page := s.server.URL + "/t/" + anna.Link + "/approve"
	b.Size(1280, 900)
	b.Open(page)
	b.Shot("approve-desk")
	b.Size(390, 844)
	b.Open(page)
	b.Shot("approve-phone")
	if wide := b.Overflows(); wide != "" {
		t.Errorf("wider than a phone: %s", wide)
	}
	b.Type("#comment", "The light is <red>.")
	b.Follow(`button[value="refuse"]`)
	b.Shot("approve-phone-refused")
	if text := b.Text("main"); !strings.Contains(text, "we are working on it") || strings.Contains(text, "It is solved") {
		t.Errorf("after the refusal: %s", text)
	}
	s.state(tk, ticket.Open, "")
	s.update(func(tx *store.Tx) error {
		now, err := tx.LockTicket(tk.ID)
		if err != nil {
			return err
		}
		now.State, now.Resolution = ticket.Resolved, 2
		return tx.SaveTicket(now)
	})
	b.Open(page)
	b.Follow(`button[value="approve"]`)
	b.Shot("approve-phone-approved")
	if h := b.Text("h1"); h != "Closed: the solution was confirmed" {
		t.Errorf("after the approval: %s", h)
	}
	s.state(tk, ticket.Closed, ticket.Approved)
	s.holds(s.get("/t/"+anna.Link), "The light is &lt;red&gt;.")
}
