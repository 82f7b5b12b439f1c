package outbound

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
)

// FuzzRelayURL: what is taken names a scheme and a host, passwords cross no
// network in clear text, and no error repeats one.
func FuzzRelayURL(f *testing.F) {
	for _, s := range []string{"maildir:var/outbox", "smtp://127.0.0.1:25", "smtps://mail.example", "smtp+starttls://mail.example:587", "smtp://mail.example?plain=yes",
		"smtps://u:hunter2@mail.example", "smtp://[::1%25x]:25", "smtp://loopback", "SMTPS://x", "smtps://x:99999", "smtps://x/..", "smtps://\x00", "smtps://x#y", "://"} {
		f.Add(s, "", "")
		f.Add(s, "u", "hunter2")
	}
	f.Fuzz(func(t *testing.T, raw, user, password string) {
		var a address
		var err error
		fuzztest.Cheap(t, func() { a, err = check(raw, Options{User: user, Password: password}) })
		if err != nil {
			if len(password) > 8 && strings.Contains(err.Error(), password) && !strings.Contains(raw, password) {
				t.Errorf("the error holds the password: %v", err)
			}
			if u, _ := url.Parse(raw); u != nil && u.User != nil {
				if p, _ := u.User.Password(); len(p) > 8 && strings.Contains(err.Error(), p) && strings.Count(raw, p) == 1 {
					t.Errorf("the error holds the URL's password: %v", err)
				}
			}
			return
		}
		switch a.scheme {
		case schemeMaildir:
			if a.dir == "" {
				t.Errorf("%q has no folder", raw)
			}
		case schemePlain, schemeStartTLS, schemeTLS:
			if a.host == "" || a.port == "" {
				t.Errorf("%q: %+v", raw, a)
			}
			if a.scheme == schemePlain && user != "" && !loopback(a.host) {
				t.Errorf("%q: a password in clear text", raw)
			}
		default:
			t.Errorf("%q: scheme %q", raw, a.scheme)
		}
	})
}

// pieces is a connection that gives b in pieces of a size.
type pieces struct {
	net.Conn
	b    []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.size, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}
func (p *pieces) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }

// FuzzReply: of a relay's answers only whole lines are given up, however they
// arrive, and never more than the limit.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250\r\n", "250-a\n250 b\n", "220 x\r\n5", "250-size\r\n250 starttls\r\n", strings.Repeat("a", 2000), strings.Repeat("250-a\r\n", 10_000), "\r\r\n\n\x00"} {
		f.Add([]byte(s), uint8(3), true)
		f.Add([]byte(s), uint8(200), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8, ehlo bool) {
		read := func(size int) ([]byte, error) {
			w := &wire{Conn: &pieces{b: b, size: size}, block: time.Second}
			if ehlo {
				w.Write([]byte("EHLO x\r\n"))
			}
			var all bytes.Buffer
			var err error
			fuzztest.Cheap(t, func() { _, err = io.Copy(&all, w) })
			return all.Bytes(), err
		}
		got, err := read(1 + int(size))
		again, errAgain := read(4096)
		if len(b) <= maxReplyBytes && (!bytes.Equal(got, again) || err != errAgain) {
			t.Errorf("in pieces of %d: %q, %v; at once %q, %v", size, got, err, again, errAgain)
		}
		if len(got) > maxReplyBytes+4*bytes.Count(b, []byte("\n")) || len(got) > 0 && !bytes.HasSuffix(got, []byte("\r\n")) {
			t.Errorf("%d bytes: %.100q", len(got), got)
		}
		for line := range bytes.SplitSeq(got, []byte("\r\n")) {
			if len(line) > maxReplyLine+1 || bytes.ContainsRune(line, '\n') {
				t.Errorf("line %.100q", line)
			}
		}
	})
}

// FuzzEnvelope: what may go to a relay holds no octet that could end an
// address, a line or the mail.
func FuzzEnvelope(f *testing.F) {
	f.Add("a@b.example", "c@d.example", []byte("Subject: x\r\n\r\n"), []byte("y\r\n"))
	f.Add("a@b>c.example", "c@d.example", []byte("X: y\r\n"), []byte{})
	f.Add("", "a@b> SIZE=1", []byte("X: y\n"), []byte(".\r\n"))
	f.Add("a@b\r\nRCPT TO:<x@y>", "\u202ea@b", []byte("X: y\r\n\x00"), []byte("\r\n.\r"))
	fuzztest.Mails(f, func(raw []byte) {
		header, body, _ := bytes.Cut(bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r"), nil), []byte("\n"), []byte("\r\n")), []byte("\r\n\r\n"))
		for _, a := range rfc822.Parse(raw).From {
			f.Add(a.Address, a.Address, append(header, "\r\n\r\n"...), body)
		}
	})
	f.Fuzz(func(t *testing.T, from, to string, header, body []byte) {
		m := Mail{From: from, To: to, Header: header, Body: body}
		var r Result
		fuzztest.Cheap(t, func() { r = m.check() })
		if r != (Result{}) {
			if r.State != Failed || r.Reply != oneLine(r.Reply) || r.Reply == "" {
				t.Errorf("%+v", r)
			}
			return
		}
		for _, a := range []string{from, to} {
			if strings.ContainsAny(a, "<> \r\n\x00") || strings.ContainsFunc(a, unicode.IsControl) || len(a) > maxAddress || a != "" && !strings.Contains(a, "@") {
				t.Errorf("address %q", a)
			}
		}
		for _, b := range [][]byte{header, body} {
			rest := bytes.ReplaceAll(b, []byte("\r\n"), nil)
			if bytes.ContainsAny(rest, "\r\n\x00") {
				t.Errorf("loose octets in %q", b)
			}
		}
		if to == "" || len(header) == 0 {
			t.Errorf("a mail to %q with %d octets of header may go", to, len(header))
		}
	})
}
