package mailflow

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// command is one of an agent's first lines.
type command struct {
	name string // as the table spells it; "" if unknown
	arg  string
	line string
}

// commandNames are all spellings, folded.
var commandNames = map[string]string{
	"validate": "validate", "valider": "validate",
	"reject": "reject", "rejeter": "reject",
	"note":    "note",
	"take":    "take",
	"prendre": "take",
	"assign":  "assign", "attribuer": "assign", "assigner": "assign",
	"resolve": "resolve", "résoudre": "resolve", "resoudre": "resolve",
	"close": "close", "clore": "close", "clôturer": "close", "cloturer": "close", "fermer": "close",
	"reopen": "reopen", "rouvrir": "reopen",
	"accept": "accept", "accepter": "accept",
	"split": "split", "séparer": "split", "separer": "split",
	"customer": "customer", "client": "customer",
	"cc": "cc", "copie": "cc",
	"help": "help", "aide": "help",
}

// commandLine is # and a letter: "# ls", "#1" and "#!/bin/sh" are text. Any
// other mark behind the letters makes an unknown command, which comes back:
// "#note, he owes us" must not go to a customer. HTML mails have no-break
// spaces.
var commandLine = regexp.MustCompile(`^#(\p{L}[^\s\p{Z}:]*)(?:[\s\p{Z}:]+(.*))?$`)

// parseCommands cuts the commands from the top of an agent's new text. Blank
// lines between them are allowed.
func parseCommands(text string) (cmds []command, words string) {
	rest := text
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		line = strings.TrimSpace(line)
		m := commandLine.FindStringSubmatch(line)
		if m == nil && line != "" {
			break
		}
		rest = after
		if m != nil {
			cmds = append(cmds, command{commandNames[strings.ToLower(m[1])], strings.TrimSpace(m[2]), line})
		}
	}
	return cmds, strings.TrimSpace(rest)
}

// spoken are commands whose line may go on with words for people.
var spoken = []string{"note", "validate", "reject", "resolve", "close", "reopen", "accept"}

// spokenWords joins what stands behind such commands with what stands below.
func spokenWords(cmds []command, below string) string {
	var all []string
	for _, c := range cmds {
		if c.arg != "" && slices.Contains(spoken, c.name) {
			all = append(all, c.arg)
		}
	}
	if below != "" {
		all = append(all, below)
	}
	return strings.Join(all, "\n\n")
}

// marker is the code of the line above which agents write. It is the same for
// all mails of a ticket, so that it is recognised whichever is answered.
func (f *Flow) marker(ticketID int64) string {
	return f.Keys.Outbox(ticket.ForMessage, ticketID)[TokenTail:][:4]
}

// TokenTail is where the part of a token begins that only the key decides.
const TokenTail = 20

// agentWords is what an agent wrote: all that we sent is removed, first what
// stands below our marker, then what repeats the mails that are answered.
func (f *Flow) agentWords(in *incoming, ticketID int64) string {
	above, _ := rfc822.CutAtMarker(in.mail.Text, "· "+f.marker(ticketID)+" —")
	text := rfc822.ReplyText(above)
	if in.ours != "" {
		text = rfc822.WithoutKnown(text, in.ours)
	}
	return strings.TrimSpace(text)
}

// plan is what an agent's mail asks for, checked as a whole before anything
// is done.
type plan struct {
	lines  []argLine
	before []ticket.Event // assignments, acceptances: they come first
	modes  []ticket.Event // what changes the state, in the agent's order
	add    []store.Party
	note   bool
	help   bool
	accept []store.Message
	split  []store.Message
	said   bool // there is something to post: words, or a file that is no picture of a signature
	failed bool
	reason string // why it failed, where no line is to blame
}

// check turns commands into a plan, line by line.
func (d *decision) check(t ticket.Ticket, w writer, cmds []command, words string, about int64) (plan, error) {
	p := plan{said: words != "" || slices.ContainsFunc(d.in.mail.Parts, func(p rfc822.Part) bool { return !p.Inline })}
	for _, c := range cmds {
		reason, err := d.checkOne(&p, t, w, c, words, about)
		if err != nil {
			return p, err
		}
		p.lines = append(p.lines, argLine{Text: c.line, Reason: reason, OK: reason == ""})
		p.failed = p.failed || reason != ""
	}
	if p.failed {
		return p, nil
	}
	p.try(t, d.s.Desk(t.Desk).Policy, w, words, d)
	if p.failed || p.note || !p.said {
		return p, nil
	}
	return p, d.checkHeard(&p, t)
}

// checkHeard refuses words that nobody would get.
func (d *decision) checkHeard(p *plan, t ticket.Ticket) error {
	parties, err := d.tx.Parties(t.ID)
	for _, party := range parties {
		if party.Role != ticket.Agent {
			return err
		}
	}
	for _, e := range p.modes {
		if e.Type == ticket.Close || e.Type == ticket.Reject {
			return err // junk is closed without anybody's hearing of it
		}
	}
	if err == nil && len(p.add) == 0 {
		p.failed = true
		p.reason = "Nobody is on this ticket who could be told; name somebody first: #customer person@customer.example"
	}
	return err
}

