package imapfetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const (
	commandLimit  = 2 * time.Minute // of a command that brings no mail
	commandBudget = 1 << 20         // bytes
	// searchBudget lets a server without ESEARCH list two million mails.
	searchBudget = 24 << 20
	// slowest is how slowly a mail may come, in bytes a second, on average.
	slowest = 4 << 10
	// silence is how long a server may say nothing while it has a command.
	silence = time.Minute
)

// session is one connection with a folder selected.
type session struct {
	w    *worker
	g    *guard
	c    *imapclient.Client
	caps imap.CapSet
	news chan struct{} // the folder may have new mails
	stop func() bool
}

// open connects, logs in and selects the folder.
func (w *worker) open(ctx context.Context) (*session, *imap.SelectData, error) {
	g, err := connect(ctx, w.m, w.f.RootCAs)
	if err != nil {
		return nil, nil, err
	}
	s := &session{w: w, g: g, news: make(chan struct{}, 1)}
	g.allow(commandBudget, silence)
	s.c = imapclient.New(g, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				s.tick()
			}
		},
	}})
	s.stop = context.AfterFunc(ctx, func() { g.Close() })
	selected, err := s.begin(ctx)
	if err != nil {
		s.close()
		return nil, nil, g.why(err)
	}
	return s, selected, nil
}

func (s *session) begin(ctx context.Context) (*imap.SelectData, error) {
	if err := s.do(commandLimit, commandBudget, s.greeting); err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if err := s.login(ctx); err != nil {
		return nil, err
	}
	// What is offered may be more after the login.
	if err := s.do(commandLimit, commandBudget, s.askCaps); err != nil {
		return nil, fmt.Errorf("CAPABILITY: %w", err)
	}
	return s.selectFolder()
}

func (s *session) greeting() error {
	if err := s.c.WaitGreeting(); err != nil {
		return err
	}
	return s.askCaps()
}

func (s *session) askCaps() error {
	if s.caps = s.c.Caps(); s.caps == nil {
		return errors.New("the server does not say what it can")
	}
	return nil
}

// tick says that there may be new mails.
func (s *session) tick() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// close ends the connection without a word: what it had in hand is known.
func (s *session) close() {
	s.stop()
	s.g.Close()
	s.c.Close()
}

// do runs one command with a time limit and a byte budget. go-imap waits for
// a silent server for ever, and reads all that one sends.
func (s *session) do(limit time.Duration, bytes int64, command func() error) error {
	s.g.allow(bytes, s.w.f.timing().silence)
	late := time.AfterFunc(limit, func() { s.g.end(fmt.Errorf("no answer within %s", limit)) })
	defer late.Stop()
	if err := command(); err != nil {
		return s.g.why(err)
	}
	return nil
}

// selectFolder selects the folder, also once more, to see whether it still is
// the one it was.
func (s *session) selectFolder() (data *imap.SelectData, err error) {
	err = s.do(commandLimit, commandBudget, func() error {
		data, err = s.c.Select(s.w.m.Folder, nil).Wait()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("SELECT: %w", statusError(err))
	}
	if data.UIDValidity == 0 {
		return nil, errors.New("the server gives no UIDVALIDITY: its mails cannot be told apart (RFC 3501 §2.3.1.1)")
	}
	return data, nil
}

// search lists the UIDs from one on, the lowest first.
func (s *session) search(from uint32) ([]uint32, error) {
	var options *imap.SearchOptions
	if s.caps.Has(imap.CapESearch) {
		options = &imap.SearchOptions{ReturnAll: true}
	}
	var uids []uint32
	err := s.do(commandLimit, searchBudget, func() error {
		data, err := s.c.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: imap.UID(from)}}}}, options).Wait()
		if err != nil {
			return err
		}
		set, _ := data.All.(imap.UIDSet)
		uids, err = listUIDs(set, from)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("SEARCH: %w", statusError(err))
	}
	return uids, nil
}

// maxFolder is how many mails a folder may have.
const maxFolder = 5_000_000

// listUIDs writes a set out. n:* names the last mail even if its UID is below
// n (RFC 3501 §6.4.8), so what is below is left out.
func listUIDs(set imap.UIDSet, from uint32) (uids []uint32, err error) {
	for _, r := range set {
		if r.Start == 0 || r.Stop == 0 {
			return nil, errors.New("the server lists no numbers")
		}
		lo, hi := min(uint32(r.Start), uint32(r.Stop)), max(uint32(r.Start), uint32(r.Stop))
		if lo = max(lo, from); lo > hi {
			continue
		}
		if uint64(len(uids))+uint64(hi-lo)+1 > maxFolder {
			return nil, fmt.Errorf("the folder has more than %d mails", maxFolder)
		}
		for u := uint64(lo); u <= uint64(hi); u++ {
			uids = append(uids, uint32(u))
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// found is what a server says of a mail besides its text.
type found struct {
	uid  uint32
	size int64
	date time.Time
	head []byte // of the fields that MailHash looks at
}

// describe asks for sizes, and for dates and headers too if heads is set. What
// the server leaves out stands there with its UID alone: whether it has
// vanished or is kept back shows when it is fetched.
func (s *session) describe(uids []uint32, heads bool) ([]found, error) {
	all := make([]found, len(uids))
	for i, uid := range uids {
		all[i].uid = uid
	}
	options := &imap.FetchOptions{UID: true, RFC822Size: true}
	budget := int64(commandBudget)
	if heads {
		options.InternalDate = true
		options.BodySection = []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, Peek: true,
			HeaderFields: []string{"Message-ID", "Date", "From", "Subject"}}}
		budget += int64(len(uids)) << 18
	}
	err := s.do(commandLimit+time.Duration(len(uids))*time.Second, budget, func() error {
		cmd := s.c.Fetch(uidSet(uids), options)
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			one, err := readFound(m)
			if err != nil {
				s.g.Close()
				return err // cmd must not be asked any more: see spool.cut
			}
			if i := slices.Index(uids, one.uid); i >= 0 {
				all[i] = one
			}
		}
		return cmd.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("FETCH of sizes: %w", statusError(err))
	}
	return all, nil
}

func readFound(m *imapclient.FetchMessageData) (f found, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			f.uid = uint32(item.UID)
		case imapclient.FetchItemDataRFC822Size:
			f.size = item.Size
		case imapclient.FetchItemDataInternalDate:
			f.date = item.Time
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil {
				continue
			}
			if f.head, err = io.ReadAll(io.LimitReader(item.Literal, headMax)); err == nil && int64(len(f.head)) < min(item.Literal.Size(), headMax) {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return f, err
			}
		}
	}
	return f, err
}

func uidSet(uids []uint32) (set imap.UIDSet) {
	for _, u := range uids {
		set.AddNum(imap.UID(u))
	}
	return set
}

// statusError makes one line of what a server answered.
func statusError(err error) error {
	var status *imap.Error
	if errors.As(err, &status) {
		return &refused{string(status.Type), shown(string(status.Code) + " " + status.Text)}
	}
	return err
}

// refused is a command to which the server said NO or BAD. The connection
// holds.
type refused struct{ status, text string }

func (r *refused) Error() string { return r.status + " " + r.text }

func isRefused(err error) bool {
	var r *refused
	return errors.As(err, &r)
}
