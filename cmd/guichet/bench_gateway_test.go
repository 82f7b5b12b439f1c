//go:build bench

package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"guichet/store/storetest"
)

const benchConfig = `
hostname: desk.example
database: "DATABASE"
secret_file: guichet.key
smtp: {listen: "127.0.0.1:0", max_message_size: 26MiB}
web: {listen: "127.0.0.1:0", base_url: "http://desk.example"}
admin: {listen: "127.0.0.1:0"}
relay: {url: "smtp://RELAY"}
limits: {notifications: 1000000}
agents:
  - {address: agent@desk.example, name: First agent, desks: [support]}
desks:
  support:
    address: support@desk.example
    name: {fr: Support technique, en: Technical support}
    reply: "support+{token}@desk.example"
    language: en
    time_zone: Europe/Paris
    number: INC-%06d
    intake: direct
    validation: no
    approval: assumed
    timers: {reminder_after: 24h, reminder_every: 24h, reminders: 3, auto_close_after: 24h, closure_reminder_after: 24h, reopen_within: 168h}
`

// benchGateway is a gateway with one direct desk, one agent and the cheap sink.
type benchGateway struct {
	*running
	d    *storetest.Database
	sink *fastSink
	// writers holds whose mails got 250, and how many tickets each must have.
	writers map[string]int
	taken   int
	floor   int // the row id of the last ticket that is not looked at
}

// startBench starts a gateway. more is added to its configuration.
func startBench(t testing.TB, d *storetest.Database, more ...string) *benchGateway {
	t.Helper()
	g := &benchGateway{running: &running{t: t, dir: t.TempDir(), patience: 10 * time.Minute}, d: d,
		sink: newFastSink(t), writers: map[string]int{}}
	g.config = filepath.Join(g.dir, "config.yaml")
	text := strings.NewReplacer("DATABASE", d.URL, "RELAY", g.sink.addr).Replace(benchConfig)
	write(t, g.config, text+strings.Join(more, ""))
	g.start()
	t.Cleanup(g.stop)
	return g
}

// resume begins the stages that GUICHET_PAUSE holds back.
func (g *benchGateway) resume() { g.cmd.Process.Signal(syscall.SIGUSR1) }

// load sends mails and measures until the last got its 250.
func (g *benchGateway) load(t testing.TB, conns int, m mails) result {
	t.Helper()
	return g.measured(t, m.n, func() time.Duration {
		_, took := g.send(t, conns, m)
		return took
	})
}

// tickets sends first mails over 50 connections and measures until the sink
// has two mails for each.
func (g *benchGateway) tickets(t testing.TB, round, n int) result {
	t.Helper()
	return g.measured(t, n, func() time.Duration {
		before := len(g.sink.all())
		began, _ := g.send(t, 50, mails{n: n, round: round})
		return g.sink.wait(t, before+2*n).Sub(began)
	})
}

// send sends first mails and takes down that they got 250.
func (g *benchGateway) send(t testing.TB, conns int, m mails) (began time.Time, took time.Duration) {
	t.Helper()
	began, took = offer(t, g.addr["smtp"], conns, m)
	for i := range m.n {
		g.writers[writer(m.round, i)]++
	}
	g.taken += m.n
	return began, took
}

// measured adds what the processors worked.
func (g *benchGateway) measured(t testing.TB, n int, work func() time.Duration) result {
	t.Helper()
	return measured(t, g.cmd.Process.Pid, n, work)
}

func measured(t testing.TB, pid, n int, work func() time.Duration) (r result) {
	t.Helper()
	server, own, all := processCPU(t, pid), ownCPU(t), machineCPU(t)
	r.took = work()
	r.rate = float64(n) / r.took.Seconds()
	r.server, r.own, r.all = processCPU(t, pid)-server, ownCPU(t)-own, machineCPU(t)-all
	return r
}

// answered waits until the backlog is worked off and says how long that took.
func (g *benchGateway) answered(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	return g.sink.wait(t, 2*g.taken).Sub(began)
}

