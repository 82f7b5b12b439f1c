package imapfetch

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	dialTimeout = 30 * time.Second
	// keepAlive finds a connection whose other side is gone while it is silent
	// in IDLE.
	keepAlive = 30 * time.Second
	// plainMax is how much a server may say before TLS.
	plainMax = 16 << 10
)

// connect opens a protected connection to a mailbox's server. Nothing secret
// has been sent over it.
func connect(ctx context.Context, m Mailbox, roots *x509.CertPool) (*guard, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := net.Dialer{KeepAlive: keepAlive}
	conn, err := dialer.DialContext(ctx, "tcp", m.Address)
	if err != nil {
		return nil, err
	}
	if m.Security == Plain {
		return newGuard(conn, nil), nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var first []byte
	if m.Security == StartTLS {
		if err := startTLS(conn); err != nil {
			conn.Close()
			return nil, fmt.Errorf("STARTTLS: %w", err)
		}
		// go-imap begins with the greeting, which is over: it gets one that
		// says nothing, and so asks for the capabilities, within TLS.
		first = []byte("* OK ready\r\n")
	}
	secured := tls.Client(conn, &tls.Config{ServerName: m.Host, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return newGuard(secured, first), nil
}

// startTLS has the server begin TLS, or fails: there is no way on without it.
// What the server says before TLS is forgotten (RFC 9051 §11.3), and what
// stands behind its OK would become part of the handshake, which fails then
// (CVE-2011-0411).
func startTLS(conn net.Conn) error {
	in := bufio.NewReaderSize(io.LimitReader(conn, plainMax), 1024)
	greeting, err := plainLine(in)
	if err != nil {
		return err
	}
	if !hasPrefixFold(greeting, "* OK") {
		return fmt.Errorf("the server does not begin with OK: %s", shown(greeting)) // PREAUTH, too
	}
	if _, err := io.WriteString(conn, "S1 STARTTLS\r\n"); err != nil {
		return err
	}
	for {
		line, err := plainLine(in)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "* "):
			continue
		case !hasPrefixFold(line, "S1 OK"):
			return fmt.Errorf("refused: %s", shown(line))
		case in.Buffered() > 0:
			return errors.New("the server sends more before TLS begins")
		}
		return nil
	}
}

func plainLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return strings.TrimRight(string(line), "\r\n"), err
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// shown makes words of a server fit for the log: one short line.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
