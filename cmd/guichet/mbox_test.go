package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
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

// What is written as mboxrd has it is read back byte for byte.
func TestMboxRoundTrip(t *testing.T) {
	line := rapid.SampledFrom([]string{"", "x", "From ", "From x Sat Nov 21 14:05:00 2026", ">From x", ">>From x", "Subject: 1", "> x", "\r"})
	rapid.Check(t, func(t *rapid.T) {
		var mails []string
		var mbox strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "mails") {
			mail := "Subject: 1\n" + strings.Join(rapid.SliceOfN(line, 0, 8).Draw(t, "lines"), "\n") + "\n"
			mails = append(mails, mail)
			quoted := regexp.MustCompile(`(?m)^>*From `).ReplaceAllString(mail, ">$0")
			mbox.WriteString("From x Sat Nov 21 14:05:00 2026\n" + quoted + "\n")
		}
		r := newMboxReader(strings.NewReader(mbox.String()), 1<<20)
		for i, want := range mails {
			m, err := r.next()
			if err != nil || string(m.raw) != want {
				t.Fatalf("mail %d: %q, want %q: %v", i, m.raw, want, err)
			}
		}
		if m, err := r.next(); err != io.EOF {
			t.Fatalf("one more: %q %v", m.raw, err)
		}
	})
}

// FuzzMbox: any bytes are taken apart without a gap, and each piece read alone
// is the same mail.
func FuzzMbox(f *testing.F) {
	const from = "From x Sat Nov 21 14:05:00 2026\n"
	for _, s := range []string{"", from, from + "A: b\n\nx\n\n" + from + "\n>From y\n", "x\n\nFrom 1 2026 1:11\nA: b\n", "From "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 64 << 10
		r := newMboxReader(bytes.NewReader(data), limit)
		at := int64(0)
		for {
			m, err := r.next()
			if err == io.EOF {
				break
			}
			if err != nil || m.offset != at || m.length <= 0 || (m.raw == nil) != (m.size > limit) {
				t.Fatalf("at %d: %+v %v", at, m, err)
			}
			at += m.length
			again, err := newMboxReader(bytes.NewReader(data[m.offset:at]), limit).next()
			if err != nil || again.length != m.length || !bytes.Equal(again.raw, m.raw) {
				t.Fatalf("alone: %+v %v, want %+v", again, err, m)
			}
		}
		if at != int64(len(data)) {
			t.Fatalf("%d of %d bytes", at, len(data))
		}
	})
}
