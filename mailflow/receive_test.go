package mailflow

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"guichet/store"
	"guichet/store/storetest"
)

// refusal is the SMTP answer in an error, 0 if there is none.
func refusal(t *testing.T, err error) int {
	t.Helper()
	var r *Refusal
	if err != nil && !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	if r == nil {
		return 0
	}
	if r.Enhanced[0] != r.Code/100 || r.Message == "" || strings.Contains(r.Error(), "store") {
		t.Errorf("%v", r)
	}
	return r.Code
}

func TestReady(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		check := func(what string, want int) {
			t.Helper()
			if got := refusal(t, w.r.Ready(0)); got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		check("at the start", 0)
		w.change(func(s *Settings) { s.Limits.MaxUnprocessed = 2 })
		w.mail(ada, desk, "One")
		w.mail(ada, desk, "Two")
		w.pass(time.Second)
		check("two of two", 0)
		w.mail(ada, desk, "Three")
		check("within the same second", 0)
		w.pass(time.Second)
		check("three of two", 451)
		w.process()
		check("within the same second", 451)
		w.pass(time.Second)
		check("processed", 0)
		w.r.Dir = t.TempDir()
		w.change(func(s *Settings) { s.Limits.MinFree = math.MaxInt64 })
		w.pass(time.Second)
		check("less free than the floor", 452)
		w.change(func(s *Settings) { s.Limits.MinFree = 1 })
		w.pass(-time.Minute) // the clock goes back
		check("more free than the floor", 0)
		w.r.Dir = "/nowhere/at/all"
		w.change(func(s *Settings) { s.Limits.MinFree = math.MaxInt64 })
		w.pass(time.Second)
		check("a directory that cannot be asked", 0)
		w.db.Close()
		w.pass(time.Second)
		check("without a store", 451)
	})
}

// What cannot be committed is refused for now, and nothing of it is kept.
func TestCommitFails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		env := Envelope{Listener: "smtp", Client: "192.0.2.7", From: ada, Recipients: []string{desk}}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		for _, size := range []int{100, 2 << 20} {
			in := w.r.Begin(env)
			if _, err := in.Write([]byte("Subject: x\r\n\r\n" + strings.Repeat("x", size))); err != nil {
				t.Fatal(err)
			}
			if code := refusal(t, in.Commit(gone)); code != 451 {
				t.Errorf("%d bytes: %d, want 451", size, code)
			}
		}
		w.view(func(tx *store.Tx) error {
			n, err := tx.Unprocessed(10)
			if n != 0 || w.f.Count.Received.Load() != 0 {
				t.Errorf("%d deliveries of mails that were refused", n)
			}
			return err
		})
		in := w.r.Begin(env)
		in.Write([]byte("Subject: x\r\n\r\nx"))
		in.Abort()
		w.mail(ada, desk, "Next")
		w.run()
		if n := len(w.tickets()); n != 1 {
			t.Errorf("%d tickets, want 1", n)
		}
		in = w.r.Begin(env)
		w.db.Close()
		_, err := in.Write([]byte(strings.Repeat("x", 2<<20)))
		if err == nil {
			err = in.Commit(ctx)
		}
		if code := refusal(t, err); code != 451 {
			t.Errorf("without a store: %d, want 451", code)
		}
	})
}

// One mail is stored once, with a delivery for each desk among its recipients.
func TestDeliveries(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	token := testKeys.Reply(7, 1)
	check := func(recipients string, want ...string) {
		t.Helper()
		in := w.r.Begin(Envelope{Listener: "lmtp", Client: "unix", From: ada, Recipients: strings.Split(recipients, ",")})
		in.Write([]byte("Subject: x\r\n\r\nx"))
		w.must(in.Commit(ctx))
		var ds []store.Delivery
		w.update(func(tx *store.Tx) (err error) { ds, err = tx.ClaimDeliveries(10, leaseTTL); return err })
		var got []string
		raw := map[int64]bool{}
		for _, d := range ds {
			got = append(got, d.Desk+" "+strings.Join(d.Recipients, ",")+" "+string('0'+rune(d.Priority)))
			raw[d.RawID] = true
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") || len(raw) != 1 {
			t.Errorf("%s: %q of %d raw mails, want %q", recipients, got, len(raw), want)
		}
	}
	check(desk, "support "+desk+" 1")
	check(desk+",sales@desk.example", "support "+desk+" 1", "sales sales@desk.example 1")
	check("sales@desk.example,"+desk+",support+x@desk.example", "sales sales@desk.example 1", "support "+desk+",support+x@desk.example 1")
	check("support+"+token+"@desk.example", "support support+"+token+"@desk.example 0")
	check(desk+",support+"+token+"@desk.example", "support "+desk+",support+"+token+"@desk.example 0")
	check("support+"+someToken+"@desk.example", "support support+"+someToken+"@desk.example 1")
	check("postmaster", "support postmaster 1")
	check("gone@desk.example", "support gone@desk.example 1") // a reload took the desk away since RCPT
	for _, to := range []string{desk, "postmaster", "sales+x@desk.example"} {
		if err := w.r.Recipient(to); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	if code := refusal(t, w.r.Recipient("gone@desk.example")); code != 550 {
		t.Errorf("an unknown recipient: %d", code)
	}
}
