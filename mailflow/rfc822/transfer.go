package rfc822

import (
	"bytes"
	"io"
	"strings"
)

// base64Value and hexValue hold the value of each byte; 0xff: it has none.
var base64Value, hexValue = valueTables()

func valueTables() (b64, hex [256]byte) {
	for i := range b64 {
		b64[i], hex[i] = 0xff, 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		b64[c] = byte(i)
	}
	for i, c := range []byte("0123456789abcdef") {
		hex[c], hex[bytes.ToUpper([]byte{c})[0]] = byte(i), byte(i)
	}
	return b64, hex
}

// encodingName brings the spellings of Content-Transfer-Encoding to one.
func encodingName(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(s), ";")
	if i := strings.IndexByte(s, '('); i >= 0 {
		s = s[:i]
	}
	s = strings.Trim(s, " \t\"'")
	switch s {
	case "quoted printable", "quotedprintable", "quoted-printeable", "qp":
		return "quoted-printable"
	case "base-64", "base 64":
		return "base64"
	case "uuencode", "uue", "x-uue":
		return "x-uuencode"
	}
	if len(s) > 40 || strings.IndexByte(s, ':') >= 0 { // no mail names ours of files inside others
		return ""
	}
	return cleanLine(s)
}

// Open returns the part's decoded content; raw is the mail it was read from.
// It never fails: what can't be decoded is passed over (base64) or stays
// (quoted-printable). It never gives more bytes than the encoded body has, so
// that the decoded total of a mail is bounded by the mail's size; but for a mail
// inside a winmail.dat, whose text may be unpacked to 1 MiB.
func (p Part) Open(raw []byte) io.Reader {
	start := min(max(p.Offset, 0), int64(len(raw)))
	end := min(max(p.Offset+p.Length, start), int64(len(raw)))
	return openBody(raw[start:end], p.Encoding)
}

func openBody(body []byte, encoding string) io.Reader {
	switch encoding {
	case "base64":
		return &base64Reader{src: body}
	case "quoted-printable":
		return &qpReader{src: body}
	case "x-uuencode":
		return newUUReader(body)
	}
	if outer, open, ok := Inner(encoding); ok {
		return open(openBody(body, outer))
	}
	return bytes.NewReader(body)
}

// decodeBody decodes at most limit bytes of body. What is not encoded is not
// copied: the result may only be read.
func decodeBody(body []byte, encoding string, limit int) []byte {
	r := openBody(body, encoding)
	if _, ok := r.(*bytes.Reader); ok {
		return body[:min(len(body), limit)]
	}
	out := make([]byte, min(len(body)+2, limit)) // uuencode's last line may be cut short
	n, _ := io.ReadFull(r, out)
	return out[:n]
}

// base64Reader decodes RFC 2045 §6.8 leniently. Data ends at the padding, or
// at a line that is plainly none of it: list programs append footers.
type base64Reader struct {
	src   []byte
	words bool // an encoded word: no lines
	quad  uint32
	n     int  // characters in quad
	some  bool // there was data: what follows can be a footer
	done  bool
	line  bool // within a line
	out   [3]byte
	left  []byte // decoded bytes not yet given
}

func (r *base64Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(r.left) > 0 {
			c := copy(p[n:], r.left)
			n, r.left = n+c, r.left[c:]
			continue
		}
		if c := r.quads(p[n:]); c > 0 {
			n += c
			continue
		}
		if r.done || !r.fill() {
			if n == 0 {
				return 0, io.EOF
			}
			break
		}
	}
	return n, nil
}

