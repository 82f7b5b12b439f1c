package outbound

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Options is what a relay needs besides its URL. The zero value serves for a
// relay without sign-in.
type Options struct {
	// Hostname is said in EHLO. Default "localhost".
	Hostname string
	// User and Password sign in by AUTH PLAIN or LOGIN; an empty user does not.
	User, Password string
	// TLSName is the name that the certificate must hold. Default: the URL's host.
	TLSName string
	// RootCAs are trusted instead of the system's if not nil.
	RootCAs *x509.CertPool
	// BaseDir is what a relative maildir starts from. Default: the current one.
	BaseDir string
	// Connections bounds the idle connections kept. Default 4.
	Connections int
	// Timeouts bound the parts of an attempt.
	Timeouts Timeouts
}

// Timeouts bound what the relay may take for each part of an attempt (RFC 5321
// §4.5.3.2); each is absolute, so that one octet a second does not stretch it.
// A zero field means its default.
type Timeouts struct {
	Dial    time.Duration // TCP and TLS handshakes, each. Default 30 s
	Command time.Duration // banner and the reply to a command. Default 5 min
	Data    time.Duration // the 354. Default 2 min
	Block   time.Duration // one write of the mail. Default 3 min
	Dot     time.Duration // the reply to the final dot. Default 10 min
	Idle    time.Duration // an unused connection is closed after. Default 30 s
	Quit    time.Duration // the reply to QUIT. Default 2 s
}

func (o *Options) defaults(a address) {
	o.Hostname = cmp.Or(o.Hostname, "localhost")
	o.TLSName = cmp.Or(o.TLSName, a.host)
	o.Connections = cmp.Or(o.Connections, 4)
	t := &o.Timeouts
	t.Dial = cmp.Or(t.Dial, 30*time.Second)
	t.Command = cmp.Or(t.Command, 5*time.Minute)
	t.Data = cmp.Or(t.Data, 2*time.Minute)
	t.Block = cmp.Or(t.Block, 3*time.Minute)
	t.Dot = cmp.Or(t.Dot, 10*time.Minute)
	t.Idle = cmp.Or(t.Idle, 30*time.Second)
	t.Quit = cmp.Or(t.Quit, 2*time.Second)
}

// The schemes of a relay's URL.
const (
	schemePlain    = "smtp"
	schemeStartTLS = "smtp+starttls"
	schemeTLS      = "smtps"
	schemeMaildir  = "maildir"
)

// address is a relay's URL, read.
type address struct {
	scheme     string
	host, port string
	dir        string // of a maildir
}

func (a address) String() string {
	if a.scheme == schemeMaildir {
		return schemeMaildir + ":" + a.dir
	}
	return net.JoinHostPort(a.host, a.port)
}

// Open returns the relay that a URL names:
//
//	maildir:DIR                    each mail becomes a file in DIR/new
//	smtp://HOST[:25]               without TLS; a loopback host, or ?plain=yes
//	smtp+starttls://HOST[:587]     STARTTLS required
//	smtps://HOST[:465]             TLS from the first octet (RFC 8314 §3.3)
//
// It makes DIR but connects nowhere. Errors say what to write instead.
func Open(url string, opt Options) (Relay, error) {
	a, err := check(url, opt)
	if err != nil {
		return nil, err
	}
	opt.defaults(a)
	if a.scheme == schemeMaildir {
		if !filepath.IsAbs(a.dir) {
			a.dir = filepath.Join(opt.BaseDir, a.dir)
		}
		return openMaildir(a.dir)
	}
	return newSMTP(a, opt), nil
}

// CheckURL says what is wrong with a relay's URL. It makes nothing and connects
// nowhere.
func CheckURL(url string) error {
	_, err := check(url, Options{})
	return err
}

// Check is [CheckURL] that also looks at the sign-in and the host name.
func Check(url string, opt Options) error {
	_, err := check(url, opt)
	return err
}

func check(raw string, opt Options) (address, error) {
	if dir, ok := strings.CutPrefix(raw, schemeMaildir+":"); ok {
		if dir == "" || strings.HasPrefix(dir, "//") {
			return address{}, errors.New("relay url: write maildir:DIR, such as maildir:var/outbox")
		}
		return address{scheme: schemeMaildir, dir: dir}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error repeats the URL, which may hold a password.
		return address{}, errors.New("relay url: cannot be read; write smtps://HOST:465, smtp+starttls://HOST:587, smtp://127.0.0.1:25 or maildir:DIR")
	}
	if u.User != nil {
		return address{}, errors.New("relay url: no user or password in it; set relay.user and relay.password_file")
	}
	a := address{scheme: u.Scheme, host: u.Hostname(), port: u.Port()}
	if a.host == "loopback" { // as the documentation writes it
		a.host = "localhost"
	}
	return a, cmp.Or(checkParts(&a, u), checkSignIn(a, opt))
}

// checkParts completes a with the scheme's port and refuses what an SMTP relay's
// URL must not hold.
func checkParts(a *address, u *url.URL) error {
	ports := map[string]string{schemePlain: "25", schemeStartTLS: "587", schemeTLS: "465"}
	port, ok := ports[a.scheme]
	plain := u.RawQuery == "plain=yes" && a.scheme == schemePlain
	switch {
	case !ok:
		return fmt.Errorf("relay url: unknown scheme %q; write smtps, smtp+starttls, smtp or maildir", a.scheme)
	case a.host == "":
		return fmt.Errorf("relay url: no host; write %s://HOST:%s", a.scheme, port)
	case strings.Trim(u.Path, "/") != "" || u.Fragment != "":
		return fmt.Errorf("relay url: nothing may follow the port; write %s://%s", a.scheme, u.Host)
	case u.RawQuery != "" && !plain:
		return errors.New("relay url: the only option is ?plain=yes, with smtp://")
	case a.scheme == schemePlain && !plain && !loopback(a.host):
		return fmt.Errorf("relay url: smtp://%s would send mail in clear text over the network; write smtps:// or smtp+starttls://, or add ?plain=yes", u.Host)
	}
	a.port = cmp.Or(a.port, port)
	return nil
}

func checkSignIn(a address, opt Options) error {
	switch {
	case opt.User == "" && opt.Password != "":
		return errors.New("relay: a password without a user; set relay.user")
	case opt.User != "" && opt.Password == "":
		return errors.New("relay: a user without a password; set relay.password_file")
	case opt.User != "" && a.scheme == schemePlain && !loopback(a.host):
		return errors.New("relay: the password would cross the network in clear text; write smtps:// or smtp+starttls://")
	case strings.ContainsAny(opt.User+opt.Password, "\x00\r\n"):
		return errors.New("relay: user or password holds NUL or a line end")
	case strings.ContainsFunc(opt.Hostname, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("hostname %q: only letters, digits, dots and hyphens; write international names as xn--", opt.Hostname)
	}
	return nil
}

// loopback says whether host can only be this machine.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	h := strings.ToLower(strings.TrimSuffix(host, "."))
	return h == "localhost" || strings.HasSuffix(h, ".localhost")
}
