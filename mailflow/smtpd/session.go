package smtpd

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"

	"guichet/mailflow"
	"guichet/store"
)

// session is what go-smtp asks. It implements smtp.AuthSession, but not
// smtp.LMTPSession: without it go-smtp gives Data's one result to every
// recipient, which is what one commit means (RFC 2033 §4.2).
type session struct {
	s    *Server
	conn *dialogue
	peer *smtp.Conn

	login    string // by AUTH
	begun    bool   // a mail, by MAIL
	env      mailflow.Envelope
	smtputf8 bool
}

func (s *Server) newSession(c *smtp.Conn) (smtp.Session, error) {
	d, ok := c.Conn().(*dialogue)
	if !ok {
		return nil, replyFailure
	}
	return &session{s: s, conn: d, peer: c}, nil
}

// Mail begins a mail. go-smtp takes a second MAIL and keeps the recipients of
// the first; RFC 5321 §4.1.4 has it refused.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	if s.begun {
		return replyNested
	}
	if from != "" {
		clean, refusal := mailbox(from, opts.UTF8, badSender)
		if refusal != nil {
			return s.reject("MAIL", refusal, nil)
		}
		from = clean
	}
	if err := s.s.intake.Ready(opts.Size); err != nil {
		return s.reject("MAIL", refusalOr(replyFailure, err), err)
	}
	s.smtputf8 = opts.UTF8
	s.begun = true
	s.env = mailflow.Envelope{
		Listener: s.s.cfg.Listener,
		Client:   s.conn.link.client,
		Hello:    hello(s.peer.Hostname()),
		TLS:      s.conn.tls,
		Login:    s.login,
		From:     from,
	}
	s.conn.link.inMail.Store(true)
	return nil
}

// hello bounds what a client calls itself.
func hello(name string) string {
	if len(name) > maxAddress {
		name = name[:maxAddress]
	}
	return strings.ToValidUTF8(name, "?")
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.conn.bare {
		to = "postmaster"
	} else {
		clean, refusal := mailbox(to, s.smtputf8, badRecipient)
		if refusal != nil {
			return s.reject("RCPT", refusal, nil)
		}
		to = clean
	}
	if err := s.s.intake.Recipient(to); err != nil {
		return s.reject("RCPT", refusalOr(replyFailure, err), err)
	}
	s.env.Recipients = append(s.env.Recipients, to)
	return nil
}

// Data takes the mail. Its reader is go-smtp's view of the body; ours comes
// from the dialogue, see dotReader and chunkReader.
func (s *session) Data(io.Reader) error {
	body := s.conn.beginBody()
	defer s.conn.endBody()
	in, refusal, cause := s.receive(s.env, body)
	if refusal == replyInterrupted {
		s.s.count.Cut.Add(1)
		return refusal
	}
	if refusal != nil {
		return s.reject("DATA", refusal, cause)
	}
	s.s.count.Accepted.Add(1)
	s.conn.accepted(in.Told)
	store.Point("before", "reply 250")
	return nil
}

// buffers are what mails are carried in on their way from socket to Intake.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// receive hands a mail's bytes to the Intake, many at once. It reads to the
// end even of a mail that it refuses, as the client hears nothing before.
func (s *session) receive(env mailflow.Envelope, r io.Reader) (in Incoming, refusal *smtp.SMTPError, cause error) {
	cfg := &s.s.cfg
	in = s.s.intake.Begin(env)
	open := true
	abort := func() {
		if open {
			open = false
			in.Abort()
		}
	}
	defer abort() // also if the Intake panics

	look := sieve{maxSize: cfg.MaxMessageSize, maxLine: cfg.MaxLine, maxHops: cfg.MaxHops}
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := fill(r, buf[:])
		if refusal == nil && n > 0 {
			if refusal, cause = pass(in, &look, buf[:n]); refusal != nil {
				abort()
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			if refusal == nil {
				refusal = replyInterrupted
			}
			break
		}
	}
	if refusal != nil {
		return in, refusal, cause
	}
	ctx, cancel := context.WithTimeout(s.s.ctx, cfg.IntakeTimeout)
	defer cancel()
	open = false
	if err := in.Commit(ctx); err != nil {
		return in, refusalOr(replyFailure, err), err
	}
	return in, nil, nil
}

// fill reads until p is full: a mail as most are goes to the Intake in one
// piece.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}

// pass looks at some bytes and writes them.
func pass(in Incoming, look *sieve, b []byte) (*smtp.SMTPError, error) {
	if refusal := look.check(b); refusal != nil {
		return refusal, nil
	}
	if _, err := in.Write(b); err != nil {
		return refusalOr(replyFailure, err), err
	}
	return nil, nil
}

// reject counts and logs a refusal and returns it as an error. cause is the
// Intake's error; one that is no Refusal is a fault of ours.
func (s *session) reject(stage string, refusal *smtp.SMTPError, cause error) error {
	if refusal.Code < 500 {
		s.s.count.Deferred.Add(1)
	} else {
		s.s.count.Rejected.Add(1)
	}
	log := s.s.cfg.Log.With("client", s.conn.link.client, "stage", stage, "reply", refusal.Code)
	var known *mailflow.Refusal
	if cause != nil && !errors.As(cause, &known) {
		log.Error("intake failed", "err", cause)
	} else {
		log.Info("rejected", "reason", refusal.Message)
	}
	return refusal
}

// Reset forgets the mail begun.
func (s *session) Reset() {
	s.begun, s.env = false, mailflow.Envelope{}
	s.conn.link.inMail.Store(false)
}

// Logout ends the session. Shutdown may have it called beside anything else.
func (s *session) Logout() error {
	s.conn.link.inMail.Store(false)
	return nil
}
