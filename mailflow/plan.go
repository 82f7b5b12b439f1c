package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// plan is what an agent's mail asks for, checked as a whole before anything
// is done.
type plan struct {
	t     ticket.Ticket // as it was
	desk  string        // the key of the desk that it is at by the line that is checked
	w     writer
	words string
	about int64 // the message that the answered notification told of

	lines  []argLine
	steps  []step
	note   bool
	help   bool
	after  []func(ticket.Ticket) error // what agents are told once all is done
	told   bool                        // the agent must be told what was done, receipts wished or not
	said   bool                        // there is something to post: words, or a file that is no picture of a signature
	failed bool
	reason string // why it failed, where no line is to blame
}

// The phases of a plan. Who is named hears what follows, and what a state
// allows is asked of the state that the agent saw.
const (
	phaseParties = iota
	phaseQuiet   // assignments, waiting mails, what is only told along with the rest
	phaseVoice   // what changes the state, in the agent's order
)

// step is one thing to be done on the ticket.
type step struct {
	event   ticket.Event
	line    int // of the plan; -1: of none
	phase   int
	reason  string // for the history
	add     store.Party
	remove  int64         // a party row
	waiting store.Message // that #accept or #split is about
	other   ticket.Ticket // that #link and #merge name
}

// says that a step can carry the agent's words.
func (s step) says() bool { return s.phase == phaseVoice && s.event.Type != ticket.Assign }

func (p *plan) event(typ ticket.EventType) ticket.Event {
	return ticket.Event{Type: typ, Actor: p.w.address, Role: ticket.Agent}
}

// do adds a step for the line that is being checked.
func (p *plan) do(phase int, s step) {
	s.line, s.phase = len(p.lines), phase
	p.steps = append(p.steps, s)
}

// voices says whether a step carries words, and count how many do.
func (p *plan) voices() (n int) {
	for _, s := range p.steps {
		if s.says() {
			n++
		}
	}
	return n
}

// check turns commands into a plan, line by line.
func (d *decision) check(t ticket.Ticket, w writer, cmds []command, words string, about int64) (*plan, error) {
	p := &plan{t: t, desk: t.Desk, w: w, words: words, about: about}
	p.said = words != "" || slices.ContainsFunc(d.in.mail.Parts, func(p rfc822.Part) bool { return !p.Inline })
	for _, c := range cmds {
		reason, err := d.checkOne(p, c)
		if err != nil {
			return p, err
		}
		p.lines = append(p.lines, argLine{Text: c.line, Reason: reason, OK: reason == ""})
		p.failed = p.failed || reason != ""
	}
	if p.failed {
		return p, nil
	}
	slices.SortStableFunc(p.steps, func(a, b step) int { return cmp.Compare(a.phase, b.phase) })
	if err := d.try(p); err != nil || p.failed || p.note || !p.said {
		return p, err
	}
	return p, d.checkHeard(p)
}

// try applies the whole plan to a copy of the ticket and notes on which line
// it fails.
func (d *decision) try(p *plan) error {
	steps := p.steps
	if p.said && p.voices() == 0 && !p.note {
		steps = append(slices.Clip(steps), step{event: p.event(ticket.Reply), line: -1})
	}
	t := p.t
	for _, s := range steps {
		if s.event.Type == ticket.FormSent {
			continue // it begins a ticket
		}
		e, err := d.ready(t, s.event)
		if err != nil {
			return err
		}
		next, _, err := ticket.Apply(t, e, d.s.policyAfter(t, e), d.tx.Now())
		if err != nil {
			p.fail(s.line, err.Error())
			return nil
		}
		t = next
	}
	return nil
}

// fail puts the reason beside the line that is to blame.
func (p *plan) fail(line int, reason string) {
	p.failed = true
	if line >= 0 && line < len(p.lines) {
		p.lines[line].Reason, p.lines[line].OK = reason, false
		return
	}
	p.reason = reason
}

// checkHeard refuses words that nobody would get.
func (d *decision) checkHeard(p *plan) error {
	parties, err := d.tx.Parties(p.t.ID)
	if err != nil {
		return err
	}
	heard := map[int64]bool{}
	for _, party := range parties {
		heard[party.ID] = party.Role != ticket.Agent
	}
	for _, s := range p.steps {
		if s.event.Type == ticket.Close || s.event.Type == ticket.Reject {
			return nil // junk is closed without anybody's hearing of it
		}
		heard[s.remove] = false
		if s.add.Address != "" {
			return nil
		}
	}
	for _, yes := range heard {
		if yes {
			return nil
		}
	}
	p.fail(-1, "Nobody is on this ticket who could be told; name somebody first: #customer person@customer.example")
	return nil
}

