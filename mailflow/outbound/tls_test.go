package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// certify makes a certificate for name and the pool that trusts it.
func certify(t *testing.T, name string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name},
		IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(name); ip != nil {
		tpl.DNSNames, tpl.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

const password = "correct horse"

// signed are options with a sign-in.
func signed(pool *x509.CertPool) Options {
	return Options{RootCAs: pool, User: "desk", Password: password}
}

// tlsSink is a scripted sink with TLS.
func tlsSink(t *testing.T, conf *tls.Config, implicit bool, s script, ext ...string) *sink {
	t.Helper()
	k := &sink{script: s, ext: ext, done: make(chan struct{}), tls: conf, implicit: implicit}
	k.start(t)
	return k
}

// TestDowngrade: without the TLS that was asked for there is no mail and no
// password on the wire, and the row stays queued.
func TestDowngrade(t *testing.T) {
	good, pool := certify(t, "127.0.0.1")
	other, _ := certify(t, "127.0.0.1")
	wrong, wrongPool := certify(t, "elsewhere.example")
	for _, c := range []struct {
		name string
		conf *tls.Config
		pool *x509.CertPool
		s    script
		ext  []string
		want string // part of the reply
	}{
		{"stripped STARTTLS", good, pool, nil, []string{"AUTH PLAIN LOGIN"}, "no STARTTLS"},
		{"STARTTLS refused", good, pool, script{"STARTTLS": {"454 4.7.0 not now"}}, []string{"STARTTLS"}, "454 4.7.0"},
		{"unknown authority", other, pool, nil, []string{"STARTTLS", "AUTH PLAIN"}, "unknown authority"},
		{"another name", wrong, wrongPool, nil, []string{"STARTTLS", "AUTH PLAIN"}, "127.0.0.1"},
		{"injected reply", good, pool, script{"STARTTLS": {"!tls 220 go\r\n250 AUTH PLAIN"}}, []string{"STARTTLS"}, "in between"},
		{"injected half a line", good, pool, script{"STARTTLS": {"!tls 220 go\r\n250-AUTH PLAIN\r\n250"}}, []string{"STARTTLS"}, "in between"},
		{"endless EHLO", good, pool, script{"EHLO": {"!endless"}}, nil, "too long"},
		{"HELO only", good, pool, script{"EHLO": {"502 what"}}, nil, "502"},
		{"AUTH refused", good, pool, script{"AUTH": {"535 5.7.8 wrong"}}, []string{"STARTTLS", "AUTH PLAIN"}, "535 5.7.8"},
		{"AUTH refused for now", good, pool, script{"AUTH": {"454 4.7.0 later"}}, []string{"STARTTLS", "AUTH PLAIN"}, "454"},
		{"no AUTH", good, pool, nil, []string{"STARTTLS"}, "neither"},
		{"AUTH with a stranger's mechanism", good, pool, nil, []string{"STARTTLS", "AUTH CRAM-MD5"}, "neither"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := tlsSink(t, c.conf, false, c.s, c.ext...)
			res := open(t, "smtp+starttls://"+k.addr(), signed(c.pool)).Send(t.Context(), testMail("a@b.example"))
			if outcome(res) != "trouble" || !strings.Contains(res.Reply, c.want) {
				t.Errorf("%+v, want %q", res, c.want)
			}
			if k.saw("MAIL") || len(k.taken()) > 0 {
				t.Errorf("mail on the wire: %q", k.seen())
			}
			if k.saw("AUTH") != (c.s["AUTH"] != nil) {
				t.Errorf("AUTH on the wire: %q", k.seen())
			}
			if strings.Contains(res.Reply, password) {
				t.Error("the reply holds the password")
			}
		})
	}
	t.Run("smtps to a relay without TLS", func(t *testing.T) {
		k := newSink(t, nil, "AUTH PLAIN")
		res := open(t, "smtps://"+k.addr(), signed(pool)).Send(t.Context(), testMail("a@b.example"))
		if outcome(res) != "trouble" || k.saw("AUTH") || k.saw("EHLO") {
			t.Errorf("%+v %q", res, k.seen())
		}
	})
}

