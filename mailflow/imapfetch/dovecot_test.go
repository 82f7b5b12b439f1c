package imapfetch

import (
	"slices"
	"strings"
	"testing"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store/storetest"
)

// What is there at first sight makes nothing; what comes then is taken once,
// and moved.
func TestDovecotMove(t *testing.T) {
	d := imaptest.Start(t)
	for _, s := range []string{"old 1", "old 2", "old 3"} {
		d.Deliver("INBOX", mail(s))
	}
	w := newWorld(t, storetest.SQLite(t).Open())
	m := box(t, d.URL("INBOX"))
	m.After, m.MoveTo = Move, "Processed"
	f := w.fetcher(m).rooted(d)
	if got := f.Unreadable(); !slices.Equal(got, []string{"support"}) {
		t.Errorf("unreadable before it was looked at: %q", got)
	}
	stop := w.run(f)
	w.until("the mailbox is read", func() bool { return f.UnreadableMailboxes() == 0 })
	if got := w.taken(); len(got) != 0 {
		t.Errorf("taken at first sight: %v", got)
	}
	if !strings.Contains(w.log.text(), `"there already, without ticket"=3`) {
		t.Error("nobody was told how many there were")
	}
	d.Deliver("INBOX", mail("new 1"))
	d.Deliver("INBOX", mail("new 2"))
	w.exactly("new new 1", "new new 2")
	w.until("both are moved", func() bool { return len(d.Mails("Processed")) == 2 && len(d.Mails("INBOX")) == 3 })
	stop()
	stop = w.run(w.fetcher(m).rooted(d)) // again, as after a restart
	d.Deliver("INBOX", mail("new 3"))
	w.exactly("new new 1", "new new 2", "new new 3")
	stop()
	delivery := w.delivery(1)
	if delivery.Desk != "support" || delivery.Listener != "imap" || delivery.Client != m.Name || delivery.MailFrom != "ada@customer.example" || delivery.Login != "" {
		t.Errorf("%+v", delivery)
	}
}
