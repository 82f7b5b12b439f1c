package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// now reads a ticket with what belongs to it.
func (s *site) now(id int64) (t ticket.Ticket, messages []store.Message, parties []store.Party) {
	s.Helper()
	if err := s.db.View(s.Context(), func(tx *store.Tx) (err error) {
		if t, err = tx.TicketByID(id); err == nil {
			if messages, err = tx.Messages(id); err == nil {
				parties, err = tx.Parties(id)
			}
		}
		return err
	}); err != nil {
		s.Fatal(err)
	}
	return t, messages, parties
}

// mailed lists the mails that wait to leave, as KIND ADDRESS.
func (s *site) mailed() (list []string) {
	s.Helper()
	if err := s.db.View(s.Context(), func(tx *store.Tx) error {
		rows, err := tx.OutboxPage("", 0, 500)
		for _, o := range rows {
			list = append(list, string(o.Kind)+" "+o.Recipient)
		}
		return err
	}); err != nil {
		s.Fatal(err)
	}
	return list
}

func TestFormBecomesATicket(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		tk, anna := s.await("anna@customer.example", "Router")
		path := "/t/" + anna.Link
		s.holds(s.get(path), "Tell us more", `method="post"`, "Router", "-INC-")
		s.holds(s.taken(s.post(path, good())), "INC-000001", "anna@customer.example", "A technician checks")
		now, messages, parties := s.now(tk.ID)
		if now.State != ticket.New || now.Number != "INC-000001" || now.Urgency != "high" || len(messages) != 2 || !parties[0].Proven {
			t.Errorf("%+v, %d messages, %+v", now, len(messages), parties[0])
		}
		want := `What happens? No call arrives
Since when? Saturday 21 November 2026 at 14:05 (Paris time)
Where is the fault? Operator console – During a call

What were you doing?
I took a call.
Nothing came.

Urgency: High: a service is down`
		if got := messages[1].Words; got != want {
			t.Errorf("the message says\n%s", got)
		}
		if got := s.mailed(); !slices.Equal(got, []string{"acknowledgment anna@customer.example", "notification agent@desk.example", "notification first@desk.example"}) {
			t.Errorf("mailed: %v", got)
		}
		// The page is the ticket's now; the form is still taken.
		s.holds(s.get(path), "Received, not yet opened", "No call arrives", "-<form")
		s.taken(s.post(path, good()))
		if _, again, _ := s.now(tk.ID); len(again) != 2 {
			t.Errorf("the same form again made %d messages", len(again))
		}
		s.taken(s.post(path, but("details", "And one more thing")))
		if now, more, _ := s.now(tk.ID); len(more) != 3 || now.State != ticket.New || now.Number != "INC-000001" {
			t.Errorf("another form: %d messages, %+v", len(more), now)
		}
	})
}

// What the contract says of the first page: who fills it from the page alone,
// with the first entry of every list, is taken.
func TestFirstEntriesAreTaken(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		s.organisations()
		for _, who := range []string{"anna@customer.example", "dora@nobody.example", "ines@integrator.example", "olaf@other.example"} {
			for _, lang := range []string{"fr", "en"} {
				role := ticket.Customer
				if strings.Contains(who, "integrator") || strings.Contains(who, "other") {
					role = ticket.Integrator
				}
				tk, p := s.await(who, "Router")
				s.update(func(tx *store.Tx) error { return tx.SetRole(p.ID, role) })
				action, values := robot(t, s.get("/t/"+p.Link+"?lang="+lang))
				for _, optional := range []string{"phone", "reply_to", "stopped", "connection", "details"} {
					if lang == "en" {
						values.Del(optional)
					}
				}
				s.holds(s.taken(s.post(action, values)), "INC-")
				if _, messages, _ := s.now(tk.ID); strings.Contains(messages[1].Words, "Lyon") || strings.Contains(messages[1].Words, "words\nwords") {
					t.Errorf("%s: %s", who, messages[1].Words)
				}
			}
		}
	})
}

