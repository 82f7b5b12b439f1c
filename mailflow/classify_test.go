package mailflow

import (
	"strings"
	"testing"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
)

// classified parses a mail of header lines and a body and classifies it. Lines
// are separated by "|"; those of From and Subject are added where missing.
func classified(header, body string) Verdict {
	h := strings.ReplaceAll(header, "|", "\r\n")
	if !strings.Contains("\r\n"+h, "\r\nFrom:") {
		h = "From: Alice <alice@example.org>\r\n" + h
	}
	m := rfc822.Parse([]byte(strings.TrimSuffix(h, "\r\n") + "\r\n\r\n" + body + "\r\n"))
	return Classify(m, Envelope{}, false, func(a string) bool { return a == "desk@example.com" })
}

func TestClassify(t *testing.T) {
	check := func(class Class, answerable bool, header, body string) {
		t.Helper()
		if v := classified(header, body); v.Class != class || v.Answerable != answerable || v.Reason == "" {
			t.Errorf("%q %q: %+v", header, body, v)
		}
	}
	// People.
	check(ClassPerson, true, "Subject: hello", "It does not work.")
	check(ClassPerson, true, "Subject: hello|Auto-Submitted: no", "It does not work.")
	check(ClassPerson, true, "Subject: hello|X-Auto-Response-Suppress: DR, RN, NRN", "It does not work.")
	check(ClassPerson, true, "Subject: Re: Out of office: who answers?", "It does not work.")
	check(ClassPerson, true, "Subject: Out of office reply does not work", "We set it up and nothing happens.")
	check(ClassPerson, true, "Subject: Absence de réponse", "Personne ne répond.")
	check(ClassPerson, true, "Subject: help", "The line is down. I am on vacation until Monday, so please call Bob.")
	check(ClassPerson, true, "Subject: help", "I am out of the office. Can you call me back at home?")
	check(ClassPerson, true, "Subject: help", "I am out of the office until Monday. Can you call me back at home?")
	check(ClassPerson, true, "Subject: undelivered mail", "Why was my mail to <bob@example.net> returned?")
	check(ClassPerson, true, "Subject: holidays", "Nous sommes en congé la semaine prochaine : qui appeler ?")
	// People who are not answered.
	check(ClassPerson, false, "From: desk@example.com|Subject: x", "text")
	check(ClassPerson, false, "From: No Reply <no-reply@example.org>|Subject: x", "text")
	check(ClassPerson, false, "From: ne_pas_repondre@example.org|Subject: x", "text")
	check(ClassPerson, false, "From: info@donotreply.example.org|Subject: x", "text")
	check(ClassPerson, false, "From: postmaster@example.org|Subject: certificates", "text")
	check(ClassPerson, false, "From: a@example.org, b@example.org|Subject: x", "text")
	check(ClassPerson, false, "From: a@example.org|From: b@example.org|Subject: x", "text")
	check(ClassPerson, false, "From: nobody at all|Subject: x", "text")
	check(ClassPerson, false, "From: a@example.invalid|Subject: x", "text")
	// Automatic answers.
	check(ClassAutoReply, false, "Subject: x|Auto-Submitted: auto-replied; owner-email=x", "text")
	check(ClassAutoReply, false, "Subject: Away|Auto-Submitted: Auto-Replied (vacation)", "text")
	check(ClassAutoReply, false, "Subject: x|X-Autoreply: yes", "text")
	check(ClassAutoReply, false, "Subject: x|Precedence: auto_reply", "text")
	check(ClassAutoReply, false, "Subject: x|In-Reply-To: <a@b>|X-Auto-Response-Suppress: All", "text")
	check(ClassAutoReply, false, "Return-Path: <>|Subject: x", "text")
	check(ClassAutoReply, false, "Subject: x|Content-Type: multipart/report; report-type=disposition-notification; boundary=b", "--b\r\n\r\nread\r\n--b--")
	check(ClassAutoReply, false, "Subject: Confirm|X-Boxbe-Challenge: 1", "text")
	check(ClassAutoReply, false, "Subject: Re: x", "This account is protected by Foo. You are added to the approved senders if you click here to verify.")
	// Lists, newsletters, machines.
	check(ClassList, false, "Subject: x|List-Id: <a.example>|List-Post: <mailto:a@b>", "text")
	check(ClassList, false, "Subject: x|Precedence: list", "text")
	check(ClassBulk, false, "Subject: x|List-Unsubscribe: <https://a.example>", "text")
	check(ClassBulk, false, "Subject: x|Precedence: Bulk", "text")
	check(ClassBulk, false, "Subject: x|Auto-Submitted: auto-generated", "text")
	check(ClassBulk, false, "Subject: x|X-Auto-Response-Suppress: OOF, AutoReply", "text")
	check(ClassLoop, false, "Subject: x|X-Guichet-Kind: acknowledgment", "text")
	check(ClassPerson, true, "Subject: x|X-Guichet-Kind: update", "the words of another desk's agent")
	check(ClassLoop, false, "Subject: x|X-Loop: desk@example.org", "text")
	// Reports.
	check(ClassBounce, false, "Subject: x|Content-Type: multipart/report; report-type=\"delivery-status\"; boundary=b", "--b\r\n\r\nx\r\n--b--")
	check(ClassBounce, false, "From: MAILER-DAEMON@example.org|Subject: failure notice", "<bob@example.net>:\r\nno such user")
	check(ClassBounce, false, "Subject: x|X-Failed-Recipients: bob@example.net", "text")
	check(ClassBounce, false, "From: mailer-daemon@example.org|Subject: hm", "text")
	check(ClassComplaint, false, "Subject: x|Content-Type: multipart/report; report-type=feedback-report; boundary=b", "--b\r\n\r\nx\r\n--b--")
	check(ClassReport, false, "Subject: Report domain: example.com Submitter: example.net Report-ID: 1|Content-Type: application/zip", "x")
	check(ClassReport, false, "Subject: x|Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=b", "--b\r\n\r\nx\r\n--b--")
}

