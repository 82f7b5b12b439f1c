package smtpd

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

var noGroup netip.Prefix

// from is a listener whose clients all seem to come from one address.
type from struct {
	net.Listener
	addr string
}

func (f from) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{c, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.addr))}, nil
}

type fromConn struct {
	net.Conn
	addr net.Addr
}

func (c fromConn) RemoteAddr() net.Addr { return c.addr }

// Refused before the banner, which go-smtp cannot do.
func TestTrapLimitPerAddress(t *testing.T) {
	l := from{listen(t), "192.0.2.7:1234"}
	s := serve(t, Config{MaxPerAddress: 2}, &memory{}, l)
	one, two, three := dial(t, l.Addr()), dial(t, l.Addr()), dial(t, l.Addr())
	one.want("220")
	two.want("220")
	three.talk("<- 421 4.7.0\n<- EOF")
	one.talk("-> QUIT\n<- 221\n<- EOF")
	until(func() bool { return s.Counters().Open.Load() <= 1 })
	four := dial(t, l.Addr())
	four.want("220")
	if n := s.Counters().TurnedAway.Load(); n != 1 {
		t.Errorf("%d turned away", n)
	}
}

func TestExempt(t *testing.T) {
	exempt := func(a netip.Addr) bool { return netip.MustParsePrefix("192.0.2.0/24").Contains(a) }
	for _, l := range []net.Listener{from{listen(t), "192.0.2.7:1"}, from{listen(t), "[::ffff:192.0.2.7]:1"}, from{listen(t), "[::1]:1"}, listen(t)} {
		serve(t, Config{MaxPerAddress: 1, Exempt: exempt}, &memory{}, l)
		for range 3 {
			dial(t, l.Addr()).want("220")
		}
	}
}

func TestIdentify(t *testing.T) {
	s := New(Config{}, &memory{})
	check := func(addr net.Addr, client, group string) {
		t.Helper()
		gotClient, gotGroup := s.identify(addr)
		if gotClient != client || gotGroup.IsValid() != (group != "") || group != "" && gotGroup.String() != group {
			t.Errorf("%v: %s, %s", addr, gotClient, gotGroup)
		}
	}
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	check(tcp("192.0.2.7:25"), "192.0.2.7", "192.0.2.7/32")
	check(tcp("[::ffff:192.0.2.7]:25"), "192.0.2.7", "192.0.2.7/32")
	check(tcp("[2001:db8:1:2:3::4]:25"), "2001:db8:1:2:3::4", "2001:db8:1:2::/64")
	check(tcp("[fe80::1%eth0]:25"), "fe80::1", "fe80::/64")
	check(tcp("127.0.0.1:25"), "127.0.0.1", "")
	check(&net.UnixAddr{Name: "@", Net: "unix"}, "unix", "")
}

// When all places are taken, who is silent longest before MAIL leaves.
func TestTrapFullServer(t *testing.T) {
	l := listen(t)
	s := serve(t, Config{MaxConnections: 3}, &memory{}, l)
	inMail, idle, busy := dial(t, l.Addr()), dial(t, l.Addr()), dial(t, l.Addr())
	inMail.talk("<- 220\n-> EHLO x\n<- 250\n-> MAIL FROM:<>\n<- 250")
	idle.talk("<- 220\n-> EHLO x\n<- 250")
	busy.talk("<- 220\n-> EHLO x\n<- 250\n-> NOOP\n<- 250")
	fourth := dial(t, l.Addr())
	fourth.talk("<- 220\n-> EHLO x\n<- 250\n-> MAIL FROM:<>\n<- 250")
	idle.talk("<- 421 4.3.2\n<- EOF")
	busy.talk("-> MAIL FROM:<>\n<- 250")
	fifth := dial(t, l.Addr()) // nobody is before MAIL
	fifth.talk("<- 421 4.3.2\n<- EOF")
	inMail.talk("-> RCPT TO:<postmaster>\n<- 250\n-> DATA\n<- 354\n-> .\n<- 250\n-> NOOP\n<- 250")
	sixth := dial(t, l.Addr()) // now inMail is the only one before MAIL
	sixth.want("220")
	inMail.talk("<- 421 4.3.2\n<- EOF")
	if n := s.Counters().Evicted.Load(); n != 2 {
		t.Errorf("%d evicted", n)
	}
}

// 300 silent clients and 100 that send an octet now and then, over a limit of
// 200: an honest one is served at once.
func TestIdleConnections(t *testing.T) {
	l := listen(t)
	in := &memory{}
	serve(t, Config{MaxConnections: 200}, in, l)
	for i := range 400 {
		c := dial(t, l.Addr())
		if i%4 == 0 {
			c.send("E")
		}
	}
	began := time.Now()
	c := dial(t, l.Addr())
	c.talk(toData)
	c.talk("-> x\n-> .\n<- 250")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	in.only(t)
}

// An evicted client that does not read keeps no place and no goroutine.
func TestEvictedMute(t *testing.T) {
	l := listen(t)
	s := serve(t, Config{MaxConnections: 1}, &memory{}, l)
	for range 5 {
		dial(t, l.Addr()).want("220")
	}
	until(func() bool { return s.Counters().Open.Load() <= 1 })
}
