//go:build crash

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

const (
	// loadWaiting is limits.max_unprocessed: how much is taken in advance.
	loadWaiting = 500
	// loadClients is how many connections the mails come on. Each mail's time
	// is counted from when it was due, also if none of them was free then.
	loadClients = 100
	// loadMemory is what the gateway may have of memory, in KiB: the kernel
	// refuses more private memory (RLIMIT_DATA), on which Go ends the process.
	loadMemory = 512 << 10
	// loadLatency is how soon 99 of 100 mails that are taken must be.
	loadLatency = 5 * time.Second
)

// TestFaultOverload offers three times as many mails as become tickets. What
// is too much hears 4xx, what is taken is taken soon, and becomes a ticket with
// its answer, within 512 MB.
func TestFaultOverload(t *testing.T) {
	diskNeeds(t, "sh")
	measure, load := 5*time.Second, 30*time.Second
	if longFault() {
		measure, load = 20*time.Second, 5*time.Minute
	}
	l := newLoad(t)
	capacity := l.capacity(measure)
	before := time.Now()
	offered := l.openLoop(3*capacity, load)
	took := time.Since(before)
	t.Logf("%.0f tickets a second, %d mails offered in %s, %d taken", capacity, offered, took.Round(time.Second), len(l.took))
	peak := l.memory()
	waiting := l.g.metric("outbox_queued")
	l.g.patience = 5 * time.Minute
	diskSettled(l.g)
	drained := time.Since(before) - took
	lost := l.compare()
	p50, p99 := l.quantile(0.5), l.quantile(0.99)
	fmt.Printf("fault F9 capacity_per_s=%.0f offered_per_s=%.0f seconds=%.0f offered=%d accepted=%d refused=%v p50_ms=%d p99_ms=%d outbox=%.0f drained_s=%.0f peak_rss_mb=%d limit=RLIMIT_DATA:%dMB lost=%d\n",
		capacity, 3*capacity, took.Seconds(), offered, len(l.took), l.refused, p50.Milliseconds(), p99.Milliseconds(), waiting, drained.Seconds(), peak>>10, loadMemory>>10, lost)
	if p99 > loadLatency {
		t.Errorf("one mail in a hundred took %s", p99)
	}
	if l.refused["451"] == 0 {
		t.Error("nothing was too much")
	}
	for code, n := range l.refused {
		if code[0] != '4' {
			t.Errorf("%d × %s", n, code)
		}
	}
}

// overload is the senders and the sink of one test.
type overload struct {
	t *testing.T
	g *running

	mu      sync.Mutex
	next    int
	acked   map[string]bool            // by writer
	took    []time.Duration            // of the open loop's accepted mails
	refused map[string]int             // by code, of the open loop
	sent    map[string]map[string]bool // the sink's: recipient -> Message-IDs
}

func newLoad(t *testing.T) *overload {
	l := &overload{t: t, acked: map[string]bool{}, refused: map[string]int{}, sent: map[string]map[string]bool{}}
	dir := t.TempDir()
	l.g = diskGateway(t, dir, "sqlite:"+dir+"/guichet.db",
		// Nobody is notified: what waits in the outbox is to be sent within the test.
		"desks: [support, sales]", "desks: [sales]", "desks: [support]", "desks: [sales]",
		"agents:\n", fmt.Sprintf("limits: {max_unprocessed: %d, min_free: 1MiB}\nagents:\n", loadWaiting))
	text, err := os.ReadFile(l.g.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.g.config, strings.Replace(string(text), l.g.sink.addr, l.relay(), 1))
	// A thread's stack counts as a whole: 1 MB, and not 8.
	l.g.wrap = []string{"sh", "-c", fmt.Sprintf(`ulimit -s 1024 && ulimit -d %d && exec "$@"`, loadMemory), "sh"}
	l.g.start()
	t.Cleanup(l.g.stop)
	return l
}

// relay is a sink that only notes who got which Message-ID.
func (l *overload) relay() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return &loadSession{l: l}, nil }))
	server.Domain, server.EnableSMTPUTF8, server.EnableDSN = "relay.example", true, true
	go server.Serve(ln)
	l.t.Cleanup(func() { server.Close() })
	return ln.Addr().String()
}

type loadSession struct {
	l  *overload
	to string
}

