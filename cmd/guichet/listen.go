package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"guichet/mailflow/smtpd"
	"guichet/portal"
)

// listen opens what the configuration names and prints one line each. The
// mail listeners come last: once they answer, all else works. The admin
// listener's figures read what is opened after it, so that all of it is made
// before.
func (g *gateway) listen() error {
	var opened []mailListener
	for _, l := range []mailListener{
		{"lmtp", g.cfg.LMTP.Listen, smtpd.LMTP, false},
		{"smtps", g.cfg.SMTP.TLSListen, smtpd.SMTP, true},
		{"smtp", g.cfg.SMTP.Listen, smtpd.SMTP, false},
	} {
		if l.address != "" {
			opened = append(opened, l)
			g.servers = append(g.servers, g.newServer(l))
		}
	}
	if err := g.serveHTTP("web", g.cfg.Web.Listen, &portal.Portal{DB: g.db, Settings: &g.settings,
		Templates: &g.templates, Log: g.log, Now: time.Now, Flow: g.flow}); err != nil {
		return err
	}
	if err := g.serveHTTP("admin", g.cfg.Admin.Listen, g.admin()); err != nil {
		return err
	}
	bound := make([]net.Listener, len(opened))
	for i, l := range opened {
		var err error
		if bound[i], err = g.bind(l.name, l.address); err != nil {
			return err // nobody has been answered yet
		}
	}
	for i, l := range opened {
		g.wg.Go(func() {
			if err := g.servers[i].Serve(bound[i]); err != nil && !errors.Is(err, net.ErrClosed) && g.ready.Load() {
				g.fail <- fmt.Errorf("%s listener: %w", l.name, err)
			}
		})
	}
	return nil
}

// mailListener is one listener for mail of the configuration.
type mailListener struct {
	name, address string
	protocol      smtpd.Protocol
	implicit      bool // TLS from the first byte
}

func (g *gateway) newServer(l mailListener) *smtpd.Server {
	return smtpd.New(smtpd.Config{Hostname: g.cfg.Hostname, Protocol: l.protocol, Listener: l.name, TLS: g.tls(),
		ImplicitTLS: l.implicit, MaxMessageSize: int64(g.cfg.SMTP.MaxMessageSize), Exempt: g.exempt, Log: g.log},
		intake{g.receiver})
}

// tls offers the newest certificate at each handshake; nil without one.
func (g *gateway) tls() *tls.Config {
	if g.cert.Load() == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return g.cert.Load(), nil
	}}
}

// bind opens host:port or unix:FILE and prints the listener's line. A socket
// file that nobody answers on is left from an earlier run.
func (g *gateway) bind(name, address string) (net.Listener, error) {
	network, where := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, where = "unix", path
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, refuse("%s.listen: another program answers on %s", name, path)
		}
		os.Remove(path)
	}
	ln, err := net.Listen(network, where)
	if err != nil {
		return nil, refuse("%s.listen: %w", name, err)
	}
	if network == "unix" {
		if err := os.Chmod(where, 0o660); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
	}
	fmt.Fprintf(g.env.stdout, "%s listens on %s\n", name, listenerName(ln))
	g.stops = append(g.stops, func() { ln.Close() })
	return ln, nil
}

func listenerName(ln net.Listener) string {
	if ln.Addr().Network() == "unix" {
		return "unix:" + ln.Addr().String()
	}
	return ln.Addr().String()
}

// serveHTTP opens a web listener whose limits a silent client cannot reach
// past.
func (g *gateway) serveHTTP(name, address string, h http.Handler) error {
	if address == "" {
		return nil
	}
	ln, err := g.bind(name, address)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 5 * time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	g.stops = append(g.stops, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	go func() {
		if err := s.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) && g.ready.Load() {
			g.fail <- fmt.Errorf("%s listener: %w", name, err)
		}
	}()
	return nil
}
