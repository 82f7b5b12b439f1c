package portal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/portal/browsertest"
	"guichet/store"
	"guichet/store/storetest"
)

// A person fills the form in a browser without scripts: wrong, then right,
// with a file.
func TestBrowser(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	tk, anna := s.await("anna@customer.example", "Router")
	b := browsertest.Start(t)
	for _, screen := range [][2]int{{390, 844}, {1280, 900}} {
		name := map[bool]string{true: "phone", false: "desk"}[screen[0] < 600]
		b.Size(screen[0], screen[1])
		for _, lang := range []string{"en", "fr"} {
			b.Open(s.server.URL + "/t/" + anna.Link + "?lang=" + lang)
			b.Shot("form-" + name + "-" + lang)
		}
		b.Dark(true)
		b.Shot("form-" + name + "-dark")
		b.Dark(false)
	}
	b.Size(390, 844)
	b.Open(s.server.URL + "/t/" + anna.Link + "?lang=en")
	if wide := b.Overflows(); wide != "" {
		t.Errorf("wider than a phone: %s", wide)
	}
	// What is asked depends on the choice, without a script.
	if !b.Seen("#f-action") || b.Seen("#f-connection") || b.Seen("#f-stopped") || b.Seen(".if") {
		t.Error("the console asks what one was doing")
	}
	b.Set("#f-place", "network/slow")
	if b.Seen("#f-action") || !b.Seen("#f-connection") {
		t.Error("the network asks for the connection")
	}
	b.Click("#f-urgency-1")
	if !b.Seen("#f-stopped") {
		t.Error("a high urgency asks for the service")
	}

	b.Type("#f-summary", "No call arrives <b>")
	b.Files("#f-screenshots", pngFile(t, "screen.png"))
	b.Follow("button")
	b.Shot("form-phone-wrong")
	if h := b.Text(".wrong h2"); h != "2 answers need another look" {
		t.Errorf("the page says %q", h)
	}
	if b.Value("#f-summary") != "No call arrives <b>" || b.Value("#f-place") != "network/slow" || !b.Seen("#f-stopped") || !strings.Contains(b.Text("form"), "screen.png") {
		t.Error("what was typed is not kept")
	}
	b.Size(1280, 900)
	b.Shot("form-desk-wrong")
	b.Size(390, 844)
	b.Set("#f-since", "2026-11-21T14:05")
	b.Type("#f-connection", "Lyon site")
	b.Follow("button")
	b.Shot("thanks-phone")
	if !strings.Contains(b.Text(".stub"), "INC-000001") {
		t.Errorf("thanks: %s", b.Text("main"))
	}
	b.Size(1280, 900)
	b.Shot("thanks-desk")
	b.Follow("a.button")
	b.Shot("ticket-desk")
	if text := b.Text("main"); !strings.Contains(text, "screen.png") || !strings.Contains(text, "No call arrives <b>") || !strings.Contains(text, "Lyon site") {
		t.Errorf("the ticket shows %s", text)
	}
	s.update(func(tx *store.Tx) error {
		now, err := tx.TicketByID(tk.ID)
		if now.State != ticket.New || now.Urgency != "high" || now.Number != "INC-000001" {
			t.Errorf("the ticket is %+v", now)
		}
		return err
	})
}

// pngFile is a picture on disk.
func pngFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("\x89PNG\r\n\x1a\n"+strings.Repeat("x", 3000)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whatever a ticket and a desk are called, nothing is wider than a phone.
func TestBrowserWithHardWords(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	now := *s.settings.Load()
	long := "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung"
	now.Desks[0].Names = map[string]string{"en": "<b>O'Neil & Söhne</b> " + long, "fr": "Söhne"}
	form := incident()
	form.Fields[0].Label = mailflow.Texts{"en": long + "?"}
	form.Fields[3].Choices[0].Choices[0].Label = mailflow.Texts{"en": long}
	form.Fields[6].Choices[0].Label = mailflow.Texts{"en": "ما الذي يحدث؟ " + long}
	form.Fields[13].Label = mailflow.Texts{"en": "هل هناك شيء آخر يجب أن نعرفه؟"}
	now.Forms = []mailflow.Form{form}
	s.settings.Store(&now)
	tk, p := s.await("anna@customer.example", strings.Repeat("Störung der Rufnummernübermittlung am Standort Köln, ", 4)+long)
	path := s.server.URL + "/t/" + p.Link
	var files [][3]string
	for i := range 40 {
		files = append(files, [3]string{"screenshots", fmt.Sprintf("%02d-%s.png", i, map[bool]string{true: long, false: "<b>Bild & 'Söhne'"}[i%2 == 0]), "x"})
	}
	b := browsertest.Start(t)
	narrow := func(name string) {
		t.Helper()
		for _, width := range []int{320, 1280} {
			b.Size(width, 800)
			if wide := b.Overflows(); wide != "" {
				t.Errorf("%s is wider than %d: %s", name, width, wide)
			}
			b.Shot(fmt.Sprintf("hard-%s-%d", name, width))
		}
	}
	b.Open(path)
	narrow("form")
	b.Print(true)
	b.Shot("hard-form-print")
	b.Print(false)
	b.Type("#f-details", "لا يوجد صوت منذ الساعة الثالثة")
	b.Follow("button")
	narrow("wrong")
	s.holds(s.taken(s.upload("/t/"+p.Link, but("details", "لا يوجد صوت منذ الساعة الثالثة\n"+long), files...)), "INC-000001")
	b.Open(path + "?sent")
	narrow("thanks")
	b.Open(path)
	narrow("ticket")
	b.Print(true)
	b.Shot("hard-ticket-print")
	if now, _, _ := s.now(tk.ID); now.State != ticket.New {
		t.Error(now.State)
	}
}
