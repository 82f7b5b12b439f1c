package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/imapfetch"
	"guichet/mailflow/imapfetch/imaptest"
	"guichet/store"
	"guichet/store/storetest"
)

// wait waits for the nth mail of a kind to somebody.
func (g *running) wait(kind, to string, n int) (m *sent) {
	g.t.Helper()
	g.until(fmt.Sprintf("%s %d to %s", kind, n, to), func() bool {
		seen := 0
		for _, s := range g.sink.all() {
			if s.kind() == kind && s.to == to {
				if seen++; seen == n {
					m = s
				}
			}
		}
		return m != nil
	})
	return m
}

// A customer writes by IMAP alone: the mail becomes a ticket, its agent answers
// by SMTP, and the customer's answer to that comes by IMAP again and finds its
// ticket. All this in TLS, with the server's own certificate, and beside a
// mailbox that cannot be read.
func TestE2EMailbox(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, db *storetest.Database) {
		d := imaptest.Start(t)
		t.Setenv("SSL_CERT_FILE", d.CA)
		d.Deliver("INBOX", firstMail("old", nil).raw)
		g := newGateway(t, db.URL, "trust: {", "mailboxes:\n"+
			"  - {url: \""+d.URL("INBOX")+"\", password_file: imap.pw, desk: support, after: \"move:Processed\"}\n"+
			"  - {url: \"imap://somebody@127.0.0.1:1/INBOX\", password_file: imap.pw, desk: sales}\ntrust: {")
		write(t, filepath.Join(g.dir, "imap.pw"), imaptest.Password+"\n")
		g.start()
		t.Cleanup(g.stop)
		g.until("the mailbox is read", func() bool { return g.metric("mailboxes_unreadable") == 1 })
		first := firstMail("1", nil)
		d.Deliver("INBOX", append([]byte("Return-Path: <"+first.from+">\r\nDelivered-To: support@desk.example\r\n"), first.raw...))
		ack := g.wait("acknowledgment", first.from, 1)
		note := g.wait("notification", "agent@desk.example", 1)
		reply := answerMail(asReply, "2", "agent@desk.example", note, "Please switch it off and on again.")
		if err := g.deliver(reply.from, []string{reply.to}, reply.raw); err != nil {
			t.Fatal(err)
		}
		update := g.wait("update", first.from, 1)
		if !strings.Contains(update.mail.Text, "off and on again") {
			t.Errorf("the answer:\n%s", update.mail.Text)
		}
		answer := answerMail(asAnswer, "3", first.from, update, "That has helped a little.")
		d.Deliver("INBOX", append([]byte("Delivered-To: box7@provider.example\r\nX-Original-To: "+answer.to+"\r\n"), answer.raw...))
		if note = g.wait("notification", "agent@desk.example", 2); !strings.Contains(note.mail.Text, "helped a little") {
			t.Errorf("the notification:\n%s", note.mail.Text)
		}
		g.until("both are moved", func() bool { return len(d.Mails("Processed")) == 2 && len(d.Mails("INBOX")) == 1 })
		tickets := g.rows("ticket", "list")
		if len(tickets) != 1 || tickets[0]["number"] != ack.mail.Header.Get("X-Guichet-Ticket") {
			t.Errorf("%v", tickets)
		}
		if n := g.metric("fetched_total"); n != 2 {
			t.Errorf("%v fetched", n)
		}
	})
}

// A mail that is too large for us makes a ticket with its words: agent and
// sender are told, and it stays where it is, untouched.
func TestE2ETooLarge(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, db *storetest.Database) {
		d := imaptest.Start(t)
		g := newGateway(t, db.URL, "max_message_size: 25MiB", "max_message_size: 1MiB", "trust: {",
			strings.Replace(mailboxOf(d), "desk: support", "desk: support, since: all", 1)+"trust: {")
		write(t, filepath.Join(g.dir, "imap.pw"), imaptest.Password+"\n")
		large := firstMail("1", bytes.Repeat([]byte("not compressed "), 150_000)) // 3 MB in base64
		d.Deliver("INBOX", append([]byte("Delivered-To: support@desk.example\r\n"), large.raw...))
		d.Deliver("INBOX", firstMail("2", nil).raw)
		g.start()
		t.Cleanup(g.stop)
		note := g.wait("notification", "agent@desk.example", 1)
		if !strings.Contains(note.mail.Text, "canary 1") {
			note = g.wait("notification", "agent@desk.example", 2)
		}
		text := strings.Join(strings.Fields(note.mail.Text), " ")
		for _, want := range []string{"It does not print: canary 1. [", "INBOX, UID 1", "3.1"} {
			if !strings.Contains(strings.Replace(text, ",1", ".1", 1), want) {
				t.Errorf("the notification has no %q:\n%s", want, note.mail.Text)
			}
		}
		if len(note.mail.Parts) != 0 {
			t.Errorf("it has files: %+v", note.mail.Parts)
		}
		ack := g.wait("acknowledgment", large.from, 1)
		if text := strings.Join(strings.Fields(ack.mail.Text), " "); !strings.Contains(text, "1 M") || strings.Contains(text, "canary") || strings.Contains(text, "UID") {
			t.Errorf("the acknowledgment:\n%s", text)
		}
		answer := answerMail(asAnswer, "3", large.from, ack, "Again."+strings.Repeat("\r\nA line of a log that is long.", 100_000))
		d.Deliver("INBOX", append([]byte("Delivered-To: "+answer.to+"\r\n"), answer.raw...))
		g.wait("incomplete", large.from, 1)
		if tickets, held := g.rows("ticket", "list"), g.rows("held", "list"); len(tickets) != 2 || len(held) != 0 {
			t.Errorf("%d tickets, %d held", len(tickets), len(held))
		}
		g.until("the small one is moved, and no other", func() bool { return len(d.Mails("Processed")) == 1 && len(d.Mails("INBOX")) == 2 })
	})
}