// organisations: integrator.example serves two, one of which has contacts;
// other.example one whose contacts nobody knows.
func (s *site) organisations() {
	s.Helper()
	s.update(func(tx *store.Tx) error {
		for _, o := range []store.Organisation{
			{Name: "Acme / North", Language: "fr", Integrators: []string{"integrator.example"}, Domains: []string{"acme.example"}, Services: []string{"Lyon"}},
			{Name: "Customer SARL", Language: "fr", Integrators: []string{"integrator.example"}, Domains: []string{"customer.example"}, Services: []string{"Paris, main line", "Nantes"},
				Manager: "first@desk.example"},
			{Name: "Quiet", Integrators: []string{"olaf@other.example"}},
		} {
			if err := tx.SaveOrganisation(o); err != nil {
				return err
			}
		}
		if err := tx.SaveContact("Customer SARL", store.Contact{Address: "anna@customer.example", Name: "Anna Martin"}); err != nil {
			return err
		}
		return tx.SaveContact("Customer SARL", store.Contact{Address: "bert@customer.example"})
	})
}

func TestIntegratorNamesHisCustomer(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		s.organisations()
		tickets := 0
		ask := func() (ticket.Ticket, store.Party) {
			tickets++
			tk, p := s.await("ines@integrator.example", "Router")
			s.update(func(tx *store.Tx) error { return tx.SetRole(p.ID, ticket.Integrator) })
			p.Role = ticket.Integrator
			return tk, p
		}
		tk, ines := ask()
		page := s.get("/t/" + ines.Link)
		s.holds(page, "Customer SARL – Anna Martin (anna@customer.example)", "Customer SARL – bert@customer.example", "Acme / North", "-Quiet",
			"Customer SARL – Nantes", "Acme / North – Lyon", "None of these")
		if strings.Index(page, "Anna Martin") > strings.Index(page, "Acme / North") {
			t.Error("who needs no address does not come first")
		}
		before := len(s.mailed())
		s.taken(s.post("/t/"+ines.Link, but("for-customer", "Customer SARL/bert@customer.example", "service", "Customer SARL/Nantes")))
		s.customer(tk, "bert@customer.example", false)
		if got := s.mailed()[before:]; !slices.Contains(got, "acknowledgment bert@customer.example") || !slices.Contains(got, "acknowledgment ines@integrator.example") {
			t.Errorf("mailed %v", got)
		}
		now, messages, _ := s.now(tk.ID)
		if now.Assignee != "first@desk.example" { // the customer's organisation has its own
			t.Errorf("assigned to %q", now.Assignee)
		}
		s.holds(messages[1].Words, "For customer: Customer SARL, bert@customer.example", "Service concerned: Customer SARL – Nantes")

		// An address that was only typed gets nothing yet.
		tk, ines = ask()
		before = len(s.mailed())
		s.taken(s.post("/t/"+ines.Link, but("for-customer", "Customer SARL/bert@customer.example", "for-email", " Carl@Customer.example ", "service", "-")))
		s.customer(tk, "carl@customer.example", true)
		if got := strings.Join(s.mailed()[before:], ","); strings.Contains(got, "carl@") || strings.Contains(got, "bert@") {
			t.Errorf("mailed %s", got)
		}

		// Typed, but known.
		tk, ines = ask()
		s.taken(s.post("/t/"+ines.Link, but("for-customer", "Acme / North", "for-email", "anna@customer.example", "service", "Acme / North/Lyon")))
		s.customer(tk, "anna@customer.example", false)

		_, ines = ask()
		for _, c := range []struct {
			values url.Values
			field  string
		}{
			{but("for-customer", "Acme / North", "service", "-"), "for-email"},
			{but("for-customer", "Acme / North", "for-email", "ines@integrator.example", "service", "-"), "for-email"},
			{but("for-customer", "Acme / North", "for-email", "agent@desk.example", "service", "-"), "for-email"},
			{but("for-customer", "Acme / North", "for-email", "support+x@desk.example", "service", "-"), "for-email"},
			{but("for-customer", "Acme / North", "for-email", "carl", "service", "-"), "for-email"},
			{but("for-customer", "Quiet", "service", "-"), "for-customer"},
			{but("for-customer", "Customer SARL", "service", "-"), "for-customer"},
			{but("for-customer", "Customer SARL/anna@customer.example", "service", "Acme / North/Lyon"), "service"},
		} {
			s.wrong(s.post("/t/"+ines.Link, c.values), c.field)
		}
	})
}

