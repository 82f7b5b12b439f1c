package portal

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// incident is a form with every type of field.
func incident() mailflow.Form {
	words := func(fr, en string) mailflow.Texts { return mailflow.Texts{"fr": fr, "en": en} }
	choice := func(value, fr, en string, second ...mailflow.Choice) mailflow.Choice {
		return mailflow.Choice{Value: value, Label: words(fr, en), Choices: second}
	}
	return mailflow.Form{Key: "incident", Fields: []mailflow.Field{
		{Name: "summary", Type: mailflow.TextField, Required: true, Label: words("Que se passe-t-il ?", "What happens?"),
			Help:    words("Une phrase, comme vous le diriez au téléphone.", "One sentence, as you would say it on the phone."),
			Example: words("Les appels entrants n’arrivent plus sur le standard", "Incoming calls no longer reach the switchboard")},
		{Name: "service", Type: mailflow.SelectField, Required: true, Services: true, Label: words("Service concerné", "Service concerned")},
		{Name: "since", Type: mailflow.ExactField, Required: true, Label: words("Depuis quand ?", "Since when?"),
			Help: words("L’heure exacte de la dernière fois, à la minute près.", "The exact time of the latest occurrence, to the minute.")},
		{Name: "place", Type: mailflow.SelectField, Required: true, Label: words("Où se trouve le défaut ?", "Where is the fault?"), Choices: []mailflow.Choice{
			choice("console", "Bandeau opérateur", "Operator console", choice("sign-in", "À la connexion", "When signing in"), choice("call", "Pendant un appel", "During a call")),
			choice("network", "Réseau ou liaison", "Network or connection", choice("outage", "Coupure totale", "Total outage"), choice("slow", "Lenteur", "Slowness")),
			choice("elsewhere", "Ailleurs", "Elsewhere, or I do not know"),
		}},
		{Name: "action", Type: mailflow.TextareaField, Required: true, Label: words("Que faisiez-vous ?", "What were you doing?"), ShownWhen: "place", ShownValues: []string{"console"},
			Help:    words("L’écran, le bouton, ce que vous attendiez et ce qui est venu.", "The screen, the button, what you expected and what came instead."),
			Example: words("1. Je passe de « pause » à « disponible ».\n2. Je clique sur « Prendre l’appel ».\n3. Rien ne change.", "1. I switch from \"on break\" to \"available\".\n2. I click \"Take the call\".\n3. Nothing changes.")},
		{Name: "connection", Type: mailflow.TextField, Required: true, Label: words("La liaison concernée", "The connection concerned"), ShownWhen: "place", ShownValues: []string{"network"},
			Example: words("Site de Lyon, 192.0.2.10", "Lyon site, 192.0.2.10")},
		{Name: "urgency", Type: mailflow.RadioField, Required: true, Label: words("Urgence", "Urgency"), Choices: []mailflow.Choice{
			choice("medium", "Moyenne : le travail continue, avec une gêne", "Medium: work goes on, with difficulty"),
			choice("high", "Haute : un service est arrêté", "High: a service is down")}},
		{Name: "stopped", Type: mailflow.TextField, Label: words("Quel service est arrêté ?", "Which service is down?"), ShownWhen: "urgency", ShownValues: []string{"high"}},
		{Name: "affected", Type: mailflow.CheckboxField, Label: words("Qui est touché ?", "Who is affected?"), Choices: []mailflow.Choice{
			choice("me", "Moi", "Me"), choice("team", "Mon équipe", "My team"), choice("all", "Tout le site", "The whole site")}},
		{Name: "reply_to", Type: mailflow.EmailField, Label: words("Une autre adresse", "Another address of yours")},
		{Name: "phone", Type: mailflow.TelField, Label: words("Un numéro où vous joindre", "A number where you can be reached"), Example: words("01 99 00 12 34", "+33 1 99 00 12 34")},
		{Name: "screenshots", Type: mailflow.FileField, Label: words("Captures d’écran", "Screenshots"),
			Help: words("L’écran entier, avec l’heure visible si possible.", "The whole screen, with the time visible if possible.")},
		{Name: "checked", Type: mailflow.CheckboxField, Label: words("J’ai vérifié notre propre réseau", "I have checked our own network")},
		{Name: "details", Type: mailflow.TextareaField, Label: words("Autre chose à savoir", "Anything else")},
	}}
}

// newFormSite is a site whose desk support asks that form; tickets of it
// await it.
func newFormSite(t *testing.T, d *storetest.Database) *site {
	s := newSite(t, d)
	now := *s.settings.Load()
	now.BaseURL, now.Hostname = s.server.URL, "desk.example"
	now.Forms = []mailflow.Form{incident()}
	now.Desks = slices.Clone(now.Desks)
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	desk := &now.Desks[0]
	desk.Form, desk.Zone, desk.Number, desk.Reply = "incident", paris, "INC-%06d", "off"
	desk.Names = map[string]string{"en": "Technical support", "fr": "Support technique"}
	desk.Policy = ticket.Policy{Intake: ticket.Form, Validation: true, Approval: ticket.Assumed,
		Timers: ticket.Timers{FormExpires: 14 * 24 * time.Hour, ReopenWithin: time.Hour}}
	s.settings.Store(&now)
	s.portal.Flow = &mailflow.Flow{DB: s.db, Settings: &s.settings, Templates: s.portal.Templates, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Keys: ticket.Keyring{{ID: 1, Secret: []byte("a key for tests, of 32 octets...")}},
		Now:  s.portal.Now, Count: &mailflow.Counters{}, Outgoing: func() {}}
	s.portal.Flow.Prepare()
	return s
}

