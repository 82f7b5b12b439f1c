package mailflow

import (
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrases are texts that are looked for all at once, in one pass: by their
// first four bytes, of which few places of a text have any.
type phrases struct {
	list  []string
	begin map[uint32][]int // the phrases that begin with these bytes
	maybe [256]uint16      // bits, by hash: may a phrase begin so?
}

// newPhrases takes phrases of at least four bytes.
func newPhrases(list []string) *phrases {
	p := &phrases{list: list, begin: make(map[uint32][]int)}
	for i, s := range list {
		four := binary.LittleEndian.Uint32([]byte(s))
		p.begin[four] = append(p.begin[four], i)
		h := hashFour(four)
		p.maybe[h>>4] |= 1 << (h & 15)
	}
	return p
}

// hashFour gives twelve bits of four bytes (Knuth's multiplicative hash).
func hashFour(four uint32) uint32 { return four * 2654435761 >> 20 }

// in says which phrases text holds, in the order of the list; nil is none.
func (p *phrases) in(text string) []string {
	var found []bool
	var four uint32
	for i := range len(text) {
		four = four>>8 | uint32(text[i])<<24 // little-endian: the last four bytes
		h := hashFour(four)
		if p.maybe[h>>4]&(1<<(h&15)) == 0 || i < 3 {
			continue
		}
		for _, n := range p.begin[four] {
			if !strings.HasPrefix(text[i-3:], p.list[n]) {
				continue
			}
			if found == nil {
				found = make([]bool, len(p.list))
			}
			found[n] = true
		}
	}
	var out []string
	for n := range found {
		if found[n] {
			out = append(out, p.list[n])
		}
	}
	return out
}

// lowerWords is text in lower case, its words between single blanks.
func lowerWords(text string) string {
	out := make([]byte, 0, len(text)+1)
	for i := 0; i < len(text); {
		if c := lowerASCII[text[i]]; c > ' ' {
			out = append(out, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		i += n
		if !unicode.IsSpace(r) {
			out = utf8.AppendRune(out, unicode.ToLower(r))
		} else if len(out) > 0 && out[len(out)-1] != ' ' {
			out = append(out, ' ')
		}
	}
	if n := len(out); n > 0 && out[n-1] == ' ' {
		out = out[:n-1]
	}
	return string(out)
}

// lowerASCII holds the lower case of what prints in ASCII, else 0.
var lowerASCII = func() (low [256]byte) {
	for c := byte('!'); c <= '~'; c++ {
		low[c] = c
		if 'A' <= c && c <= 'Z' {
			low[c] = c + 'a' - 'A'
		}
	}
	return low
}()
