package mailflow

import (
	"regexp"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/templates"
)

// command is one of an agent's first lines.
type command struct {
	name string // as the table spells it; "" if unknown
	arg  string
	line string
}

// instruction is what a command is called, and what it may carry.
type instruction struct {
	name   string
	french []string // the first is the one that French lists show
	arg    string   // what is to stand behind it, for lists: "ADDRESS"
	spoken bool     // its line may go on with words for people
	event  ticket.EventType
}

// instructions are all commands, in the order in which lists name them.
var instructions = []instruction{
	{name: "validate", french: []string{"valider"}, spoken: true, event: ticket.Validate},
	{name: "reject", french: []string{"rejeter", "refuser"}, spoken: true, event: ticket.Reject},
	{name: "info", french: []string{"info", "information"}, spoken: true, event: ticket.AskInfo},
	{name: "action", spoken: true, event: ticket.AskDo},
	{name: "resolve", french: []string{"résoudre"}, spoken: true, event: ticket.Resolve},
	{name: "close", french: []string{"clore", "clôturer", "fermer"}, spoken: true, event: ticket.Close},
	{name: "reopen", french: []string{"rouvrir"}, spoken: true, event: ticket.Reopen},
	{name: "note", spoken: true, event: ticket.Note},
	{name: "take", french: []string{"prendre"}, event: ticket.Assign},
	{name: "assign", french: []string{"attribuer", "assigner"}, arg: "NAME", event: ticket.Assign},
	{name: "category", french: []string{"catégorie"}, arg: "CATEGORY", event: ticket.Categorise},
	{name: "urgency", french: []string{"urgence"}, arg: "URGENCY", event: ticket.SetUrgency},
	{name: "escalate", french: []string{"escalader"}, event: ticket.Escalate},
	{name: "accept", french: []string{"accepter"}, spoken: true, event: ticket.Accept},
	{name: "split", french: []string{"séparer"}, event: ticket.Split},
	{name: "customer", french: []string{"client"}, arg: "ADDRESS", event: ticket.AddParty},
	{name: "integrator", french: []string{"intégrateur"}, arg: "ADDRESS", event: ticket.AddParty},
	{name: "cc", french: []string{"copie"}, arg: "ADDRESS", event: ticket.AddParty},
	{name: "uncc", french: []string{"retirer"}, arg: "ADDRESS", event: ticket.PartyRemoved},
	{name: "link", french: []string{"lier"}, arg: "NUMBER", event: ticket.Link},
	{name: "merge", french: []string{"fusionner"}, arg: "NUMBER", event: ticket.MergedAway},
	{name: "move", french: []string{"déplacer", "transférer"}, arg: "DESK", event: ticket.Move},
	{name: "form", french: []string{"formulaire"}, arg: "ADDRESS", event: ticket.FormSent},
	{name: "help", french: []string{"aide"}},
}

func instructionOf(name string) instruction {
	if i := slices.IndexFunc(instructions, func(v instruction) bool { return v.name == name }); i >= 0 {
		return instructions[i]
	}
	return instruction{}
}

// commandNames are all spellings, folded, French ones also without accents.
var commandNames = func() map[string]string {
	names := map[string]string{}
	for _, v := range instructions {
		names[v.name] = v.name
		for _, f := range v.french {
			names[f], names[unaccented.Replace(f)] = v.name, v.name
		}
	}
	return names
}()

var unaccented = strings.NewReplacer("é", "e", "è", "e", "ô", "o", "â", "a")

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

// spokenWords joins what stands behind such commands with what stands below.
func spokenWords(cmds []command, below string) string {
	var all []string
	for _, c := range cmds {
		if said := c.words(); said != "" {
			all = append(all, said)
		}
	}
	if below != "" {
		all = append(all, below)
	}
	return strings.Join(all, "\n\n")
}

// words are what a command's line says to people.
func (c command) words() string {
	if !instructionOf(c.name).spoken {
		return ""
	}
	if c.name == "info" || c.name == "action" {
		_, words := c.asked()
		return words
	}
	return c.arg
}

