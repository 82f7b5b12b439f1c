package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"guichet/store/storetest"
)

// TestE2EStories plays the dialogues of testdata/dialogues against a gateway in
// a process of its own, over SMTP, on both engines. Their grammar stands in
// testdata/dialogues/README.md.
func TestE2EStories(t *testing.T) {
	files, err := filepath.Glob("../../testdata/dialogues/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range slices.Backward(files) { // the last take longest
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
				t.Parallel()
				playStory(t, d.URL, string(text))
			})
		})
	}
}

// story is a dialogue being played.
type story struct {
	t      *testing.T
	g      *running
	names  map[string]*sent
	count  int // of mails written
	line   int
	header map[string]string // Message-IDs of mails written, by name
}

// step is one paragraph: a line at the margin and the indented lines below.
type step struct {
	line int
	verb string
	body []string
}

func parseStory(text string) (steps []step) {
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "\t"):
			s := &steps[len(steps)-1]
			s.body = append(s.body, line[1:])
		case strings.TrimSpace(line) == "":
			if len(steps) > 0 {
				s := &steps[len(steps)-1]
				s.body = append(s.body, "")
			}
		case !strings.HasPrefix(line, "#"):
			steps = append(steps, step{line: i + 1, verb: line})
		}
	}
	return steps
}

func playStory(t *testing.T, database, text string) {
	steps := parseStory(text)
	var replace []string
	for len(steps) > 0 && strings.HasPrefix(steps[0].verb, "config ") {
		from, to, ok := strings.Cut(strings.TrimPrefix(steps[0].verb, "config "), " => ")
		if !ok {
			t.Fatalf("line %d: config FROM => TO", steps[0].line)
		}
		replace, steps = append(replace, from, strings.ReplaceAll(to, `\n`, "\n")), steps[1:]
	}
	s := &story{t: t, g: startGateway(t, database, replace...), names: map[string]*sent{}, header: map[string]string{}}
	for _, step := range steps {
		s.line = step.line
		s.play(step)
		if t.Failed() {
			return
		}
	}
	s.quiet()
	if secret := regexp.MustCompile(`\b(?:[a-z2-7]{32}|[0-9a-f]{40,64})\b`).FindString(s.g.log()); secret != "" {
		t.Errorf("the log holds a token, a link or a key: %s", secret)
	}
}

func (s *story) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("line %d: "+format, append([]any{s.line}, args...)...)
}

func (s *story) play(st step) {
	w := strings.Fields(st.verb)
	body := strings.TrimRight(strings.Join(st.body, "\n"), "\n")
	switch {
	case len(w) >= 4 && (w[0] == "mail" || w[0] == "submit") && w[2] == "->":
		s.write(w[0] == "submit", w[1], strings.Split(w[3], ","), nameIn(w), nil, body)
	case len(w) >= 4 && (w[0] == "answer" || w[0] == "submit-answer") && w[2] == "as":
		s.write(w[0] == "submit-answer", w[3], nil, nameIn(w[4:]), s.named(w[1]), body)
	case len(w) >= 2 && w[0] == "bounce":
		s.bounce(s.named(w[1]), body)
	case len(w) >= 4 && w[0] == "expect" && w[2] == "to":
		s.expect(w[1], w[3], nameIn(w), body)
	case w[0] == "quiet":
		s.quiet()
	case w[0] == "release":
		s.each("outbox", "release", "--state", "held")
	case w[0] == "retry":
		s.each("held", "retry")
	case len(w) >= 3 && w[0] == "refuse":
		s.g.sink.refuseAll(w[1], strings.Join(w[2:], " "))
	case len(w) == 3 && w[0] == "until":
		s.g.until(fmt.Sprintf("line %d: %s", s.line, st.verb), func() bool {
			rows := s.g.rows("ticket", "list", "--state", w[2])
			return slices.ContainsFunc(rows, func(r map[string]any) bool { return r["number"] == w[1] || r["number"] == nil && w[1] == "-" })
		})
	case len(w) >= 3 && w[0] == "ticket":
		s.ticket(w[1], w[2:])
	case w[0] == "import":
		file := filepath.Join(s.g.dir, "import.csv")
		write(s.t, file, body+"\n")
		if code, _, errs := s.g.command("org", "import", file); code != 0 {
			s.fatalf("org import: %s", errs)
		}
	case w[0] == "run":
		s.run(w[1:], body)
	case w[0] == "form":
		s.form(s.named(w[1]), w[2:], body)
	case w[0] == "scan":
		s.scan()
	case len(w) == 5 && w[0] == "press" && w[3] == "as":
		s.press(w[1], s.named(w[2]), w[4], body)
	case len(w) == 3 && w[0] == "push":
		s.push(w[1], s.named(w[2]), body)
	case w[0] == "page":
		s.page(s.named(w[1]), body)
	default:
		s.fatalf("what is %q?", st.verb)
	}
}

