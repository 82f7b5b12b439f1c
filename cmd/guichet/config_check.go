package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// checker says what is wrong with a configuration that could be read, and
// makes its paths absolute. It creates nothing and opens no connection.
type checker struct {
	*decoder
	cfg *Config
	dir string // of the configuration file
}

func (c *checker) check() {
	c.checkStore()
	c.checkListeners()
	c.checkTLS()
	c.checkBaseURL()
	c.checkRelay()
	c.checkTrust()
	c.checkLimits()
	c.checkForms()
	c.checkDesks()
	c.checkNumbers()
	c.checkAgents()
	c.checkMailboxes()
	c.checkSystems()
	c.checkOldNumbers()
	c.checkTemplates()
}

func (c *checker) checkStore() {
	switch cfg := c.cfg; {
	case cfg.Hostname == "":
		c.bad("hostname", "missing; name this host as the world knows it, such as desk.example")
	case !hostPattern.MatchString(strings.ToLower(cfg.Hostname)) || len(cfg.Hostname) > 253:
		c.bad("hostname", "%q is no host name; write letters, digits, hyphens and dots, such as desk.example", cfg.Hostname)
	}
	c.cfg.Hostname = strings.ToLower(c.cfg.Hostname)
	c.cfg.Database = c.checkDatabase(c.cfg.Database)
	if c.cfg.SecretFile == "" {
		c.bad("secret_file", "missing; name a file for the signing key, such as var/guichet.key")
		return
	}
	c.cfg.SecretFile = c.path(c.cfg.SecretFile)
	c.wantSecret("secret_file", c.cfg.SecretFile, "it is made with the database")
}

func (c *checker) checkDatabase(url string) string {
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case url == "":
		c.bad("database", "missing; write sqlite:var/guichet.db or postgres://user@host/database")
	case scheme == "sqlite" && rest != "":
		return "sqlite:" + c.path(rest)
	case (scheme == "postgres" || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		if u := parseURL(url); u == nil {
			c.bad("database", "cannot be read as an address; write postgres://user@host/database")
		} else if _, has := u.User.Password(); has {
			c.warn("database", "a password stands in this file; ~/.pgpass keeps it out of copies of it")
		}
	default:
		c.bad("database", "neither sqlite:FILE nor postgres://user@host/database")
	}
	return url
}

func (c *checker) checkTemplates() {
	dir := c.path(c.cfg.Templates)
	c.cfg.Templates = dir
	if dir == "" {
		return
	}
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		c.bad("templates", "%s is no folder; make it, or leave the key empty for the built-in templates", dir)
	}
}

func (c *checker) checkLimits() {
	l := c.cfg.Limits
	if l.MaxUnprocessed < 1 {
		c.bad("limits.max_unprocessed", "must be 1 or more")
	}
	if t := time.Duration(l.ReadTimeout); t < 100*time.Millisecond || t > time.Hour {
		c.bad("limits.read_timeout", "must lie between 100ms and 1h")
	}
	if l.CatchUp < 1 || l.CatchUp > 6000 {
		c.bad("limits.catch_up", "must lie between 1 and 6000 a minute")
	}
	if l.Notifications < 1 || l.Notifications > 1_000_000 {
		c.bad("limits.notifications", "must lie between 1 and 1000000")
	}
	if m := c.cfg.SMTP.MaxMessageSize; m < 1<<10 || m > 1<<30 {
		c.bad("smtp.max_message_size", "must lie between 1KiB and 1GiB")
	}
}

// path makes name absolute; it counts from the configuration file's folder.
func (c *checker) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// wantSecret warns of a file with a secret that is absent or that others on
// the host may read.
func (c *checker) wantSecret(key, name, comes string) {
	fi, err := os.Stat(name)
	switch {
	case os.IsNotExist(err):
		c.warn(key, "%s does not exist yet; %s", name, comes)
	case err != nil:
		c.bad(key, "%s cannot be looked at; give the gateway's user the right to read it", name)
	case fi.IsDir():
		c.bad(key, "%s is a folder; name a file", name)
	case fi.Mode().Perm()&0o077 != 0:
		c.warn(key, "%s can be read by others on this host; chmod 600 it", name)
	}
}

// oneOf reports a value that is not among the allowed ones.
func (c *checker) oneOf(key, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	c.bad(key, "%q is not known; write %s", value, strings.Join(allowed, " or "))
}

// plainTexts reports words that would break a header line or hide what they
// say.
func (c *checker) plainTexts(key string, t texts) {
	for _, lang := range sortedKeys(t) {
		if !plain(t[lang]) {
			c.bad(key+"."+lang, "holds a line break or a control character; write it in one line")
		}
	}
}

// textBlocks is plainTexts for words that may take several lines.
func (c *checker) textBlocks(key string, t texts) {
	for _, lang := range sortedKeys(t) {
		if !plain(strings.ReplaceAll(t[lang], "\n", " ")) {
			c.bad(key+"."+lang, "holds a control character; remove it")
		}
	}
}

// plain says whether s is one line of visible characters. Format characters
// such as U+202E turn the reading direction and are refused with the controls.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029'
	})
}

const label = `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`

var (
	hostPattern    = regexp.MustCompile(`^` + label + `(?:\.` + label + `)*$`)
	addressPattern = regexp.MustCompile("^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@" +
		label + `(?:\.` + label + `)*$`)
)

// isAddress says whether s, in lower case, is a bare mail address that every
// mail server takes: ASCII, unquoted, RFC 5321 §4.5.3.1 lengths.
func isAddress(s string) bool {
	return len(s) <= 254 && strings.IndexByte(s, '@') <= maxLocal && addressPattern.MatchString(s)
}
