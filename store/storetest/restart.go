package storetest

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// A Server is a PostgreSQL of one test, which takes it away and brings it
// back.
type Server struct {
	t testing.TB
	s *server
}

// PostgresServer starts a server that ends with the test. Its files are on the
// disk.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	s, err := start(disk)
	if err != nil {
		t.Fatalf("storetest: start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("storetest: stop PostgreSQL: %v", err)
		}
	})
	return &Server{t, s}
}

// Database makes a database, which goes with the server.
func (p *Server) Database() *Database {
	p.t.Helper()
	p.s.next++
	name := fmt.Sprintf("test_%d", p.s.next)
	if _, err := p.s.admin.Exec("CREATE DATABASE " + name); err != nil {
		p.t.Fatalf("storetest: %v", err)
	}
	return &Database{Engine: "postgres", URL: p.s.url(name), t: p.t}
}

// Crash ends the server at once, as pg_ctl stop -m immediate does: nothing is
// finished, no checkpoint is made, and the next start recovers from the WAL.
func (p *Server) Crash() {
	p.t.Helper()
	if err := p.s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.t.Fatalf("storetest: %v", err)
	}
	select {
	case <-p.s.ended:
	case <-time.After(time.Minute):
		p.t.Fatal("storetest: PostgreSQL did not end")
	}
}

// Start starts it again, and returns once it answers.
func (p *Server) Start() {
	p.t.Helper()
	bin, err := binaries()
	if err != nil {
		p.t.Fatal(err)
	}
	attr, err := unprivileged(p.s.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	p.s.admin.Close()
	p.s.ended = make(chan struct{})
	if err := p.s.launch(bin, attr); err != nil {
		p.t.Fatalf("storetest: start PostgreSQL: %v", err)
	}
	if err := p.s.connect(); err != nil {
		p.t.Fatalf("storetest: PostgreSQL after a crash: %v", err)
	}
}
