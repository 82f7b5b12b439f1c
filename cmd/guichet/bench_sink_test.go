//go:build bench

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// arrived is one mail that the sink has taken.
type arrived struct {
	to, kind, ticket, replyTo, id string
}

// fastSink is a relay that costs as little as it can: it takes everything and
// keeps of each mail what the checks ask for.
type fastSink struct {
	addr string

	mu     sync.Mutex
	mails  []arrived
	last   time.Time // when the newest came
	faults []string
	want   int           // how many mails wait is waiting for
	there  chan struct{} // closed when they are there
}

func newFastSink(t testing.TB) *fastSink {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fastSink{addr: ln.Addr().String()}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// reset forgets what came.
func (s *fastSink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails, s.want = nil, 0 // nobody waits yet
}

func (s *fastSink) all() []arrived {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

// wait returns when n mails have come since the last reset, with the time of
// the last. It gives up when none came for a minute.
func (s *fastSink) wait(t testing.TB, n int) time.Time {
	t.Helper()
	s.mu.Lock()
	s.want, s.there = n, make(chan struct{})
	if len(s.mails) >= n {
		close(s.there)
	}
	there := s.there
	s.mu.Unlock()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	quiet, before := 0, 0
	for {
		select {
		case <-there:
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.last
		case <-look.C:
			s.mu.Lock()
			have := len(s.mails)
			s.mu.Unlock()
			if quiet++; have != before {
				quiet, before = 0, have
			}
			if quiet >= 60 {
				t.Fatalf("%d of %d mails came, and none for a minute", have, n)
			}
		}
	}
}

func (s *fastSink) keep(a arrived) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails, s.last = append(s.mails, a), time.Now()
	if len(s.mails) == s.want {
		close(s.there)
	}
}

func (s *fastSink) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// serve speaks as much SMTP as a relay's client needs. Replies are held back
// while more commands wait, as pipelining wants it.
func (s *fastSink) serve(conn net.Conn) {
	defer conn.Close()
	r, w := bufio.NewReaderSize(conn, 32<<10), bufio.NewWriterSize(conn, 4<<10)
	w.WriteString("220 relay.example\r\n")
	var a arrived
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		verb := bytes.ToUpper(line[:min(4, len(line))])
		switch string(verb) {
		case "EHLO":
			w.WriteString("250-relay.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n" +
				"250-ENHANCEDSTATUSCODES\r\n250 SIZE 104857600\r\n")
		case "RCPT":
			if i, j := bytes.IndexByte(line, '<'), bytes.IndexByte(line, '>'); i >= 0 && j > i {
				a.to = string(line[i+1 : j])
			}
			w.WriteString("250 2.1.5 Ok\r\n")
		case "DATA":
			w.WriteString("354 Go on\r\n")
			if w.Flush() != nil || s.data(r, &a) != nil {
				return
			}
			s.keep(a)
			a = arrived{}
			w.WriteString("250 2.0.0 Taken\r\n")
		case "QUIT":
			w.WriteString("221 2.0.0 Bye\r\n")
			w.Flush()
			return
		case "MAIL", "RSET", "NOOP":
			w.WriteString("250 2.0.0 Ok\r\n")
		default:
			s.fault("the relay's client said %q", line)
			w.WriteString("500 5.5.1 What?\r\n")
		}
	}
}

// data reads a mail to its dot.
func (s *fastSink) data(r *bufio.Reader, a *arrived) error {
	header, last := true, ""
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line[0] == '.' && string(line) == ".\r\n" {
			return nil
		}
		if !header {
			continue
		}
		line = bytes.TrimRight(line, "\r\n")
		header = len(line) > 0
		if last == "Reply-To" && header && line[0] == ' ' {
			a.replyTo += string(line)
			continue
		}
		last = ""
		name, value, ok := bytes.Cut(line, []byte(": "))
		if !ok {
			continue
		}
		switch string(name) {
		case "X-Guichet-Kind":
			a.kind = string(value)
		case "X-Guichet-Ticket":
			a.ticket = string(value)
		case "Message-ID":
			a.id = string(value)
		case "Reply-To":
			a.replyTo, last = string(value), "Reply-To"
		}
	}
}
