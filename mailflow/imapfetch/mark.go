package imapfetch

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
)

// mark does with mails in our hands what the configuration asks for. It may be
// done again with the same mails; those that have gone are passed over.
func (s *session) mark(uids []uint32) error {
	set := uidSet(uids)
	switch s.w.m.After {
	case Move:
		return s.move(set)
	case Delete:
		return s.remove(set)
	}
	return s.flag(set, imap.FlagSeen)
}

func (s *session) flag(set imap.UIDSet, flag imap.Flag) error {
	err := s.do(commandLimit, commandBudget, func() error {
		return s.c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}, nil).Close()
	})
	if err != nil {
		return fmt.Errorf("STORE %s: %w", flag, statusError(err))
	}
	return nil
}

// remove deletes for good where that can be done to these mails alone
// (RFC 4315 §2.1).
func (s *session) remove(set imap.UIDSet) error {
	if err := s.flag(set, imap.FlagDeleted); err != nil || !s.caps.Has(imap.CapUIDPlus) {
		return err
	}
	err := s.do(commandLimit, commandBudget, func() error { return s.c.UIDExpunge(set).Close() })
	if err != nil {
		return fmt.Errorf("UID EXPUNGE: %w", statusError(err))
	}
	return nil
}

// move moves mails, into a folder that is made if it is not there. Somebody
// else may make it meanwhile, as another mailbox of the same account: whether
// it is there is for the move to say.
func (s *session) move(set imap.UIDSet) error {
	err := s.moveOnce(set)
	var status *imap.Error
	if errors.As(err, &status) && status.Code == imap.ResponseCodeTryCreate {
		create := s.do(commandLimit, commandBudget, func() error { return s.c.Create(s.w.m.MoveTo, nil).Wait() })
		if err = s.moveOnce(set); err != nil && create != nil {
			return fmt.Errorf("CREATE %s: %w", s.w.m.MoveTo, statusError(create))
		}
	}
	if err != nil {
		return fmt.Errorf("MOVE to %s: %w", s.w.m.MoveTo, statusError(err))
	}
	return nil
}

// moveOnce is MOVE (RFC 6851), or else COPY and delete, in which what is
// deleted already was copied before.
func (s *session) moveOnce(set imap.UIDSet) error {
	if s.caps.Has(imap.CapMove) {
		return s.do(commandLimit, commandBudget, func() error {
			_, err := s.c.Move(set, s.w.m.MoveTo).Wait()
			return err
		})
	}
	left, err := s.notDeleted(set)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		err = s.do(commandLimit, commandBudget, func() error {
			_, err := s.c.Copy(left, s.w.m.MoveTo).Wait()
			return err
		})
	}
	if err != nil {
		return err
	}
	return s.remove(set)
}

func (s *session) notDeleted(set imap.UIDSet) (left imap.UIDSet, err error) {
	err = s.do(commandLimit, commandBudget, func() error {
		data, err := s.c.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{set}, NotFlag: []imap.Flag{imap.FlagDeleted}}, nil).Wait()
		if err == nil {
			left, _ = data.All.(imap.UIDSet)
		}
		return err
	})
	return left, err
}
