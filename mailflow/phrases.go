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
	var out strings.Builder
	out.Grow(len(text))
	word := true // a blank is due before the next character
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		i += n
		if unicode.IsSpace(r) {
			word = true
			continue
		}
		if word && out.Len() > 0 {
			out.WriteByte(' ')
		}
		word = false
		switch {
		case 'A' <= r && r <= 'Z':
			out.WriteByte(byte(r) + 'a' - 'A')
		case r < utf8.RuneSelf:
			out.WriteByte(byte(r))
		default:
			out.WriteRune(unicode.ToLower(r))
		}
	}
	return out.String()
}
