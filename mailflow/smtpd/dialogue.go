package smtpd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/emersion/go-smtp"

	"guichet/store"
)

// maxCommand is the longest command line. RFC 5321 §4.5.3.1.4 wants 512
// octets, and each extension some more.
const maxCommand = 4096

var (
	errLongLine    = errors.New("command line too long")
	errEndlessLine = errors.New("command line without end")
	errReset       = errors.New("client gave the mail up")
)

// dialogue is the connection that go-smtp sees. It gives go-smtp one command
// line at a time, and the next one only when the first was answered. So it
// knows what each octet is for before go-smtp sees it: no body is ever read
// as commands, and what it has to say itself stands at its place in the
// sequence. Only go-smtp's goroutine of this connection reads and writes.
type dialogue struct {
	net.Conn // the link, or TLS over it
	s        *Server
	link     *link
	tls      string // Envelope.TLS

	in      *bufio.Reader // over fill
	err     error         // the first error of fill; it stays
	pending []byte        // given to go-smtp before anything else
	kept    string        // a line read, to be given when go-smtp has ended the mail

	chunked bool  // the line given last was BDAT, as DATA
	chunk   int64 // octets of it not yet read
	last    bool  // it was the last one

	sasl     bool   // the next line answers 334 and is no command
	bare     bool   // the line given last was RCPT TO:<postmaster>
	silent   bool   // the banner is to be left out
	mute     bool   // what go-smtp says before it asks for a command is left out
	upgrade  bool   // Close hands the link on to TLS
	promised func() // of a mail that is stored, its 250 not yet said: Incoming.Told
	errors   int    // 5xx said since the last accepted mail
	commands int    // commands taken since the last accepted mail

	once sync.Once // Close
}