// customer wants one customer on a ticket, told or not, who sees the form.
func (s *site) customer(tk ticket.Ticket, address string, untold bool) {
	s.Helper()
	_, _, parties := s.now(tk.ID)
	found := 0
	for _, p := range parties {
		if p.Role != ticket.Customer {
			continue
		}
		found++
		if p.Address != address || p.Untold != untold || p.AddedBy != "ines@integrator.example" {
			s.Errorf("the customer is %+v", p)
		}
		s.holds(s.get("/t/"+p.Link), "No call arrives", "-The router is dead.")
	}
	if found != 1 {
		s.Errorf("%d customers", found)
	}
}

func TestServicesOfTheWriter(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	s.organisations()
	_, anna := s.await("anna@customer.example", "Router")
	_, dora := s.await("dora@nobody.example", "Router")
	s.holds(s.get("/t/"+anna.Link), "Paris, main line", "Nantes", "-Lyon</option>")
	s.holds(s.get("/t/"+dora.Link), "-Service", "-f-service")
	s.wrong(s.post("/t/"+anna.Link, good()), "service")
	s.wrong(s.post("/t/"+anna.Link, but("service", "Lyon")), "service")
	s.taken(s.post("/t/"+anna.Link, but("service", "Nantes")))
	s.taken(s.post("/t/"+dora.Link, but("service", "Nantes")))
}

func TestWrongFormsKeepWhatWasTyped(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		tk, anna := s.await("anna@customer.example", "Router")
		path := "/t/" + anna.Link
		before := s.snapshot(tk)
		for _, words := range evil {
			a := s.post(path, url.Values{"lang": {"fr"}, "summary": {words}, "place": {"network/slow"}, "action": {words}, "connection": {words}, "affected": {"team", "all"},
				"urgency": {"high"}, "stopped": {words}, "reply_to": {words}, "phone": {words}, "details": {words + "\n" + words}, "since": {words}, "since-zone": {"Asia/Tokyo"}, "checked": {"yes"}})
			s.wrong(a, "since", "reply_to")
			s.kept(a.body, words)
		}
		s.wrong(s.post(path, url.Values{}), "summary", "since", "place", "urgency")
		s.holds(s.post(path, url.Values{"lang": {"fr"}}).body, "4 réponses sont à revoir", "href=\"#f-urgency-0\"", "Rien n’est encore envoyé")
		if after := s.snapshot(tk); after != before {
			t.Errorf("changed:\n%s\n%s", before, after)
		}
	})
}

// kept wants what was typed in every field, as words and no markup.
func (s *site) kept(page, words string) {
	s.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		s.Fatal(err)
	}
	fields, chosen := 0, 0
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && strings.Contains(" script style b img svg base ", " "+n.Data+" ") {
			s.Errorf("%q makes an element %s", words, n.Data)
		}
		if n.Data == "textarea" && n.FirstChild != nil && strings.Contains(n.FirstChild.Data, words) {
			fields++
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") {
				s.Errorf("%q makes an attribute %s", words, a.Key)
			}
			if a.Key == "value" && a.Val == words && n.Data == "input" {
				fields++
			}
			if a.Key == "checked" || a.Key == "selected" {
				chosen++
			}
		}
	}
	if fields != 8 || chosen != 6 { // place, zone, urgency, two affected, checked
		s.Errorf("%q is kept in %d fields, %d choices", words, fields, chosen)
	}
}

