package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestMbox(t *testing.T) {
	check := func(what, mbox string, want ...string) {
		t.Helper()
		r := newMboxReader(strings.NewReader(mbox), 100)
		var got []string
		for {
			m, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if raw := mbox[m.offset : m.offset+m.length]; !strings.HasPrefix(raw, "From ") && m.offset > 0 {
				t.Errorf("%s: a mail begins at %q", what, raw)
			}
			if got = append(got, string(m.raw)); m.raw == nil {
				got[len(got)-1] = "too large"
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	const from = "From a@b Sat Nov 21 14:05:00 2026\n"
	check("empty", "")
	check("one", from+"Subject: 1\n\nx\n", "Subject: 1\n\nx\n")
	check("two", from+"Subject: 1\n\nx\n\n"+from+"Subject: 2\n\n", "Subject: 1\n\nx\n", "Subject: 2\n")
	check("an empty line at the end is the mail's", from+"Subject: 1\n\nx\n\n\n"+from+"Subject: 2\n\ny", "Subject: 1\n\nx\n\n", "Subject: 2\n\ny")
	check("quoted", from+"Subject: 1\n\n>From here\n>>From there\n> From x\n>Fromage\n", "Subject: 1\n\nFrom here\n>From there\n> From x\n>Fromage\n")
	check("a sentence", from+"Subject: 1\n\nWe go\n\nFrom Paris at 14:05 in 2026\nto Lyon\n", "Subject: 1\n\nWe go\n\nFrom Paris at 14:05 in 2026\nto Lyon\n")
	check("a sentence before a colon", from+"Subject: 1\n\nFrom Paris\nto: Lyon\n", "Subject: 1\n\nFrom Paris\nto: Lyon\n")
	check("CRLF", strings.ReplaceAll(from+"Subject: 1\n\nx\n\n"+from+"Subject: 2\n\ny\n", "\n", "\r\n"), "Subject: 1\r\n\r\nx\r\n", "Subject: 2\r\n\r\ny\r\n")
	check("Thunderbird", "From - Sat Nov 21 14:05:00 2026\nX-Mozilla-Status: 0001\n\nx\n\nFrom - Sat Nov 21 14:06:00 2026\nSubject: 2\n\n", "X-Mozilla-Status: 0001\n\nx\n", "Subject: 2\n")
	check("Google", "From 12@xxx Mon Jan 01 00:00:00 +0000 2018\nSubject: 1\n\n", "Subject: 1\n")
	check("no header", from+"\nx\n\n"+from+"x\n\n"+from+"Subject: 3\n\n", "\nx\n", "x\n", "Subject: 3\n")
	check("another date", from+"Subject: 1\n\nx\n\nFrom x 2026-11-21 14:05:00\nSubject: 2\n\n", "Subject: 1\n\nx\n", "Subject: 2\n")
	check("without a From line", "Subject: 1\n\nx\n", "Subject: 1\n\nx\n")
	check("no date in the first", "From nobody\nSubject: 1\n\nx\n", "Subject: 1\n\nx\n")
	check("too large", from+"Subject: 1\n\n"+strings.Repeat("x", 100)+"\n\n"+from+"Subject: 2\n\n", "too large", "Subject: 2\n")
	long := strings.Repeat("From x", 40_000)
	check("a long line", from+"Subject: 1\n\n"+long+"\n\n"+from+"Subject: 2\n\n", "too large", "Subject: 2\n")
}
