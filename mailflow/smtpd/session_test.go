package smtpd

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"guichet/mailflow"
)

func TestMail(t *testing.T) {
	in := &memory{}
	s, c := start(t, Config{}, in)
	c.talk(toData)
	c.talk(`
		-> Subject: hello
		->
		-> ..one dot
		-> .
		<- 250 2.0.0
		-> QUIT
		<- 221
		<- EOF`)
	got := in.only(t)
	want := mail{mailflow.Envelope{Listener: "smtp", Client: "127.0.0.1", Hello: "client.example",
		From: "a@client.example", Recipients: []string{"support@desk.example"}},
		"Subject: hello\r\n\r\n.one dot\r\n"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("took %+v\nwant %+v", got, want)
	}
	if n := s.Counters().Accepted.Load(); n != 1 {
		t.Errorf("%d counted as accepted", n)
	}
}

func TestExtensions(t *testing.T) {
	_, c := start(t, Config{}, &memory{})
	c.want("220")
	c.send("EHLO x\r\n")
	got := c.reply()
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "SIZE 26214400"} {
		if !strings.Contains(got, want+"\r\n") {
			t.Errorf("EHLO has no %s: %q", want, got)
		}
	}
	for _, not := range []string{"AUTH", "STARTTLS", "BINARYMIME", "DSN"} {
		if strings.Contains(got, not) {
			t.Errorf("EHLO has %s: %q", not, got)
		}
	}
}

// Everything at once in one segment, a body included (RFC 2920 §3.1).
func TestPipelining(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	one := "MAIL FROM:<a@b.example>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\nbody\r\n.\r\n"
	c.send("EHLO x\r\n" + one + one + "QUIT\r\n")
	for _, want := range []string{"220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221", "EOF"} {
		c.want(want)
	}
	if got := in.bodies(); len(got) != 2 || got[1] != "body\r\n" {
		t.Errorf("took %q", got)
	}
}

func TestBDAT(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk(strings.TrimSuffix(strings.TrimSpace(toData), "-> DATA\n\t<- 354"))
	c.send("BDAT 6\r\n.\r\n.\r\nBDAT 3 LAST\r\nend")
	c.want("250")
	c.want("250 2.0.0")
	if got := in.only(t).body; got != ".\r\n.\r\nend" {
		t.Errorf("took %q", got)
	}
	c.talk(`
		-> BDAT 7
		-> QUIT1
		<- 502 5.5.1
		-> NOOP
		<- 250`)
}

// go-smtp takes a second MAIL and keeps the recipients of the first.
func TestTrapNestedMail(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk(`
		<- 220
		-> EHLO x
		<- 250
		-> MAIL FROM:<a@b.example>
		<- 250
		-> RCPT TO:<support@desk.example>
		<- 250
		-> MAIL FROM:<evil@b.example>
		<- 503 5.5.1
		-> DATA
		<- 354
		-> .
		<- 250`)
	if got := in.only(t).From; got != "a@b.example" {
		t.Errorf("from %q", got)
	}
}

// go-smtp refuses a path without domain; RFC 5321 §4.5.1 wants this one.
func TestTrapBarePostmaster(t *testing.T) {
	for _, line := range []string{"RCPT TO:<postmaster>", "rcpt to: <PostMaster>", "RCPT TO:<postmaster> "} {
		in := &memory{}
		_, c := start(t, Config{}, in)
		c.talk(`
			<- 220
			-> EHLO x
			<- 250
			-> MAIL FROM:<a@b.example>
			<- 250
			-> ` + line + `
			<- 250 2.1.5
			-> RCPT TO:<postmaster@desk.example>
			<- 250
			-> DATA
			<- 354
			-> .
			<- 250`)
		if got := in.only(t).Recipients; !reflect.DeepEqual(got, []string{"postmaster", "postmaster@desk.example"}) {
			t.Errorf("%s: recipients %q", line, got)
		}
	}
}

