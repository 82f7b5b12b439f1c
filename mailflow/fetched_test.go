package mailflow

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

const mailboxName = "support@mail.example/INBOX"

// fetch puts a mail in as the fetching of a mailbox does, and gives its
// delivery.
func (w *world) fetch(uid uint32, raw string, change ...func(*Fetched)) (d store.Delivery, err error) {
	w.t.Helper()
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	m := Fetched{Desk: "support", Head: []byte(raw), Mine: func(*store.Tx) (bool, error) { return true, nil }}
	w.update(func(tx *store.Tx) (err error) { m.Mailbox, err = tx.OpenMailbox(mailboxName); return err })
	m.Row = store.MailboxMail{MailboxID: m.Mailbox.ID, UIDValidity: 7, UID: uid, State: store.MailTaken}
	for _, c := range change {
		c(&m)
	}
	in := w.r.Begin(Envelope{Listener: "imap", Client: mailboxName})
	_, err = in.Write([]byte(raw))
	w.must(err)
	if err = in.CommitFetched(ctx, m); err == nil {
		d = w.delivery(in.ids[0])
	}
	return d, err
}

func fetchedMail(n int, more string) string {
	return fmt.Sprintf("%sReceived: from a by b; Sun, 22 Nov 2026 09:00:00 +0000\nFrom: c%d@customer.example\nTo: support@desk.example\nDate: Sun, 22 Nov 2026 09:00:00 +0000\nMessage-ID: <%d@customer.example>\nSubject: Printer %d\n\nIt does not print.\n", more, n, n, n)
}

// The desk is that of the topmost address which a server has delivered to,
// whatever the sender has written below.
func TestFetchedDesk(t *testing.T) {
	newWorldOnce := func(fn func(w *world)) { t.Run("sqlite", func(t *testing.T) { fn(newWorld(t, storetest.SQLite(t))) }) }
	newWorldOnce(func(w *world) {
		t := w.t
		reply := "support+" + testKeys.Reply(41, 3) + "@desk.example"
		check := func(head, desk string, priority int, about int64, from string, recipients ...string) {
			t.Helper()
			raw := strings.ReplaceAll(fetchedMail(1, head), "\n", "\r\n")
			d := w.r.Begin(Envelope{Listener: "imap", Client: mailboxName}).fetchedDelivery(Fetched{Desk: "support", Head: []byte(raw)})
			if d.Desk != desk || d.Priority != priority || d.About != about || !slices.Equal(d.Recipients, recipients) || d.MailFrom != from {
				t.Errorf("%q: %+v", head, d)
			}
		}
		check("", "support", 1, 0, "")
		check("Return-Path: <ada@customer.example>\nDelivered-To: sales@desk.example\n", "sales", 1, 0, "ada@customer.example", "sales@desk.example")
		check("Return-Path: <>\nDelivered-To: box7@provider.example\nX-Original-To: <Sales@desk.example>\n", "sales", 1, 0, "", "sales@desk.example")
		check("Envelope-To: other@provider.example, sales@desk.example\n", "sales", 1, 0, "", "sales@desk.example")
		check("Delivered-To: support@desk.example\nReceived: from x by y; Sun, 22 Nov 2026 09:00:00 +0000\nDelivered-To: sales@desk.example\n",
			"support", 1, 0, "", "support@desk.example", "sales@desk.example")
		check("Delivered-To: "+reply+"\n", "support", 0, 41, "", reply)
		check("Delivered-To: box7@provider.example\nCc: Somebody <"+reply+">, sales@desk.example\n", "support", 0, 41, "", reply)
		check("Delivered-To: support+"+strings.Repeat("a", 32)+"@desk.example\n", "support", 1, 0, "", "support+"+strings.Repeat("a", 32)+"@desk.example")
		check("Delivered-To: \x00\xff\n\nno header", "support", 1, 0, "")
	})
}

// A mail without an envelope is a person's; one whose Return-Path is the null
// path is not. None is proven, whatever networks are trusted.
func TestFetchedIsNotProven(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, err := w.fetch(1, strings.Replace(fetchedMail(1, ""), "Received: from a by b; Sun, 22 Nov 2026 09:00:00 +0000\n", "", 1))
		w.must(err)
		_, err = w.fetch(2, fetchedMail(2, "Return-Path: <>\n"))
		w.must(err)
		w.run()
		w.take(ticket.Acknowledgment, "c1@customer.example")
		if w.left("c2@customer.example") != 0 {
			t.Error("the null path was answered")
		}
		if d := w.delivery(1); !strings.Contains(d.Why, "sender unproven") {
			t.Errorf("%s", d.Why)
		}
	})
}

