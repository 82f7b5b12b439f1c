package outbound

import (
	"context"
	"errors"
	"fmt"

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
	err := c.Mail(m.From, &smtp.MailOptions{Size: m.size(), UTF8: m.needsUTF8(), Return: smtp.DSNReturnHeaders})
	if err != nil {
		return "", &failure{mailing, err}
	}
	err = c.Rcpt(m.To, &smtp.RcptOptions{Notify: []smtp.DSNNotify{smtp.DSNNotifyFailure}})
	if err != nil {
		return "", &failure{rcpting, err}
	}
	c.CommandTimeout = t.Data
	w, err := c.Data()
	if err != nil {
		return "", &failure{datas, err}
	}
	for _, b := range [][]byte{m.Header, []byte("\r\n"), m.Body} {
		if _, err := w.Write(b); err != nil {
			// The connection is closed without the dot: half a mail is no mail.
			return "", &failure{body, err}
		}
	}
	store.Point("before", "final dot")
	r, err := w.CloseWithResponse()
	if err != nil {
		return "", &failure{dot, err}
	}
	store.Point("after", "final dot")
	return "250 " + r.StatusText, nil
}

// settled makes the session ready for the next mail after a failure, or says
// that it can't be.
func (s *session) settled(ctx context.Context, f *failure, hostname string) bool {
	var e *smtp.SMTPError
	if !errors.As(f.err, &e) || e.Code == 421 || e.Code < 400 || e.Code > 599 {
		return false
	}
	if f.step != rcpting && f.step != datas {
		return f.step == dot || f.step == mailing
	}
	defer context.AfterFunc(ctx, s.close)()
	// go-smtp's Reset wants to greet anew; do it here, where it can't be taken
	// for a refusal of the next mail.
	return s.client.Reset() == nil && s.client.Hello(hostname) == nil
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
