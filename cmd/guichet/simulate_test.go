package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestSimulate holds the operator's desk to its procedure, and each switch to
// what it leaves out.
func TestSimulate(t *testing.T) {
	for _, c := range []struct {
		name, policy    string
		pending, solved []string
	}{
		{"the operator's", "", []string{
			"2026-11-24T08:00:00Z reminder 1 3 customer integrator",
			"2026-11-25T08:00:00Z reminder 2 3 customer integrator",
			"2026-11-26T08:00:00Z reminder 3 3 customer integrator",
			"2026-11-27T08:00:00Z auto-close-warning customer integrator",
			"2026-11-28T08:00:00Z closed customer integrator",
			"2026-11-28T08:00:00Z notification agent@desk.example",
		}, []string{
			"2026-11-24T08:00:00Z closure-reminder customer integrator",
			"2026-11-25T08:00:00Z auto-close-warning customer integrator",
			"2026-11-26T08:00:00Z closed customer integrator",
			"2026-11-26T08:00:00Z notification agent@desk.example",
		}},
		{"a customer must approve", "    approval: required\n", []string{
			"2026-11-24T08:00:00Z reminder 1 3 customer integrator",
			"2026-11-25T08:00:00Z reminder 2 3 customer integrator",
			"2026-11-26T08:00:00Z reminder 3 3 customer integrator",
			"2026-11-27T08:00:00Z auto-close-warning customer integrator",
			"2026-11-28T08:00:00Z closed customer integrator",
			"2026-11-28T08:00:00Z notification agent@desk.example",
		}, []string{
			"2026-11-24T08:00:00Z closure-reminder customer integrator",
			"2026-11-25T08:00:00Z notification agent@desk.example",
		}},
		{"nothing by itself", "    timers: {reminder_after: off, closure_reminder_after: off}\n", nil, nil},
		{"no reminders", "    timers: {reminders: 0, auto_close_after: 2h}\n", []string{
			"2026-11-24T08:00:00Z auto-close-warning customer integrator",
			"2026-11-24T10:00:00Z closed customer integrator",
			"2026-11-24T10:00:00Z notification agent@desk.example",
		}, []string{
			"2026-11-24T08:00:00Z closure-reminder customer integrator",
			"2026-11-25T08:00:00Z auto-close-warning customer integrator",
			"2026-11-25T10:00:00Z closed customer integrator",
			"2026-11-25T10:00:00Z notification agent@desk.example",
		}},
	} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		write(t, file, strings.Replace(base, "    number: INC-%06d\n", "    number: INC-%06d\n    time_zone: Europe/Paris\n"+c.policy, 1))
		code, out, errs := guichet(t, "simulate", "--config", file, "--json", "--start", "2026-11-23T09:00")
		if code != exitDone {
			t.Fatalf("%s: %s", c.name, errs)
		}
		got := map[string][]string{}
		for line := range strings.Lines(out) {
			var r struct {
				From, At, Kind string
				N, M           *int
				Recipients     []string
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %q: %v", c.name, line, err)
			}
			shown := r.At + " " + r.Kind
			if r.N != nil && r.M != nil {
				shown += fmt.Sprintf(" %d %d", *r.N, *r.M)
			}
			got[r.From] = append(got[r.From], shown+" "+strings.Join(r.Recipients, " "))
		}
		for from, want := range map[string][]string{"pending": c.pending, "resolved": c.solved} {
			if g, w := strings.Join(got[from], "\n"), strings.Join(want, "\n"); g != w {
				t.Errorf("%s, from %s:\n%s\nwant\n%s", c.name, from, g, w)
			}
		}
	}
}
