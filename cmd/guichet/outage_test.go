//go:build crash

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/smtp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guichet/store/storetest"
)

const (
	// wholeCrowd is how many people write when something has failed for all; a
	// fifth of them with -short.
	wholeCrowd = 10_000
	// crowdTime is the time in which their mails are offered.
	crowdTime = time.Minute
	// answerTime is how long an agent's answer may take meanwhile, from the
	// agent's connection to the relay's taking it.
	answerTime = 2 * time.Second
	// strangers is the address of the crowd, trusted that of the agents: both
	// are this machine.
	strangers, trusted = "127.0.0.1", "127.0.0.2"
)

func crowdSize() int {
	if testing.Short() {
		return wholeCrowd / 5
	}
	return wholeCrowd
}

// TestFaultOutage has 10,000 people whom nobody knows write within a minute:
// each gets a ticket and one first answer without a word of theirs. An agent
// who answers older tickets meanwhile is not kept waiting.
func TestFaultOutage(t *testing.T) {
	storetest.Long(t, func(t *testing.T, d *storetest.Database) {
		g, crowd := startOutage(t, d), crowdSize()
		desk := newAnswers(g, 12)
		began := time.Now()
		crowdIn := make(chan struct{})
		go func() {
			defer close(crowdIn)
			g.pour(50, crowd, func(i int) (string, string) {
				from := fmt.Sprintf("c%d@customer.example", i)
				return from, fmt.Sprintf("From: Canary%d <%s>\r\nTo: support@desk.example\r\nSubject: Canary%d is down\r\n"+
					"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%d@customer.example>\r\n\r\nCanary%d says: nothing works.\r\n", i, from, i, i, i)
			})
		}()
		answering := desk.answerUntil(func() bool { return g.acknowledged() == crowd })
		<-crowdIn
		offered := time.Since(began)
		<-answering
		all := time.Since(began)
		g.settled()
		settled := time.Since(began)
		report(t, "offered_s %.1f", offered.Seconds())
		report(t, "last_answer_s %.1f, with the agents' notifications %.1f", all.Seconds(), settled.Seconds())
		desk.check()
		if offered > crowdTime {
			t.Errorf("the mails were taken in %s", offered)
		}
		tickets := map[string]int{}
		for _, row := range g.rows("ticket", "list") {
			tickets[fmt.Sprint(row["customer"])]++
		}
		answers := map[string]int{}
		for _, m := range g.sink.all() {
			if m.kind() != "acknowledgment" {
				continue
			}
			answers[m.to]++
			if bytes.Contains(m.raw, []byte("Canary")) {
				t.Fatalf("a stranger's words in a first answer:\n%s", m.raw)
			}
		}
		for i := range crowd {
			from := fmt.Sprintf("c%d@customer.example", i)
			if tickets[from] != 1 || answers[from] != 1 {
				t.Errorf("%s has %d tickets and %d first answers", from, tickets[from], answers[from])
			}
		}
	})
}

