package outbound

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// short are time limits for a test: nothing here should take longer.
func short() Timeouts {
	return Timeouts{Dial: 5 * time.Second, Command: 5 * time.Second, Data: 5 * time.Second,
		Block: 5 * time.Second, Dot: 5 * time.Second, Idle: 5 * time.Second, Quit: time.Second}
}

func open(t *testing.T, url string, opt Options) Relay {
	t.Helper()
	if opt.Timeouts == (Timeouts{}) {
		opt.Timeouts = short()
	}
	if opt.Hostname == "" {
		opt.Hostname = "desk.example"
	}
	r, err := Open(url, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func testMail(to string) Mail {
	return Mail{
		From:   "support+b@desk.example",
		To:     to,
		Header: []byte("From: support@desk.example\r\nTo: " + to + "\r\nMessage-ID: <1@desk.example>\r\n"),
		Body:   []byte("Hello\r\n.dot\r\n"),
	}
}

// TestAnswers is the table from step and answer to outcome, over the wire.
func TestAnswers(t *testing.T) {
	const (
		sent     = "sent"
		deferred = "deferred"         // by the row's own schedule
		failed   = "failed"           //
		trouble  = "trouble"          // the relay's; the row is not tried
		both     = "deferred+trouble" // the row's schedule and a pause
	)
	for _, c := range []struct{ verb, answer, want string }{
		{"CONNECT", "220 hi", sent},
		{"CONNECT", "220-two\r\n220 lines", sent},
		{"CONNECT", "421 4.3.2 not now", trouble},
		{"CONNECT", "450 4.7.1 slow down", trouble},
		{"CONNECT", "554 5.7.1 go away", trouble},
		{"CONNECT", "garbage", trouble},
		{"CONNECT", "!close", trouble},
		{"CONNECT", "!rst", trouble},
		{"CONNECT", "!line", trouble},
		{"EHLO", "421 4.3.2 not now", trouble},
		{"EHLO", "451 4.3.0 later", trouble},
		{"EHLO", "550 5.7.1 who are you", trouble},
		{"EHLO", "502 5.5.1 what", sent}, // HELO is tried then
		{"EHLO", "!close", trouble},
		{"EHLO", "!endless", trouble},
		{"MAIL", "421 4.3.2 not now", both},
		{"MAIL", "451 4.3.0 later", both},
		{"MAIL", "452 4.3.1 full", both},
		{"MAIL", "450 4.1.8 your domain does not resolve", deferred},
		{"MAIL", "530 5.7.0 authenticate first", both},
		{"MAIL", "550 go away", both},
		{"MAIL", "554 5.7.1 client refused", both},
		{"MAIL", "550 5.1.8 no such sender domain", failed},
		{"MAIL", "550 5.1.7 bad sender", failed},
		{"MAIL", "553 5.7.1 not your address", failed},
		{"MAIL", "552 5.3.4 too large", failed},
		{"MAIL", "354 what", both},
		{"MAIL", "!close", both},
		{"MAIL", "!rst", both},
		{"MAIL", "!endless", both},
		{"RCPT", "251 2.1.5 will forward", sent},
		{"RCPT", "421 4.3.2 not now", both},
		{"RCPT", "450 4.2.0 greylisted", deferred},
		{"RCPT", "451 later", deferred},
		{"RCPT", "452 4.2.2 mailbox full", deferred},
		{"RCPT", "550 5.1.1 no such user", failed},
		{"RCPT", "550 no such user", failed},
		{"RCPT", "552 5.2.2 mailbox full", failed},
		{"RCPT", "552 too many recipients", deferred},
		{"RCPT", "530 5.7.0 authenticate first", both},
		{"RCPT", "503 5.5.1 MAIL first", both},
		{"RCPT", "!close", deferred},
		{"RCPT", "!rst", deferred},
		{"DATA", "421 4.3.2 not now", both},
		{"DATA", "451 4.3.0 later", deferred},
		{"DATA", "554 5.5.1 no valid recipients", failed},
		{"DATA", "250 what", deferred},
		{"DATA", "!close", deferred},
		{".", "250", sent},
		{".", "421 4.3.2 not now", both},
		{".", "452 4.3.1 full", deferred},
		{".", "550 5.7.1 spam", failed},
		{".", "554-5.7.1 spam\r\n554 5.7.1 see https://relay.example/", failed},
		{".", "!close", deferred},
		{".", "!rst", deferred},
		{".", "!endless", deferred},
		{".", "!line", deferred},
	} {
		for _, more := range []string{"8BITMIME", "PIPELINING"} {
			k := newSink(t, script{c.verb: {c.answer}}, more, "DSN")
			res := open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), testMail("a@b.example"))
			if got := outcome(res); got != c.want {
				t.Errorf("%s to %s: got %s, want %s (%s)", c.answer, c.verb, got, c.want, res.Reply)
			}
			if got := len(k.taken()); c.want != sent && c.verb != "." && got > 0 {
				t.Errorf("%s to %s: %d mails taken", c.answer, c.verb, got)
			}
			if res.Reply == "" || res.Reply != oneLine(res.Reply) {
				t.Errorf("reply %q is not one clean line", res.Reply)
			}
			if line, _, _ := strings.Cut(c.answer, "\r\n"); c.answer[0] >= '4' && c.answer[0] <= '5' && c.want != sent {
				if text := strings.NewReplacer("554-", "", "554 ", "").Replace(line); !strings.Contains(strings.ToLower(res.Reply), strings.ToLower(text)) {
					t.Errorf("reply %q lacks the relay's words %q", res.Reply, line)
				}
			}
		}
	}
}

