package rfc822

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// maxRTF is how much RTF is unpacked, in bytes: it packs up to 1:8. A mail of
// 2 MiB of text has that.
const maxRTF = 4 << 20

// rtfPrefix is what the packer's window holds at first ([MS-OXRTFCP] §2.1.2.1).
const rtfPrefix = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript ` +
	`\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` + "\r\n" +
	`\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// unpackRTF unpacks PR_RTF_COMPRESSED, up to limit bytes; nil if b is none.
func unpackRTF(b []byte, limit int) []byte {
	if len(b) < 16 {
		return nil
	}
	size := min(int64(binary.LittleEndian.Uint32(b[4:])), int64(limit))
	switch string(b[8:12]) {
	case "MELA": // not packed
		return b[16:min(16+size, int64(len(b)))]
	case "LZFu":
		return unpackLZFu(b[16:], int(size))
	}
	return nil
}

// unpackLZFu: each bit of a control byte says whether a byte follows, or two
// that point into a window of 4096 bytes.
func unpackLZFu(b []byte, size int) []byte {
	var window [4096]byte
	at := copy(window[:], rtfPrefix)
	out := make([]byte, 0, min(size, 9*len(b)+16))
	put := func(c byte) {
		window[at] = c
		at = (at + 1) % len(window)
		out = append(out, c)
	}
	for len(b) > 0 && len(out) < size {
		control := b[0]
		b = b[1:]
		for bit := 0; bit < 8 && len(b) > 0 && len(out) < size; bit++ {
			if control>>bit&1 == 0 {
				put(b[0])
				b = b[1:]
				continue
			}
			if len(b) < 2 {
				return out
			}
			ref := int(binary.BigEndian.Uint16(b))
			b = b[2:]
			from, n := ref>>4, ref&15+2
			if from == at {
				return out // the end
			}
			for ; n > 0 && len(out) < size; n-- {
				put(window[from])
				from = (from + 1) % len(window)
			}
		}
	}
	return out
}

// maxRTFDepth is how deep groups may nest; deeper ones count for their outer.
const maxRTFDepth = 200

// rtfGroup is what holds between two braces.
type rtfGroup struct {
	skip    bool // of no interest: fonts, pictures, unknown
	html    bool // a piece of the HTML that the RTF was made of
	hidden  bool // \htmlrtf: only for readers of RTF
	unicode int  // characters to pass over after \u
	fonts   bool // the table of fonts
	charset int  // codepage of the font; 0: the document's
}

// rtfReader takes the text out of RTF, or the HTML that Outlook has wrapped in
// it ([MS-OXRTFEX]).
type rtfReader struct {
	src      []byte
	codepage int
	html     bool
	stack    []rtfGroup
	deeper   int // groups within the last that count for it
	g        rtfGroup
	pass     int         // characters to pass over
	raw      []byte      // bytes in the codepage, not yet decoded
	fonts    map[int]int // codepages of fonts that have their own
	font     int         // the one that the table speaks of
	surr     rune        // the first half of a surrogate pair
	out      bytes.Buffer
}

// rtfSkipped are destinations without text of the mail.
var rtfSkipped = wordSet(`colortbl stylesheet info pict header footer headerl headerr footerl footerr listtable listoverridetable
	revtbl rsidtbl generator xmlnstbl themedata colorschememapping latentstyles datastore object objdata mmathPr footnote`)

// rtfCharsets are the codepages of \fcharset that a font may have.
var rtfCharsets = map[int]int{77: 10000, 128: 932, 129: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256,
	186: 1257, 204: 1251, 222: 874, 238: 1250}

// rtfText gives the text of src, or the HTML it was made of (html is true).
func rtfText(src []byte, codepage int) (text string, html bool) {
	r := rtfReader{src: src, codepage: codepage, g: rtfGroup{unicode: 1}, fonts: map[int]int{}}
	for len(r.src) > 0 {
		r.token()
	}
	r.flush()
	return r.out.String(), r.html
}

func (r *rtfReader) token() {
	c := r.src[0]
	r.src = r.src[1:]
	switch c {
	case '{':
		r.flush()
		if len(r.stack) < maxRTFDepth {
			r.stack = append(r.stack, r.g)
		} else {
			r.deeper++
		}
	case '}':
		r.flush()
		if r.pass = 0; r.deeper > 0 {
			r.deeper--
		} else if n := len(r.stack); n > 0 {
			r.g, r.stack = r.stack[n-1], r.stack[:n-1]
		}
	case '\\':
		r.control()
	case '\r', '\n', 0:
	default:
		r.char(c)
	}
}

// char adds a byte of text.
func (r *rtfReader) char(c byte) {
	if r.pass > 0 {
		r.pass--
		return
	}
	if r.shown() {
		r.raw = append(r.raw, c)
	}
}

