package smtpd

import (
	"context"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"guichet/mailflow"
)

func startLMTP(t *testing.T, in *memory) *client {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "lmtp.sock"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, Config{Protocol: LMTP}, in, l)
	return dial(t, l.Addr())
}

const lmtpToData = `
	<- 220 desk.example LMTP
	-> EHLO x
	<- 500
	-> LHLO client.example
	<- 250
	-> MAIL FROM:<a@b.example>
	<- 250
	-> RCPT TO:<one@desk.example>
	<- 250
	-> RCPT TO:<unknown@desk.example>
	<- 550 5.1.1
	-> RCPT TO:<postmaster>
	<- 250
	-> RCPT TO:<one@desk.example>
	<- 250
`

func onlyKnown(to string) error {
	if strings.HasPrefix(to, "unknown") {
		return &mailflow.Refusal{Code: 550, Enhanced: [3]int{5, 1, 1}, Message: "No such address"}
	}
	return nil
}

// RFC 2033 §4.2: one answer for each recipient that was accepted, from one
// commit.
func TestLMTP(t *testing.T) {
	in := &memory{recipient: onlyKnown}
	c := startLMTP(t, in)
	c.talk(lmtpToData)
	c.talk(`
		-> DATA
		<- 354
		-> body
		-> .
		<- 250 2.0.0 <one@desk.example>
		<- 250 2.0.0 <postmaster@desk.example>
		<- 250 2.0.0 <one@desk.example>
		-> QUIT
		<- 221`)
	got := in.only(t)
	want := mailflow.Envelope{Listener: "lmtp", Client: "unix", Hello: "client.example", From: "a@b.example",
		Recipients: []string{"one@desk.example", "postmaster", "one@desk.example"}}
	if !reflect.DeepEqual(got.Envelope, want) {
		t.Errorf("envelope %+v", got.Envelope)
	}
}

func TestLMTPFailure(t *testing.T) {
	in := &memory{recipient: onlyKnown, commit: func(context.Context) error { return net.ErrClosed }}
	c := startLMTP(t, in)
	c.talk(lmtpToData)
	c.talk("-> DATA\n<- 354\n-> .\n<- 451 4.3.0 <one@\n<- 451 4.3.0 <postmaster@\n<- 451 4.3.0 <one@")
	c.talk("-> NOOP\n<- 250")
	in.none(t)
}

func TestLMTPChunks(t *testing.T) {
	in := &memory{recipient: onlyKnown}
	c := startLMTP(t, in)
	c.talk(lmtpToData)
	c.send("BDAT 3\r\nabcBDAT 3 LAST\r\ndefNOOP\r\n")
	for _, want := range []string{"250 2.0.0 Continue", "250 2.0.0 <one@", "250 2.0.0 <postmaster@", "250 2.0.0 <one@", "250"} {
		c.want(want)
	}
	if got := in.only(t).body; got != "abcdef" {
		t.Errorf("took %q", got)
	}
}

// A refusal in the middle of BDAT must not leave an LMTP client with fewer
// answers than it waits for.
func TestLMTPChunksRefused(t *testing.T) {
	in := &memory{recipient: onlyKnown, write: func([]byte) error { return net.ErrClosed }}
	c := startLMTP(t, in)
	c.talk(lmtpToData)
	c.send("BDAT 3\r\nabcBDAT 3 LAST\r\ndefNOOP\r\n")
	for _, want := range []string{"250 2.0.0 Continue", "451 4.3.0 <one@", "451 4.3.0 <postmaster@", "451 4.3.0 <one@", "250"} {
		c.want(want)
	}
	in.none(t)
}
