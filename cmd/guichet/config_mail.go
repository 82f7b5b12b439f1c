package main

import (
	"os"
	"strings"
	"time"

	"guichet/mailflow/outbound"
)

func (c *checker) checkRelay() {
	r := &c.cfg.Relay
	c.checkRelayURL(r)
	r.PasswordFile = c.path(r.PasswordFile)
	if r.Connections < 1 || r.Connections > 100 {
		c.bad("relay.connections", "must lie between 1 and 100")
	}
	if n := r.Rate.perMinute(); time.Duration(n)*r.Rate.Per != time.Duration(r.Rate.N)*time.Minute {
		c.warn("relay.rate", "is counted by the minute and rounded up, to %d/min", n)
	}
	c.oneOf("relay.envelope", r.Envelope, "verp", "desk")
	switch {
	case r.User == "" && r.PasswordFile != "":
		c.bad("relay.user", "missing beside password_file; name the login")
	case r.User != "" && r.PasswordFile == "":
		c.bad("relay.password_file", "missing beside user; name a file with the password")
	case r.PasswordFile != "":
		c.wantSecret("relay.password_file", r.PasswordFile, "write the password into it")
	}
}

// checkRelayURL asks the package that will open the relay, so that check and
// serve agree.
func (c *checker) checkRelayURL(r *relayConfig) {
	if r.URL == "" {
		c.bad("relay.url", "missing; write maildir:FOLDER, smtp+starttls://host:587, smtps://host:465 or smtp://127.0.0.1:25")
		return
	}
	folder, maildir := strings.CutPrefix(r.URL, "maildir:")
	if maildir && r.User != "" {
		c.bad("relay.user", "a maildir asks for no login; remove it")
		return
	}
	opt := outbound.Options{}
	if r.User != "" && r.PasswordFile != "" {
		opt = outbound.Options{User: r.User, Password: masked}
	}
	if err := outbound.Check(r.URL, opt); err != nil {
		_, text, _ := strings.Cut(err.Error(), ": ")
		c.bad("relay.url", "%s", text)
		return
	}
	if maildir {
		r.URL = "maildir:" + c.path(folder)
	}
}

// wantFile warns of a file that is absent now.
func (c *checker) wantFile(key, name string) {
	fi, err := os.Stat(name)
	switch {
	case os.IsNotExist(err):
		c.warn(key, "%s does not exist yet", name)
	case err != nil:
		c.bad(key, "%s cannot be looked at; give the gateway's user the right to read it", name)
	case fi.IsDir():
		c.bad(key, "%s is a folder; name a file", name)
	}
}