// await stores a ticket that waits for its writer's form.
func (s *site) await(address, subject string, change ...func(*ticket.Ticket)) (ticket.Ticket, store.Party) {
	s.Helper()
	tk, p := s.open("support", address, subject, append([]func(*ticket.Ticket){func(t *ticket.Ticket) {
		t.State, t.Number, t.FormFor = ticket.AwaitingForm, "", address
		t.Next, t.Deadline = ticket.FormLink, start.Add(14*24*time.Hour)
	}}, change...)...)
	s.says(tk, p, store.Public, "The router is dead.")
	return tk, p
}

// good are answers that are taken.
func good() url.Values {
	return url.Values{"lang": {"en"}, "summary": {"No call arrives"}, "since": {"2026-11-21T14:05"}, "since-zone": {"Europe/Paris"},
		"place": {"console/call"}, "action": {"I took a call.\r\nNothing came."}, "urgency": {"high"}, "details": {""}}
}

// but is good with other answers; nil removes one.
func but(pairs ...any) url.Values {
	v := good()
	for i := 0; i < len(pairs); i += 2 {
		switch value := pairs[i+1].(type) {
		case nil:
			v.Del(pairs[i].(string))
		case string:
			v.Set(pairs[i].(string), value)
		case []string:
			v[pairs[i].(string)] = value
		}
	}
	return v
}

// post sends a form as a browser without files may.
func (s *site) post(path string, values url.Values, header ...string) answer {
	s.Helper()
	return s.send(path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()), header...)
}

func (s *site) send(path, kind string, body io.Reader, header ...string) answer {
	s.Helper()
	req, err := http.NewRequest(http.MethodPost, s.server.URL+path, body)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp, string(b)}
}

// upload sends a form with files, as FIELD NAME DATA.
func (s *site) upload(path string, values url.Values, files ...[3]string) answer {
	s.Helper()
	kind, body := multi(s.T, values, files...)
	return s.send(path, kind, body)
}

func multi(t testing.TB, values url.Values, files ...[3]string) (string, io.Reader) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	put := func(f [3]string) {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"image/png"},
			"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"; filename="%s"`, f[0], f[1])}})
		if err == nil {
			_, err = io.WriteString(part, f[2])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files { // first, so that answers stand behind large ones
		put(f)
	}
	for name, list := range values {
		for _, v := range list {
			if err := w.WriteField(name, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	return w.FormDataContentType(), &b
}

// taken wants a form taken, and follows to the thanks.
func (s *site) taken(a answer) string {
	s.Helper()
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasSuffix(to, "?sent") {
		s.Fatalf("not taken: %s %s\n%s", a.Status, to, a.body)
	}
	return s.get(to)
}

// wrong wants a form refused for certain fields.
func (s *site) wrong(a answer, fields ...string) {
	s.Helper()
	var found []string
	for _, m := range regexp.MustCompile(`id="e-([a-z_-]+)"`).FindAllStringSubmatch(a.body, -1) {
		found = append(found, m[1])
	}
	if a.StatusCode != http.StatusUnprocessableEntity || !slices.Equal(found, fields) {
		s.Errorf("%s with problems in %v, want %v", a.Status, found, fields)
	}
}

// robot fills a form from its page alone: the first entry of each list, words
// in each text, the first of each group of buttons.
func robot(t testing.TB, page string) (action string, values url.Values) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	values = url.Values{}
	forms, textareas := 0, 0
	attr := func(n *html.Node, name string) string {
		for _, a := range n.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name := attr(n, "name")
		switch n.Data {
		case "form":
			forms++
			action = attr(n, "action")
		case "textarea":
			textareas++
			values.Set(name, "Some words.")
		case "select":
			for o := range n.Descendants() {
				if o.Data == "option" && !values.Has(name) {
					values.Set(name, attr(o, "value"))
				}
			}
		case "input":
			fillInput(values, attr(n, "type"), name, attr(n, "value"))
		}
	}
	if forms != 1 || textareas == 0 {
		t.Fatalf("%d forms, %d textareas", forms, textareas)
	}
	return action, values
}

func fillInput(values url.Values, kind, name, value string) {
	switch kind {
	case "hidden":
		values.Set(name, value)
	case "text":
		values.Set(name, "words")
	case "email":
		values.Set(name, "somebody@customer.example")
	case "tel":
		values.Set(name, "+33 1 99 00 12 34")
	case "datetime-local":
		values.Set(name, "2026-11-21T14:05")
	case "radio":
		if !values.Has(name) {
			values.Set(name, value)
		}
	}
}
