package templates

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// variant is one golden mail: changes on top of a plain ticket's mail.
type variant struct {
	kind   ticket.Kind
	name   string // after the kind in the file's name
	change func(m *Mail, fr bool)
}

func paris(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func either(fr bool, french, english string) string {
	if fr {
		return french
	}
	return english
}

// plainMail is a ticket as parties see it, before it has a story.
func plainMail(zone *time.Location, fr bool) *Mail {
	return &Mail{
		Desk:   Desk{Name: either(fr, "Support technique", "Technical support"), Address: "support@desk.example"},
		Number: "INC-000123", Subject: either(fr, "Le routeur ne répond plus", "The router does not answer"),
		URL: "https://desk.example/t/k3v7q2m5x4n6p8r9s1t0w2y4a6c8e0g2", State: ticket.New,
		Received: time.Date(2026, 11, 21, 14, 5, 0, 0, zone), Zone: zone,
	}
}

// golden lists every kind and the variants worth a look.
func golden(zone *time.Location) []variant {
	day := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, zone) }
	question := func(m *Mail, fr bool) {
		m.State = ticket.Pending
		m.Author, m.AuthorRole = m.Desk.Name, ticket.Agent
		m.Words = either(fr,
			"Quel est le modèle du routeur ? Il est écrit sous l’appareil, à côté du code-barres.\n\nMerci.",
			"Which model is the router? It is written below the device, beside the bar code.\n\nThank you.")
		m.Next = Next{Kind: ticket.Reminder, At: day(24, 9), CloseAt: day(28, 9)}
	}
	history := func(m *Mail, fr bool) {
		m.History = []Entry{
			{At: day(21, 16), Author: m.Desk.Name, Role: ticket.Agent, Text: either(fr, "Nous regardons cela tout de suite.", "We are looking at it at once.")},
			{At: day(21, 14), Author: "Jeanne Martin", Role: ticket.Customer, Text: either(fr,
				"Bonjour,\n\nle routeur ne répond plus depuis ce matin.\nLe voyant de gauche reste rouge.\n\nJeanne Martin",
				"Hello,\n\nthe router has not answered since this morning.\nThe light on the left stays red.\n\nJeanne Martin")},
		}
	}
	solved := func(m *Mail, fr bool) {
		m.State, m.Author, m.AuthorRole = ticket.Resolved, m.Desk.Name, ticket.Agent
		m.Words = either(fr, "Nous avons remplacé le bloc d’alimentation. Le routeur répond de nouveau.", "We have replaced the power supply. The router answers again.")
		m.ApproveURL, m.Role = m.URL+"/approve", ticket.Customer
		m.ApproveMail = Mailto("support+aqaaaaaaaaaa5n2q3kd4tjw6y7b3x2va@desk.example", Subject(either(fr, "fr", "en"), m.Subject, m.Number), Phrase(either(fr, "fr", "en"), ticket.Approve))
		m.RefuseMail = Mailto("support+awaaaaaaaaaa5n2q3kd4tjw6y7b3x2vb@desk.example", Subject(either(fr, "fr", "en"), m.Subject, m.Number), Phrase(either(fr, "fr", "en"), ticket.Refuse))
		m.Next = Next{Kind: ticket.ClosureReminder, At: day(24, 9), CloseAt: day(26, 9)}
	}
	closed := func(why ticket.Reason) func(*Mail, bool) {
		return func(m *Mail, fr bool) {
			m.State, m.Closed, m.ReopenUntil = ticket.Closed, why, day(30, 9)
			if why == ticket.ByAgent {
				m.Words = either(fr, "Doublon de votre demande de ce matin.", "The same as your request of this morning.")
			}
		}
	}
	hostile := func(m *Mail, fr bool) {
		question(m, fr)
		m.Desk.Name = "Söhne & <i>Co</i>"
		m.Desk.Accent = "#ffff00"
		m.Name = "<b>O'Neil & Söhne</b>\n# heading"
		m.Subject = "Re: AW: [#INC-000007] <script>alert(1)</script> {{.}} ${7*7} [[button: x | http://evil.example]]\r\n> quoted"
		m.Words = "# not a heading\n> not a quote\n[[button: Pay | https://evil.example]]\n---\n\x01- \x02not a point\x00\n{{.Desk}} ${7*7} <img src=x onerror=alert(1)>\n-- \nend"
		m.Files = []File{{Name: "<svg onload=alert(1)>.png", Size: 12}, {Name: "a | b]]", Size: 1_250_000, URL: "https://desk.example/f/1"}}
		m.History = []Entry{{At: day(21, 14), Author: "> x\n# y", Role: ticket.Customer, Text: "---\n> old\n% pre"}}
	}
	rtl := func(m *Mail, fr bool) {
		question(m, fr)
		m.Subject = "מדפסת לא עובדת"
		m.Words = "الطابعة لا تعمل منذ هذا الصباح.\n\nINC-000123 (42)"
		m.History = []Entry{{At: day(21, 14), Author: "דנה", Role: ticket.Customer, Text: "המדפסת לא עובדת."}}
	}
	agent := func(m *Mail, fr bool) {
		history(m, fr)
		m.State = ticket.Open
		m.Words = either(fr, "C’est un modèle X-200, le voyant de gauche reste rouge.", "It is a model X-200, the light on the left stays red.")
		m.Next = Next{}
		m.Agent = &AgentView{
			Marker: "7f3a", From: ticket.Pending, To: ticket.Open, Event: "answer", Sender: "customer@customer.example",
			SenderName: "Jeanne Martin", Proof: "DKIM", Role: ticket.Customer, Organisation: "Example SARL",
			Also: []string{"contact@integrator.example (" + wordsOf(either(fr, "fr", "en")).roles[ticket.Integrator] + ")"}, Assignee: "agent@desk.example", ToYou: true,
			Created: day(21, 14), Files: []File{{Name: "photo.jpg", Size: 340_000}},
			Commands: []Command{{Name: "#resolve"}, {Name: "#info"}, {Name: "#action"}, {Name: "#note"}, {Name: either(fr, "#assign NOM", "#assign NAME")}, {Name: "#help"}}, Parties: 2,
		}
	}
	noNext := func(m *Mail, fr bool) { m.Next = Next{} }
	and := func(list ...func(*Mail, bool)) func(*Mail, bool) {
		return func(m *Mail, fr bool) {
			for _, f := range list {
				f(m, fr)
			}
		}
	}
	return []variant{
		{ticket.Acknowledgment, "", func(m *Mail, fr bool) { m.Name = "Jeanne Martin" }},
		{ticket.Acknowledgment, "validation", func(m *Mail, fr bool) { m.Name, m.Validation = "Jeanne Martin", true }},
		{ticket.Acknowledgment, "copied", func(m *Mail, fr bool) {
			m.Role, m.Theirs, m.Author = ticket.Follower, true, "Jeanne Martin"
		}},
		{ticket.Acknowledgment, "theirs", func(m *Mail, fr bool) {
			m.Role, m.Theirs, m.Author, m.Name, m.Validation = ticket.Customer, true, "contact@integrator.example", "Jeanne Martin", true
		}},
		{ticket.Acknowledgment, "stranger-copied", func(m *Mail, fr bool) { m.Stranger, m.Role, m.Theirs = true, ticket.Follower, true }},
		{ticket.Acknowledgment, "stranger-theirs", func(m *Mail, fr bool) { m.Stranger, m.Role, m.Theirs = true, ticket.Customer, true }},
		{ticket.Acknowledgment, "stranger", func(m *Mail, fr bool) { m.Stranger, m.Name, m.Words = true, "EVIL", "EVIL"; m.Subject = "EVIL" }},
		{ticket.Acknowledgment, "cut", func(m *Mail, fr bool) { m.Name, m.Limit = "Jeanne Martin", 25<<20 }},
		{ticket.Acknowledgment, "stranger-cut", func(m *Mail, fr bool) { m.Stranger, m.Limit = true, 25<<20 }},
		{ticket.Acknowledgment, "stranger-no-number", func(m *Mail, fr bool) { m.Stranger, m.Number = true, "" }},
		{ticket.Opened, "", func(m *Mail, fr bool) {
			m.State = ticket.Open
			m.Words = either(fr, "Le défaut est confirmé : nous intervenons aujourd’hui.", "The fault is confirmed: we are on it today.")
		}},
		{ticket.Opened, "pending", question},
		{ticket.Opened, "for-somebody", func(m *Mail, fr bool) {
			m.State, m.Ours, m.AuthorRole, m.Author = ticket.Open, true, ticket.Agent, m.Desk.Name
			m.Words = either(fr, "Comme convenu au téléphone : le routeur sera remplacé demain.", "As agreed on the phone: the router is replaced tomorrow.")
		}},
		{ticket.RejectedMail, "", func(m *Mail, fr bool) {
			closed(ticket.Rejected)(m, fr)
			m.Words = either(fr, "Ce service est géré par votre opérateur.", "This service is run by your carrier.")
		}},
		{ticket.RejectedMail, "no-number", func(m *Mail, fr bool) { m.Number, m.State = "", ticket.Closed }},
		{ticket.Update, "", and(question, history, noNext, func(m *Mail, fr bool) {
			m.State = ticket.Open
			m.Files = []File{{Name: either(fr, "Mode d’emploi (français).pdf", "Manual.pdf"), Size: 1_250_000}, {Name: "firmware.bin", Size: 48_000_000, URL: "https://desk.example/f/9x"}}
		})},
		{ticket.Update, "party", and(history, func(m *Mail, fr bool) {
			m.State, m.Author, m.AuthorRole = ticket.Open, "contact@integrator.example", ticket.Integrator
			m.Words = either(fr, "Je passe sur place demain matin.", "I will be on site tomorrow morning.")
		})},
		{ticket.Update, "change", func(m *Mail, fr bool) {
			m.State, m.AuthorRole = ticket.Open, ticket.System
			m.Changes = []Change{{What: "urgency-set", Value: either(fr, "haute", "high"), Was: either(fr, "moyenne", "medium")},
				{What: "categorised", Value: either(fr, "lenteur", "slowness")}, {What: "escalated"}}
		}},
		{ticket.Update, "copied", and(question, noNext, func(m *Mail, fr bool) { m.State, m.Role = ticket.Open, ticket.Follower })},
		{ticket.Update, "hostile", hostile},
		{ticket.Update, "rtl", rtl},
		{ticket.InformationRequest, "", and(question, history)},
		{ticket.InformationRequest, "lines", and(question, func(m *Mail, fr bool) {
			m.Asked = "contact@integrator.example"
			m.Lines = []Line{{Text: either(fr, "l’heure exacte, avec son fuseau", "the exact time, with its zone")}, {Text: either(fr, "une capture d’écran", "a screenshot")}}
		})},
		{ticket.ActionRequest, "", and(question, func(m *Mail, fr bool) {
			m.Words = either(fr, "Merci d’éteindre le routeur, d’attendre dix secondes et de le rallumer.", "Please switch the router off, wait for ten seconds, and switch it on again.")
		})},
		{ticket.InformationRequest, "copied", and(question, func(m *Mail, fr bool) { m.Role = ticket.Follower })},
		{ticket.ActionRequest, "asked", and(question, func(m *Mail, fr bool) {
			m.Asked, m.Words = "contact@integrator.example", either(fr, "Merci de vérifier le câblage sur place.", "Please check the cabling on site.")
		})},
		{ticket.Reminder, "first", and(question, func(m *Mail, fr bool) { m.State, m.N, m.M = ticket.Frozen, 1, 3 })},
		{ticket.Reminder, "asked", and(question, func(m *Mail, fr bool) {
			m.State, m.N, m.M, m.Asked = ticket.Frozen, 1, 3, "contact@integrator.example"
		})},
		{ticket.Reminder, "copied", and(question, func(m *Mail, fr bool) { m.State, m.N, m.M, m.Role = ticket.Frozen, 2, 3, ticket.Follower })},
		{ticket.Reminder, "", and(question, history, func(m *Mail, fr bool) { m.State, m.N, m.M = ticket.Frozen, 2, 3 })},
		{ticket.Reminder, "last-asked", and(question, func(m *Mail, fr bool) {
			m.State, m.N, m.M, m.Asked = ticket.Frozen, 3, 3, "Ada Martin (ada@customer.example)"
			m.Next = Next{Kind: ticket.AutoCloseWarning, At: day(27, 9), CloseAt: day(28, 9)}
		})},
		{ticket.AutoCloseWarning, "asked", and(question, func(m *Mail, fr bool) {
			m.State, m.Next = ticket.Frozen, Next{Kind: ticket.ClosedMail, At: day(28, 9), CloseAt: day(28, 9)}
			m.Lasts, m.Asked = 24*time.Hour, "Ada Martin (ada@customer.example)"
		})},
		{ticket.Reminder, "last", and(question, func(m *Mail, fr bool) {
			m.State, m.N, m.M = ticket.Frozen, 3, 3
			m.Next = Next{Kind: ticket.AutoCloseWarning, At: day(27, 9), CloseAt: day(28, 9)}
		})},
		{ticket.AutoCloseWarning, "", and(question, func(m *Mail, fr bool) {
			m.State, m.Next = ticket.Frozen, Next{Kind: ticket.ClosedMail, At: day(28, 9), CloseAt: day(28, 9)}
			m.Lasts = 24 * time.Hour
		})},
		{ticket.AutoCloseWarning, "resolved", and(solved, func(m *Mail, fr bool) { m.Next = Next{Kind: ticket.ClosedMail, At: day(26, 9)} })},
		{ticket.ClosureRequest, "", and(solved, history)},
		{ticket.ClosureRequest, "changes", and(solved, func(m *Mail, fr bool) {
			m.Changes = []Change{{What: "categorised", Value: either(fr, "lenteur", "slowness")}, {What: "escalated"}}
		})},
		{ticket.ClosureRequest, "required", and(solved, noNext)},
		{ticket.ClosureRequest, "page-only", and(solved, func(m *Mail, fr bool) { m.ApproveMail, m.RefuseMail = "", "" })},
		{ticket.ClosureRequest, "follower", and(solved, func(m *Mail, fr bool) {
			m.ApproveURL, m.ApproveMail, m.RefuseMail, m.Role = "", "", "", ticket.Follower
		})},
		{ticket.ClosureReminder, "", and(solved, func(m *Mail, fr bool) {
			m.Next = Next{Kind: ticket.AutoCloseWarning, At: day(25, 9), CloseAt: day(26, 9)}
		})},
		{ticket.ClosedMail, "approved", closed(ticket.Approved)},
		{ticket.ClosedMail, "withdrawn", closed(ticket.Withdrawn)},
		{ticket.ClosedMail, "unanswered", closed(ticket.Unanswered)},
		{ticket.ClosedMail, "unconfirmed", closed(ticket.Unconfirmed)},
		{ticket.ClosedMail, "agent", closed(ticket.ByAgent)},
		{ticket.ClosedMail, "no-reopening", func(m *Mail, fr bool) { closed(ticket.Approved)(m, fr); m.ReopenUntil = time.Time{} }},
		{ticket.Reopened, "", and(history, func(m *Mail, fr bool) {
			m.State, m.Author, m.AuthorRole = ticket.Open, "Jeanne Martin", ticket.Customer
			m.Words = either(fr, "Le voyant est de nouveau rouge.", "The light is red again.")
		})},
		{ticket.Reopened, "own", func(m *Mail, fr bool) {
			m.State, m.Author, m.AuthorRole, m.Own = ticket.Open, "Jeanne Martin", ticket.Customer, true
			m.Words = either(fr, "Le voyant est de nouveau rouge.", "The light is red again.")
		}},
		{ticket.ClosedMail, "own", func(m *Mail, fr bool) {
			closed(ticket.Approved)(m, fr)
			m.Author, m.AuthorRole, m.Own, m.Words = "Jeanne Martin", ticket.Customer, true, either(fr, "Oui, merci.", "Yes, thank you.")
		}},
		{ticket.FormLink, "", func(m *Mail, fr bool) {
			m.Number, m.State, m.Stranger = "", ticket.AwaitingForm, true
			m.Next = Next{Kind: ticket.FormLink, At: day(28, 14)}
		}},
		{ticket.FormLink, "cut", func(m *Mail, fr bool) {
			m.Number, m.State, m.Stranger, m.Limit = "", ticket.AwaitingForm, true, 25<<20
			m.Next = Next{Kind: ticket.FormLink, At: day(28, 14)}
		}},
		{ticket.FormLink, "invited", func(m *Mail, fr bool) {
			m.Number, m.State, m.Received = "", ticket.AwaitingForm, time.Time{}
			m.AuthorRole, m.Author = ticket.Agent, m.Desk.Name
			m.Words = either(fr, "Comme convenu au téléphone, voici le formulaire.", "As agreed on the phone, here is the form.")
			m.Next = Next{Kind: ticket.FormLink, At: day(28, 14)}
		}},
		{ticket.Digest, "", func(m *Mail, fr bool) {
			m.Number, m.Subject, m.N, m.M = "", "", 12, 9
			m.Items = []Item{
				{Event: "waiting", Number: "INC-000120", Subject: either(fr, "Téléphone muet", "Mute phone"), At: day(20, 9), URL: "https://desk.example/t/a",
					Answer: Mailto("support+aeaaaaaaaaaa5n2q3kd4tjw6y7b3x2va@desk.example", "Re: [#INC-000120]", "")},
				{Event: "form", Subject: either(fr, "Panne", "Out of order"), At: day(23, 14)},
				{Event: "new", Number: "INC-000123", Subject: either(fr, "Le routeur ne répond plus", "The router does not answer"), At: day(21, 14), URL: "https://desk.example/t/b"},
				{Event: "new", Number: "INC-000124", Subject: "", At: day(21, 15)},
			}
		}},
		{ticket.Moved, "", func(m *Mail, fr bool) { m.State = ticket.Open }},
		{ticket.Moved, "about", func(m *Mail, fr bool) {
			m.State = ticket.Open
			m.Was = m.Desk
			m.Was.About = either(fr, "un service qui fonctionne d’ordinaire et qui est en panne", "a service that normally works and is faulty")
			m.Desk = Desk{Name: either(fr, "Service clients", "Customer service"), Address: "clients@desk.example",
				About: either(fr, "tout ce qui touche au contrat", "everything about the contract")}
			m.AuthorRole, m.Author, m.Words = ticket.Agent, m.Desk.Name, either(fr, "Votre question porte sur le contrat.", "Your question is about the contract.")
		}},
		{ticket.MergedMail, "", func(m *Mail, fr bool) { m.State, m.Other = ticket.Closed, "INC-000120" }},
		{ticket.AlsoReceived, "", func(m *Mail, fr bool) {
			m.Number, m.URL, m.Stranger = "", "", true
			m.Count, m.Times = 2, []time.Time{day(21, 15), day(21, 18)}
		}},
		{ticket.AlsoReceived, "cut", func(m *Mail, fr bool) {
			m.Number, m.URL, m.Stranger, m.Limit = "", "", true, 25<<20
			m.Count, m.Times = 2, []time.Time{day(21, 15), day(21, 18)}
		}},
		{ticket.Incomplete, "", func(m *Mail, fr bool) { m.State, m.Name, m.Limit = ticket.Open, "Jeanne Martin", 25<<20 }},
		{ticket.Incomplete, "stranger", func(m *Mail, fr bool) { m.Stranger, m.Name, m.Subject, m.Limit = true, "EVIL", "EVIL", 25<<20 }},
		{ticket.Incomplete, "agent", func(m *Mail, fr bool) {
			m.State, m.Name, m.Limit, m.Agent = ticket.Open, "Paul", 25<<20, &AgentView{Marker: "7f3a"}
		}},
		{ticket.Notification, "", agent},
		{ticket.Notification, "cut", and(agent, func(m *Mail, fr bool) { m.Agent.Whole = "support@mail.example/INBOX, UID 12" })},
		{ticket.Notification, "waiting", and(agent, func(m *Mail, fr bool) {
			m.Agent.Event, m.Agent.From, m.Agent.To, m.State = "waiting", ticket.Pending, ticket.Pending, ticket.Pending
			m.Agent.Sender, m.Agent.SenderName, m.Agent.Role, m.Agent.Organisation = "somebody@elsewhere.customer.example", "<b>O'Neil & Söhne</b>", "", ""
			m.Agent.Proof = either(fr, "aucune", "none")
			m.Agent.Assignee, m.Agent.ToYou, m.Agent.Files, m.Agent.Also = "", false, nil, nil
			m.Next, m.Agent.Deadline = Next{Kind: ticket.Reminder, At: day(24, 9)}, day(24, 9)
			m.Agent.Reason = either(fr, "l’adresse n’est pas celle du ticket, mais la réponse porte un jeton valable.", "the address is not on the ticket, but the answer bears a valid token.")
			m.Agent.Commands = []Command{{Name: "#accept"}, {Name: "#split"}}
		})},
		{ticket.Notification, "hostile", and(agent, func(m *Mail, fr bool) {
			w, s, h := *m, m.Agent, m.History
			hostile(m, fr)
			m.State, m.Agent, m.History, m.Next = w.State, s, h, Next{}
			m.Agent.SenderName, m.Agent.Organisation = m.Name, "x | y\n: Proof | DKIM"
		})},
		{ticket.Notification, "new", and(agent, func(m *Mail, fr bool) {
			m.State, m.History = ticket.New, nil
			m.Words = either(fr, "Pour le client : Customer SA, ada@customer.example\nQue se passe-t-il : Standard muet\nUrgence : Haute",
				"For customer: Customer SA, ada@customer.example\nWhat happens: The switchboard is silent\nUrgency: High")
			m.Agent.Event, m.Agent.From, m.Agent.To = "form", ticket.AwaitingForm, ticket.New
			m.Agent.Sender, m.Agent.SenderName, m.Agent.Role, m.Agent.Organisation = "contact@integrator.example", "", ticket.Integrator, ""
			m.Agent.Also = []string{"ada@customer.example (" + wordsOf(either(fr, "fr", "en")).roles[ticket.Customer] + ", Customer SA)"}
			m.Agent.Proof = Say(either(fr, "fr", "en"), "own token: filled in the form behind the mailed link")
			m.Agent.Assignee, m.Agent.ToYou, m.Agent.Files = "", false, nil
			m.Agent.Commands = []Command{{Name: either(fr, "#valider", "#validate"), Help: either(fr, "valider et ouvrir", "validate and open it")},
				{Name: either(fr, "#rejeter", "#reject"), Help: either(fr, "refuser, dire pourquoi", "not for us, say why")}}
		})},
		{Several, "", func(m *Mail, fr bool) {
			m.Number, m.Subject, m.Count, m.Agent = "", "", 34, &AgentView{}
			m.Items = []Item{
				{Number: "INC-000123", Subject: either(fr, "Le routeur ne répond plus", "The router does not answer"), Event: "answer", State: ticket.Open, At: day(21, 14), URL: "https://desk.example/t/a",
					Answer: Mailto("support+aeaaaaaaaaaa5n2q3kd4tjw6y7b3x2va@desk.example", "Re: [#INC-000123]", "")},
				{Number: "INC-000124", Subject: "", Event: "new-ticket", State: ticket.New, At: day(21, 15), URL: "https://desk.example/t/b"},
			}
		}},
		{ticket.Receipt, "help", func(m *Mail, fr bool) {
			m.State = ticket.Open
			m.Agent = &AgentView{Marker: "7f3a", Event: "help", Commands: []Command{{Name: "#info"}, {Name: "#note"}}}
		}},
		{ticket.Undeliverable, "held", func(m *Mail, fr bool) {
			m.Agent = &AgentView{Marker: "7f3a", Event: "held-mail", Reason: Say(either(fr, "fr", "en"), "it shows words of a note")}
			m.Words = either(fr, "Le client nous doit encore de l’argent.", "The customer still owes us money.")
		}},
		{ticket.ConfirmCommand, "", func(m *Mail, fr bool) {
			m.Agent = &AgentView{Marker: "7f3a", Reason: either(fr, "la signature DKIM manque.", "the DKIM signature is missing.")}
			m.Lines = []Line{{Text: "#resolve", OK: true}}
			m.Words = either(fr, "Le bloc d’alimentation a été remplacé.", "The power supply has been replaced.")
			m.Next = Next{Kind: ticket.ConfirmCommand, At: day(22, 14)}
		}},
		{ticket.Receipt, "", and(solved, func(m *Mail, fr bool) {
			m.Agent = &AgentView{Marker: "7f3a"}
			m.Lines = []Line{{Text: "#resolve", Reason: either(fr, "demande de clôture envoyée à 2 personnes", "closure request sent to 2 people"), OK: true}}
		})},
		{ticket.RejectedCommand, "", func(m *Mail, fr bool) {
			m.Agent = &AgentView{Marker: "7f3a", Commands: []Command{{Name: "#resolve"}, {Name: "#note"}}}
			m.Lines = []Line{{Text: "#resolve", OK: true}, {Text: "#asign paul", Reason: either(fr, "commande inconnue ; #assign ?", "unknown command; #assign?")}}
			m.Words = either(fr, "Bonjour,\nc’est réparé.", "Hello,\nit is repaired.")
		}},
		{ticket.Undeliverable, "", func(m *Mail, fr bool) {
			m.Agent = &AgentView{Marker: "7f3a", Sender: "customer@customer.example", Reason: "550 5.1.1 no such user"}
			m.Words = either(fr, "Quel est le modèle du routeur ?", "Which model is the router?")
		}},
	}
}

func TestGolden(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	zone := paris(t)
	seen := map[string]bool{}
	for _, lang := range languages {
		for _, v := range golden(zone) {
			m := plainMail(zone, lang == "fr")
			v.change(m, lang == "fr")
			r, err := set.Mail(v.kind, lang, m)
			if err != nil {
				t.Fatalf("%s %s: %v", lang, v.kind, err)
			}
			name := string(v.kind)
			if v.name != "" {
				name += "-" + v.name
			}
			seen[lang+"/"+name] = true
			compare(t, filepath.Join(lang, name+".txt"), "Subject: "+r.Subject+"\n\n"+r.Text)
			compare(t, filepath.Join(lang, name+".html"), r.HTML)
		}
	}
	files, _ := filepath.Glob("testdata/golden/*/*.txt")
	for _, f := range files {
		rel, _ := filepath.Rel("testdata/golden", strings.TrimSuffix(f, ".txt"))
		if !seen[filepath.ToSlash(rel)] && !strings.HasPrefix(filepath.Base(rel), "page-") {
			t.Errorf("%s: no variant makes it", f)
		}
	}
}

// compare compares a golden file byte for byte, or rewrites it.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s differs; look at it with go test ./templates -update and git diff", file)
	}
}
