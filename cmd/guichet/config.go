package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Config is the configuration file. The comment of each key stands word for
// word in config.example.yaml; a test compares them. Zero values are the
// defaults where [defaults] and [deskDefaults] name no other.
//
// After loadConfig every path in it is absolute and every address in lower
// case. It holds names of password files, never a password.
type Config struct {
	// The name in the SMTP banner and in Message-IDs. Choose it once: answers to
	// older mails are recognised by it.
	Hostname string `yaml:"hostname"`
	// Where everything is kept: sqlite:FILE, or postgres://user@host/database
	// with the password in ~/.pgpass.
	Database string `yaml:"database"`
	// The key that signs addresses and links. It is made with the database, mode
	// 0600; keep a copy apart from the database's.
	SecretFile string          `yaml:"secret_file"`
	SMTP       smtpConfig      `yaml:"smtp"`
	LMTP       lmtpConfig      `yaml:"lmtp"`
	TLS        tlsConfig       `yaml:"tls"`
	Web        webConfig       `yaml:"web"`
	Admin      adminConfig     `yaml:"admin"`
	Relay      relayConfig     `yaml:"relay"`
	Mailboxes  []mailboxConfig `yaml:"mailboxes"`
	Trust      trustConfig     `yaml:"trust"`
	Limits     limitsConfig    `yaml:"limits"`
	// A folder whose files replace the built-in templates of the same name.
	Templates string        `yaml:"templates"`
	Agents    []agentConfig `yaml:"agents"`
	// In their order: the first desk takes the mail for postmaster.
	Desks      []deskConfig      `yaml:"desks"`
	Forms      []formConfig      `yaml:"forms"`
	Systems    []systemConfig    `yaml:"systems"`
	OldNumbers []oldNumberConfig `yaml:"old_numbers"`
}

type smtpConfig struct {
	// Where mail is taken by SMTP, with STARTTLS once tls is set: host:port.
	Listen string `yaml:"listen"`
	// Where it is taken with TLS from the first byte, usually port 465.
	TLSListen string `yaml:"tls_listen"`
	// The largest mail that is taken, by SMTP and LMTP.
	MaxMessageSize size `yaml:"max_message_size"`
}

type lmtpConfig struct {
	// Where mail is taken by LMTP: unix:FILE or host:port.
	Listen string `yaml:"listen"`
}

type tlsConfig struct {
	// The certificate with its chain, PEM; read again at a reload.
	CertFile string `yaml:"cert_file"`
	// Its private key, PEM.
	KeyFile string `yaml:"key_file"`
}

type webConfig struct {
	// Where the pages behind the mails' links are served: host:port or unix:FILE.
	Listen string `yaml:"listen"`
	// What their addresses begin with, as customers reach them: no path.
	BaseURL string `yaml:"base_url"`
}

type adminConfig struct {
	// Metrics, health and, with a maildir relay, the mails sent. It asks for no
	// password: keep it on loopback.
	Listen string `yaml:"listen"`
}

type relayConfig struct {
	// Where mails go: maildir:FOLDER, smtp://127.0.0.1:25 (without TLS),
	// smtp+starttls://host:587 or smtps://host:465 (TLS required and verified).
	URL string `yaml:"url"`
	// The login at the relay, if it asks for one.
	User string `yaml:"user"`
	// A file whose first line is its password.
	PasswordFile string `yaml:"password_file"`
	// How many mails may leave, such as 60/min or 600/h; 0/min is no limit.
	Rate rate `yaml:"rate"`
	// How many connections to the relay are kept at most.
	Connections int `yaml:"connections"`
	// The envelope sender: verp is a signed address for each mail, so that a
	// bounce finds its ticket; desk is the desk's bare address.
	Envelope string `yaml:"envelope"`
}

