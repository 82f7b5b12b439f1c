package imapfetch

import (
	"fmt"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store/storetest"
)

// cutter stands between the gateway and its server, and cuts each connection.
type cutter struct {
	ln     net.Listener
	target string
	plan   func(n int) (offset int64, ok bool) // where the nth is cut
	before func(n int)                         // runs before the nth

	conns             atomic.Int64
	cuts, quiet       atomic.Int64 // connections cut at their offset, or when nothing came any more
	mu                sync.Mutex
	phases            map[string]int // by the last command sent before a cut
	longest, shortest int64
}

// quietFor is when a connection that says nothing is cut before its offset.
const quietFor = 60 * time.Millisecond

func newCutter(t testing.TB, target string, plan func(int) (int64, bool), before func(int)) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{ln: ln, target: target, plan: plan, before: before, phases: map[string]int{}, shortest: 1 << 40}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			before(n)
			c.serve(n, conn)
			c.conns.Add(1)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return c
}

// serve carries one connection; the gateway has one at a time.
func (c *cutter) serve(n int, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	offset, cut := c.plan(n)
	var left atomic.Int64
	left.Store(offset)
	var phase atomic.Value
	phase.Store("greeting")
	passed := make(chan struct{}, 1)
	end := make(chan bool, 2)
	pass := func(to, from net.Conn, note func([]byte)) {
		buf := make([]byte, 4096)
		for {
			k, err := from.Read(buf)
			if k > 0 {
				note(buf[:k])
				allowed := int64(k)
				if cut {
					rest := left.Add(-int64(k))
					allowed = min(allowed, max(rest+int64(k), 0))
				}
				to.Write(buf[:allowed])
				if allowed < int64(k) {
					end <- true
					return
				}
				select {
				case passed <- struct{}{}:
				default:
				}
			}
			if err != nil {
				end <- false
				return
			}
		}
	}
	go pass(client, server, func([]byte) {})
	go pass(server, client, func(b []byte) {
		if w := strings.Fields(string(b)); len(w) > 2 && w[1] == "UID" {
			phase.Store(w[2])
		} else if len(w) > 1 {
			phase.Store(w[1])
		}
	})
	c.wait(cut, passed, end, &phase, offset)
	client.(*net.TCPConn).SetLinger(0) // some cuts are resets
}

func (c *cutter) wait(cut bool, passed chan struct{}, end chan bool, phase *atomic.Value, offset int64) {
	timer := time.NewTimer(quietFor)
	defer timer.Stop()
	for {
		select {
		case <-passed:
			timer.Reset(quietFor)
		case at := <-end:
			if !at {
				return
			}
			c.cuts.Add(1)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.phases[phase.Load().(string)]++
			c.longest, c.shortest = max(c.longest, offset), min(c.shortest, offset)
			return
		case <-timer.C:
			if cut {
				c.quiet.Add(1)
				return
			}
		}
	}
}

// F5: the connection is cut at so many offsets while mails come, and the
// folder gets a new UIDVALIDITY in between. Each mail is taken once.
func TestFaultCutIMAP(t *testing.T) {
	cuts := 150
	if os.Getenv("GUICHET_FAULT") == "long" {
		cuts = 2000
	}
	const (
		mails = 200
		bare  = 1250 // bytes of a session that finds no mail
		each  = 1000 // and of each mail that it takes
	)
	storetest.Long(t, func(t *testing.T, db *storetest.Database) {
		d := imaptest.Start(t)
		w := newWorld(t, db.Open())
		m := box(t, "imap://support@"+d.Addr+"/INBOX")
		m.After, m.MoveTo = Move, "Processed"
		f := w.fetcher(m)
		stop := w.run(f) // at first sight it is empty
		w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
		stop()

		padding := strings.Repeat("X-Padding: "+strings.Repeat("x", 60)+"\r\n", 8)
		begun, delivered, flips, waits := time.Now(), 0, 0, 0
		proxy := newCutter(t, d.Addr, func(n int) (int64, bool) {
			reach := int64(bare + waits*each)
			return 1 + int64(n)*2741%reach, n < cuts // in no order
		}, func(n int) {
			// The mails last as long as the cuts, and in the end the rest comes.
			for waits = len(d.Mails("INBOX")); delivered < mails && (waits < 2 && delivered*cuts <= n*mails || n >= cuts); delivered++ {
				d.Deliver("INBOX", mail(fmt.Sprintf("mail %d", delivered), padding))
				waits++
			}
			if n == cuts/3 || n == 2*cuts/3 {
				d.ResetUIDs("INBOX")
				flips++
			}
		})
		m.Address = proxy.ln.Addr().String() // under its old name
		f = w.fetcher(m)
		f.times.first, f.times.most = time.Millisecond, 2*time.Millisecond
		w.run(f)
		w.within(time.Duration(cuts)*200*time.Millisecond+patience, "all is cut", func() bool { return proxy.conns.Load() >= int64(cuts) })
		w.until("all are taken, and moved", func() bool {
			return len(w.taken()) >= mails && f.UnreadableMailboxes() == 0 && len(d.Mails("INBOX")) == 0
		})
		twice, missing, shown := 0, 0, 0
		taken := w.taken()
		for what := range taken {
			if strings.Contains(what, " A mail that could not be fetched") {
				shown++ // it had ended nine connections, and came after all; under a new UID what was shown stays held
				delete(taken, what)
			}
		}
		for i := range mails {
			switch n := taken[fmt.Sprintf("new mail %d", i)]; {
			case n == 0:
				missing++
			case n > 1:
				twice++
			}
		}
		if twice+missing > 0 || len(taken) != mails {
			t.Errorf("of %d mails %d twice, %d missing: %v", mails, twice, missing, taken)
		}
		line := fmt.Sprintf("fault F5 engine=%s cuts=%d at_offset=%d from=%d to=%d idle=%d during=%v flips=%d mails=%d twice=%d missing=%d shown_meanwhile=%d copies_moved=%d ms=%d",
			w.db.Engine(), cuts, proxy.cuts.Load(), proxy.shortest, proxy.longest, proxy.quiet.Load(), maps.Clone(proxy.phases), flips, mails, twice, missing, shown,
			len(d.Mails("Processed"))-mails, time.Since(begun).Milliseconds())
		t.Log(line)
		fmt.Println(line)
	})
}
