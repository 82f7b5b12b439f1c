package imapfetch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Security is how a connection is protected.
type Security string

// The ways: TLS from the first byte (RFC 8314 §3.2), TLS by STARTTLS or no
// connection, and none, which is for loopback alone.
const (
	TLS      Security = "imaps"
	StartTLS Security = "imap+starttls"
	Plain    Security = "imap"
)

// After is what becomes of a mail on the server once it is in our hands.
type After string

// The ways of it. Move has a folder besides.
const (
	Seen   After = "seen"
	Move   After = "move"
	Delete After = "delete"
)

// Mailbox is a folder to be fetched.
type Mailbox struct {
	// Name is what the journal and the log call it: user@host/FOLDER, with the
	// port if it is not the usual one. No two have the same.
	Name     string
	Address  string // host:port
	Host     string // that the certificate must name
	Security Security
	User     string
	Folder   string
	Desk     string // of mails whose header does not say
	After    After
	MoveTo   string // the folder of Move
	// All fetches what is there at first sight, too.
	All bool
	// Poll is how often it is looked for mails where the server has no IDLE.
	// Zero means a minute.
	Poll time.Duration
	// Password reads the password, at each login; nil where Token is set.
	Password func() (string, error)
	// Token makes access tokens for OAuth2; nil where Password is set.
	Token *TokenSource
}

// ParseURL reads SECURITY://user@host[:port]/FOLDER. A user may hold an @, and
// what stands in neither host nor user, such as a blank, is written as in all
// URLs (%20). Its errors show nothing of s.
func ParseURL(s string) (Mailbox, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return Mailbox{}, errors.New("is no mailbox")
	}
	m := Mailbox{Security: Security(u.Scheme), Host: strings.ToLower(u.Hostname()), Folder: strings.TrimPrefix(u.Path, "/")}
	port, usual := u.Port(), "143"
	switch m.Security {
	case TLS:
		usual = "993"
	case StartTLS:
	case Plain:
		if !isLoopback(m.Host) {
			return Mailbox{}, errors.New("would send the password without TLS")
		}
	default:
		return Mailbox{}, fmt.Errorf("%q is not known", u.Scheme+"://")
	}
	if u.User == nil || u.User.Username() == "" {
		return Mailbox{}, errors.New("names no user")
	}
	if _, has := u.User.Password(); has {
		return Mailbox{}, errors.New("holds a password")
	}
	m.User = u.User.Username()
	if m.Folder == "" || strings.EqualFold(m.Folder, "INBOX") {
		m.Folder = "INBOX" // RFC 3501 §5.1: in any case
	}
	m.Name = m.User + "@" + m.Host
	if port == "" {
		port = usual
	} else if port != usual {
		m.Name += ":" + port
	}
	m.Name += "/" + m.Folder
	m.Address = net.JoinHostPort(m.Host, port)
	return m, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
