package imapfetch

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store"
	"guichet/store/storetest"
)

// A mail that the server cannot read itself keeps no other from being fetched,
// is shown among the held mails, and comes once it can be read.
func TestUnreadableMail(t *testing.T) {
	d := imaptest.Start(t)
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, d.URL("INBOX"))).rooted(d)
	w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	d.Deliver("INBOX", mail("first"))
	w.exactly("new first")
	hidden := d.DeliverHidden("INBOX", mail("second"))
	d.Deliver("INBOX", mail("third"))
	w.until("it is shown, and the others came", func() bool {
		got := w.taken()
		return got["new third"] == 1 && len(got) == 3
	})
	shown := w.delivery(2)
	if shown.State != store.DeliveryHeld {
		shown = w.delivery(3)
	}
	if shown.State != store.DeliveryHeld || shown.Stop != "receive" || !strings.Contains(shown.Reason, "could not be fetched from "+f.Mailboxes[0].Name) {
		t.Errorf("%+v", shown)
	}
	if err := os.Chmod(d.Where("INBOX", hidden), 0o644); err != nil {
		t.Fatal(err)
	}
	w.until("it comes", func() bool { return w.taken()["new second"] == 1 })
	if shown = w.delivery(shown.ID); shown.State != store.DeliveryDone || !strings.HasPrefix(shown.Reason, "fetched whole as mail ") {
		t.Errorf("%+v", shown)
	}
}

// leavesOut answers a FETCH of sizes without one mail.
func (f *fake) leavesOut(uid uint32) {
	f.hook(func(c *fakeConn, tag, command string) bool {
		if !strings.Contains(command, "RFC822.SIZE") || !inSet(command, uid) {
			return false
		}
		f.mu.Lock()
		in, mails := setOf(command), f.here()
		f.mu.Unlock()
		for _, m := range mails {
			if in(m.uid) && m.uid != uid {
				c.fetch(strings.Replace(command, setPattern.FindStringSubmatch(command)[1], strconv.Itoa(int(m.uid)), 1))
			}
		}
		c.say("%s OK done", tag)
		return true
	})

}

// What the server says nothing of when it is asked for sizes is fetched all
// the same, and marked as taken.
func TestLeftOut(t *testing.T) {
	s := newFake(t, "IDLE MOVE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All, m.After, m.MoveTo = true, Move, "Processed"
	s.leavesOut(2)
	s.put(mail("first"), mail("second"), mail("third"))
	w.run(w.fetcher(m))
	w.exactly("new first", "new second", "new third")
	w.until("all are moved", func() bool { return s.left() == 0 })
}

// The same when it is looked through what is there: at first sight it makes
// no ticket, and under a new UIDVALIDITY it is not lost, but may be old.
func TestLeftOutOfTheScan(t *testing.T) {
	s := newFake(t, "IDLE")
	s.put(mail("old"))
	s.leavesOut(1)
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, s.url()))
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	s.put(mail("first"))
	w.exactly("new first")
	stop()
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	s.mu.Unlock()
	s.put(mail("second"), mail("first"), mail("third"))
	s.leavesOut(3)
	w.run(w.fetcher(box(t, s.url())))
	w.exactly("new first", "new second", "held third")
}

// refusesBody answers NO to a FETCH of a mail's text as long as the mail is
// there.
func (f *fake) refusesBody(uid uint32) {
	f.hook(func(c *fakeConn, tag, command string) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !strings.Contains(command, "BODY.PEEK[]") || !inSet(command, uid) || f.mails[uid-1].gone != "" {
			return false
		}
		c.say("%s NO [SERVERBUG] not now", tag)
		return true
	})
}
