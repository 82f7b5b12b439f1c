package portal

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// files lists the files of a message, as NAME SIZE.
func (s *site) files(message int64) (list []string) {
	s.Helper()
	if err := s.db.View(s.Context(), func(tx *store.Tx) error {
		parts, err := tx.Parts(message)
		for _, p := range parts {
			list = append(list, fmt.Sprintf("%s %d", p.Name, p.Size))
		}
		return err
	}); err != nil {
		s.Fatal(err)
	}
	return list
}

// raws counts the complete and the other mails and files in the store.
func (s *site) raws() (complete, incomplete int) {
	s.Helper()
	if _, err := s.db.SweepRaw(s.Context(), -time.Hour); err != nil {
		s.Fatal(err)
	}
	if err := s.db.View(s.Context(), func(tx *store.Tx) (err error) { complete, incomplete, err = tx.CountRaw(); return err }); err != nil {
		s.Fatal(err)
	}
	return complete, incomplete
}

func TestFilesTravel(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		tk, anna := s.await("anna@customer.example", "Router")
		path := "/t/" + anna.Link
		before, _ := s.raws()
		large := strings.Repeat("0123456789", 200_000)
		files := [][3]string{{"screenshots", "screen.png", "PNG"}, {"screenshots", "Müller %221%22.pdf", "PDF"}, {"screenshots", "exact.bin", large + strings.Repeat("x", 2<<20-len(large))},
			{"screenshots", "too-large.mov", strings.Repeat("x", 2<<20+1)}, {"screenshots", "empty.txt", ""}, {"screenshots", "", ""}, {"details", "not-asked.txt", "x"}, {"other", "not-asked.txt", "x"}}
		page := s.taken(s.upload(path, good(), files...))
		s.holds(page, "Your words have arrived; these files have not", "too-large.mov", "2.1\u00a0MB, too large", "empty.txt", "at most 2\u00a0MB", "-not-asked")
		_, messages, _ := s.now(tk.ID)
		if got := fmt.Sprint(s.files(messages[1].ID)); got != fmt.Sprintf("[screen.png 3 Müller \"1\".pdf 3 exact.bin %d]", 2<<20) {
			t.Errorf("files %s", got)
		}
		s.holds(messages[1].Words, "I took a call.", "Not received: too-large.mov (too large), empty.txt (empty)")
		urls := links(s.get(path))
		for i, want := range []string{"PNG", "PDF", files[2][2]} {
			if i >= len(urls) || s.get(urls[i]) != want {
				t.Errorf("file %d of %v", i, urls)
			}
		}
		if complete, rest := s.raws(); complete != before+3 || rest != 0 {
			t.Errorf("%d files are stored, and %d incomplete, of %d", complete, rest, before)
		}
		// The same again: nothing is added, nothing is left over.
		s.taken(s.upload(path, good(), files...))
		if _, again, _ := s.now(tk.ID); len(again) != 2 {
			t.Error("the same form again is another message")
		}
		if complete, rest := s.raws(); complete != before+3 || rest != 0 {
			t.Errorf("then %d, and %d incomplete", complete, rest)
		}
		// Another file makes it another form.
		s.taken(s.upload(path, good(), [3]string{"screenshots", "screen.png", "PNH"}))
		if _, again, _ := s.now(tk.ID); len(again) != 3 {
			t.Errorf("another file: %d messages", len(again))
		}
	})
}

var keepFile = regexp.MustCompile(`name="keep-file" value="([0-9a-f]+)"`)

