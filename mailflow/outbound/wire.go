package outbound

import (
	"bytes"
	"errors"
	"net"
	"time"
)

// Bounds of a reply, in bytes. go-smtp bounds the line (at 2000), not their
// number. RFC 5321 §4.5.3.1.5 allows 512 a line.
const (
	maxReplyBytes = 64 << 10
	maxReplyLine  = 1900
)

var errLongReply = errors.New("the relay's reply is too long (a line above 1900 octets, or 64 KiB in all)")

// wire is the connection below go-smtp's client, above TLS. It mends some
// things of what is above it:
//
//   - go-smtp sets an absolute deadline before each command and clears it
//     afterwards, which bounds each reply but leaves DATA without any limit:
//     against a relay that stops reading the client would hang for ever. So
//     each write sets its own.
//   - net/textproto takes the piece of a line before an error for the whole
//     line and forgets the error, so that after a time limit the rest would be
//     read as the answer to the next command. So only whole lines are given
//     up, and an error stays.
//   - It refuses a reply of a code alone, which RFC 5321 §4.2 allows; "250" to
//     the dot would be sent again for days. So a blank is put behind it.
//   - go-smtp compares EHLO keywords as written, but they are case-insensitive
//     (RFC 5321 §2.4). So they are folded.
//   - net/textproto looks at each octet of a mail, three times, and writes it
//     in pieces of 4 KiB. So it is given nothing: the mail, with its dots
//     doubled, goes out before the end that textproto writes (lead).
//   - go-smtp waits for each reply before its next command. Where the relay
//     offers PIPELINING (RFC 2920) the commands that will follow go out with
//     the first (together); each is dropped when go-smtp comes to it.
//   - It clears the deadline after each reply, which the next one sets anyway.
type wire struct {
	net.Conn
	block time.Duration // for one write

	buf   [1024]byte // of one Read below
	ready []byte     // whole lines, not yet read
	part  []byte     // the begin of a line
	got   int        // bytes of the reply that is being read
	ehlo  bool       // that reply lists extensions
	err   error      // the first of a Read

	lead  []byte   // goes out before the next Write
	ahead []string // commands that go-smtp has yet to write
	sent  int      // how many of them went out
	cut   bool     // a Write failed
}

var errAhead = errors.New("another command than the one that was sent ahead")

// together has commands go out with the next Write; go-smtp is to write them
// in that order.
func (w *wire) together(commands ...string) { w.ahead, w.sent = commands, 0 }

// SetDeadline bounds the next reply; writes have their own limit.
func (w *wire) SetDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	return w.SetReadDeadline(t)
}

func (w *wire) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.got, w.ehlo = 0, bytes.HasPrefix(b, []byte("EHLO "))
	out := b
	switch {
	case w.sent > 0:
		if w.ahead[0] != string(b) {
			w.err = errAhead
			return 0, w.err
		}
		w.ahead, w.sent = w.ahead[1:], w.sent-1
		return len(b), nil
	case len(w.ahead) > 0:
		out = append([]byte(nil), b...)
		for _, c := range w.ahead {
			out = append(out, c...)
		}
		w.sent = len(w.ahead)
	case len(w.lead) > 0:
		out, w.lead = append(w.lead, b...), nil
	}
	err := w.SetWriteDeadline(time.Now().Add(w.block))
	if err == nil {
		_, err = w.Conn.Write(out)
	}
	if err != nil {
		w.cut = true
		return 0, err
	}
	return len(b), nil
}

func (w *wire) Read(b []byte) (int, error) {
	for len(w.ready) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		n, err := w.Conn.Read(w.buf[:])
		w.take(w.buf[:n])
		if w.err == nil {
			w.err = err
		}
	}
	n := copy(b, w.ready)
	w.ready = w.ready[n:]
	return n, nil
}

// take sorts what came into lines.
func (w *wire) take(b []byte) {
	if w.got += len(b); w.got > maxReplyBytes {
		w.err = errLongReply
	}
	for len(b) > 0 && w.err == nil {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		b, w.part = rest, append(w.part, line...)
		if len(w.part) > maxReplyLine {
			w.err = errLongReply
			return
		}
		if !whole {
			return
		}
		w.part = bytes.TrimSuffix(w.part, []byte("\r"))
		if len(w.part) == 3 {
			w.part = append(w.part, ' ')
		}
		if w.ehlo {
			upper(w.part)
		}
		w.ready = append(append(w.ready, w.part...), "\r\n"...)
		w.part = w.part[:0]
	}
}

// upper folds ASCII letters alone: what is no UTF-8 must not grow.
func upper(b []byte) {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
}

// pending says whether something came that was not asked for.
func (w *wire) pending() bool { return len(w.ready)+len(w.part) > 0 }