// TestSecure: the ways that work, with sign-in behind the TLS only.
func TestSecure(t *testing.T) {
	good, pool := certify(t, "127.0.0.1")
	named, namedPool := certify(t, "mail.example")
	plain := base64.StdEncoding.EncodeToString([]byte("\x00desk\x00" + password))
	for _, c := range []struct {
		name, scheme string
		conf         *tls.Config
		opt          Options
		ext          []string
		want         string // the dialogue up to MAIL
	}{
		{"starttls", "smtp+starttls", good, signed(pool), []string{"STARTTLS", "AUTH PLAIN"}, "EHLO|STARTTLS|EHLO|AUTH PLAIN " + plain},
		{"starttls in lower case", "smtp+starttls", good, signed(pool), []string{"starttls", "auth plain"}, "EHLO|STARTTLS|EHLO|AUTH PLAIN " + plain},
		{"starttls without sign-in", "smtp+starttls", good, Options{RootCAs: pool}, []string{"STARTTLS", "AUTH PLAIN"}, "EHLO|STARTTLS|EHLO"},
		{"smtps", "smtps", good, signed(pool), []string{"AUTH LOGIN PLAIN"}, "EHLO|AUTH PLAIN " + plain},
		{"another name that is configured", "smtps", named, Options{RootCAs: namedPool, TLSName: "mail.example"}, nil, "EHLO"},
		{"loopback without TLS", "smtp", good, signed(nil), []string{"AUTH PLAIN"}, "EHLO|AUTH PLAIN " + plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := tlsSink(t, c.conf, c.scheme == "smtps", nil, c.ext...)
			res := open(t, c.scheme+"://"+k.addr(), c.opt).Send(t.Context(), testMail("a@b.example"))
			if res.State != Sent || len(k.taken()) != 1 {
				t.Fatalf("%+v", res)
			}
			got, _, _ := strings.Cut(strings.ReplaceAll(strings.Join(k.seen(), "|"), " desk.example", ""), "|MAIL")
			if got != c.want {
				t.Errorf("dialogue %q, want %q", got, c.want)
			}
		})
	}
}

// backend is a go-smtp server that keeps what it takes.
type backend struct {
	mu     sync.Mutex
	mails  []string
	notify []smtp.DSNNotify
	login  string
}

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &taker{b: b}, nil }

type taker struct {
	b        *backend
	from, to string
}

func (s *taker) AuthMechanisms() []string { return []string{sasl.Login} }

func (s *taker) Auth(string) (sasl.Server, error) {
	return loginServer(func(user, pass string) error {
		if user != "desk" || pass != password {
			return errors.New("no")
		}
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		s.b.login = user
		return nil
	}), nil
}

// loginServer is LOGIN's other side: go-sasl has the client's only.
func loginServer(check func(user, pass string) error) sasl.Server { return &loginSteps{check: check} }

type loginSteps struct {
	check func(user, pass string) error
	step  int
	user  string
}

func (l *loginSteps) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch {
	case l.step == 1 && response == nil:
		return []byte("Username:"), false, nil
	case l.user == "":
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (s *taker) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *taker) Rcpt(to string, o *smtp.RcptOptions) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.to, s.b.notify = to, o.Notify
	return nil
}
func (s *taker) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mails = append(s.b.mails, s.from+" "+s.to+"\n"+string(b))
	return nil
}
func (s *taker) Reset()        {}
func (s *taker) Logout() error { return nil }

// TestRealServer sends to emersion/go-smtp's own server, the plain way and
// with TLS and LOGIN.
func TestRealServer(t *testing.T) {
	conf, pool := certify(t, "127.0.0.1")
	for _, scheme := range []string{"smtp", "smtp+starttls", "smtps"} {
		t.Run(scheme, func(t *testing.T) {
			b := &backend{}
			srv := smtp.NewServer(b)
			srv.EnableDSN, srv.MaxMessageBytes, srv.AllowInsecureAuth = true, 1<<20, true
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			switch scheme {
			case "smtp+starttls":
				srv.TLSConfig = conf
			case "smtps":
				ln = tls.NewListener(ln, conf)
			}
			var wg sync.WaitGroup
			wg.Go(func() { srv.Serve(ln) })
			t.Cleanup(func() { srv.Close(); wg.Wait() })
			r := open(t, scheme+"://"+ln.Addr().String(), signed(pool))
			m := testMail("a@b.example")
			for range 3 {
				if res := r.Send(t.Context(), m); res.State != Sent {
					t.Fatalf("%+v", res)
				}
			}
			r.Close()
			b.mu.Lock()
			defer b.mu.Unlock()
			want := m.From + " " + m.To + "\n" + string(m.Header) + "\r\n" + string(m.Body)
			if len(b.mails) != 3 || b.mails[2] != want || b.login != "desk" {
				t.Errorf("%d mails, login %q, last %q", len(b.mails), b.login, b.mails)
			}
			if len(b.notify) != 1 || b.notify[0] != smtp.DSNNotifyFailure {
				t.Errorf("notify %v", b.notify)
			}
		})
	}
}