// asked cuts from a request's line whom it asks: "#info customer: which
// model?", "#info a@b.example". Nobody named asks all parties.
func (c command) asked() (who, words string) {
	m := askedOf.FindStringSubmatch(c.arg)
	if m == nil {
		return "", c.arg
	}
	who = strings.ToLower(m[1])
	if role := askedRoles[who]; role != "" {
		who = string(role)
	}
	return who, strings.TrimSpace(m[2])
}

var (
	askedOf = regexp.MustCompile(`(?i)^<?(customer|client|integrator|intégrateur|integrateur|[^\s\p{Z}:,;<>]+@[^\s\p{Z}:,;<>]+)>?(?:[\s\p{Z}]*$|[\s\p{Z}]*:[\s\p{Z}]*(.*)$)`)

	askedRoles = map[string]ticket.Role{"customer": ticket.Customer, "client": ticket.Customer,
		"integrator": ticket.Integrator, "intégrateur": ticket.Integrator, "integrateur": ticket.Integrator}
)

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
	text := in.mail.Text
	for _, id := range append([]int64{ticketID}, in.answers...) { // a mail of a ticket that was merged bears its own
		text, _ = rfc822.CutAtMarker(text, "· "+f.marker(id)+" —")
	}
	text = rfc822.ReplyText(text)
	if in.ours == "" {
		return strings.TrimSpace(text)
	}
	rest := rfc822.WithoutKnown(text, in.ours)
	left := strings.Split(rest, "\n")
	var own []string // commands whose words happen to stand in our mail, in a list of who is on the ticket, say
	cmds, _ := parseCommands(text)
	for _, c := range cmds {
		if !slices.Contains(left, c.line) && !quotesLine(in.ours, c.line) {
			own = append(own, c.line)
		}
	}
	return strings.TrimSpace(strings.Join(own, "\n") + "\n\n" + rest)
}

// quotesLine says whether a line of known begins as line does, or line as one
// of known that holds a command: it may have been wrapped anew.
func quotesLine(known, line string) bool {
	line = strings.Join(strings.Fields(line), " ")
	for l := range strings.Lines(known) {
		l = strings.Join(strings.Fields(strings.TrimLeft(l, ">| \t")), " ")
		if strings.HasPrefix(l, line) || commandLine.MatchString(l) && strings.HasPrefix(line, l) {
			return true
		}
	}
	return false
}

// commandsFor lists the commands for a mail to an agent: those that the rules
// allow where the ticket stands, and of them only the likely ones unless the
// list was asked for.
func commandsFor(dr *draft) (out []templates.Command) {
	waits := strings.HasPrefix(dr.args.Event, "waiting") || dr.args.Event == "unproven-number"
	t := ticket.Ticket{State: dr.args.State, Closed: dr.args.Closed, Waiting: dr.args.Waiting}
	if waits {
		t.Waiting = max(t.Waiting, 1)
	}
	for _, v := range instructions {
		if dr.args.Event != "help" && !v.likely(t, waits) || !v.allowed(t, dr.desk.Policy) {
			continue
		}
		out = append(out, v.shown(dr.lang))
	}
	return out
}

// allowed says that the rules let an agent give this command now.
func (v instruction) allowed(t ticket.Ticket, p ticket.Policy) bool {
	if v.event == "" {
		return true
	}
	if v.name == "validate" && !p.Validation {
		return false // an answer opens it
	}
	_, _, err := ticket.Apply(t, ticket.Event{Type: v.event, Role: ticket.Agent, Into: -1}, p, t.Updated)
	return err == nil
}

// likely says that a command is one of the few that a notification names.
func (v instruction) likely(t ticket.Ticket, waits bool) bool {
	switch v.name {
	case "accept", "split":
		return waits
	case "close", "info", "action":
		return t.State != ticket.New && t.State != ticket.Resolved
	case "validate", "reject", "resolve", "reopen", "note", "take", "assign", "help":
		return true
	}
	return false
}

// shown is a command as a list has it.
func (v instruction) shown(lang string) templates.Command {
	name := v.name
	if lang == "fr" && len(v.french) > 0 {
		name = v.french[0]
	}
	c := templates.Command{Name: "#" + name, Help: templates.CommandHelp(lang, "#"+v.name)}
	if v.arg != "" {
		c.Name += " " + v.arg
	}
	c.Name = templates.CommandLine(lang, c.Name)
	return c
}
