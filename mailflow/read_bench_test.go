package mailflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

// BenchmarkRead is stages 2 and 3 without the store: a mail is parsed and
// classified, and its two keys are made.
func BenchmarkRead(b *testing.B) {
	names, _ := filepath.Glob("../testdata/mails/bench/*.eml")
	if len(names) == 0 {
		b.Fatal("testdata/mails/bench is empty")
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		benchmarkRead(b, strings.TrimSuffix(filepath.Base(name), ".eml"), raw)
	}
	large := "From: ada@customer.example\r\nContent-Type: application/pdf; name=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(strings.Repeat("JVBE", 19)+"\r\n", 25<<20/78)
	benchmarkRead(b, "attachment-25m", []byte(large))
}

func benchmarkRead(b *testing.B, name string, raw []byte) {
	s := testSettings()
	ours := func(a string) bool { return s.Route(a).Desk != nil }
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			in := &incoming{d: store.Delivery{Desk: "support"}, mail: rfc822.Parse(raw)}
			in.verdict = Classify(in.mail, Envelope{From: ada}, true, ours)
			in.hash(raw)
			if !in.verdict.Answerable {
				b.Fatal(in.verdict.Reason)
			}
		}
	})
}
