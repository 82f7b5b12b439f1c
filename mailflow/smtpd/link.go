package smtpd

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// phase is what a link is doing; each has its own patience.
type phase int

const (
	handshaking phase = iota // TLS
	commanding
	transferring // DATA, or from the first BDAT to the last
)

var (
	errFarewell = errors.New("farewell said")
	errTimeout  = errors.New("timeout")
	errFlood    = errors.New("more octets than any mail may have")
)

// link is the socket of one client, under TLS if there is any. It alone sets
// deadlines, as go-smtp has none that fits: its ReadTimeout is absolute, so
// a slow but honest mail fails, and a stalled one does not.
type link struct {
	net.Conn
	cfg    *Config
	client string       // Envelope.Client
	group  netip.Prefix // what MaxPerAddress counts; the zero one is exempt

	active atomic.Int64 // when the client last sent something, in ns since 1970
	inMail atomic.Bool  // between MAIL and the end of its mail
	ending atomic.Bool  // Close has begun: write deadlines are short

	mu       sync.Mutex // guards what follows
	phase    phase
	farewell *smtp.SMTPError // why we end it, once we do
	waited   time.Duration   // for commands, since the last accepted mail
	transfer transfer
}

// transfer measures a mail on its way.
type transfer struct {
	began  time.Time
	octets int64
	window time.Duration // waited for the client in this RateWindow
	got    int64         // octets in it
	slow   bool
}

func newLink(raw net.Conn, cfg *Config, client string, group netip.Prefix) *link {
	l := &link{Conn: raw, cfg: cfg, client: client, group: group}
	l.active.Store(cfg.Now().UnixNano())
	return l
}

// Read waits as long as the phase allows.
func (l *link) Read(p []byte) (int, error) {
	for {
		patience, err := l.arm()
		if err != nil {
			return 0, err
		}
		began := l.cfg.Now()
		n, err := l.Conn.Read(p)
		took := l.cfg.Now().Sub(began)
		expired := errors.Is(err, os.ErrDeadlineExceeded)
		if expired && !l.leaving() {
			took = max(took, patience)
		}
		l.account(n, took)
		if n > 0 || !expired {
			return n, err
		}
		if took >= l.cfg.IdleTimeout {
			return 0, errTimeout
		}
	}
}

// arm sets the deadline of one read. Under mu, so that a farewell is either
// seen here or ends the read that follows.
func (l *link) arm() (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	patience := l.cfg.IdleTimeout
	t := &l.transfer
	switch {
	case l.phase != transferring && l.farewell != nil:
		return 0, errFarewell
	case l.phase != transferring:
		patience = min(patience, l.cfg.SessionTimeout-l.waited)
	case t.slow:
		return 0, errTimeout
	case t.octets > l.maxOctets():
		return 0, errFlood
	default:
		left := l.cfg.TransferTimeout - l.cfg.Now().Sub(t.began)
		patience = min(patience, left, l.cfg.RateWindow-t.window)
	}
	if patience <= 0 {
		return 0, errTimeout
	}
	return patience, l.Conn.SetReadDeadline(time.Now().Add(patience))
}

// maxOctets bounds what is read and thrown away behind a refused mail:
// go-smtp discards without limit. Twice the size leaves room for doubled
// dots and TLS records.
func (l *link) maxOctets() int64 { return 2*l.cfg.MaxMessageSize + 1<<20 }

// account notes what a read brought and how long it waited. The time in
// which we did not read is ours and is not held against the client.
func (l *link) account(n int, took time.Duration) {
	if n > 0 {
		l.active.Store(l.cfg.Now().UnixNano())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase != transferring {
		l.waited += took
		return
	}
	t := &l.transfer
	t.octets += int64(n)
	t.got += int64(n)
	t.window += took
	if t.window >= l.cfg.RateWindow {
		t.slow = float64(t.got) < float64(l.cfg.MinRate)*t.window.Seconds()
		t.got, t.window = 0, 0
	}
}

// Write gives each write its own deadline: a client that does not read its
// answers must not hold a goroutine.
func (l *link) Write(p []byte) (int, error) {
	if !l.ending.Load() {
		if err := l.Conn.SetWriteDeadline(time.Now().Add(l.cfg.WriteTimeout)); err != nil {
			return 0, err
		}
	}
	return l.Conn.Write(p)
}

// SetReadDeadline does nothing: whoever sits above would lift the deadlines
// that arm sets. go-smtp would with a ReadTimeout.
func (l *link) SetReadDeadline(time.Time) error { return nil }

// SetDeadline does nothing, like SetReadDeadline.
func (l *link) SetDeadline(time.Time) error { return nil }

// enter changes the phase. Entering a transfer again goes on with it.
func (l *link) enter(p phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == p {
		return
	}
	l.phase = p
	if p == transferring {
		l.transfer = transfer{began: l.cfg.Now()}
	}
}

// accepted starts the session's time anew.
func (l *link) accepted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waited = 0
}

// leave has the connection end with reason: at once where it waits for
// a command, after its mail where one is on its way. The 421 is written by
// the connection's own goroutine, never into an answer.
func (l *link) leave(reason *smtp.SMTPError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.farewell != nil {
		return
	}
	l.farewell = reason
	switch l.phase {
	case handshaking:
		l.Conn.Close()
	case commanding:
		l.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// leaving reports whether a farewell was asked for.
func (l *link) leaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.farewell != nil
}

// reason is the farewell, or nil.
func (l *link) reason() *smtp.SMTPError {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.farewell
}

// hurry makes the last writes short: TLS's close_notify must not wait for
// a client that has stopped reading.
func (l *link) hurry() {
	l.ending.Store(true)
	l.Conn.SetWriteDeadline(time.Now().Add(time.Second))
}
