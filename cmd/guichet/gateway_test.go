package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"guichet/mailflow/rfc822"
	"guichet/store/storetest"
)

// TestMain is also the program itself: a test that wants a gateway runs this
// very binary with GUICHET_TEST_PROGRAM set, so that the race detector sees
// it, too. GUICHET_BIN names another binary to run instead.
func TestMain(m *testing.M) {
	if os.Getenv("GUICHET_TEST_PROGRAM") != "" {
		main()
		return
	}
	storetest.Main(m)
}

// patience is how long a test waits for what must come.
const patience = time.Minute

// running is a gateway in a process of its own, and the sink it sends to.
type running struct {
	t      testing.TB
	dir    string
	config string
	cmd    *exec.Cmd
	out    *bytes.Buffer // its log
	addr   map[string]string
	sink   *sink
	ended  chan error
	// wrap is the command that runs the gateway, such as strace with its
	// arguments; empty for none.
	wrap []string
	// patience is how long what must come may take.
	patience time.Duration
}

// startGateway writes a configuration for a database and serves it. replace
// holds pairs of texts to change in the configuration.
func startGateway(t testing.TB, database string, replace ...string) *running {
	t.Helper()
	g := newGateway(t, database, replace...)
	g.start()
	t.Cleanup(g.stop)
	return g
}

// newGateway is startGateway for a test that starts it itself.
func newGateway(t testing.TB, database string, replace ...string) *running {
	t.Helper()
	g := &running{t: t, dir: t.TempDir(), sink: newSink(t), patience: patience}
	text := strings.NewReplacer("DATABASE", database, "RELAY", g.sink.addr).Replace(storyConfig)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("the configuration holds no %q", replace[i])
		}
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	g.config = filepath.Join(g.dir, "config.yaml")
	write(t, g.config, notifyingEach(text))
	return g
}

// notifyingEach has every notification leave as a mail of its own, so that
// each can be waited for.
func notifyingEach(config string) string {
	const each = "notifications: 1000000"
	if before, after, ok := strings.Cut(config, "limits: {"); ok {
		return before + "limits: {" + each + ", " + after
	}
	return "limits: {" + each + "}\n" + config
}

const storyConfig = `
hostname: desk.example
database: "DATABASE"
secret_file: guichet.key
smtp: {listen: "127.0.0.1:0", max_message_size: 25MiB}
lmtp: {listen: "unix:lmtp.sock"}
web: {listen: "127.0.0.1:0", base_url: "http://desk.example"}
admin: {listen: "127.0.0.1:0"}
relay: {url: "smtp://RELAY", connections: 4}
trust: {networks: ["127.0.0.1"]}
agents:
  - {address: agent@desk.example, name: First agent, desks: [support, sales]}
  - {address: second@desk.example, name: Second agent, desks: [support]}
desks:
  support:
    address: support@desk.example
    name: {fr: Support technique, en: Technical support}
    reply: "support+{token}@desk.example"
    language: en
    time_zone: Europe/Paris
    number: INC-%06d
    intake: direct
    validation: no
    approval: assumed
    timers: {reminder_after: 24h, reminder_every: 24h, reminders: 3, auto_close_after: 24h, closure_reminder_after: 24h, reopen_within: 168h}
  sales:
    address: sales@desk.example
    name: {fr: Service clients, en: Customer service}
    language: fr
    number: SAL-%05d
    intake: direct
`

func (g *running) binary() *exec.Cmd {
	if bin := os.Getenv("GUICHET_BIN"); bin != "" {
		return exec.Command(bin)
	}
	exe, err := os.Executable()
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "GUICHET_TEST_PROGRAM=1")
	return cmd
}

// start runs serve and waits for its listeners' lines.
func (g *running) start() {
	g.t.Helper()
	g.out, g.addr, g.ended = &bytes.Buffer{}, map[string]string{}, make(chan error, 1)
	g.cmd = g.binary()
	g.cmd.Args = append(g.cmd.Args, "serve", "--config", g.config)
	if len(g.wrap) > 0 {
		env := g.cmd.Env
		g.cmd = exec.Command(g.wrap[0], slices.Concat(g.wrap[1:], []string{g.cmd.Path}, g.cmd.Args[1:])...)
		g.cmd.Env = env
	}
	log, err := os.OpenFile(filepath.Join(g.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	defer log.Close()
	g.cmd.Stderr = log
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		name, addr, ok := strings.Cut(lines.Text(), " listens on ")
		if ok {
			g.addr[name] = addr
		}
		if name == "smtp" {
			break
		}
	}
	go func() {
		io.Copy(io.Discard, stdout)
		g.ended <- g.cmd.Wait()
	}()
	if g.addr["smtp"] == "" {
		g.t.Fatalf("no SMTP listener:\n%s", g.log())
	}
}

func (g *running) log() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "log"))
	return string(b)
}

// unwell is what no gateway may write into its log: a panic, also one that was
// caught and cost one mail alone, and what the race detector or the runtime
// report.
var unwell = regexp.MustCompile(`(?i)panic|data race|fatal error:|the program failed`)

// wasWell fails the test if the log says that the gateway was unwell.
func (g *running) wasWell() {
	g.t.Helper()
	log := g.log()
	if at := unwell.FindStringIndex(log); at != nil {
		g.t.Errorf("the gateway was not well:\n%.8000s", log[at[0]:])
	}
}

