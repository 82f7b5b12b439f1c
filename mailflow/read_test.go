package mailflow

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The bytes that the content key is made of stay as they are: the keys of
// older mails are in the store.
func TestWriteBody(t *testing.T) {
	naive := func(raw []byte) []byte {
		body := bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		if _, after, ok := bytes.Cut(body, []byte("\n\n")); ok {
			body = after
		}
		return bytes.TrimRight(body, "\n")
	}
	check := func(raw string) {
		t.Helper()
		var got bytes.Buffer
		writeBody(&got, []byte(raw))
		if want := naive([]byte(raw)); !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%q: %q, want %q", raw, got.Bytes(), want)
		}
	}
	check("A: b\r\n\r\nc\r\nd\r\n")
	check("A: b\n\nc\r\r\nd\n\r\n\n")
	check("no body")
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		raw := make([]byte, r.IntN(14))
		for i := range raw {
			raw[i] = "\r\n\nab"[r.IntN(5)]
		}
		check(string(raw))
	}
	long := make([]byte, 20_000)
	for i := range long {
		long[i] = "abcdefgh\r\n"[r.IntN(10)]
	}
	check(string(long))
}
