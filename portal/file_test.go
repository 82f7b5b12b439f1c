package portal

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"guichet/mailflow"
	"guichet/store"
	"guichet/store/storetest"
)

func TestFilesAreDownloads(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newSite(t, d)
		tk, anna := s.open("support", "anna@customer.example", "Router")
		files := []attached{
			{"x.svg", "image/svg+xml", "<svg onload='alert(1)'/>"}, {"x.html", "text/html", "<script>alert(1)</script>"},
			{"x.txt", "text/plain", "text"}, {"x.pdf", "application/pdf", "%PDF-"}, {"x.xml", "application/xhtml+xml", "<x/>"},
			{"x.jpg", "image/jpeg", "JPEG"}, {"", "message/rfc822", "From: x"}, {"empty", "text/css", ""},
			{"large.bin", "text/javascript", strings.Repeat("0123456789", 300_000)},
		}
		s.says(tk, anna, store.Public, "Look.", files...)
		urls := links(s.get("/t/" + anna.Link))
		if len(urls) != len(files) {
			t.Fatal(urls)
		}
		for i, u := range urls {
			a := s.do(http.MethodGet, u)
			if a.StatusCode != http.StatusOK || a.body != files[i].data {
				t.Errorf("%s: %s, %d bytes of %d", files[i].name, a.Status, len(a.body), len(files[i].data))
			}
			head := s.do(http.MethodHead, u)
			for _, h := range []http.Header{a.Header, head.Header} {
				if !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") || h.Get("Content-Type") != "application/octet-stream" ||
					h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
					t.Errorf("%s: %v", files[i].name, h)
				}
			}
			if head.ContentLength != int64(len(files[i].data)) || head.body != "" {
				t.Errorf("HEAD of %s: %d bytes announced, %d came", files[i].name, head.ContentLength, len(head.body))
			}
		}
	})
}

func TestDisposition(t *testing.T) {
	check := func(name, want string) {
		t.Helper()
		if got := disposition(name); want != "" && got != want {
			t.Errorf("%q:\n%s, want\n%s", name, got, want)
		}
		kind, params, err := mime.ParseMediaType(disposition(name))
		got := params["filename"]
		if err != nil || kind != "attachment" || len(params) != 1 {
			t.Errorf("%.50q: %v %v", name, err, params)
		}
		if got == "" || len(got) > 200 || !utf8.ValidString(got) || strings.ContainsAny(got, `/\`) || got[0] == '.' || strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}) {
			t.Errorf("%.50q is called %q", name, got)
		}
		for _, c := range []byte(disposition(name)) {
			if c < ' ' || c > '~' {
				t.Errorf("%.50q: the field holds %#x", name, c)
			}
		}
	}
	check("photo.jpg", `attachment; filename="photo.jpg"; filename*=UTF-8''photo.jpg`)
	check("Müller 1.pdf", `attachment; filename="M_ller 1.pdf"; filename*=UTF-8''M%C3%BCller%201.pdf`)
	check(`a"b;c.txt`, `attachment; filename="a_b;c.txt"; filename*=UTF-8''a%22b%3Bc.txt`)
	check("a%41.txt", `attachment; filename="a_41.txt"; filename*=UTF-8''a%2541.txt`)
	check("../../etc/passwd", `attachment; filename="passwd"; filename*=UTF-8''passwd`)
	check(`C:\x\..\boot.ini`, `attachment; filename="boot.ini"; filename*=UTF-8''boot.ini`)
	check("x\r\nSet-Cookie: a=b", `attachment; filename="x  Set-Cookie: a=b"; filename*=UTF-8''x%20%20Set-Cookie%3A%20a%3Db`)
	check("\u202egpj.exe", `attachment; filename="gpj.exe"; filename*=UTF-8''gpj.exe`)
	check(".\u200bhtaccess", `attachment; filename="htaccess"; filename*=UTF-8''htaccess`)
	for _, name := range []string{"", ".", "..", "/", `\`, " . ", "\u202e", "a/"} {
		check(name, `attachment; filename="file"; filename*=UTF-8''file`)
	}
	check("\xff\xfe\x00", "")
	check(strings.Repeat("ü", 5000)+".tar.gz", "")
	check(strings.Repeat(".x", 5000), "")
	if name := safeName(strings.Repeat("ü", 5000) + ".pdf"); !strings.HasSuffix(name, "ü.pdf") {
		t.Errorf("the extension is lost: %q", name)
	}
	for _, name := range evil {
		check(name, "")
	}
}

// Half a file is never taken for a whole one.
func TestDownloadIsCut(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router")
	raw := s.db.NewRaw(context.Background())
	io.WriteString(raw, "0123456789")
	s.update(func(tx *store.Tx) error {
		id, _, _, err := raw.Finish(tx)
		if err != nil {
			return err
		}
		_, err = tx.AddMessage(store.Message{TicketID: tk.ID, RawID: id, Visibility: store.Public, At: start},
			[]store.Part{{Path: "2", Name: "x", Length: 20, Size: 20}, {Path: "3", Name: "y", Offset: -5, Length: -5}})
		if err == nil { // a mail that was erased
			_, err = tx.AddMessage(store.Message{TicketID: tk.ID, Visibility: store.Public, At: start}, []store.Part{{Path: "2", Name: "x"}})
		}
		return err
	})
	urls := links(s.get("/t/" + anna.Link))
	slices := map[string]bool{}
	for _, u := range urls {
		slices[u] = true
	}
	if len(slices) != 3 {
		t.Fatal(urls)
	}
	resp, err := http.Get(s.server.URL + mailflow.FileURL(anna.Link, store.Part{MessageID: 1, Path: "2"}))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("a cut file came whole")
	}
	if body := s.get(mailflow.FileURL(anna.Link, store.Part{MessageID: 1, Path: "3"})); body != "" {
		t.Errorf("no length: %q", body)
	}
	s.nothing(mailflow.FileURL(anna.Link, store.Part{MessageID: 2, Path: "2"}))
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		var leave func()
		for range maxDownloads {
			var err error
			if leave, err = g.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := g.enter(t.Context()); err != errBusy {
			t.Errorf("one too many: %v", err)
		}
		leave()
		if _, err := g.enter(t.Context()); err != nil {
			t.Errorf("a slot was not given back: %v", err)
		}
	})
}