// go-smtp takes controls, broken UTF-8, and UTF-8 without SMTPUTF8, and it
// takes the quotes off.
func TestTrapAddresses(t *testing.T) {
	_, c := start(t, Config{MaxErrors: 100}, &memory{})
	c.want("220")
	c.talk("-> EHLO x\n<- 250")
	check := func(path, params, want string) {
		t.Helper()
		c.send("MAIL FROM:<" + path + ">" + params + "\r\n")
		c.want(want)
		c.talk("-> RSET\n<- 250")
	}
	check("", "", "250")
	check("a@b.example", " BODY=8BITMIME", "250")
	check("a@[192.0.2.1]", "", "250")
	check("a@[IPv6:2001:db8::1]", "", "250")
	check(`"a b"@c.example`, "", "250")
	check("é@b.example", " SMTPUTF8", "250")
	check("a@é.example", " SMTPUTF8", "250")
	check("é@b.example", "", "553 5.6.7")
	check("a@é.example", "", "553 5.6.7")
	check("a\xff@b.example", " SMTPUTF8", "501 5.1.7")
	check("a\u0085@b.example", " SMTPUTF8", "501 5.1.7")
	check("\"a\tb\"@c.example", "", "501 5.1.7")
	check("a@b\x00.example", "", "500 5.5.2")
	check("a@b\r.example", "", "500 5.5.2")
	check("a\x1b@b.example", "", "500 5.5.2")
	check("a@b<c", "", "501 5.1.7")
	check("a@b,c", "", "501 5.1.7")
	check(strings.Repeat("a", 246)+"@b.example", "", "501 5.1.7")
	check(strings.Repeat("a", 244)+"@b.example", "", "250")
	c.talk("-> MAIL FROM:<>\n<- 250\n-> RCPT TO:<é@desk.example>\n<- 553 5.6.7")
	c.talk("-> RCPT TO:<a@b;c>\n<- 501 5.1.3")
}

func TestQuotedLocalPart(t *testing.T) {
	for _, addr := range []string{`"a b"@c.example`, `"a@b"@c.example`, `"a\"b\\c"@d.example`, "a+b@c.example"} {
		in := &memory{}
		_, c := start(t, Config{}, in)
		c.talk(strings.Replace(toData, "a@client.example", addr, 1))
		c.talk("-> .\n<- 250")
		if got := in.only(t).From; got != addr {
			t.Errorf("from %s, want %s", got, addr)
		}
	}
}

func TestSMTPUTF8(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk(`
		<- 220
		-> EHLO x
		<- 250
		-> MAIL FROM:<héloïse@exemple.example> SMTPUTF8
		<- 250
		-> RCPT TO:<dépannage@desk.example>
		<- 250
		-> DATA
		<- 354
		-> Subject: ça va
		-> .
		<- 250`)
	got := in.only(t)
	if got.From != "héloïse@exemple.example" || got.Recipients[0] != "dépannage@desk.example" {
		t.Errorf("envelope %+v", got.Envelope)
	}
}

