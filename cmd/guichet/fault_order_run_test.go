//go:build crash

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// orderRun is what a traced gateway did, and what was sent to it.
type orderRun struct {
	*running
	traces []string
	ports  []string // of the SMTP listener, in each start

	mu    sync.Mutex
	mails []*orderMail
	conns map[string][]*orderMail // by the client's port: in their order

	events []*orderEvent
	lines  int
	acks   []orderAck
	told   []orderAck // mails handed to the relay
}

// orderMail is one mail that was sent.
type orderMail struct {
	no    int
	sum   string // SHA-256, hexadecimal
	acked bool   // the client read its 250
}

// orderAck is a mail whose 250 began to be written at a line of the trace, or
// a Message-ID that began to be told to the relay there.
type orderAck struct {
	at   int
	data int // where its 354 stands
	mail *orderMail
	id   string
}

// newOrderRun prepares a gateway whose database's directory is not there yet.
func newOrderRun(t *testing.T) *orderRun {
	dir := t.TempDir()
	g := diskGateway(t, dir, "sqlite:"+filepath.Join(dir, "data", "guichet.db"))
	return &orderRun{running: g, conns: map[string][]*orderMail{}}
}

// startTraced starts it under strace, which is given more arguments.
func (r *orderRun) startTraced(more ...string) {
	r.t.Helper()
	file := filepath.Join(r.dir, fmt.Sprintf("trace-%d", len(r.traces)))
	r.wrap = orderStrace(file, more...)
	r.traces = append(r.traces, file)
	r.start()
	r.ports = append(r.ports, r.addr["smtp"])
}

// orderText is a mail of at least size bytes, whose number stands at its end.
func orderText(no, size int) []byte {
	head := fmt.Sprintf("Received: from x by y\r\nFrom: c%d@customer.example\r\nTo: support@desk.example\r\nSubject: Fault %d\r\n"+
		"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%d@customer.example>\r\n\r\nIt fails.\r\n", no, no, no)
	line := "It fails in the same way every day, at the same time and in the same place.\r\n"
	return fmt.Appendf(nil, "%s%scanary-%d-\r\n", head, strings.Repeat(line, size/len(line)), no)
}

// send sends mails of a size on one connection, one after another, and ends
// at the first that is not taken.
func (r *orderRun) send(n, size int) error {
	conn, err := net.Dial("tcp", r.addr["smtp"])
	if err != nil {
		return err
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	c, err := smtp.NewClient(conn, "desk.example")
	if err != nil {
		return err
	}
	for range n {
		text, m := r.next(port, size)
		if err := hand(c, fmt.Sprintf("c%d@customer.example", m.no), toSupport, text); err != nil {
			return err
		}
		m.acked = true
	}
	return c.Quit()
}

func (r *orderRun) next(port string, size int) ([]byte, *orderMail) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &orderMail{no: len(r.mails)}
	text := orderText(m.no, size)
	sum := sha256.Sum256(text)
	m.sum = hex.EncodeToString(sum[:])
	r.mails = append(r.mails, m)
	r.conns[port] = append(r.conns[port], m)
	return text, m
}

