package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// listenOn splits a checked listen address for net.Listen.
func listenOn(s string) (network, address string) {
	if file, ok := strings.CutPrefix(s, "unix:"); ok {
		return "unix", file
	}
	return "tcp", s
}

func (c *checker) checkListeners() {
	cfg := c.cfg
	taken := map[string]string{}
	c.listener("smtp.listen", &cfg.SMTP.Listen, taken)
	c.listener("smtp.tls_listen", &cfg.SMTP.TLSListen, taken)
	c.listener("lmtp.listen", &cfg.LMTP.Listen, taken)
	c.listener("web.listen", &cfg.Web.Listen, taken)
	c.listener("admin.listen", &cfg.Admin.Listen, taken)
	if cfg.SMTP.Listen+cfg.SMTP.TLSListen+cfg.LMTP.Listen == "" && len(cfg.Mailboxes) == 0 {
		c.warn("smtp", "nothing takes mail; set smtp.listen or lmtp.listen, or name mailboxes")
	}
	if a := cfg.Admin.Listen; a != "" && !strings.HasPrefix(a, "unix:") && !isLoopback(a) {
		c.warn("admin.listen", "%s can be reached from other hosts and asks for no password; use 127.0.0.1", a)
	}
}

// listener checks one listen address; an absent one is not opened.
func (c *checker) listener(key string, value *string, taken map[string]string) {
	v := *value
	if v == "" {
		return
	}
	if file, ok := strings.CutPrefix(v, "unix:"); ok {
		v = "unix:" + c.path(file)
		*value = v
		// sun_path holds 108 octets with the final NUL.
		if file == "" || len(v)-len("unix:") > 107 {
			c.bad(key, "unix: must be followed by a path of at most 107 octets, counted from /")
		}
	} else if !isHostPort(v) {
		c.bad(key, "%q is no listen address; write host:port such as 127.0.0.1:2525, or unix:FILE", v)
		return
	}
	if other, twice := taken[v]; twice && !strings.HasSuffix(v, ":0") {
		c.bad(key, "%s is taken by %s; give each listener its own", v, other)
		return
	}
	taken[v] = key
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return hostPattern.MatchString(strings.ToLower(host))
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (c *checker) checkTLS() {
	t := &c.cfg.TLS
	t.CertFile, t.KeyFile = c.path(t.CertFile), c.path(t.KeyFile)
	switch {
	case t.CertFile == "" && t.KeyFile != "":
		c.bad("tls.cert_file", "missing beside key_file; name the certificate")
	case t.CertFile != "" && t.KeyFile == "":
		c.bad("tls.key_file", "missing beside cert_file; name the private key")
	case t.CertFile == "" && c.cfg.SMTP.TLSListen != "":
		c.bad("smtp.tls_listen", "needs tls.cert_file and tls.key_file")
	case t.CertFile != "":
		c.wantFile("tls.cert_file", t.CertFile)
		c.wantSecret("tls.key_file", t.KeyFile, "TLS is not offered without it")
	}
}

func (c *checker) checkBaseURL() {
	const example = "write scheme, host and port alone, such as https://desk.example"
	w := &c.cfg.Web
	u := parseURL(w.BaseURL)
	switch {
	case w.BaseURL == "":
		c.bad("web.base_url", "missing; every mail carries links: %s", example)
	case u == nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		c.bad("web.base_url", "is no web address; %s", example)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(w.BaseURL, "?#"):
		c.bad("web.base_url", "holds more than a host; %s", example)
	case !isURLHost(u):
		c.bad("web.base_url", "%q is no host; %s", u.Host, example)
	case u.Scheme == "http" && !isLoopback(u.Host):
		c.warn("web.base_url", "the links carry secrets and would travel without TLS; use https")
	}
	if u != nil {
		w.BaseURL = u.Scheme + "://" + strings.ToLower(u.Host)
	}
}

// isURLHost says whether u names a host, and a port that exists if any.
func isURLHost(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil && u.Port() != "" {
		return false
	}
	_, err := netip.ParseAddr(u.Hostname())
	return err == nil || hostPattern.MatchString(strings.ToLower(u.Hostname()))
}

// parseURL is url.Parse whose error is dropped: it would print the address,
// and with it any password in it.
func parseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || !plain(s) || strings.Contains(s, " ") {
		return nil
	}
	return u
}

func (c *checker) checkTrust() {
	for i, s := range c.cfg.Trust.Networks {
		key := fmt.Sprintf("trust.networks[%d]", i)
		p, err := parseNetwork(s)
		switch {
		case err != nil:
			c.bad(key, "%q is no address or network; write 192.0.2.7 or 192.0.2.0/24", s)
		case p.Bits() == 0:
			c.bad(key, "%s is the whole world; name the hosts that submit your own people's mail", s)
		case p.Addr().Unmap().IsLoopback():
			c.warn(key, "with a mail server on the same host the whole world would be proven; remove %s unless only your own people can connect from it", s)
		}
	}
	for i, r := range c.cfg.Trust.Relays {
		c.checkTrustRelay(fmt.Sprintf("trust.relays[%d]", i), r)
	}
	for i, l := range c.cfg.Trust.Lists {
		if l == "" || !plain(l) || strings.ContainsAny(l, " <>") {
			c.bad(fmt.Sprintf("trust.lists[%d]", i), "%q is no List-Id; write it without its angle brackets, such as users.desk.example", l)
		}
	}
}

func (c *checker) checkTrustRelay(key string, r trustRelayConfig) {
	if r.AuthservID == "" || !plain(r.AuthservID) || strings.ContainsAny(r.AuthservID, " ;") {
		c.bad(key+".authserv_id", "missing or not one word; it stands first in the relay's Authentication-Results")
	}
	if len(r.From) == 0 {
		c.bad(key+".from", "missing; name the addresses that this relay connects from, or unix")
	}
	for i, s := range r.From {
		if _, err := parseNetwork(s); err != nil && s != "unix" {
			c.bad(fmt.Sprintf("%s.from[%d]", key, i), "%q is no address or network, nor unix", s)
		}
	}
}

// parseNetwork reads a network, or an address as a network of one.
func parseNetwork(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().Prefix(ip.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}
