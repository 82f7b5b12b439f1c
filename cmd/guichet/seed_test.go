package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"guichet/store"
	"guichet/store/storetest"
)

// seedKey is the secret of every seed: the addresses in their mails are
// signed with it.
var seedKey = "0 " + strings.Repeat("5eed", 16) + "\n"

// TestSeedOfToday plays the scenario of the seeds with today's program. With
// GUICHET_MAKE_SEED set ("make seed") it keeps what the database holds then as
// the seed of today's schema, if there is none.
func TestSeedOfToday(t *testing.T) {
	d := storetest.SQLite(t)
	makeStore(t, d)
	schemas := storetest.Schemas(t)
	newest := schemas[len(schemas)-1]
	seed := d.Dump(newest, 1000)
	wantStates(t, seed)
	if _, err := os.Stat(storetest.SeedPath(t, newest)); err != nil && os.Getenv("GUICHET_MAKE_SEED") != "" {
		seed.Save(t)
	}
	wantStates(t, storetest.LoadSeed(t, newest))
}

// wantStates holds that a seed has rows in every state that this program
// brings about.
func wantStates(t *testing.T, seed *storetest.Seed) {
	t.Helper()
	for table, want := range map[string][]string{
		"delivery": {"done", "held", "new", "set-aside"},
		"outbox":   {"cancelled", "failed", "held", "queued", "sending", "sent"},
		"ticket":   {"awaiting-form", "closed", "new", "open", "resolved"},
	} {
		var have []string
		for _, row := range seed.Of(table) {
			have = append(have, fmt.Sprint(row["state"]))
		}
		slices.Sort(have)
		if have = slices.Compact(have); !slices.Equal(have, want) {
			t.Errorf("states of %s: %v, want %v", table, have, want)
		}
	}
}

// The scenario's form desk.
const (
	seedForm = `forms: {incident: {fields: [{name: what, type: text, label: {en: What happens}, required: yes},
  {name: screenshot, type: file, label: {en: Screenshot}}, {name: details, type: textarea, label: {en: Details}}]}}`
	seedDesk = `  forms:
    address: forms@desk.example
    number: FRM-%06d
    intake: form
    validation: yes
    form: incident
`
)

// seedGateway has the scenario's desks.
func seedGateway(t testing.TB, database string) *running {
	t.Helper()
	return newGateway(t, database, "agents:", seedForm+"\nagents:", "  sales:", seedDesk+"  sales:")
}

