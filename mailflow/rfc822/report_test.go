package rfc822

import (
	"strings"
	"testing"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
)

// bounceMail is a mail of a mail system with a plain body.
func bounceMail(from, subject, body string) string {
	return "Return-Path: <>\r\nFrom: " + from + "\r\nTo: desk@example.com\r\nSubject: " + subject + "\r\n\r\n" +
		strings.ReplaceAll(body, "\n", "\r\n")
}

const standardReport = `From: MAILER-DAEMON@mx.example.com
To: desk@example.com
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; alice@example.org
Action: failed
Status: 5.1.1 (no such user)
Diagnostic-Code: smtp; 550 5.1.1 <alice@example.org>:
    User unknown

Final-Recipient: x-unix; |/bin/x
Original-Recipient: rfc822;bob@example.org
Action: Delayed
Status: 4.4.1

--b
Content-Type: text/rfc822-headers

From: desk@example.com
Message-ID: <one@desk.example>
In-Reply-To: <two@example.org>
References: <zero@example.org>
 <two@example.org>

--b--
`

func TestStandardReport(t *testing.T) {
	raw := []byte(standardReport)
	m := Parse(raw)
	if m.Report == nil || len(m.Report.Recipients) != 2 {
		t.Fatalf("report: %+v", m.Report)
	}
	want := []ReportRecipient{
		{"alice@example.org", "failed", "5.1.1", "550 5.1.1 <alice@example.org>: User unknown"},
		{"bob@example.org", "delayed", "4.4.1", ""},
	}
	for i, w := range want {
		if got := m.Report.Recipients[i]; got != w {
			t.Errorf("recipient %d: %+v, want %+v", i, got, w)
		}
	}
	if m.Report.OriginalMessageID != "<one@desk.example>" {
		t.Errorf("original: %q", m.Report.OriginalMessageID)
	}
	if got := strings.Join(m.ReturnedIDs(raw), " "); got != "<one@desk.example> <two@example.org> <zero@example.org> <two@example.org>" {
		t.Errorf("ids: %s", got)
	}
}

func TestReportInWords(t *testing.T) {
	check := func(system, mail, recipient, action, status, original string) {
		t.Helper()
		m := Parse([]byte(mail))
		if m.Report == nil || len(m.Report.Recipients) != 1 {
			t.Errorf("%s: %+v", system, m.Report)
			return
		}
		r := m.Report.Recipients[0]
		if r.Recipient != recipient || r.Action != action || r.Status != status || m.Report.OriginalMessageID != original {
			t.Errorf("%s: %+v %s", system, r, m.Report.OriginalMessageID)
		}
	}
	const returned = "\nReturn-Path: <desk@example.com>\nMessage-ID: <one@desk.example>\nSubject: x\n\nHello\n"
	check("qmail", bounceMail("MAILER-DAEMON@mx.example.com", "failure notice", `Hi. This is the qmail-send program at mx.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.

<alice@example.org>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 <alice@example.org>... User Unknown

--- Below this line is a copy of the message.
`+returned), "alice@example.org", "failed", "5.1.1", "<one@desk.example>")
	check("exim", bounceMail("Mail Delivery System <Mailer-Daemon@mx.example.com>", "Mail delivery failed: returning message to sender",
		`This message was created automatically by mail delivery software.

A message sent by

  desk@example.com

could not be delivered to one or more of its recipients:

  alice@example.org
    host mx.example.org [192.0.2.1]: 550 mailbox is full

------ This is a copy of the message, including all the headers. ------
`+returned), "alice@example.org", "failed", "5.2.2", "<one@desk.example>")
	check("postfix", bounceMail("MAILER-DAEMON (Mail Delivery System)", "Undelivered Mail Returned to Sender",
		"This is the mail system at host mx.example.com.\n\n<alice@example.org>: host mx.example.org[192.0.2.1] said: 550 5.7.1\n    <alice@example.org>: denied\n"),
		"alice@example.org", "failed", "5.7.1", "")
	check("exchange", bounceMail("System Administrator <postmaster@example.org>", "Undeliverable: x",
		"Your message\n\n  To:      Alice\n  Subject: x\n\ndid not reach the following recipient(s):\n\nalice@example.org on Tue, 3 Mar 2026\n    The recipient name is not recognized\n"),
		"alice@example.org", "failed", "5.1.1", "")
	check("sendmail", bounceMail("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.com>", "Returned mail: Host unknown",
		"   ----- Transcript of session follows -----\n550 <alice@example.org>... Host unknown\n\n   ----- Unsent message follows -----\n"+returned[1:]),
		"alice@example.org", "failed", "5.1.2", "<one@desk.example>")
	check("delay", bounceMail("Mail Delivery System <mailer-daemon@mx.example.com>", "Warning: message delayed 24 hours",
		"A message that you sent has not yet been delivered to all of its recipients.\nIt will be retried.\n\n  alice@example.org\n    Connection timed out\n"),
		"alice@example.org", "delayed", "4.4.7", "")
}

