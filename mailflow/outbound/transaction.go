package outbound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-smtp"

	"guichet/store"
)

// step is how far an attempt came.
type step int

const (
	connecting step = iota
	mailing
	rcpting
	datas // DATA, before the 354
	body  // the mail itself, before the dot
	dot   // the reply to the dot
)

// failure is an attempt's end at a step.
type failure struct {
	step step
	err  error
}

// transact sends one mail over the session. On success it returns the relay's
// words for the 250.
func (s *session) transact(ctx context.Context, m *Mail, t *Timeouts) (string, *failure) {
	defer context.AfterFunc(ctx, s.close)()
	s.mails++
	c := s.client
	c.CommandTimeout = t.Command
	if s.pipes {
		s.wire.together(s.rcptLine(m), "DATA\r\n")
	}
	err := c.Mail(m.From, &smtp.MailOptions{Size: m.size(), UTF8: m.needsUTF8(), Return: smtp.DSNReturnHeaders})
	if err != nil {
		return "", &failure{mailing, err}
	}
	if err := s.rcpt(m); err != nil {
		return "", &failure{rcpting, err}
	}
	c.CommandTimeout = t.Data
	w, err := c.Data()
	if err != nil {
		return "", &failure{datas, err}
	}
	if err := s.write(m, w); err != nil {
		// The connection is closed without the dot: half a mail is no mail.
		return "", &failure{body, err}
	}
	store.Point("before", "final dot")
	r, err := w.CloseWithResponse()
	if err != nil && s.wire.cut {
		return "", &failure{body, err}
	}
	if err != nil {
		return "", &failure{dot, err}
	}
	store.Point("after", "final dot")
	return "250 " + r.StatusText, nil
}

func (s *session) rcpt(m *Mail) error {
	return s.client.Rcpt(m.To, &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifyFailure}})
}

// rcptLine is what rcpt makes go-smtp write.
func (s *session) rcptLine(m *Mail) string {
	if s.dsn {
		return "RCPT TO:<" + m.To + "> NOTIFY=FAILURE\r\n"
	}
	return "RCPT TO:<" + m.To + ">\r\n"
}

// wholeMail is the largest mail that goes out in one write, in bytes.
const wholeMail = 64 << 10

