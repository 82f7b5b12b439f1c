package rfc822

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/fuzztest"
)

// calendarMail is a mail with a calendar as Outlook and Google send it: as an
// alternative of the text.
func calendarMail(ics string) []byte {
	return []byte("From: a@customer.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nHello!\r\n" +
		"--b\r\nContent-Type: text/calendar; charset=\"utf-8\"; method=REQUEST\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + ics + "\r\n--b--\r\n")
}

func ics(method string, lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:" + method + "\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n" +
		"BEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nBEGIN:VALARM\r\nDESCRIPTION:x\r\nSUMMARY:alarm\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func TestEvents(t *testing.T) {
	check := func(ics, en, fr string) {
		t.Helper()
		raw := calendarMail(ics)
		m := Parse(raw)
		events := m.Events(raw)
		if len(m.Parts) != 1 || m.Parts[0].ContentType != "text/calendar" || strings.TrimSpace(m.Text) != "Hello!" {
			t.Errorf("parts %v, text %q", m.Parts, m.Text)
		}
		if len(events) != 1 || events[0].Line("en") != en || events[0].Line("fr") != fr {
			t.Fatalf("%d events: %q\n%q", len(events), events[0].Line("en"), events[0].Line("fr"))
		}
	}
	check(ics("REQUEST", "UID:1", `SUMMARY:Point projet\, étape 2`, `ORGANIZER;CN="Martin, Alice":MAILTO:alice@customer.example`,
		"DTSTART;TZID=Europe/Paris:20261201T140000", "DTEND;TZID=Europe/Paris:20261201T153000", "LOCATION:Salle\r\n  2", "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:desk@desk.example", "RRULE:FREQ=WEEKLY"),
		"[Invitation] Point projet, étape 2 · 2026-12-01 14:00–15:30 (Europe/Paris) · repeats · Salle 2 · Martin, Alice <alice@customer.example>",
		"[Invitation] Point projet, étape 2 · 2026-12-01 14:00–15:30 (Europe/Paris) · se répète · Salle 2 · Martin, Alice <alice@customer.example>")
	check(ics("CANCEL", "SUMMARY:Audit", "DTSTART:20261201T230000Z", "DTEND:20261202T010000Z", "ORGANIZER:mailto:bob@customer.example"),
		"[Cancelled] Audit · 2026-12-01 23:00 to 2026-12-02 01:00 (UTC) · bob@customer.example",
		"[Annulation] Audit · 2026-12-01 23:00 au 2026-12-02 01:00 (UTC) · bob@customer.example")
	check(ics("REPLY", "SUMMARY:Audit", "DTSTART;VALUE=DATE:20261201", "DTEND;VALUE=DATE:20261203", "ATTENDEE;PARTSTAT=DECLINED;CN=Zoé:mailto:zoe@customer.example"),
		"[Answer to an invitation] Audit · 2026-12-01 to 2026-12-02 · Zoé <zoe@customer.example> declined",
		"[Réponse à une invitation] Audit · 2026-12-01 au 2026-12-02 · Zoé <zoe@customer.example> refusé")
	check(ics("PUBLISH", "SUMMARY:Fermé\\nle matin", "DTSTART:20261201T080000"), "[Calendar] Fermé le matin · 2026-12-01 08:00", "[Agenda] Fermé le matin · 2026-12-01 08:00")
}

func TestEventsHostile(t *testing.T) {
	for name, s := range map[string]string{
		"components": strings.Repeat("BEGIN:VEVENT\n", 20000) + strings.Repeat("END:VEVENT\n", 20000),
		"events":     "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n", 10000),
		"long":       "BEGIN:VEVENT\nSUMMARY:" + strings.Repeat("x", 200_000) + "\nEND:VEVENT\n",
		"folds":      "BEGIN:VEVENT\nSUMMARY:x" + strings.Repeat("\n x", 80_000) + "\nEND:VEVENT\n",
		"parameters": "BEGIN:VEVENT\nSUMMARY" + strings.Repeat(";A=b", 50_000) + ":x\nEND:VEVENT\n",
		"no times":   "BEGIN:VEVENT\nDTSTART:99999999T999999\nSUMMARY:\u202ex\x00\nEND:VEVENT",
	} {
		raw := calendarMail(s)
		var events []Event
		if took := fuzztest.CPU(t, func() { events = Parse(raw).Events(raw) }); took > time.Second/4 {
			t.Errorf("%s took %s", name, took)
		}
		if len(events) > maxEvents {
			t.Errorf("%s: %d events", name, len(events))
		}
		for _, e := range events {
			if line := e.Line("en"); len(line) > 1500 || strings.ContainsAny(line, "\n\x00\u202e") {
				t.Errorf("%s: %.100q", name, line)
			}
		}
	}
}

// FuzzEvents: a line about an event is bounded, and can be shown.
func FuzzEvents(f *testing.F) {
	f.Add(ics("REQUEST", "SUMMARY:x", `ORGANIZER;CN="a:b;c":mailto:a@b`, "DTSTART;TZID=x:20261201T140000"))
	f.Add(ics("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b", "DTEND:20261201"))
	f.Fuzz(func(t *testing.T, s string) {
		fuzztest.Cheap(t, func() {
			for _, e := range readCalendar(cleanText(s)) {
				if line := e.Line("fr"); len(line) > 1500 || strings.Contains(line, "\n") {
					t.Errorf("%.200q", line)
				}
			}
		})
	})
}
