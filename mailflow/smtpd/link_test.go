package smtpd

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestIdleTimeout(t *testing.T) {
	_, c := start(t, Config{IdleTimeout: 250 * time.Millisecond}, &memory{})
	c.talk("<- 220\n-> EHLO x\n<- 250\n<- 421 4.4.2\n<- EOF")
}

// A client that sends an octet now and then is never idle.
func TestSessionTimeout(t *testing.T) {
	_, c := start(t, Config{SessionTimeout: 100 * time.Millisecond}, &memory{})
	c.want("220")
	done := make(chan struct{})
	defer func() { <-done }()
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	c.want("421 4.4.2")
	c.Close()
}

// ReadTimeout of go-smtp is absolute: a long mail that keeps coming would be
// cut. Ours outlives both the idle and the session's time.
func TestTrapLongMailIsNotCut(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{IdleTimeout: 500 * time.Millisecond, SessionTimeout: 400 * time.Millisecond}, in)
	c.talk(toData)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 12 {
		<-tick.C
		c.send("a line every now and then\r\n")
	}
	c.talk("-> .\n<- 250")
	in.only(t)
}

// Of a mail at least MinRate must come in each RateWindow.
func TestTrapSlowMail(t *testing.T) {
	for _, begin := range []string{"DATA\r\n", "BDAT 1000\r\n"} {
		in := &memory{}
		_, c := start(t, Config{RateWindow: 100 * time.Millisecond, MinRate: 10_000}, in)
		c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
		c.send(begin)
		if begin == "DATA\r\n" {
			c.want("354")
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		c.want("451 4.4.2")
		c.Close()
		<-done
		in.none(t)
	}
}

// The time in which we did not read is not the client's.
func TestOurOwnSlownessIsNotTheClients(t *testing.T) {
	window := 250 * time.Millisecond
	var slow sync.Once
	in := &memory{write: func([]byte) error {
		slow.Do(func() { <-time.After(2 * window) })
		return nil
	}}
	_, c := start(t, Config{RateWindow: window, IdleTimeout: window, MinRate: 1000_000}, in)
	c.talk(toData)
	c.send(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1000) + ".\r\n")
	c.want("250")
}

func TestTransferTimeout(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{TransferTimeout: 50 * time.Millisecond}, in)
	c.talk(toData)
	c.talk("-> x\n<- 451 4.4.2")
	in.none(t)
}

// Whoever sits above the link must not lift its deadlines.
func TestTrapDeadlinesAreTheLinks(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	cfg := Config{IdleTimeout: 20 * time.Millisecond}.withDefaults()
	var l *link
	l = newLink(beforeRead{ours, func() {
		l.SetDeadline(time.Now().Add(time.Hour))
		l.SetReadDeadline(time.Time{})
	}}, &cfg, "pipe", noGroup)
	defer l.Close()
	l.enter(commanding)
	if _, err := l.Read(make([]byte, 1)); err != errTimeout {
		t.Errorf("read: %v", err)
	}
}

type beforeRead struct {
	net.Conn
	do func()
}

func (b beforeRead) Read(p []byte) (int, error) {
	b.do()
	return b.Conn.Read(p)
}

// What fails once has failed: late octets are not read.
func TestTrapFirstErrorStays(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	cfg := Config{IdleTimeout: 20 * time.Millisecond}.withDefaults()
	l := newLink(ours, &cfg, "pipe", noGroup)
	defer l.Close()
	d := newDialogue(New(cfg, &memory{}), l, nil, false)
	if _, err := d.fill(make([]byte, 1)); err != errTimeout {
		t.Fatalf("first read: %v", err)
	}
	sent := make(chan struct{})
	go func() { io.WriteString(theirs, "late"); close(sent) }()
	if n, err := d.fill(make([]byte, 4)); n != 0 || err != errTimeout {
		t.Errorf("second read: %d, %v", n, err)
	}
	theirs.Close()
	<-sent
}

// A client that does not read its answers holds no goroutine.
func TestTrapWriteDeadline(t *testing.T) {
	ours, theirs := net.Pipe()
	l := &oneConn{Listener: listen(t), conn: make(chan net.Conn, 1)}
	l.conn <- ours
	s := serve(t, Config{WriteTimeout: 20 * time.Millisecond}, &memory{}, l)
	until(func() bool { return s.Counters().Connected.Load() == 1 })
	s.live.Wait() // although nobody reads the banner
	theirs.Close()
}

// oneConn is a listener to which connections are given by hand.
type oneConn struct {
	net.Listener
	conn chan net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	default:
		return l.Listener.Accept()
	}
}

func TestTrapShutdownTellsTheIdle(t *testing.T) {
	l := listen(t)
	s := serve(t, Config{}, &memory{}, l)
	idle, inMail := dial(t, l.Addr()), dial(t, l.Addr())
	idle.talk("<- 220\n-> EHLO x\n<- 250")
	inMail.talk("<- 220\n-> EHLO x\n<- 250\n-> MAIL FROM:<>\n<- 250")
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	idle.talk("<- 421 4.3.2\n<- EOF")
	inMail.talk("<- 421 4.3.2\n<- EOF")
	if err := s.Serve(listen(t)); err != ErrClosed {
		t.Errorf("serve again: %v", err)
	}
}

func TestShutdownLetsAMailFinish(t *testing.T) {
	for _, begin := range []string{"DATA\r\n", "BDAT 6\r\nbegun "} {
		in := &memory{}
		s, c := start(t, Config{}, in)
		c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
		c.send(begin)
		c.reply()
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(context.Background()) }()
		until(s.isClosed)
		if begin == "DATA\r\n" {
			c.send("begun ")
			until(func() bool { return octets(s) > 0 })
			c.send("finished\r\n.\r\n")
		} else {
			c.send("BDAT 8 LAST\r\nfinished")
		}
		c.talk("<- 250\n<- 421 4.3.2\n<- EOF")
		if err := <-down; err != nil {
			t.Error(err)
		}
		if got := strings.TrimSpace(in.only(t).body); got != "begun finished" {
			t.Errorf("took %q", got)
		}
	}
}

// octets are those of the mails on their way.
func octets(s *Server) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.sockets {
		l.mu.Lock()
		n += l.transfer.octets
		l.mu.Unlock()
	}
	return n
}

// go-smtp's Close does nothing after Shutdown: clients were served on.
func TestTrapShutdownCloses(t *testing.T) {
	in := &memory{}
	s, c := start(t, Config{}, in)
	c.talk(toData)
	c.send("half a mail\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("shutdown: %v", err)
	}
	if rest, _ := io.ReadAll(c.in); strings.Contains(string(rest), "250") {
		t.Errorf("goes on: %q", rest)
	}
	s.live.Wait()
	in.none(t)
}

// A commit that hangs is told when Shutdown's time is over.
func TestShutdownEndsCommit(t *testing.T) {
	begun := make(chan struct{})
	in := &memory{commit: func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}}
	s, c := start(t, Config{}, in)
	c.talk(toData)
	c.talk("-> .")
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); err != context.Canceled {
		t.Errorf("shutdown: %v", err)
	}
	s.live.Wait()
}
