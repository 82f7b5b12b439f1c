package imapfetch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store"
	"guichet/store/storetest"
)

// Under a new UIDVALIDITY nothing is taken twice, what came while nobody
// looked is taken, and what was there before us makes nothing.
func TestDovecotUIDValidity(t *testing.T) {
	d := imaptest.Start(t)
	for i := range 20 {
		d.DeliverAt("INBOX", mail(fmt.Sprintf("old %d", i)), time.Now().Add(-48*time.Hour))
	}
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, d.URL("INBOX"))
	f := w.fetcher(m).rooted(d)
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	d.Deliver("INBOX", mail("new 1"))
	w.exactly("new new 1")
	stop()
	d.Deliver("INBOX", mail("new 2"))
	d.ResetUIDs("INBOX")
	f = w.fetcher(m).rooted(d)
	stop = w.run(f)
	w.exactly("new new 1", "new new 2")
	d.Deliver("INBOX", mail("new 3"))
	w.exactly("new new 1", "new new 2", "new new 3")
	stop()
	if log := w.log.text(); !strings.Contains(log, `"there already, without ticket"=21 "of these taken before"=1 new=1 "held, may be old"=0`) {
		t.Error("the log does not say what was found")
	}
	// The same once more: what was taken meanwhile is known, too.
	d.ResetUIDs("INBOX")
	w.run(w.fetcher(m).rooted(d))
	d.Deliver("INBOX", mail("new 4"))
	w.exactly("new new 1", "new new 2", "new new 3", "new new 4")
}

// A folder that was made anew with 5,000 mails that nobody has seen: old by
// their time of arrival they make nothing; with a new one, and an old Date,
// they are shown and make no ticket.
func TestNewUIDValidity(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, s.url()))
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	first := mail("new 1")
	s.put(first)
	w.exactly("new new 1")
	stop()

	old := 5000
	if testing.Short() {
		old = 1000
	}
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	for i := range old {
		s.mails = append(s.mails, fakeMail{uid: s.next, raw: string(mail(fmt.Sprintf("old %d", i))), at: time.Now().Add(-72 * time.Hour)})
		s.next++
	}
	s.mu.Unlock()
	undated := func(subject, date string) []byte {
		return []byte("From: ada@customer.example\r\nMessage-ID: <" + subject + "@x>\r\n" + date + "Subject: " + subject + "\r\n\r\nWords.\r\n")
	}
	s.put(first, undated("ancient", "Date: Sat, 1 Jan 2000 10:00:00 +0000\r\n"), undated("undated", ""), mail("new 2"))
	f = w.fetcher(box(t, s.url()))
	stop = w.run(f)
	w.exactly("new new 1", "held ancient", "new undated", "new new 2")
	w.until("all is settled", func() bool { return f.UnreadableMailboxes() == 0 })
	if log := w.log.text(); !strings.Contains(log, fmt.Sprintf(`"there already, without ticket"=%d "of these taken before"=1 new=2 "held, may be old"=1`, old+1)) {
		t.Error("the log does not say what was found")
	}
	stop()
	w.run(w.fetcher(box(t, s.url())))
	s.put(mail("new 3"))
	w.exactly("new new 1", "held ancient", "new undated", "new new 2", "new new 3")
}

// What may be old is shown and not taken, also where the server did not give it
// at first.
func TestUnsureAndNotGiven(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	f := w.fetcher(m)
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	stop()
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	s.mu.Unlock()
	s.put([]byte("From: ada@customer.example\r\nDate: Sat, 1 Jan 2000 10:00:00 +0000\r\nSubject: ancient\r\n\r\nWords.\r\n"))
	s.refusesBody(1)
	w.run(w.fetcher(m))
	name := "A mail that could not be fetched: UID 1 of " + m.Name
	w.exactly("held " + name)
	s.hook(nil)
	w.exactly("done "+name, "held ancient")
	if held := w.delivery(2); held.Reason != unsureReason {
		t.Errorf("%+v", held)
	}
}

// What may be old and is too large is shown by its beginning, once.
func TestUnsureAndTooLarge(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	f := w.fetcher(m)
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	stop()
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	s.mu.Unlock()
	s.put(bytes.Replace(largeMail("ancient"), []byte("Date: "), []byte("Date: Sat, 1 Jan 2000 10:00:00 +0000\r\nX-Date: "), 1))
	stop = w.run(w.fetcher(m))
	w.exactly("held ancient")
	stop()
	if held, row := w.delivery(1), w.row(8, 1); held.Reason != unsureReason || row.State != store.MailCut || row.DeliveryID != held.ID {
		t.Errorf("%+v, %+v", held, row)
	}
	w.run(w.fetcher(m))
	s.put(mail("small"))
	w.exactly("held ancient", "new small")
}

// since: all fetches what is there at first sight.
func TestSinceAll(t *testing.T) {
	s := newFake(t, "IDLE")
	s.put(mail("old 1"), mail("old 2"))
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	w.run(w.fetcher(m))
	w.exactly("new old 1", "new old 2")
}

// The connection may end anywhere in the first sight; what came before it
// began makes no ticket even then, and what came after it began makes one.
func TestFirstSightCut(t *testing.T) {
	s := newFake(t, "IDLE")
	for i := range 450 {
		s.put(mail(fmt.Sprintf("old %d", i)))
	}
	fetches := 0
	s.hook(func(c *fakeConn, tag, command string) bool {
		if strings.Contains(command, "HEADER.FIELDS") {
			if fetches++; fetches == 2 {
				s.put(mail("new 1"))
				c.Close()
				return true
			}
		}
		return false
	})
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, s.url()))
	w.run(f)
	w.exactly("new new 1")
}
