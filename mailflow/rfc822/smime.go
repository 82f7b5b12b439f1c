package rfc822

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// A mail that is signed but not in the clear is one file, smime.p7m: PKCS #7
// signed-data (RFC 5652, 8551 §3.5.2) around the mail's body. Nothing of it is
// secret, so its text is shown and its files are listed; whose signature it
// bears is not looked at.

const (
	maxSigned      = 8 << 20 // bytes read of one smime.p7m
	maxSignedDepth = 2       // signed within signed
	maxBERDepth    = 12
)

// Encrypted says that the mail has no words but, as far as is seen, what only
// somebody's key opens: S/MIME (RFC 8551 §3.3) or PGP/MIME (RFC 3156 §4).
func (m *Mail) Encrypted() bool {
	return m.sealed || !m.signed && noText(m.Text) && slices.ContainsFunc(m.Parts, func(p Part) bool {
		switch p.ContentType {
		case "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted":
			return true
		}
		return false
	})
}

// signed takes the text out of a signed mail that has no other, and lists the
// files that are in it behind it.
func (p *parser) signed(part Part, body []byte) {
	if part.ContentType != "application/pkcs7-mime" && part.ContentType != "application/x-pkcs7-mime" || !noText(p.m.Text) || p.depth >= maxSignedDepth {
		return
	}
	b := decodeBody(body, part.Encoding, maxSigned+1)
	over := len(b) > maxSigned
	content := signedContent(b[:min(len(b), maxSigned)])
	if content == nil {
		return
	}
	inner := parse(content, p.depth+1, over || p.torn != nil)
	p.m.Text, p.m.signed = inner.Text, !inner.Encrypted()
	if over {
		p.note("The signed mail is larger than 8 MiB; its files are not listed.")
		return
	}
	for _, f := range inner.Parts {
		if _, _, ok := Inner(f.Encoding); ok {
			continue // it lies in another one of them
		}
		if p.inner == maxTNEFFiles || len(p.m.Parts) == maxParts {
			p.note("The signed mail holds more files than are listed; the rest was left out.")
			return
		}
		f.Path, f.In, f.Encoding = part.Path+"."+f.Path, "smime.p7m", signedEncoding(f, part.Encoding)
		f.Offset, f.Length = part.Offset, part.Length
		p.addInner(f)
	}
}

// signedEncoding says where in the signed content a file stands, and how it is
// encoded there; see Inner.
func signedEncoding(f Part, outer string) string {
	return fmt.Sprintf("%s%s:%d:%d:%s", signedKind, f.Encoding, f.Offset, f.Length, outer)
}

const signedKind = "smime/"

// signedReader reads a file in signed content.
type signedReader struct {
	r           io.Reader // of the decoded smime.p7m
	content     []byte    // of r, if it was read
	start, size int64
	encoding    string
	file        io.Reader
}

func (s *signedReader) Read(p []byte) (int, error) {
	if s.file == nil {
		if s.content == nil {
			b, err := io.ReadAll(io.LimitReader(s.r, maxSigned))
			if err != nil {
				return 0, err
			}
			s.content = signedContent(b)
		}
		s.file = Part{Encoding: s.encoding, Offset: s.start, Length: s.size}.Open(s.content)
	}
	return s.file.Read(p)
}

// signedContent is what PKCS #7 signed-data signs; nil if b is none, such as
// encrypted data.
func signedContent(b []byte) []byte {
	outer := ber{b: b}
	if !outer.enter(0x30) || !outer.oid("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") || !outer.enter(0xa0) || !outer.enter(0x30) {
		return nil
	}
	outer.next() // version
	outer.next() // digest algorithms
	if !outer.enter(0x30) || !outer.oid("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01") || !outer.enter(0xa0) {
		return nil
	}
	tag, value, ok := outer.next()
	if !ok {
		return nil
	}
	return octets(tag, value, 0)
}

// octets joins an octet string, which may come in pieces.
func octets(tag byte, value []byte, depth int) []byte {
	switch {
	case tag == 0x04:
		return value
	case tag != 0x24 || depth == maxBERDepth:
		return nil
	}
	var all bytes.Buffer
	for r := (ber{b: value}); ; {
		tag, piece, ok := r.next()
		if !ok {
			return all.Bytes()
		}
		all.Write(octets(tag, piece, depth+1))
	}
}

// ber reads values of ASN.1 in BER: lengths may be left out, as streaming
// programs do.
type ber struct{ b []byte }

// next gives the next value; ok is false at the end, and where nothing makes
// sense. A value that was cut is given as far as it goes.
func (r *ber) next() (tag byte, value []byte, ok bool) {
	head, end, size := berSize(r.b, 0)
	if size == 0 || r.b[0] == 0 {
		return 0, nil, false
	}
	tag, value, r.b = r.b[0], r.b[head:end], r.b[size:]
	return tag, value, true
}

// enter goes into the next value, if it has this tag.
func (r *ber) enter(tag byte) bool {
	got, value, ok := r.next()
	if r.b = value; !ok || got != tag {
		r.b = nil
		return false
	}
	return true
}

// oid tells whether the next value is this object identifier.
func (r *ber) oid(want string) bool {
	tag, value, ok := r.next()
	return ok && tag == 6 && string(value) == want
}

// berSize gives where the content of the value at the beginning of b starts
// and ends, and the size of the whole; 0: there is none.
func berSize(b []byte, depth int) (head, end, size int) {
	if len(b) < 2 || b[0]&0x1f == 0x1f || depth > maxBERDepth {
		return 0, 0, 0
	}
	n := int(b[1])
	head = 2
	switch {
	case n == 0x80: // up to two zero bytes
		at := head
		for at+1 < len(b) && (b[at] != 0 || b[at+1] != 0) {
			_, _, inner := berSize(b[at:], depth+1)
			if inner == 0 {
				return 0, 0, 0
			}
			at += inner
		}
		at = min(at, len(b))
		return head, at, min(at+2, len(b))
	case n > 0x84:
		return 0, 0, 0
	case n > 0x80:
		head += n - 0x80
		if len(b) < head {
			return 0, 0, 0
		}
		n = 0
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	end = head + min(n, len(b)-head)
	return head, end, end
}