// What only stands for a mail that could not be fetched is no ticket without
// words, by whatever command, of which the mail itself would be a copy.
func TestUnfetchedIsNotReleased(t *testing.T) {
	d := storetest.SQLite(t)
	g := newGateway(t, d.URL)
	g.start()
	g.stop()
	db := d.Open()
	w := db.NewRaw(t.Context())
	w.Write([]byte("Subject: A mail that could not be fetched\r\n\r\n"))
	var id int64
	err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
		raw, _, _, err := w.Finish(tx)
		if err != nil {
			return err
		}
		row := store.Delivery{RawID: raw, Desk: "support", Listener: "imap", Client: "support@mail.example/INBOX", Received: tx.Now()}
		if id, err = tx.AddDelivery(row); err != nil {
			return err
		}
		row.ID, row.State, row.Stop, row.Reason = id, store.DeliveryHeld, "receive", "could not be fetched"
		m, err := tx.OpenMailbox(row.Client)
		return errors.Join(err, tx.FinishDelivery(row),
			tx.PutMailboxMail(store.MailboxMail{MailboxID: m.ID, UIDValidity: 7, UID: 1, State: store.MailStuck, DeliveryID: id}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"retry", "release"} {
		code, _, errs := g.command("held", command, fmt.Sprint(id))
		if code != 1 || !strings.Contains(errs, "is still in its mailbox") {
			t.Errorf("held %s: exit %d: %s", command, code, errs)
		}
	}
	if n := len(g.rows("held", "list")); n != 1 || len(g.rows("ticket", "list")) != 0 {
		t.Errorf("%d held, %d tickets", n, len(g.rows("ticket", "list")))
	}
}

// Two folders of one account log in with one refresh token. Where the provider
// changes it with each use, it is used once at a time, and the next one then.
func TestRefreshTokenIsShared(t *testing.T) {
	var mu sync.Mutex
	n, waiting := 0, make(chan struct{}, 2)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		mu.Lock()
		defer mu.Unlock()
		if got, want := r.PostFormValue("refresh_token"), fmt.Sprintf("refresh-%d", n); got != want {
			t.Errorf("%s came where %s is good", got, want)
		}
		n++
		fmt.Fprintf(w, `{"access_token": "access-%d", "refresh_token": "refresh-%d"}`, n, n)
	}))
	t.Cleanup(provider.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "refresh"), "refresh-0\n")
	login := oauth2Config{TokenURL: provider.URL, ClientID: "id", RefreshTokenFile: filepath.Join(dir, "refresh")}
	tokens := tokenSources{}
	var boxes []imapfetch.Mailbox
	for _, folder := range []string{"INBOX", "Help"} {
		m := mailboxConfig{URL: "imaps://u@h/" + folder, OAuth2: login}
		boxes = append(boxes, m.fetched(tokens))
	}
	mu.Lock() // the first is answered once the second has come, if it does
	var wg sync.WaitGroup
	for _, m := range boxes {
		wg.Go(func() {
			if token, err := m.Token.Token(t.Context(), false); token == "" || err != nil {
				t.Error(token, err)
			}
		})
	}
	<-waiting
	select {
	case <-waiting:
		t.Error("the token was used twice at once")
	case <-time.After(20 * time.Millisecond):
	}
	mu.Unlock()
	wg.Wait()
	other := mailboxConfig{URL: "imaps://v@h/INBOX", OAuth2: login}
	other.OAuth2.Scope = "more"
	if m := other.fetched(tokens); m.Token == boxes[0].Token || m.Token.Scope != "more" {
		t.Error("another scope, the same token")
	}
}

// mailboxOf is the configuration that fetches the INBOX of a Dovecot; the
// password stands in imap.pw.
func mailboxOf(d *imaptest.Dovecot) string {
	return fmt.Sprintf("mailboxes: [{url: \"imap://%s@%s/INBOX\", password_file: imap.pw, desk: support, after: \"move:Processed\"}]\n", imaptest.User, d.Addr)
}
