package mailflow

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

// partWindow is how much of an encoded attachment is in memory at once.
const partWindow = 64 << 10

// StreamPart decodes an attachment out of its raw mail as it is read, to the
// bytes that [OpenPart] gives and at most p.Size of them. Errors are those of
// raw.
func StreamPart(p store.Part, raw io.ReaderAt) io.Reader {
	if outer, open, ok := rfc822.Inner(p.Encoding); ok {
		whole := p
		whole.Encoding, whole.Size = outer, math.MaxInt64
		return io.LimitReader(open(StreamPart(whole, raw)), p.Size)
	}
	section := io.NewSectionReader(raw, max(p.Offset, 0), max(p.Length, 0))
	src := bufio.NewReaderSize(section, partWindow)
	var r io.Reader = src
	switch p.Encoding {
	case "base64":
		r = &base64Stream{src: src}
	case "quoted-printable":
		r = &windows{src: src, encoding: p.Encoding, cut: cutQuoted}
	case "x-uuencode":
		// Where its data begin only the whole body tells. It is hardly seen.
		r = &windows{src: bufio.NewReaderSize(section, int(max(p.Length, 1))), encoding: p.Encoding,
			cut: func(b []byte) int { return len(b) }}
	}
	return io.LimitReader(r, p.Size)
}

// withoutShells drops each winmail.dat and smime.p7m whose files stand behind
// it: who gets them has no use for it, and a program that unpacks it would show
// them twice. The page still offers it.
func withoutShells(parts []store.Part) []store.Part {
	opened := map[int64]bool{} // where those lie that files were found in
	inner := func(p store.Part) bool { _, _, ok := rfc822.Inner(p.Encoding); return ok }
	for _, p := range parts {
		if inner(p) {
			opened[p.Offset] = true
		}
	}
	return slices.DeleteFunc(parts, func(p store.Part) bool { return p.RawID == 0 && opened[p.Offset] && !inner(p) })
}

// windows decodes a body piece by piece; cut finds the end of a piece that
// can be decoded without what follows.
type windows struct {
	src      *bufio.Reader
	encoding string
	cut      func([]byte) int
	left     io.Reader
}

func (r *windows) Read(p []byte) (int, error) {
	for {
		if r.left != nil {
			if n, err := r.left.Read(p); n > 0 || err != io.EOF {
				return n, err
			}
		}
		b, err := r.src.Peek(r.src.Size())
		if len(b) == 0 {
			return 0, err
		}
		n := len(b)
		switch err {
		case nil:
			n = r.cut(b)
		case io.EOF: // the last piece
		default:
			return 0, err
		}
		piece := bytes.Clone(b[:n])
		r.src.Discard(n)
		r.left = rfc822.Part{Encoding: r.encoding, Length: int64(n)}.Open(piece)
	}
}

// cutQuoted cuts quoted-printable after a line, or, where a line is longer
// than the window, where neither an escape nor a run of blanks is cut.
func cutQuoted(b []byte) int {
	if n := bytes.LastIndexByte(b, '\n') + 1; n > 0 {
		return n
	}
	for n := len(b); n > 1; n-- {
		if bytes.IndexByte([]byte("= \t\r"), b[n-1]) < 0 && b[n-2] != '=' {
			return n
		}
	}
	return len(b)
}

// base64Stream decodes as rfc822 does: what is no base64 is passed over, and
// data ends at the padding or at a line that is plainly none of it, for list
// programs append footers.
type base64Stream struct {
	src  *bufio.Reader
	quad uint32
	n    int  // characters in quad
	some bool // there was data: what follows can be a footer
	line bool // within a line
	err  error
	out  [3]byte
	left []byte // decoded bytes not yet given
}

func (r *base64Stream) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(r.left) == 0 {
			if r.err != nil {
				break
			}
			r.fill()
			continue
		}
		c := copy(p[n:], r.left)
		n, r.left = n+c, r.left[c:]
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// fill decodes the next four characters into left, or the last few.
func (r *base64Stream) fill() {
	for r.n < 4 {
		c, err := r.src.ReadByte()
		if err == nil && r.ends(c) {
			err = io.EOF
		}
		if err != nil {
			r.err = err
			break
		}
		if v := base64Values[c]; v > 0 {
			r.line, r.some = true, true
			r.quad = r.quad<<6 | uint32(v-1)
			r.n++
		}
	}
	q := r.quad << (6 * (4 - r.n))
	r.out = [3]byte{byte(q >> 16), byte(q >> 8), byte(q)}
	r.left = r.out[:max(r.n-1, 0)]
	r.quad, r.n = 0, 0
}

// ends says whether the data end before c: at the padding, or where a line
// begins with two characters that base64 does not have.
func (r *base64Stream) ends(c byte) bool {
	switch {
	case base64Values[c] > 0:
		return false
	case c == '=' && r.n >= 2:
		return true
	case c == '\n' || c == '\r':
		r.line = false
		return false
	case r.line || !r.some || c == ' ' || c == '\t' || c == '=':
		return false
	}
	r.line = true
	next, err := r.src.Peek(1)
	return err == nil && c > ' ' && next[0] > ' ' && base64Values[next[0]] == 0
}

// base64Values holds one more than the value of each character; 0: it has
// none.
var base64Values = func() (values [256]byte) {
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		values[c] = byte(i + 1)
	}
	return values
}()

// FileURL is the address of an attachment below a party's link. A hash names
// it, for a row number would tell how much mail the gateway has.
func FileURL(link string, p store.Part) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", link, p.MessageID, p.Path))
	return fmt.Sprintf("/t/%s/file/%x", link, sum[:8])
}
