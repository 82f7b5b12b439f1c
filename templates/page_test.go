package templates

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

// goldenPages are the pages worth a look, by name and variant.
func goldenPages(t *testing.T, lang string) map[string]Based {
	fr := lang == "fr"
	m := plainMail(paris(t), fr)
	day := func(d, h int) time.Time { return time.Date(2026, 11, d, h, 0, 0, 0, m.Zone) }
	plain := func() *TicketPage {
		return &TicketPage{
			Desk: m.Desk, Lang: lang, Number: m.Number, Subject: m.Subject, State: ticket.Pending, Since: day(22, 9),
			Next: Next{Kind: ticket.Reminder, At: day(24, 9), CloseAt: day(28, 9)}, Zone: m.Zone, Now: day(23, 11),
			Messages: []PageMessage{
				{At: day(21, 14), Author: "Jeanne Martin", Role: ticket.Customer, Text: either(fr, "Bonjour,\n\nle routeur ne répond plus.", "Hello,\n\nthe router does not answer."), Files: []File{{Name: "photo.jpg", Size: 340_000, URL: "https://desk.example/f/1"}}},
				{At: day(22, 9), Author: m.Desk.Name, Role: ticket.Agent, Text: either(fr, "Quel est le modèle du routeur ?", "Which model is the router?")},
			},
		}
	}
	hostile := plain()
	hostile.Desk.Accent = "#8a1f3d"
	hostile.Subject = strings.Repeat("Donaudampfschifffahrtsgesellschaftskapitän ", 5) + "<script>alert(1)</script>"
	hostile.Messages[0].Author = "<b>O'Neil & Söhne</b>"
	hostile.Messages[0].Text = strings.Repeat("x", 300) + "\n<img src=x onerror=alert(1)>\n{{.}}"
	hostile.Messages[0].Files = nil
	for i := range 40 {
		hostile.Messages[0].Files = append(hostile.Messages[0].Files, File{Name: fmt.Sprintf("<svg onload=alert(%d)>.png", i), Size: int64(i) * 70_000})
	}
	hostile.Messages[1].Text = "الطابعة لا تعمل منذ هذا الصباح (INC-000123)."
	closed := plain()
	closed.State, closed.Closed, closed.Next, closed.Messages = ticket.Closed, ticket.Approved, Next{}, nil
	resolved := plain()
	resolved.State, resolved.Next, resolved.Confirm = ticket.Resolved, Next{Kind: ticket.ClosureReminder, At: day(24, 9), CloseAt: day(26, 9)}, "/t/x/approve"
	asked := plain()
	asked.State, asked.Waits, asked.Asked = ticket.Pending, true, "contact@integrator.example"
	return map[string]Based{
		"ticket": plain(), "ticket-asked": asked, "ticket-resolved": resolved, "ticket-hostile": hostile, "ticket-closed": closed,
		"notfound": &NotePage{Lang: lang, Desk: m.Desk}, "home": &NotePage{Lang: lang}, "home-desk": &NotePage{Lang: lang, Desk: m.Desk},
		"outbox":       &OutboxPage{Lang: lang, Zone: m.Zone, Mails: []OutboxMail{{At: day(21, 14), From: "support@desk.example", To: "customer@customer.example", Subject: "Re: <x> [#INC-000123]", Kind: "acknowledgment", Text: "Hello\n\nhttps://desk.example/t/x\n\n<b>x</b>\njavascript:alert(1)\n"}}},
		"outbox-empty": &OutboxPage{Lang: lang},
	}
}

func TestPages(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range languages {
		for name, data := range goldenPages(t, lang) {
			var b bytes.Buffer
			page, _, _ := strings.Cut(name, "-")
			if err := set.Page(page, &b, data); err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join(lang, "page-"+name+".html"), b.String())
			for _, bad := range []string{"<script", "<svg", "<img", "<b>", "javascript:\"", "style=\""} {
				if strings.Contains(b.String(), bad) {
					t.Errorf("%s %s holds %s", lang, name, bad)
				}
			}
		}
	}
	if n := len(set.Style()); n == 0 || n > maxStyle {
		t.Errorf("style sheet of %d bytes", n)
	}
	if s := string(set.StyleAccent("8a1f3d")); !strings.Contains(s, "--accent: #8a1f3d;") {
		t.Error("the accent is not the desk's")
	}
	if s := set.StyleAccent("fff}body{display:none"); !bytes.Equal(s, set.Style()) {
		t.Error("an accent that is none came through")
	}
	if err := set.Page("nothing", &bytes.Buffer{}, &NotePage{}); err == nil {
		t.Error("an unknown page: no error")
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(""); err != nil {
			b.Fatal(err)
		}
	}
}
