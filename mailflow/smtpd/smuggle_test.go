package smtpd

import (
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bufio"
	"io"
)

const inner = "MAIL FROM:<ceo@corp.example>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\nsmuggled"

// CVE-2023-51764 and its kin: only CRLF.CRLF ends a body, so what follows any
// of these is text of the first mail.
func TestSmuggling(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r\n\x00.\r\n", "\n.\r", "\r.\n", "\r\n.\r\r\n", "\r\n.\x00\r\n"} {
		in := &memory{}
		_, c := start(t, Config{}, in)
		c.talk(toData)
		c.send("first" + end + inner + "\r\n.\r\n")
		c.want("250")
		c.talk("-> NOOP\n<- 250\n-> QUIT\n<- 221\n<- EOF")
		if got := in.only(t).body; !strings.HasSuffix(got, inner+"\r\n") {
			t.Errorf("%q: took %q", end, got)
		}
	}
}

// go-smtp reads CRCRLF.CRLF as text and waits for an end that came.
func TestTrapEndBehindCRCRLF(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk(toData)
	c.send("odd line\r\r\n.\r\nQUIT\r\n")
	c.talk("<- 250\n<- 221")
	if got := in.only(t).body; got != "odd line\r\r\n" {
		t.Errorf("took %q", got)
	}
}

// Both ways of emersion/go-smtp#196: after a timeout inside a body the rest
// of it must not be read as commands, neither while the mail is taken nor
// while it is thrown away.
func TestTrapTimeoutInBody(t *testing.T) {
	for name, body := range map[string]string{
		"taken":     "one line\r\n",
		"discarded": strings.Repeat(strings.Repeat("x", 70)+"\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			in := &memory{}
			_, c := start(t, Config{MaxMessageSize: 1000, IdleTimeout: 250 * time.Millisecond}, in)
			c.talk(toData)
			c.send(body)
			c.want(map[string]string{"taken": "451 4.4.2", "discarded": "552 5.3.4"}[name])
			c.Write([]byte(inner + "\r\n.\r\n")) // the server may have gone
			for {
				line, err := c.in.ReadString('\n')
				if err != nil {
					break
				}
				if !strings.HasPrefix(line, "421") {
					t.Errorf("read on: %q", line)
				}
			}
			in.none(t)
		})
	}
}

func TestTrapTimeoutInChunk(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{IdleTimeout: 250 * time.Millisecond}, in)
	c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
	c.send("BDAT 1000 LAST\r\nbody\r\n")
	c.want("451 4.4.2")
	c.Write([]byte(inner))
	c.talk("<- 421\n<- EOF")
	in.none(t)
}

// To go-smtp the end of the connection ends a chunk, and half a mail is one.
func TestTrapCutChunkIsNoMail(t *testing.T) {
	in := &memory{}
	s, c := start(t, Config{}, in)
	c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
	c.send("BDAT 1000 LAST\r\nhalf")
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.talk("<- 451 4.4.2\n<- EOF")
	in.none(t)
	if n := s.Counters().Cut.Load(); n != 1 {
		t.Errorf("%d counted as cut", n)
	}
}

// Neither is a mail whose next chunk does not come.
func TestCutBetweenChunksIsNoMail(t *testing.T) {
	for _, next := range []string{"", "BDAT 1", "BDAT x\r\n", "QUIT\r\n", "NOOP\r\n", "STARTTLS\r\n"} {
		in := &memory{}
		_, c := start(t, Config{MaxErrors: 1}, in)
		c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
		c.send("BDAT 4\r\nhalf" + next)
		c.want("250")
		c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		io.Copy(io.Discard, c.in)
		in.none(t)
	}
}

func TestCutBodyIsNoMail(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk(toData)
	c.send("half\r\n.")
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.talk("<- 451 4.4.2\n<- EOF")
	in.none(t)
}