// outcome writes a result as the tables do.
func outcome(r Result) string {
	switch {
	case r.State == Deferred && r.Trouble && !r.Tried:
		return "trouble"
	case r.State == Deferred && r.Trouble:
		return "deferred+trouble"
	case r.Trouble || r.State != Failed && !r.Tried:
		return fmt.Sprintf("impossible %+v", r)
	}
	return string(r.State)
}

func TestRefusedConnection(t *testing.T) {
	k := newSink(t, nil)
	k.stop()
	if got := outcome(open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), testMail("a@b.example"))); got != "trouble" {
		t.Errorf("got %s", got)
	}
}

// TestWire compares a whole dialogue, and that nothing is said about an
// extension that is not there.
func TestWire(t *testing.T) {
	for _, c := range []struct {
		name string
		ext  []string
		want string
	}{
		{"bare", nil, "EHLO desk.example|MAIL FROM:<support+b@desk.example>|RCPT TO:<a@b.example>|DATA"},
		{"all", []string{"8BITMIME", "SIZE 1000", "DSN", "SMTPUTF8"}, "EHLO desk.example|" +
			"MAIL FROM:<support+b@desk.example> BODY=8BITMIME SIZE=90 RET=HDRS|RCPT TO:<a@b.example> NOTIFY=FAILURE|DATA"},
		{"pipelining", []string{"PIPELINING", "DSN"}, "EHLO desk.example|" +
			"MAIL FROM:<support+b@desk.example> RET=HDRS|RCPT TO:<a@b.example> NOTIFY=FAILURE|DATA"},
		{"lower case", []string{"8bitmime", "size", "dsn"}, "EHLO desk.example|" +
			"MAIL FROM:<support+b@desk.example> BODY=8BITMIME SIZE=90 RET=HDRS|RCPT TO:<a@b.example> NOTIFY=FAILURE|DATA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newSink(t, nil, c.ext...)
			m := testMail("a@b.example")
			res := open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), m)
			if res != (Result{State: Sent, Reply: "250 2.0.0 taken", Tried: true}) {
				t.Fatalf("%+v", res)
			}
			if got := strings.Join(k.seen(), "|"); got != c.want {
				t.Errorf("dialogue\n%s\nwant\n%s", got, c.want)
			}
			want := string(m.Header) + "\r\n" + string(m.Body)
			if got := k.taken(); len(got) != 1 || got[0] != want {
				t.Errorf("taken %q, want %q", got, want)
			}
		})
	}
}

// TestReuse: one connection for many mails, RSET after a refused recipient,
// QUIT at the end, a new one after 100 mails.
func TestReuse(t *testing.T) {
	k := newSink(t, script{"RCPT <no@b.example>": {"550 5.1.1 no"}, "RCPT <later@b.example>": {"450 4.2.0 later"}})
	r := open(t, "smtp://"+k.addr(), Options{})
	for to, want := range map[string]string{"a@b.example": "sent", "no@b.example": "failed", "later@b.example": "deferred"} {
		for range 3 {
			if got := outcome(r.Send(t.Context(), testMail(to))); got != want {
				t.Errorf("%s: %s", to, got)
			}
		}
	}
	if conns, _ := k.count(); conns != 1 {
		t.Errorf("%d connections", conns)
	}
	if got := strings.Count(strings.Join(k.seen(), "\n"), "RSET"); got != 6 {
		t.Errorf("%d RSET, want 6", got)
	}
	for range maxMails {
		r.Send(t.Context(), testMail("a@b.example"))
	}
	if conns, _ := k.count(); conns != 2 {
		t.Errorf("%d connections after %d mails", conns, maxMails+9)
	}
	r.Close()
	if !k.saw("QUIT") {
		t.Error("no QUIT")
	}
	if got := outcome(r.Send(t.Context(), testMail("a@b.example"))); got != "sent" {
		t.Errorf("after Close: %s", got)
	}
}

