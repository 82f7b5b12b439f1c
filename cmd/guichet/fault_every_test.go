//go:build crash

package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/store/storetest"
)

// pointsOnBoth are the points that the short form passes on PostgreSQL, too:
// there a dead gateway's work must be taken over.
var pointsOnBoth = []string{"accept", "claim", "decide", "lease outbox", "compose", "settle", "retry alone", "final dot"}

// TestFaultPoints is F1b: the gateway is killed before and after each commit,
// and at the other points that pointScenarios has.
func TestFaultPoints(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	sum := &pointSum{}
	var slow, quick []func()
	add := func(engine, what string, passes int) {
		sc := scenarios[pointScenarios[what]]
		for _, when := range []string{"before", "after"} {
			for pass := range passes {
				point := when + " " + what
				if pass > 0 {
					point += fmt.Sprintf(":%d", pass+1)
				}
				run := func() {
					t.Run(strings.ReplaceAll(engine+"/"+point, " ", "_"), func(t *testing.T) { sum.add(engine, killedAt(t, engine, sc, point)) })
				}
				if engine == "postgres" || sc.idle {
					slow = append(slow, run) // waits more than it works
				} else {
					quick = append(quick, run)
				}
			}
		}
	}
	for what, where := range pointScenarios {
		passes := 1
		if where == "mails" {
			passes = rounds(1, 3)
		}
		sc := scenarios[where]
		if sc.play == nil {
			t.Fatalf("there is no scenario %q", where)
		}
		if !sc.postgres {
			add("sqlite", what, passes)
		}
		if sc.postgres || slices.Contains(pointsOnBoth, what) || longFault() && what != "take over" && !sc.idle {
			add("postgres", what, passes)
		}
	}
	var waiting sync.WaitGroup
	places := make(chan struct{}, 24)
	waiting.Go(func() {
		for _, run := range slow {
			places <- struct{}{}
			waiting.Go(func() { run(); <-places })
		}
	})
	next := make(chan func())
	for range 2 {
		waiting.Go(func() {
			for run := range next {
				run()
			}
		})
	}
	for _, run := range quick {
		next <- run
	}
	close(next)
	waiting.Wait()
	for _, engine := range []string{"sqlite", "postgres"} {
		figures(t, "F1b %s %s took=%s", engine, sum.line(engine), time.Since(begun).Round(time.Second))
	}
}

// killedAt plays a scenario in which the process is killed at a point.
func killedAt(t *testing.T, engine string, sc scenario, point string) *oracle {
	d := storetest.SQLite
	if engine == "postgres" {
		d = storetest.Postgres
	}
	return newStage(t, d(t), sc, point).run()
}

// pointSum adds the figures of all points up.
type pointSum struct {
	mu   sync.Mutex
	runs map[string][]*oracle
}

func (s *pointSum) add(engine string, o *oracle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs == nil {
		s.runs = map[string][]*oracle{}
	}
	s.runs[engine] = append(s.runs[engine], o)
}

func (s *pointSum) line(engine string) string {
	var all oracle
	for _, o := range s.runs[engine] {
		all.letters = append(all.letters, o.letters...)
		all.lost += o.lost
		all.doubled += o.doubled
		all.due += o.due
		all.missing += o.missing
		all.surplus += o.surplus
		all.extra += o.extra
		all.unexplained += o.unexplained
	}
	return fmt.Sprintf("killed_at=%d %s", len(s.runs[engine]), all.line())
}