// Out-of-office notes without any mark, in the languages of those who write.
func TestClassifyAway(t *testing.T) {
	subject := func(s string) {
		t.Helper()
		if v := classified("Subject: "+s, "text"); v.Class != ClassAutoReply || v.Answerable {
			t.Errorf("%q: %+v", s, v)
		}
	}
	subject("Out of Office: your ticket")
	subject("Automatic reply: your ticket")
	subject("Réponse automatique : votre ticket")
	subject("Absence du bureau : votre ticket")
	subject("Automatische Antwort: Ihre Anfrage")
	subject("Abwesenheitsnotiz: Ihre Anfrage")
	subject("Respuesta automática: su solicitud")
	subject("Resposta automática: o seu pedido")
	subject("Risposta automatica: la sua richiesta")
	subject("Automatisch antwoord: uw aanvraag")
	subject("Autosvar: ditt ärende")
	subject("Automatisk svar: din sag")
	subject("Automaattinen vastaus: pyyntö")
	subject("Odpowiedź automatyczna: zgłoszenie")
	subject("Automatická odpověď: požadavek")
	subject("Автоматический ответ: заявка")
	subject("Automatikus válasz: jegy")
	subject("自动回复: 工单")
	body := func(s string) {
		t.Helper()
		if v := classified("Subject: Re: x", s); v.Class != ClassAutoReply || v.Answerable {
			t.Errorf("%q: %+v", s, v)
		}
	}
	body("Hello,\r\n\r\nI am out of the office until 3 March. For urgent matters please contact Bob.")
	body("Bonjour,\r\n\r\nJe suis absente du bureau jusqu'au 3 mars.\r\nJe suis absent jusqu'au 3 mars, en cas d'urgence contactez Bob.")
	body("Guten Tag,\r\n\r\nich bin derzeit nicht im Büro und ab dem 3. März zurück.")
	body("Hola:\r\n\r\nEstoy de vacaciones hasta el 3 de marzo.")
	body("Buongiorno,\r\n\r\nsono in ferie fino al 3 marzo.")
	body("Goedendag,\r\n\r\nik ben met vakantie tot 3 maart.")
	body("Olá,\r\n\r\nestou de férias até 3 de março.")
	body("Hej,\r\n\r\njag är på semester till 3 mars.")
	body("Dzień dobry,\r\n\r\njestem na urlopie do dnia 3 marca.")
	body("Здравствуйте!\r\n\r\nЯ нахожусь в отпуске до 3 марта.")
}

// The null path of the envelope counts where there is an envelope, and only
// there: without one an empty From says nothing.
func TestClassifyEnvelope(t *testing.T) {
	m := rfc822.Parse([]byte("From: alice@example.org\r\nSubject: x\r\n\r\ntext\r\n"))
	check := func(env Envelope, has bool, class Class, answerable bool) {
		t.Helper()
		if v := Classify(m, env, has, nil); v.Class != class || v.Answerable != answerable {
			t.Errorf("%+v %v: %+v", env, has, v)
		}
	}
	check(Envelope{}, false, ClassPerson, true)
	check(Envelope{}, true, ClassAutoReply, false)
	check(Envelope{From: "alice@example.org"}, true, ClassPerson, true)
	check(Envelope{From: "bounces+1@example.org"}, true, ClassPerson, false)
}

// Whatever a mail holds: only a person's mail is answered, a reason is given,
// and a mail that says that it is automatic is never answered.
func FuzzClassify(f *testing.F) {
	f.Add([]byte("From: a@example.org\r\nSubject: Out of office\r\n\r\nx"), "", false)
	f.Add([]byte("From: a@example.org\r\nAuto-Submitted: auto-replied\r\n\r\nx"), "a@example.org", true)
	f.Add([]byte("Return-Path: <>\r\nContent-Type: multipart/report; report-type=\"\r\n\r\nx"), "", true)
	fuzztest.Mails(f, func(raw []byte) { f.Add(raw, "a@example.org", true) })
	f.Fuzz(func(t *testing.T, raw []byte, from string, has bool) {
		m := rfc822.Parse(raw)
		var v Verdict
		fuzztest.Cheap(t, func() {
			v = Classify(m, Envelope{From: from}, has, func(a string) bool { return a == "desk@example.com" })
		})
		if v.Class == "" || v.Reason == "" || v.Answerable && v.Class != ClassPerson {
			t.Errorf("%+v", v)
		}
		if !v.Answerable {
			return
		}
		auto := strings.ToLower(strings.TrimSpace(m.Header.Get("Auto-Submitted")))
		if has && from == "" || strings.HasPrefix(auto, "auto-") || m.Header.Get("X-Guichet-Kind") != "" || len(m.From) != 1 ||
			!strings.Contains(m.From[0].Address, "@") || m.From[0].Address == "desk@example.com" {
			t.Errorf("answerable: %+v", v)
		}
	})
}
