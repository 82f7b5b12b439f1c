package imapfetch

import (
	"context"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// hasIdle says whether the server tells by itself of new mails.
func (s *session) hasIdle() bool { return s.caps.Has(imap.CapIdle) }

// how says in the log how new mails are noticed.
func (s *session) how() string {
	if s.hasIdle() {
		return "told by the server"
	}
	return fmt.Sprintf("looked for every %s", s.w.m.Poll)
}

// wait waits until there may be new mails. again says that it has been quiet
// for as long as is waited at most.
func (s *session) wait(ctx context.Context) (again bool, err error) {
	limit := s.w.m.Poll
	var idle *imapclient.IdleCommand
	if s.hasIdle() {
		limit = s.w.f.timing().idle
		if err := s.do(commandLimit, commandBudget, func() error { idle, err = s.c.Idle(); return err }); err != nil {
			return false, fmt.Errorf("IDLE: %w", statusError(err))
		}
	}
	if w := s.w; !w.next.IsZero() {
		limit = min(limit, max(w.next.Sub(w.f.Now()), 10*time.Millisecond))
	}
	s.g.allow(commandBudget, limit+s.w.f.timing().silence)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.news:
	case <-s.c.Closed():
	case <-ctx.Done():
		return false, nil
	case <-timer.C:
		again = true
	}
	if idle == nil {
		return again, nil
	}
	err = s.do(commandLimit, commandBudget, func() error {
		if err := idle.Close(); err != nil {
			return err
		}
		return idle.Wait()
	})
	if err != nil {
		return false, fmt.Errorf("IDLE: %w", statusError(err))
	}
	return again, nil
}
