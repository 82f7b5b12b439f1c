package imapfetch

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"guichet/store/storetest"
)

// A server that behaves like this in the place of a FETCH harms nobody but
// itself: the gateway stays small, and the other mailbox goes on.
func TestHostileServer(t *testing.T) {
	mib := strings.Repeat("x", 1<<20)
	for name, attack := range map[string]func(c *fakeConn, tag string){
		"huge literal":     func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] {9999999999}") },
		"literal over all": func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] {99999999999999999999999}") },
		"endless literal":  func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] {1000000}"); c.pour(mib) },
		"endless other":    func(c *fakeConn, tag string) { c.pour("* 1 FETCH (FLAGS (\\Seen))\r\n") },
		"endless line":     func(c *fakeConn, tag string) { c.say("* OK "); c.pour(mib) },
		"endless quoted":   func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] \""); c.pour(mib) },
		"parentheses":      func(c *fakeConn, tag string) { c.say("* 1 FETCH (BODYSTRUCTURE %s", strings.Repeat("(", 1_000_000)) },
		"hidden parentheses": func(c *fakeConn, tag string) {
			c.say("* OK a {1000000}\r\n* 1 FETCH (BODYSTRUCTURE %s", strings.Repeat("(", 1_000_000))
		},
		"wrong tag":        func(c *fakeConn, tag string) { c.say("X9 OK done") },
		"bye in a literal": func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] {500}\r\n* BYE"); c.Close() },
		"cut literal":      func(c *fakeConn, tag string) { c.say("* 1 FETCH (UID 1 BODY[] {500}\r\nFrom: a"); c.Close() },
		"no IMAP":          func(c *fakeConn, tag string) { c.say("HTTP/1.1 200 OK") },
		"unknown response": func(c *fakeConn, tag string) { c.say("* VANISHED 1:9") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := newFake(t, "IDLE"), newFake(t, "IDLE")
			bad.hook(func(c *fakeConn, tag, command string) bool {
				if !strings.Contains(command, "BODY.PEEK[]") {
					return false
				}
				attack(c, tag)
				return true
			})
			w := newWorld(t, storetest.SQLite(t).Open())
			f := w.fetcher(box(t, bad.url()), box(t, good.url()))
			w.run(f)
			w.until("both are read", func() bool { return f.UnreadableMailboxes() == 0 })
			bad.put(mail("bad"))
			w.until("the bad one is given up", func() bool { return bad.asked("SELECT") >= 3 || len(w.taken()) > 0 })
			good.put(mail("good"))
			w.until("the other is served", func() bool { return w.taken()["new good"] == 1 })
			if n := w.taken()["new bad"]; n != 0 {
				t.Error("something was taken")
			}
			bad.hook(nil)
			w.until("it is taken once the server is itself again", func() bool { return w.taken()["new bad"] == 1 })
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			if mem.Sys > 150<<20 && !testing.Short() { // the race detector needs more
				t.Errorf("%d MB", mem.Sys>>20)
			}
		})
	}
}

// A server that takes the command and says nothing more is left.
func TestSilentServer(t *testing.T) {
	for _, at := range []string{"LOGIN", "CAPABILITY", "SELECT", "UID SEARCH", "UID FETCH", "IDLE", "UID STORE"} {
		t.Run(at, func(t *testing.T) {
			f := newFake(t, "IDLE")
			f.put(mail("old"))
			silent := make(chan struct{})
			f.hook(func(c *fakeConn, tag, command string) bool {
				if !strings.HasPrefix(command, at) {
					return false
				}
				select {
				case <-silent:
					return false
				default:
				}
				close(silent)
				return true
			})
			w := newWorld(t, storetest.SQLite(t).Open())
			fetcher := w.fetcher(box(t, f.url()))
			fetcher.times.silence = 100 * time.Millisecond
			w.run(fetcher)
			w.until("it is read", func() bool { return fetcher.UnreadableMailboxes() == 0 })
			f.put(mail("new"))
			w.until("the mail is taken and marked", func() bool { return w.taken()["new new"] == 1 && f.asked("UID STORE") > 0 })
			<-silent
		})
	}
}
