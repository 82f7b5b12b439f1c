package rfc822

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What is read without go-message is what go-message reads.
func TestPlainAddresses(t *testing.T) {
	pieces := []string{"ada@customer.example", "a.b@c.d", "<", ">", "<x@y.example>", " <x@y.example>", "Ada", " ", "Ada Lovelace", `"`, `"Lovelace, Ada"`,
		`"x@y.example" <`, ",", ", ", ".", "'", "-", "@", "=?utf-8?q?a?=", "..a@b.c", "é", "_", `""`, "!"}
	r := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 200_000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		got, ok := plainAddresses(b.String())
		if !ok {
			continue
		}
		plain++
		if want, ok := libraryAddresses(b.String()); !ok || !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q, %v", b.String(), got, want, ok)
		}
	}
	if plain < 5_000 {
		t.Errorf("only %d lists were plain", plain)
	}
	for _, s := range []string{"a@b.example", "Ada Lovelace <a@b.example>", `"Lovelace, Ada" <a@b.example>, b@c.example`} {
		if _, ok := plainAddresses(s); !ok {
			t.Errorf("%s: not plain", s)
		}
	}
}
