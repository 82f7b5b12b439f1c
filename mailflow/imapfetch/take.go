package imapfetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"guichet/mailflow"
	"guichet/store"
)

const (
	// headMax is how much of a mail is kept to see where it is to go, in
	// bytes. It is the reader's own limit of a header.
	headMax = 256 << 10
	// cutMax is how much is fetched of a mail that is too large, in bytes, at
	// most: words stand before files.
	cutMax = 1 << 20
	// stuckShown is after how many tries in vain a mail is shown among the
	// held ones.
	stuckShown = 3
)

var (
	errNotGiven = errors.New("the server has the mail and does not give it")
	errLonger   = errors.New("the server gives a longer mail than it said")
)

// take takes one mail, or notes why it could not. Its error is of the
// connection or of our own side: the look ends with it.
func (w *worker) take(ctx context.Context, s *session, row store.MailboxMail, heldReason string) error {
	if err := w.f.Receiver.Ready(row.Size); err != nil {
		return &paused{err}
	}
	limit := w.f.maxMessage()
	part := &imap.FetchItemBodySection{Peek: true}
	if row.Size > limit {
		if gone, err := w.discarded(ctx, row); gone || err != nil {
			return err
		}
		part.Partial = &imap.SectionPartial{Size: min(limit, cutMax)}
	}
	err := w.fetch(ctx, s, row, part, limit, heldReason)
	if errors.Is(err, errLonger) || errors.Is(err, errBudget) {
		row.Size = max(row.Size, limit+1) // whatever the server said: its beginning is next
	}
	switch {
	case err == nil:
		delete(w.lost, row.UID)
		return nil
	case errors.Is(err, mailflow.ErrNotFetched):
		return err
	}
	return w.notGiven(ctx, row, err)
}

// discarded says that somebody has taken a mail off the list of those held
// that is too large. He has seen it: it becomes no ticket after all.
func (w *worker) discarded(ctx context.Context, row store.MailboxMail) (bool, error) {
	if row.DeliveryID == 0 {
		return false, nil
	}
	var d store.Delivery
	err := w.f.DB.View(ctx, func(tx *store.Tx) (err error) { d, err = tx.DeliveryByID(row.DeliveryID); return err })
	if err != nil || d.State == store.DeliveryHeld {
		return false, err
	}
	row.State = store.MailThere
	return true, w.put(row)
}

// notGiven notes that a mail did not come: because the server does not give
// it, or because the connection ended, which may be the mail's doing.
func (w *worker) notGiven(ctx context.Context, row store.MailboxMail, err error) error {
	var refusal *mailflow.Refusal
	switch {
	case isRefused(err) || errors.Is(err, errNotGiven):
		return w.stuck(ctx, row, err)
	case errors.Is(err, errLonger) || errors.Is(err, errBudget):
	case errors.As(err, &refusal) || ctx.Err() != nil || !w.losesAgain(row.UID):
		return err
	}
	return errors.Join(err, w.stuck(context.Background(), row, err))
}

// fetch streams one mail into the store, or its beginning. What is larger than
// that stays where it is, and is never touched.
func (w *worker) fetch(ctx context.Context, s *session, row store.MailboxMail, part *imap.FetchItemBodySection, limit int64, heldReason string) error {
	if part.Partial != nil {
		limit = part.Partial.Size
	}
	in := w.f.Receiver.Begin(mailflow.Envelope{Listener: mailflow.ListenerIMAP, Client: w.m.Name})
	into := &spool{to: in}
	err := s.do(commandLimit+time.Duration(limit/slowest)*time.Second, limit+commandBudget, func() error {
		return s.body(row.UID, part, limit, into)
	})
	if err == nil && !into.any {
		err = s.missing(row.UID)
		if err == nil { // it has vanished: somebody has moved or deleted it
			in.Abort()
			row.State = store.MailDone
			return w.put(row)
		}
	}
	if err != nil {
		in.Abort()
		return err
	}
	if part.Partial != nil && into.size == limit {
		row.State = store.MailCut
	} else {
		row.State, row.Size = store.MailTaken, into.size
	}
	row.Hash, _ = mailflow.MailHash(into.head)
	err = in.CommitFetched(ctx, mailflow.Fetched{Mailbox: w.box, Row: row, Desk: w.m.Desk, Head: into.head, Held: heldReason, Mine: w.mine})
	if err == nil {
		w.f.Fetched.Add(1)
		in.Told()
		if row.State == store.MailCut {
			w.log.Warn("fetched in part", "uid", row.UID, "bytes", row.Size, "limit", w.f.maxMessage())
			return nil
		}
		w.settling = append(w.settling, row.UID)
	}
	return err
}