// quads decodes into p as long as four characters follow that are all data, as
// within a line. It is what nearly all of an attachment goes through.
func (r *base64Reader) quads(p []byte) int {
	n, src := 0, r.src
	for n+3 <= len(p) && len(src) >= 4 {
		a, b, c, d := base64Value[src[0]], base64Value[src[1]], base64Value[src[2]], base64Value[src[3]]
		if a|b|c|d > 63 {
			break
		}
		p[n], p[n+1], p[n+2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		n, src = n+3, src[4:]
	}
	if n > 0 {
		r.src, r.line, r.some = src, true, true
	}
	return n
}

// fill decodes the next four characters into left.
func (r *base64Reader) fill() bool {
	for i, c := range r.src {
		v := base64Value[c]
		if v > 63 {
			if c == '=' && r.n >= 2 || r.footer(i, c) {
				break
			}
			continue
		}
		r.line, r.some = true, true
		r.quad = r.quad<<6 | uint32(v)
		if r.n++; r.n == 4 {
			r.src = r.src[i+1:]
			r.emit()
			return true
		}
	}
	r.src, r.done = nil, true
	return r.emit()
}

// footer reports whether a text starts at src[i], which is c: a line with two
// characters at its start that base64 does not have.
func (r *base64Reader) footer(i int, c byte) bool {
	if c == '\n' || c == '\r' {
		r.line = false
		return false
	}
	if r.words || r.line || !r.some || c == ' ' || c == '\t' || c == '=' {
		return false
	}
	r.line = true
	return i+1 < len(r.src) && c > ' ' && r.src[i+1] > ' ' && base64Value[r.src[i+1]] > 63
}

// emit gives what the characters in quad hold: 4 are 3 bytes, 3 are 2, 2 are 1.
func (r *base64Reader) emit() bool {
	q := r.quad << (6 * (4 - r.n))
	r.out = [3]byte{byte(q >> 16), byte(q >> 8), byte(q)}
	r.left = r.out[:max(r.n-1, 0)]
	r.quad, r.n = 0, 0
	return len(r.left) > 0
}

// qpReader decodes RFC 2045 §6.7 leniently: an escape that is none stays.
type qpReader struct {
	src  []byte
	keep int // blanks at the start of src that are known to stay
}

func (r *qpReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && len(r.src) > 0 {
		if c := r.run(p[n:]); c > 0 {
			n += c
			continue
		}
		if r.src[0] == '=' {
			n += r.escape(p[n:])
		} else {
			n += r.blanks(p[n:])
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// run gives the characters that stand for themselves whatever follows them.
func (r *qpReader) run(p []byte) int {
	if r.keep > 0 {
		return 0
	}
	n := 0
	for n < len(p) && n < len(r.src) {
		c := r.src[n]
		if c == '=' || (c == ' ' || c == '\t') && (n+1 == len(r.src) || r.src[n+1] <= ' ') {
			break
		}
		p[n] = c
		n++
	}
	r.src = r.src[n:]
	return n
}

// blanks gives a run of blanks, or passes it over at the end of a line, where
// it was added on the way (rule 3).
func (r *qpReader) blanks(p []byte) int {
	if r.keep == 0 {
		r.keep = blankRun(r.src)
		if r.keep < len(r.src) && (r.src[r.keep] == '\n' || r.src[r.keep] == '\r') {
			r.src, r.keep = r.src[r.keep:], 0
			return 0
		}
	}
	n := copy(p, r.src[:r.keep])
	r.src, r.keep = r.src[n:], r.keep-n
	return n
}

// blankRun returns the length of the run of blanks at the start of s.
func blankRun(s []byte) int {
	n := 0
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		n++
	}
	return n
}

// escape decodes what an equals sign starts, and returns the bytes given.
func (r *qpReader) escape(p []byte) int {
	s := r.src
	if len(s) >= 3 && hexValue[s[1]] < 16 && hexValue[s[2]] < 16 {
		p[0] = hexValue[s[1]]<<4 | hexValue[s[2]]
		r.src = s[3:]
		return 1
	}
	i := 1 + blankRun(s[1:])
	switch {
	case i == len(s): // the soft line break before the end
		r.src = nil
		return 0
	case s[i] == '\n':
		r.src = s[i+1:]
		return 0
	case s[i] == '\r':
		r.src = bytes.TrimPrefix(s[i+1:], []byte("\n"))
		return 0
	}
	p[0] = '='
	r.src = s[1:]
	return 1
}

// uuReader decodes x-uuencode bodies. (uuencoded text without a transfer
// encoding stays text.)
type uuReader struct {
	l    lines
	left []byte
	end  bool
}

func newUUReader(body []byte) *uuReader {
	r := &uuReader{l: lines{b: body, lf: -1}}
	for {
		line, ok := r.l.next()
		if !ok { // no begin line: data from the start
			r.l.back(0)
			return r
		}
		if bytes.HasPrefix(line, []byte("begin ")) {
			return r
		}
	}
}

func (r *uuReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		line, ok := r.l.next()
		if !ok || r.end || bytes.Equal(bytes.TrimSpace(line), []byte("end")) {
			r.end = true
			return 0, io.EOF
		}
		r.left = uuLine(line)
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// uuLine decodes a line: its length, then four characters for three bytes.
func uuLine(line []byte) []byte {
	if len(line) < 2 || line[0] < ' ' || line[0] > '`' {
		return nil
	}
	want := int(line[0]-' ') & 63
	line = line[1:]
	out := make([]byte, 0, 48)
	for i := 0; i < len(line) && len(out) < want; i += 4 {
		var q [4]uint32
		for j := range q {
			if i+j < len(line) && line[i+j] > ' ' {
				q[j] = uint32(line[i+j]-' ') & 63
			}
		}
		v := q[0]<<18 | q[1]<<12 | q[2]<<6 | q[3]
		out = append(out, byte(v>>16), byte(v>>8), byte(v))
	}
	return out[:min(want, len(out), len(line)+1)] // never more than the line has
}