// TestStale: a kept connection that died meanwhile costs nothing; one that
// dies later than MAIL defers, since the mail may have been taken.
func TestStale(t *testing.T) {
	for _, c := range []struct {
		verb, answer, want string
		conns              int
	}{
		{"MAIL", "!close", "sent", 2},
		{"MAIL", "!rst", "sent", 2},
		{"MAIL", "421 4.4.2 idle too long", "sent", 2},
		{"MAIL", "451 4.3.0 later", "deferred+trouble", 1},
		{"RCPT", "!close", "deferred", 1},
		{".", "!close", "deferred", 1},
	} {
		t.Run(c.verb+" "+c.answer, func(t *testing.T) {
			usual := map[string]string{".": "250 ok"}[c.verb]
			if usual == "" {
				usual = "250 fine"
			}
			k := newSink(t, script{c.verb: {usual, c.answer, usual}})
			r := open(t, "smtp://"+k.addr(), Options{})
			r.Send(t.Context(), testMail("a@b.example"))
			if got := outcome(r.Send(t.Context(), testMail("a@b.example"))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if conns, _ := k.count(); conns != c.conns {
				t.Errorf("%d connections, want %d", conns, c.conns)
			}
		})
	}
	t.Run("a second death is not retried", func(t *testing.T) {
		k := newSink(t, script{"MAIL": {"250 fine", "!close"}})
		r := open(t, "smtp://"+k.addr(), Options{})
		r.Send(t.Context(), testMail("a@b.example"))
		if got := outcome(r.Send(t.Context(), testMail("a@b.example"))); got != "deferred+trouble" {
			t.Errorf("got %s", got)
		}
		if conns, _ := k.count(); conns != 2 {
			t.Errorf("%d connections", conns)
		}
	})
}

// TestOwnRefusals: what the relay could not take is not offered to it.
func TestOwnRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		ext  []string
		mail func(*Mail)
		want string
	}{
		{"parameter in the address", nil, func(m *Mail) { m.To = "a@b.example> SIZE=1" }, "5.1.3"},
		{"line end in the address", nil, func(m *Mail) { m.To = "a@b.example\r\nDATA" }, "5.1.3"},
		{"bad sender", nil, func(m *Mail) { m.From = "a b@c" }, "5.1.7"},
		{"no SMTPUTF8 for the address", nil, func(m *Mail) { m.To = "jö@b.example" }, "5.6.7"},
		{"no SMTPUTF8 for the header", nil, func(m *Mail) { m.UTF8 = true }, "5.6.7"},
		{"too large", []string{"SIZE 89"}, func(*Mail) {}, "5.3.4"},
		{"bare LF", nil, func(m *Mail) { m.Body = []byte("x\n.\nMAIL") }, "5.6.0"},
		{"bare CR", nil, func(m *Mail) { m.Body = []byte("x\r.\r\n") }, "5.6.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newSink(t, nil, c.ext...)
			m := testMail("a@b.example")
			c.mail(&m)
			r := open(t, "smtp://"+k.addr(), Options{})
			for range 2 {
				res := r.Send(t.Context(), m)
				if res.State != Failed || res.Tried || !strings.HasPrefix(res.Reply, c.want) {
					t.Errorf("%+v, want %s", res, c.want)
				}
			}
			if k.saw("MAIL") {
				t.Error("the relay was asked")
			}
			if conns, _ := k.count(); conns > 1 {
				t.Errorf("%d connections", conns)
			}
		})
	}
	t.Run("SMTPUTF8 offered", func(t *testing.T) {
		k := newSink(t, nil, "SMTPUTF8")
		res := open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), testMail("jö@b.example"))
		if res.State != Sent || !k.saw("MAIL FROM:<support+b@desk.example> SMTPUTF8") || !k.saw("RCPT TO:<jö@b.example>") {
			t.Errorf("%+v %q", res, k.seen())
		}
	})
}

// TestNullPath: a report's sender is empty (RFC 5321 §4.5.5).
func TestNullPath(t *testing.T) {
	k := newSink(t, nil)
	m := testMail("a@b.example")
	m.From = ""
	if res := open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), m); res.State != Sent || !k.saw("MAIL FROM:<>") {
		t.Errorf("%+v %q", res, k.seen())
	}
}