// write sends a mail but for its end. Most are handed to the wire at once: it
// puts them before the CRLF and dot that closing an empty w writes.
func (s *session) write(m *Mail, w io.Writer) error {
	if m.size() <= wholeMail {
		b := appendStuffed(s.out[:0], m.Header)
		b = appendStuffed(append(b, "\r\n"...), m.Body)
		s.out, s.wire.lead = b, bytes.TrimSuffix(b, []byte("\r\n"))
		return nil
	}
	for _, b := range [][]byte{m.Header, []byte("\r\n"), m.Body} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendStuffed appends whole lines and doubles the dots that they begin with
// (RFC 5321 §4.5.2).
func appendStuffed(b, lines []byte) []byte {
	if len(lines) > 0 && lines[0] == '.' {
		b = append(b, '.')
	}
	for {
		i := bytes.Index(lines, []byte("\n."))
		if i < 0 {
			return append(b, lines...)
		}
		b = append(append(b, lines[:i+2]...), '.')
		lines = lines[i+2:]
	}
}

// settled makes the session ready for the next mail after a failure, or says
// that it can't be.
func (s *session) settled(ctx context.Context, m *Mail, f *failure, hostname string) bool {
	defer context.AfterFunc(ctx, s.close)()
	if !spared(f.err) || !s.drained(m, f.step) {
		return false
	}
	if f.step != rcpting && f.step != datas {
		return f.step == dot || f.step == mailing
	}
	// go-smtp's Reset wants to greet anew; do it here, where it can't be taken
	// for a refusal of the next mail.
	return s.client.Reset() == nil && s.client.Hello(hostname) == nil
}

// spared says that an error is a refusal after which the relay goes on.
func spared(err error) bool {
	var e *smtp.SMTPError
	return errors.As(err, &e) && e.Code != 421 && e.Code >= 400 && e.Code <= 599
}

// drained reads the replies to what went out together with the command that
// was refused. It says whether the relay refused that, too: one that waits
// for a mail is given none, nor a dot that it might take for one (RFC 2920
// §3.1 would send it).
func (s *session) drained(m *Mail, refused step) bool {
	if refused == mailing && s.wire.sent > 0 {
		if err := s.rcpt(m); err != nil && !spared(err) {
			return false
		}
	}
	if s.wire.sent > 0 {
		if _, err := s.client.Data(); err == nil || !spared(err) {
			return false
		}
	}
	return true
}

// judge is the table from a failed step and the relay's answer to what it means
// for the row:
//
//	step        4xx                  421          5xx                   no reply
//	connect     trouble              trouble      trouble               trouble
//	MAIL        deferred, trouble¹   +trouble     failed¹ or +trouble²  +trouble
//	RCPT        deferred             +trouble     failed²               deferred
//	DATA, dot   deferred             +trouble     failed²               deferred
//
// "trouble" alone leaves the row untried; "+trouble" defers the row by its own
// schedule and pauses the queue. The row is tried there so that one whose mail
// breaks the relay cannot stand before all others for ever.
//
// ¹ A reply that speaks of this sender or this size is the row's alone.
// ² "Authenticate first", "start TLS first" and "unknown command" speak of the
// connection: trouble, and never a failure.
func judge(f *failure) Result {
	r := Result{State: Deferred, Reply: words(f), Tried: f.step >= mailing, Trouble: f.step <= mailing}
	var e *smtp.SMTPError
	if !errors.As(f.err, &e) || f.step == connecting {
		return r
	}
	switch {
	case e.Code == 421 || ofConnection(e.Code):
		r.Trouble = true
	case f.step == mailing && !ofRow(e):
	case e.Code/100 == 4:
		r.Trouble = false
	case e.Code/100 == 5 && !(f.step == rcpting && tooMany(e)):
		r.State, r.Trouble = Failed, false
	}
	return r
}

// ofConnection says whether a code speaks of how we speak to the relay (RFC
// 5321 §4.2.3, 4954 §6, 3207 §4), not of any mail.
func ofConnection(code int) bool {
	switch code {
	case 500, 502, 503, 530, 534, 535, 538:
		return true
	}
	return false
}

// ofRow says whether a reply to MAIL speaks of this sender or this size (RFC
// 3463 §3.2, §3.4, §3.7), which another mail may well pass.
func ofRow(e *smtp.SMTPError) bool {
	switch [2]int{e.EnhancedCode[1], e.EnhancedCode[2]} {
	case [2]int{1, 7}, [2]int{1, 8}, [2]int{3, 4}, [2]int{2, 3}, [2]int{6, 7}:
		return true
	}
	return e.Code == 552 || e.Code == 553
}

// tooMany says whether a 552 to RCPT is the old way to say "too many
// recipients", which RFC 5321 §4.5.3.1.10 wants taken for 452.
func tooMany(e *smtp.SMTPError) bool {
	bare := e.EnhancedCode == smtp.EnhancedCode{} || e.EnhancedCode == smtp.NoEnhancedCode
	return e.Code == 552 && (bare || e.EnhancedCode[1] == 5)
}

// words are the relay's reply as it came, or what went wrong instead.
func words(f *failure) string {
	var e *smtp.SMTPError
	if !errors.As(f.err, &e) {
		return oneLine(fmt.Sprintf("guichet: %s: %v", f.step, f.err))
	}
	code := fmt.Sprintf("%d ", e.Code)
	if e.EnhancedCode[0] > 0 {
		code += fmt.Sprintf("%d.%d.%d ", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
	}
	if f.step == connecting {
		return oneLine("guichet: " + f.step.String() + ": " + code + e.Message)
	}
	return oneLine(code + e.Message)
}

func (s step) String() string {
	return [...]string{"connect", "MAIL", "RCPT", "DATA", "send the mail", "wait for the reply to the final dot"}[s]
}
