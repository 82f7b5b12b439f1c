package smtpd

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"guichet/mailflow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is an Intake. A nil func accepts.
type memory struct {
	ready     func(size int64) error
	recipient func(to string) error
	write     func(b []byte) error
	commit    func(ctx context.Context) error

	mu      sync.Mutex
	mails   []mail
	aborted int
	told    int
	open    int // begun, neither committed nor aborted
}

type mail struct {
	mailflow.Envelope
	body string
}

func (m *memory) Ready(size int64) error {
	if m.ready == nil {
		return nil
	}
	return m.ready(size)
}

func (m *memory) Recipient(to string) error {
	if m.recipient == nil {
		return nil
	}
	return m.recipient(to)
}

func (m *memory) Begin(env mailflow.Envelope) Incoming {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open++
	return &incoming{m: m, env: env}
}

type incoming struct {
	m     *memory
	env   mailflow.Envelope
	b     strings.Builder
	ended bool
}

func (in *incoming) Write(b []byte) (int, error) {
	if in.m.write != nil {
		if err := in.m.write(b); err != nil {
			return 0, err
		}
	}
	return in.b.Write(b)
}

func (in *incoming) end() {
	if in.ended {
		panic("mail ended twice")
	}
	in.ended = true
	in.m.open--
}

func (in *incoming) Commit(ctx context.Context) error {
	var err error
	if in.m.commit != nil {
		err = in.m.commit(ctx)
	}
	in.m.mu.Lock()
	defer in.m.mu.Unlock()
	in.end()
	if err == nil {
		in.m.mails = append(in.m.mails, mail{in.env, in.b.String()})
	}
	return err
}

func (in *incoming) Told() {
	in.m.mu.Lock()
	defer in.m.mu.Unlock()
	in.m.told++
}

func (in *incoming) Abort() {
	in.m.mu.Lock()
	defer in.m.mu.Unlock()
	in.end()
	in.m.aborted++
}

// bodies are those of the mails taken.
func (m *memory) bodies() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, mail := range m.mails {
		all = append(all, mail.body)
	}
	return all
}

// only is the one mail taken.
func (m *memory) only(t *testing.T) mail {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mails) != 1 {
		t.Fatalf("%d mails were taken, want 1: %q", len(m.mails), m.mails)
	}
	return m.mails[0]
}

func (m *memory) none(t *testing.T) {
	t.Helper()
	if all := m.bodies(); len(all) != 0 {
		t.Fatalf("mails were taken: %q", all)
	}
}

// serve runs a server on l until the test ends; then no mail may be open.
func serve(t *testing.T, cfg Config, intake *memory, l net.Listener) *Server {
	t.Helper()
	if cfg.Hostname == "" {
		cfg.Hostname = "desk.example"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := New(cfg, intake)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	until(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.listeners) > 0
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		intake.mu.Lock()
		defer intake.mu.Unlock()
		if intake.open != 0 {
			t.Errorf("%d mails are neither committed nor aborted", intake.open)
		}
		if intake.told != len(intake.mails) {
			t.Errorf("the Intake was told of %d answers to %d mails", intake.told, len(intake.mails))
		}
	})
	return s
}

// until waits for what nothing announces.
func until(done func() bool) {
	for tick := time.NewTicker(time.Millisecond); !done(); <-tick.C {
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs a server and connects to it.
func start(t *testing.T, cfg Config, intake *memory) (*Server, *client) {
	t.Helper()
	l := listen(t)
	s := serve(t, cfg, intake, l)
	return s, dial(t, l.Addr())
}

// client speaks with the server, octet for octet.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr net.Addr) *client {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, c)
}

func newClient(t *testing.T, c net.Conn) *client {
	t.Helper()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

// send writes s as it is.
func (c *client) send(s string) {
	c.t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		c.t.Fatalf("send %.60q: %v", s, err)
	}
}

// reply is the next answer, all its lines.
func (c *client) reply() string {
	c.t.Helper()
	var all strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("read answer after %q: %v", all.String(), err)
		}
		all.WriteString(line)
		if len(line) < 4 || line[3] == ' ' {
			return all.String()
		}
	}
}

// talk plays a dialogue: "-> " sends a line, "<- " wants an answer whose last
// line begins so; "<- EOF" wants the connection closed.
func (c *client) talk(script string) {
	c.t.Helper()
	for step := range strings.Lines(script) {
		step = strings.TrimSpace(step)
		if text, ok := strings.CutPrefix(step, "->"); ok {
			c.send(strings.TrimPrefix(text, " ") + "\r\n")
		} else if want, ok := strings.CutPrefix(step, "<- "); ok {
			c.want(want)
		} else if step != "" {
			c.t.Fatalf("neither -> nor <-: %q", step)
		}
	}
}

func (c *client) want(want string) {
	c.t.Helper()
	if want == "EOF" {
		if rest, err := c.in.ReadString('\n'); err == nil || strings.Contains(err.Error(), "timeout") {
			c.t.Fatalf("connection goes on: %q, %v", rest, err)
		}
		return
	}
	got := c.reply()
	lines := strings.Split(strings.TrimSuffix(got, "\r\n"), "\r\n")
	if !strings.HasPrefix(lines[len(lines)-1], want) {
		c.t.Fatalf("answer %q, want %q", got, want)
	}
}

const toData = `
	<- 220 desk.example
	-> EHLO client.example
	<- 250
	-> MAIL FROM:<a@client.example>
	<- 250 2.1.0 Sender ok
	-> RCPT TO:<support@desk.example>
	<- 250 2.1.5 Recipient ok
	-> DATA
	<- 354
`

// certificate is one for desk.example, signed by itself.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"desk.example"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: roots, ServerName: "desk.example"}
}

// panicking fails the test when go-smtp reports a panic.
type panicking struct {
	slog.Handler
	t *testing.T
}

func (p panicking) Enabled(context.Context, slog.Level) bool { return true }

func (p panicking) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "session panic" {
		p.t.Errorf("%s: %v", r.Message, r)
	}
	return nil
}

func (p panicking) WithAttrs([]slog.Attr) slog.Handler { return p }
