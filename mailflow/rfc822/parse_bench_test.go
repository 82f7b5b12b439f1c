package rfc822

import (
	"bytes"
	"encoding/base64"
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
	file := make([]byte, (size-len(mail))/78*57)
	for i := range file {
		file[i] = byte(i * i >> 3)
	}
	header, body, _ := bytes.Cut(mail, []byte("Content-Type:"))
	var out bytes.Buffer
	out.Write(header)
	out.WriteString("Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type:")
	out.Write(body)
	out.WriteString("\r\n--b1\r\nContent-Type: application/pdf; name=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for len(file) > 0 {
		n := min(len(file), 57)
		out.WriteString(base64.StdEncoding.EncodeToString(file[:n]) + "\r\n")
		file = file[n:]
	}
	out.WriteString("\r\n--b1--\r\n")
	return out.Bytes()
}