func TestARefusedFormKeepsItsFiles(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newFormSite(t, d)
		tk, anna := s.await("anna@customer.example", "Router")
		_, bert := s.await("bert@customer.example", "Router")
		path := "/t/" + anna.Link
		a := s.upload(path, but("summary", ""), [3]string{"screenshots", "one.png", "ONE"}, [3]string{"screenshots", "two.png", "TWO"}, [3]string{"screenshots", "big.mov", strings.Repeat("x", 3<<20)})
		s.wrong(a, "summary")
		s.holds(a.body, "Files received already", "one.png", "two.png", "your files too", "big.mov", "3.1\u00a0MB, too large")
		tokens := keepFile.FindAllStringSubmatch(a.body, -1)
		if len(tokens) != 2 {
			t.Fatalf("%d files are kept", len(tokens))
		}
		s.holds(s.get(path), "-one.png") // a new page begins anew
		// Somebody else's link does not get them.
		s.taken(s.post("/t/"+bert.Link, but("keep-file", tokens[0][1])))
		_, messages, _ := s.now(bert.TicketID)
		if got := s.files(messages[1].ID); len(got) != 0 {
			t.Errorf("bert has %v", got)
		}
		// Wrong once more, one file left out, one added.
		a = s.upload(path, but("summary", "", "keep-file", tokens[1][1]), [3]string{"screenshots", "three.png", "THREE"})
		s.holds(a.body, "-one.png", "two.png", "three.png")
		kept := keepFile.FindAllStringSubmatch(a.body, -1)
		right := but("keep-file", []string{kept[0][1], kept[1][1]})
		// A double click sends it twice.
		var both sync.WaitGroup
		for range 3 {
			both.Go(func() { s.taken(s.post(path, right)) })
		}
		both.Wait()
		_, messages, _ = s.now(tk.ID)
		if len(messages) != 2 || fmt.Sprint(s.files(messages[1].ID)) != "[two.png 3 three.png 5]" {
			t.Errorf("%d messages, files %v", len(messages), s.files(messages[1].ID))
		}
		for i, want := range []string{"TWO", "THREE"} {
			if got := s.get(links(s.get(path))[i]); got != want {
				t.Errorf("file %d holds %q", i, got)
			}
		}
		// What nobody came back for is swept, what was taken stays.
		s.update(func(tx *store.Tx) error {
			n, err := tx.DropOldUploads(tx.Now().Add(time.Hour), 100)
			if err == nil && n != 3 {
				t.Errorf("%d files are swept", n)
			}
			return err
		})
		if complete, rest := s.raws(); complete != 4 || rest != 0 { // two mails, two files
			t.Errorf("%d are stored, %d incomplete", complete, rest)
		}
		for i, want := range []string{"TWO", "THREE"} {
			if got := s.get(links(s.get(path))[i]); got != want {
				t.Errorf("file %d holds %q after the sweep", i, got)
			}
		}
	})
}

func TestFilesAreBounded(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	now := *s.settings.Load()
	form := incident()
	form.MaxFile = 10 << 20
	now.Forms = []mailflow.Form{form}
	s.settings.Store(&now)
	tk, anna := s.await("anna@customer.example", "Router")
	path := "/t/" + anna.Link
	file := func(name string) [3]string { return [3]string{"screenshots", name, strings.Repeat("x", 9<<20)} }
	a := s.upload(path, but("summary", ""), file("one"), file("two"), file("three"))
	s.holds(a.body, "three</bdi> <span class=\"pale\">9.4\u00a0MB, too many files", "at most 10\u00a0MB")
	var many [][3]string
	for i := range 60 {
		many = append(many, [3]string{"screenshots", fmt.Sprintf("f%02d.txt", i), "x"})
	}
	page := s.taken(s.upload(path, good(), many...))
	s.holds(page, "f59.txt", "f48.txt", "-f47.txt") // two of the refused form still wait
	_, messages, _ := s.now(tk.ID)
	if n := len(s.files(messages[1].ID)); n != 48 {
		t.Errorf("%d files", n)
	}
}

// Values of fields that are not shown are passed over, files too.
func TestFilesOfHiddenFields(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	now := *s.settings.Load()
	form := incident()
	for i := range form.Fields {
		if form.Fields[i].Type == mailflow.FileField {
			form.Fields[i].ShownWhen, form.Fields[i].ShownValues = "place", []string{"network"}
		}
	}
	now.Forms = []mailflow.Form{form}
	s.settings.Store(&now)
	tk, anna := s.await("anna@customer.example", "Router")
	s.taken(s.upload("/t/"+anna.Link, but("connection", "hidden"), [3]string{"screenshots", "one.png", "ONE"}))
	_, messages, _ := s.now(tk.ID)
	s.holds(messages[1].Words, "-hidden")
	if got := s.files(messages[1].ID); len(got) != 0 {
		t.Errorf("files %v", got)
	}
	s.taken(s.upload("/t/"+anna.Link, but("connection", "shown", "place", "network/slow"), [3]string{"screenshots", "one.png", "ONE"}))
	_, messages, _ = s.now(tk.ID)
	s.holds(messages[2].Words, "shown", "-I took a call")
	if got := s.files(messages[2].ID); len(got) != 1 {
		t.Errorf("files %v", got)
	}
}

