package mailflow

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Texts made of pieces of the phrases hold some, nearly some, and some within
// others.
func TestPhrases(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hits := 0
	for _, p := range []*phrases{awayOpenings, challengePhrases} {
		for range 3000 {
			var b strings.Builder
			for range r.IntN(6) {
				s := p.list[r.IntN(len(p.list))]
				if r.IntN(3) == 0 {
					s = s[r.IntN(4) : len(s)-r.IntN(4)]
				}
				b.WriteString(s + " "[:r.IntN(2)])
			}
			text := b.String()
			var want []string
			for _, s := range p.list {
				if strings.Contains(text, s) {
					want = append(want, s)
				}
			}
			if got := p.in(text); !slices.Equal(got, want) {
				t.Fatalf("%q holds %q, want %q", text, got, want)
			}
			hits += len(want)
		}
	}
	if hits < 10_000 {
		t.Errorf("only %d phrases were there to be found", hits)
	}
}

func TestLowerWords(t *testing.T) {
	check := func(text string) {
		t.Helper()
		if got, want := lowerWords(text), strings.ToLower(strings.Join(strings.Fields(text), " ")); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	check("")
	check(" \u00a0 ")
	check("One  ÉTÉ\n\tà\u00a0LA\u2003mer ")
	check("İstanbul Ⱥ \u212a \xff x\xc3")
}