type trustConfig struct {
	// Clients whose mails are proven to come from their From address, as
	// addresses or networks. Empty is right for nearly everybody: with a mail
	// server on the same host, naming loopback makes the whole world proven.
	Networks []string           `yaml:"networks"`
	Relays   []trustRelayConfig `yaml:"relays"`
	// List-Ids of mailing lists that are trusted to name their writers.
	Lists []string `yaml:"lists"`
}

type trustRelayConfig struct {
	// The name by which this relay of yours signs Authentication-Results.
	AuthservID string `yaml:"authserv_id"`
	// Where it connects from: addresses, networks or unix.
	From []string `yaml:"from"`
}

type systemConfig struct {
	// Where a partner's ticket system writes from: its address, or a domain with
	// all that is below its @.
	From string `yaml:"from"`
	// How it numbers its tickets, in the subject or the text of its mails: a
	// regular expression (RE2, letter case is folded) whose one group is the
	// number. Its later mails find the ticket by it.
	Number string `yaml:"number"`
}

type oldNumberConfig struct {
	// A name for the system that you used before. Keep it: the numbers are kept
	// under it.
	System string `yaml:"system"`
	// How a subject names one of its tickets: a regular expression (RE2, letter
	// case is folded) whose one group is the number.
	Pattern string `yaml:"pattern"`
}

type limitsConfig struct {
	// Below so much free space no mail is taken (452); 0 is the smaller of 1 GiB
	// and 5 % of the file system.
	MinFree size `yaml:"min_free"`
	// Beyond so many mails taken but not yet processed, none is taken (451).
	MaxUnprocessed int `yaml:"max_unprocessed"`
	// How long reading one mail may take before it is held.
	ReadTimeout period `yaml:"read_timeout"`
	// How many steps that were due while nothing ran, such as reminders, are
	// taken in a minute.
	CatchUp int `yaml:"catch_up"`
	// How many notifications an agent gets one by one in ten minutes; the rest
	// of them come as one mail.
	Notifications int `yaml:"notifications"`
}

type agentConfig struct {
	// The address that the agent writes from and is notified at.
	Address string `yaml:"address"`
	// The name that other agents see; to customers every agent is the desk.
	Name string `yaml:"name"`
	// The desks that the agent works on.
	Desks []string `yaml:"desks"`
	// The language of the agent's mails, fr or en; the desk's if it is absent.
	Language string `yaml:"language"`
	// Whether each of the agent's mails is answered by what it did and who was told.
	Receipts bool `yaml:"receipts"`
}

// maxConfig is the largest configuration file, in bytes. A long form takes
// some ten kilobytes.
const maxConfig = 4 << 20

// defaults is the configuration that an empty file means.
func defaults() *Config {
	return &Config{
		SMTP:   smtpConfig{MaxMessageSize: 25 << 20},
		Relay:  relayConfig{Rate: rate{Per: time.Minute}, Connections: 4, Envelope: "verp"},
		Limits: limitsConfig{MaxUnprocessed: 100_000, ReadTimeout: period(10 * time.Second), CatchUp: 60, Notifications: 30},
	}
}

// loadConfig reads and checks a configuration file. Its error is [Problems]
// where the file could be read; the warnings are for the log and do not keep
// the gateway from starting.
func loadConfig(name string) (*Config, Problems, error) {
	data, err := readConfig(name)
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, nil, fmt.Errorf("find the folder of %s: %w", name, err)
	}
	cfg, d := parseConfig(name, dir, data)
	if len(d.problems) > 0 {
		return nil, d.warnings.sorted(), d.problems.sorted()
	}
	return cfg, d.warnings.sorted(), nil
}

// parseConfig is loadConfig without the file.
func parseConfig(name, dir string, data []byte) (*Config, *decoder) {
	cfg := defaults()
	d := newDecoder(name)
	if d.read(data, cfg) {
		c := &checker{decoder: d, cfg: cfg, dir: dir}
		c.check()
	}
	return cfg, d
}

func readConfig(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file; copy config.example.yaml, or name yours with --config FILE", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("%s: larger than %d bytes; this is no configuration file", name, maxConfig)
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}
