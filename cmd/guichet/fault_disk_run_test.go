//go:build crash

package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// diskNeeds fails a test whose tools are missing: one that is skipped has
// shown nothing.
func diskNeeds(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("no %s; on Debian: apt-get install %s", tool, tool)
		}
	}
}

// diskMount makes a small file system in memory. Only root may.
func diskMount(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a full disk needs a small one, which only root may mount: run the fault tests as root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size+",mode=0700"); err != nil {
		t.Fatalf("mount a tmpfs of %s: %v", size, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// diskFree is how much of a file system is free, in bytes.
func diskFree(t *testing.T, dir string) int64 {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return int64(fs.Bavail) * fs.Bsize
}

// diskGateway is a gateway whose files are in dir, not started yet. replace
// holds pairs of texts to change in the configuration.
func diskGateway(t *testing.T, dir, database string, replace ...string) *running {
	t.Helper()
	g := &running{t: t, dir: dir, sink: newSink(t), patience: patience}
	g.config = dir + "/config.yaml"
	text := strings.NewReplacer("DATABASE", database, "RELAY", g.sink.addr).Replace(storyConfig)
	write(t, g.config, notifyingEach(strings.NewReplacer(replace...).Replace(text)))
	return g
}

// diskSenders send mails, each of another writer, and know what became of
// them.
type diskSenders struct {
	g    *running
	size int // of each mail's attachment, in bytes
	quit chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	next    int
	acked   map[string]diskAck
	replies map[string]int // how often each code was heard, "lost" for no code
	last    string         // the last answer that was no 250
}

// diskText is a mail with an attachment of a size, which is stored once and
// not sent on: what is made of the mail is small.
func diskText(no, size int) []byte {
	head, body, _ := strings.Cut(string(orderText(no, 0)), "\r\n\r\n")
	line := strings.Repeat("QUJD", 19) + "\r\n"
	return fmt.Appendf(nil, "%s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n%s\r\n--b\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n",
		head, body, strings.Repeat(line, size/len(line)))
}

// diskAck is when a mail's MAIL was sent and its 250 read.
type diskAck struct{ began, ended time.Time }

// diskSend starts senders, on a connection each.
func diskSend(g *running, senders, size int) *diskSenders {
	s := &diskSenders{g: g, size: size, quit: make(chan struct{}), acked: map[string]diskAck{}, replies: map[string]int{}}
	for range senders {
		s.wg.Go(s.loop)
	}
	return s
}

// stop ends the senders after the mails under way.
func (s *diskSenders) stop() {
	close(s.quit)
	s.wg.Wait()
}

// loop sends one mail after another. After a refusal it waits a moment.
func (s *diskSenders) loop() {
	var c *smtp.Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-s.quit:
			return
		default:
		}
		var err error
		if c == nil {
			c, err = smtp.Dial(s.g.addr["smtp"])
		}
		if err == nil {
			err = s.one(c)
		}
		if err == nil {
			continue
		}
		s.heard(err)
		if c != nil && (s.code(err) == "lost" || s.code(err) == "421" || c.Reset() != nil) {
			c.Close()
			c = nil
		}
		<-pause.C
	}
}

// one sends one mail.
func (s *diskSenders) one(c *smtp.Client) error {
	s.mu.Lock()
	s.next++
	no := s.next
	s.mu.Unlock()
	from := fmt.Sprintf("c%d@customer.example", no)
	began := time.Now()
	if err := hand(c, from, toSupport, diskText(no, s.size)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[from] = diskAck{began, time.Now()}
	return nil
}

func (s *diskSenders) code(err error) string {
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Sprint(reply.Code)
	}
	return "lost"
}

func (s *diskSenders) heard(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[s.code(err)]++
	s.last = err.Error()
}

// count is how many mails got 250, and how many answers had a code.
func (s *diskSenders) count(code string) (acked, replies int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.acked), s.replies[code]
}

// since is how many mails were acknowledged whose MAIL was sent after a time,
// and when the first of them was.
func (s *diskSenders) since(t time.Time) (n int, first time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.acked {
		if a.began.After(t) {
			if n++; first.IsZero() || a.ended.Before(first) {
				first = a.ended
			}
		}
	}
	return n, first
}

// onlyTemporary fails the test if anything but the codes was answered.
func (s *diskSenders) onlyTemporary(codes ...string) {
	s.g.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for code, n := range s.replies {
		if !strings.Contains(strings.Join(codes, " "), code) {
			s.g.t.Errorf("%d × %s, the last of all: %s", n, code, s.last)
		}
	}
}

// alive fails the test if the gateway ended.
func (s *diskSenders) alive() {
	s.g.t.Helper()
	select {
	case err := <-s.g.ended:
		s.g.t.Fatalf("serve ended: %v\n%s", err, s.g.log())
	default:
	}
}

// check waits until all is done and compares what was acknowledged with what
// is there: each mail one ticket, whose writer was answered with one
// Message-ID; and the file is well. It returns how many are lost.
func (s *diskSenders) check(file string) (lost int) {
	s.g.t.Helper()
	diskSettled(s.g)
	tickets := map[string]int{}
	for _, row := range s.g.rows("ticket", "list") {
		tickets[fmt.Sprint(row["customer"])]++
	}
	answers := map[string]map[string]bool{}
	for _, m := range s.g.sink.all() {
		if m.kind() == "acknowledgment" {
			if answers[m.to] == nil {
				answers[m.to] = map[string]bool{}
			}
			answers[m.to][m.mail.MessageID] = true
		}
	}
	for from := range s.acked {
		if tickets[from] != 1 || len(answers[from]) != 1 {
			lost++
			s.g.t.Errorf("%s was acknowledged and has %d tickets, %d answers", from, tickets[from], len(answers[from]))
		}
	}
	for from, n := range tickets {
		if n > 1 {
			s.g.t.Errorf("%s has %d tickets", from, n)
		}
	}
	diskIntegrity(s.g.t, file)
	return lost
}

// diskSettled waits until nothing is on its way any more, nor waits for another
// try. A row goes from waiting to busy and back, so two looks could miss it.
func diskSettled(g *running) {
	g.t.Helper()
	g.until("everything is processed and sent", func() bool {
		return g.metric("unprocessed") == 0 && g.metric("outbox_queued") == 0 &&
			g.metric("outbox_busy") == 0 && g.metric("outbox_queued") == 0
	})
}

func diskIntegrity(t testing.TB, file string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity: %s %v", result, err)
	}
}

// diskFill writes a file until there is no space left.
func diskFill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
}
