//go:build bench

package main

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"guichet/store/storetest"
)

// benchRuns is of how many runs a figure is the median.
const benchRuns = 3

// benchOrder is the order in which figures are printed; a ratio stands behind
// what it divides by what.
var benchOrder = []struct{ name, above, below string }{
	{name: "limit_accept_1"}, {name: "limit_accept_10"}, {name: "limit_accept_50"},
	{name: "accept_1"}, {name: "accept_10"}, {name: "accept_50"},
	{"ratio_accept_1", "accept_1", "limit_accept_1"},
	{"ratio_accept_10", "accept_10", "limit_accept_10"},
	{"ratio_accept_50", "accept_50", "limit_accept_50"},
	{name: "ticket_50"}, {"ratio_ticket_50", "ticket_50", "limit_accept_50"},
	{name: "reply_50"},
	{name: "ticket_50_million"}, {"ratio_million", "ticket_50_million", "ticket_50_none"},
	{name: "idle_mb"}, {name: "idle_after_load_mb"}, {name: "big_mb"},
	{name: "ready_ms_million"},
}

// TestBench measures what docs/performance.md lists, and prints "figure NAME
// VALUE" for each on standard output; what happens meanwhile goes to standard
// error. Its subtests can be run alone: -run 'TestBench/sqlite/ticket'.
func TestBench(t *testing.T) {
	if os.Getenv("GUICHET_BIN") == "" {
		t.Fatal("GUICHET_BIN names no gateway built with -tags bench: run make bench")
	}
	storetest.OnDisk()
	t.Run("sqlite", func(t *testing.T) { benchEngine(t, "", storetest.SQLite) })
	t.Run("postgres", func(t *testing.T) { benchEngine(t, "pg_", storetest.Postgres) })
}

func benchEngine(t *testing.T, prefix string, database func(testing.TB) *storetest.Database) {
	b := &bench{prefix: prefix, database: database, samples: map[string][]float64{}}
	defer b.print()
	for _, group := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{{"accept", benchAccept}, {"ticket", benchTicket}, {"reply", benchReply}, {"memory", benchMemory}, {"million", benchMillion}} {
		before := maps.Clone(b.samples)
		if !t.Run(group.name, func(t *testing.T) { group.run(t, b) }) {
			b.samples = before // figures of a run that was not right
		}
	}
}

// bench gathers the figures of one engine.
type bench struct {
	prefix   string // of the figures' names
	database func(testing.TB) *storetest.Database
	samples  map[string][]float64
}

// add takes one run's value of a figure. note says more of it to who looks on.
func (b *bench) add(name string, value float64, note string) {
	b.samples[name] = append(b.samples[name], value)
	fmt.Fprintf(os.Stderr, "# %s %s%s %s  %s\n", time.Now().Format(time.TimeOnly), b.prefix, name, figure(value), note)
}

// print writes the medians of what was measured.
func (b *bench) print() {
	for _, f := range benchOrder {
		if value, ok := b.value(f.name, f.above, f.below); ok {
			fmt.Printf("figure %s%s %s\n", b.prefix, f.name, figure(value))
		}
	}
}

func (b *bench) value(name, above, below string) (float64, bool) {
	if above == "" {
		return median(b.samples[name]), len(b.samples[name]) > 0
	}
	over, under := median(b.samples[above]), median(b.samples[below])
	return over / under, over > 0 && under > 0
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// figure prints three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// openSQL opens a database beside the gateway, to look into it.
func openSQL(t testing.TB, d *storetest.Database) *sql.DB {
	driver, name := "pgx", d.URL
	if d.Engine == "sqlite" {
		driver, name = "sqlite3", "file:"+d.Path()+"?_busy_timeout=60000"
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// benchAccept measures how fast mails become durable, the gateway's later
// stages paused, and a bare server's speed beside it. At the end the stages
// begin, and every mail must be one ticket with its answers.
func benchAccept(t *testing.T, b *bench) {
	t.Setenv("GUICHET_PAUSE", "1")
	limit := startLimit(t, b.database(t))
	g := startBench(t, b.database(t))
	round := 0
	for _, conns := range []int{1, 10, 50} {
		name := fmt.Sprintf("accept_%d", conns)
		count := map[int]int{1: 1500, 10: 4000, 50: 6000}[conns]
		warm := count / 10
		limit.load(t, conns, mails{n: warm})
		g.load(t, conns, mails{n: warm, round: round})
		for range benchRuns {
			bare := limit.load(t, conns, mails{n: count})
			b.add("limit_"+name, bare.rate, bare.cost(count))
			round++
			r := g.profiled(fmt.Sprintf("%s%s-%d", b.prefix, name, round), 2, func() result {
				return g.load(t, conns, mails{n: count, round: round})
			})
			b.add(name, r.rate, r.cost(count))
		}
		round++
	}
	g.resume()
	took := g.answered(t)
	fmt.Fprintf(os.Stderr, "# %d mails drained in %s\n", g.taken, took.Round(time.Millisecond))
	g.check(t)
}

// benchTicket measures whole tickets: from the first mail sent until the last
// of their two mails is in the sink.
func benchTicket(t *testing.T, b *bench) {
	limit := startLimit(t, b.database(t))
	g := startBench(t, b.database(t))
	warm := g.tickets(t, 0, 1000)
	count := int(max(10*warm.rate, 1000))
	limit.load(t, 50, mails{n: 2000})
	for round := range benchRuns {
		bare := limit.load(t, 50, mails{n: 12000})
		b.add("limit_accept_50", bare.rate, bare.cost(12000))
		r := g.profiled(fmt.Sprintf("%sticket_50-%d", b.prefix, round), 10, func() result { return g.tickets(t, round+1, count) })
		b.add("ticket_50", r.rate, r.cost(count))
	}
	g.check(t)
}
