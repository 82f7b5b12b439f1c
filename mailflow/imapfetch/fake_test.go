package imapfetch

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a server that speaks as much IMAP as we ask for, and where a test
// says so something else.
type fake struct {
	t    testing.TB
	addr string
	caps string

	mu       sync.Mutex
	validity uint32
	next     uint32
	mails    []fakeMail
	changed  chan struct{}
	commands []string
	// on answers a command in the place of the server, if it says so. It writes
	// whole lines; end ends the connection.
	on func(c *fakeConn, tag, command string) (answered bool)
}

type fakeMail struct {
	uid  uint32
	raw  string
	at   time.Time
	gone string // how it left
}

type fakeConn struct {
	f *fake
	net.Conn
	in *bufio.Reader
}

func (c *fakeConn) say(format string, args ...any) { fmt.Fprintf(c.Conn, format+"\r\n", args...) }

func newFake(t testing.TB, caps string) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, addr: ln.Addr().String(), caps: strings.TrimSpace("IMAP4rev1 " + caps), validity: 7, next: 1, changed: make(chan struct{})}
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			wg.Go(func() {
				defer conns.Delete(conn)
				defer conn.Close()
				(&fakeConn{f, conn, bufio.NewReader(conn)}).serve()
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		wg.Wait()
	})
	return f
}

func (f *fake) url() string { return "imap://support@" + f.addr + "/INBOX" }

// put delivers mails.
func (f *fake) put(raws ...[]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, raw := range raws {
		f.mails = append(f.mails, fakeMail{uid: f.next, raw: string(raw), at: time.Now()})
		f.next++
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// hook sets on.
func (f *fake) hook(on func(c *fakeConn, tag, command string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

// left are the mails that are still there.
func (f *fake) left() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.mails {
		if m.gone == "" {
			n++
		}
	}
	return n
}

// asked counts the commands that begin so.
func (f *fake) asked(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.commands {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

func (c *fakeConn) serve() {
	c.say("* OK [CAPABILITY %s] ready", c.f.caps)
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.f.mu.Lock()
		c.f.commands = append(c.f.commands, command)
		on := c.f.on
		c.f.mu.Unlock()
		if on != nil && on(c, tag, command) {
			continue
		}
		c.answer(tag, command)
	}
}

func (c *fakeConn) answer(tag, command string) {
	f := c.f
	word := strings.ToUpper(command)
	switch {
	case strings.HasPrefix(word, "SELECT "):
		f.mu.Lock()
		c.say("* %d EXISTS", len(f.here()))
		c.say("* OK [UIDVALIDITY %d] uids", f.validity)
		c.say("* OK [UIDNEXT %d] next", f.next)
		f.mu.Unlock()
	case word == "CAPABILITY":
		c.say("* CAPABILITY %s", f.caps)
	case strings.HasPrefix(word, "UID SEARCH"):
		f.mu.Lock()
		var b strings.Builder
		for _, m := range f.here() {
			fmt.Fprintf(&b, " %d", m.uid)
		}
		f.mu.Unlock()
		c.say("* SEARCH%s", b.String())
	case strings.HasPrefix(word, "UID FETCH"):
		c.fetch(command)
	case strings.HasPrefix(word, "UID MOVE"), strings.HasPrefix(word, "UID EXPUNGE"):
		f.mu.Lock()
		for i := range f.mails {
			if inSet(command, f.mails[i].uid) {
				f.mails[i].gone = strings.Fields(word)[1]
			}
		}
		f.mu.Unlock()
	case word == "IDLE":
		c.idle()
	}
	c.say("%s OK done", tag)
}

func (f *fake) here() []fakeMail {
	return slices.DeleteFunc(slices.Clone(f.mails), func(m fakeMail) bool { return m.gone != "" })
}

var setPattern = regexp.MustCompile(`^UID \w+ ([0-9:,*]+)`)

// inSet says whether a UID is in the set of a command.
func inSet(command string, uid uint32) bool { return setOf(command)(uid) }

// setOf reads the set of a command.
func setOf(command string) func(uid uint32) bool {
	in := map[uint32]bool{}
	for part := range strings.SplitSeq(setPattern.FindStringSubmatch(command)[1], ",") {
		lo, hi, has := strings.Cut(part, ":")
		if !has {
			hi = lo
		}
		a, _ := strconv.ParseUint(lo, 10, 32)
		b, _ := strconv.ParseUint(hi, 10, 32)
		for u := a; u <= b; u++ {
			in[uint32(u)] = true
		}
	}
	return func(uid uint32) bool { return in[uid] }
}

// fetch answers the three things that we fetch: sizes, headers and mails.
func (c *fakeConn) fetch(command string) {
	c.f.mu.Lock()
	here := c.f.here()
	c.f.mu.Unlock()
	in := setOf(command)
	for i, m := range here {
		if !in(m.uid) {
			continue
		}
		head, _, _ := strings.Cut(m.raw, "\r\n\r\n")
		head += "\r\n\r\n"
		switch date := m.at.UTC().Format("02-Jan-2006 15:04:05 -0700"); {
		case strings.Contains(command, "HEADER.FIELDS"):
			c.say("* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE %q BODY[HEADER.FIELDS (Message-ID Date From Subject)] {%d}\r\n%s)",
				i+1, m.uid, len(m.raw), date, len(head), head)
		case strings.Contains(command, "[HEADER]"):
			c.say("* %d FETCH (UID %d BODY[HEADER]<0> {%d}\r\n%s)", i+1, m.uid, len(head), head)
		case strings.Contains(command, "BODY.PEEK[]<"):
			var n int
			fmt.Sscanf(command[strings.Index(command, "[]<"):], "[]<0.%d>", &n)
			part := m.raw[:min(n, len(m.raw))]
			c.say("* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)", i+1, m.uid, len(part), part)
		case strings.Contains(command, "BODY.PEEK[]"):
			c.say("* %d FETCH (UID %d BODY[] {%d}\r\n%s)", i+1, m.uid, len(m.raw), m.raw)
		default:
			c.say("* %d FETCH (UID %d RFC822.SIZE %d)", i+1, m.uid, len(m.raw))
		}
	}
}

// idle tells of each change until DONE.
func (c *fakeConn) idle() {
	c.say("+ idling")
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.in.ReadString('\n')
	}()
	for {
		c.f.mu.Lock()
		changed := c.f.changed
		c.f.mu.Unlock()
		select {
		case <-done:
			return
		case <-changed:
			c.f.mu.Lock()
			n := len(c.f.here())
			c.f.mu.Unlock()
			c.say("* %d EXISTS", n)
		}
	}
}

// pour writes without end, until the other side has enough.
func (c *fakeConn) pour(s string) {
	for {
		if _, err := io.WriteString(c.Conn, s); err != nil {
			return
		}
	}
}
