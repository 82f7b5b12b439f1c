package rfc822

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Eight bytes at once have the classes of each.
func TestClassesProperty(t *testing.T) {
	for c := range 256 {
		for at := range 9 {
			s := strings.Repeat(" ", at) + string([]byte{byte(c)}) + strings.Repeat("~", 9)
			if got := classes(s); got != byteClass[c] {
				t.Errorf("%#x at %d: %b", c, at, got)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte(" ~\x1f\x7f\x80\xff")))).Draw(t, "s"))
		var want uint8
		for i := range len(s) {
			want |= byteClass[s[i]]
		}
		if got := classes(s); got != want {
			t.Fatalf("%q: %b, want %b", s, got, want)
		}
	})
}
