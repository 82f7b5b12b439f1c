package outbound

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(leanSinkEnv) != "" {
		leanSink()
		return
	}
	goleak.VerifyTestMain(m)
}

// script says what a sink answers: a verb's answers are used in their order,
// the last again and again. The verbs are CONNECT, EHLO, STARTTLS, AUTH, MAIL,
// RCPT, DATA, "." and RSET; "RCPT <a@b>" is for one recipient. Answers that
// are acts: !close, !rst, !hang, !stall (354, then nothing is read), !endless
// (continuation lines), !line (a line without end), !drip TEXT (an octet every
// 5 ms), !tls TEXT (TEXT is the 220; further lines are sent in clear text).
type script map[string][]string

// sink is a small SMTP server that does as its script says.
type sink struct {
	ln       net.Listener
	ext      []string    // what EHLO lists
	tls      *tls.Config // for STARTTLS, or from the start
	implicit bool
	done     chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	script script
	lines  []string // commands as received, on all connections
	mails  []string // taken; also where the 250 is then withheld
	conns  int
	open   int
	now    []net.Conn
}

func newSink(t *testing.T, s script, ext ...string) *sink {
	t.Helper()
	k := &sink{script: s, ext: ext, done: make(chan struct{})}
	k.start(t)
	return k
}

func (k *sink) start(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.ln = ln
	k.wg.Go(k.accept)
	t.Cleanup(k.stop)
}

func (k *sink) accept() {
	for {
		c, err := k.ln.Accept()
		if err != nil {
			return
		}
		k.mu.Lock()
		k.conns++
		k.open++
		k.now = append(k.now, c)
		k.mu.Unlock()
		k.wg.Go(func() {
			k.serve(c)
			c.Close()
			k.mu.Lock()
			k.open--
			k.mu.Unlock()
		})
	}
}

// stop ends the listener and all connections.
func (k *sink) stop() {
	select {
	case <-k.done:
		return
	default:
		close(k.done)
	}
	k.ln.Close()
	k.cut()
	k.wg.Wait()
}

// cut closes all connections, as a relay does that restarts.
func (k *sink) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.now {
		c.Close()
	}
	k.now = nil
}

func (k *sink) addr() string { return k.ln.Addr().String() }

// answer is the script's word for verb, or usual.
func (k *sink) answer(usual string, verbs ...string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range verbs {
		if list := k.script[v]; len(list) > 0 {
			if len(list) > 1 {
				k.script[v] = list[1:]
			}
			return list[0]
		}
	}
	return usual
}

func (k *sink) seen() []string  { k.mu.Lock(); defer k.mu.Unlock(); return slices.Clone(k.lines) }
func (k *sink) taken() []string { k.mu.Lock(); defer k.mu.Unlock(); return slices.Clone(k.mails) }
func (k *sink) count() (conns, open int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conns, k.open
}

// saw says whether a command that begins with prefix came.
func (k *sink) saw(prefix string) bool {
	return slices.ContainsFunc(k.seen(), func(l string) bool { return strings.HasPrefix(l, prefix) })
}

func (k *sink) serve(raw net.Conn) {
	c := raw
	if k.implicit {
		c = tls.Server(raw, k.tls)
	}
	if !k.act(raw, c, k.answer("220 sink ready", "CONNECT")) {
		return
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		k.mu.Lock()
		k.lines = append(k.lines, line)
		k.mu.Unlock()
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			if !k.act(raw, c, k.answer(k.hello(), verb)) {
				return
			}
		case "STARTTLS":
			a := k.answer("!tls 220 go", verb)
			text, ok := strings.CutPrefix(a, "!tls ")
			if !ok {
				if !k.act(raw, c, a) {
					return
				}
				continue
			}
			io.WriteString(c, text+"\r\n")
			c = tls.Server(raw, k.tls)
			r = bufio.NewReader(c)
		case "DATA":
			if !k.data(raw, c, r) {
				return
			}
		case "QUIT":
			io.WriteString(c, "221 bye\r\n")
			return
		case "AUTH":
			if !k.act(raw, c, k.answer("235 2.7.0 welcome", verb)) {
				return
			}
		default:
			_, path, _ := strings.Cut(line, ":")
			path, _, _ = strings.Cut(path, " ")
			if !k.act(raw, c, k.answer("250 2.0.0 fine", verb+" "+path, verb)) {
				return
			}
		}
	}
}

func (k *sink) hello() string {
	lines := append([]string{"sink"}, k.ext...)
	for i := range lines[:len(lines)-1] {
		lines[i] = "250-" + lines[i]
	}
	lines[len(lines)-1] = "250 " + lines[len(lines)-1]
	return strings.Join(lines, "\r\n")
}

func (k *sink) data(raw, c net.Conn, r *bufio.Reader) bool {
	a := k.answer("354 go on", "DATA")
	if !k.act(raw, c, a) {
		return false
	}
	if !strings.HasPrefix(a, "354") {
		return true
	}
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	a = k.answer("250 2.0.0 taken", ".")
	if a[0] != '4' && a[0] != '5' {
		k.mu.Lock()
		k.mails = append(k.mails, b.String())
		k.mu.Unlock()
	}
	return k.act(raw, c, a)
}

// act gives an answer; false ends the connection.
func (k *sink) act(raw, c net.Conn, a string) bool {
	verb, text, _ := strings.Cut(a, " ")
	switch verb {
	case "!close":
		return false
	case "!rst":
		raw.(*net.TCPConn).SetLinger(0)
		return false
	case "!hang":
		io.Copy(io.Discard, c)
		return false
	case "!stall":
		io.WriteString(c, "354 go on\r\n")
		<-k.done
		return false
	case "!endless":
		for {
			if _, err := io.WriteString(c, "250-more\r\n"); err != nil {
				return false
			}
		}
	case "!line":
		for {
			if _, err := io.WriteString(c, "more and "); err != nil {
				return false
			}
		}
	case "!drip":
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []byte(text + "\r\n") {
			<-tick.C
			if _, err := c.Write([]byte{b}); err != nil {
				return false
			}
		}
		return true
	}
	_, err := io.WriteString(c, a+"\r\n")
	return err == nil && !strings.HasPrefix(a, "421")
}