func TestTimesInWords(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	tk, anna := s.await("anna@customer.example", "Router")
	path := "/t/" + anna.Link
	vague := s.post(path, but("since", "around 3 pm"))
	s.wrong(vague, "since")
	s.holds(vague.body, "To the minute, if you can", `name="since-words" id="f-since-words" value="around 3 pm"`)
	missing := s.post(path, but("since", ""))
	s.wrong(missing, "since")
	s.holds(missing.body, `name="since-words"`)
	s.wrong(s.post(path, but("since", "", "since-words", "")), "since")
	s.wrong(s.post(path, but("since", "0001-01-01T00:00")), "since")
	s.taken(s.post(path, but("since", "", "since-words", "around 3 pm")))
	_, messages, _ := s.now(tk.ID)
	s.holds(messages[1].Words, "Since when? around 3 pm (approximate)")
	// The exact time counts, in its zone.
	s.taken(s.post(path, but("since", "2026-07-01T09:30", "since-zone", "Asia/Tokyo", "since-words", "or so")))
	_, messages, _ = s.now(tk.ID)
	s.holds(messages[2].Words, "Wednesday 1 July 2026 at 09:30 (Tokyo time), or so")
	s.taken(s.post(path, but("since", "2026-07-01T09:30", "since-zone", "Mars/Base")))
	_, messages, _ = s.now(tk.ID)
	s.holds(messages[3].Words, "at 09:30 (Paris time)")
	s.taken(s.post(path, but("since", "", "since-zone", "America/New_York", "since-words", "around 3 pm")))
	_, messages, _ = s.now(tk.ID)
	s.holds(messages[4].Words, "Since when? around 3 pm (approximate, New York time)")
}

func TestLanguageIsLearnt(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	_, anna := s.await("anna@customer.example", "Router")
	path := "/t/" + anna.Link
	s.holds(s.get(path), `lang="en"`, "?lang=fr")
	french := s.get(path + "?lang=fr")
	s.holds(french, `<html lang="fr">`, "Précisez votre demande", `name="lang" value="fr"`, "?lang=en", "Envoyer ma demande", "-Example:")
	if lang := s.language("anna@customer.example"); lang != "" {
		t.Errorf("a GET has taught us %q", lang)
	}
	s.holds(s.taken(s.post(path, but("lang", "fr"))), "Merci")
	if lang := s.language("anna@customer.example"); lang != "fr" {
		t.Errorf("the language is %q", lang)
	}
	s.holds(s.get(path), `<html lang="fr">`)
}

// The zone that a form names is its writer's, and nobody else's.
func TestZoneIsLearnt(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	tk, anna := s.await("anna@customer.example", "Router")
	bert := s.join(tk, ticket.Follower, "bert@customer.example", 0)
	s.holds(s.get("/t/"+anna.Link), `<option value="Europe/Paris" selected>`)
	s.taken(s.post("/t/"+anna.Link, but("since-zone", "America/New_York")))
	s.holds(s.get("/t/"+anna.Link), "(New York time)", "-(Paris time)")
	s.holds(s.get("/t/"+bert.Link), "(Paris time)")
	next, again := s.await("anna@customer.example", "Switch")
	s.holds(s.get("/t/"+again.Link), `<option value="America/New_York" selected>`, `-<option value="Europe/Paris" selected>`)
	s.taken(s.post("/t/"+again.Link, but("since-zone", "nowhere")))
	if now, _, _ := s.now(next.ID); now.State != ticket.New {
		t.Errorf("a form with an unknown zone is %s", now.State)
	}
}

func (s *site) language(address string) (lang string) {
	s.Helper()
	if err := s.db.View(s.Context(), func(tx *store.Tx) (err error) { lang, _, err = tx.Reader(address); return err }); err != nil {
		s.Fatal(err)
	}
	return lang
}

