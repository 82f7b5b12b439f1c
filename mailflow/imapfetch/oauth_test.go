package imapfetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store/storetest"
)

// provider is a token endpoint, which also tells a Dovecot whether a token is
// good (RFC 7662).
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	asked   int
	forms   []string
	good    string // the token that is good now
	rotates bool
	answer  func(w http.ResponseWriter) bool
}

func newProvider(t testing.TB) *provider {
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.ParseForm()
		p.asked++
		p.forms = append(p.forms, r.PostForm.Encode())
		if p.answer != nil && p.answer(w) {
			return
		}
		p.good = fmt.Sprintf("token-%d", p.asked)
		a := map[string]any{"access_token": p.good, "token_type": "Bearer", "expires_in": 3600}
		if p.rotates {
			a["refresh_token"] = fmt.Sprintf("refresh-%d", p.asked)
		}
		json.NewEncoder(w).Encode(a)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"active": p.good != "" && r.PostForm.Get("token") == p.good, "username": imaptest.User})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func secretFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTokenSource(t *testing.T) {
	ctx := context.Background()
	p := newProvider(t)
	p.rotates = true
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	s := &TokenSource{URL: p.URL + "/token", ClientID: "id", SecretFile: secretFile(t, "s3cret"), RefreshFile: secretFile(t, "refresh-0"),
		Scope: "a b", Now: func() time.Time { return now }}
	want := func(token string, fresh bool) {
		t.Helper()
		if got, err := s.Token(ctx, fresh); err != nil || got != token {
			t.Errorf("%s, %v, want %s", got, err, token)
		}
	}
	want("token-1", false)
	want("token-1", false) // kept
	now = now.Add(59*time.Minute + time.Second)
	want("token-2", false) // it would end within a minute
	want("token-3", true)  // asked for
	if b, _ := os.ReadFile(s.RefreshFile); string(b) != "refresh-3\n" {
		t.Errorf("the file has %q", b)
	}
	if fi, _ := os.Stat(s.RefreshFile); fi.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %s", fi.Mode())
	}
	if got := p.forms[2]; got != "client_id=id&client_secret=s3cret&grant_type=refresh_token&refresh_token=refresh-2&scope=a+b" {
		t.Error(got)
	}
	s = &TokenSource{URL: p.URL + "/token", ClientID: "id", SecretFile: s.SecretFile, Now: s.Now}
	want("token-4", false)
	if got := p.forms[3]; got != "client_id=id&client_secret=s3cret&grant_type=client_credentials" {
		t.Error(got)
	}
}

