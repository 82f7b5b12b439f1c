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

// A mail that is too large is shown by its header, stays where it is, and is
// fetched once the limit is higher. What a server says of its size is not
// believed.
func TestTooLarge(t *testing.T) {
	s := newFake(t, "IDLE MOVE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.After, m.MoveTo, m.All = Move, "Processed", true
	large := append(mail("large"), bytes.Repeat([]byte("0123456789abcdef\r\n"), 1<<17)...) // 2.3 MB
	s.put(large, mail("small"))
	stop := w.run(w.fetcher(m))
	w.exactly("held large", "new small")
	w.until("the small one is moved", func() bool { return s.left() == 1 })
	stop()
	held := w.delivery(1)
	if held.Subject != "large" || held.From != "ada@customer.example" || !strings.HasPrefix(held.Reason, "3 MB are more than smtp.max_message_size (1 MB): it stays in "+m.Name+" with UID 1") {
		t.Errorf("%+v", held)
	}
	fetches := s.asked("UID FETCH 1 ")
	stop = w.run(w.fetcher(m)) // the limit is the same
	s.put(mail("third"))
	w.exactly("held large", "new small", "new third")
	stop()
	if s.asked("UID FETCH 1 ") != fetches {
		t.Error("it was asked for again")
	}
	settings := *w.set.Load()
	settings.Limits.MaxMessage = 4 << 20
	w.set.Store(&settings)
	w.run(w.fetcher(m))
	w.exactly("done large", "new large", "new small", "new third")
	w.until("all are moved", func() bool { return s.left() == 0 })
}

func TestSizeIsALie(t *testing.T) {
	s := newFake(t, "IDLE")
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, s.url())
	m.All = true
	s.put(append(mail("large"), bytes.Repeat([]byte("0123456789abcdef\r\n"), 1<<17)...), mail("small"))
	s.hook(func(c *fakeConn, tag, command string) bool {
		if !strings.Contains(command, "RFC822.SIZE") {
			return false
		}
		for i := range 2 {
			if inSet(command, uint32(i+1)) {
				c.say("* %d FETCH (UID %d RFC822.SIZE 100)", i+1, i+1)
			}
		}
		c.say("%s OK done", tag)
		return true
	})
	w.run(w.fetcher(m))
	w.exactly("held A mail that could not be fetched: UID 1 of "+m.Name, "new small")
	settings := *w.set.Load()
	settings.Limits.MaxMessage = 4 << 20
	w.set.Store(&settings)
	w.exactly("done A mail that could not be fetched: UID 1 of "+m.Name, "new large", "new small")
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