func TestWhoMaySubmit(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	tk, anna := s.await("anna@customer.example", "Router")
	agent := s.join(tk, ticket.Agent, "agent@desk.example", 0)
	other, bert := s.open("sales", "bert@customer.example", "Invoice") // its desk has no form
	before := s.snapshot(tk) + s.snapshot(other)
	for _, c := range []struct {
		name, link string
		code       int
		header     []string
	}{
		{"an agent", agent.Link, http.StatusMethodNotAllowed, nil},
		{"a desk without a form", bert.Link, http.StatusMethodNotAllowed, nil},
		{"nobody", strings.Repeat("0", 40), http.StatusNotFound, nil},
		{"another site", anna.Link, http.StatusForbidden, []string{"Sec-Fetch-Site", "cross-site"}},
		{"a neighbour", anna.Link, http.StatusForbidden, []string{"Sec-Fetch-Site", "same-site"}},
		{"another origin", anna.Link, http.StatusForbidden, []string{"Origin", "https://evil.example"}},
		{"no origin", anna.Link, http.StatusForbidden, []string{"Origin", "null"}},
	} {
		if a := s.post("/t/"+c.link, good(), c.header...); a.StatusCode != c.code {
			t.Errorf("%s: %s", c.name, a.Status)
		}
	}
	for _, kind := range []string{"", "text/plain", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"} {
		if a := s.send("/t/"+anna.Link, kind, strings.NewReader(good().Encode())); a.StatusCode/100 != 4 {
			t.Errorf("%q: %s", kind, a.Status)
		}
	}
	if after := s.snapshot(tk) + s.snapshot(other); after != before {
		t.Error("something changed")
	}
	// Behind a proxy the browser sees the configured address.
	now := *s.settings.Load()
	now.BaseURL = "https://desk.example"
	s.settings.Store(&now)
	s.taken(s.post("/t/"+anna.Link, good(), "Origin", "https://desk.example"))
}

// number is the row of the ticket with that number.
func (s *site) number(number string) (id int64) {
	s.Helper()
	if err := s.db.View(s.Context(), func(tx *store.Tx) error {
		t, err := tx.TicketByNumber(number)
		id = t.ID
		return err
	}); err != nil {
		s.Fatal(err)
	}
	return id
}

func TestFormOfAClosedTicket(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		abandoned, anna := s.await("anna@customer.example", "Router", func(t *ticket.Ticket) {
			t.State, t.Closed, t.ClosedAt, t.Next = ticket.Closed, ticket.Abandoned, start.AddDate(0, 0, -30), ""
		})
		s.holds(s.get("/t/"+anna.Link), "Tell us more")
		s.holds(s.taken(s.post("/t/"+anna.Link, good())), "INC-000001")
		if now, _, _ := s.now(abandoned.ID); now.State != ticket.New {
			t.Errorf("an abandoned one is %s", now.State)
		}
		closed, bert := s.await("bert@customer.example", "Router", func(t *ticket.Ticket) {
			t.State, t.Closed, t.ClosedAt, t.Next, t.Number = ticket.Closed, ticket.Approved, start.AddDate(0, 0, -30), "", "INC-900000"
		})
		// Too late for it: a ticket of its own, once, however often it is sent.
		for range 3 {
			s.holds(s.taken(s.upload("/t/"+bert.Link, but("urgency", "high"), [3]string{"screenshots", "a.png", "PNG"})), "INC-000002")
		}
		if now, messages, _ := s.now(closed.ID); now.State != ticket.Closed || now.Number != "INC-900000" || len(messages) != 1 {
			t.Errorf("the closed one is %s with %d messages", now.State, len(messages))
		}
		if now, messages, parties := s.now(s.number("INC-000002")); now.State != ticket.New || now.Urgency != "high" || now.Subject != "Router" ||
			len(messages) != 1 || messages[0].Party != parties[0].Ordinal || parties[0].Address != "bert@customer.example" ||
			!slices.Equal(s.files(messages[0].ID), []string{"a.png 3"}) {
			t.Errorf("the new one is %+v with %+v of %+v", now, messages, parties)
		}
		if got := s.mailed(); !slices.Contains(got, "acknowledgment bert@customer.example") {
			t.Errorf("mailed %v", got)
		}
		// A merged one goes on elsewhere.
		lives, carl := s.open("support", "carl@customer.example", "Lives")
		merged, _ := s.await("carl@customer.example", "Router", func(t *ticket.Ticket) {
			t.State, t.Closed, t.MergedInto, t.Next = ticket.Closed, ticket.Merged, lives.ID, ""
		})
		_, _, parties := s.now(merged.ID)
		s.holds(s.taken(s.post("/t/"+parties[0].Link, good())), lives.Number)
		if _, messages, _ := s.now(lives.ID); len(messages) != 1 || messages[0].Party != carl.Ordinal {
			t.Errorf("the survivor has %+v", messages)
		}
	})
}