func TestNoReport(t *testing.T) {
	check := func(why, mail string) {
		t.Helper()
		if m := Parse([]byte(mail)); m.Report != nil {
			t.Errorf("%s: %+v", why, m.Report)
		}
	}
	check("a person about a bounce", "From: Bob <bob@example.com>\r\nSubject: Undelivered mail\r\n\r\nMy mail to <alice@example.org>: user unknown?\r\n")
	check("a postmaster about something", "From: postmaster@example.com\r\nSubject: certificates\r\n\r\nMail to alice@example.org cannot be delivered since noon.\r\n")
	check("no sender, no sign", "Subject: hello\r\n\r\nUser unknown\r\n")
	check("a vacation note", "Return-Path: <>\r\nFrom: Bob <bob@example.com>\r\nSubject: away\r\n\r\nI am away.\r\n")
}

func TestFindStatus(t *testing.T) {
	check := func(text, want string) {
		t.Helper()
		if got := findStatus(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	check("550 5.1.1 no", "5.1.1")
	check("(#5.1.1)", "5.1.1")
	check("5.7.26.", "5.7.26")
	check("at 5.1.1.4", "")
	check("192.5.1.1", "")
	check("1.2.3", "")
}

// A report of a hundred thousand recipients is read to its limit.
func TestReportLimits(t *testing.T) {
	many := strings.Repeat("Final-Recipient: rfc822; a@example.org\nAction: failed\n\n", 50000)
	if m := Parse([]byte(strings.Replace(standardReport, "Final-Recipient: x-unix", many+"Final-Recipient: x-unix", 1))); len(m.Report.Recipients) > maxReportRecipients {
		t.Errorf("%d recipients", len(m.Report.Recipients))
	}
	var b strings.Builder
	for range 5000 {
		b.WriteString("<" + strings.Repeat("a", b.Len()%50+1) + itoa(b.Len()) + "@example.org>:\nno\n")
	}
	m := Parse([]byte(bounceMail("MAILER-DAEMON@mx.example.com", "failure notice", b.String())))
	if m.Report == nil || len(m.Report.Recipients) != maxReportRecipients {
		t.Errorf("%d recipients", len(m.Report.Recipients))
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(standardReport))
	f.Add([]byte(bounceMail("MAILER-DAEMON@mx.example.com", "failure notice", "<a@example.org>:\n550 no\n\nReceived: x\nMessage-ID: <a@b>\n")))
	fuzztest.Mails(f, func(raw []byte) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m *Mail
		var ids []string
		fuzztest.Cheap(t, func() { m = Parse(raw); ids = m.ReturnedIDs(raw) })
		if len(ids) > maxReturnedIDs {
			t.Errorf("%d ids", len(ids))
		}
		if m.Report == nil {
			return
		}
		if len(m.Report.Recipients) > maxReportRecipients {
			t.Errorf("%d recipients", len(m.Report.Recipients))
		}
		for _, r := range m.Report.Recipients {
			if !utf8.ValidString(r.Recipient+r.Diagnostic+r.Status+r.Action) || r.Recipient == "" || r.Action == "" || r.Status == "" || strings.ContainsAny(r.Recipient+r.Diagnostic, "\r\n\x00") {
				t.Errorf("%q", r)
			}
		}
	})
}