// Half a command is none, whatever go-smtp says.
func TestCutCommand(t *testing.T) {
	_, c := start(t, Config{}, &memory{})
	c.talk("<- 220")
	c.send("EHLO x")
	c.Conn.(interface{ CloseWrite() error }).CloseWrite()
	c.want("EOF")
}

// Where go-smtp cannot read the size, it takes the chunk for commands.
func TestTrapBadChunkSize(t *testing.T) {
	for _, bdat := range []string{"BDAT 9999999999 LAST", "BDAT 9 FIRST", "BDAT -1", "BDAT", "BDAT x LAST", "bdat 1 LAST x"} {
		in := &memory{}
		_, c := start(t, Config{}, in)
		c.talk(strings.TrimSuffix(toData, "-> DATA\n\t<- 354\n"))
		c.send(bdat + "\r\nRSET\r\n" + inner + "\r\n.\r\n")
		c.talk("<- 421 4.7.0\n<- EOF")
		in.none(t)
	}
}

// A RSET between two chunks ends the mail, and the next one stands alone. To
// go-smtp the result of the first may be that of the second.
func TestTrapResetBetweenChunks(t *testing.T) {
	in := &memory{}
	_, c := start(t, Config{}, in)
	c.talk("<- 220\n-> EHLO x\n<- 250")
	mail := "MAIL FROM:<a@b.example>\r\nRCPT TO:<support@desk.example>\r\n"
	for range 50 {
		c.send(mail + "BDAT 3\r\nabcBDAT 0\r\nRSET\r\n" + mail + "BDAT 2 LAST\r\nde")
		for range 8 {
			c.want("250")
		}
	}
	for _, body := range in.bodies() {
		if body != "de" {
			t.Fatalf("took %q", body)
		}
	}
}

func TestDotReader(t *testing.T) {
	check := func(wire, want, rest string) {
		t.Helper()
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":    func(r io.Reader) io.Reader { return r },
			"one byte": iotest.OneByteReader,
			"half":     iotest.HalfReader,
		} {
			in := bufio.NewReaderSize(wrap(strings.NewReader(wire)), 16)
			got, err := io.ReadAll(newDotReader(in))
			if err != nil || string(got) != want {
				t.Errorf("%s %q: %q, %v, want %q", name, wire, got, err, want)
			}
			if left, _ := io.ReadAll(in); string(left) != rest {
				t.Errorf("%s %q: left %q, want %q", name, wire, left, rest)
			}
		}
	}
	check(".\r\n", "", "")
	check(".\r\nQUIT", "", "QUIT")
	check("a\r\n.\r\n.\r\n", "a\r\n", ".\r\n")
	check("..\r\n.\r\n", ".\r\n", "")
	check("...\r\n.\r\n", "..\r\n", "")
	check(".a\r\n.\r\n", "a\r\n", "")
	check("a.\r\n.\r\n", "a.\r\n", "")
	check(".\rb\r\n.\r\n", "\rb\r\n", "") // go-smtp loses the CR as well
	check("a\r\n.\n\r\n.\r\n", "a\r\n\n\r\n", "")
	check("a\n.\n..\r\n.\r\n", "a\n.\n..\r\n", "")
	check("a\r\r\n.\r\n", "a\r\r\n", "")
	check("a\r.\r\n\r\n.\r\n", "a\r.\r\n\r\n", "")
	check("fifteen octets.\r\n.\r\n", "fifteen octets.\r\n", "") // CR ends the buffer
	check("sixteen octets..\r\n..\r\n.\r\n", "sixteen octets..\r\n.\r\n", "")
	check("sixteen octets..\n.\r\n\r\n.\r\n", "sixteen octets..\n.\r\n\r\n", "")
	check("thirty-one octets are this line\r\n.\r\n", "thirty-one octets are this line\r\n", "")

	_, err := io.ReadAll(newDotReader(bufio.NewReader(strings.NewReader("a\r\n."))))
	if err != io.ErrUnexpectedEOF {
		t.Errorf("end of connection: %v", err)
	}
}
