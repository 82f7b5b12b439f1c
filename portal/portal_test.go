package portal

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

var photo = attached{"photo.jpg", "image/jpeg", "JPEG"}

// links are the addresses below /t/ that a page holds.
func links(page string) (list []string) {
	for _, m := range regexp.MustCompile(`href="(/t/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		list = append(list, m[1])
	}
	return list
}

func TestNobodySeesWhatIsNotTheirs(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newSite(t, d)
		ticketA, anna := s.open("support", "anna@customer.example", "Router")
		ticketB, bert := s.open("sales", "bert@customer.example", "Invoice")
		s.says(ticketA, anna, store.Public, "The router is dead.", photo, photo)
		messageB := s.says(ticketB, bert, store.Public, "Where is it?", photo)
		page := s.get("/t/" + anna.Link)
		s.holds(page, "The router is dead.", "photo.jpg", "-Where is it?", "-"+bert.Link)
		urls := append(links(page), "/t/"+anna.Link)
		if len(urls) != 3 {
			t.Fatalf("the page has the links %v", urls)
		}
		for _, u := range urls {
			s.get(u)
			for _, link := range []string{bert.Link, strings.Repeat("a", 40), strings.ToUpper(anna.Link), anna.Link[:39], anna.Link + "0",
				"%00", "%ff", "'", "..", strings.Repeat("a", 5000), strconv.FormatInt(anna.ID, 10)} {
				if u != "/t/"+anna.Link || link != bert.Link {
					s.nothing(strings.Replace(u, anna.Link, link, 1))
				}
			}
		}
		own := "/t/" + anna.Link + "/file/"
		for _, rest := range []string{strings.TrimPrefix(mailflow.FileURL(anna.Link, store.Part{MessageID: messageB, Path: "2"}), own), "1/1", "1/..%2f2", "-1/2", "%00", "x/2", "1/2/3", "1", strings.Repeat("0", 16)} {
			s.nothing(own + rest)
		}
		for _, path := range []string{"/t", "/t/", "/x", "/style.css/x", "//t/x", "/t/" + anna.Link + "/approve/x", "/t/" + anna.Link + "/file"} {
			s.nothing(path)
		}
	})
}

func TestWhatAPartySees(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newSite(t, d)
		tk, anna := s.open("support", "anna@customer.example", "Router")
		agent := s.join(tk, ticket.Agent, "agent@desk.example", 0)
		agent.Name = "First agent"
		first := s.says(tk, anna, store.Public, "word-one", photo)
		hidden := []int64{
			s.says(tk, agent, store.NoteVis, "word-note", photo),
			s.says(tk, anna, store.Waiting, "word-waiting", photo),
			s.says(tk, anna, store.Record, "word-record", photo),
		}
		late := s.join(tk, ticket.Follower, "late@customer.example", first+1)
		s.says(tk, agent, store.Public, "word-two")
		s.holds(s.get("/t/"+anna.Link), "word-one", "word-two", "Technical support", "-word-note", "-word-waiting", "-word-record", "-First agent", "-agent@desk.example")
		s.holds(s.get("/t/"+late.Link), "-word-one", "word-two", "-word-note", "-word-waiting", "-word-record")
		s.holds(s.get("/t/"+agent.Link), "word-one", "word-two", "word-note", "word-waiting", "-word-record", "First agent",
			"note, for agents only", "waits for a decision")
		file := func(p store.Party, id int64) string {
			return mailflow.FileURL(p.Link, store.Part{MessageID: id, Path: "2"})
		}
		s.get(file(anna, first))
		s.nothing(file(late, first))
		for _, id := range hidden {
			s.nothing(file(anna, id))
		}
		s.get(file(agent, hidden[0]))
		s.nothing(file(agent, hidden[2]))
	})
}

// While an answer is waited for, the page says whose.
func TestWhoseAnswer(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router", func(t *ticket.Ticket) {
		t.State, t.Next, t.Deadline = ticket.Pending, ticket.Reminder, start.Add(24*time.Hour)
	})
	boris := s.join(tk, ticket.Integrator, "boris@integrator.example", 0)
	clara := s.join(tk, ticket.Follower, "clara@customer.example", 0)
	says := func(p store.Party, words ...string) {
		t.Helper()
		s.holds(s.get("/t/"+p.Link), words...)
	}
	ask := func(args string) {
		s.update(func(tx *store.Tx) error {
			_, err := tx.AddOutbox(store.Outbox{TicketID: tk.ID, Kind: ticket.InformationRequest, Recipient: anna.Address, Args: args, Due: tx.Now()})
			return err
		})
	}
	ask("{}")
	says(anna, "Waiting for your answer", "If we hear nothing from you", "Simply reply")
	says(clara, "Waiting for an answer", "Without an answer, a reminder goes out", "-from you", "-Simply reply")
	ask(`{"asked":"boris@integrator.example"}`)
	says(anna, "Waiting for an answer", "An answer is needed from", "boris@integrator.example", "-from you", "-Simply reply")
	says(boris, "Waiting for your answer", "If we hear nothing from you", "-An answer is needed")
}

// What an agent's link shows follows from the configuration of now.
func TestAgentsLink(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router")
	agent := s.join(tk, ticket.Agent, "agent@desk.example", 0)
	never := s.join(tk, ticket.Agent, "second@desk.example", 0) // of the other desk
	id := s.says(tk, agent, store.NoteVis, "word-note", photo)
	page, file := "/t/"+agent.Link, mailflow.FileURL(agent.Link, store.Part{MessageID: id, Path: "2"})
	s.get(page)
	s.get(file)
	s.nothing("/t/" + never.Link)
	was := *s.settings.Load()
	for name, change := range map[string]func(*mailflow.Settings){
		"removed": func(now *mailflow.Settings) { now.Agents = now.Agents[1:] },
		"of other desks": func(now *mailflow.Settings) {
			now.Agents = []mailflow.Agent{{Address: agent.Address, Desks: []string{"sales"}}}
		},
	} {
		now := was
		change(&now)
		s.settings.Store(&now)
		t.Log(name)
		s.nothing(page)
		s.nothing(file)
		s.get("/t/" + anna.Link)
	}
	s.settings.Store(&mailflow.Settings{Desks: was.Desks[1:], Agents: was.Agents})
	s.nothing(page)
	s.nothing("/t/" + anna.Link)
}

func TestHome(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	s.holds(s.get("/"), "Write to the address", "-desk.example")
	now := *s.settings.Load()
	now.Desks = now.Desks[1:]
	s.settings.Store(&now)
	s.holds(s.get("/"), "Service clients", "mailto:sales@desk.example")
}

func TestMergedAndClosed(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		s := newSite(t, d)
		lives, _ := s.open("sales", "bert@customer.example", "Line down")
		both := s.join(lives, ticket.Follower, "anna@customer.example", 0)
		s.says(lives, both, store.Public, "word-survivor")
		into := func(id int64) func(*ticket.Ticket) {
			return func(t *ticket.Ticket) { t.State, t.Closed, t.MergedInto = ticket.Closed, ticket.Merged, id }
		}
		middle, _ := s.open("sales", "bert@customer.example", "Line", into(lives.ID))
		old, anna := s.open("support", "anna@customer.example", "Router", into(middle.ID))
		id := s.says(old, anna, store.Public, "word-old", photo)
		absent := s.join(old, ticket.Follower, "absent@customer.example", 0)
		agent := s.join(old, ticket.Agent, "first@desk.example", 0) // not of the other desk
		s.join(lives, ticket.Agent, agent.Address, 0)
		s.holds(s.get("/t/"+agent.Link), "-word-survivor", "word-old")
		s.holds(s.get("/t/"+anna.Link), "word-survivor", lives.Number, "Line down", "-word-old")
		s.get(mailflow.FileURL(anna.Link, store.Part{MessageID: id, Path: "2"})) // links in older mails hold
		s.holds(s.get("/t/"+absent.Link), "-word-survivor", "-"+lives.Number, "word-old", old.Number, "goes on under another number")
		circle, carl := s.open("support", "carl@customer.example", "Circle")
		s.update(func(tx *store.Tx) error { circle.MergedInto = circle.ID; return tx.SaveTicket(circle) })
		if a := s.do(http.MethodGet, "/t/"+carl.Link); a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a circle: %s", a.Status)
		}

		closed, dora := s.open("support", "dora@customer.example", "Done", func(t *ticket.Ticket) { t.State, t.Closed = ticket.Closed, ticket.Approved })
		s.says(closed, dora, store.Public, "word-closed")
		s.update(func(tx *store.Tx) error {
			for i, h := range []store.HistoryEntry{{From: ticket.Open, To: ticket.Resolved}, {From: ticket.Resolved, To: ticket.Closed}, {From: ticket.Closed, To: ticket.Closed}} {
				h.At = start.Add(time.Duration(i) * 24 * time.Hour)
				if err := tx.AddEvent(closed.ID, h); err != nil {
					return err
				}
			}
			return nil
		})
		s.holds(s.get("/t/"+dora.Link), "word-closed", "the solution was confirmed", `<time datetime="2026-11-22T13:05:00Z">`)
	})
}

func TestARequestChangesNothing(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router")
	s.says(tk, anna, store.Public, "The router is dead.", photo)
	urls := append(links(s.get("/t/"+anna.Link)), "/t/"+anna.Link, "/", "/style.css", "/t/x")
	before := s.snapshot(tk)
	for _, u := range urls {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			if method == "POST" && u == "/t/x" {
				continue // nothing there
			}
			if a := s.do(method, u); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %s", method, u, a.Status)
			}
		}
		for range 5 {
			get, head := s.do("GET", u), s.do("HEAD", u)
			h := plainHeader(get)
			if head.body != "" || head.StatusCode != get.StatusCode || head.Header.Get("Content-Type") != h.Get("Content-Type") ||
				head.Header.Get("Content-Disposition") != h.Get("Content-Disposition") {
				t.Errorf("HEAD %s: %s %v %q", u, head.Status, head.Header, head.body)
			}
			if get.Header.Get("Set-Cookie") != "" {
				t.Errorf("GET %s sets a cookie", u)
			}
		}
	}
	if after := s.snapshot(tk); after != before {
		t.Errorf("changed:\n%s\n%s", before, after)
	}
}

func TestGuards(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	tk, anna := s.open("support", "anna@customer.example", "Router")
	s.says(tk, anna, store.Public, "The router is dead.", photo)
	page := "/t/" + anna.Link
	urls := append(links(s.get(page)), page, "/", "/style.css", "/nothing")
	check := func(a answer) {
		t.Helper()
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow", "Content-Security-Policy": "default-src 'none'"} {
			if got := a.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s %s: %s is %q", a.Request.Method, a.Request.URL.Path, name, got)
			}
		}
		if c := a.Header.Get("Cache-Control"); c != "private, no-store" && a.Request.URL.Path != "/style.css" {
			t.Errorf("%s: Cache-Control %q", a.Request.URL.Path, c)
		}
		if strings.Contains(a.Header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: the policy lets scripts or styles in", a.Request.URL.Path)
		}
	}
	for _, u := range urls {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			check(s.do(method, u))
		}
	}
	s.db.Close()
	broken := s.do("GET", page)
	check(broken)
	if broken.StatusCode != http.StatusServiceUnavailable || strings.Contains(broken.body, "sql") {
		t.Errorf("a closed store: %s %q", broken.Status, broken.body)
	}
}

// evil are words that try to be markup.
var evil = []string{
	`<b>O'Neil & Söhne</b>`, `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title><script>x</script>`,
	`</div></section><form action=//evil.example><button>x`, `<style>*{background:url(//evil.example)}</style>`, `javascript:alert(1)`,
	"<svg/onload=alert(1)>", "<a href=//evil.example>x</a>", "{{.}}", "<!--", "\u202egpj.exe", "&lt;script&gt;", "<label for=x>", "]]>", "<base href=//evil.example>",
}

func TestHostileWordsStayWords(t *testing.T) {
	s := newSite(t, storetest.SQLite(t))
	for _, words := range evil {
		tk, p := s.open("support", strings.ToLower(`"`+words+`"@customer.example`), words)
		p.Name = words
		s.says(tk, p, store.Public, words, attached{words, words, "x"})
		p.Name = ""
		s.says(tk, p, store.Public, words, attached{"", words, "x"})
		doc, err := html.Parse(strings.NewReader(s.get("/t/" + p.Link)))
		if err != nil {
			t.Fatal(err)
		}
		texts := 0
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && strings.Contains(n.Data, words) {
				texts++
			}
			if bad := foreign(n); bad != "" {
				t.Errorf("%q makes %s", words, bad)
			}
		}
		if texts < 5 { // title, heading, name, and twice the text
			t.Errorf("%q stands there %d times", words, texts)
		}
	}
}

// foreign names what a page of ours does not hold.
func foreign(n *html.Node) string {
	if n.Type == html.CommentNode {
		return "a comment"
	}
	if n.Type != html.ElementNode {
		return ""
	}
	ours := "html head meta title link body main article header p h1 h2 section strong span br time div ul li a footer"
	if !slices.Contains(strings.Fields(ours), n.Data) {
		return "an element " + n.Data
	}
	for _, a := range n.Attr {
		if !slices.Contains(strings.Fields("lang charset name content rel href class dir datetime"), a.Key) {
			return "an attribute " + a.Key
		}
		if a.Key == "href" && !strings.HasPrefix(a.Val, "/t/") && !strings.HasPrefix(a.Val, "/style.css") && a.Val != "mailto:support@desk.example" {
			return "a link to " + a.Val
		}
	}
	return ""
}
