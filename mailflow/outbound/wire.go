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

// wire is the connection below go-smtp's client, above TLS. It mends four
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
type wire struct {
	net.Conn
	block time.Duration // for one write

	ready []byte // whole lines, not yet read
	part  []byte // the begin of a line
	got   int    // bytes of the reply that is being read
	ehlo  bool   // that reply lists extensions
	err   error  // the first of a Read
}

func (w *wire) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.got, w.ehlo = 0, bytes.HasPrefix(b, []byte("EHLO "))
	if err := w.SetWriteDeadline(time.Now().Add(w.block)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	for len(w.ready) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		var buf [4096]byte
		n, err := w.Conn.Read(buf[:])
		w.take(buf[:n])
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
			w.part = bytes.ToUpper(w.part)
		}
		w.ready = append(append(w.ready, w.part...), "\r\n"...)
		w.part = w.part[:0]
	}
}

// pending says whether something came that was not asked for.
func (w *wire) pending() bool { return len(w.ready)+len(w.part) > 0 }