// TestFaultOneWriter has one address write 10,000 mails of as many subjects:
// it hears of it once, and others are served meanwhile.
func TestFaultOneWriter(t *testing.T) {
	storetest.Long(t, func(t *testing.T, d *storetest.Database) {
		g, crowd := startOutage(t, d), crowdSize()
		desk := newAnswers(g, 12)
		const victim = "victim@other.example"
		began := time.Now()
		flood := make(chan struct{})
		var flooding atomic.Bool
		flooding.Store(true)
		go func() {
			defer close(flood)
			defer flooding.Store(false)
			g.pour(10, crowd, func(i int) (string, string) {
				return victim, fmt.Sprintf("From: <%s>\r\nTo: support@desk.example\r\nSubject: Alarm %s\r\n"+
					"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%d@other.example>\r\n\r\nAlarm.\r\n", victim, letters(i), i)
			})
		}()
		answering := desk.answerUntil(func() bool { return !flooding.Load() && g.metric("unprocessed") == 0 })
		accepts := g.acceptTimes(func() bool { return flooding.Load() })
		<-flood
		<-answering
		g.settled()
		report(t, "flood_s %.1f, other_accept_p95_ms %.1f, other_accepts %d", time.Since(began).Seconds(),
			p95(accepts).Seconds()*1000, len(accepts))
		desk.check()
		if p := p95(accepts); p >= 2*time.Second || len(accepts) < 20 {
			t.Errorf("another's mail is taken after %s at p95, of %d", p, len(accepts))
		}
		toVictim := 0
		for _, m := range g.sink.all() {
			if m.to == victim {
				toVictim++
			}
		}
		if toVictim != 1 {
			t.Errorf("%d mails to the one whose address wrote", toVictim)
		}
		tickets := 0
		for _, row := range g.rows("ticket", "list") {
			if row["customer"] == victim {
				tickets++
			}
		}
		later := 0
		for _, row := range g.rows("outbox", "list", "--state", "queued") {
			if row["recipient"] == victim && row["kind"] == "also-received" {
				later++
			}
		}
		if tickets != crowd || later != 1 {
			t.Errorf("%d tickets, %d mails that tell of them together", tickets, later)
		}
	})
}

// startOutage is a gateway with one agent that trusts only the agents'
// address.
func startOutage(t *testing.T, d *storetest.Database) *running {
	g := startGateway(t, d.URL, `networks: ["127.0.0.1"]`, `networks: ["`+trusted+`"]`,
		"  - {address: second@desk.example, name: Second agent, desks: [support]}\n", "")
	g.patience = 10 * time.Minute
	return g
}

// report prints figures that somebody may want to compare between runs.
func report(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("figure "+t.Name()+" "+format, args...)
}

// pour sends n mails by so many connections, as fast as they are taken. mail
// gives the writer and the bytes of the i-th.
func (g *running) pour(connections, n int, mail func(i int) (from, raw string)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			c, err := g.dial(strangers)
			if err != nil {
				g.t.Error(err)
				return
			}
			defer c.Close()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				from, raw := mail(i)
				if err := hand(c, from, toSupport, []byte("Received: from x by y\r\n"+raw)); err != nil {
					g.t.Errorf("mail %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// dial connects from an address of this machine.
func (g *running) dial(from string) (*smtp.Client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := d.Dial("tcp", g.addr["smtp"])
	if err != nil {
		return nil, err
	}
	return smtp.NewClient(conn, "desk.example")
}

// acceptTimes sends a mail of another writer every 100 ms, each by a new
// connection, and says how long each took to be taken.
func (g *running) acceptTimes(more func() bool) (took []time.Duration) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; more(); i++ {
		<-tick.C
		from := fmt.Sprintf("other%d@customer.example", i)
		began := time.Now()
		c, err := g.dial(strangers)
		if err == nil {
			err = hand(c, from, toSupport, fmt.Appendf(nil, "Received: from x by y\r\nFrom: <%s>\r\nTo: support@desk.example\r\n"+
				"Subject: Printer\r\nDate: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%s>\r\n\r\nOut of paper.\r\n", from, from))
			c.Close()
		}
		if err != nil {
			g.t.Errorf("another's mail: %v", err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// acknowledged counts the first answers to the crowd that have left.
func (g *running) acknowledged() (n int) {
	for _, m := range g.sink.all() {
		if m.kind() == "acknowledgment" && strings.HasPrefix(m.to, "c") {
			n++
		}
	}
	return n
}

func p95(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*95/100]
}

// letters writes a number in letters, since digits do not tell subjects apart.
func letters(i int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i))
}

// answers are tickets that were there before, and how long an agent's answer
// to each took to reach its customer.
type answers struct {
	g       *running
	reply   map[string]string // customer -> the agent's reply address
	took    []time.Duration
	waiting []time.Duration // those with a backlog behind them
}

// newAnswers opens n tickets of customers whom the desk knows.
func newAnswers(g *running, n int) *answers {
	a := &answers{g: g, reply: map[string]string{}}
	c, err := g.dial(trusted)
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		from := fmt.Sprintf("before%d@known.example", i)
		if err := hand(c, from, toSupport, fmt.Appendf(nil, "From: <%s>\r\nTo: support@desk.example\r\nSubject: Before %d\r\n"+
			"Date: Sat, 21 Nov 2026 09:00:00 +0100\r\nMessage-ID: <%s>\r\n\r\nAn older matter.\r\n", from, i, from)); err != nil {
			g.t.Fatal(err)
		}
	}
	g.settled()
	for _, m := range g.sink.all() {
		if m.kind() == "notification" {
			before := string(m.raw[bytes.Index(m.raw, []byte("before")):])
			a.reply[before[:strings.Index(before, "example")+len("example")]] = m.mail.ReplyTo[0].Address
		}
	}
	if len(a.reply) != n {
		g.t.Fatalf("%d notifications of older tickets, want %d", len(a.reply), n)
	}
	return a
}

// answerUntil lets the agent answer one ticket after the other, every second
// one, until done; the channel is closed then.
func (a *answers) answerUntil(done func() bool) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		late := time.After(a.g.patience)
		for i := 0; ; i++ {
			select {
			case <-tick.C:
			case <-late:
				a.g.t.Errorf("not within %s: everything was answered", a.g.patience)
				return
			}
			if done() {
				return
			}
			to := slices.Sorted(func(yield func(string) bool) {
				for customer := range a.reply {
					if !yield(customer) {
						return
					}
				}
			})[i%len(a.reply)]
			a.answer(i, to)
		}
	}()
	return ended
}