// makeStore fills a database by real mails, and with what no mail can bring
// about, and leaves it without a gateway.
func makeStore(t *testing.T, d *storetest.Database) *running {
	t.Helper()
	g := seedGateway(t, d.URL)
	write(t, filepath.Join(g.dir, "guichet.key"), seedKey)
	g.start()
	t.Cleanup(g.stop)
	text, err := os.ReadFile(filepath.Join(storetest.Root(t), "testdata", "schemas", "scenario.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, g: g, names: map[string]*sent{}, header: map[string]string{}}
	for _, step := range parseStory(string(text)) {
		s.line = step.line
		s.play(step)
	}
	s.largeMails()
	s.stoppedMails()
	g.stop()
	s.byHand(d)
	return g
}

// largeMails are kept in pieces: one that comes in, and an answer whose body
// is one, too.
func (s *story) largeMails() {
	file := func(size int) string {
		data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a large file, piece by piece\n"), size/29))
		var lines strings.Builder
		for ; len(data) > 76; data = data[76:] {
			lines.WriteString(data[:76] + "\n")
		}
		return "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\nSee the file.\n" +
			"--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=log.bin\n" +
			"Content-Transfer-Encoding: base64\n\n" + lines.String() + data + "\n--b--"
	}
	s.write(true, "big@customer.example", []string{"support@desk.example"}, "", nil, "Subject: Large\n"+file(1_500_000))
	s.expect("notification", "agent@desk.example", "large", "X-Guichet-Ticket: INC-000006")
	s.write(true, "agent@desk.example", nil, "", s.named("large"), file(400_000))
	s.expect("update", "big@customer.example", "", "")
}

// stoppedMails leaves mails that the relay does not take: for now, or ever.
func (s *story) stoppedMails() {
	s.g.sink.refuseAll("gone@customer.example", "550 5.1.1 No such user here")
	s.g.sink.mu.Lock()
	s.g.sink.refuse = func(to string) error {
		if strings.HasPrefix(to, "later") {
			return &gosmtp.SMTPError{Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 2, 0}, Message: "Later"}
		}
		return nil
	}
	s.g.sink.mu.Unlock()
	for _, who := range []string{"gone", "later1", "later2", "later3", "later4"} {
		s.write(true, who+"@customer.example", []string{"support@desk.example"}, "", nil, "Subject: Of "+who+"\n\nIt fails.")
	}
	s.g.settled()
	s.g.until("the relay's refusals are recorded", func() bool {
		return len(s.g.rows("outbox", "list", "--state", "queued")) == 4 && len(s.g.rows("outbox", "list", "--state", "failed")) == 2
	})
	for _, row := range s.g.rows("outbox", "list", "--state", "queued") {
		if row["recipient"] == "later4@customer.example" {
			s.run([]string{"outbox", "cancel", fmt.Sprint(row["id"])}, "")
		}
	}
}

// byHand puts rows in place that only a fault leaves: what a process had in
// hand when it was killed, what failed.
func (s *story) byHand(d *storetest.Database) {
	s.t.Helper()
	db := d.Open()
	defer db.Close()
	err := db.Update(s.t.Context(), "seed", func(tx *store.Tx) error {
		_, _, err := tx.TakeLease("mailbox/support", time.Minute)
		return errors.Join(err, fetchedBefore(tx))
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range []string{"untouched", "in-hand", "held"} {
		s.accept(db, id)
	}
	half := db.NewRaw(s.t.Context()) // a client that went away; never aborted
	half.Write(bytes.Repeat([]byte("half a mail\r\n"), 30_000))
	for _, query := range []string{
		`UPDATE delivery SET lease_owner = 'gone', lease_until = received WHERE id = (SELECT max(id) FROM delivery) - 1`,
		`UPDATE delivery SET state = 'held', stop = 'read', reason = 'it ended the program three times', attempts = 3
			WHERE id = (SELECT max(id) FROM delivery)`,
		`UPDATE outbox SET state = 'sending', lease_owner = 'gone', lease_until = due, fence = fence + 1
			WHERE state = 'queued' AND recipient = 'later2@customer.example'`,
		`UPDATE outbox SET state = 'held', reply = 'a name of another ticket' WHERE state = 'queued' AND recipient = 'later3@customer.example'`,
		`UPDATE person SET zone = 'Europe/Paris', language = 'fr' WHERE id = 1`,
	} {
		if _, err := d.SQL().Exec(query); err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
	}
}

// fetchedBefore is the journal of a mailbox of which a mail was taken and one
// could not be, and an old mail that was imported.
func fetchedBefore(tx *store.Tx) error {
	m, err := tx.OpenMailbox("support@mail.example/INBOX")
	if err != nil {
		return err
	}
	_, err = tx.AddImported(bytes.Repeat([]byte{7}, 32))
	return errors.Join(err, tx.BeginMailbox(m.ID, 42, 3), tx.MailboxScanned(m.ID), tx.MailboxLooked(m.ID),
		tx.AddMailboxDesk(m, "support"), tx.MailboxTrouble(m.ID, "the password is wrong"),
		tx.PutMailboxMail(store.MailboxMail{MailboxID: m.ID, UIDValidity: 42, UID: 3, State: store.MailTaken,
			Hash: bytes.Repeat([]byte{9}, 16), Size: 900, DeliveryID: 1}),
		tx.PutMailboxMail(store.MailboxMail{MailboxID: m.ID, UIDValidity: 42, UID: 4, State: store.MailStuck,
			Size: 1000, Tries: 2, Due: tx.Now().Add(time.Hour)}))
}

// accept commits a mail as the listener does; nobody processes it.
func (s *story) accept(db *store.DB, id string) {
	s.t.Helper()
	w := db.NewRaw(s.t.Context())
	defer w.Abort()
	fmt.Fprintf(w, "From: %s@customer.example\r\nTo: support@desk.example\r\nSubject: Mail %s\r\nMessage-ID: <%s@customer.example>\r\n"+
		"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n\r\nAccepted before the upgrade.\r\n", id, id, id)
	err := db.Update(s.t.Context(), "seed", func(tx *store.Tx) error {
		raw, _, _, err := w.Finish(tx)
		if err != nil {
			return err
		}
		_, err = tx.AddDelivery(store.Delivery{RawID: raw, Desk: "support", Listener: "smtp", Client: "127.0.0.1", Hello: "customer.example",
			MailFrom: id + "@customer.example", Recipients: []string{"support@desk.example"}, Received: tx.Now(), Priority: 1})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
