package mailflow

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
)

// advisories are addresses of the kinds on which net/mail, or a reader like it,
// once took time that grew by the square (CVE-2025-61725, CVE-2026-39820,
// CVE-2024-23184): n is about how many octets.
var advisories = map[string]func(n int) string{
	"domain literal":          func(n int) string { return "a@[" + strings.Repeat("a.", n/2) + "]" },
	"literal of backslashes":  func(n int) string { return "a@[" + strings.Repeat(`\`, n) },
	"open comments":           func(n int) string { return strings.Repeat("(", n) },
	"comments":                func(n int) string { return strings.Repeat("()", n/2) + "a@b.example" },
	"quoted pairs":            func(n int) string { return `"` + strings.Repeat(`\a`, n/2) + `"@b.example` },
	"atoms":                   func(n int) string { return strings.Repeat("a.", n/2) + "@b.example" },
	"addresses without comma": func(n int) string { return strings.Repeat("a@b ", n/4) },
	"open brackets":           func(n int) string { return strings.Repeat("<", n) + "a@b.example" },
	"groups":                  func(n int) string { return strings.Repeat("a:", n/2) + "b@c.example;" },
	"quotes":                  func(n int) string { return strings.Repeat(`"`, n) },
	"literals":                func(n int) string { return strings.Repeat("a@[b],", n/6) },
	"encoded words":           func(n int) string { return strings.Repeat("=?utf-8?q?a?=", n/13) + "<a@b.example>" },
}

// TestAdvisories: no address costs more than 100 ms, in a header as long as one
// is kept, or in a command as long as a text.
func TestAdvisories(t *testing.T) {
	limit := 100 * time.Millisecond
	if testing.Short() {
		limit *= 20 // under the race detector
	}
	// The least of three: a busy machine makes processor time dearer.
	cost := func(fn func()) time.Duration {
		return min(fuzztest.CPU(t, fn), fuzztest.CPU(t, fn), fuzztest.CPU(t, fn))
	}
	d := decision{s: testSettings()}
	for name, make := range advisories {
		field := make(250_000)
		if took := cost(func() { rfc822.Parse([]byte("From: " + field + "\n\nx\n")) }); took > limit {
			t.Errorf("%s in From: %s", name, took)
		}
		c := command{name: "cc", arg: make(1_000_000), line: "#cc x"}
		if took := cost(func() { d.checkAdd(&plan{}, c) }); took > limit {
			t.Errorf("%s in a command: %s", name, took)
		}
	}
}
