package smtpd

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"guichet/mailflow"
)

// secure goes on in TLS.
func (c *client) secure(cfg *tls.Config) *client {
	c.t.Helper()
	conn := tls.Client(c.Conn, cfg)
	if err := conn.Handshake(); err != nil {
		c.t.Fatalf("handshake: %v", err)
	}
	return newClient(c.t, conn)
}

// RFC 3207 §4.2: after the handshake there is no banner, and nothing said
// before counts.
func TestSTARTTLS(t *testing.T) {
	server, cfg := certificate(t)
	in := &memory{}
	_, c := start(t, Config{TLS: server}, in)
	c.want("220")
	c.send("EHLO before.example\r\n")
	if got := c.reply(); !strings.Contains(got, "-STARTTLS\r\n") {
		t.Errorf("not offered: %q", got)
	}
	c.talk(`
		-> MAIL FROM:<before@b.example>
		<- 250
		-> RCPT TO:<before@b.example>
		<- 250
		-> STARTTLS now
		<- 501
		-> STARTTLS
		<- 220 2.0.0`)
	c = c.secure(cfg)
	c.talk("-> DATA\n<- 502\n-> MAIL FROM:<a@b.example>\n<- 502")
	c.send("EHLO after.example\r\n")
	if got := c.reply(); strings.Contains(got, "STARTTLS") {
		t.Errorf("offered again: %q", got)
	}
	c.talk("-> STARTTLS\n<- 503 5.5.1")
	c.talk("-> MAIL FROM:<>\n<- 250\n-> RCPT TO:<postmaster>\n<- 250\n-> DATA\n<- 354\n-> .\n<- 250\n-> QUIT\n<- 221\n<- EOF")
	got := in.only(t)
	if got.Hello != "after.example" || got.From != "" || !strings.HasPrefix(got.TLS, "TLS 1.3 TLS_") || got.Listener != "smtp" {
		t.Errorf("envelope %+v", got.Envelope)
	}
}

func TestSTARTTLSNotOffered(t *testing.T) {
	_, c := start(t, Config{}, &memory{})
	c.talk("<- 220\n-> STARTTLS\n<- 502\n-> NOOP\n<- 250")
}

func TestImplicitTLS(t *testing.T) {
	server, cfg := certificate(t)
	in := &memory{}
	_, c := start(t, Config{TLS: server, ImplicitTLS: true}, in)
	c = c.secure(cfg)
	c.talk(toData)
	c.talk("-> x\n-> .\n<- 250\n-> QUIT\n<- 221\n<- EOF")
	if got := in.only(t); got.Listener != "smtps" || got.TLS == "" {
		t.Errorf("envelope %+v", got.Envelope)
	}
}

// go-smtp drops what is pipelined behind STARTTLS and goes on.
func TestTrapPipelinedBehindSTARTTLS(t *testing.T) {
	server, _ := certificate(t)
	in := &memory{}
	_, c := start(t, Config{TLS: server}, in)
	c.talk("<- 220\n-> EHLO x\n<- 250")
	c.send("STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n")
	c.talk("<- 421 4.7.0\n<- EOF")
	in.none(t)
}

// go-smtp folds case with Unicode's rules: a proxy in between would not see
// STARTTLS here.
func TestTrapUnicodeVerb(t *testing.T) {
	server, _ := certificate(t)
	_, c := start(t, Config{TLS: server}, &memory{})
	c.talk("<- 220\n-> ſTARTTLS\n<- 500\n-> NOOP\n<- 250")
}

func TestHandshakeTimeout(t *testing.T) {
	server, _ := certificate(t)
	s, c := start(t, Config{TLS: server, ImplicitTLS: true, TLSTimeout: 20 * time.Millisecond}, &memory{})
	c.want("EOF")
	c2 := dial(t, c.RemoteAddr())
	c2.send("EHLO x\r\n")
	for c2.SetDeadline(time.Now().Add(5 * time.Second)); ; {
		if _, err := c2.in.ReadByte(); err != nil {
			break
		}
	}
	if n := s.Counters().Connected.Load(); n != 2 {
		t.Errorf("%d connected", n)
	}
}

func TestAUTH(t *testing.T) {
	server, cfg := certificate(t)
	in := &memory{}
	auth := func(user, password string) error {
		switch {
		case user == "broken":
			return tls.AlertError(80)
		case user != "u" || password != "p":
			return BadLogin
		}
		return nil
	}
	_, c := start(t, Config{TLS: server, Auth: auth}, in)
	c.want("220")
	c.send("EHLO x\r\n")
	if got := c.reply(); strings.Contains(got, "AUTH") {
		t.Errorf("offered in clear: %q", got)
	}
	c.talk("-> AUTH PLAIN AHUAcA==\n<- 523\n-> STARTTLS\n<- 220")
	c = c.secure(cfg)
	c.send("EHLO x\r\n")
	if got := c.reply(); !strings.Contains(got, "250-AUTH PLAIN\r\n") {
		t.Errorf("not offered: %q", got)
	}
	c.talk(`
		-> AUTH LOGIN
		<- 504
		-> AUTH PLAIN AGJyb2tlbgB4
		<- 454 4.7.0 Temporary failure
		-> AUTH PLAIN eA==
		<- 501 5.5.2
		-> MAIL FROM:<>
		<- 250
		-> AUTH PLAIN AHUAcA==
		<- 503
		-> RSET
		<- 250
		-> AUTH PLAIN
		<- 334
		-> STARTTLS
		<- 501 5.5.2
		-> AUTH PLAIN
		<- 334
		-> AHUAcA==
		<- 235
		-> MAIL FROM:<>
		<- 250
		-> RCPT TO:<postmaster>
		<- 250
		-> DATA
		<- 354
		-> .
		<- 250`)
	if got := in.only(t).Login; got != "u" {
		t.Errorf("login %q", got)
	}
}

// go-smtp lets passwords be tried for ever.
func TestTrapPasswordGuessing(t *testing.T) {
	server, cfg := certificate(t)
	bad := func(string, string) error { return &mailflow.Refusal{Code: 535, Enhanced: [3]int{5, 7, 8}} }
	_, c := start(t, Config{TLS: server, ImplicitTLS: true, Auth: bad}, &memory{})
	c = c.secure(cfg)
	c.talk("<- 220\n-> EHLO x\n<- 250")
	for range 4 {
		c.talk("-> AUTH PLAIN AHUAcA==\n<- 535 5.7.8")
	}
	c.talk("-> AUTH PLAIN AHUAcA==\n<- 421 4.7.0\n<- EOF")
}
