package imapfetch

import (
	"bytes"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/store"
	"guichet/store/storetest"
)

// IDLE is begun anew, and each time it is looked whether the folder still is
// the one it was.
func TestIdleAgain(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, s.url()))
	f.times.idle = 20 * time.Millisecond
	w.run(f)
	w.until("IDLE was begun anew", func() bool { return s.asked("IDLE") >= 3 })
	if n := s.asked("LOGIN"); n != 1 {
		t.Errorf("%d logins", n)
	}
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	s.mu.Unlock()
	w.until("the new UIDVALIDITY is seen", func() bool { return strings.Contains(w.log.text(), "new UIDVALIDITY") })
	s.put(mail("first"))
	w.exactly("new first")
	if n := s.asked("LOGIN"); n != 1 {
		t.Errorf("%d logins", n)
	}
}

// Where there is no IDLE it is looked now and then.
func TestPoll(t *testing.T) {
	s := newFake(t, "")
	w := newWorld(t, storetest.SQLite(t).Open())
	f := w.fetcher(box(t, s.url()))
	w.run(f)
	w.until("it is looked again and again", func() bool { return s.asked("UID SEARCH") >= 5 })
	s.put(mail("first"))
	w.exactly("new first")
	if s.asked("IDLE") > 0 || s.asked("LOGIN") != 1 {
		t.Errorf("%d times IDLE, %d logins", s.asked("IDLE"), s.asked("LOGIN"))
	}
}

// largeMail is a mail of 2.3 MB: more than newWorld takes.
func largeMail(subject string) []byte {
	return append(mail(subject), bytes.Repeat([]byte("0123456789abcdef\r\n"), 1<<17)...)
}

// row is the journal's row of a mail, as newFake numbers them.
func (w *world) row(validity, uid uint32) (row store.MailboxMail) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx *store.Tx) (err error) { row, err = tx.MailboxMail(1, validity, uid); return err })
	if err != nil {
		w.t.Fatal(err)
	}
	return row
}

