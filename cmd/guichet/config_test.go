package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
)

// base is a small configuration without anything wrong. The lines of the
// messages below are its lines.
const base = `hostname: desk.example
database: sqlite:var/g.db
secret_file: var/g.key
smtp: {listen: "127.0.0.1:2525"}
web: {base_url: "http://127.0.0.1:8025"}
relay: {url: "maildir:var/outbox"}
trust: {}
agents:
  - {address: agent@desk.example, name: First agent, desks: [support, sales]}
desks:
  support:
    address: support@desk.example
    number: INC-%06d
  sales:
    address: sales@desk.example
    number: SAL-%06d
forms: {}
`

// parse reads base with one text replaced and returns the problems.
func parse(t *testing.T, old, new string) (*Config, *decoder) {
	t.Helper()
	if !strings.Contains(base, old) {
		t.Fatalf("base has no %q", old)
	}
	return parseConfig("c.yaml", t.TempDir(), []byte(strings.Replace(base, old, new, 1)))
}

func TestConfigProblems(t *testing.T) {
	check := func(old, new string, want ...string) {
		t.Helper()
		_, d := parse(t, old, new)
		if got := d.problems.sorted().Error(); got != strings.Join(want, "\n") {
			t.Errorf("%q for %q:\n got %s\nwant %s", new, old, got, strings.Join(want, "\n"))
		}
	}
	check("x", "x")
	for _, c := range problemCases {
		check(c.old, c.new, c.want...)
	}
}

// TestConfigReportsAll holds that one wrong key does not hide the others.
func TestConfigReportsAll(t *testing.T) {
	_, d := parseConfig("c.yaml", t.TempDir(), []byte("hostnam: a\nsmtp: {lsten: b, max_message_size: much}\nweb: 3\n"))
	want := `c.yaml:1: hostnam: unknown key; known here: admin, agents, database, desks, forms, hostname, limits, lmtp, mailboxes, old_numbers, relay, secret_file, smtp, systems, templates, tls, trust, web
c.yaml:1: hostname: missing; name this host as the world knows it, such as desk.example
c.yaml:1: database: missing; write sqlite:var/guichet.db or postgres://user@host/database
c.yaml:1: secret_file: missing; name a file for the signing key, such as var/guichet.key
c.yaml:1: relay.url: missing; write maildir:FOLDER, smtp+starttls://host:587, smtps://host:465 or smtp://127.0.0.1:25
c.yaml:1: desks: missing; a gateway needs at least one desk, as config.example.yaml shows
c.yaml:2: smtp.lsten: unknown key; known here: listen, max_message_size, tls_listen
c.yaml:2: smtp.max_message_size: "much" is no size; write a whole number with KiB, MiB or GiB, such as 25MiB
c.yaml:3: web: keys with values are expected here`
	if got := d.problems.sorted().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestConfigWarnings(t *testing.T) {
	check := func(old, new, want string) {
		t.Helper()
		_, d := parse(t, old, new)
		if len(d.problems) > 0 {
			t.Errorf("%q: %v", new, d.problems)
		}
		for _, w := range d.warnings {
			if strings.HasPrefix(w.String(), want) {
				return
			}
		}
		t.Errorf("%q: no warning %q in %v", new, want, d.warnings)
	}
	check("trust: {}", "trust: {networks: [127.0.0.0/8]}",
		"c.yaml:7: trust.networks[0]: with a mail server on the same host the whole world would be proven; remove 127.0.0.0/8")
	check("desks: [support, sales]", "desks: [support]", "c.yaml:14: desks.sales: no agent works on it")
	check("trust: {}", "admin: {listen: \"0.0.0.0:1\"}", "c.yaml:7: admin.listen: 0.0.0.0:1 can be reached")
	check("smtp: {listen: \"127.0.0.1:2525\"}", "smtp: {}", "c.yaml:4: smtp: nothing takes mail")
	check("http://127.0.0.1:8025", "http://desk.example", "c.yaml:5: web.base_url: the links carry secrets")
	check("sqlite:var/g.db", "postgres://u:secret@host/db", "c.yaml:2: database: a password stands in this file")
	check("trust: {}", "tls: {cert_file: a.pem, key_file: b.pem}", "c.yaml:7: tls.cert_file: ")
	check("{url: \"maildir:var/outbox\"}", "{url: \"smtps://h\", user: u, password_file: p}", "c.yaml:6: relay.password_file: ")
	check("relay: {", "relay: {rate: 90/h, ", "c.yaml:6: relay.rate: is counted by the minute and rounded up, to 2/min")
	check("trust: {}", "mailboxes: [{url: \"imaps://u@h/INBOX\", password_file: p, desk: sales}]", "c.yaml:7: mailboxes[0].password_file: ")
	check("trust: {}", "mailboxes: [{url: \"imaps://u@h/INBOX\", desk: sales, oauth2: {token_url: \"https://h/t\", client_id: c, refresh_token_file: r}}]",
		"c.yaml:7: mailboxes[0].oauth2.refresh_token_file: ")
}

func TestConfigSettings(t *testing.T) {
	dir := t.TempDir()
	text := strings.NewReplacer(
		"number: INC-%06d", "number: INC-%06d\n    validation: yes\n    timers: {reminder_after: 2d12h, reminder_every: off, reminders: 0}\n    accent: \"#102030\"",
		"trust: {}", "trust: {networks: [192.0.2.7, 10.1.2.3/8]}",
	).Replace(base)
	cfg, d := parseConfig("c.yaml", dir, []byte(text))
	if len(d.problems) > 0 {
		t.Fatal(d.problems)
	}
	s := cfg.Settings()
	if got := []string{s.Desks[0].Key, s.Desks[1].Key}; !reflect.DeepEqual(got, []string{"support", "sales"}) {
		t.Errorf("desks in order %v", got)
	}
	support := s.Desk("support")
	if support.Reply != "support+{token}@desk.example" || !support.Policy.Validation || support.Accent != "#102030" {
		t.Errorf("support is %+v", support)
	}
	tm := support.Policy.Timers
	if tm.ReminderAfter != 60*time.Hour || tm.ReminderEvery != ticket.Off || tm.Reminders != 0 || tm.ReopenWithin != 168*time.Hour {
		t.Errorf("timers are %+v", tm)
	}
	if got := s.TrustedNetworks; len(got) != 2 || got[0].String() != "192.0.2.7/32" || got[1].String() != "10.0.0.0/8" {
		t.Errorf("networks are %v", got)
	}
	want := mailflow.Limits{MaxMessage: 25 << 20, MaxUnprocessed: 100_000, ReadTimeout: 10 * time.Second, CatchUp: 60, Notifications: 30}
	if s.Limits != want {
		t.Errorf("limits are %+v", s.Limits)
	}
	if cfg.Database != "sqlite:"+filepath.Join(dir, "var/g.db") || cfg.Relay.URL != "maildir:"+filepath.Join(dir, "var/outbox") {
		t.Errorf("paths are %s and %s", cfg.Database, cfg.Relay.URL)
	}
}

// TestExampleConfig holds that the example starts as it is, and that it says
// nothing else than the defaults where it does not speak of its own desk.
func TestExampleConfig(t *testing.T) {
	cfg, warnings, err := loadConfig("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		switch w.Key {
		case "secret_file", "trust.networks[0]", "trust.networks[1]", "desks.support.intake":
		default:
			t.Errorf("warning %s", w)
		}
	}
	d := defaults()
	if cfg.SMTP.MaxMessageSize != d.SMTP.MaxMessageSize || cfg.Limits != d.Limits ||
		cfg.Relay.Rate != d.Relay.Rate || cfg.Relay.Connections != d.Relay.Connections || cfg.Relay.Envelope != d.Relay.Envelope {
		t.Errorf("the example differs from the defaults: %+v", cfg)
	}
	var desk deskConfig
	desk.setDefaults()
	if cfg.Desks[0].Timers != desk.Timers {
		t.Errorf("the example's timers differ from the defaults: %+v", cfg.Desks[0].Timers)
	}
	if f := cfg.Forms; len(f) != 1 || f[0].Key != "incident" || len(f[0].Fields) < 8 {
		t.Errorf("the form is %+v", f)
	}
}