// together sends from several connections at once.
func (r *orderRun) together(conns, mails, size int) {
	r.t.Helper()
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			if err := r.send(mails, size); err != nil {
				r.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// load reads the traces.
func (r *orderRun) load() {
	r.t.Helper()
	reader := orderReader{keep: r.counts}
	for _, file := range r.traces {
		if err := reader.read(file); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Remove(file); err != nil {
			r.t.Fatal(err)
		}
	}
	r.events, r.lines = reader.events, reader.line
	r.conversations()
}

func (r *orderRun) wal() string { return filepath.Join(r.dir, "data", "guichet.db-wal") }

// counts says which files and connections matter: the database's but for what
// SQLite makes anew, the key's, and those of SMTP.
func (r *orderRun) counts(path string) bool {
	if conn, ok := strings.CutPrefix(path, "TCP:["); ok {
		return slices.ContainsFunc(r.ports, func(p string) bool { return strings.HasPrefix(conn, p+"->") }) ||
			strings.HasSuffix(conn, "->"+r.sink.addr+"]")
	}
	if strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, "(deleted)") {
		return false
	}
	return path == r.dir || strings.HasPrefix(path, filepath.Join(r.dir, "data")) ||
		strings.HasPrefix(path, filepath.Join(r.dir, "guichet.key")) || strings.HasPrefix(path, filepath.Join(r.dir, ".key-"))
}

var orderMessageID = regexp.MustCompile(`(?i)\nMessage-ID: (<[^>\s]+>)`)

// conversations finds in the trace when each 250 was given and each mail of
// ours was told, and leaves the files' events.
func (r *orderRun) conversations() {
	data := map[string]int{} // where the 354 stands whose mail has no reply yet
	taken := map[string]int{}
	var files []*orderEvent
	for _, e := range r.events {
		conn, ok := strings.CutPrefix(e.path, "TCP:[")
		if !ok {
			files = append(files, e)
			continue
		}
		if strings.HasSuffix(conn, "->"+r.sink.addr+"]") {
			for _, id := range orderMessageID.FindAllSubmatch(e.data, -1) {
				r.told = append(r.told, orderAck{at: e.begin, id: string(id[1])})
			}
			continue
		}
		port := strings.TrimSuffix(conn[strings.LastIndexByte(conn, ':')+1:], "]")
		switch {
		case bytes.HasPrefix(e.data, []byte("354")):
			data[port] = e.begin
		case data[port] > 0:
			m := r.conns[port][taken[port]]
			taken[port]++
			if bytes.HasPrefix(e.data, []byte("250")) {
				r.acks = append(r.acks, orderAck{at: e.begin, data: data[port], mail: m})
			}
			delete(data, port)
		}
	}
	r.events = files
	byLine := func(a, b orderAck) int { return a.at - b.at }
	slices.SortFunc(r.acks, byLine)
	slices.SortFunc(r.told, byLine)
}

var orderCanary = regexp.MustCompile(`canary-(\d+)-\r\n`)

// inOrder says, for each mail that got 250, whether an fsync of the WAL began
// after the end of its commit was written and ended before the 250 began, and
// returns what is wrong. The first write that holds the mail's end counts:
// later ones are of the stages behind the 250.
func (r *orderRun) inOrder(events []*orderEvent, acks []orderAck) (wrong []string) {
	safe := map[int]int{}     // mail -> line of the end of the fsync
	open := []int{}           // mails seen since the last end of a commit
	committed := []orderAck{} // with the line where the commit's end was written
	commit := false
	for _, e := range events {
		if e.path != r.wal() {
			continue
		}
		switch {
		case e.call == "fsync":
			committed = slices.DeleteFunc(committed, func(c orderAck) bool {
				if c.at < e.begin {
					safe[c.mail.no] = e.end
				}
				return c.at < e.begin
			})
		case e.call == "pwrite64" && len(e.data) == 24: // a frame's header
			commit = binary.BigEndian.Uint32(e.data[4:]) != 0
		case e.call == "pwrite64":
			for _, m := range orderCanary.FindAllSubmatch(e.data, -1) {
				no, _ := strconv.Atoi(string(m[1]))
				open = append(open, no)
			}
			if !commit {
				continue
			}
			for _, no := range open {
				if _, done := safe[no]; !done && no < len(r.mails) {
					committed = append(committed, orderAck{at: e.end, mail: r.mails[no]})
				}
			}
			open, commit = open[:0], false
		}
	}
	for _, a := range acks {
		if at, ok := safe[a.mail.no]; !ok || at >= a.at {
			wrong = append(wrong, fmt.Sprintf("mail %d got 250 (line %d) before its commit was synced (line %d)", a.mail.no, a.at, at))
		}
	}
	return wrong
}