// Of a mail that is too large the beginning is taken, once: the mail stays
// where it is, untouched, and is asked for no more, be it after a restart, with
// a higher limit, or under a new UIDVALIDITY.
func TestTooLarge(t *testing.T) {
	s := newFake(t, "IDLE MOVE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.After, m.MoveTo, m.All = Move, "Processed", true
	large := largeMail("large")
	s.put(large, mail("small"))
	stop := w.run(w.fetcher(m))
	w.exactly("new large", "new small")
	w.until("the small one is moved", func() bool { return s.left() == 1 })
	stop()
	taken := w.delivery(1)
	if raw := w.raw(taken); !bytes.Equal(raw, large[:1<<20]) || taken.Hello != "UIDVALIDITY 7 UID 1, more than 1048576 bytes" {
		t.Errorf("%d bytes of %d; %+v", len(raw), len(large), taken)
	}
	if row := w.row(7, 1); row.State != store.MailCut || row.Size != int64(len(large)) || row.DeliveryID != taken.ID {
		t.Errorf("%+v", row)
	}
	settings := *w.set.Load()
	settings.Limits.MaxMessage = 4 << 20
	w.set.Store(&settings)
	fetches := s.asked("UID FETCH 1 ")
	stop = w.run(w.fetcher(m))
	s.put(mail("third"))
	w.exactly("new large", "new small", "new third")
	w.until("the third is moved", func() bool { return s.left() == 1 })
	stop()
	if s.asked("UID FETCH 1 ") != fetches {
		t.Error("it was asked for again")
	}
	s.mu.Lock()
	s.validity, s.next, s.mails = 8, 1, nil
	s.mu.Unlock()
	s.put(large)
	stop = w.run(w.fetcher(m))
	s.put(mail("fourth"))
	w.exactly("new large", "new small", "new third", "new fourth")
	w.until("the fourth is moved", func() bool { return s.left() == 1 })
	stop()
	if row := w.row(8, 1); row.State != store.MailCut || row.DeliveryID != taken.ID {
		t.Errorf("under a new UIDVALIDITY: %+v", row)
	}
	if n := s.asked("UID STORE"); n > 0 {
		t.Errorf("%d times STORE", n)
	}
}

// An earlier version has held such mails by their header. What is held still is
// taken by its beginning now; what somebody has discarded is not.
func TestTooLargeWasHeld(t *testing.T) {
	for _, discarded := range []bool{false, true} {
		s := newFake(t, "IDLE")
		w := newWorld(t, storetest.SQLite(t).Open())
		m := box(t, s.url())
		f := w.fetcher(m)
		stop := w.run(f)
		w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
		stop()
		in := w.r.Begin(mailflow.Envelope{Listener: "imap", Client: m.Name})
		head := mail("held")
		if _, err := in.Write(head); err != nil {
			t.Fatal(err)
		}
		worker := f.workers[0]
		row := store.MailboxMail{MailboxID: worker.box.ID, UIDValidity: 7, UID: 1, State: store.MailStuck, Size: 2_400_000}
		err := in.CommitFetched(t.Context(), mailflow.Fetched{Mailbox: worker.box, Row: row, Desk: "support", Head: head, Held: "3 MB are more", Mine: worker.mine})
		if err != nil {
			t.Fatal(err)
		}
		if discarded {
			err := w.db.Update(t.Context(), "test", func(tx *store.Tx) error { _, err := tx.DiscardDelivery(1); return err })
			if err != nil {
				t.Fatal(err)
			}
		}
		s.put(largeMail("large"), mail("small"))
		w.run(w.fetcher(m))
		if discarded {
			w.exactly("done held", "new small")
			w.until("it is left alone", func() bool { return w.row(7, 1).State == store.MailThere })
			continue
		}
		w.exactly("done held", "new large", "new small")
		if held := w.delivery(1); !strings.HasPrefix(held.Reason, "its beginning was fetched as mail ") {
			t.Errorf("%+v", held)
		}
	}
}

// A server that does not give a part is asked again, and the mail is shown;
// one that gives all of it has not understood.
func TestNoPartOfTheLarge(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	var mu sync.Mutex
	answer := "NO [CANNOT] no parts"
	s.hook(func(c *fakeConn, tag, command string) bool {
		mu.Lock()
		defer mu.Unlock()
		if !strings.Contains(command, "BODY.PEEK[]<") || answer == "" {
			return false
		}
		if answer == "all" {
			c.fetch(strings.Replace(command, "BODY.PEEK[]<", "BODY.PEEK[] <", 1))
		} else {
			c.say("%s %s", tag, answer)
		}
		return true
	})
	s.put(largeMail("large"), mail("small"))
	w.run(w.fetcher(m))
	name := "A mail that could not be fetched: UID 1 of " + m.Name
	w.exactly("held "+name, "new small")
	mu.Lock()
	answer = "all"
	mu.Unlock()
	tries := w.row(7, 1).Tries
	w.until("it is tried further", func() bool { return w.row(7, 1).Tries > tries+1 })
	w.exactly("held "+name, "new small")
	mu.Lock()
	answer = ""
	mu.Unlock()
	w.exactly("done "+name, "new large", "new small")
}

// What a server says of sizes is not believed: a mail that is larger is taken by
// its beginning all the same, one that is smaller is whole.
func TestSizeIsALie(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	s.put(largeMail("large"), mail("small"))
	sizes := []int{100, 30_000_000}
	s.hook(func(c *fakeConn, tag, command string) bool {
		if !strings.Contains(command, "RFC822.SIZE") {
			return false
		}
		for i := range 2 {
			if inSet(command, uint32(i+1)) {
				c.say("* %d FETCH (UID %d RFC822.SIZE %d)", i+1, i+1, sizes[i])
			}
		}
		c.say("%s OK done", tag)
		return true
	})
	w.run(w.fetcher(m))
	w.exactly("new large", "new small")
	if row := w.row(7, 1); row.State != store.MailCut || row.Size != 1<<20+1 {
		t.Errorf("%+v", row)
	}
	w.until("the small one is marked", func() bool { return w.row(7, 2).State == store.MailDone })
	if row := w.row(7, 2); row.Size > 1000 {
		t.Errorf("%+v", row)
	}
}

// What vanishes between the look and the fetch is somebody else's; what the
// server keeps back though it is there is tried again.
func TestVanishedAndKeptBack(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	s.put(mail("vanishes"), mail("kept back"), mail("third"))
	var mu sync.Mutex
	back := false
	s.hook(func(c *fakeConn, tag, command string) bool {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case strings.HasPrefix(command, "UID FETCH 1 ") && strings.Contains(command, "BODY.PEEK[]"):
			s.mu.Lock()
			s.mails[0].gone = "by hand"
			s.mu.Unlock()
		case strings.HasPrefix(command, "UID FETCH 2 ") && strings.Contains(command, "BODY.PEEK[]") && !back:
		default:
			return false
		}
		c.say("%s OK done", tag)
		return true
	})
	f := w.fetcher(m)
	w.run(f)
	w.until("the third came, and the second is shown", func() bool { got := w.taken(); return got["new third"] == 1 && len(got) == 2 })
	mu.Lock()
	back = true
	mu.Unlock()
	w.until("it came", func() bool { return w.taken()["new kept back"] == 1 })
	if got := w.taken(); len(got) != 3 || got["new vanishes"] != 0 {
		t.Errorf("%v", got)
	}
}