// nameIn is the word after "as", or "".
func nameIn(w []string) string {
	for i := 0; i+1 < len(w); i++ {
		if w[i] == "as" {
			return w[i+1]
		}
	}
	return ""
}

func (s *story) named(name string) *sent {
	s.t.Helper()
	if s.names[name] == nil {
		s.fatalf("no mail was called %q", name)
	}
	return s.names[name]
}

// write sends a mail. What the body's own headers leave out is filled in as a
// mail program does; a mail that is not submitted has passed a mail server.
func (s *story) write(submitted bool, from string, to []string, name string, answers *sent, body string) {
	head, text := splitMail(s.filled(body))
	s.count++
	fields := []string{"From: " + from}
	if v, ok := head["from"]; ok {
		fields[0] = "From: " + v
		delete(head, "from")
	}
	add := func(key, value string) {
		if v, ok := head[strings.ToLower(key)]; ok {
			value = v
			delete(head, strings.ToLower(key))
		}
		if value != "" {
			fields = append(fields, key+": "+value)
		}
	}
	id := fmt.Sprintf("<m%d@%s>", s.count, from[strings.IndexByte(from, '@')+1:])
	if answers != nil {
		reply := answers.mail.ReplyTo
		if len(reply) == 0 {
			reply = answers.mail.From
		}
		to = []string{reply[0].Address}
		add("To", to[0])
		add("Subject", "Re: "+strings.TrimPrefix(answers.mail.Subject, "Re: "))
		add("In-Reply-To", answers.mail.MessageID)
		add("References", strings.Join(append(answers.mail.References, answers.mail.MessageID), " "))
		text += "\n\nOn Sat, 21 Nov 2026, " + answers.mail.From[0].Address + " wrote:\n" + quoted(answers.mail.Text)
	} else {
		add("To", strings.Join(to, ", "))
	}
	if rcpt, ok := head["envelope-to"]; ok {
		to = strings.Split(rcpt, ",")
		delete(head, "envelope-to")
	}
	sender := from
	if v, ok := head["envelope-from"]; ok {
		sender = strings.Trim(v, "<>")
		delete(head, "envelope-from")
	}
	add("Date", time.Now().Format(time.RFC1123Z))
	add("Message-ID", id)
	add("Content-Type", "text/plain; charset=utf-8")
	for k, v := range head {
		fields = append(fields, k+": "+v)
	}
	if !submitted {
		fields = append([]string{"Received: from client.example by mx.example; " + time.Now().Format(time.RFC1123Z)}, fields...)
	}
	raw := strings.ReplaceAll(strings.Join(fields, "\n")+"\n\n"+text+"\n", "\n", "\r\n")
	if err := s.g.deliver(sender, to, []byte(raw)); err != nil {
		s.fatalf("deliver: %v", err)
	}
	if name != "" {
		s.header[name] = id
	}
}

func quoted(text string) string {
	return "> " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n> ")
}

