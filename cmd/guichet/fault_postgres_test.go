package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"guichet/store/storetest"
)

// TestFaultPostgres is F6: PostgreSQL is taken away and brought back under
// load, and on the way some replies to COMMIT are lost. The gateway is to live
// through it, and its clients to hear 451 at worst.
func TestFaultPostgres(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	rnd, seed := chance(t)
	server := storetest.PostgresServer(t)
	d := server.Database()
	p := newLossy(t, d.URL, seed)
	s := newService(t, p.url)
	s.serve()
	s.ready()
	l := startLoad(t, 8, 60*time.Millisecond, seed, s.sink, func(int) string { return s.address("smtp") })
	restarts := rounds(10, 200)
	for range restarts {
		p.lossy.Store(true)
		rest(200*time.Millisecond+time.Duration(rnd.Int64N(int64(time.Second))), nil)
		server.Crash()
		rest(time.Duration(rnd.Int64N(int64(500*time.Millisecond))), nil)
		server.Start()
	}
	p.lossy.Store(false)
	l.finish()
	o := askOracle(s, d.URL, l.letters, nil)
	if n := len(s.died()); n != 0 {
		t.Errorf("the gateway ended %d times: %+v", n, s.died())
	}
	if l.refused[4] == 0 || p.lost.Load() == 0 {
		t.Errorf("nothing was taken away: %d times 4xx, %d replies lost", l.refused[4], p.lost.Load())
	}
	figures(t, "F6 postgres restarts=%d commit_replies_lost=%d %s refused_4xx=%d refused_5xx=%d cut=%d ends=%d seed=%d took=%s", restarts, p.lost.Load(),
		o.line(), l.refused[4], l.refused[5], l.cut, len(s.died()), seed, time.Since(begun).Round(time.Second))
}

// lossy stands between the gateway and PostgreSQL's socket, and loses the
// reply to every thirtieth COMMIT with its connection.
type lossy struct {
	url   string
	lossy atomic.Bool
	lost  atomic.Int64

	mu  sync.Mutex
	rnd *rand.Rand
}

func newLossy(t *testing.T, database string, seed uint64) *lossy {
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	server, dir := filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432"), t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	q := u.Query()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	p := &lossy{url: u.String(), rnd: rand.New(rand.NewPCG(seed, 99))}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

// loses says whether this COMMIT's reply is to be lost.
func (p *lossy) loses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lossy.Load() && p.rnd.IntN(30) == 0
}

func (p *lossy) serve(client net.Conn, path string) {
	defer client.Close()
	server, err := net.Dial("unix", path)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 1<<16)
		for {
			n, err := server.Read(buf)
			if err == nil && losing.Load() {
				p.lost.Add(1) // it was committed, and nobody hears of it
				return
			}
			if err != nil {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) && p.loses() {
			losing.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestFaultTwoOnSQLite is F7 on SQLite: the second gateway of a file refuses
// to start, in words, and does the first no harm.
func TestFaultTwoOnSQLite(t *testing.T) {
	t.Parallel()
	d := storetest.SQLite(t)
	s := newService(t, d.URL)
	s.serve()
	s.ready()
	l := startLoad(t, 8, 20*time.Millisecond, 1, s.sink, func(int) string { return s.address("smtp") })
	refused := 0
	for range rounds(5, 50) {
		second := s.binary()
		second.Args = append(second.Args, "serve", "--config", s.config)
		ending := time.AfterFunc(patience, func() { second.Process.Kill() }) // one that serves
		out, err := second.CombinedOutput()
		ending.Stop()
		if err == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "guichet serve is running on this database") {
			t.Errorf("the second gateway: %v: %s", err, out)
			break
		}
		refused++
	}
	l.finish()
	o := askOracle(s, d.URL, l.letters, nil)
	figures(t, "F7 sqlite second_gateway_refused=%d %s", refused, o.line())
}

// TestFaultTwoOnPostgres is F7 on PostgreSQL: two gateways share the work;
// one is killed, and the other takes over what it had.
func TestFaultTwoOnPostgres(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	_, seed := chance(t)
	d := storetest.Postgres(t)
	a := newService(t, d.URL)
	a.serve()
	a.ready()
	b := newService(t, d.URL)
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, b.config, strings.NewReplacer(b.sink.addr, a.sink.addr, "guichet.key", filepath.Join(a.dir, "guichet.key")).Replace(string(text)))
	b.serve()
	b.ready()
	gateways := []*service{a, b}
	l := startLoad(t, 8, 150*time.Millisecond, seed, a.sink, func(sender int) string {
		for i := range gateways {
			if addr := gateways[(sender+i)%2].address("smtp"); addr != "" {
				return addr
			}
		}
		return ""
	})
	var kills []time.Time
	var longest time.Duration
	for range rounds(1, 10) {
		rest(2*time.Second, nil)
		b.stayDown(true)
		node := b.node()
		b.signal(syscall.SIGKILL)
		kills = append(kills, time.Now())
		longest = max(longest, a.takesOver(d.URL, node))
		b.stayDown(false)
		b.ready()
	}
	rest(time.Second, nil)
	l.finish()
	o := askOracle(a, d.URL, l.letters, kills)
	sent := map[string]int{"a": a.count("sent"), "b": b.count("sent")}
	if sent["a"] == 0 || sent["b"] == 0 {
		t.Errorf("one of them sent nothing: %v", sent)
	}
	figures(t, "F7 postgres kills=%d sent_by_a=%d sent_by_b=%d longest_takeover=%s %s refused_4xx=%d refused_5xx=%d seed=%d took=%s", len(kills), sent["a"], sent["b"],
		longest.Round(time.Second), o.line(), l.refused[4], l.refused[5], seed, time.Since(begun).Round(time.Second))
}

// node is what the node's name of the process that runs holds.
func (s *service) node() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%%-%d-%%", s.process.Pid)
}

// takesOver waits until nothing is left in the hands of a node that ended.
func (s *service) takesOver(database, node string) time.Duration {
	s.t.Helper()
	begun, db := time.Now(), openRaw(s.t, database)
	defer db.Close()
	s.until("the other gateway's work is taken over", func() bool {
		var n int
		err := db.QueryRow(`SELECT (SELECT count(*) FROM delivery WHERE lease_owner LIKE $1)
			+ (SELECT count(*) FROM outbox WHERE lease_owner LIKE $1)`, node).Scan(&n)
		if err != nil {
			s.t.Fatal(err)
		}
		return n == 0
	})
	return time.Since(begun)
}

// count is how often the gateway's log has a verb.
func (s *service) count(verb string) int { return strings.Count(s.log(), " msg="+verb+" ") }