// A mail that vanishes while it is shown among the held ones is shown no more.
func TestShownAndVanished(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	s.put(mail("kept back"))
	s.refusesBody(1)
	w.run(w.fetcher(m))
	name := "A mail that could not be fetched: UID 1 of " + m.Name
	w.exactly("held " + name)
	s.mu.Lock()
	s.mails[0].gone = "by hand"
	s.mu.Unlock()
	w.exactly("done " + name)
	if shown := w.delivery(1); shown.Reason != "has left its mailbox before it could be fetched" {
		t.Errorf("%+v", shown)
	}
}

// While the server cannot be reached from the first, the store says so, too:
// other gateways, and those who look, ask there.
func TestTroubleFromTheFirst(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	away := m
	away.Password = func() (string, error) { return "", errors.New("the password is away") }
	trouble := func() (is string) {
		err := w.db.View(t.Context(), func(tx *store.Tx) error {
			box, err := tx.MailboxNamed(m.Name)
			is = box.Trouble
			return err
		})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		}
		return is
	}
	stop := w.run(w.fetcher(away))
	w.until("the store says so", func() bool { return strings.Contains(trouble(), "the password is away") })
	stop()
	w.run(w.fetcher(m))
	w.until("the store says that it is over", func() bool { return trouble() == "" })
}

// While the disk is too full nothing is fetched and nobody logs in; the clocks
// of the desk stand still.
func TestFetchingPauses(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	w.r.Dir = t.TempDir()
	full := *w.set.Load()
	full.Limits.MinFree = 1 << 60
	roomy := *w.set.Load()
	roomy.Limits.MinFree = 1
	w.set.Store(&roomy)
	m := box(t, s.url())
	m.All = true
	f := w.fetcher(m)
	w.run(f)
	s.put(mail("first"))
	w.exactly("new first")
	w.until("it is read", func() bool { return f.UnreadableMailboxes() == 0 })
	w.set.Store(&full)
	logins := s.asked("LOGIN")
	s.put(mail("second"))
	w.until("fetching pauses", func() bool { return strings.Contains(w.log.text(), "fetching pauses: 452 4.3.1") })
	w.until("the desk is known to be unreadable", func() bool { return slices.Equal(f.Unreadable(), []string{"support"}) })
	w.until("it was tried more than once", func() bool { return strings.Count(w.log.text(), "fetching pauses") >= 3 })
	if s.asked("LOGIN") != logins {
		t.Error("it logs in though it cannot take anything")
	}
	w.set.Store(&roomy)
	w.exactly("new first", "new second")
}

// Of two gateways one fetches a mailbox, and the other goes on when it ends.
// Whoever does not know whether it can be read asks the one that does.
func TestOneGatewayFetches(t *testing.T) {
	db := storetest.Postgres(t)
	s := newFake(t, "IDLE")
	gateway := func(name string) (*world, *Fetcher) {
		w := newWorld(t, db.Open(func(o *store.Options) { o.Node = name; o.Serve = true }))
		f := w.fetcher(box(t, s.url()))
		f.times.lease = 600 * time.Millisecond
		return w, f
	}
	a, fa := gateway("a")
	b, fb := gateway("b")
	stop := a.run(fa)
	a.until("a reads it", func() bool { return fa.UnreadableMailboxes() == 0 })
	b.run(fb)
	b.until("b knows that it is read", func() bool { return fb.UnreadableMailboxes() == 0 })
	s.put(mail("first"))
	a.exactly("new first")
	if s.asked("LOGIN") != 1 {
		t.Errorf("%d logins", s.asked("LOGIN"))
	}
	stop()
	s.put(mail("second"))
	b.exactly("new first", "new second")
	if s.asked("LOGIN") != 2 {
		t.Errorf("%d logins", s.asked("LOGIN"))
	}
	// One that sleeps longer than its lease takes nothing more, and that is no
	// trouble of the mailbox.
	other, err := sql.Open("pgx", db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Exec(`UPDATE lease SET fence = fence + 1, owner = 'c', until = until + 1000000000 WHERE name LIKE 'mailbox/%'`); err != nil {
		t.Fatal(err)
	}
	s.put(mail("third"))
	b.until("b has noticed", func() bool { return strings.Contains(b.log.text(), "is another gateway's now") })
	b.exactly("new first", "new second")
	if fb.UnreadableMailboxes() != 0 || strings.Contains(b.log.text(), "cannot be read") {
		t.Error("a mailbox that is another's now counts as unreadable")
	}
}
