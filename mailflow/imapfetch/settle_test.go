package imapfetch

import (
	"slices"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store/storetest"
)

// What is in our hands is marked or deleted, over STARTTLS this time.
func TestDovecotAfter(t *testing.T) {
	d := imaptest.Start(t)
	w := newWorld(t, storetest.SQLite(t).Open())
	seen, gone := box(t, "imap+starttls://support@"+d.Addr+"/INBOX"), box(t, "imap+starttls://support@"+d.Addr+"/Help")
	gone.After = Delete
	d.Make("Help")
	f := w.fetcher(seen, gone).rooted(d)
	w.run(f)
	w.until("both are read", func() bool { return f.UnreadableMailboxes() == 0 })
	d.Deliver("INBOX", mail("for INBOX"))
	d.Deliver("Help", mail("for Help"))
	w.exactly("new for INBOX", "new for Help")
	w.until("one is marked as seen", func() bool { return strings.HasSuffix(d.Mails("INBOX")[0], ":2,S") })
	w.until("one is deleted", func() bool { return len(d.Mails("Help")) == 0 })
}

// A move that the server refuses makes no second ticket and stops nothing; it
// is done once the server does it. The same for a killed process: the journal
// has what it had taken.
func TestFailedMove(t *testing.T) {
	s := newFake(t, "IDLE MOVE UIDPLUS")
	refuse := func(c *fakeConn, tag, command string) bool {
		if !strings.HasPrefix(command, "UID MOVE") {
			return false
		}
		c.say("%s NO [OVERQUOTA] the folder is full", tag)
		return true
	}
	s.hook(refuse)
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.After, m.MoveTo = Move, "Processed"
	f := w.fetcher(m)
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	s.put(mail("first"))
	w.exactly("new first")
	w.until("the move was tried again", func() bool { return s.asked("UID MOVE") >= 2 })
	s.put(mail("second"))
	w.exactly("new first", "new second")
	if f.UnreadableMailboxes() != 0 {
		t.Error("a mailbox whose mails cannot be moved can be read")
	}
	stop()
	w.run(w.fetcher(m)) // after a restart it knows
	w.until("the move was tried again", func() bool { return s.asked("UID MOVE") >= 4 })
	s.hook(nil)
	w.until("both are moved", func() bool { return s.left() == 0 })
	w.exactly("new first", "new second")
}

// A server without MOVE copies and deletes; one without UIDPLUS only marks.
func TestMoveWithoutMove(t *testing.T) {
	for caps, want := range map[string][]string{"IDLE UIDPLUS": {"COPY", "STORE", "EXPUNGE"}, "IDLE": {"COPY", "STORE"}} {
		s := newFake(t, caps)
		w := newWorld(t, storetest.SQLite(t).Open())
		m := box(t, s.url())
		m.After, m.MoveTo = Move, "Processed"
		f := w.fetcher(m)
		stop := w.run(f)
		w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
		s.put(mail("first"))
		w.exactly("new first")
		w.until("it is settled", func() bool { return s.asked("UID "+want[len(want)-1]) == 1 })
		s.put(mail("second"))
		w.exactly("new first", "new second")
		w.until("it is settled", func() bool { return s.asked("UID "+want[len(want)-1]) == 2 })
		stop()
		s.mu.Lock()
		var did []string
		for _, c := range s.commands {
			if word := strings.Fields(c); word[0] == "UID" && !slices.Contains([]string{"SEARCH", "FETCH"}, word[1]) {
				did = append(did, word[1])
			} else if word[0] == "EXPUNGE" {
				t.Error("EXPUNGE removes what others have marked")
			}
		}
		s.mu.Unlock()
		if !slices.Equal(did, append(want, want...)) {
			t.Errorf("%s: %q", caps, did)
		}
	}
}

// A folder that is not there is made, here or by somebody else.
func TestMoveMakesFolder(t *testing.T) {
	for _, byOthers := range []bool{false, true} {
		s := newFake(t, "IDLE MOVE")
		s.hook(func(c *fakeConn, tag, command string) bool {
			switch {
			case strings.HasPrefix(command, "UID MOVE") && s.asked("CREATE") == 0:
				c.say("%s NO [TRYCREATE] no such folder", tag)
				return true
			case strings.HasPrefix(command, "CREATE") && byOthers:
				c.say("%s NO [ALREADYEXISTS] it is there", tag)
				return true
			}
			return false
		})
		w := newWorld(t, storetest.SQLite(t).Open())
		m := box(t, s.url())
		m.All, m.After, m.MoveTo = true, Move, "Processed"
		s.put(mail("first"))
		f := w.fetcher(m)
		f.times.settle = time.Hour
		w.run(f)
		w.until("it is moved", func() bool { return s.left() == 0 && s.asked(`CREATE "Processed"`)+s.asked("CREATE Processed") == 1 })
	}
}
