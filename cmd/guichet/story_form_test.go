package main

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// linkIn is the address of the page behind a mail of ours, without the host.
func (s *story) linkIn(m *sent) string {
	s.t.Helper()
	for _, w := range strings.Fields(m.mail.Text) {
		if link, ok := strings.CutPrefix(w, "http://desk.example"); ok && strings.HasPrefix(link, "/t/") {
			return link
		}
	}
	s.fatalf("no link in the mail:\n%s", m.mail.Text)
	return ""
}

var wrongField = regexp.MustCompile(`id="e-([a-z_-]+)"`)

// form fills in the form behind a mail, as a browser without scripts sends it.
func (s *story) form(m *sent, want []string, body string) {
	s.t.Helper()
	var sent bytes.Buffer
	form := multipart.NewWriter(&sent)
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		if field, isFile := strings.CutPrefix(name, "@"); isFile {
			w, _ := form.CreateFormFile(field, value)
			io.WriteString(w, "what "+value+" holds\n")
		} else {
			form.WriteField(name, value)
		}
	}
	form.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Post("http://"+s.g.addr["web"]+s.linkIn(m), form.FormDataContentType(), &sent)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if len(want) == 0 {
		if resp.StatusCode != http.StatusSeeOther {
			s.fatalf("the form is not taken: %s\n%s", resp.Status, page)
		}
		return
	}
	var found []string
	for _, f := range wrongField.FindAllSubmatch(page, -1) {
		found = append(found, string(f[1]))
	}
	if resp.StatusCode != http.StatusUnprocessableEntity || !slices.Equal(found, want[1:]) {
		s.fatalf("%s, refused are %v", resp.Status, found)
	}
}

var anyLink = regexp.MustCompile(`http://desk\.example(/[^\s"<>)]*)`)

// scan is a scanner that opens whatever it finds in a mail, in both parts, and
// all that it finds on those pages, three times over.
func (s *story) scan() {
	s.t.Helper()
	before := s.everything()
	var links []string
	for _, m := range s.g.sink.all() {
		for _, l := range anyLink.FindAllStringSubmatch(m.mail.Text+" "+m.html(), -1) {
			links = append(links, strings.ReplaceAll(l[1], "&amp;", "&"))
		}
	}
	slices.Sort(links)
	links = slices.Compact(links)
	onPage := regexp.MustCompile(`(?:href|action)="(/[^"]*)"`)
	for range 3 {
		for i := 0; i < len(links); i++ {
			resp, err := http.Get("http://" + s.g.addr["web"] + links[i])
			if err != nil {
				s.fatalf("%v", err)
			}
			page, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				s.fatalf("GET %s: %s", links[i], resp.Status)
			}
			for _, l := range onPage.FindAllStringSubmatch(string(page), -1) {
				if next := strings.ReplaceAll(l[1], "&amp;", "&"); !slices.Contains(links, next) {
					links = append(links, next)
				}
			}
		}
	}
	if len(links) < 2 {
		s.fatalf("only the links %v", links)
	}
	if after := s.everything(); after != before {
		s.fatalf("a scanner has changed something:\n%s\n%s", before, after)
	}
}

// everything is all that the program tells of its tickets and mails.
func (s *story) everything() string {
	s.t.Helper()
	s.g.settled()
	var b strings.Builder
	for _, args := range [][]string{{"ticket", "list"}, {"outbox", "list"}, {"held", "list"}} {
		for _, row := range s.g.rows(args...) {
			fmt.Fprintln(&b, row)
			if args[0] == "ticket" && row["number"] != nil {
				fmt.Fprintln(&b, s.g.rows("ticket", "show", fmt.Sprint(row["number"])), s.g.rows("ticket", "history", fmt.Sprint(row["number"])))
			}
		}
	}
	return b.String()
}
