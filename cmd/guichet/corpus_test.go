package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/store"
	"guichet/store/storetest"
)

// TestCorpus sends every mail of GUICHET_CORPUS by SMTP into a gateway: none
// is lost, none ends the gateway, and nothing automatic is answered. The mails
// that the index calls automatic go in before or after all others, so that
// every mail that the gateway writes meanwhile is an answer to one of them.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("GUICHET_CORPUS")
	if dir == "" && os.Getenv("CI") == "true" {
		t.Fatal("GUICHET_CORPUS is not set: CI must send the real mails")
	}
	if dir == "" {
		t.Skip("GUICHET_CORPUS is not set")
	}
	t.Parallel()
	mails := readCorpus(t, dir)
	human := func(m *corpusMail) bool { return m.class == "" || m.class == "human" }
	// The world's mails come from a network that nobody trusts.
	t.Run("sqlite", func(t *testing.T) {
		r := startCorpus(t, storetest.SQLite(t).URL, mails, `networks: ["127.0.0.1"]`, `networks: ["192.0.2.1"]`)
		r.unanswered(r.pick(func(m *corpusMail) bool { return !human(m) }))
		r.send(r.pick(human))
		r.check()
	})
	if testing.Short() {
		return
	}
	// In a trusted network, who has no Received line is proven: those in Cc
	// become parties.
	t.Run("postgres", func(t *testing.T) {
		r := startCorpus(t, storetest.Postgres(t).URL, mails)
		r.send(r.pick(human))
		r.unanswered(r.pick(func(m *corpusMail) bool { return !human(m) }))
		r.check()
	})
}

// misjudged are two files that the index calls bounces, for no reason that
// stands in them: they are spam written as a person's first mail, which the
// source keeps because its parser takes it for a bounce.
var misjudged = []string{"bounce/bounceparser-spam-lots-of-bogus-addresses.eml", "bounce/bounceparser-spam-with-badly-parsed-email.eml"}

// corpusMail is one file of the corpus as it is sent.
type corpusMail struct {
	file, class, thread string
	from                string // of the envelope
	raw                 []byte
	mail                *rfc822.Mail
}

func readCorpus(t *testing.T, dir string) []*corpusMail {
	t.Helper()
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("../..", dir) // as it is named from the top of the module
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index []struct {
		File, Kind string
		Expect     struct {
			Class  string
			Thread struct{ Thread string }
		}
	}
	if err := json.Unmarshal(text, &index); err != nil || len(index) < 900 {
		t.Fatalf("index.json holds %d mails: %v", len(index), err)
	}
	var mails []*corpusMail
	for i, e := range index {
		if testing.Short() && i%4 > 0 {
			continue // the race detector makes them ten times dearer, and sees no other code
		}
		body, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil {
			t.Fatal(err)
		}
		raw := onTheWire(asMail(body, e.Kind))
		m := &corpusMail{file: e.File, class: e.Expect.Class, thread: e.Expect.Thread.Thread, raw: raw, mail: rfc822.Parse(raw)}
		m.from = envelopeOf(m.mail)
		if slices.Contains(misjudged, m.file) {
			m.class = ""
		}
		mails = append(mails, m)
	}
	return mails
}

// asMail wraps what is only a body, as the corpus's score does.
func asMail(body []byte, kind string) []byte {
	head := "From: a@example.org\nTo: b@example.org\nSubject: Re: x\nMIME-Version: 1.0\n"
	switch kind {
	case "message":
		return body
	case "tnef":
		head += "Content-Type: application/ms-tnef; name=\"winmail.dat\"\nContent-Transfer-Encoding: base64\n\n"
		text := base64.StdEncoding.EncodeToString(body)
		return []byte(head + inLines(text, "\n") + "\n")
	case "html":
		head += "Content-Type: text/html; charset=utf-8\n"
	default:
		head += "Content-Type: text/plain; charset=utf-8\n"
	}
	return append([]byte(head+"Content-Transfer-Encoding: 8bit\n\n"), body...)
}

// onTheWire ends every line in CRLF. A CR within a line stays as it is.
func onTheWire(raw []byte) []byte {
	raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		raw = append(raw, "\r\n"...)
	}
	return raw
}

var mailbox = regexp.MustCompile(`^[a-zA-Z0-9!#$%&'*+/=?^_{|}~.-]+@[a-zA-Z0-9.-]+$`)

// envelopeOf is the sender that the mail's last server noted, or else its
// author; for an author without address, somebody.
func envelopeOf(m *rfc822.Mail) string {
	path := strings.Trim(strings.TrimSpace(m.Header.Get("Return-Path")), "<>")
	switch {
	case len(m.Header.Values("Return-Path")) > 0 && path == "":
		return ""
	case mailbox.MatchString(path):
		return path
	case len(m.From) > 0 && mailbox.MatchString(m.From[0].Address):
		return m.From[0].Address
	}
	return "somebody@example.net"
}

// corpusRun is the corpus on its way through one gateway.
type corpusRun struct {
	t     *testing.T
	g     *running
	db    *store.DB // beside the gateway
	mails []*corpusMail
	pid   int
	sent  int
	began time.Time
}

func startCorpus(t *testing.T, url string, mails []*corpusMail, replace ...string) *corpusRun {
	t.Helper()
	g := startGateway(t, url, replace...)
	db, err := store.Open(context.Background(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &corpusRun{t: t, g: g, db: db, mails: mails, pid: g.cmd.Process.Pid, began: time.Now()}
}

func (r *corpusRun) pick(want func(*corpusMail) bool) (out []*corpusMail) {
	for _, m := range r.mails {
		if want(m) {
			out = append(out, m)
		}
	}
	return out
}

func (r *corpusRun) view(fn func(*store.Tx) error) {
	r.t.Helper()
	if err := r.db.View(context.Background(), fn); err != nil {
		r.t.Fatal(err)
	}
}

// send hands mails over on four connections and waits until nothing is on its
// way any more.
func (r *corpusRun) send(mails []*corpusMail) {
	r.t.Helper()
	work := make(chan *corpusMail, len(mails))
	for _, m := range mails {
		work <- m
	}
	close(work)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c, err := smtp.Dial(r.g.addr["smtp"])
			if err != nil {
				r.t.Error(err)
				return
			}
			defer c.Close()
			for m := range work {
				if err := hand(c, m.from, toSupport, m.raw); err != nil {
					r.t.Errorf("%s from <%s>: not taken: %v", m.file, m.from, err)
					c.Reset()
				}
			}
		})
	}
	wg.Wait()
	r.sent += len(mails)
	r.drained()
}

// drained is settled for as long as something moves.
func (r *corpusRun) drained() {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	moved, before := time.Now(), -1.0
	for range tick.C {
		if r.g.metric("unprocessed") == 0 && r.g.metric("outbox_busy") == 0 {
			return
		}
		if now := r.g.metric("processed_total") + r.g.metric("sent_total"); now != before {
			moved, before = time.Now(), now
		}
		if time.Since(moved) > patience {
			r.t.Fatalf("nothing moves, %v unprocessed, %v to send:\n%s", r.g.metric("unprocessed"), r.g.metric("outbox_busy"), r.g.log())
		}
	}
}