// Any other error of DATA would be 554 with its text: a bounce for our fault.
func TestTrapFaultsAre4xxWithoutText(t *testing.T) {
	fault := errors.New("pq: secret inside")
	full := fmt.Errorf("wrapped: %w", &mailflow.Refusal{Code: 452, Enhanced: [3]int{4, 3, 1}, Message: "Disk\r\n250 full"})
	for _, tt := range []struct {
		name   string
		in     *memory
		stage  int // answers before the one of interest: MAIL, RCPT, DATA's end
		answer string
	}{
		{"ready", &memory{ready: func(int64) error { return fault }}, 0, "451 4.3.0"},
		{"ready refusal", &memory{ready: func(int64) error { return full }}, 0, "452 4.3.1 Disk  250 full"},
		{"recipient", &memory{recipient: func(string) error { return fault }}, 1, "451 4.3.0"},
		{"write", &memory{write: func([]byte) error { return fault }}, 2, "451 4.3.0"},
		{"write refusal", &memory{write: func([]byte) error { return full }}, 2, "452 4.3.1 Disk  250 full"},
		{"commit", &memory{commit: func(context.Context) error { return fault }}, 2, "451 4.3.0"},
		{"commit refusal", &memory{commit: func(context.Context) error { return full }}, 2, "452 4.3.1"},
		{"commit nonsense", &memory{commit: func(context.Context) error { return &mailflow.Refusal{Code: 250} }}, 2, "451 4.3.0"},
		{"commit panic", &memory{commit: func(context.Context) error { panic(fault) }}, 2, "421"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, c := start(t, Config{}, tt.in)
			t.Cleanup(func() { tt.in.open = 0 }) // a panic leaves it
			c.talk("<- 220\n-> EHLO x\n<- 250")
			for i, line := range []string{"MAIL FROM:<a@b.example>", "RCPT TO:<support@desk.example>", "DATA"} {
				c.send(line + "\r\n")
				if i == tt.stage {
					break
				}
				c.reply()
			}
			if tt.stage == 2 {
				c.want("354")
				c.send("x\r\n.\r\n")
			}
			got := c.reply()
			if !strings.HasPrefix(got, tt.answer) || strings.Contains(got, "secret") {
				t.Errorf("answer %q, want %s", got, tt.answer)
			}
			tt.in.none(t)
		})
	}
}

func TestSize(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{MaxMessageSize: 1000}, in)
	c.talk(`
		<- 220
		-> EHLO x
		<- 250
		-> MAIL FROM:<a@b.example> SIZE=1001
		<- 552 5.3.4
		-> MAIL FROM:<a@b.example> SIZE=1000
		<- 250
		-> RCPT TO:<support@desk.example>
		<- 250
		-> DATA
		<- 354`)
	c.send(strings.Repeat("x", 999) + "\r\n.\r\n")
	c.want("552 5.3.4")
	c.talk("-> MAIL FROM:<a@b.example>\n<- 250\n-> RCPT TO:<support@desk.example>\n<- 250\n-> DATA\n<- 354")
	c.send(strings.Repeat("x", 998) + "\r\n.\r\n") // exactly 1000, which go-smtp refuses
	c.want("250")
	if n := len(in.only(t).body); n != 1000 {
		t.Errorf("took %d octets", n)
	}
	c.talk("-> MAIL FROM:<a@b.example>\n<- 250\n-> RCPT TO:<support@desk.example>\n<- 250")
	c.send("BDAT 1001 LAST\r\n" + strings.Repeat("x", 1001) + "NOOP\r\n")
	c.want("552 5.3.4")
	c.want("250")
}

// go-smtp discards without limit what follows a mail that is too large.
func TestTrapDiscardIsBounded(t *testing.T) {
	for _, begin := range []string{"DATA\r\n", "BDAT 4000000000 LAST\r\n"} {
		in := &memory{}
		_, c := start(t, Config{MaxMessageSize: 1000}, in)
		c.talk("<- 220\n-> EHLO x\n<- 250\n-> MAIL FROM:<a@b.example>\n<- 250\n-> RCPT TO:<support@desk.example>\n<- 250")
		c.send(begin)
		if begin == "DATA\r\n" {
			c.want("354")
		}
		block := []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 1000))
		sent, err := 0, error(nil)
		for err == nil && sent < 64<<20 {
			var n int
			n, err = c.Write(block)
			sent += n
		}
		if err == nil {
			t.Errorf("%q: %d octets were read of a mail of at most 1000", begin, sent)
		}
		in.none(t)
	}
}

func TestHops(t *testing.T) {
	hop := "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
	check := func(head, want string) {
		t.Helper()
		_, c := start(t, Config{MaxHops: 3}, &memory{})
		c.talk(toData)
		c.send(head + "\r\n.\r\n")
		c.want(want)
	}
	check(strings.Repeat(hop, 3)+"Subject: x\r\n\r\n", "250")
	check(strings.Repeat(hop, 4), "554 5.4.6")
	check("X: y\r\n"+strings.Repeat(strings.ToUpper(hop), 4)+"\r\n", "554 5.4.6")
	check(strings.Repeat("Received: x\n", 4)+"\n", "554 5.4.6")
	check(strings.Repeat("Received: x\r", 4)+"\r", "554 5.4.6")
	check("Subject: x\r\n\r\n"+strings.Repeat(hop, 9), "250")
	check("Subject: x\n\n"+strings.Repeat(hop, 9), "250")
	check("X: y\r\n"+strings.Repeat(" Received: z\r\n", 9)+"\r\n", "250")
}

