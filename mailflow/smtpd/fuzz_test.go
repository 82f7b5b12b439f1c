package smtpd

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/fuzztest"
)

// FuzzSession plays any octets to a server: nothing panics, and a mail is
// taken only if the dialogue had an end of mail in it.
func FuzzSession(f *testing.F) {
	begin := "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<postmaster>\r\n"
	for _, seed := range []string{
		begin + "DATA\r\nhello\r\n.\r\nQUIT\r\n",
		begin + "DATA\r\nhello\n.\nMAIL FROM:<>\r\n",
		begin + "DATA\r\nhello\r\r\n.\r\nRSET\r\n",
		begin + "BDAT 3\r\nabcBDAT 2 LAST\r\nde" + begin + "BDAT 0 LAST\r\n",
		begin + "BDAT 3\r\nabcRSET\r\nBDAT 9999999999\r\n",
		"LHLO x\r\nNOOP\r\nVRFY x\r\nAUTH PLAIN AHUAcA==\r\nAUTH PLAIN\r\nx\r\n",
		"STARTTLS\r\n\x16\x03\x01\x00\x05", "ſTARTTLS\r\n", "\r\n\x00\r\n",
		begin + "MAIL FROM:<\"a\\\"b\"@[::1]> SIZE=1 SMTPUTF8\r\n",
	} {
		f.Add([]byte(seed), false)
		f.Add(bytes.Replace([]byte(seed), []byte("EHLO"), []byte("LHLO"), -1), true)
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add([]byte(begin+"DATA\r\n"+string(raw)+"\r\n.\r\nQUIT\r\n"), false) })
	f.Fuzz(func(t *testing.T, b []byte, lmtp bool) {
		cfg := Config{MaxMessageSize: 20_000, MaxLine: 5000, Auth: func(string, string) error { return BadLogin }}
		if lmtp {
			cfg.Protocol = LMTP
		}
		answers, bodies := playOctets(t, cfg, b, false)
		if len(bodies) > 0 && !bytes.Contains(b, []byte("\r\n.\r\n")) && !bytes.Contains(bytes.ToUpper(b), []byte("LAST")) {
			t.Errorf("took %q", bodies)
		}
		checkAnswers(t, answers)
	})
}

// playOctets plays b to a server of its own and gives its answers and the
// mails that it took. With quits the client stays until it is let go.
func playOctets(t *testing.T, cfg Config, b []byte, quits bool) (answers string, bodies []string) {
	cfg.Log = slog.New(panicking{slog.DiscardHandler, t})
	in := &memory{}
	ours, theirs := net.Pipe()
	theirs.SetDeadline(time.Now().Add(30 * time.Second))
	l := &oneConn{Listener: listen(t), conn: make(chan net.Conn, 1)}
	l.conn <- ours
	s := serve(t, cfg, in, l)
	var heard bytes.Buffer
	done := make(chan struct{})
	go func() {
		io.Copy(&heard, theirs)
		close(done)
	}()
	began := time.Now()
	theirs.Write(b)
	if !quits {
		theirs.Close()
	}
	<-done
	theirs.Close()
	s.live.Wait()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the dialogue took %s", took)
	}
	return heard.String(), in.bodies()
}

// checkAnswers: whatever a client says, it hears whole lines of three digits
// and text, and nothing of its own that could be taken for another answer.
func checkAnswers(t *testing.T, answers string) {
	for line := range strings.SplitAfterSeq(answers, "\r\n") {
		if line == "" || !strings.HasSuffix(line, "\r\n") {
			continue // the last one, cut as the client left
		}
		text := strings.TrimSuffix(line, "\r\n")
		if len(text) < 3 || strings.Trim(text[:3], "0123456789") != "" || len(text) > 3 && text[3] != ' ' && text[3] != '-' ||
			strings.ContainsAny(text, "\r\n\x00") || len(line) > 512 {
			t.Errorf("answer %q", line)
		}
	}
}
