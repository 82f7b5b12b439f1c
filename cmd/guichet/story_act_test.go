package main

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

var mailtoLink = regexp.MustCompile(`href="mailto:([^"?]+)\?([^"]+)"`)

// press sends the mail that the approve or the refuse link of a mail begins,
// or one to its address with other words.
func (s *story) press(which string, m *sent, from, body string) {
	s.t.Helper()
	links := mailtoLink.FindAllStringSubmatch(m.html(), -1)
	at := map[string]int{"approve": 0, "refuse": 1}[which]
	if len(links) != 2 {
		s.fatalf("%d mailto links in\n%s", len(links), m.html())
	}
	query, err := url.ParseQuery(strings.ReplaceAll(links[at][2], "&amp;", "&"))
	if err != nil {
		s.fatalf("%v", err)
	}
	if body == "" {
		body = query.Get("body")
	}
	if _, text := splitMail(body); text == body {
		body = "Subject: " + query.Get("subject") + "\n\n" + body
	}
	s.write(false, from, []string{links[at][1]}, "", nil, body)
}

// push presses a button of the page behind a mail's link, as a browser does,
// with a comment. The page's own form says where to and what else is sent.
func (s *story) push(which string, m *sent, comment string) {
	s.t.Helper()
	link := regexp.MustCompile(`http://desk\.example(/t/\S+/approve)`).FindStringSubmatch(m.mail.Text)
	if link == nil {
		s.fatalf("no approval page in\n%s", m.mail.Text)
	}
	web := "http://" + s.g.addr["web"]
	resp, err := http.Get(web + link[1])
	if err != nil {
		s.fatalf("%v", err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	action := regexp.MustCompile(`method="post" action="([^"]+)"`).FindStringSubmatch(string(page))
	form := url.Values{"word": {which}, "comment": {comment}}
	for _, h := range regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		form.Set(h[1], h[2])
	}
	if action == nil {
		action = []string{"", link[1]} // a page that asks nothing: the POST must do nothing
	}
	client := &http.Client{Timeout: 30 * time.Second}
	if resp, err = client.PostForm(web+action[1], form); err != nil {
		s.fatalf("%v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.fatalf("POST %s: %s", action[1], resp.Status)
	}
}