// splitMail cuts header lines from the top of a block.
func splitMail(body string) (map[string]string, string) {
	head := map[string]string{}
	top, text, ok := strings.Cut(body, "\n\n")
	if !ok {
		top, text = body, ""
	}
	for line := range strings.Lines(top) {
		key, value, colon := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		if !colon || strings.ContainsAny(key, " #>") {
			return map[string]string{}, body
		}
		head[strings.ToLower(key)] = value
	}
	return head, text
}

// bounce sends a report on a mail to its envelope sender.
func (s *story) bounce(m *sent, body string) {
	action, status := "failed", "5.1.1"
	if strings.Contains(body, "delayed") {
		action, status = "delayed", "4.4.1"
	}
	raw := "From: MAILER-DAEMON@mx.example\nTo: " + m.from + "\nSubject: Undelivered Mail Returned to Sender\n" +
		"Date: " + time.Now().Format(time.RFC1123Z) + "\nMessage-ID: <b" + fmt.Sprint(s.count) + "@mx.example>\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\n\n--b\n\nCould not be delivered.\n\n--b\n" +
		"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; " + m.to +
		"\nAction: " + action + "\nStatus: " + status + "\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\n\n--b\nContent-Type: text/rfc822-headers\n\n" +
		"Message-ID: " + m.mail.MessageID + "\n\n--b--\n"
	s.count++
	if err := s.g.deliver("", []string{m.from}, []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
		s.fatalf("deliver: %v", err)
	}
}

// expect waits for a mail and looks at it: "Name: value" is a header field,
// "+ words" stand in the text and the HTML part, "- words" stand nowhere.
func (s *story) expect(kind, to, name, body string) {
	s.t.Helper()
	var got *sent
	s.g.until(fmt.Sprintf("line %d: %s to %s", s.line, kind, to), func() bool {
		for _, m := range s.g.sink.all() {
			if !m.taken && m.kind() == kind && m.to == to && s.meant(m, body) {
				got = m
				return true
			}
		}
		return false
	})
	got.taken = true
	if name != "" {
		s.names[name] = got
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "+ "):
			s.holds(got, s.filled(line[2:]))
		case strings.HasPrefix(line, "- "):
			s.lacks(got, s.filled(line[2:]))
		default:
			s.field(got, line)
		}
	}
}

// meant tells mails of one kind to one reader apart, by desk and ticket.
func (s *story) meant(m *sent, body string) bool {
	for line := range strings.Lines(body) {
		for _, key := range []string{"From", "X-Guichet-Ticket"} {
			if want, ok := strings.CutPrefix(line, key+": "); ok && cmp.Or(strings.Join(strings.Fields(m.mail.Header.Get(key)), " "), "none") != strings.TrimSpace(want) {
				return false
			}
		}
	}
	return true
}

// filled replaces $name by the Message-ID of a mail.
func (s *story) filled(text string) string {
	for name, id := range s.header {
		text = strings.ReplaceAll(text, "$"+name, id)
	}
	return text
}

func (s *story) holds(m *sent, words string) {
	s.t.Helper()
	if !strings.Contains(oneLine(m.mail.Text), oneLine(words)) {
		s.fatalf("the text lacks %q:\n%s", words, m.mail.Text)
	}
}

func (s *story) lacks(m *sent, words string) {
	s.t.Helper()
	header, _, _ := bytes.Cut(m.raw, []byte("\r\n\r\n"))
	decoded, err := new(mime.WordDecoder).DecodeHeader(string(header))
	if err != nil {
		decoded = string(header)
	}
	all := oneLine(decoded + "\n" + m.mail.Text + "\n" + m.html() + "\n" + m.from)
	if strings.Contains(strings.ToLower(all), strings.ToLower(oneLine(words))) {
		s.fatalf("the mail holds %q:\n%s\n%s", words, header, m.mail.Text)
	}
}