// Bodies that are none, too large, cut, or too many are refused without a
// word of theirs in the log.
func TestHostileBodies(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	var log bytes.Buffer
	var mu sync.Mutex
	s.portal.Log = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	tk, anna := s.await("anna@customer.example", "Router")
	before := s.snapshot(tk)
	path := "/t/" + anna.Link
	check := func(name string, code int, a answer) {
		t.Helper()
		if a.StatusCode != code {
			t.Errorf("%s: %s", name, a.Status)
		}
	}
	secret := "word-secret"
	manyFields := url.Values{}
	for i := range 5000 {
		manyFields.Set(fmt.Sprint(i), secret)
	}
	check("many", http.StatusBadRequest, s.post(path, manyFields))
	kind, body := multi(t, manyFields)
	check("many parts", http.StatusRequestEntityTooLarge, s.send(path, kind, body))
	check("long", http.StatusRequestEntityTooLarge, s.post(path, but("details", strings.Repeat(secret, 200_000))))
	check("long part", http.StatusRequestEntityTooLarge, s.upload(path, but("details", strings.Repeat(secret, 200_000))))
	s.wrong(s.post(path, but("details", strings.Repeat("x", 20_001), "summary", strings.Repeat("x", 1001))), "summary", "details")
	for _, b := range []string{"", "--x", "--x\r\n", "--x\r\nContent-Disposition: form-data; name=\"summary\"\r\n\r\n" + secret, "--y--", "--x\r\n\r\n\r\n--x--",
		"--x\r\nContent-Disposition: form-data; name=summary; filename=\"\r\n\r\nx\r\n--x--", "--x\r\n" + strings.Repeat("A: b\r\n", 100_000) + "\r\nx\r\n--x--"} {
		if a := s.send(path, "multipart/form-data; boundary=x", strings.NewReader(b)); a.StatusCode/100 != 4 {
			t.Errorf("%.60q: %s", b, a.Status)
		}
	}
	check("bad escapes", http.StatusBadRequest, s.send(path, "application/x-www-form-urlencoded", strings.NewReader("a=%zz&b="+secret)))
	check("announced too large", http.StatusRequestEntityTooLarge, s.announce(path, 300<<20))
	if s.snapshot(tk) != before {
		t.Error("something changed")
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), anna.Link) {
		t.Errorf("the log tells\n%s", log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// announce begins a request that says how much is to come.
func (s *site) announce(path string, n int64) answer {
	s.Helper()
	req, err := http.NewRequest(http.MethodPost, s.server.URL+path, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	pr, pw := io.Pipe()
	defer pw.Close()
	req.Body, req.ContentLength = pr, n
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	return answer{resp, ""}
}

// Pages that must look right whatever they hold.
func TestForty(t *testing.T) {
	s := newFormSite(t, storetest.SQLite(t))
	tk, anna := s.await(`"<b>o'neil & söhne</b>"@customer.example`, strings.Repeat("Donaudampfschifffahrtsgesellschaft ", 6))
	var files [][3]string
	for i := range 40 {
		files = append(files, [3]string{"screenshots", fmt.Sprintf("%02d-<b>Bildschirmfoto & 'Söhne'.png", i), "x"})
	}
	a := s.upload("/t/"+anna.Link, but("summary", ""), files...)
	s.holds(a.body, "39-&lt;b&gt;Bildschirmfoto &amp; &#39;Söhne&#39;.png")
	if now, _, _ := s.now(tk.ID); now.State != ticket.AwaitingForm {
		t.Error(now.State)
	}
}
