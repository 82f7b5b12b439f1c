package main

import (
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
	"guichet/store/storetest"
)

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
		wait := func(kind, to string, n int) (m *sent) {
			t.Helper()
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
		first := firstMail("1", nil)
		d.Deliver("INBOX", append([]byte("Return-Path: <"+first.from+">\r\nDelivered-To: support@desk.example\r\n"), first.raw...))
		ack := wait("acknowledgment", first.from, 1)
		note := wait("notification", "agent@desk.example", 1)
		reply := answerMail(asReply, "2", "agent@desk.example", note, "Please switch it off and on again.")
		if err := g.deliver(reply.from, []string{reply.to}, reply.raw); err != nil {
			t.Fatal(err)
		}
		update := wait("update", first.from, 1)
		if !strings.Contains(update.mail.Text, "off and on again") {
			t.Errorf("the answer:\n%s", update.mail.Text)
		}
		answer := answerMail(asAnswer, "3", first.from, update, "That has helped a little.")
		d.Deliver("INBOX", append([]byte("Delivered-To: box7@provider.example\r\nX-Original-To: "+answer.to+"\r\n"), answer.raw...))
		if note = wait("notification", "agent@desk.example", 2); !strings.Contains(note.mail.Text, "helped a little") {
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

// A mail that is too large for us is held by its header. It is no ticket
// without words, by whatever command, of which the mail itself would be a copy.
func TestTooLargeIsNotReleased(t *testing.T) {
	d := imaptest.Start(t)
	g := newGateway(t, storetest.SQLite(t).URL, "max_message_size: 25MiB", "max_message_size: 20KiB", "trust: {",
		strings.Replace(mailboxOf(d), "desk: support", "desk: support, since: all", 1)+"trust: {")
	write(t, filepath.Join(g.dir, "imap.pw"), imaptest.Password+"\n")
	large := firstMail("1", nil)
	d.Deliver("INBOX", append(large.raw, strings.Repeat("0123456789abcdef\r\n", 2000)...))
	g.start()
	t.Cleanup(g.stop)
	g.until("it is held", func() bool { return g.metric("held") == 1 })
	row := g.rows("held", "list")[0]
	if reason := fmt.Sprint(row["reason"]); !strings.Contains(reason, "kB are more than smtp.max_message_size (20 kB): it stays in ") {
		t.Errorf("held: %s", reason)
	}
	for _, command := range []string{"retry", "release"} {
		code, _, errs := g.command("held", command, fmt.Sprint(row["id"]))
		if code != 1 || !strings.Contains(errs, "is still in its mailbox") {
			t.Errorf("held %s: exit %d: %s", command, code, errs)
		}
	}
	if _, out, _ := g.command("why", large.id); !strings.HasSuffix(strings.SplitN(out, "\n", 2)[0], " at support: held, no ticket") {
		t.Errorf("why: %s", out)
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
