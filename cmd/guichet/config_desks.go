package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// tokenLength is how many characters stand for {token} in an address, and
// maxLocal how many octets a local part may have (RFC 5321 §4.5.3.1.1).
const (
	tokenLength = 32
	maxLocal    = 64
	placeholder = "{token}"
)

var (
	deskKeyPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	accentPattern  = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
)

func (c *checker) checkDesks() {
	if len(c.cfg.Desks) == 0 {
		c.bad("desks", "missing; a gateway needs at least one desk, as config.example.yaml shows")
	}
	for i := range c.cfg.Desks {
		c.checkDesk(&c.cfg.Desks[i])
	}
	c.checkDeskAddresses()
}

func (c *checker) checkDesk(d *deskConfig) {
	key := "desks." + d.Key
	if !deskKeyPattern.MatchString(d.Key) {
		c.bad(key, "name a desk with lower-case letters, digits and hyphens, so that #move can name it")
	}
	c.checkReply(key, d)
	c.plainTexts(key+".name", d.Name)
	c.plainTexts(key+".about", d.About)
	c.oneOf(key+".language", d.Language, "fr", "en")
	if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "" || d.TimeZone == "Local" {
		c.bad(key+".time_zone", "%q is no time zone; write one such as Europe/Paris", d.TimeZone)
	}
	c.oneOf(key+".approval", d.Approval, "assumed", "required")
	if d.Accent != "" && !accentPattern.MatchString(d.Accent) {
		c.bad(key+".accent", "%q is no colour; write it as \"#1f5fa8\", with quotes", d.Accent)
	}
	if d.Timers.Reminders < 0 || d.Timers.Reminders > 100 {
		c.bad(key+".timers.reminders", "must lie between 0 and 100")
	}
	c.checkIntake(key, d)
}

func (c *checker) checkIntake(key string, d *deskConfig) {
	c.oneOf(key+".intake", d.Intake, "form", "direct")
	switch {
	case d.Form != "" && c.form(d.Form) == nil:
		c.bad(key+".form", "there is no form %q below forms", d.Form)
	case d.Intake == "form" && d.Form == "":
		c.bad(key+".form", "missing; intake: form needs the name of a form below forms")
	}
}

// checkReply checks a desk's own address and the one that answers go to.
func (c *checker) checkReply(key string, d *deskConfig) {
	d.Address = strings.ToLower(d.Address)
	if d.Address == "" {
		c.bad(key+".address", "missing; write the desk's mail address")
		return
	}
	if !isAddress(d.Address) {
		c.bad(key+".address", "%q is no mail address; write it bare, in ASCII, such as support@desk.example", d.Address)
		return
	}
	local, domain, _ := strings.Cut(d.Address, "@")
	switch {
	case d.Reply == "off":
	case d.Reply == "":
		d.Reply = local + "+" + placeholder + "@" + domain
		c.checkLocal(key+".address", d.Reply, "shorten it or set reply")
	default:
		d.Reply = strings.ToLower(d.Reply)
		c.checkReplyPattern(key+".reply", d.Reply)
	}
}

func (c *checker) checkReplyPattern(key, reply string) {
	local, _, _ := strings.Cut(reply, "@")
	filled := strings.Replace(reply, placeholder, "a", 1)
	if strings.Count(reply, placeholder) != 1 || !strings.Contains(local, placeholder) || !isAddress(filled) {
		c.bad(key, "%q is no pattern; write an address with {token} once before the @, such as support+{token}@desk.example, or off", reply)
		return
	}
	before, after, _ := strings.Cut(reply, placeholder)
	if before != "" && !strings.ContainsAny(before[len(before)-1:], "+-.=") || !strings.ContainsAny(after[:1], "@+-.=") {
		// Only so can a token be told from the words around it, wherever it turns up.
		c.bad(key, "%q: {token} must stand between +, -, . or =, or at an end, such as support+{token}@desk.example", reply)
		return
	}
	c.checkLocal(key, reply, "shorten it")
}

