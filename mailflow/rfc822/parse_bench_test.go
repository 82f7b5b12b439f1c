package rfc822

import (
	"strings"
	"testing"
)

// BenchmarkParse reads a plain mail of 5 KB, as most are.
func BenchmarkParse(b *testing.B) {
	raw := []byte("From: Ada <ada@customer.example>\r\nTo: support@desk.example\r\nSubject: No dial tone\r\n" +
		"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <a@customer.example>\r\n\r\n" +
		strings.Repeat("The phone on the first floor is dead, and so is the one beside it.\r\n", 70))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if m := Parse(raw); m.Reply == "" {
			b.Fatal("no reply")
		}
	}
}
