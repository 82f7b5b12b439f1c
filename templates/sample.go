package templates

import (
	"time"

	"guichet/mailflow/ticket"
)

// samples are the mails that a template is checked with: every state, every
// reason of a closing, every next step, full of values, to a stranger, and
// with nothing at all.
func samples(kind ticket.Kind) []*Mail {
	list := []*Mail{{}, {Desk: Desk{Name: "Support", Address: "support@desk.example"}, Stranger: true, Number: "INC-000123", URL: "https://desk.example/t/x"}}
	add := func(change func(*Mail)) {
		m := fullSample()
		change(m)
		list = append(list, m)
	}
	for _, s := range []ticket.State{ticket.AwaitingForm, ticket.New, ticket.Open, ticket.Pending, ticket.Frozen, ticket.Resolved, ticket.Closed} {
		add(func(m *Mail) { m.State = s })
		add(func(m *Mail) { m.State, m.Next, m.Files, m.Words, m.History = s, Next{}, nil, "", nil })
	}
	for _, r := range []ticket.Reason{ticket.Abandoned, ticket.Rejected, ticket.Withdrawn, ticket.Approved, ticket.Unanswered, ticket.Unconfirmed, ticket.ByAgent, ticket.Merged} {
		add(func(m *Mail) { m.State, m.Closed, m.ReopenUntil = ticket.Closed, r, time.Time{} })
	}
	for _, k := range []ticket.Kind{ticket.Reminder, ticket.AutoCloseWarning, ticket.ClosureReminder, ticket.ClosedMail, ticket.FormLink} {
		add(func(m *Mail) { m.Next.Kind, m.N, m.M = k, 3, 3 })
	}
	add(func(m *Mail) { m.ApproveMail, m.RefuseMail = "", "" })
	add(func(m *Mail) { m.ApproveURL, m.ApproveMail, m.RefuseMail = "", "", "" })
	for _, role := range []ticket.Role{ticket.Follower, ticket.Customer} {
		add(func(m *Mail) { m.Role, m.Theirs, m.Asked = role, true, "Somebody" })
		add(func(m *Mail) {
			m.Role, m.Theirs, m.Stranger, m.State, m.Validation = role, true, true, ticket.New, true
		})
	}
	for _, section := range []string{"waiting", "form", "new"} {
		add(func(m *Mail) {
			m.Items = []Item{{Event: section, Subject: "Router"}, {Event: section, Number: "INC-000123", URL: m.URL}}
		})
	}
	add(func(m *Mail) { m.Ours, m.Received = true, time.Time{} })
	add(func(m *Mail) { m.Limit, m.Agent.Whole = 25<<20, "support@mail.example/INBOX, UID 12" })
	add(func(m *Mail) { m.Limit, m.Stranger = 25<<20, true })
	return list
}

// fullSample has a value in every field.
func fullSample() *Mail {
	t := time.Date(2026, 11, 21, 13, 5, 0, 0, time.UTC)
	files := []File{{Name: "photo.jpg", Size: 340_000}, {Name: "log.txt", Size: 12_000_000, URL: "https://desk.example/f/y"}}
	return &Mail{
		Desk:   Desk{Name: "Support", Address: "support@desk.example", About: "a fault"},
		Was:    Desk{Name: "Sales", Address: "sales@desk.example", About: "a contract"},
		Number: "INC-000123", Subject: "Router", URL: "https://desk.example/t/x", State: ticket.Open,
		Name: "A Name", Received: t, Zone: time.UTC,
		Words: "Words.\nOf two lines.", Author: "Support", AuthorRole: ticket.Agent, Files: files,
		History: []Entry{{At: t, Author: "A Name", Role: ticket.Customer, Text: "Older words."}},
		Next:    Next{Kind: ticket.Reminder, At: t.Add(24 * time.Hour), CloseAt: t.Add(96 * time.Hour)},
		N:       1, M: 3, ReopenUntil: t.Add(240 * time.Hour),
		ApproveURL: "https://desk.example/t/x/approve", ApproveMail: "mailto:support+a@desk.example?subject=x",
		RefuseMail: "mailto:support+r@desk.example?subject=x", Lasts: 24 * time.Hour,
		Agent: &AgentView{
			Marker: "7f3a", From: ticket.Pending, To: ticket.Open, Event: "answer",
			Sender: "customer@customer.example", SenderName: "A Name", Proof: "DKIM", Role: ticket.Customer,
			Organisation: "Example SARL", Also: []string{"contact@integrator.example (integrator)"},
			Assignee: "agent@desk.example", ToYou: true, Created: t, Deadline: t.Add(24 * time.Hour), Files: files,
			Commands: []Command{{Name: "#resolve"}, {Name: "#x", Help: "help"}}, Parties: 2, Other: "INC-000007", Reason: "A reason.",
		},
		Lines:   []Line{{Text: "#resolve", Reason: "done", OK: true}, {Text: "#foo", Reason: "unknown"}},
		Changes: []Change{{What: "categorised", Value: "network", Was: "screen"}, {What: "urgency-set", Value: "high"}, {What: "escalated"}},
		Items:   []Item{{Number: "INC-000123", Subject: "Router", Event: "answer", State: ticket.Open, At: t, URL: "https://desk.example/t/x", Answer: "mailto:support+a@desk.example?subject=x"}},
		Count:   2, Times: []time.Time{t, t.Add(time.Hour)},
	}
}