func (c *checker) checkLocal(key, reply, do string) {
	local, _, _ := strings.Cut(reply, "@")
	if n := len(local) - len(placeholder) + tokenLength; n > maxLocal {
		c.bad(key, "%s has %d octets before the @ once the token of %d is in, and mail servers take %d; %s", reply, n, tokenLength, maxLocal, do)
	}
}

// checkDeskAddresses refuses addresses that would take each other's mail.
func (c *checker) checkDeskAddresses() {
	owner := map[string]string{}
	for i := range c.cfg.Desks {
		d := &c.cfg.Desks[i]
		if other, twice := owner[d.Address]; twice && d.Address != "" {
			c.bad("desks."+d.Key+".address", "desk %s has the same address %s; give each desk its own", other, d.Address)
			continue
		}
		owner[d.Address] = d.Key
	}
	for i := range c.cfg.Desks {
		d := &c.cfg.Desks[i]
		bare := replyBase(d.Reply)
		if other, ok := owner[bare]; ok && bare != "" && bare != d.Address {
			c.bad("desks."+d.Key+".reply", "answers would go to addresses of desk %s, %s; use an address of this desk", other, bare)
		}
	}
}

// replyBase is the address whose extensions a reply pattern uses, or "".
func replyBase(reply string) string {
	before, after, ok := strings.Cut(reply, placeholder)
	before = strings.TrimRight(before, "+-")
	if !ok || before == "" || !strings.HasPrefix(after, "@") {
		return ""
	}
	return before + after
}

func (c *checker) checkAgents() {
	seen := map[string]bool{}
	working := map[string]bool{}
	for i := range c.cfg.Agents {
		a, key := &c.cfg.Agents[i], fmt.Sprintf("agents[%d]", i)
		a.Address = strings.ToLower(a.Address)
		c.checkAgentAddress(key+".address", a.Address, seen)
		if !plain(a.Name) {
			c.bad(key+".name", "holds a line break or a control character; write it in one line")
		}
		if a.Language != "" {
			c.oneOf(key+".language", a.Language, "fr", "en")
		}
		if len(a.Desks) == 0 {
			c.warn(key+".desks", "missing; %s may act on no ticket", a.Address)
		}
		for j, desk := range a.Desks {
			c.knownDesk(fmt.Sprintf("%s.desks[%d]", key, j), desk)
			working[desk] = true
		}
	}
	for _, d := range c.cfg.Desks {
		if !working[d.Key] {
			c.warn("desks."+d.Key, "no agent works on it: nobody is told of its mails")
		}
	}
}

func (c *checker) checkAgentAddress(key, address string, seen map[string]bool) {
	if !isAddress(address) {
		c.bad(key, "%q is no mail address; write it bare, such as agent@desk.example", address)
		return
	}
	if seen[address] {
		c.bad(key, "%s stands here twice; name all desks in one entry", address)
	}
	seen[address] = true
	for _, d := range c.cfg.Desks {
		if address == d.Address || matchesReply(d.Reply, address) {
			c.bad(key, "%s is desk %s's own address; an agent needs a mailbox of their own", address, d.Key)
		}
	}
}

// matchesReply says whether an address is one that answers to a desk go to.
func matchesReply(reply, address string) bool {
	before, after, ok := strings.Cut(reply, placeholder)
	return ok && before != "" && len(address) > len(before)+len(after) &&
		strings.HasPrefix(address, before) && strings.HasSuffix(address, after)
}

func (c *checker) knownDesk(key, desk string) {
	names := make([]string, 0, len(c.cfg.Desks))
	for _, d := range c.cfg.Desks {
		if d.Key == desk {
			return
		}
		names = append(names, d.Key)
	}
	c.bad(key, "there is no desk %q; known here: %s", desk, strings.Join(names, ", "))
}
