package rfc822

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkParse reads mails as desks get them: see testdata/mails.
func BenchmarkParse(b *testing.B) {
	names, _ := filepath.Glob("../../testdata/mails/bench/*.eml")
	if len(names) == 0 {
		b.Fatal("testdata/mails/bench is empty")
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		benchmarkParse(b, strings.TrimSuffix(filepath.Base(name), ".eml"), raw)
	}
	plain, _ := os.ReadFile("../../testdata/mails/bench/plain-5k.eml")
	benchmarkParse(b, "attachment-1m", attach(plain, 1<<20))
	benchmarkParse(b, "attachment-25m", attach(plain, 25<<20))
}

func benchmarkParse(b *testing.B, name string, raw []byte) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if m := Parse(raw); m.Reply == "" {
				b.Fatal("no reply")
			}
		}
	})
}

// attach makes a mail of size bytes: mail, and a file in base64.
func attach(mail []byte, size int) []byte {
	header, body, _ := strings.Cut(string(mail), "Content-Type:")
	line := strings.Repeat("JVBE", 19) + "\r\n"
	return []byte(header + "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type:" + body +
		"\r\n--b1\r\nContent-Type: application/pdf; name=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(line, (size-len(mail))/len(line)) + "--b1--\r\n")
}
