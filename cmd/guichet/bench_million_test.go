//go:build bench

package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// million is how many older tickets there are.
const million = 1_000_000

// benchMillion measures whole tickets beside a million older ones and beside
// none, in turns, and how long a start takes beside the million.
func benchMillion(t *testing.T, b *bench) {
	full := startBench(t, b.database(t))
	full.tickets(t, 9, 100)
	full.check(t)
	full.stop()
	fillStore(t, full.d, million)
	for range 2 * benchRuns {
		b.add("ready_ms_million", float64(full.ready(t).Microseconds())/1000, "")
		full.stop()
	}
	full.start()
	full.forget(fillBase + million)
	none := startBench(t, b.database(t))
	none.tickets(t, 0, 1000)
	full.tickets(t, 0, 1000)
	count := int(max(10*none.tickets(t, 1, 1000).rate, 1000))
	for round := range benchRuns {
		r := none.tickets(t, round+2, count)
		b.add("ticket_50_none", r.rate, r.cost(count))
		r = full.profiled(fmt.Sprintf("%smillion-%d", b.prefix, round), 10, func() result { return full.tickets(t, round+2, count) })
		b.add("ticket_50_million", r.rate, r.cost(count))
	}
	none.check(t)
	full.check(t)
}

// forget leaves what came so far, up to a ticket's row id, out of the checks.
func (g *benchGateway) forget(id int) {
	g.sink.reset()
	clear(g.writers)
	g.taken, g.floor = 0, id
}

// ready starts the gateway and says how long that took, from exec to the first
// 220.
func (g *benchGateway) ready(t testing.TB) time.Duration {
	began := time.Now()
	g.start()
	conn, err := net.Dial("tcp", g.addr["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "220 ") {
		t.Fatalf("the gateway greeted with %q, %v", line, err)
	}
	return time.Since(began)
}