// body fetches a mail, or its beginning, without marking it as seen.
func (s *session) body(uid uint32, part *imap.FetchItemBodySection, limit int64, into *spool) error {
	cmd := s.c.Fetch(uidSet([]uint32{uid}), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{part}})
	var err error
	for m := cmd.Next(); m != nil; m = cmd.Next() {
		for item := m.Next(); item != nil; item = m.Next() {
			body, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok || body.Literal == nil || into.any || err != nil {
				continue
			}
			if err = into.copy(body.Literal, limit); err != nil {
				s.g.Close() // the rest of it is not waited for
			}
			if into.cut {
				return err // cmd must not be asked any more: see spool.cut
			}
		}
	}
	if end := cmd.Close(); err == nil {
		err = statusError(end)
	}
	return err
}

// missing says whether a mail that did not come is still there.
func (s *session) missing(uid uint32) error {
	uids, err := s.search(uid)
	if err == nil && len(uids) > 0 && uids[0] == uid {
		err = errNotGiven
	}
	return err
}

// spool copies a mail and keeps its head.
type spool struct {
	to   io.Writer
	head []byte
	size int64
	any  bool
	// cut says that a literal broke off. go-imap then goes on in its own
	// goroutine, and would read it once more in ours if it were asked for what
	// follows.
	cut    bool
	failed error // of to
}

// literal is what go-imap gives of a mail.
type literal interface {
	io.Reader
	Size() int64
}

// copy takes a whole literal. go-imap ends one that was cut off as if that
// were its end.
func (s *spool) copy(l literal, limit int64) error {
	if l.Size() > limit {
		return errLonger
	}
	n, err := io.Copy(s, l)
	if err == nil && n != l.Size() {
		err = io.ErrUnexpectedEOF
	}
	s.any, s.cut = err == nil, err != nil && s.failed == nil
	return err
}

func (s *spool) Write(p []byte) (int, error) {
	if room := headMax - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
	n, err := s.to.Write(p)
	s.size += int64(n)
	s.failed = err
	return n, err
}

// show keeps a held delivery in the place of a mail that could not be fetched.
func (w *worker) show(ctx context.Context, row store.MailboxMail, reason string) error {
	head := fmt.Appendf(nil, "Subject: A mail that could not be fetched: UID %d of %s\r\n\r\n", row.UID, shown(w.m.Name))
	in := w.f.Receiver.Begin(mailflow.Envelope{Listener: mailflow.ListenerIMAP, Client: w.m.Name})
	if _, err := in.Write(head); err != nil {
		in.Abort()
		return err
	}
	err := in.CommitFetched(ctx, mailflow.Fetched{Mailbox: w.box, Row: row, Desk: w.m.Desk, Head: head, Held: reason, Mine: w.mine})
	if err == nil {
		w.f.Failed.Add(1)
		w.log.Warn("held", "uid", row.UID, "stop", "receive", "reason", reason, "do", "guichet held list")
	}
	return err
}

// stuck notes a try in vain. The mail is tried again, behind all others.
func (w *worker) stuck(ctx context.Context, row store.MailboxMail, why error) error {
	if row.State != store.MailUnsure { // which it stays until it is shown whole
		row.State = store.MailStuck
	}
	row.Tries++
	row.Due = w.f.Now().Add(w.f.timing().stuckFor(row.Tries))
	w.tryAt(row.Due)
	w.log.Warn("not fetched", "uid", row.UID, "try", row.Tries, "next", row.Due.UTC().Format(time.RFC3339), "err", why)
	if row.Tries >= stuckShown && row.DeliveryID == 0 {
		return w.show(ctx, row, fmt.Sprintf("could not be fetched from %s (UID %d), and is tried again: %s", w.m.Name, row.UID, shown(why.Error())))
	}
	return w.put(row)
}

// stuckFor is how long a mail waits after so many tries in vain.
func (t *timing) stuckFor(tries int) time.Duration {
	return min(t.stuck<<min(max(tries, 1)-1, 10), t.longest)
}

// losesAgain counts the connections that ended while there was to do with a
// mail. One that ends three in a row may be what ends them.
func (w *worker) losesAgain(uid uint32) bool {
	w.lost[uid]++
	if w.lost[uid] < stuckShown {
		return false
	}
	delete(w.lost, uid)
	return true
}