// checkOne returns why a line cannot be done, or "".
func (d *decision) checkOne(p *plan, c command) (string, error) {
	v := instructionOf(c.name)
	if c.arg != "" && v.arg == "" && !v.spoken && c.name != "" {
		return "write your words below the commands", nil
	}
	switch c.name {
	case "":
		return "unknown command; #help lists them", nil
	case "help":
		p.help = true
	case "note":
		p.note = true
	case "reject":
		p.do(phaseVoice, step{event: p.event(v.event)})
		if p.words == "" {
			return "write below why: the customer is told", nil
		}
	case "info", "action":
		return d.checkAsk(p, c)
	case "take", "assign":
		return d.checkAssign(p, c), nil
	case "customer", "integrator", "cc":
		return d.checkAdd(p, c), nil
	case "uncc":
		return d.checkRemove(p, c)
	case "accept", "split":
		return d.checkWaiting(p, c)
	case "category", "urgency":
		return d.checkValue(p, c), nil
	case "escalate":
		p.do(phaseQuiet, step{event: p.event(v.event)})
	case "link":
		return d.checkLink(p, c)
	case "merge":
		return d.checkMerge(p, c)
	case "move":
		return d.checkMove(p, c), nil
	case "form":
		return d.checkForm(p, c)
	default:
		p.do(phaseVoice, step{event: p.event(v.event)})
	}
	return "", nil
}

// checkAsk is a request: who is asked must be on the ticket, and what is asked
// must be said.
func (d *decision) checkAsk(p *plan, c command) (string, error) {
	who, words := c.asked()
	if first, more, _ := strings.Cut(words, " "); who == "" && more != "" && namesSomebody(first) {
		return fmt.Sprintf("whom do you ask? Write #%s %s: and your words, or your words below the commands", c.name, strings.Trim(first, ",;.!?")), nil
	}
	if p.words == "" {
		return "write below what you ask: the parties are told", nil
	}
	for _, s := range p.steps {
		if s.event.Type == ticket.AskInfo || s.event.Type == ticket.AskDo {
			return "one request a mail: who reads two does not know which to answer", nil
		}
	}
	asked, reason, err := d.askedParty(p, who)
	if err != nil || reason != "" {
		return reason, err
	}
	p.do(phaseVoice, step{event: p.event(instructionOf(c.name).event), reason: asked})
	return "", nil
}

// namesSomebody says that a request's first word may be meant as whom it asks.
func namesSomebody(first string) bool {
	return askedRoles[strings.ToLower(strings.Trim(first, ",;.!?"))] != "" || askedOf.MatchString(strings.Trim(first, ",;.!?"))
}

// askedParty are the addresses of whom a request names, with commas between
// them; "" where it asks all. A role is everybody who has it.
func (d *decision) askedParty(p *plan, who string) (address, reason string, err error) {
	if who == "" {
		return "", "", nil
	}
	var found []string
	for _, s := range p.steps {
		if s.add.Address == who || s.add.Address != "" && s.add.Role == ticket.Role(who) {
			found = append(found, s.add.Address)
		}
	}
	if strings.Contains(who, "@") {
		if len(found) > 0 {
			return found[0], "", nil
		}
		party, err := d.tx.PartyOf(p.t.ID, who)
		if ignoreNoRows(err) != nil {
			return "", "", err
		}
		if err == nil && party.Active && party.Role != ticket.Agent {
			return party.Address, "", nil
		}
		return "", fmt.Sprintf("%s is not on this ticket; #cc adds somebody", who), nil
	}
	if who == string(ticket.Customer) && len(found) > 0 {
		return found[0], "", nil // one customer a ticket
	}
	parties, err := d.tx.Parties(p.t.ID)
	for _, party := range parties {
		if party.Role == ticket.Role(who) && !slices.Contains(found, party.Address) {
			found = append(found, party.Address)
		}
	}
	if len(found) == 0 && err == nil {
		reason = fmt.Sprintf("this ticket has no %s; name one: #%s person@customer.example", who, who)
	}
	return strings.Join(found, askedComma), reason, err
}

func (d *decision) checkAssign(p *plan, c command) string {
	to := p.w.agent
	if c.name == "assign" {
		if to = d.s.findAgent(c.arg, p.desk); to == nil {
			return fmt.Sprintf("no agent %q works on this desk", c.arg)
		}
	} else if !to.WorksOn(p.desk) {
		return fmt.Sprintf("you do not work on %s", p.desk)
	}
	phase := phaseQuiet
	if p.desk != p.t.Desk {
		phase = phaseVoice // by the desk that it is moved to
	}
	e := p.event(ticket.Assign)
	e.Assignee = to.Address
	p.do(phase, step{event: e, reason: to.Address})
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

// checkWaiting finds the mail that #accept or #split speaks of: the one that
// the answered notification told of, or else the oldest that waits. Where it
// had to choose, the agent is told which it took.
func (d *decision) checkWaiting(p *plan, c command) (string, error) {
	waiting, err := d.tx.WaitingMessages(p.t.ID, p.about)
	if err != nil {
		return "", err
	}
	for _, s := range p.steps { // one line, one mail
		if s.waiting.ID != 0 {
			waiting = waiting[min(1, len(waiting)):]
		}
	}
	if len(waiting) == 0 {
		return "no further mail of this ticket waits for an agent", nil
	}
	p.told = p.told || waiting[0].ID != p.about
	p.do(phaseQuiet, step{event: p.event(instructionOf(c.name).event), waiting: waiting[0]})
	return "", nil
}
