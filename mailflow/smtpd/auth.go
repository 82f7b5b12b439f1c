package smtpd

import (
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// authErrors is how many 5xx answers one failed login counts for: passwords
// are not to be tried at the rate of recipients.
const authErrors = 5

// AuthMechanisms is what EHLO offers.
func (s *session) AuthMechanisms() []string {
	if s.s.cfg.Auth == nil || s.conn.tls == "" {
		return nil // RFC 8314 §4.1: no cleartext credentials
	}
	return []string{sasl.Plain}
}

// Auth begins an AUTH command.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch {
	case len(s.AuthMechanisms()) == 0:
		return nil, smtp.ErrAuthUnsupported
	case mechanism != sasl.Plain:
		return nil, smtp.ErrAuthUnknownMechanism
	case s.begun:
		return nil, replyNoAuthNow // RFC 4954 §4
	}
	return &exchange{s: s, sasl: sasl.NewPlainServer(s.check)}, nil
}

func (s *session) check(identity, user, password string) error {
	err := error(BadLogin)
	if identity == "" || identity == user {
		err = s.s.cfg.Auth(user, password)
	}
	if err == nil {
		s.login = user
		return nil
	}
	s.conn.errors += authErrors - 1 // the answer itself is one more
	return s.reject("AUTH", refusalOr(replyAuthFailure, err), err)
}

// exchange is the AUTH command under way. It tells the dialogue when the next
// line is no command, and gives go-smtp answers where go-sasl gives errors,
// whose texts would go to the client.
type exchange struct {
	s    *session
	sasl sasl.Server
}

func (e *exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = e.sasl.Next(response)
	if err != nil {
		if _, ok := err.(*smtp.SMTPError); !ok {
			err = replyAuthSyntax
		}
		return nil, false, err
	}
	e.s.conn.sasl = !done
	return challenge, done, nil
}
