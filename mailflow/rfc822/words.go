package rfc822

import (
	"strings"
	"unicode/utf8"
)

// maxCharsetName is the longest charset name in an encoded word, in bytes, with
// RFC 2231's language. It bounds the search for each "=?" of a flood of them.
const maxCharsetName = 80

// word is an encoded word (RFC 2047 §2), decoded but not yet converted.
type word struct {
	charset string
	text    []byte
}

// wordScanner finds the encoded words of one string.
type wordScanner struct {
	s    string
	last int // the last "?=" of s: none follows it, so that none is sought
}

func newWordScanner(s string) wordScanner {
	return wordScanner{s: s, last: strings.LastIndex(s, "?=")}
}

// at returns the encoded word that starts at i, where "=?" stands, and where
// it ends; ok is false if there is none. Blanks inside, which RFC 2047 does
// not allow, are taken: programs that forget to encode them are common.
func (w *wordScanner) at(i int) (word, int, bool) {
	rest := w.s[i+2:]
	c := strings.IndexByte(rest[:min(len(rest), maxCharsetName)], '?')
	if c <= 0 || len(rest) < c+3 || rest[c+2] != '?' || strings.ContainsAny(rest[:c], " \t=\"") {
		return word{}, 0, false
	}
	start := i + 2 + c + 3
	if start > w.last || strings.IndexByte("qQbB", rest[c+1]) < 0 {
		return word{}, 0, false
	}
	n := strings.Index(w.s[start:], "?=")
	if n < 0 {
		return word{}, 0, false
	}
	charset, _, _ := strings.Cut(rest[:c], "*") // RFC 2231 §5: *language
	out := word{charset: charset}
	if text := w.s[start : start+n]; rest[c+1] == 'q' || rest[c+1] == 'Q' {
		out.text = wordQ(text)
		if !isASCII([]byte(text)) {
			out.text, out.charset = rawWord(text, charset), "utf-8"
		}
	} else {
		out.text = wordB(text)
	}
	return out, start + n + 2, true
}

// decodeWords decodes the encoded words of s. The bytes of neighbours in one
// charset are joined before they are converted: many programs split within a
// character, which RFC 2047 §5 forbids.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	d := wordDecoder{}
	w := newWordScanner(s)
	for pos := 0; ; {
		i := strings.Index(s[pos:], "=?")
		if i < 0 {
			d.literal(s[pos:])
			break
		}
		next, end, ok := w.at(pos + i)
		if ok {
			d.literal(s[pos : pos+i])
			d.word(next)
			pos = end
			continue
		}
		d.literal(s[pos : pos+i+2])
		pos += i + 2
	}
	d.flush()
	return d.out.String()
}

// wordDecoder joins what decodeWords finds.
type wordDecoder struct {
	out  strings.Builder
	run  word // neighbours not yet converted
	open bool // there are some
	gap  string
}

// literal takes text between encoded words; blanks between two of them are
// not shown (RFC 2047 §6.2), so they wait for what follows.
func (d *wordDecoder) literal(s string) {
	if d.open && strings.TrimLeft(s, " \t") == "" {
		d.gap = s
		return
	}
	d.flush()
	d.out.WriteString(s)
}

func (d *wordDecoder) word(w word) {
	if d.open && strings.EqualFold(d.run.charset, w.charset) {
		d.run.text, d.gap = append(d.run.text, w.text...), ""
		return
	}
	if d.open {
		d.gap = ""
	}
	d.flush()
	d.run, d.open = w, true
}

func (d *wordDecoder) flush() {
	if d.open {
		text, _ := decodeCharset(d.run.text, d.run.charset)
		d.out.WriteString(text)
	}
	d.out.WriteString(d.gap)
	d.open, d.gap = false, ""
}

// wordQ decodes the Q encoding (RFC 2047 §4.2); what is no escape stays.
func wordQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && hexValue[s[i+1]] < 16 && hexValue[s[i+2]] < 16:
			out = append(out, hexValue[s[i+1]]<<4|hexValue[s[i+2]])
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// rawWord decodes a Q word with raw 8-bit characters, which are UTF-8 by now:
// only what is escaped is in the word's charset.
func rawWord(s, charset string) []byte {
	var out []byte
	for len(s) > 0 {
		n := 0
		for n < len(s) && s[n] < utf8.RuneSelf {
			n++
		}
		text, _ := decodeCharset(wordQ(s[:n]), charset)
		out = append(out, text...)
		raw := n
		for raw < len(s) && s[raw] >= utf8.RuneSelf {
			raw++
		}
		out = append(out, s[n:raw]...)
		s = s[raw:]
	}
	return out
}

// wordB decodes base64, padded or not, past characters that are none of it.
func wordB(s string) []byte {
	r := base64Reader{src: []byte(s), words: true}
	out := make([]byte, 0, len(s)*3/4+3)
	for {
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err != nil || n == 0 {
			return out
		}
	}
}
