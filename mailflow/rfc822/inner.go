package rfc822

import (
	"io"
	"strconv"
	"strings"
)

// Inner parts the encoding of a file inside another, as [Part] has it: the
// other is encoded as outer, and open finds the file in its decoded content.
// ok is false for any other encoding. An open file gives its content as read
// from r, but for a mail, of which it takes up to 4 MiB into memory, and for one
// of a signed mail, of which it takes up to 8 MiB.
func Inner(encoding string) (outer string, open func(r io.Reader) io.Reader, ok bool) {
	f := strings.SplitN(encoding, ":", 4)
	if len(f) != 4 {
		return "", nil, false
	}
	within, signed := strings.CutPrefix(f[0], signedKind)
	if !signed && f[0] != "tnef" && f[0] != "tnef-mail" {
		return "", nil, false
	}
	start, err1 := strconv.ParseInt(f[1], 10, 64)
	size, err2 := strconv.ParseInt(f[2], 10, 64)
	if err1 != nil || err2 != nil || start < 0 || size < 0 {
		return "", nil, false
	}
	if signed {
		return f[3], func(r io.Reader) io.Reader {
			return &signedReader{r: r, start: start, size: size, encoding: within}
		}, true
	}
	return f[3], func(r io.Reader) io.Reader {
		return &innerReader{r: r, skip: start, size: size, mail: f[0] == "tnef-mail"}
	}, true
}

// Opener opens parts of one mail one after the other, in their order. Files of
// one winmail.dat are read in one pass: each by itself decodes all before it. A
// signed mail is decoded once.
type Opener struct {
	Raw []byte // the mail

	of     Part // the winmail.dat that r reads, or the smime.p7m around signed
	r      *countedReader
	signed []byte
}

// Open is [Part.Open]. What it returned before must not be read any more.
func (o *Opener) Open(p Part) io.Reader {
	outer, open, ok := Inner(p.Encoding)
	if !ok {
		return p.Open(o.Raw)
	}
	of := Part{Encoding: outer, Offset: p.Offset, Length: p.Length}
	if s, ok := open(nil).(*signedReader); ok {
		if of != o.of || o.signed == nil {
			b, _ := io.ReadAll(io.LimitReader(of.Open(o.Raw), maxSigned)) // Open never fails
			o.of, o.r, o.signed = of, nil, signedContent(b)
		}
		s.content = o.signed
		return s
	}
	if of != o.of || o.r == nil || o.r.n > open(nil).(*innerReader).skip {
		o.of, o.r = of, &countedReader{r: of.Open(o.Raw)}
	}
	return open(o.r)
}

// countedReader counts what was read.
type countedReader struct {
	r io.Reader
	n int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