// checkOne returns why a line cannot be done, or "".
func (d *decision) checkOne(p *plan, t ticket.Ticket, w writer, c command, words string, about int64) (string, error) {
	act := func(typ ticket.EventType) ticket.Event {
		return ticket.Event{Type: typ, Actor: w.address, Role: ticket.Agent, Words: words != ""}
	}
	switch c.name {
	case "":
		return "unknown command; #help lists them", nil
	case "help":
		p.help = true
	case "note":
		p.note = true
	case "validate":
		p.modes = append(p.modes, act(ticket.Validate))
	case "resolve":
		p.modes = append(p.modes, act(ticket.Resolve))
	case "close":
		p.modes = append(p.modes, act(ticket.Close))
	case "reopen":
		p.modes = append(p.modes, act(ticket.Reopen))
	case "reject":
		p.modes = append(p.modes, act(ticket.Reject))
		if words == "" {
			return "write below why: the customer is told", nil
		}
	case "take", "assign":
		if c.name == "take" && c.arg != "" {
			return "write your words below the commands", nil
		}
		return d.checkAssign(p, t, w, c), nil
	case "customer", "cc":
		return d.checkParties(p, w, c), nil
	case "accept", "split":
		if c.name == "split" && c.arg != "" {
			return "write your words below the commands", nil
		}
		return d.checkWaiting(p, t, w, c, about)
	}
	return "", nil
}

func (d *decision) checkAssign(p *plan, t ticket.Ticket, w writer, c command) string {
	to := w.agent
	if c.name == "assign" {
		if to = d.s.findAgent(c.arg, t.Desk); to == nil {
			return fmt.Sprintf("no agent %q works on this desk", c.arg)
		}
	}
	p.before = append(p.before, ticket.Event{Type: ticket.Assign, Actor: w.address, Role: ticket.Agent, Assignee: to.Address})
	return ""
}

// findAgent finds an agent of a desk by address, name, or an unambiguous
// beginning of either.
func (s *Settings) findAgent(who, desk string) *Agent {
	who = strings.ToLower(strings.TrimSpace(who))
	var found *Agent
	for i := range s.Agents {
		a := &s.Agents[i]
		if !a.WorksOn(desk) || who == "" {
			continue
		}
		name := strings.ToLower(a.Name)
		if who == a.Address || who == name {
			return a
		}
		if strings.HasPrefix(a.Address, who) || strings.HasPrefix(name, who) {
			if found != nil {
				return nil
			}
			found = a
		}
	}
	return found
}

// maxAddress is the longest address, in octets (RFC 5321 §4.5.3.1: 64 for the
// local part and 255 for the domain), with room for brackets.
const maxAddress = 64 + 1 + 255 + 2

func (d *decision) checkParties(p *plan, w writer, c command) string {
	role := ticket.Follower
	if c.name == "customer" {
		role = ticket.Customer
	}
	fields := strings.FieldsFunc(c.arg, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	if len(fields) == 0 || len(fields) > 20 || role == ticket.Customer && len(fields) != 1 {
		return "give an address: " + strings.Fields(c.line)[0] + " person@customer.example"
	}
	for _, field := range fields {
		if len(field) > maxAddress {
			return fmt.Sprintf("%.60q… is too long for an address", field)
		}
		a, err := mail.ParseAddress(field)
		if err != nil {
			return fmt.Sprintf("%q is not an address", field)
		}
		address := strings.ToLower(a.Address)
		if d.s.Route(address).Desk != nil {
			return fmt.Sprintf("%s is a desk of ours", address)
		}
		if d.s.Agent(address) != nil {
			return fmt.Sprintf("%s is an agent", address)
		}
		p.add = append(p.add, store.Party{Role: role, Address: address, AddedBy: w.address})
	}
	return ""
}

// checkWaiting finds the mail that #accept or #split speaks of: the one that
// the answered notification told of, or else the oldest that waits.
func (d *decision) checkWaiting(p *plan, t ticket.Ticket, w writer, c command, about int64) (string, error) {
	waiting, err := d.tx.WaitingMessages(t.ID, about)
	if err != nil {
		return "", err
	}
	n := len(p.accept) + len(p.split) // one line, one mail
	if n >= len(waiting) {
		return "no further mail of this ticket waits for an agent", nil
	}
	typ := ticket.Accept
	if c.name == "split" {
		typ, p.split = ticket.Split, append(p.split, waiting[n])
	} else {
		p.accept = append(p.accept, waiting[n])
	}
	p.before = append(p.before, ticket.Event{Type: typ, Actor: w.address, Role: ticket.Agent})
	return "", nil
}

// try applies the whole plan to a copy of the ticket and notes on which line
// it fails.
func (p *plan) try(t ticket.Ticket, policy ticket.Policy, w writer, words string, d *decision) {
	events := append(append([]ticket.Event{}, p.before...), p.modes...)
	if p.said && len(p.modes) == 0 && !p.note {
		events = append(events, ticket.Event{Type: ticket.Reply, Actor: w.address, Role: ticket.Agent})
	}
	for _, e := range events {
		next, _, err := ticket.Apply(t, e, policy, d.tx.Now())
		if err != nil {
			p.fail(e, err.Error())
			return
		}
		t = next
	}
}

// fail puts the reason beside the command that made the event.
func (p *plan) fail(e ticket.Event, reason string) {
	p.failed = true
	for i := range p.lines {
		m := commandLine.FindStringSubmatch(p.lines[i].Text)
		if m != nil && eventOf[commandNames[strings.ToLower(m[1])]] == e.Type {
			p.lines[i].Reason, p.lines[i].OK = reason, false
			return
		}
	}
	p.reason = reason
}

var eventOf = map[string]ticket.EventType{"validate": ticket.Validate, "reject": ticket.Reject, "resolve": ticket.Resolve,
	"close": ticket.Close, "reopen": ticket.Reopen, "take": ticket.Assign, "assign": ticket.Assign,
	"accept": ticket.Accept, "split": ticket.Split}
