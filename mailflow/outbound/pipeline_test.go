package outbound

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// TestPipelined is a relay that answers nothing before it has all commands of
// a mail: with one command at a time neither would ever go on.
func TestPipelined(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		read := func(lines int) {
			for range lines {
				r.ReadString('\n')
			}
		}
		io.WriteString(c, "220 hi\r\n")
		read(1)
		io.WriteString(c, "250-relay\r\n250 PIPELINING\r\n")
		for range 2 {
			read(3)
			io.WriteString(c, "250 a\r\n250 b\r\n354 c\r\n")
			textproto.NewReader(r).ReadDotBytes()
			io.WriteString(c, "250 taken\r\n")
		}
		read(1)
	}()
	r := open(t, "smtp://"+ln.Addr().String(), Options{})
	for range 2 {
		if res := r.Send(t.Context(), testMail("a@b.example")); res.State != Sent || res.Reply != "250 taken" {
			t.Fatalf("%+v", res)
		}
	}
}

// TestPipelinedRefusals: the replies to what went out together are read before
// the next mail; a relay that waits for a mail all the same gets none.
func TestPipelinedRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		script script
		want   string
		conns  int // for that mail and one more
	}{
		{"recipient", script{"RCPT": {"550 5.1.1 no", "250 ok"}, "DATA": {"503 5.5.1 RCPT first", "354 go on"}}, "failed", 1},
		{"recipient later", script{"RCPT": {"450 4.2.0 later", "250 ok"}, "DATA": {"554 5.5.1 no valid recipients", "354 go on"}}, "deferred", 1},
		{"recipient, and a mail is awaited", script{"RCPT": {"550 5.1.1 no", "250 ok"}}, "failed", 2},
		{"sender", script{"MAIL": {"550 5.1.7 no", "250 ok"}, "RCPT": {"503 5.5.1 MAIL first", "250 ok"}, "DATA": {"503 5.5.1 MAIL first", "354 go on"}}, "failed", 1},
		{"sender, and the recipient is taken", script{"MAIL": {"550 5.1.7 no", "250 ok"}, "DATA": {"503 5.5.1 MAIL first", "354 go on"}}, "failed", 1},
		{"sender, and a mail is awaited", script{"MAIL": {"550 5.1.7 no", "250 ok"}}, "failed", 2},
		{"sender, then it goes", script{"MAIL": {"550 5.1.7 no", "250 ok"}, "RCPT": {"421 4.3.2 bye", "250 ok"}}, "failed", 2},
		{"data", script{"DATA": {"554 5.5.1 no", "354 go on"}}, "failed", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newSink(t, c.script, "PIPELINING")
			r := open(t, "smtp://"+k.addr(), Options{})
			if got := outcome(r.Send(t.Context(), testMail("a@b.example"))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := k.taken(); len(got) != 0 {
				t.Errorf("taken: %q", got)
			}
			if got := outcome(r.Send(t.Context(), testMail("c@b.example"))); got != "sent" {
				t.Errorf("the next mail: %s", got)
			}
			if conns, _ := k.count(); conns != c.conns {
				t.Errorf("%d connections, want %d", conns, c.conns)
			}
			if got := k.taken(); len(got) != 1 || !strings.Contains(got[0], "To: c@b.example") {
				t.Errorf("taken: %q", got)
			}
		})
	}
}

// TestDots: what is written at once, and what is written in pieces, comes out
// as it went in, whatever lines begin with.
func TestDots(t *testing.T) {
	k := newSink(t, nil, "PIPELINING")
	r := open(t, "smtp://"+k.addr(), Options{})
	check := func(body string) {
		t.Helper()
		m := testMail("a@b.example")
		m.Body = []byte(body)
		if res := r.Send(t.Context(), m); res.State != Sent {
			t.Fatalf("%.40q: %+v", body, res)
		}
		got := k.taken()
		want := string(m.Header) + "\r\n" + body
		if !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if last := got[len(got)-1]; last != want {
			t.Errorf("%.40q came as %.200q", body, last)
		}
	}
	for _, body := range []string{"", ".\r\n", "..\r\n", ".\r\n.\r\n", "a\r\n.\r\nb\r\n", "a\r\n..b\r\n.c.\r\n", "a", ".", "a\r\n", "\r\n", "\r\n.\r\n\r\n"} {
		check(body)
	}
	line := strings.Repeat("x", 70) + "\r\n.y\r\n"
	for _, n := range []int{wholeMail/len(line) - 3, wholeMail / len(line), wholeMail/len(line) + 1, 10 * wholeMail / len(line)} {
		check(strings.Repeat(line, n))
	}
	for range 50 {
		var b bytes.Buffer
		for range rand.N(40) {
			b.WriteString([]string{".", "a", "\r\n", "\r\n.", "bb"}[rand.N(5)])
		}
		check(b.String())
	}
}

// TestCutMail: a relay that stops reading within a mail is told apart from
// one that does not answer it.
func TestCutMail(t *testing.T) {
	k := newSink(t, script{"DATA": {"!stall"}}, "PIPELINING")
	limits := short()
	limits.Block, limits.Dot = 300*time.Millisecond, 300*time.Millisecond
	r := open(t, "smtp://"+k.addr(), Options{Timeouts: limits})
	m := testMail("a@b.example")
	if res := r.Send(t.Context(), m); outcome(res) != "deferred" || !strings.Contains(res.Reply, "reply to the final dot") {
		t.Errorf("%+v", res)
	}
	m.Body = bytes.Repeat([]byte("a line of a mail that is large\r\n"), 1<<20)
	if res := r.Send(t.Context(), m); outcome(res) != "deferred" || !strings.Contains(res.Reply, "send the mail") {
		t.Errorf("%+v", res)
	}
}
