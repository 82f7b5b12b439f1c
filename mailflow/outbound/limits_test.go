package outbound

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// hasty are limits that a test waits for.
func hasty() Timeouts {
	t := short()
	t.Command, t.Data, t.Block, t.Dot = 80*time.Millisecond, 80*time.Millisecond, 80*time.Millisecond, 80*time.Millisecond
	return t
}

// TestLongLine: a reply line has its own bound.
func TestLongLine(t *testing.T) {
	k := newSink(t, script{"RCPT": {"250 " + strings.Repeat("x", maxReplyLine)}})
	res := open(t, "smtp://"+k.addr(), Options{}).Send(t.Context(), testMail("a@b.example"))
	if outcome(res) != "deferred" || !strings.Contains(res.Reply, errLongReply.Error()) {
		t.Errorf("%+v", res)
	}
}

// TestSilence: each wait has its end, also against one octet every 5 ms, and
// against a relay that stops reading in the middle of a mail.
func TestSilence(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct{ verb, answer, want string }{
		{"CONNECT", "!hang", "trouble"},
		{"CONNECT", "!drip 220 " + long, "trouble"},
		{"EHLO", "!hang", "trouble"},
		{"EHLO", "!drip 250 " + long, "trouble"},
		{"MAIL", "!hang", "deferred+trouble"},
		{"RCPT", "!hang", "deferred"},
		{"RCPT", "!drip 250 " + long, "deferred"},
		{"DATA", "!hang", "deferred"},
		{"DATA", "!stall", "deferred"},
		{".", "!hang", "deferred"},
		{".", "!drip 250 " + long, "deferred"},
	} {
		t.Run(c.verb+" "+c.answer[:5], func(t *testing.T) {
			k := newSink(t, script{c.verb: {c.answer}})
			m := testMail("a@b.example")
			if c.answer == "!stall" {
				m.Body = bytes.Repeat([]byte(long+"\r\n"), 100_000)
			}
			began := time.Now()
			res := open(t, "smtp://"+k.addr(), Options{Timeouts: hasty()}).Send(t.Context(), m)
			if got := outcome(res); got != c.want {
				t.Errorf("got %s, want %s (%s)", got, c.want, res.Reply)
			}
			if d := time.Since(began); d > 30*time.Second {
				t.Errorf("took %s", d)
			}
			if c.verb == "DATA" && len(k.taken()) > 0 {
				t.Error("the sink took half a mail")
			}
		})
	}
}

// TestCancel: an attempt ends with its context wherever it stands, and says
// why.
func TestCancel(t *testing.T) {
	for _, verb := range []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."} {
		t.Run(verb, func(t *testing.T) {
			k := newSink(t, script{verb: {"!hang"}})
			ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, fmt.Errorf("ran out of patience"))
			defer cancel()
			res := open(t, "smtp://"+k.addr(), Options{}).Send(ctx, testMail("a@b.example"))
			if res.State != Deferred || !strings.Contains(res.Reply, "ran out of patience") {
				t.Errorf("%+v", res)
			}
		})
	}
}

// TestIdle: an unused connection is closed by us.
func TestIdle(t *testing.T) {
	k := newSink(t, nil)
	to := short()
	to.Idle = 10 * time.Millisecond
	r := open(t, "smtp://"+k.addr(), Options{Timeouts: to})
	r.Send(t.Context(), testMail("a@b.example"))
	eventually(t, func() bool { _, open := k.count(); return open == 0 && k.saw("QUIT") })
}

// eventually polls for what another goroutine is about to do.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("did not happen within 10 s")
		}
	}
}
