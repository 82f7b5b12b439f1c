package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"guichet/store"
	"guichet/store/storetest"
)

// postfix is a Postfix of the test's own between the world and a gateway: it
// takes mail on a loopback port, hands what is for desk.example to the
// gateway's unix socket by LMTP, and all other mail to the sink.
type postfix struct {
	t       *testing.T
	dir     string // its configuration, queue and log
	addr    string
	control string // the program
}

// asRoot runs a program as root: Postfix starts as nobody else.
func asRoot(t *testing.T, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{program(t, "sudo", "sudo"), "-n"}, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// newPostfix makes its place, where its own user may look.
func newPostfix(t *testing.T) *postfix {
	t.Helper()
	p := &postfix{t: t, control: program(t, "postfix", "postfix")}
	var err error
	if p.dir, err = os.MkdirTemp("/tmp", "guichet-mx-"); err != nil { // a socket's path has 107 octets
		t.Fatal(err)
	}
	t.Cleanup(func() { asRoot(t, "rm", "-rf", p.dir) })
	if err := os.Chmod(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") // Postfix finds no free port by itself
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	ln.Close()
	return p
}

// start runs it; main.cf is short because hardly anything is standard here.
func (p *postfix) start(sink string) {
	p.t.Helper()
	host, port, _ := net.SplitHostPort(sink)
	write(p.t, filepath.Join(p.dir, "main.cf"), strings.NewReplacer("DIR", p.dir, "SINK", "["+host+"]:"+port).Replace(`
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/log
maillog_file_prefixes = DIR
myhostname = mx.desk.example
mydestination =
relay_domains = desk.example
relay_transport = lmtp:unix:DIR/lmtp.sock
default_transport = smtp:SINK
transport_maps = inline:{ {agent@desk.example = smtp:SINK}, {second@desk.example = smtp:SINK} }
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
smtpd_tls_security_level = none
smtp_tls_security_level = none
`))
	var services strings.Builder
	fmt.Fprintf(&services, "%s inet n - n - - smtpd\n", p.addr)
	for _, s := range []string{"pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr",
		"rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
		"trace unix - - n - 0 bounce", "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp", "lmtp unix - - n - - lmtp",
		"error unix - - n - - error", "retry unix - - n - - error", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd"} {
		fmt.Fprintln(&services, s)
	}
	write(p.t, filepath.Join(p.dir, "master.cf"), services.String())
	asRoot(p.t, "install", "-d", filepath.Join(p.dir, "queue"))
	asRoot(p.t, "install", "-d", "-o", "postfix", filepath.Join(p.dir, "data"))
	asRoot(p.t, "chown", "root:root", filepath.Join(p.dir, "main.cf"), filepath.Join(p.dir, "master.cf"))
	// The gateway's group may write to its socket; Postfix is to be in it.
	asRoot(p.t, "chgrp", "postfix", filepath.Join(p.dir, "lmtp.sock"))
	asRoot(p.t, p.control, "-c", p.dir, "start")
	p.t.Cleanup(func() {
		asRoot(p.t, p.control, "-c", p.dir, "stop") // by the pid in its own queue directory
		if p.t.Failed() {
			p.t.Logf("log of Postfix:\n%s", p.log())
		}
	})
}

func (p *postfix) log() string {
	b, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(b)
}

// write hands a mail to Postfix, as the world does.
func (p *postfix) write(g *running, from string, to []string, subject, id, more, body string) {
	p.t.Helper()
	inbound := *g
	inbound.addr = map[string]string{"smtp": p.addr}
	raw := "From: <" + from + ">\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: " + subject + "\r\nMessage-ID: <" + id + "@customer.example>\r\n" +
		"Date: Sat, 21 Nov 2026 14:05:00 +0100\r\n" + more + "\r\n" + body + "\r\n"
	if err := inbound.deliver(from, to, []byte(raw)); err != nil {
		p.t.Fatalf("to Postfix: %v", err)
	}
}

// TestClientPostfix puts a real Postfix on both sides of a gateway: its LMTP
// client hands mail in, and it is the relay that all mail leaves by.
func TestClientPostfix(t *testing.T) {
	p := newPostfix(t)
	url, out := storetest.SQLite(t).URL, newTap(t, p.addr)
	g := startGateway(t, url, `relay: {url: "smtp://`, `relay: {url: "smtp://`+out.addr+`", connections: 1} # `,
		"unix:lmtp.sock", "unix:"+filepath.Join(p.dir, "lmtp.sock"), `networks: ["127.0.0.1"]`, `networks: ["192.0.2.1"]`)
	g.sink.refuse = func(to string) error {
		if to == "gone@customer.example" {
			return &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
		}
		return nil
	}
	p.start(g.sink.addr)
	db := beside(t, url)

	// A mail to two desks comes by one LMTP transaction.
	p.write(g, "ada@customer.example", []string{"support@desk.example", "sales@desk.example"}, "through Postfix", "one", "", "Nothing works.\r\n.\r\n.two")
	support, m := g.arrival(db, "through Postfix", "support")
	sales, _ := g.arrival(db, "through Postfix", "sales")
	if support.Listener != "lmtp" || support.RawID != sales.RawID || support.TicketID == sales.TicketID {
		t.Errorf("support: %+v\nsales: %+v", support, sales)
	}
	if strings.TrimSpace(m.Words) != "Nothing works.\n.\n.two" {
		t.Errorf("the text is %q", m.Words)
	}
	// All that was written leaves through Postfix, unchanged below its line.
	p.comes("acknowledgment", g, "ada@customer.example", "INC-000001")
	p.comes("acknowledgment", g, "ada@customer.example", "SAL-00001")
	p.comes("notification", g, "second@desk.example", "INC-000001")
	p.unchanged(g, out)

	// The answer to the reply address finds its ticket.
	ack := p.comes("acknowledgment", g, "ada@customer.example", "INC-000001")
	p.write(g, "ada@customer.example", []string{ack.mail.ReplyTo[0].Address}, "AW: your mail", "two", "In-Reply-To: "+ack.mail.MessageID+"\r\n", "It works again at noon?")
	if d, answer := g.arrival(db, "AW: your mail", "support"); d.TicketID != support.TicketID || answer.Visibility != store.Public {
		t.Errorf("the answer: %+v %+v", d, answer)
	}
	// Postfix's own report on a mail that a far server refuses comes back.
	p.write(g, "gone@customer.example", []string{"support@desk.example"}, "I am gone", "three", "", "Bye.")
	d, _ := g.arrival(db, "I am gone", "support")
	g.until("the report of Postfix is known", func() bool {
		for _, row := range g.rows("outbox", "list", "--state", "failed") {
			return row["recipient"] == "gone@customer.example" && strings.Contains(fmt.Sprint(row["reply"]), "5.1.1")
		}
		return false
	})
	if report, kept := g.arrival(db, "Undelivered Mail Returned to Sender", "support"); report.TicketID != d.TicketID || kept.Visibility != store.Record {
		t.Errorf("the report: %+v %+v", report, kept)
	}
	// A desk that does not exist: Postfix hears 550 and tells the writer.
	p.write(g, "ada@customer.example", []string{"nobody@desk.example"}, "to nobody", "four", "", "Hello?")
	g.until("Postfix returns the mail to nobody", func() bool {
		for _, s := range g.sink.all() {
			if s.from == "" && s.to == "ada@customer.example" && bytes.Contains(s.raw, []byte("550 5.1.1 ")) {
				return true
			}
		}
		return false
	})
	g.settled()
}

// comes waits for a mail behind Postfix.
func (p *postfix) comes(kind string, g *running, to, number string) (found *sent) {
	p.t.Helper()
	g.until(kind+" to "+to, func() bool {
		for _, s := range g.sink.all() {
			if s.kind() == kind && s.to == to && s.mail.Header.Get("X-Guichet-Ticket") == number {
				found = s
			}
		}
		return found != nil
	})
	return found
}

// unchanged compares what arrived behind Postfix with what the gateway sent.
func (p *postfix) unchanged(g *running, sent *tap) {
	p.t.Helper()
	stream := strings.ReplaceAll(sent.String(), "\r\n..", "\r\n.")
	for _, s := range g.sink.all() {
		raw := string(s.raw)
		if !strings.HasPrefix(raw, "Received: ") {
			p.t.Errorf("no line of Postfix:\n%.800s", raw)
		}
		own := raw
		for strings.HasPrefix(own, "Received: ") {
			line := strings.Index(own, "\r\n") + 2
			for own[line] == ' ' || own[line] == '\t' {
				line += strings.Index(own[line:], "\r\n") + 2
			}
			own = own[line:]
		}
		if !strings.Contains(stream, "\r\n"+own+".\r\n") && !strings.Contains(stream, "DATA\r\n"+own+".\r\n") {
			p.t.Errorf("%s to %s was changed:\n%.800s\nsent:\n%.2000s", s.kind(), s.to, raw, stream)
		}
	}
}

// tap is a way to a server that keeps what its clients say.
type tap struct {
	addr string
	mu   sync.Mutex
	said bytes.Buffer
}

// newTap begins to listen; addr is the server's.
func newTap(t *testing.T, addr string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{addr: ln.Addr().String()}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				continue
			}
			go func() { defer client.Close(); io.Copy(client, server) }()
			go func() { defer server.Close(); io.Copy(server, io.TeeReader(client, p)) }()
		}
	}()
	return p
}

func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *tap) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}
