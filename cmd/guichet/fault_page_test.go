//go:build crash

package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var approvalLink = regexp.MustCompile(`http://[^\s/]+(/t/[0-9a-f]+/approve)\n`)

// playApprove is a customer who confirms the solution on the page, and presses
// the button again where no answer came.
func playApprove(s *stage) {
	customer := resolved(s, "closed")
	s.letters[len(s.letters)-1].also = append(s.letters[len(s.letters)-1].also, "notification agent@desk.example", "notification second@desk.example")
	ask := s.await("closure-request", customer, 1)
	m := approvalLink.FindStringSubmatch(strings.ReplaceAll(ask.mail.Text, "\r", ""))
	if m == nil {
		s.t.Fatalf("no page in\n%s", ask.mail.Text)
	}
	s.until("the page takes the approval", func() bool {
		resp, err := http.PostForm("http://"+s.address("web")+m[1], url.Values{"word": {"approve"}})
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	s.await("closed", customer, 1)
}
