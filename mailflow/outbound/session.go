package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one connection to the relay, signed in and ready for MAIL.
type session struct {
	client *smtp.Client
	wire   *wire
	raw    net.Conn // TCP; closing it ends whatever the client waits for
	mails  int      // sent or refused so far
	maxLen int64    // the relay's SIZE; 0: none
	utf8   bool     // SMTPUTF8 is offered
	pipes  bool     // PIPELINING is
	dsn    bool     // DSN is
	out    []byte   // reused for the mails
	idle   *time.Timer
}

// connect opens a session. Its errors are the relay's trouble, never a row's.
func connect(ctx context.Context, a address, opt *Options) (*session, error) {
	d := net.Dialer{Timeout: opt.Timeouts.Dial}
	raw, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.host, a.port))
	if err != nil {
		return nil, because(ctx, err)
	}
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	s := &session{raw: raw}
	if err := s.begin(ctx, a, opt); err != nil {
		raw.Close()
		return nil, because(ctx, err)
	}
	return s, nil
}

// because is the reason why ctx ended, which says more than the closed
// connection that it caused; err where it did not end.
func because(ctx context.Context, err error) error {
	var e *smtp.SMTPError
	if ctx.Err() != nil && !errors.As(err, &e) {
		return context.Cause(ctx)
	}
	return err
}

func (s *session) begin(ctx context.Context, a address, opt *Options) error {
	w, err := secure(ctx, s.raw, a.scheme, opt)
	if err != nil {
		return err
	}
	s.client, s.wire = smtp.NewClient(w), w
	s.client.CommandTimeout = opt.Timeouts.Command
	s.client.SubmissionTimeout = opt.Timeouts.Dot
	if err := s.client.Hello(opt.Hostname); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if err := s.signIn(a, opt); err != nil {
		return err
	}
	if n, ok := s.client.MaxMessageSize(); ok {
		s.maxLen = int64(n)
	}
	s.utf8, _ = s.client.Extension("SMTPUTF8")
	s.pipes, _ = s.client.Extension("PIPELINING")
	s.dsn, _ = s.client.Extension("DSN")
	return nil
}

// secure brings up TLS as the scheme wants it, without any way around it.
func secure(ctx context.Context, raw net.Conn, scheme string, opt *Options) (*wire, error) {
	w := &wire{Conn: raw, block: opt.Timeouts.Block}
	if scheme == schemePlain {
		return w, nil
	}
	if scheme == schemeStartTLS {
		if err := askTLS(w, opt); err != nil {
			return nil, err
		}
		// go-smtp waits for a greeting, which is used up.
		w = &wire{block: w.block, ready: []byte("220 \r\n")}
	}
	ctx, cancel := context.WithTimeout(ctx, opt.Timeouts.Dial)
	defer cancel()
	t := tls.Client(raw, &tls.Config{ServerName: opt.TLSName, RootCAs: opt.RootCAs, MinVersion: tls.VersionTLS12})
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("start TLS: %w", err)
	}
	w.Conn = t
	return w, nil
}

// askTLS speaks the clear text before STARTTLS (RFC 3207) itself, for three
// reasons: go-smtp would greet as "localhost", knows the keyword in capitals
// only, and would take into the TLS session what a man in the middle put behind
// the 220 (CVE-2011-0411's mirror). Nothing learnt here is used later.
func askTLS(w *wire, opt *Options) error {
	r := bufio.NewReader(w)
	text := textproto.NewReader(r)
	ask := func(command string, code int) (string, error) {
		if err := w.SetReadDeadline(time.Now().Add(opt.Timeouts.Command)); err != nil {
			return "", err
		}
		if command != "" {
			if _, err := io.WriteString(w, command+"\r\n"); err != nil {
				return "", err
			}
		}
		_, msg, err := text.ReadResponse(code)
		return msg, replyError(err)
	}
	if _, err := ask("", 220); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	offers, err := ask("EHLO "+opt.Hostname, 250)
	if err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if !offersTLS(offers) {
		return errors.New("the relay offers no STARTTLS, and it is required; use smtps:// or ask the relay's operator")
	}
	if _, err := ask("STARTTLS", 220); err != nil {
		return fmt.Errorf("start TLS: %w", err)
	}
	if r.Buffered() > 0 || w.pending() {
		return errors.New("start TLS: clear text follows the relay's 220: somebody may be in between")
	}
	return w.Conn.SetDeadline(time.Time{})
}

// offersTLS looks for STARTTLS in an EHLO reply, below its first line; wire has
// folded it.
func offersTLS(reply string) bool {
	for i, line := range strings.Split(reply, "\n") {
		if f := strings.Fields(line); i > 0 && len(f) > 0 && f[0] == "STARTTLS" {
			return true
		}
	}
	return false
}

// replyError turns net/textproto's error into go-smtp's, which the rest knows.
func replyError(err error) error {
	var e *textproto.Error
	if errors.As(err, &e) {
		return &smtp.SMTPError{Code: e.Code, EnhancedCode: smtp.NoEnhancedCode, Message: e.Msg}
	}
	return err
}

// signIn authenticates, only where nobody on the network can listen: below
// TLS, or over a connection that really ends on this machine.
func (s *session) signIn(a address, opt *Options) error {
	if opt.User == "" {
		return nil
	}
	if a.scheme == schemePlain {
		host, _, err := net.SplitHostPort(s.raw.RemoteAddr().String())
		if err != nil || !loopback(host) {
			return fmt.Errorf("sign in: %s is not on this machine and has no TLS", a)
		}
	}
	var c sasl.Client
	switch {
	case s.client.SupportsAuth(sasl.Plain):
		c = sasl.NewPlainClient("", opt.User, opt.Password)
	case s.client.SupportsAuth(sasl.Login):
		c = sasl.NewLoginClient(opt.User, opt.Password)
	default:
		return errors.New("sign in: the relay offers neither AUTH PLAIN nor LOGIN; remove relay.user or use another port")
	}
	if err := s.client.Auth(c); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return nil
}

// close ends the session at once.
func (s *session) close() { s.raw.Close() }

// part says QUIT first, and waits so long for the answer at most.
func (s *session) part(wait time.Duration) {
	defer time.AfterFunc(wait, s.close).Stop()
	_ = s.client.Quit() // what was sent is sent; the answer changes nothing
	s.close()
}