// answer is one answer of the agent; it returns when it has left.
func (a *answers) answer(i int, customer string) {
	words := fmt.Sprintf("Answer number %d.", i)
	backlog := a.g.metric("unprocessed") + a.g.metric("outbox_busy")
	began := time.Now()
	c, err := a.g.dial(trusted)
	if err == nil {
		err = hand(c, "agent@desk.example", []string{a.reply[customer]}, fmt.Appendf(nil, "From: <agent@desk.example>\r\nTo: <%s>\r\nSubject: Re: Before\r\n"+
			"Date: %s\r\nMessage-ID: <answer%d@desk.example>\r\n\r\n%s\r\n", a.reply[customer], time.Now().Format(time.RFC1123Z), i, words))
		c.Close()
	}
	if err != nil {
		a.g.t.Errorf("the agent's answer: %v", err)
		return
	}
	taken := time.Since(began)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Since(began) < 2*patience {
		<-tick.C
		for _, m := range slices.Backward(a.g.sink.all()) {
			if m.to == customer && bytes.Contains(m.raw, []byte(words)) {
				took := time.Since(began)
				a.took = append(a.took, took)
				if backlog > float64(crowdSize())/1000 {
					a.waiting = append(a.waiting, took)
				}
				a.g.t.Logf("answer %d: backlog %.0f, taken in %s, left in %s", i, backlog, taken, took)
				return
			}
		}
	}
	a.g.t.Errorf("the agent's answer has not left after %s", 2*patience)
}

// check holds the answers against answerTime.
func (a *answers) check() {
	a.g.t.Helper()
	if len(a.waiting) < 3 {
		a.g.t.Errorf("only %d answers while others waited", len(a.waiting))
	}
	report(a.g.t.(*testing.T), "agent_answer_max_ms %.0f, of %d, with a backlog %.0f, of %d", slices.Max(append(a.took, 0)).Seconds()*1000,
		len(a.took), slices.Max(append(a.waiting, 0)).Seconds()*1000, len(a.waiting))
	for _, took := range a.took {
		if took > answerTime {
			a.g.t.Errorf("an agent's answer took %s", took)
		}
	}
}