// check holds the oracle: each mail that got 250 is one ticket of its writer,
// and each ticket sent one acknowledgment and one notification, no more.
func (g *benchGateway) check(t testing.TB) {
	t.Helper()
	g.settled()
	numbers := g.ticketsOf(t)
	kinds := map[string]map[string]int{"acknowledgment": {}, "notification": {}}
	for _, m := range g.sink.all() {
		seen := kinds[m.kind]
		switch {
		case seen == nil:
			t.Fatalf("the sink has a mail of kind %q to %s", m.kind, m.to)
		case seen[m.ticket] > 0 || numbers[m.ticket] == "":
			t.Fatalf("the %s of %q to %s came twice or has no ticket", m.kind, m.ticket, m.to)
		case m.kind == "acknowledgment" && m.to != numbers[m.ticket], m.kind == "notification" && m.to != "agent@desk.example":
			t.Fatalf("the %s of %s (%s) went to %s", m.kind, m.ticket, numbers[m.ticket], m.to)
		}
		seen[m.ticket]++
	}
	for kind, seen := range kinds {
		if len(seen) != len(numbers) {
			t.Fatalf("%d %ss for %d tickets", len(seen), kind, len(numbers))
		}
	}
	if len(g.sink.faults) > 0 {
		t.Fatalf("the sink: %s", g.sink.faults[0])
	}
	fmt.Fprintf(os.Stderr, "# checked: %d mails, %d tickets, %d answers\n", g.taken, len(numbers), len(g.sink.all()))
}

// ticketsOf reads all tickets, and fails unless they are the writers', as many
// as they sent mails. It returns the writers by the tickets' numbers.
func (g *benchGateway) ticketsOf(t testing.TB) map[string]string {
	t.Helper()
	db := openSQL(t, g.d)
	defer db.Close() // an open connection would be in the way of the gateway's end
	rows, err := db.Query(fmt.Sprintf(`SELECT t.number, p.address FROM ticket t
		JOIN party p ON p.ticket_id = t.id AND p.role = 'customer' WHERE t.id > %d`, g.floor))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	numbers, count := map[string]string{}, map[string]int{}
	for rows.Next() {
		var number, address string
		if err := rows.Scan(&number, &address); err != nil {
			t.Fatal(err)
		}
		numbers[number] = address
		if count[address]++; count[address] > g.writers[address] {
			t.Fatalf("%d tickets of %s, who wrote %d mails", count[address], address, g.writers[address])
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(numbers) != g.taken {
		t.Fatalf("%d mails got 250, %d tickets", g.taken, len(numbers))
	}
	return numbers
}

// profiled writes the gateway's CPU profile of the first seconds of a load
// into the folder that GUICHET_BENCH_PROFILE names, if it names one.
func (g *benchGateway) profiled(name string, seconds int, work func() result) result {
	dir := os.Getenv("GUICHET_BENCH_PROFILE")
	if dir == "" {
		return work()
	}
	done := make(chan error, 1)
	go func() { done <- g.profile(filepath.Join(dir, name+".pprof"), seconds) }()
	r := work()
	if err := <-done; err != nil {
		g.t.Error(err)
	}
	return r
}

func (g *benchGateway) profile(file string, seconds int) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", g.addr["admin"], seconds))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// processCPU is the CPU time, user and system, that a process has used.
func processCPU(t testing.TB, pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name, in brackets, may hold anything; the fields behind it start
	// with the third of proc(5). The kernel counts in hundredths of a second.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// machineCPU is what all processes together have used: PostgreSQL is among
// them, and so is whatever else the machine does.
func machineCPU(t testing.TB) (used time.Duration) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, field := range strings.Fields(line)[1:] {
		if n, _ := strconv.Atoi(field); i < 8 && i != 3 && i != 4 { // neither idle, nor waiting for disks
			used += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return used
}

func ownCPU(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