// shown tells whether what stands here is wanted: of RTF made of HTML, that is
// the text outside \htmlrtf and the tags.
func (r *rtfReader) shown() bool { return !r.g.skip && (!r.html || r.g.html || !r.g.hidden) }

func (r *rtfReader) flush() {
	if len(r.raw) > 0 {
		s, _ := decodeCharset(r.raw, codepageName(cmp.Or(r.g.charset, r.codepage)))
		r.out.WriteString(s)
		r.raw = r.raw[:0]
	}
}

// control reads what follows a backslash.
func (r *rtfReader) control() {
	if len(r.src) == 0 {
		return
	}
	c := r.src[0]
	if !isLetter(c) {
		r.src = r.src[1:]
		r.symbol(c)
		return
	}
	n := 0
	for n < len(r.src) && n < 32 && isLetter(r.src[n]) {
		n++
	}
	word := string(r.src[:n])
	r.src = r.src[n:]
	num, given := r.number()
	if len(r.src) > 0 && r.src[0] == ' ' {
		r.src = r.src[1:]
	}
	r.word(word, num, given)
}

func (r *rtfReader) number() (num int, given bool) {
	n, minus := 0, false
	if len(r.src) > 1 && r.src[0] == '-' && r.src[1] >= '0' && r.src[1] <= '9' {
		minus, n = true, 1
	}
	for ; n < len(r.src) && n < 10 && r.src[n] >= '0' && r.src[n] <= '9'; n++ {
		num, given = num*10+int(r.src[n]-'0'), true
	}
	r.src = r.src[n:]
	if minus {
		num = -num
	}
	return num, given
}

func (r *rtfReader) symbol(c byte) {
	switch c {
	case '\'':
		if len(r.src) >= 2 && hexValue[r.src[0]] < 16 && hexValue[r.src[1]] < 16 {
			r.char(hexValue[r.src[0]]<<4 | hexValue[r.src[1]])
			r.src = r.src[2:]
		}
	case '*':
		r.destination()
	case '~':
		r.char(' ')
	case '\\', '{', '}':
		r.char(c)
	case '_':
		r.char('-')
	case '\r', '\n':
		r.char('\n')
	}
}

// destination handles "\*": what follows may be left out by who does not know
// it. We know the pieces of HTML.
func (r *rtfReader) destination() {
	if rest, ok := bytes.CutPrefix(r.src, []byte("\\htmltag")); ok {
		r.flush()
		r.src = rest
		r.number()
		if len(r.src) > 0 && r.src[0] == ' ' {
			r.src = r.src[1:]
		}
		if r.g.html = r.html; !r.html {
			r.g.skip = true
		}
		return
	}
	r.g.skip = true
}

func (r *rtfReader) word(word string, num int, given bool) {
	switch word {
	case "fromhtml":
		r.html = num == 1
	case "htmlrtf":
		r.flush()
		r.g.hidden = !given || num != 0
	case "ansicpg":
		if codepageName(num) != "" && num != 0 {
			r.codepage = num
		}
	case "par", "line", "row", "sect", "page":
		r.mark('\n')
	case "tab", "cell", "nestcell":
		r.mark('\t')
	case "lquote", "rquote":
		r.rune('\'')
	case "ldblquote", "rdblquote":
		r.rune('"')
	case "bullet":
		r.rune('•')
	case "endash", "emdash":
		r.rune('–')
	case "uc":
		r.g.unicode = min(max(num, 0), 8)
	case "u":
		r.unicode(num)
	case "f":
		r.flush()
		r.font, r.g.charset = num, r.fonts[num]
	case "fcharset":
		if n := rtfCharsets[num]; r.g.fonts && n != 0 && len(r.fonts) < 1000 {
			r.fonts[r.font] = n
		}
	case "fonttbl":
		r.g.skip, r.g.fonts = true, true
	case "bin": // bytes of a picture
		r.src = r.src[min(max(num, 0), len(r.src)):]
	default:
		if rtfSkipped.set[word] {
			r.g.skip = true
		}
	}
}

// mark adds what a control word stands for; HTML within tags has its own.
func (r *rtfReader) mark(c byte) {
	if r.pass = 0; r.shown() {
		r.raw = append(r.raw, c)
	}
}

func (r *rtfReader) rune(c rune) {
	if r.pass = 0; r.shown() {
		r.flush()
		r.out.WriteRune(c)
	}
}

// unicode handles "\u1234?": a character beyond the codepage, as a signed
// UTF-16 unit, and what stands for it elsewhere.
func (r *rtfReader) unicode(num int) {
	c := rune(num)
	if c < 0 {
		c += 1 << 16
	}
	switch {
	case c >= 0xd800 && c < 0xdc00:
		r.surr = c
	case c >= 0xdc00 && c < 0xe000 && r.surr != 0:
		r.rune((r.surr-0xd800)<<10 + (c - 0xdc00) + 0x10000)
		r.surr = 0
	default:
		r.rune(c)
		r.surr = 0
	}
	r.pass = r.g.unicode
}