// The journal decides, in the transaction that takes the mail.
func TestFetchedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, err := w.fetch(5, fetchedMail(1, ""))
		w.must(err)
		if _, err := w.fetch(5, fetchedMail(1, "")); !errors.Is(err, ErrNotFetched) {
			t.Errorf("the second time: %v", err)
		}
		notMine := func(m *Fetched) { m.Mine = func(*store.Tx) (bool, error) { return false, nil } }
		if _, err := w.fetch(6, fetchedMail(2, ""), notMine); !errors.Is(err, ErrNotFetched) {
			t.Errorf("without the lease: %v", err)
		}
		// Under another UIDVALIDITY it is the content that is known.
		again, err := w.fetch(1, fetchedMail(1, ""), func(m *Fetched) { m.Row.UIDValidity = 8 })
		w.must(err)
		w.run()
		if again = w.delivery(again.ID); len(w.tickets()) != 1 || again.Reason != fmt.Sprintf("duplicate of mail %d", first.ID) {
			t.Errorf("%d tickets; the copy: %s", len(w.tickets()), again.Reason)
		}
		// One that is held stands for the mail until it comes.
		held, err := w.fetch(9, "Subject: not there\n\n", func(m *Fetched) { m.Held, m.Row.State = "too large", store.MailStuck })
		w.must(err)
		if held.State != store.DeliveryHeld || held.Stop != "receive" || held.Reason != "too large" || held.Subject != "not there" {
			t.Errorf("%+v", held)
		}
		unfetched := func(id int64) (is bool) {
			w.view(func(tx *store.Tx) (err error) { is, err = tx.Unfetched(id); return err })
			return is
		}
		if !unfetched(held.ID) || unfetched(first.ID) {
			t.Errorf("not fetched: %v, %v", unfetched(held.ID), unfetched(first.ID))
		}
		whole, err := w.fetch(9, fetchedMail(9, ""))
		w.must(err)
		if unfetched(held.ID) {
			t.Error("fetched, and not fetched")
		}
		if held = w.delivery(held.ID); held.State != store.DeliveryDone || held.Reason != fmt.Sprintf("fetched whole as mail %d", whole.ID) {
			t.Errorf("%+v", held)
		}
	})
}

// A mail that goes round in circles is held and not answered, as SMTP would
// refuse it.
func TestFetchedLoop(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		again := func(n int) string {
			return strings.Repeat("RECEIVED: from b by a; Sun, 22 Nov 2026 09:00:00 +0000\n", n)
		}
		_, err := w.fetch(1, fetchedMail(1, again(MaxHops-1)))
		w.must(err)
		loop, err := w.fetch(2, fetchedMail(2, again(MaxHops)))
		w.must(err)
		_, err = w.fetch(3, fetchedMail(3, "")+again(MaxHops)) // in its text
		w.must(err)
		w.run()
		w.take(ticket.Acknowledgment, "c1@customer.example")
		w.take(ticket.Acknowledgment, "c3@customer.example")
		if loop = w.delivery(loop.ID); loop.State != store.DeliveryHeld || !strings.Contains(loop.Reason, "51 Received lines") || w.left("c2@customer.example") != 0 {
			t.Errorf("%+v", loop)
		}
	})
}

// In the first hour of a mailbox 200 first answers leave; the others wait
// until somebody lets them go. Those to other mails are not counted.
func TestNewMailbox(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.update(func(tx *store.Tx) error {
			m, err := tx.OpenMailbox(mailboxName)
			w.must(err)
			w.must(tx.BeginMailbox(m.ID, 7, 1))
			for range newMailboxAnswers - 5 { // have left
				_, _, _, err := tx.Spend(fmt.Sprintf("mailbox %d 7", m.ID), newMailboxFor, 0)
				w.must(err)
			}
			return nil
		})
		const n = 8
		for i := range n {
			if _, err := w.fetch(uint32(i+1), fetchedMail(i, "")); err != nil {
				t.Fatal(err)
			}
		}
		w.mail("bob@customer.example", desk, "Another way")
		w.run()
		if got := w.count(ticket.Acknowledgment, ""); got != 5+1 || len(w.tickets()) != n+1 {
			t.Fatalf("%d first answers for %d tickets", got, len(w.tickets()))
		}
		var held []store.Outbox
		w.view(func(tx *store.Tx) (err error) { held, err = tx.OutboxPage(store.HeldOut, 0, 100); return err })
		if len(held) != 3 || held[0].Reply != newMailboxReason {
			t.Fatalf("held: %+v", held)
		}
		w.update(func(tx *store.Tx) error {
			for _, o := range held {
				ok, err := Release(tx, o.ID)
				if err != nil || !ok {
					return fmt.Errorf("release %d: %t, %v", o.ID, ok, err)
				}
			}
			return nil
		})
		w.pass(newMailboxFor)
		_, err := w.fetch(n+1, fetchedMail(n, ""))
		w.must(err)
		w.run()
		if got := w.count(ticket.Acknowledgment, ""); got != n+2 {
			t.Errorf("%d first answers in the end", got)
		}
	})
}

// The hash is the same for the header alone and for the fields a server
// returns, and tells mails apart.
func TestMailHash(t *testing.T) {
	whole := strings.ReplaceAll(fetchedMail(1, "X-Other: x\nContent-Type: text/plain; charset=koi8-r\n"), "\n", "\r\n")
	fields := "Subject: Printer\r\n 1\r\nMESSAGE-ID:<1@customer.example>\r\nDate: Sun, 22 Nov 2026 09:00:00 +0000\r\nFrom: c1@customer.example\r\n\r\n"
	a, written := MailHash([]byte(whole))
	b, _ := MailHash([]byte(fields))
	if a == nil || !bytes.Equal(a, b) || !written.Equal(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%x, %x, %s", a, b, written)
	}
	other, _ := MailHash([]byte(strings.Replace(whole, "Printer 1", "Printer 2", 1)))
	if bytes.Equal(a, other) {
		t.Error("another subject, the same hash")
	}
	if none, _ := MailHash([]byte("X-Other: x\r\n\r\nWords.")); none != nil {
		t.Errorf("nothing to go by: %x", none)
	}
	// A subject in raw octets is read by a charset that only the whole header has.
	c, _ := MailHash([]byte("Content-Type: text/plain; charset=koi8-r\r\nMessage-ID: <1@x>\r\nSubject: \xf0\xd2\xc9\xd7\xc5\xd4\r\n\r\n"))
	e, _ := MailHash([]byte("Message-ID: <1@x>\r\nSubject: \xf0\xd2\xc9\xd7\xc5\xd4\r\n\r\n"))
	if !bytes.Equal(c, e) {
		t.Error("the charset of the body changes the hash")
	}
}
