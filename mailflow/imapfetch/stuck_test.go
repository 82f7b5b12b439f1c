package imapfetch

import (
	"os"
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
