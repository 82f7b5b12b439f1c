package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"guichet/store"
	"guichet/store/storetest"
)

const plainMail = "Received: from x by y\r\nFrom: customer@customer.example\r\nTo: support@desk.example\r\nSubject: Fault\r\n" +
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <NUMBER@customer.example>\r\n\r\nIt fails.\r\n"

func (g *running) mail(id string) error {
	return g.deliver("customer@customer.example", []string{"support@desk.example"}, []byte(strings.Replace(plainMail, "NUMBER", id, 1)))
}

func (g *running) mailed(kind, to string) bool {
	for _, m := range g.sink.all() {
		if m.kind() == kind && m.to == to {
			return true
		}
	}
	return false
}

// TestReload: SIGHUP takes a good file and leaves the old one alone for a bad
// one.
func TestReload(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, g.config, strings.Replace(string(text), "desks: [support]}", "desks: [support]}\n  - {address: third@desk.example, name: Third, desks: [support]}", 1))
	g.cmd.Process.Signal(syscall.SIGHUP)
	g.until("the reload", func() bool { return strings.Contains(g.log(), "msg=reloaded") })
	if err := g.mail("1"); err != nil {
		t.Fatal(err)
	}
	g.until("the third agent is told", func() bool { return g.mailed("notification", "third@desk.example") })

	write(t, g.config, strings.Replace(string(text), "hostname: desk.example", "hostname: other.example", 1))
	g.cmd.Process.Signal(syscall.SIGHUP)
	g.until("what waits for a restart", func() bool { return strings.Contains(g.log(), "wait for a restart\" keys=hostname") })
	if err := g.mail("3"); err != nil {
		t.Fatal(err)
	}
	g.settled()
	for _, m := range g.sink.all() {
		if !strings.HasSuffix(m.mail.MessageID, "@desk.example>") {
			t.Errorf("a mail with the new name before the restart: %s", m.mail.MessageID)
		}
	}

	write(t, g.config, strings.Replace(string(text), "hostname:", "hostnam:", 1))
	g.cmd.Process.Signal(syscall.SIGHUP)
	g.until("the refusal", func() bool { return strings.Contains(g.log(), "reload refused") })
	if err := g.mail("2"); err != nil {
		t.Fatal(err)
	}
	write(t, g.config, string(text)) // for the commands
	g.settled()
	if n := len(g.rows("ticket", "list")); n != 3 {
		t.Errorf("%d tickets, want 3", n)
	}
}

// TestKeepUntilRestart: what a reload does not change is put back, and named.
func TestKeepUntilRestart(t *testing.T) {
	now := &Config{Hostname: "b", Web: webConfig{Listen: "b", BaseURL: "b"}, Mailboxes: []mailboxConfig{{URL: "b"}}}
	if keys := keepUntilRestart(&Config{Hostname: "a", Web: webConfig{Listen: "a"}}, now); fmt.Sprint(keys) != "[hostname web.listen mailboxes]" {
		t.Errorf("keys: %s", keys)
	}
	if now.Hostname != "a" || now.Web != (webConfig{Listen: "a", BaseURL: "b"}) || now.Mailboxes != nil {
		t.Errorf("now: %+v", now)
	}
	var g gateway
	g.ready.Store(true)
	if with := (&Config{TLS: tlsConfig{CertFile: "new"}}); !g.tlsWaits(with) || g.tlsWaits(&Config{}) {
		t.Error("without TLS")
	} else if g.cert.Store(&tls.Certificate{}); g.tlsWaits(with) || !g.tlsWaits(&Config{}) {
		t.Error("with TLS")
	}
}

// TestDeferredIsTheSame: a mail that the relay put off leaves as it was made.
func TestDeferredIsTheSame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, d *storetest.Database) {
		g := startGateway(t, d.URL)
		g.sink.refuseAll("customer@customer.example", "451 4.7.1 later")
		if err := g.mail("1"); err != nil {
			t.Fatal(err)
		}
		g.until("it is deferred", func() bool { return g.metric("deferred_total") > 0 && g.mailed("notification", "agent@desk.example") })
		g.settled()
		db, err := store.Open(t.Context(), d.URL, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var o store.Outbox
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.OutboxPage(store.Queued, 0, 9)
			if err == nil && len(rows) == 1 {
				o = rows[0]
				return tx.LoadMail(&o)
			}
			return err
		}); err != nil || o.Header == nil {
			t.Fatalf("row %d keeps nothing: %v", o.ID, err)
		}
		g.sink.mu.Lock()
		clear(g.sink.refused)
		g.sink.mu.Unlock()
		if code, out, errs := g.command("outbox", "retry", fmt.Sprint(o.ID)); code != 0 {
			t.Fatalf("retry: %s%s", out, errs)
		}
		g.until("it is taken", func() bool { return g.mailed("acknowledgment", "customer@customer.example") })
		all := g.sink.all()
		if last := all[len(all)-1]; string(last.raw) != string(o.Header)+string(o.Body) {
			t.Errorf("kept was\n%s%s\nthe relay has\n%s", o.Header, o.Body, last.raw)
		}
	})
}

