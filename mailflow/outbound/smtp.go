package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// maxMails is how many mails one connection carries; relays differ in what
// they allow, and a new connection finds new addresses and certificates.
const maxMails = 100

// smtpRelay is a relay that speaks SMTP. It keeps connections for 30 s.
type smtpRelay struct {
	addr address
	opt  Options

	mu     sync.Mutex // guards all below; never held while the network is waited for
	idle   []*session // the newest last
	closed bool

	parting sync.WaitGroup // of those that say QUIT
}

func newSMTP(a address, opt Options) *smtpRelay { return &smtpRelay{addr: a, opt: opt} }

// Send makes one attempt. A kept connection that turns out to be dead before
// MAIL was accepted is replaced by a fresh one, once.
func (r *smtpRelay) Send(ctx context.Context, m Mail) Result {
	if bad := m.check(); bad.State != "" {
		return bad
	}
	if s := r.take(); s != nil {
		res, stale := r.try(ctx, s, &m)
		if !stale || ctx.Err() != nil {
			return res
		}
	}
	s, err := connect(ctx, r.addr, &r.opt)
	if err != nil {
		return judge(&failure{connecting, err})
	}
	res, _ := r.try(ctx, s, &m)
	return res
}

// try sends m over s, and keeps or closes s. stale says that s was dead
// before the relay took MAIL, so that nothing was said about this mail.
func (r *smtpRelay) try(ctx context.Context, s *session, m *Mail) (res Result, stale bool) {
	switch {
	case m.needsUTF8() && !s.utf8:
		r.keep(s)
		return refuse("5.6.7", "the relay does not take international addresses (no SMTPUTF8)"), false
	case s.maxLen > 0 && m.size() > s.maxLen:
		r.keep(s)
		return refuse("5.3.4", fmt.Sprintf("the mail has %d bytes, the relay takes %d", m.size(), s.maxLen)), false
	}
	used := s.mails > 0
	reply, f := s.transact(ctx, m, &r.opt.Timeouts)
	if f == nil {
		r.keep(s)
		return Result{State: Sent, Reply: oneLine(reply), Tried: true}, false
	}
	if s.settled(ctx, m, f, r.opt.Hostname) {
		r.keep(s)
	} else {
		s.close()
	}
	f.err = because(ctx, f.err)
	return judge(f), used && f.step == mailing && dead(f.err)
}

// dead says whether err means a closed connection: by a 421 (RFC 5321 §3.8),
// an end or a reset, but not by slowness.
func dead(err error) bool {
	var e *smtp.SMTPError
	if errors.As(err, &e) {
		return e.Code == 421
	}
	var n net.Error
	return errors.Is(err, io.EOF) || errors.As(err, &n) && !n.Timeout()
}

// take returns the kept connection that was used last, or nil. A session
// belongs to who took it off the list, be it this, drop or Close.
func (r *smtpRelay) take() *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.idle)
	if n == 0 {
		return nil
	}
	s := r.idle[n-1]
	r.idle = r.idle[:n-1]
	s.idle.Stop()
	return s
}

// keep puts a session back for the next mail, unless it has carried its share.
func (r *smtpRelay) keep(s *session) {
	r.mu.Lock()
	keep := !r.closed && s.mails < maxMails && len(r.idle) < r.opt.Connections
	if keep {
		s.idle = time.AfterFunc(r.opt.Timeouts.Idle, func() { r.drop(s) })
		r.idle = append(r.idle, s)
	}
	r.mu.Unlock()
	if !keep {
		s.part(r.opt.Timeouts.Quit)
	}
}

// drop closes a session that was idle for too long, if it still is.
func (r *smtpRelay) drop(s *session) {
	r.mu.Lock()
	i := slices.Index(r.idle, s)
	if i < 0 {
		r.mu.Unlock()
		return
	}
	r.idle = slices.Delete(r.idle, i, i+1)
	r.parting.Add(1)
	r.mu.Unlock()
	s.part(r.opt.Timeouts.Quit)
	r.parting.Done()
}

// Close says QUIT on the idle connections and keeps none from now on; those in
// use are closed with their mail.
func (r *smtpRelay) Close() error {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.closed = nil, true
	r.mu.Unlock()
	for _, s := range idle {
		s.idle.Stop()
		r.parting.Go(func() { s.part(r.opt.Timeouts.Quit) })
	}
	r.parting.Wait()
	return nil
}
