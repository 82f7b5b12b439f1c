package smtpd

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
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
	f.Fuzz(func(t *testing.T, b []byte, lmtp bool) {
		cfg := Config{MaxMessageSize: 2000, MaxLine: 500, Log: slog.New(panicking{slog.DiscardHandler, t}),
			Auth: func(string, string) error { return BadLogin }}
		if lmtp {
			cfg.Protocol = LMTP
		}
		in := &memory{}
		ours, theirs := net.Pipe()
		theirs.SetDeadline(time.Now().Add(10 * time.Second))
		l := &oneConn{Listener: listen(t), conn: make(chan net.Conn, 1)}
		l.conn <- ours
		s := serve(t, cfg, in, l)
		done := make(chan struct{})
		go func() {
			io.Copy(io.Discard, theirs)
			close(done)
		}()
		theirs.Write(b)
		theirs.Close()
		<-done
		s.live.Wait()
		if len(in.bodies()) > 0 && !bytes.Contains(b, []byte("\r\n.\r\n")) && !bytes.Contains(bytes.ToUpper(b), []byte("LAST")) {
			t.Errorf("took %q", in.bodies())
		}
	})
}