func (s *story) field(m *sent, line string) {
	s.t.Helper()
	key, want, _ := strings.Cut(line, ":")
	want = s.filled(strings.TrimSpace(want))
	got := strings.TrimSpace(strings.Join(strings.Fields(m.mail.Header.Get(key)), " "))
	switch strings.ToLower(key) {
	case "subject":
		got = m.mail.Subject
	case "files":
		var names []string
		for _, p := range m.mail.Parts {
			names = append(names, p.Filename)
		}
		got = strings.Join(names, " ")
	}
	if want == "none" {
		want = ""
	}
	if got != want {
		s.fatalf("%s is %q, want %q", key, got, want)
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// quiet waits until all is processed and sent, and wants no mail that no
// expect has looked at.
func (s *story) quiet() {
	s.t.Helper()
	s.g.settled()
	for _, m := range s.g.sink.all() {
		if !m.taken {
			s.fatalf("an unexpected %s to %s:\n%s", m.kind(), m.to, m.mail.Text)
		}
	}
}

// ticket looks at a ticket's row: state, and reason=, customer=, ….
func (s *story) ticket(number string, want []string) {
	s.t.Helper()
	s.g.settled()
	for _, row := range s.g.rows("ticket", "list") {
		if row["number"] != number && (row["number"] != nil || number != "-") {
			continue
		}
		for _, w := range want {
			key, value, ok := strings.Cut(w, "=")
			if !ok {
				key, value = "state", w
			}
			if got := fmt.Sprint(row[key]); got != value {
				s.fatalf("%s of %s is %s, want %s", key, number, got, value)
			}
		}
		return
	}
	if want[0] != "none" {
		s.fatalf("no ticket %s", number)
	}
}

// run prints a command's output and looks for words in it.
func (s *story) run(args []string, body string) {
	s.t.Helper()
	s.g.settled()
	for i := range args {
		args[i] = s.filled(args[i])
	}
	code, out, errs := s.g.command(args...)
	if code != 0 {
		s.fatalf("guichet %v: exit %d: %s", args, code, errs)
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if words, ok := strings.CutPrefix(line, "+ "); ok && !strings.Contains(oneLine(out), oneLine(s.filled(words))) {
			s.fatalf("guichet %v lacks %q:\n%s", args, words, out)
		}
		if words, ok := strings.CutPrefix(line, "- "); ok && strings.Contains(oneLine(out), oneLine(s.filled(words))) {
			s.fatalf("guichet %v holds %q:\n%s", args, words, out)
		}
	}
}

// each does something with every row that a list prints.
func (s *story) each(of, act string, only ...string) {
	s.t.Helper()
	rows := s.g.rows(append([]string{of, "list"}, only...)...)
	if len(rows) == 0 {
		s.fatalf("guichet %s list is empty", of)
	}
	for _, row := range rows {
		if row["state"] == "waiting" {
			continue
		}
		if code, _, errs := s.g.command(of, act, fmt.Sprint(row["id"])); code != 0 {
			s.fatalf("guichet %s %s: %s", of, act, errs)
		}
	}
}

// page opens the link of a mail, twice, and looks for words.
func (s *story) page(m *sent, body string) {
	s.t.Helper()
	link := ""
	for _, w := range strings.Fields(m.mail.Text) {
		if strings.HasPrefix(w, "http://desk.example/t/") {
			link = strings.TrimPrefix(w, "http://desk.example")
		}
	}
	if link == "" {
		s.fatalf("no link in the mail:\n%s", m.mail.Text)
	}
	var page string
	for range 2 {
		resp, err := http.Get("http://" + s.g.addr["web"] + link)
		if err != nil {
			s.fatalf("%v", err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.fatalf("GET %s: %s", link, resp.Status)
		}
		page = oneLine(string(b))
	}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if words, ok := strings.CutPrefix(line, "+ "); ok && !strings.Contains(page, words) {
			s.fatalf("the page lacks %q:\n%s", words, page)
		}
		if words, ok := strings.CutPrefix(line, "- "); ok && strings.Contains(page, words) {
			s.fatalf("the page holds %q:\n%s", words, page)
		}
	}
}