// TestPasswordHidden holds that what a password file holds is never printed.
func TestPasswordHidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("canary-7261\r\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := readPassword(file)
	if err != nil || string(p) != "canary-7261" {
		t.Fatalf("read %q, %v", string(p), err)
	}
	for _, shown := range formats(t, p) {
		if strings.Contains(shown, "canary") {
			t.Errorf("shown: %s", shown)
		}
	}
	if p, err := readPassword(""); p != "" || err != nil {
		t.Errorf("no file: %v, %v", p, err)
	}
	for _, url := range []string{"smtp://u:canary@h", "smtp://u:canary@h:x", "imaps://u:canary@h\x7f/"} {
		_, d := parse(t, "{url: \"maildir:var/outbox\"}", "{url: '"+url+"'}\nmailboxes: [{url: '"+url+"', password_file: p, desk: sales}]")
		if msg := d.problems.Error() + d.warnings.Error(); strings.Contains(msg, "canary") {
			t.Errorf("shown: %s", msg)
		}
	}
}

func TestListenOn(t *testing.T) {
	check := func(listen, network, address string) {
		t.Helper()
		if n, a := listenOn(listen); n != network || a != address {
			t.Errorf("listenOn(%q) = %s %s", listen, n, a)
		}
	}
	check("127.0.0.1:0", "tcp", "127.0.0.1:0")
	check("[::1]:25", "tcp", "[::1]:25")
	check("unix:/run/lmtp.sock", "unix", "/run/lmtp.sock")
}