func newDialogue(s *Server, l *link, secure *tls.Conn, silent bool) *dialogue {
	d := &dialogue{Conn: l, s: s, link: l, silent: silent}
	if secure != nil {
		state := secure.ConnectionState()
		d.Conn = secure
		d.tls = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	d.in = bufio.NewReaderSize(readerFunc(d.fill), maxCommand)
	l.enter(commanding)
	return d
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// fill reads from the client. Its first error is its last word: a connection
// that timed out once must not be read on, or what comes late is taken for
// something else.
func (d *dialogue) fill(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.Conn.Read(p)
	if err != nil {
		d.err = err
	}
	return n, err
}

// Read gives go-smtp what is pending, or the next command.
func (d *dialogue) Read(p []byte) (int, error) {
	if len(d.pending) == 0 {
		if err := d.command(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.pending)
	d.pending = d.pending[n:]
	return n, nil
}

// command makes the next line that go-smtp should see pending. It answers
// itself what go-smtp should not see, and ends with io.EOF, on which go-smtp
// closes without a word.
func (d *dialogue) command() error {
	d.bare, d.mute, d.chunked = false, false, false
	if err := d.skipChunk(); err != nil {
		return d.end(d.lastWord(err))
	}
	d.link.enter(commanding)
	for len(d.pending) == 0 {
		line, err := d.line()
		if err != nil {
			return err
		}
		if d.sasl {
			d.sasl = false
			d.pending = []byte(line + "\r\n")
			return nil
		}
		if err := d.inspect(line); err != nil {
			return err
		}
	}
	return nil
}

// inspect makes line pending, or answers it, or ends the dialogue.
func (d *dialogue) inspect(line string) error {
	name := verb(line)
	switch name {
	case "RCPT", "DATA", "BDAT":
	default:
		d.commands++
	}
	switch {
	case name == "" && line != "", hasControl(line):
		d.say(replyBadCommand)
		return nil
	case strings.HasPrefix(name, "STARTTLS"):
		return d.startTLS(line)
	case name == "BDAT":
		if err := d.beginChunk(line); err != nil {
			return err
		}
		line, d.chunked = "DATA", true
	case name == "RCPT":
		if rewritten, ok := postmaster(line, d.s.cfg.Hostname); ok {
			line, d.bare = rewritten, true
		}
	}
	d.pending = []byte(line + "\r\n")
	return nil
}

// line is the next command line without its end. Where the client has had
// its chances, or is gone, the dialogue ends.
func (d *dialogue) line() (string, error) {
	if d.kept != "" {
		kept := d.kept
		d.kept = ""
		return kept, nil
	}
	for {
		switch {
		case d.errors >= d.s.cfg.MaxErrors:
			return "", d.end(replyErrors)
		case d.commands >= d.s.cfg.MaxCommands:
			return "", d.end(replyCommands)
		}
		line, err := d.readLine()
		switch {
		case err == errLongLine:
			d.say(replyLongLine)
		case err == errEndlessLine:
			return "", d.end(replyEndlessLine)
		case err != nil:
			return "", d.end(d.lastWord(err))
		default:
			return line, nil
		}
	}
}

// readLine reads one command line. One that is too long is skipped whole, so
// that what is pipelined behind it is not lost.
func (d *dialogue) readLine() (string, error) {
	part, err := d.in.ReadSlice('\n')
	skipped := 0
	for err == bufio.ErrBufferFull {
		if skipped += len(part); skipped > d.s.cfg.MaxLine {
			return "", errEndlessLine
		}
		part, err = d.in.ReadSlice('\n')
	}
	switch {
	case err != nil:
		return "", err // half a line is no line
	case skipped > 0:
		return "", errLongLine
	}
	return strings.TrimSuffix(string(part[:len(part)-1]), "\r"), nil
}

// startTLS ends this dialogue; Close begins one in TLS. What the client sent
// behind the command came in clear, from whomever (CVE-2011-0411): go-smtp
// would drop it, we take it for the attack that it is.
func (d *dialogue) startTLS(line string) error {
	switch {
	case d.tls != "":
		d.say(replyInTLS)
	case d.s.cfg.TLS == nil:
		d.say(replyNoTLS)
	case len(strings.TrimRight(line, " ")) > len("STARTTLS"):
		d.say(replyNoArgs)
	case d.in.Buffered() > 0:
		d.s.cfg.Log.Info("rejected", "client", d.link.client, "reason", "octets behind STARTTLS")
		return d.end(replyInjection)
	default:
		d.say(replyReadyTLS)
		d.upgrade = true
		return io.EOF
	}
	return nil
}

// beginBody is the body of DATA or BDAT, which go-smtp does not get to see.
func (d *dialogue) beginBody() io.Reader {
	if d.chunked {
		return chunkReader{d}
	}
	d.link.enter(transferring)
	return newDotReader(d.in)
}

// endBody lets go-smtp read an empty body instead.
func (d *dialogue) endBody() { d.pending = []byte(".\r\n") }

// accepted starts all counts anew. told is called when 250 was said.
func (d *dialogue) accepted(told func()) {
	d.errors, d.commands, d.promised = 0, 0, told
	d.link.accepted()
}

// lastWord is what a client is told when reading from it failed; nil if
// there is nobody to tell.
func (d *dialogue) lastWord(err error) *smtp.SMTPError {
	switch {
	case errors.Is(err, errFarewell):
		return d.link.reason()
	case errors.Is(err, errTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		return replyTimeout
	}
	return nil
}

// end says a last word and has go-smtp close. Nothing is read any more, and
// go-smtp's own answer to a mail that ends so is left out.
func (d *dialogue) end(word *smtp.SMTPError) error {
	d.hangUp(io.EOF)
	if word != nil {
		d.say(word)
		d.mute = true
	}
	return io.EOF
}

// hangUp has nothing more read, not even what is pipelined.
func (d *dialogue) hangUp(err error) {
	d.err = err
	d.in.Reset(readerFunc(d.fill))
}

// say answers at the client's place in the sequence: go-smtp asks for the
// next command only when it has answered the last one. An error shows at the
// next read.
func (d *dialogue) say(a *smtp.SMTPError) {
	io.WriteString(d, line(a))
}

// Write passes answers on and counts refusals, which go-smtp does for
// unknown commands only. It writes each line of an answer at once.
func (d *dialogue) Write(p []byte) (int, error) {
	switch {
	case d.silent:
		d.silent = false
		return len(p), nil
	case d.mute, d.chunked && strings.HasPrefix(string(p), "354"):
		return len(p), nil
	}
	if len(p) > 3 && p[0] == '5' && p[3] == ' ' {
		d.errors++
	}
	_, err := d.Conn.Write(plainly(p))
	if told := d.promised; told != nil {
		d.promised = nil
		if err == nil {
			store.Point("after", "reply 250")
		}
		told()
	}
	if err != nil {
		d.hangUp(err) // go-smtp does not look at it
		return 0, err
	}
	return len(p), nil
}

// plainly puts a plain answer with the right enhanced code (RFC 3463 §3.2) in
// the place of go-smtp's jokes, which cannot be set.
func plainly(p []byte) []byte {
	switch {
	case bytes.HasPrefix(p, []byte("250 2.0.0 Roger, ")):
		return []byte("250 2.1.0 Sender ok\r\n")
	case bytes.HasPrefix(p, []byte("250 2.0.0 I'll make sure ")):
		return []byte("250 2.1.5 Recipient ok\r\n")
	}
	return p
}

// Close is called by go-smtp, when the session has ended.
func (d *dialogue) Close() error {
	d.once.Do(func() {
		if d.upgrade {
			d.link.enter(handshaking)
			go d.s.encrypt(d.link, true)
			return
		}
		d.link.hurry()
		d.Conn.Close()
		d.s.release(d.link)
	})
	return nil
}
