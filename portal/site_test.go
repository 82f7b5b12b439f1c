package portal

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
	"guichet/templates"
)

func TestMain(m *testing.M) { storetest.MainReady(m) }

// site is a portal over a real store, behind a real HTTP server.
type site struct {
	*testing.T
	db       *store.DB
	portal   *Portal
	settings atomic.Pointer[mailflow.Settings]
	server   *httptest.Server
	tickets  int
}

var start = time.Date(2026, 11, 21, 13, 5, 0, 0, time.UTC)

// builtin is one for all: a set never changes, and reading one costs more than
// most tests.
var builtin = sync.OnceValues(func() (*templates.Set, error) { return templates.Load("") })

func newSite(t *testing.T, d *storetest.Database) *site {
	set, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, db: d.Open()}
	s.settings.Store(&mailflow.Settings{
		Desks: []mailflow.Desk{
			{Key: "support", Address: "support@desk.example", Names: map[string]string{"en": "Technical support"}, Language: "en", Zone: time.UTC},
			{Key: "sales", Address: "sales@desk.example", Names: map[string]string{"fr": "Service clients"}, Language: "fr", Zone: time.UTC},
		},
		Agents: []mailflow.Agent{
			{Address: "agent@desk.example", Name: "First agent", Desks: []string{"support", "sales"}},
			{Address: "first@desk.example", Desks: []string{"support"}},
			{Address: "second@desk.example", Name: "Second agent", Desks: []string{"sales"}},
		},
	})
	var pages atomic.Pointer[templates.Set]
	pages.Store(set)
	s.portal = &Portal{DB: s.db, Settings: &s.settings, Templates: &pages,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: func() time.Time { return start.Add(time.Hour) }}
	s.portal.Flow = &mailflow.Flow{DB: s.db, Settings: &s.settings, Templates: &pages, Log: s.portal.Log, Now: s.portal.Now,
		Count: &mailflow.Counters{}, Outgoing: func() {}}
	s.portal.Flow.Prepare()
	s.server = httptest.NewServer(s.portal)
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) update(fn func(*store.Tx) error) {
	s.Helper()
	if err := s.db.Update(context.Background(), "test", fn); err != nil {
		s.Fatal(err)
	}
}

// open stores a ticket with its customer.
func (s *site) open(desk, customer, subject string, change ...func(*ticket.Ticket)) (t ticket.Ticket, p store.Party) {
	s.Helper()
	s.tickets++
	t = ticket.Ticket{Desk: desk, Subject: subject, State: ticket.Open, Number: fmt.Sprintf("INC-%06d", s.tickets), Created: start, Updated: start}
	for _, fn := range change {
		fn(&t)
	}
	s.update(func(tx *store.Tx) (err error) {
		t.ID, err = tx.AddTicket(t, "")
		return err
	})
	return t, s.join(t, ticket.Customer, customer, 0)
}

// join makes somebody a party that sees messages from a row on.
func (s *site) join(t ticket.Ticket, role ticket.Role, address string, since int64) (p store.Party) {
	s.Helper()
	s.update(func(tx *store.Tx) (err error) {
		p, err = tx.AddParty(store.Party{TicketID: t.ID, Role: role, Address: address, Since: since})
		return err
	})
	return p
}

// attached is a file of a message.
type attached struct{ name, contentType, data string }

// says stores a message, with its raw mail where it has files.
func (s *site) says(t ticket.Ticket, p store.Party, v store.Visibility, words string, files ...attached) (id int64) {
	s.Helper()
	raw := s.db.NewRaw(context.Background())
	var parts []store.Part
	pos := int64(0)
	for i, f := range files {
		body := base64.StdEncoding.EncodeToString([]byte(f.data))
		io.WriteString(raw, "\r\n"+body)
		parts = append(parts, store.Part{Path: fmt.Sprint(i + 2), Name: f.name, ContentType: f.contentType, Encoding: "base64",
			Offset: pos + 2, Length: int64(len(body)), Size: int64(len(f.data))})
		pos += int64(len(body)) + 2
	}
	s.update(func(tx *store.Tx) error {
		rawID, _, _, err := raw.Finish(tx)
		if err != nil {
			return err
		}
		id, err = tx.AddMessage(store.Message{TicketID: t.ID, RawID: rawID, At: start, Address: p.Address, Name: p.Name,
			Party: p.Ordinal, Role: p.Role, Visibility: v, Words: words}, parts)
		return err
	})
	return id
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

func (s *site) do(method, path string) answer {
	s.Helper()
	req, err := http.NewRequest(method, s.server.URL+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return answer{resp, string(b)}
}

// get fetches a page that must be there.
func (s *site) get(path string) string {
	s.Helper()
	a := s.do(http.MethodGet, path)
	if a.StatusCode != http.StatusOK {
		s.Fatalf("GET %s: %s", path, a.Status)
	}
	return a.body
}

// nothing wants the answer that a link gets that never was.
func (s *site) nothing(path string) {
	s.Helper()
	a, never := s.do(http.MethodGet, path), s.do(http.MethodGet, "/t/"+strings.Repeat("0", 40))
	if a.StatusCode != http.StatusNotFound || a.body != never.body || fmt.Sprint(plainHeader(a)) != fmt.Sprint(plainHeader(never)) {
		s.Errorf("GET %s differs from a link that never was: %s\n%v\n%s", path, a.Status, plainHeader(a), a.body)
	}
}

func plainHeader(a answer) http.Header {
	h := a.Header.Clone()
	h.Del("Date")
	return h
}

// holds wants words in a page, or, after a minus, none.
func (s *site) holds(page string, words ...string) {
	s.Helper()
	for _, w := range words {
		if absent, ok := strings.CutPrefix(w, "-"); ok == strings.Contains(page, absent) && (ok || w != "") {
			s.Errorf("%q: expected otherwise in\n%s", w, page)
		}
	}
}

// snapshot is all that a request could change of a ticket.
func (s *site) snapshot(t ticket.Ticket) (text string) {
	s.Helper()
	err := s.db.View(context.Background(), func(tx *store.Tx) error {
		now, err := tx.TicketByID(t.ID)
		messages, err1 := tx.Messages(t.ID)
		parties, err2 := tx.Parties(t.ID)
		history, err3 := tx.History(t.ID)
		text = fmt.Sprintf("%+v %+v %+v %+v", now, messages, parties, history)
		for _, e := range []error{err, err1, err2, err3} {
			if e != nil {
				return e
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return text
}