// A new refresh token that cannot be written holds in memory, and is told of.
func TestRefreshNotKept(t *testing.T) {
	p := newProvider(t)
	p.rotates = true
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "refresh")
	if err := os.WriteFile(file, []byte("refresh-0"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &TokenSource{URL: p.URL + "/token", ClientID: "id", RefreshFile: file, Now: time.Now}
	p.answer = func(http.ResponseWriter) bool { os.RemoveAll(dir); return false }
	if token, err := s.Token(t.Context(), false); token != "token-1" || !errors.Is(err, ErrRefreshNotKept) {
		t.Errorf("%s, %v", token, err)
	}
	if _, err := s.Token(t.Context(), true); !errors.Is(err, ErrRefreshNotKept) || !strings.Contains(p.forms[1], "refresh_token=refresh-1") {
		t.Errorf("%v, %s", err, p.forms[1])
	}
}

// What an endpoint answers instead of a token is told without any secret.
func TestTokenErrors(t *testing.T) {
	p := newProvider(t)
	s := &TokenSource{URL: p.URL + "/token", ClientID: "id", SecretFile: secretFile(t, "canary"), RefreshFile: secretFile(t, "canary"), Now: time.Now}
	check := func(status int, body, want string) {
		t.Helper()
		p.answer = func(w http.ResponseWriter) bool {
			w.Header().Set("Location", p.URL+"/elsewhere")
			w.WriteHeader(status)
			w.Write([]byte(body))
			return true
		}
		_, err := s.Token(t.Context(), false)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d %s: %v", status, body, err)
		}
	}
	check(400, `{"error": "invalid_grant", "error_description": "AADSTS70008: expired\r\nTrace ID"}`, "says invalid_grant: AADSTS70008: expired  Trace ID")
	check(200, `{"token_type": "Bearer"}`, "200 OK and no token")
	check(200, `<html>canary`, "no JSON")
	check(502, ``, "502 Bad Gateway and no JSON")
	check(307, `{}`, "307 Temporary Redirect and no token")
	check(200, `{"access_token": "a\u0001auth=canary"}`, "cannot be sent")
	check(200, `{"access_token": "`+strings.Repeat("a", maxToken)+`"}`, "no JSON")
	s.URL = "http://127.0.0.1:1/token"
	if _, err := s.Token(t.Context(), false); err == nil || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

// A Dovecot takes our tokens by either mechanism. One that is no longer good
// is replaced at once.
func TestDovecotOAuth2(t *testing.T) {
	for _, mechanism := range []string{"xoauth2", "oauthbearer"} {
		t.Run(mechanism, func(t *testing.T) {
			p := newProvider(t)
			d := imaptest.Start(t, imaptest.Introspect(p.URL+"/introspect", mechanism))
			w := newWorld(t, storetest.SQLite(t).Open())
			m := box(t, d.URL("INBOX"))
			m.Password = nil
			m.Token = &TokenSource{URL: p.URL + "/token", ClientID: "id", RefreshFile: secretFile(t, "canary-refresh"), Now: time.Now}
			f := w.fetcher(m).rooted(d)
			stop := w.run(f)
			w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
			d.Deliver("INBOX", mail("first"))
			w.exactly("new first")
			stop()
			p.mu.Lock()
			p.good = "another" // ours is void, and the provider gives a new one
			p.mu.Unlock()
			f = w.fetcher(m).rooted(d)
			w.run(f)
			w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
			d.Deliver("INBOX", mail("second"))
			w.exactly("new first", "new second")
			if p.mu.Lock(); p.asked != 2 {
				t.Errorf("%d tokens asked for", p.asked)
			}
			p.mu.Unlock()
			if log := w.log.text(); strings.Contains(log, "token-") || strings.Contains(log, "canary") {
				t.Error("a secret in the log")
			}
		})
	}
}

// A refused password is told without it, and tried again slowly.
func TestDovecotWrongPassword(t *testing.T) {
	d := imaptest.Start(t)
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, d.URL("INBOX"))
	var mu sync.Mutex
	password := "canary"
	m.Password = func() (string, error) { mu.Lock(); defer mu.Unlock(); return password, nil }
	f := w.fetcher(m).rooted(d)
	w.run(f)
	w.until("it is refused", func() bool { return strings.Contains(w.log.text(), "login refused") })
	if strings.Contains(w.log.text(), "canary") {
		t.Error("the password in the log")
	}
	mu.Lock()
	password = imaptest.Password // the file was put right
	mu.Unlock()
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
}

// A server whose certificate nobody vouches for gets no password, nor does one
// that does not offer TLS.
func TestNoSecretWithoutTLS(t *testing.T) {
	d := imaptest.Start(t)
	plain := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	stripped := box(t, "imap+starttls://support@"+plain.addr+"/INBOX")
	forged := box(t, d.URL("INBOX"))
	for _, m := range []*Mailbox{&stripped, &forged} {
		m.Password = func() (string, error) { t.Error("the password was asked for"); return "", errors.New("no") }
	}
	plain.hook(func(c *fakeConn, tag, command string) bool {
		if command == "STARTTLS" {
			c.say("%s BAD unknown", tag)
			return true
		}
		return false
	})
	f := w.fetcher(stripped, forged) // the system's roots do not know the certificate
	w.run(f)
	w.until("both are refused", func() bool {
		return strings.Contains(w.log.text(), "STARTTLS: refused: S1 BAD unknown") && strings.Contains(w.log.text(), "certificate signed by unknown authority")
	})
	if plain.asked("LOGIN")+plain.asked("AUTHENTICATE") > 0 {
		t.Error("a login in clear")
	}
}

// What a server sends between its OK and TLS is never taken for an answer
// within TLS.
func TestStartTLSInjection(t *testing.T) {
	s := newFake(t, "IDLE STARTTLS")
	s.hook(func(c *fakeConn, tag, command string) bool {
		if command == "STARTTLS" {
			c.say("%s OK begin\r\n* PREAUTH in", tag)
			return true
		}
		return false
	})
	w := newWorld(t, storetest.SQLite(t).Open())
	w.run(w.fetcher(box(t, "imap+starttls://support@"+s.addr+"/INBOX")))
	w.until("it is refused", func() bool { return strings.Contains(w.log.text(), "the server sends more before TLS begins") })
}
