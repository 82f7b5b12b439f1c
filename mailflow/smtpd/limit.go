package smtpd

import (
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/emersion/go-smtp"
)

// admit takes a connection in, or says why not. go-smtp counts nothing.
func (s *Server) admit(raw net.Conn) (*link, *smtp.SMTPError) {
	client, group := s.identify(raw.RemoteAddr())
	l := newLink(raw, &s.cfg, client, group)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return l, replyShutdown
	case group.IsValid() && s.perAddress[group] >= s.cfg.MaxPerAddress:
		return l, replyTooMany
	case len(s.links) >= s.cfg.MaxConnections && !s.makeRoom():
		return l, replyFull
	}
	s.links[l] = struct{}{}
	s.sockets[l] = struct{}{}
	if group.IsValid() {
		s.perAddress[group]++
	}
	s.live.Add(1)
	s.count.Open.Add(1)
	s.count.Connected.Add(1)
	return l, nil
}

// makeRoom ends the connection silent longest before MAIL, so that idle ones
// cannot keep honest ones out. It loses nothing: its client knows from 421
// that it may come again (RFC 5321 §3.8). s.mu is held.
func (s *Server) makeRoom() bool {
	var victim *link
	for l := range s.links {
		if l.inMail.Load() {
			continue
		}
		if victim == nil || l.active.Load() < victim.active.Load() {
			victim = l
		}
	}
	if victim == nil {
		return false
	}
	s.forget(victim)
	s.count.Evicted.Add(1)
	victim.leave(replyFull)
	return true
}

// forget frees a link's place. s.mu is held.
func (s *Server) forget(l *link) {
	if _, ok := s.links[l]; !ok {
		return
	}
	delete(s.links, l)
	if !l.group.IsValid() {
		return
	}
	if s.perAddress[l.group]--; s.perAddress[l.group] <= 0 {
		delete(s.perAddress, l.group)
	}
}

// release is the end of an admitted link.
func (s *Server) release(l *link) {
	l.Conn.Close()
	s.mu.Lock()
	s.forget(l)
	delete(s.sockets, l)
	s.mu.Unlock()
	s.count.Open.Add(-1)
	s.live.Done()
}

// identify names a client and the group it is counted in. An IPv6 client has
// a whole /64 to itself. Loopback, unix sockets and exempt networks are in no
// group: their limit is MaxConnections.
func (s *Server) identify(addr net.Addr) (client string, group netip.Prefix) {
	if addr.Network() == "unix" {
		return "unix", netip.Prefix{}
	}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String(), netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsLoopback() || s.cfg.Exempt(ip) {
		return ip.String(), netip.Prefix{}
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	group, _ = ip.Prefix(bits)
	return ip.String(), group
}

// turnAway answers before the banner and closes. The answer fits any empty
// send buffer; the deadline is for sockets that have none.
func (s *Server) turnAway(l *link, reason *smtp.SMTPError) {
	s.count.TurnedAway.Add(1)
	s.cfg.Log.Debug("turned away", "client", l.client, "reason", reason.Message)
	if !s.cfg.ImplicitTLS {
		l.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(l.Conn, line(reason))
	}
	l.Conn.Close()
}