func (s *loadSession) Mail(string, *gosmtp.MailOptions) error      { return nil }
func (s *loadSession) Rcpt(to string, _ *gosmtp.RcptOptions) error { s.to = to; return nil }
func (s *loadSession) Reset()                                      {}
func (s *loadSession) Logout() error                               { return nil }

func (s *loadSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	id := orderMessageID.FindSubmatch(raw)
	if id == nil {
		return errors.New("no Message-ID")
	}
	if !bytes.Contains(raw, []byte("X-Guichet-Kind: acknowledgment")) {
		return nil
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.l.sent[s.to] == nil {
		s.l.sent[s.to] = map[string]bool{}
	}
	s.l.sent[s.to][string(id[1])] = true
	return nil
}

// capacity is how many mails become tickets in a second, while clients send
// one after another.
func (l *overload) capacity(d time.Duration) float64 {
	l.t.Helper()
	due := make(chan time.Time)
	ended := l.clients(50, due)
	var first float64
	var began time.Time
	for end, warm := time.After(d+time.Second), time.After(time.Second); ; {
		select {
		case <-warm:
			first, began = l.g.metric("opened_total"), time.Now()
		case due <- time.Now():
		case <-end:
			rate := (l.g.metric("opened_total") - first) / time.Since(began).Seconds()
			close(due)
			<-ended
			if rate < 1 {
				l.t.Fatalf("%.1f tickets a second", rate)
			}
			l.took, l.refused = nil, map[string]int{}
			return rate
		}
	}
}

// openLoop makes mails due at a rate, whatever becomes of those before.
func (l *overload) openLoop(rate float64, d time.Duration) (offered int) {
	due := make(chan time.Time, int(rate*d.Seconds())+1)
	ended := l.clients(loadClients, due)
	began := time.Now()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		gone := min(now.Sub(began), d)
		for ; offered < int(rate*gone.Seconds()); offered++ {
			due <- began.Add(time.Duration(float64(offered) / rate * float64(time.Second)))
		}
		if gone == d {
			break
		}
	}
	close(due)
	<-ended
	return offered
}

// clients send a mail each time one is due, until the channel is closed.
func (l *overload) clients(n int, due <-chan time.Time) (ended chan struct{}) {
	ended = make(chan struct{})
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			var c *smtp.Client
			for at := range due {
				c = l.one(c, at)
			}
			if c != nil {
				c.Close()
			}
		})
	}
	go func() { wg.Wait(); close(ended) }()
	return ended
}

// one sends a mail and returns the connection, nil if it is of no more use.
func (l *overload) one(c *smtp.Client, at time.Time) *smtp.Client {
	l.mu.Lock()
	l.next++
	no := l.next
	l.mu.Unlock()
	from := fmt.Sprintf("c%d@customer.example", no)
	var err error
	if c == nil {
		c, err = smtp.Dial(l.g.addr["smtp"])
	}
	if err == nil {
		err = hand(c, from, toSupport, orderText(no, 1500))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.acked[from] = true
		l.took = append(l.took, time.Since(at))
		return c
	}
	code := err.Error()
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		code = fmt.Sprint(reply.Code)
	}
	l.refused[code]++
	if c != nil && code != "451" {
		c.Close()
		c = nil
	}
	return c
}

// memory is the most that was resident at once, in KiB.
func (l *overload) memory() (kib int) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", l.g.cmd.Process.Pid))
	if err != nil {
		l.t.Fatalf("the gateway is gone: %v\n%.4000s", err, l.g.log())
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib)
	}
	return kib
}

// compare counts the mails that were taken and are not one answered ticket.
func (l *overload) compare() (lost int) {
	l.t.Helper()
	tickets := map[string]int{}
	for _, row := range l.g.rows("ticket", "list") {
		tickets[fmt.Sprint(row["customer"])]++
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for from := range l.acked {
		if tickets[from] != 1 || len(l.sent[from]) != 1 {
			if lost++; lost <= 10 {
				l.t.Errorf("%s was acknowledged and has %d tickets, %d answers", from, tickets[from], len(l.sent[from]))
			}
		}
	}
	diskIntegrity(l.t, l.g.dir+"/guichet.db")
	return lost
}

// quantile is the time within which a part of the mails was taken.
func (l *overload) quantile(part float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		return 0
	}
	slices.Sort(l.took)
	return l.took[int(part*float64(len(l.took)-1))]
}