// stop ends the gateway as an operator does. It also looks at how one was that
// had ended before.
func (g *running) stop() {
	defer g.wasWell()
	if g.cmd.ProcessState != nil || g.cmd.Process == nil {
		return
	}
	g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("serve ended with %v", err)
		}
	case <-time.After(patience):
		g.cmd.Process.Kill()
		g.t.Error("serve did not end after SIGTERM")
	}
	if g.t.Failed() {
		g.t.Logf("log of the gateway:\n%s", g.log())
	}
}

// deliver sends raw bytes by SMTP.
func (g *running) deliver(from string, to []string, mail []byte) error {
	c, err := smtp.Dial(g.addr["smtp"])
	if err != nil {
		return err
	}
	defer c.Close()
	if err := hand(c, from, to, mail); err != nil {
		return err
	}
	return c.Quit()
}

// hand sends one mail by a connection.
func hand(c *smtp.Client, from string, to []string, raw []byte) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, r := range to {
		if err := c.Rcpt(r); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return err
	}
	return w.Close()
}

// toSupport is to whom most tests write.
var toSupport = []string{"support@desk.example"}

// command runs another command of the program on the same configuration.
func (g *running) command(args ...string) (int, string, string) {
	var out, errs bytes.Buffer
	code := run(context.Background(), append(args, "--config", g.config), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// rows runs a command with --json.
func (g *running) rows(args ...string) []map[string]any {
	g.t.Helper()
	code, out, errs := g.command(append(args, "--json")...)
	if code != 0 {
		g.t.Fatalf("guichet %v: exit %d: %s", args, code, errs)
	}
	var rows []map[string]any
	for line := range strings.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			g.t.Fatalf("guichet %v printed %q: %v", args, line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

// metric reads one figure of the admin listener.
func (g *running) metric(name string) float64 {
	resp, err := http.Get("http://" + g.addr["admin"] + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	m := regexp.MustCompile(`(?m)^guichet_` + name + ` (\S+)$`).FindSubmatch(b)
	if m == nil {
		g.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// settled waits until nothing is on its way any more.
func (g *running) settled() {
	g.t.Helper()
	g.until("everything is processed and sent", func() bool {
		return g.metric("unprocessed") == 0 && g.metric("outbox_busy") == 0
	})
}

// until waits for a condition that must come true.
func (g *running) until(what string, ok func() bool) {
	g.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(g.patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			g.t.Fatalf("not within %s: %s\n%s", g.patience, what, g.log())
		}
	}
}

// sent is one mail that the gateway handed to its relay.
type sent struct {
	from, to string
	raw      []byte
	mail     *rfc822.Mail
	at       time.Time // when the relay had it whole
	taken    bool      // a story has looked at it
}

func (s *sent) kind() string { return s.mail.Header.Get("X-Guichet-Kind") }

// html is the HTML part's source.
func (s *sent) html() string {
	m, err := mail.ReadMessage(bytes.NewReader(s.raw))
	if err != nil {
		return ""
	}
	return htmlIn(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func htmlIn(contentType, encoding string, body io.Reader) string {
	typ, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	if typ == "text/html" {
		switch strings.ToLower(encoding) {
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		}
		b, _ := io.ReadAll(body)
		return string(b)
	}
	var all strings.Builder
	if strings.HasPrefix(typ, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for p, err := parts.NextRawPart(); err == nil; p, err = parts.NextRawPart() {
			all.WriteString(htmlIn(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p))
		}
	}
	return all.String()
}

// sink is a relay that keeps what it takes.
type sink struct {
	mu      sync.Mutex
	mails   []*sent
	addr    string
	refused map[string]*gosmtp.SMTPError // by recipient
	refuse  func(to string) error        // if set, asked for each recipient
	notice  func(*sent)                  // if set, told of each mail
	server  *gosmtp.Server
}

// refuseAll answers "550 5.1.1 words" to every mail for an address.
func (s *sink) refuseAll(to, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e gosmtp.SMTPError
	fmt.Sscanf(reply, "%d %d.%d.%d", &e.Code, &e.EnhancedCode[0], &e.EnhancedCode[1], &e.EnhancedCode[2])
	e.Message = strings.Join(strings.Fields(reply)[2:], " ")
	s.refused[to] = &e
}

func newSink(t testing.TB) *sink {
	s := &sink{refused: map[string]*gosmtp.SMTPError{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &sinkSession{sink: s}, nil }))
	server.Domain, server.EnableSMTPUTF8, server.EnableDSN, server.MaxLineLength = "relay.example", true, true, 1<<20
	s.server = server
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return s
}

func (s *sink) all() []*sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*sent{}, s.mails...)
}

type sinkSession struct {
	sink     *sink
	from, to string
}

func (s *sinkSession) Mail(from string, _ *gosmtp.MailOptions) error { s.from = from; return nil }
func (s *sinkSession) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = to
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if e := s.sink.refused[to]; e != nil {
		return e
	}
	if s.sink.refuse != nil {
		return s.sink.refuse(to)
	}
	return nil
}
func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }

func (s *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bad := badLines(raw); bad != "" {
		return fmt.Errorf("%s", bad)
	}
	m := &sent{from: s.from, to: s.to, raw: raw, mail: rfc822.Parse(raw), at: time.Now()}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.mails = append(s.sink.mails, m)
	if s.sink.notice != nil {
		s.sink.notice(m)
	}
	return nil
}

// badLines is what RFC 5321 §2.3.8 forbids: bare CR or LF, or a line over 998.
func badLines(raw []byte) string {
	for i, line := range bytes.Split(raw, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n") {
			return fmt.Sprintf("line %d: bare CR or LF", i+1)
		}
		if len(line) > 998 {
			return fmt.Sprintf("line %d: %d octets", i+1, len(line))
		}
	}
	return ""
}