// TestSlowClientAtTheEnd: a client that is silent in the middle of a mail does
// not keep what is in hand from being finished.
func TestSlowClientAtTheEnd(t *testing.T) {
	t.Parallel() // it waits for seconds
	g := startGateway(t, storetest.SQLite(t).URL)
	c, err := smtp.Dial(g.addr["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Mail("slow@customer.example"), c.Rcpt("support@desk.example")); err != nil {
		t.Fatal(err)
	}
	if w, err := c.Data(); err != nil {
		t.Fatal(err)
	} else if _, err := io.WriteString(w, "Subject: slow\r\n"); err != nil {
		t.Fatal(err)
	}
	g.stop()
	if log := g.log(); strings.Contains(log, "ended before") {
		t.Errorf("what was in hand was not finished:\n%s", log)
	}
}

// TestSecondServe: one gateway at a time on a SQLite file.
func TestSecondServe(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	second := g.binary()
	second.Args = append(second.Args, "serve", "--config", g.config)
	out, err := second.CombinedOutput()
	if err == nil || second.ProcessState.ExitCode() != exitRefused || !strings.Contains(string(out), "only one can") {
		t.Errorf("the second serve: %v\n%s", err, out)
	}
}

// TestKeyGone: without the key that signed, serve refuses, and says where the
// key must come from.
func TestKeyGone(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	if err := g.mail("1"); err != nil {
		t.Fatal(err)
	}
	g.settled()
	key := filepath.Join(g.dir, "guichet.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	g.stop()
	was, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(){
		func() { os.Remove(key) },
		func() { write(t, key, "0 "+strings.Repeat("ab", 32)+"\n") },
	} {
		change()
		again := g.binary()
		again.Args = append(again.Args, "serve", "--config", g.config)
		out, err := again.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "backup") {
			t.Errorf("serve with another key: %v\n%s", err, out)
		}
	}
	write(t, key, string(was))
	g.start()
}

// TestHealth: the admin listener tells whether mail is taken.
func TestHealth(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	get := func(path string) int {
		resp, err := http.Get("http://" + g.addr["admin"] + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	g.until("readiness, a moment after the last listener's line", func() bool { return get("/readyz") == 200 })
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 200, "/outbox": 404} {
		if got := get(path); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
}

// TestMetricsWhileStarting: the figures are asked for before the mail listeners
// are open. It is the race detector that says whether they may be, and so what
// waits for the answer waits for a file: it knows of no order made by that.
func TestMetricsWhileStarting(t *testing.T) {
	g := newGateway(t, storetest.SQLite(t).URL)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	answered, figures := filepath.Join(g.dir, "answered"), make(chan string, 1)
	listening := writerFunc(func(line []byte) {
		switch name, addr, _ := strings.Cut(strings.TrimSpace(string(line)), " listens on "); name {
		case "admin":
			go func() {
				got, err := fetch("http://" + addr + "/metrics")
				os.Mkdir(answered, 0o700)
				figures <- fmt.Sprint(got, err)
			}()
		case "lmtp": // the first that opens after it
			for !exists(answered) {
				runtime.Gosched()
			}
		case "smtp":
			stop()
		}
	})
	if code := run(ctx, []string{"serve", "--config", g.config}, nil, listening, io.Discard); code != 0 {
		t.Fatalf("serve ended with %d", code)
	}
	if got := <-figures; !strings.Contains(got, "guichet_connections 0\n") {
		t.Errorf("the figures: %.300s", got)
	}
}

func fetch(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// writerFunc is called for each Write.
type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

// TestBackpressure: beyond limits.max_unprocessed MAIL hears 451, below
// limits.min_free 452, and readyz says so.
func TestBackpressure(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL, "agents:\n", "limits: {min_free: 1000TiB}\nagents:\n")
	err := g.mail("1")
	if err == nil || !strings.Contains(err.Error(), "4.3.1") {
		t.Errorf("on a full disk: %v", err)
	}
	resp, err := http.Get("http://" + g.addr["admin"] + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", resp.StatusCode)
	}
}

// TestUnknownRecipient is refused at RCPT; postmaster is the first desk's.
func TestUnknownRecipient(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	err := g.deliver("customer@customer.example", []string{"nobody@desk.example"}, []byte(plainMail))
	if err == nil || !strings.Contains(err.Error(), "5.1.1") {
		t.Errorf("unknown recipient: %v", err)
	}
	for _, to := range []string{"postmaster", "Postmaster@desk.example"} {
		if err := g.deliver("customer@customer.example", []string{to}, []byte(strings.Replace(plainMail, "NUMBER", to, 1))); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	g.settled()
	rows := g.rows("ticket", "list")
	if len(rows) != 2 || rows[0]["desk"] != "support" {
		t.Errorf("tickets of postmaster: %v\n%s", rows, g.log())
	}
}
