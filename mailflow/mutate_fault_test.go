//go:build crash

package mailflow

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
)

// TestFaultMutatedCorpus (F12): each real mail, damaged 200 times in the long
// form and 5 times in the short one, is read and classified: no panic, less
// than a second each, less than 256 MB in all. GUICHET_SEED tries a round
// again, GUICHET_ROUNDS sets another number.
func TestFaultMutatedCorpus(t *testing.T) {
	dir := fuzztest.Corpus(t)
	if dir == "" {
		t.Fatal("GUICHET_CORPUS is unset: no mails to damage")
	}
	times := 5
	if os.Getenv("GUICHET_FAULT") == "long" {
		times = 200
	}
	if n, err := strconv.Atoi(os.Getenv("GUICHET_ROUNDS")); err == nil {
		times = n
	}
	seed := rand.Uint64() >> 32
	if n, err := strconv.ParseUint(os.Getenv("GUICHET_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("GUICHET_SEED=%d", seed)
	m := mutator{rand: rand.New(rand.NewPCG(seed, 0))}
	files, mails, slowest := 0, 0, time.Duration(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || d.IsDir() || ext == ".md" || ext == ".json" || ext == "" {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		for range times {
			mails++
			took := readDamaged(t, path, m.damage(raw, filepath.Ext(path)))
			if slowest = max(slowest, took); took > time.Second {
				t.Errorf("%s, mail %d: %s of processor time", path, mails, took)
			}
		}
		return err
	})
	if err != nil || files < 500 {
		t.Fatalf("%d files: %v", files, err)
	}
	peak := peakMemory(t)
	if peak > 256 {
		t.Errorf("%d MB were resident", peak)
	}
	fmt.Printf("fault F12 seed=%d files=%d mails=%d slowest_ms=%d peak_rss_mb=%d panics=0\n", seed, files, mails, slowest.Milliseconds(), peak)
}

// readDamaged takes a mail through what reading does with it, and says how
// long that took.
func readDamaged(t *testing.T, path string, raw []byte) time.Duration {
	defer func() {
		if r := recover(); r != nil {
			t.Fatalf("%s: %v\n%.2000q", path, r, raw)
		}
	}()
	return fuzztest.CPU(t, func() {
		m := rfc822.Parse(raw)
		v := Classify(m, Envelope{From: "a@customer.example"}, true, nil)
		m.ReturnedIDs(raw)
		m.Forwarded(raw)
		for _, e := range m.Events(raw) {
			e.Line("fr")
		}
		for _, p := range m.Parts {
			io.Copy(io.Discard, p.Open(raw))
		}
		if v.Class == "" || !utf8.ValidString(m.Text) || !utf8.ValidString(m.Subject) {
			t.Errorf("%s: class %q, text %.100q", path, v.Class, m.Text)
		}
	})
}

func peakMemory(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	kb, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}

// mutator damages mails as the ways of the world do, and worse.
type mutator struct{ rand *rand.Rand }

var boundaryLine = regexp.MustCompile(`(?m)^--[^\s-][^\r\n]*`)

// damage gives one to three of the damages to a mail. What is no mail in the
// corpus becomes one: the damage is done to the file first.
func (m mutator) damage(raw []byte, ext string) []byte {
	b := bytes.Clone(raw)
	for range 1 + m.rand.IntN(3) {
		b = m.one(b)
	}
	switch ext {
	case ".tnef":
		return []byte("From: a@customer.example\nContent-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString(b))
	case ".html":
		return append([]byte("From: a@customer.example\nContent-Type: text/html; charset=utf-8\n\n"), b...)
	case ".txt":
		return append([]byte("From: a@customer.example\nContent-Type: text/plain; charset=utf-8\n\n"), b...)
	}
	return b
}

func (m mutator) one(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	from := m.rand.IntN(len(b))
	to := min(len(b), from+1+m.rand.IntN(1+len(b)/4))
	switch m.rand.IntN(10) {
	case 0: // cut
		return b[:from]
	case 1: // bits
		for range 1 + m.rand.IntN(20) {
			b[m.rand.IntN(len(b))] ^= 1 << m.rand.IntN(8)
		}
	case 2: // a piece is lost
		return append(b[:from:from], b[to:]...)
	case 3: // a piece comes twice
		return append(bytes.Clone(b[:to]), b[from:]...)
	case 4: // line ends
		return bytes.ReplaceAll(b, []byte("\r\n"), []byte([]string{"\n", "\r", "\r\r\n"}[m.rand.IntN(3)]))
	case 5:
		return bytes.ReplaceAll(b, []byte("\n"), []byte([]string{"\r\n", "\r", "\n "}[m.rand.IntN(3)]))
	case 6: // boundaries change places
		if all := boundaryLine.FindAll(b, 50); len(all) > 1 {
			one, other := all[m.rand.IntN(len(all))], all[m.rand.IntN(len(all))]
			return bytes.Replace(b, one, bytes.Clone(other), 1+m.rand.IntN(3))
		}
	case 7: // a header line comes again, somewhere
		lines := strings.SplitAfterN(string(b), "\n", 40)
		i, j := m.rand.IntN(len(lines)), m.rand.IntN(len(lines))
		return []byte(strings.Join(append(lines[:j:j], append([]string{lines[i]}, lines[j:]...)...), ""))
	case 8: // rubbish
		for i := from; i < to && i < from+200; i++ {
			b[i] = byte(m.rand.Uint32())
		}
	case 9: // an encoding or a charset that is not the mail's
		for _, p := range [][2]string{{"base64", "quoted-printable"}, {"quoted-printable", "base64"}, {"utf-8", "utf-16"}, {"iso-8859-1", "iso-2022-jp"}, {"text/plain", "multipart/mixed"}} {
			if m.rand.IntN(2) == 0 {
				b = bytes.ReplaceAll(b, []byte(p[0]), []byte(p[1]))
			}
		}
	}
	return b
}
