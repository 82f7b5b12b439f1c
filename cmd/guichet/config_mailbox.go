package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"guichet/mailflow/imapfetch"
)

type mailboxConfig struct {
	// The mailbox and its folder: imaps://user@host/INBOX, or imap+starttls://.
	// Another folder is an entry of its own.
	URL string `yaml:"url"`
	// A file whose first line is the mailbox's password.
	PasswordFile string `yaml:"password_file"`
	// OAuth2 in the place of a password.
	OAuth2 oauth2Config `yaml:"oauth2"`
	// The desk of the mails whose header names no address of a desk that they
	// were delivered to.
	Desk string `yaml:"desk"`
	// What becomes of a fetched mail: move:FOLDER, seen or delete.
	After string `yaml:"after"`
	// Which mails are fetched: now is what comes from the first start on, all
	// is also what is there then.
	Since string `yaml:"since"`
	// How often is looked for new mails where the server cannot tell of them.
	Poll period `yaml:"poll"`
}

type oauth2Config struct {
	// The provider's token endpoint.
	TokenURL string `yaml:"token_url"`
	// The name of the application that you have registered there.
	ClientID string `yaml:"client_id"`
	// A file whose first line is the application's secret, if it has one.
	ClientSecretFile string `yaml:"client_secret_file"`
	// A file whose first line is the refresh token. The gateway writes it anew
	// where the provider changes it. Without one the application logs in as itself.
	RefreshTokenFile string `yaml:"refresh_token_file"`
	// What the token is to be good for, as the provider calls it.
	Scope string `yaml:"scope"`
}

// setDefaults leaves fetched mails where they are.
func (m *mailboxConfig) setDefaults() {
	m.After, m.Since, m.Poll = "seen", "now", period(time.Minute)
}

func (c *checker) checkMailboxes() {
	names := map[string]string{}
	for i := range c.cfg.Mailboxes {
		m, key := &c.cfg.Mailboxes[i], fmt.Sprintf("mailboxes[%d]", i)
		c.checkMailboxURL(key+".url", m.URL, names)
		c.checkMailboxLogin(key, m)
		c.knownDesk(key+".desk", m.Desk)
		if folder, ok := strings.CutPrefix(m.After, "move:"); !ok || folder == "" {
			c.oneOf(key+".after", m.After, "move:FOLDER", "seen", "delete")
		} else if box, err := imapfetch.ParseURL(m.URL); err == nil && folder == box.Folder {
			c.bad(key+".after", "would move mails to where they are; name another folder")
		}
		c.oneOf(key+".since", m.Since, "now", "all")
		if p := time.Duration(m.Poll); p < time.Second || p > time.Hour {
			c.bad(key+".poll", "must lie between 1s and 1h")
		}
	}
}

func (c *checker) checkMailboxURL(key, value string, names map[string]string) {
	const example = "write imaps://user@host/INBOX or imap+starttls://user@host/INBOX"
	u := parseURL(value)
	switch {
	case value == "":
		c.bad(key, "missing; %s", example)
	case u == nil || !isURLHost(u):
		c.bad(key, "is no mailbox; %s", example)
	case hasPassword(u):
		c.bad(key, "holds a password; write it in a file named by password_file")
	case u.User == nil || u.User.Username() == "":
		c.bad(key, "names no user; %s", example)
	case u.Scheme == "imap" && !isLoopback(u.Host) && !isLoopback(u.Hostname()):
		c.bad(key, "the password would travel without TLS; %s", example)
	case u.Scheme != "imap" && u.Scheme != "imaps" && u.Scheme != "imap+starttls":
		c.oneOf(key, u.Scheme+"://", "imaps://", "imap+starttls://")
	default:
		m, err := imapfetch.ParseURL(value)
		if err != nil {
			c.bad(key, "%s; %s", err, example)
		} else if other := names[m.Name]; other != "" {
			c.bad(key, "is fetched by %s already; name each folder once", other)
		} else {
			names[m.Name] = strings.TrimSuffix(key, ".url")
		}
	}
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

func (c *checker) checkMailboxLogin(key string, m *mailboxConfig) {
	o := &m.OAuth2
	m.PasswordFile = c.path(m.PasswordFile)
	o.ClientSecretFile, o.RefreshTokenFile = c.path(o.ClientSecretFile), c.path(o.RefreshTokenFile)
	switch {
	case *o == oauth2Config{} && m.PasswordFile == "":
		c.bad(key+".password_file", "missing; name a file with the mailbox's password, or use oauth2")
	case *o == oauth2Config{}:
		c.wantSecret(key+".password_file", m.PasswordFile, "write the password into it")
	case m.PasswordFile != "":
		c.bad(key+".password_file", "stands beside oauth2; remove one of them")
	default:
		c.checkOAuth2(key+".oauth2.", o)
	}
}

func (c *checker) checkOAuth2(key string, o *oauth2Config) {
	switch u := parseURL(o.TokenURL); {
	case o.TokenURL == "":
		c.bad(key+"token_url", "missing; the provider's documents name it, as does docs/operations.md")
	case u == nil || !isURLHost(u) || u.Scheme != "http" && u.Scheme != "https" || u.User != nil:
		c.bad(key+"token_url", "is no web address; write such as https://login.example/token")
	case u.Scheme == "http" && !isLoopback(u.Host):
		c.bad(key+"token_url", "the secret would travel without TLS; use https")
	}
	if o.ClientID == "" || !plain(o.ClientID) {
		c.bad(key+"client_id", "missing or not one line; the provider gave it to the application")
	}
	if !plain(o.Scope) {
		c.bad(key+"scope", "must stand in one line")
	}
	if o.ClientSecretFile == "" && o.RefreshTokenFile == "" {
		c.bad(key+"client_secret_file", "missing; without a refresh token the application must prove itself")
	}
	if o.ClientSecretFile != "" {
		c.wantSecret(key+"client_secret_file", o.ClientSecretFile, "write the application's secret into it")
	}
	if o.RefreshTokenFile != "" {
		c.wantSecret(key+"refresh_token_file", o.RefreshTokenFile, "write the refresh token into it")
	}
}

// tokenSources are those of a configuration. Mailboxes that log in with the
// same refresh token share one: of two that use it at once, the second would
// be refused where the provider changes it with each use.
type tokenSources map[oauth2Config]*imapfetch.TokenSource

func (all tokenSources) of(o oauth2Config) *imapfetch.TokenSource {
	if all[o] == nil {
		all[o] = &imapfetch.TokenSource{URL: o.TokenURL, ClientID: o.ClientID, SecretFile: o.ClientSecretFile,
			RefreshFile: o.RefreshTokenFile, Scope: o.Scope, Now: time.Now}
	}
	return all[o]
}

// fetched is a checked mailbox as the package that fetches it has it.
func (m *mailboxConfig) fetched(tokens tokenSources) imapfetch.Mailbox {
	box, _ := imapfetch.ParseURL(m.URL) // checked when the file was read
	box.Desk, box.All, box.Poll = m.Desk, m.Since == "all", time.Duration(m.Poll)
	box.After = imapfetch.After(m.After)
	if folder, ok := strings.CutPrefix(m.After, "move:"); ok {
		box.After, box.MoveTo = imapfetch.Move, folder
	}
	if m.OAuth2.TokenURL != "" {
		box.Token = tokens.of(m.OAuth2)
		return box
	}
	box.Password = func() (string, error) { return imapfetch.ReadSecret(m.PasswordFile) }
	return box
}
