package imapfetch

import (
	"context"
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"
)

// errLogin is a login that the server refused. It is tried again slowly:
// servers lock who tries too often.
type errLogin struct{ text string }

func (e *errLogin) Error() string { return "login refused: " + e.text }

// login proves who we are. A refused token is replaced once.
func (s *session) login(ctx context.Context) error {
	m := &s.w.m
	if m.Token == nil {
		return s.password()
	}
	fresh := s.w.freshToken
	token, err := m.Token.Token(ctx, fresh)
	if errors.Is(err, ErrRefreshNotKept) {
		s.w.log.Error("refresh token", "err", err)
		err = nil
	}
	if err != nil {
		return err
	}
	s.w.freshToken = false
	err = s.do(commandLimit, commandBudget, func() error { return loginError(s.c.Authenticate(s.bearer(token))) })
	var refused *errLogin
	if !errors.As(err, &refused) {
		return err
	}
	if fresh {
		return err
	}
	s.w.freshToken = true // the next connection brings a new one, soon
	return fmt.Errorf("a kept token is no longer taken: %s", refused.text)
}

// bearer chooses how a token is sent: in the registered way (RFC 7628) where
// the server takes it, or else as Gmail and Exchange began it.
func (s *session) bearer(token string) sasl.Client {
	if s.caps.Has(imap.AuthCap(sasl.OAuthBearer)) {
		return &bearerClient{sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: s.w.m.User, Token: token, Host: s.w.m.Host})}
	}
	return &xoauth2{user: s.w.m.User, token: token}
}

// password logs in with AUTHENTICATE PLAIN, which takes every password, where
// the server offers it, or with LOGIN.
func (s *session) password() error {
	password, err := s.w.m.Password()
	if err != nil {
		return err
	}
	return s.do(commandLimit, commandBudget, func() error {
		if s.caps.Has(imap.AuthCap(sasl.Plain)) {
			return loginError(s.c.Authenticate(sasl.NewPlainClient("", s.w.m.User, password)))
		}
		if s.caps.Has(imap.CapLoginDisabled) {
			return &errLogin{"the server takes no password"}
		}
		return loginError(s.c.Login(s.w.m.User, password).Wait())
	})
}

// loginError tells a refusal from trouble.
func loginError(err error) error {
	var status *imap.Error
	if errors.As(err, &status) && status.Type == imap.StatusResponseTypeNo && status.Code != imap.ResponseCodeUnavailable {
		return &errLogin{shown(string(status.Code) + " " + status.Text)}
	}
	return err
}

// xoauth2 is the mechanism XOAUTH2 of Gmail and Exchange.
type xoauth2 struct{ user, token string }

func (x *xoauth2) Start() (mech string, ir []byte, err error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next has the server's reason for a refusal. The exchange ends with it, and
// the connection.
func (x *xoauth2) Next(challenge []byte) ([]byte, error) {
	return nil, &errLogin{shown(fmt.Sprintf("XOAUTH2 %s", challenge))}
}

// bearerClient is OAUTHBEARER, whose refusals are logins refused.
type bearerClient struct{ sasl.Client }

func (b *bearerClient) Next(challenge []byte) ([]byte, error) {
	return nil, &errLogin{shown(fmt.Sprintf("OAUTHBEARER %s", challenge))}
}
