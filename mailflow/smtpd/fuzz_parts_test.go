package smtpd

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-smtp"

	"guichet/mailflow/fuzztest"
)

// unstuffed is RFC 5321 §4.5.2 word by word: the body before the first
// CRLF.CRLF, without the first dot of each line, and what follows. A line
// begins at the start and behind CRLF, nowhere else.
func unstuffed(b []byte) (body, rest []byte, whole bool) {
	for start := 0; ; {
		if bytes.HasPrefix(b[start:], []byte(".\r\n")) {
			return body, b[start+3:], true
		}
		line := b[start:]
		if i := bytes.Index(line, []byte("\r\n")); i >= 0 {
			line = line[:i+2]
		}
		body = append(body, bytes.TrimPrefix(line, []byte("."))...)
		if start += len(line); start >= len(b) || !bytes.HasSuffix(line, []byte("\r\n")) {
			return body, nil, false
		}
	}
}

// FuzzData: the body of DATA is what the RFC says, however the octets arrive,
// and what stands behind its end stays for the command reader. Without an end
// there is no mail.
func FuzzData(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\nQUIT\r\n", ".\r\n", "..\r\n.\r\n", "a\n.\n\r\n.\r\n", "a\r.\r\r\n.\r\n", "a\r\n.\n.\r\n", "a\r\r\n.\r\n", "\r\n.\rX\r\n.\r\n",
		strings.Repeat("x", 5000) + "\r\n..\r\n.\r\n", strings.Repeat("x", 4095) + "\r\n.\r\n", strings.Repeat("x", 4094) + "\r\n.\r\n"} {
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(0))
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add(append(bytes.Clone(raw), "\r\n.\r\nQUIT\r\n"...), uint8(7)) })
	f.Fuzz(func(t *testing.T, b []byte, split uint8) {
		want, rest, whole := unstuffed(b)
		var r io.Reader = bytes.NewReader(b)
		switch split % 3 {
		case 0:
			r = iotest.OneByteReader(r)
		case 1:
			r = iotest.HalfReader(r)
		}
		in := bufio.NewReaderSize(r, 16<<(split%9))
		var got bytes.Buffer
		var err error
		fuzztest.Cheap(t, func() { _, err = io.CopyBuffer(&got, onlyReader{newDotReader(in)}, make([]byte, 1+int(split))) })
		if whole != (err == nil) {
			t.Fatalf("end of mail: %v, the reader says %v", whole, err)
		}
		if !whole {
			return
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("read %q, want %q", got.Bytes(), want)
		}
		if left, _ := io.ReadAll(in); !bytes.Equal(left, rest) {
			t.Errorf("left %q, want %q", left, rest)
		}
	})
}

type onlyReader struct{ io.Reader }

// hops counts Received fields line by line.
func hops(b []byte) (n int) {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(b))
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			break
		}
		if _, ok := cutFold(line, received); ok {
			n++
		}
	}
	return n
}

// FuzzSieve: size, longest line and Received fields are the same however the
// octets are cut.
func FuzzSieve(f *testing.F) {
	f.Add([]byte("Received: x\r\nreceived: y\nRECEIVED:\rX: Received:\r\n\r\nReceived: body\r\n"), uint8(3))
	f.Add([]byte("\r\nReceived: x"), uint8(0))
	f.Add([]byte("a\r\r\n\n"), uint8(1))
	fuzztest.Mails(f, func(raw []byte) { f.Add(raw, uint8(len(raw))) })
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		s := sieve{maxSize: 1 << 40, maxLine: 1 << 40, maxHops: 1 << 40}
		fuzztest.Cheap(t, func() {
			for rest := b; len(rest) > 0; {
				n := min(1+int(step), len(rest))
				s.check(rest[:n])
				rest = rest[n:]
			}
		})
		if s.size != int64(len(b)) || s.hops != hops(b) {
			t.Errorf("%d octets and %d hops, want %d and %d", s.size, s.hops, len(b), hops(b))
		}
	})
}

// FuzzChunks: a mail that comes by BDAT is, octet for octet, what was sent,
// however it is cut, and the next command is found behind it.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("hello\r\n.\r\nMAIL FROM:<>\r\n"), uint8(3))
	f.Add([]byte("BDAT 5 LAST\r\n"), uint8(1))
	f.Add([]byte{0, '\r', '\n', '.', '\r', '\n'}, uint8(0))
	fuzztest.Mails(f, func(raw []byte) { f.Add(raw, uint8(255)) })
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		size := max(1+16*int(step), len(b)/20)
		var wire bytes.Buffer
		wire.WriteString("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<postmaster>\r\n")
		for rest := b; ; {
			n := min(size, len(rest))
			last := ""
			if n == len(rest) {
				last = " LAST"
			}
			wire.WriteString("BDAT " + strconv.Itoa(n) + last + "\r\n")
			wire.Write(rest[:n])
			if rest = rest[n:]; last != "" {
				break
			}
		}
		wire.WriteString("QUIT\r\n")
		answers, bodies := playOctets(t, Config{MaxMessageSize: 1 << 30, MaxLine: 1 << 30, MaxHops: 1 << 30}, wire.Bytes(), true)
		if len(bodies) != 1 || bodies[0] != string(b) || !strings.Contains(answers, "\r\n221 ") {
			t.Errorf("took %q, want %q\n%s", bodies, b, answers)
		}
	})
}

// FuzzMailbox: an address that is let in holds nothing that could end it, in a
// command or in a header field.
func FuzzMailbox(f *testing.F) {
	for _, s := range []string{"a@b.example", "a b@c", "a\"b@c", "a@[::1]", "a@b>", "a@b\r\nRCPT", "@", "a@", "é@b", "a@é", "\x00@b", "a@b@c", "a\\@b", "a@[]", "a@b\u2028"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, addr string, utf bool) {
		var clean string
		var refusal *smtp.SMTPError
		fuzztest.Cheap(t, func() { clean, refusal = mailbox(addr, utf, badSender) })
		if refusal != nil {
			if refusal.Code < 500 || strings.ContainsAny(line(refusal), "\x00") || strings.Count(line(refusal), "\n") != 1 || clean != "" {
				t.Errorf("%q: %v", addr, refusal)
			}
			return
		}
		at := strings.LastIndexByte(clean, '@')
		local, domain := clean[:at], clean[at+1:]
		if quoted := strings.HasPrefix(local, `"`); !quoted && strings.ContainsAny(local, "\"\\()<>,:;@[] ") || strings.ContainsAny(domain, "<>\"@, ") {
			t.Errorf("%q is let in as %q", addr, clean)
		}
		if !utf8.ValidString(clean) || strings.ContainsFunc(clean, unicode.IsControl) || !utf && !isASCII(clean) {
			t.Errorf("%q is let in as %q", addr, clean)
		}
	})
}
