//go:build crash

package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
)

func init() {
	scenarios["form"] = scenario{play: playForm, config: []string{
		"agents:\n", "forms: {incident: {fields: [{name: what, type: textarea, label: {en: What}, required: yes}, {name: files, type: file, label: {en: Files}}]}}\nagents:\n",
		"intake: direct\n    validation: no", "intake: direct\n    form: incident\n    validation: no",
	}}
}

var pageOf = regexp.MustCompile(`http://desk\.example(/t/[0-9a-f]{40})`)

// playForm is a form with a file, sent until it is acknowledged: whatever died
// meanwhile, it is one message.
func playForm(s *stage) {
	first := firstMail("1", nil)
	first.also = []string{"notification agent@desk.example", "notification second@desk.example"}
	s.send(first)
	ack := s.await("acknowledgment", first.from, 1)
	link := pageOf.FindStringSubmatch(ack.mail.Text)[1]
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	file, _ := w.CreateFormFile("files", "screen.png")
	file.Write(bytes.Repeat([]byte("0123456789"), 60_000))
	w.WriteField("what", "It prints nothing.")
	w.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.until("the form is taken", func() bool {
		resp, err := client.Post("http://"+s.address("web")+link, w.FormDataContentType(), bytes.NewReader(b.Bytes()))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusSeeOther
	})
	s.awaitDeath()
	s.await("notification", "agent@desk.example", 2)
	s.onePage(link)
}

// onePage wants the form on the ticket's page once, with its file.
func (s *stage) onePage(link string) {
	s.t.Helper()
	var page []byte
	s.until("the page", func() bool {
		resp, err := http.Get("http://" + s.address("web") + link)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		page, err = io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK
	})
	if n, files := strings.Count(string(page), "It prints nothing."), strings.Count(string(page), "screen.png"); n != 1 || files != 1 {
		s.t.Errorf("the form stands there %d times, its file %d times", n, files)
	}
}
