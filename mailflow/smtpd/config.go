package smtpd

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"guichet/mailflow"
)

// Intake is what the listeners hand mails to. Its errors go to the client: a
// *mailflow.Refusal (also a wrapped one) as it is, any other as 451 4.3.0
// without its text. It is called from many connections at once.
type Intake interface {
	// Ready is asked at MAIL, with the size that SIZE announced or 0: is
	// there room for one more mail?
	Ready(size int64) error
	// Recipient is asked at RCPT: is to ours? It is "postmaster", without
	// domain, where RFC 5321 §4.5.1 wants that taken; else a mailbox whose
	// local part is quoted if it must be, so the last @ parts it. It waits
	// for nothing.
	Recipient(to string) error
	// Begin starts taking one mail's bytes.
	Begin(env mailflow.Envelope) Incoming
}

// Incoming takes one mail. Exactly one of Commit and Abort ends it.
type Incoming interface {
	io.Writer
	// Commit makes the mail durable: 250 is said after it returns nil, and
	// for LMTP once for each recipient (RFC 2033 §4.2).
	Commit(ctx context.Context) error
	// Told is called after the answer to a mail that was committed, whether
	// or not it reached the client: for what must not make the client wait.
	Told()
	// Abort forgets the mail; nothing was promised.
	Abort()
}

// Protocol is what a Server speaks.
type Protocol string

const (
	SMTP Protocol = "smtp"
	LMTP Protocol = "lmtp"
)

// Config says how a Server listens. Zero fields take the value of defaults.
type Config struct {
	Hostname string   // named in the banner
	Protocol Protocol // SMTP or LMTP
	Listener string   // Envelope.Listener; "smtp", "smtps" or "lmtp" by default

	TLS         *tls.Config // offers STARTTLS; nil for none
	ImplicitTLS bool        // TLS from the first byte (RFC 8314 §3.3); needs TLS

	// Auth checks a login, on TLS alone; nil offers no AUTH. A refusal is
	// a *mailflow.Refusal such as BadLogin, any other error is ours and
	// becomes 454 4.7.0.
	Auth func(user, password string) error

	MaxMessageSize int64 // octets, without the dots of RFC 5321 §4.5.2
	MaxRecipients  int   // of one mail; more get 452 4.5.3
	MaxHops        int   // Received fields; more is a loop (RFC 5321 §6.3)
	MaxLine        int   // octets of one line of a body; longer is refused
	MaxErrors      int   // 5xx answers until 421, from one accepted mail to the next
	MaxCommands    int   // commands besides RCPT, DATA and BDAT until 421, likewise

	MaxConnections int // of all clients; then who is silent longest before MAIL leaves
	MaxPerAddress  int // of one IPv4 address or IPv6 /64
	// Exempt frees an address from MaxPerAddress. Loopback and unix sockets
	// always are.
	Exempt func(netip.Addr) bool

	IdleTimeout     time.Duration // of one read
	SessionTimeout  time.Duration // waiting for commands, from one accepted mail to the next
	TransferTimeout time.Duration // DATA, or the first BDAT to the last
	RateWindow      time.Duration // the time over which MinRate is averaged
	MinRate         int64         // octets a second of a transfer, while we wait for them
	WriteTimeout    time.Duration // of one write
	TLSTimeout      time.Duration // of the handshake
	IntakeTimeout   time.Duration // of Commit

	Now func() time.Time // time.Now
	Log *slog.Logger     // slog.Default()
}

// defaults are the values of a Config's zero fields.
var defaults = Config{
	Hostname: "localhost",
	Protocol: SMTP,

	MaxMessageSize: 25 << 20,
	MaxRecipients:  1000, // RFC 5321 §4.5.3.1.8 wants 100, Postfix takes 1000
	MaxHops:        mailflow.MaxHops,
	MaxLine:        1 << 20, // RFC 5321 §4.5.3.1.6 wants 1000; HTML mails have longer ones
	MaxErrors:      20,      // as Postfix (smtpd_hard_error_limit)
	MaxCommands:    100,     // as Postfix (smtpd_junk_command_limit)

	MaxConnections: 4000,
	MaxPerAddress:  50,

	IdleTimeout:     5 * time.Minute, // RFC 5321 §4.5.3.2.7
	SessionTimeout:  30 * time.Minute,
	TransferTimeout: 2 * time.Hour,
	RateWindow:      5 * time.Minute,
	MinRate:         1 << 10,
	WriteTimeout:    5 * time.Minute,
	TLSTimeout:      time.Minute,
	IntakeTimeout:   5 * time.Minute, // the client waits 10 for the dot's answer (§4.5.3.2.6)
}

func (c Config) withDefaults() Config {
	orDefault(&c.Hostname, defaults.Hostname)
	orDefault(&c.Protocol, defaults.Protocol)
	switch {
	case c.Listener != "":
	case c.ImplicitTLS:
		c.Listener = "smtps"
	default:
		c.Listener = string(c.Protocol)
	}
	orDefault(&c.MaxMessageSize, defaults.MaxMessageSize)
	orDefault(&c.MaxRecipients, defaults.MaxRecipients)
	orDefault(&c.MaxHops, defaults.MaxHops)
	orDefault(&c.MaxLine, defaults.MaxLine)
	orDefault(&c.MaxErrors, defaults.MaxErrors)
	orDefault(&c.MaxCommands, defaults.MaxCommands)
	orDefault(&c.MaxConnections, defaults.MaxConnections)
	orDefault(&c.MaxPerAddress, defaults.MaxPerAddress)
	orDefault(&c.IdleTimeout, defaults.IdleTimeout)
	orDefault(&c.SessionTimeout, defaults.SessionTimeout)
	orDefault(&c.TransferTimeout, defaults.TransferTimeout)
	orDefault(&c.RateWindow, defaults.RateWindow)
	orDefault(&c.MinRate, defaults.MinRate)
	orDefault(&c.WriteTimeout, defaults.WriteTimeout)
	orDefault(&c.TLSTimeout, defaults.TLSTimeout)
	orDefault(&c.IntakeTimeout, defaults.IntakeTimeout)
	if c.Exempt == nil {
		c.Exempt = func(netip.Addr) bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Counters are a Server's figures since it was made. Open goes up and down.
type Counters struct {
	Open       atomic.Int64 // connections now
	Connected  atomic.Int64 // connections taken
	TurnedAway atomic.Int64 // connections refused before the banner
	Evicted    atomic.Int64 // connections ended to make room
	Accepted   atomic.Int64 // mails answered 250
	Rejected   atomic.Int64 // MAIL, RCPT and mails answered 5xx
	Deferred   atomic.Int64 // MAIL, RCPT and mails answered 4xx
	Cut        atomic.Int64 // transfers that stopped half-way
}
