package smtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// ErrClosed is what Serve returns once Shutdown was called before it.
var ErrClosed = errors.New("server is shut down")

// abortTime is how much longer than its ctx Shutdown waits for an Intake that
// was told to stop.
const abortTime = time.Second

// Server speaks SMTP or LMTP on any number of listeners.
type Server struct {
	cfg    Config
	intake Intake
	count  Counters

	// go-smtp sees no TLS: it finds clear connections at one server, secure
	// ones at the other.
	plain, secure           *smtp.Server
	plainQueue, secureQueue *queue
	start                   sync.Once
	served                  sync.WaitGroup // the two Serve calls

	ctx    context.Context // of what the Intake is asked; ends with the last connection
	cancel context.CancelFunc
	live   sync.WaitGroup // links admitted and not yet released

	mu         sync.Mutex // guards what follows
	closed     bool
	listeners  map[net.Listener]struct{}
	links      map[*link]struct{} // that hold a place
	sockets    map[*link]struct{} // that are open, evicted ones too
	perAddress map[netip.Prefix]int
}

// New makes a server that hands its mails to intake. It panics if cfg asks
// for implicit TLS without a certificate.
func New(cfg Config, intake Intake) *Server {
	if cfg.ImplicitTLS && cfg.TLS == nil {
		panic("smtpd: ImplicitTLS without TLS")
	}
	s := &Server{
		cfg:         cfg.withDefaults(),
		intake:      intake,
		plainQueue:  newQueue(),
		secureQueue: newQueue(),
		listeners:   map[net.Listener]struct{}{},
		links:       map[*link]struct{}{},
		sockets:     map[*link]struct{}{},
		perAddress:  map[netip.Prefix]int{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.plain = s.speaker()
	s.plain.TLSConfig = s.cfg.TLS // announces STARTTLS; the dialogue does it
	s.secure = s.speaker()
	s.secure.AllowInsecureAuth = true // every connection there is in TLS
	return s
}

// speaker is a go-smtp server for dialogues.
func (s *Server) speaker() *smtp.Server {
	g := smtp.NewServer(smtp.BackendFunc(s.newSession))
	g.Domain = s.cfg.Hostname
	g.LMTP = s.cfg.Protocol == LMTP
	g.MaxRecipients = s.cfg.MaxRecipients
	g.MaxMessageBytes = s.cfg.MaxMessageSize
	g.EnableSMTPUTF8 = true
	// A line over go-smtp's limit costs the whole session, in DATA too. The
	// dialogue bounds command lines, the sieve those of a body.
	g.MaxLineLength = 0
	g.ErrorLog = errorLog{s.cfg.Log}
	return g
}

// Counters are the server's figures.
func (s *Server) Counters() *Counters { return &s.count }

// Serve takes connections from l until Shutdown, then returns nil. It closes
// l. It may run for several listeners at once.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrClosed
	}
	for failures := 0; ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			failures = 0
			s.take(raw)
		case s.isClosed():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connection: %w", err)
		default:
			// No file descriptors, or a client gone already: both pass.
			failures++
			s.cfg.Log.Error("accept connection", "err", err, "listener", s.cfg.Listener)
			s.pause(min(time.Duration(failures)*10*time.Millisecond, time.Second))
		}
	}
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	s.start.Do(func() {
		s.served.Go(func() { s.plain.Serve(s.plainQueue) })
		s.served.Go(func() { s.secure.Serve(s.secureQueue) })
	})
	return true
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Server) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
	}
}

// take begins the dialogue of one connection.
func (s *Server) take(raw net.Conn) {
	l, refusal := s.admit(raw)
	if refusal != nil {
		s.turnAway(l, refusal)
		return
	}
	s.cfg.Log.Debug("connected", "client", l.client, "listener", s.cfg.Listener)
	if s.cfg.ImplicitTLS {
		go s.encrypt(l, false)
		return
	}
	s.plainQueue.put(newDialogue(s, l, nil, false))
}

// encrypt makes the handshake and begins a dialogue inside TLS, silent about
// its banner after STARTTLS (RFC 3207 §4.2).
func (s *Server) encrypt(l *link, silent bool) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.TLSTimeout)
	defer cancel()
	conn := tls.Server(l, s.cfg.TLS)
	if err := conn.HandshakeContext(ctx); err != nil {
		s.cfg.Log.Debug("tls handshake", "client", l.client, "err", err)
		s.release(l)
		return
	}
	s.secureQueue.put(newDialogue(s, l, conn, silent))
}

// Shutdown takes no more connections, ends those that wait for a command with
// 421, and lets a mail on its way finish until ctx ends; then it closes what
// is left, aborts it within a second, and returns ctx's error. go-smtp's own Shutdown tells idle clients
// nothing, waits for them, and closes nothing when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	for l := range s.sockets {
		l.leave(replyShutdown)
	}
	s.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		s.live.Wait()
		close(gone)
	}()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		s.closeAll()
		s.cancel()
		select { // let them abort the mails they had in hand
		case <-gone:
		case <-time.After(abortTime):
		}
	}
	s.cancel()
	s.plain.Close()
	s.secure.Close()
	s.plainQueue.Close()
	s.secureQueue.Close()
	s.served.Wait()
	return err
}

// closeAll closes every socket.
func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.sockets {
		l.Conn.Close()
	}
}

// queue is the listener from which a go-smtp server takes its dialogues.
type queue struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newQueue() *queue {
	return &queue{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		c.Close()
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

func (q *queue) Addr() net.Addr { return &net.UnixAddr{Name: "queue", Net: "unix"} }

// errorLog takes what go-smtp reports: panics of the Intake, with their
// stack, and connections that broke, which are no errors here.
type errorLog struct{ log *slog.Logger }

func (e errorLog) Printf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.HasPrefix(text, "panic") {
		e.log.Error("session panic", "err", text)
		return
	}
	e.log.Debug("session ended", "err", text)
}

func (e errorLog) Println(v ...any) { e.Printf("%s", fmt.Sprintln(v...)) }
