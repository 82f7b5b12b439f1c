package store_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

func TestMailboxes(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c := &clock{time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		db := d.Open(c.named("a"))
		const name = "support@mail.example/INBOX"
		mailbox := func() (m store.Mailbox) {
			t.Helper()
			update(t, db, func(tx *store.Tx) (err error) {
				m, err = tx.OpenMailbox(name)
				return err
			})
			return m
		}
		m := mailbox()
		if again := mailbox(); again.ID != m.ID || m.UIDValidity != 0 || m.Scanned || !m.Looked.IsZero() || m.Desks != nil {
			t.Fatalf("%+v, then %+v", m, again)
		}
		update(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.BeginMailbox(m.ID, 4_000_000_000, 12), tx.MailboxTrouble(m.ID, "no route"),
				tx.AddMailboxDesk(m, "support"), tx.AddMailboxDesk(m, "sales"), tx.AddMailboxDesk(m, "support"))
		})
		if m = mailbox(); m.UIDValidity != 4_000_000_000 || m.FirstUID != 12 || m.Trouble != "no route" || !m.Began.Equal(c.now) ||
			!slices.Equal(m.Desks, []string{"support", "sales"}) {
			t.Fatalf("%+v", m)
		}
		update(t, db, func(tx *store.Tx) error { return errors.Join(tx.MailboxScanned(m.ID), tx.MailboxLooked(m.ID)) })
		if m = mailbox(); !m.Scanned || !m.Looked.Equal(c.now) || m.Trouble != "" {
			t.Fatalf("%+v", m)
		}
	})
}

func TestMailboxJournal(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c := &clock{time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		db := d.Open(c.named("a"))
		hash := []byte("hash of one mail")
		update(t, db, func(tx *store.Tx) error {
			m, err := tx.OpenMailbox("support@mail.example/INBOX")
			if err != nil {
				return err
			}
			put := func(validity, uid uint32, state store.MailState, hash []byte) {
				t.Helper()
				if err := tx.PutMailboxMail(store.MailboxMail{MailboxID: m.ID, UIDValidity: validity, UID: uid, State: state, Hash: hash, Size: 7}); err != nil {
					t.Fatal(err)
				}
			}
			put(1, 5, store.MailThere, hash)
			put(1, 7, store.MailStuck, nil)
			put(1, 9, store.MailTaken, hash)
			put(2, 3, store.MailThere, hash)
			other := []byte("of a mail that is cut")
			put(1, 8, store.MailCut, other)
			put(2, 4, store.MailThere, other)
			if known, err := tx.KnownMail(m.ID, other); err != nil || known.State != store.MailCut {
				t.Errorf("known %+v, %v", known, err)
			}
			// A later word keeps what it does not know.
			put(1, 9, store.MailTaken, nil)
			if known, err := tx.KnownMail(m.ID, hash); err != nil || known.State != store.MailTaken || known.UID != 9 {
				t.Errorf("known %+v, %v", known, err)
			}
			if _, err := tx.KnownMail(m.ID, []byte("another")); !errors.Is(err, sql.ErrNoRows) {
				t.Error(err)
			}
			if uids, err := tx.MailboxUIDs(m.ID, 1, 6); err != nil || !slices.Equal(uids, []uint32{7, 8, 9}) {
				t.Errorf("uids %v, %v", uids, err)
			}
			if last, err := tx.LastMailboxUID(m.ID, 1); err != nil || last != 9 {
				t.Errorf("last %d, %v", last, err)
			}
			if last, err := tx.LastMailboxUID(m.ID, 3); err != nil || last != 0 {
				t.Errorf("last of none %d, %v", last, err)
			}
			if err := tx.SettleMailboxMails(m.ID, 1, []uint32{5, 7, 8, 9}); err != nil {
				return err
			}
			todo, err := tx.MailboxTodo(m.ID, 1, 0, 10)
			if err != nil || len(todo) != 1 || todo[0].UID != 7 {
				t.Errorf("to do: %+v, %v", todo, err)
			}
			nine, err := tx.MailboxMail(m.ID, 1, 9)
			if nine.State != store.MailDone || nine.Size != 7 || !nine.Due.IsZero() {
				t.Errorf("settled: %+v", nine)
			}
			return err
		})
	})
}
