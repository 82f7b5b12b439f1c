package main

import (
	"fmt"
	"regexp"
	"strings"

	"guichet/mailflow"
)

// maxPattern is how long a pattern for other systems' numbers may be, in
// bytes: a longer one is no longer read by people.
const maxPattern = 200

var systemPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

func (c *checker) checkSystems() {
	for i := range c.cfg.Systems {
		s, key := &c.cfg.Systems[i], fmt.Sprintf("systems[%d]", i)
		s.From = strings.ToLower(s.From)
		c.checkSystemFrom(key+".from", s.From)
		c.checkPattern(key+".number", s.Number, `\b(SUP-[0-9]+)\b`)
	}
}

func (c *checker) checkSystemFrom(key, from string) {
	domain := strings.Contains(from, ".") && hostPattern.MatchString(from)
	switch {
	case from == "":
		c.bad(key, "missing; write the address that the partner's ticket system writes from, or its domain")
	case !domain && !isAddress(from):
		c.bad(key, "%q is neither a mail address nor a domain; write jira@integrator.example or integrator.example", from)
	case domain && mailflow.IsPublicProvider(from):
		c.bad(key, "%s gives mailboxes to anybody; write the system's own address", from)
	}
	for _, d := range c.cfg.Desks {
		address := strings.ToLower(d.Address)
		if _, ours, _ := strings.Cut(address, "@"); ours != "" && (ours == from || address == from) {
			c.bad(key, "%s is where desk %s writes from; name the partner's", from, d.Key)
			return
		}
	}
}

func (c *checker) checkOldNumbers() {
	for i := range c.cfg.OldNumbers {
		o, key := &c.cfg.OldNumbers[i], fmt.Sprintf("old_numbers[%d]", i)
		o.System = strings.ToLower(o.System)
		if !systemPattern.MatchString(o.System) {
			c.bad(key+".system", "%q is no name; write up to 40 letters, digits and -_., such as rt", o.System)
		}
		c.checkPattern(key+".pattern", o.Pattern, `\[RT #([0-9]+)\]`)
	}
}

// checkPattern refuses what finds no number, or finds one everywhere.
func (c *checker) checkPattern(key, pattern, example string) {
	if pattern == "" {
		c.bad(key, "missing; write a regular expression in single quotes, such as '%s'", example)
		return
	}
	if len(pattern) > maxPattern || !plain(pattern) {
		c.bad(key, "longer than %d bytes, or not one line; write one such as '%s'", maxPattern, example)
		return
	}
	re, err := numberExpression(pattern)
	switch {
	case err != nil:
		_, text, _ := strings.Cut(strings.Replace(err.Error(), foldCase, "", 1), ": ")
		c.bad(key, "no regular expression (RE2): %s", text)
	case re.NumSubexp() != 1:
		c.bad(key, "has %d groups and needs one, around the number, such as '%s'; write (?:…) for the others", re.NumSubexp(), example)
	case findsNothing(re):
		c.bad(key, "finds a number where there is none: its group can be empty; write + instead of *")
	case re.FindStringSubmatch("12345678") != nil:
		c.bad(key, "finds bare digits, which stand in many mails by chance; write what stands around them, such as '%s'", example)
	}
}

// foldCase: people type numbers as they like.
const foldCase = "(?i)"

func numberExpression(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(foldCase + pattern)
}

// findsNothing says that the group can be empty in what the pattern finds.
func findsNothing(re *regexp.Regexp) bool {
	for _, s := range []string{"", " ", "#", "[#]", "[RT #]", "Ticket#", "[GLPI #]", "SUP-"} {
		if m := re.FindStringSubmatch(s); m != nil && m[1] == "" {
			return true
		}
	}
	return false
}

// numbersOfOthers takes over the patterns, which were checked when the file
// was read.
func (c *Config) numbersOfOthers(s *mailflow.Settings) {
	for _, of := range c.Systems {
		if re, err := numberExpression(of.Number); err == nil {
			s.Systems = append(s.Systems, mailflow.System{From: of.From, Number: re})
		}
	}
	for _, of := range c.OldNumbers {
		if re, err := numberExpression(of.Pattern); err == nil {
			s.OldNumbers = append(s.OldNumbers, mailflow.OldNumber{System: of.System, Pattern: re})
		}
	}
}