func TestTooManyRecipients(t *testing.T) {
	_, c := start(t, Config{MaxRecipients: 1}, &memory{})
	c.talk(`
		<- 220
		-> EHLO x
		<- 250
		-> MAIL FROM:<a@b.example>
		<- 250
		-> RCPT TO:<a@desk.example>
		<- 250
		-> RCPT TO:<b@desk.example>
		<- 452 4.5.3`)
}

// go-smtp counts unknown commands only.
func TestTrapFloods(t *testing.T) {
	unknown := &memory{recipient: func(string) error {
		return &mailflow.Refusal{Code: 550, Enhanced: [3]int{5, 1, 1}, Message: "No such address"}
	}}
	for _, tt := range []struct{ flood, answer, end string }{
		{"RCPT TO:<x@desk.example>", "550 5.1.1", "421 4.7.0 Too many errors"},
		{"RCPT TO:<x@>", "501", "421 4.7.0 Too many errors"},
		{"AUTH PLAIN AGEAYg==", "523", "421 4.7.0 Too many errors"},
		{"NOOP", "250", "421 4.7.0 Too many commands"},
		{"RSET", "250", "421 4.7.0 Too many commands"},
		{"VRFY x", "252", "421 4.7.0 Too many commands"},
		{"EHLO x", "250", "421 4.7.0 Too many commands"},
	} {
		t.Run(tt.flood, func(t *testing.T) {
			_, c := start(t, Config{MaxErrors: 8, MaxCommands: 12}, unknown)
			c.talk("<- 220\n-> EHLO x\n<- 250\n-> MAIL FROM:<a@b.example>\n<- 250")
			for n := 0; ; n++ {
				c.send(tt.flood + "\r\n")
				if got := c.reply(); strings.HasPrefix(got, tt.end) {
					break
				} else if !strings.Contains(got, tt.answer) || n > 20 {
					t.Fatalf("answer %d: %q", n, got)
				}
			}
			c.want("EOF")
		})
	}
}

// Who delivers mail may go on for ever.
func TestFloodCountsEndWithAMail(t *testing.T) {
	_, c := start(t, Config{MaxErrors: 3, MaxCommands: 5}, &memory{})
	c.talk("<- 220\n-> EHLO x\n<- 250")
	for range 9 {
		c.talk("-> NOOP\n<- 250\n-> BDAT 0\n<- 502\n-> DATA\n<- 502\n-> MAIL FROM:<>\n<- 250\n-> RCPT TO:<a@b.example>\n<- 250\n-> DATA\n<- 354\n-> .\n<- 250")
	}
}

// One long line costs go-smtp the session and all that is pipelined.
func TestTrapLongLines(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{MaxLine: 100_000}, in)
	c.send("EHLO x\r\nNOOP " + strings.Repeat("x", 3000) + "\r\nNOOP " + strings.Repeat("x", 50_000) + "\r\nNOOP\r\n")
	for _, want := range []string{"220", "250", "250", "500 5.5.2 Line too long", "250"} {
		c.want(want)
	}
	begin := "MAIL FROM:<a@b.example>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\n"
	c.send(begin + strings.Repeat("x", 100_000) + "\r\n.\r\n" + begin + strings.Repeat("x", 100_001) + "\r\n.\r\nNOOP\r\n")
	for _, want := range []string{"250", "250", "354", "250", "250", "250", "354", "554 5.6.0", "250"} {
		c.want(want)
	}
	if n := len(in.only(t).body); n != 100_002 {
		t.Errorf("took %d octets", n)
	}
	c.send(strings.Repeat("x", 200_000))
	c.want("421")
}
