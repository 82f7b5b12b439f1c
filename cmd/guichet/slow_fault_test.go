//go:build crash

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/store/storetest"
)

// What honest clients may notice of slow ones.
const (
	slowMemory = 100 << 20 // more resident memory
	honestWait = 2 * time.Second
)

// TestFaultSlow: 2,000 silent connections and 500 that send an octet a second
// cost neither much memory nor an honest client's time; when all places are
// taken, those silent longest are told to come again.
func TestFaultSlow(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	g.honest(t, 0)
	rest := g.memory("VmRSS")

	var silent []net.Conn
	for range 2000 {
		silent = append(silent, g.connect(t, "smtp"))
	}
	drip(t, "EHLO slow.example\r\nMAIL FROM:<a@slow.example>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\n"+strings.Repeat("a", 1000), g.connections(t, "smtp", 500))
	g.until("all are connected", func() bool { return g.metric("connections") >= 2500 })
	g.honestFor(t, time.Duration(rounds(8, 60))*time.Second)
	more := g.memory("VmRSS") - rest
	t.Logf("%v connections: %d MB more", g.metric("connections"), more>>20)
	if more > slowMemory {
		t.Errorf("%d MB more", more>>20)
	}

	// Beyond 4,000 in all the first silent ones leave, with 421.
	for range 2000 {
		silent = append(silent, g.connect(t, "smtp"))
	}
	g.honestFor(t, 3*time.Second)
	told := 0
	for _, c := range silent[:100] {
		c.SetReadDeadline(time.Now().Add(honestWait))
		b, err := io.ReadAll(c)
		if err == nil && strings.Contains(string(b), "421 4.3.2") {
			told++
		}
	}
	t.Logf("%v connections; %d of the first 100 were told to come again", g.metric("connections"), told)
	if n := g.metric("connections"); n > 4000 || told < 100 {
		t.Errorf("%v connections are open, %d of the first 100 were told", n, told)
	}
	c := silent[len(silent)-1]
	c.SetReadDeadline(time.Now().Add(honestWait))
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "220 ") {
		t.Errorf("the newest connection hears %q, %v", line, err)
	}
}

// TestFaultSlowWeb: 500 requests that never end are cut after five seconds, and
// keep nobody waiting meanwhile.
func TestFaultSlowWeb(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	slow := g.connections(t, "web", 500)
	began := time.Now()
	drip(t, "GET / HTTP/1.1\r\nHost: desk.example\r\n"+strings.Repeat("X-A: b\r\n", 1000), slow)
	client := http.Client{Timeout: honestWait}
	get := func() {
		resp, err := client.Get("http://" + g.addr["web"] + "/")
		if err != nil {
			t.Errorf("an honest request: %v", err)
			return
		}
		resp.Body.Close()
	}
	var cut sync.WaitGroup
	for _, c := range slow {
		cut.Go(func() {
			c.SetReadDeadline(began.Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("a request without end was not cut")
			}
		})
	}
	done := make(chan struct{})
	go func() { cut.Wait(); close(done) }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
			get()
		case <-done:
			open = false
		}
	}
	t.Logf("all were cut after %s", time.Since(began).Round(time.Millisecond))
}

// connect opens a connection to a listener; it is closed when the test ends.
func (g *running) connect(t *testing.T, listener string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", g.addr[listener])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (g *running) connections(t *testing.T, listener string, n int) (all []net.Conn) {
	t.Helper()
	for range n {
		all = append(all, g.connect(t, listener))
	}
	return all
}

// drip sends an octet of text a second on each connection, until the test ends.
func drip(t *testing.T, text string, conns []net.Conn) {
	stop := make(chan struct{})
	ended := make(chan struct{})
	t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for i := range len(text) {
			for _, c := range conns {
				c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				c.Write([]byte(text[i : i+1])) // who was cut is none any more
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
}

// honestFor sends two mails a second for a while. More would fill the process
// with tickets, where its memory for connections is measured.
func (g *running) honestFor(t *testing.T, d time.Duration) {
	t.Helper()
	end := time.After(d)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var longest time.Duration
	for i := 1; ; i++ {
		longest = max(longest, g.honest(t, i))
		select {
		case <-end:
			t.Logf("%d honest mails, 250 after at most %s", i, longest.Round(time.Millisecond))
			return
		case <-tick.C:
		}
	}
}

// honest sends a mail, from the connection to the 250, in time.
func (g *running) honest(t *testing.T, i int) time.Duration {
	t.Helper()
	began := time.Now()
	if err := g.mail(fmt.Sprintf("honest%d-%d", began.UnixNano(), i)); err != nil {
		t.Fatalf("an honest mail: %v", err)
	}
	took := time.Since(began)
	if took > honestWait {
		t.Errorf("an honest client heard 250 after %s", took)
	}
	return took
}
