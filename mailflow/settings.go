package mailflow

import (
	"net/netip"
	"strings"
	"time"

	"guichet/mailflow/ticket"
	"guichet/templates"
)

// Settings is what the mail flow needs of the configuration. It is replaced
// as a whole at a reload and never changed in place.
type Settings struct {
	Hostname string // banner and Message-IDs
	BaseURL  string // of the web pages, without a final slash
	Desks    []Desk // in the order of the configuration; the first takes postmaster's mail
	Agents   []Agent
	Forms    []Form
	// Systems are partners' ticket systems, OldNumbers what stood before this
	// gateway.
	Systems    []System
	OldNumbers []OldNumber
	// TrustedNetworks holds the clients whose submissions are proven where
	// the mail carries no Received line.
	TrustedNetworks []netip.Prefix
	Limits          Limits
	// FixedEnvelope sends from the bare desk address instead of a signed one
	// (relay.envelope: desk).
	FixedEnvelope bool
}

// Limits bound what a stranger can make large.
type Limits struct {
	MaxMessage     int64         // bytes of one mail
	MaxUnprocessed int           // deliveries not yet processed; beyond it MAIL gets 451
	MinFree        int64         // bytes free in the store's file system; below it MAIL gets 452; 0 means the smaller of 1 GiB and 5 %
	ReadTimeout    time.Duration // for reading one mail
	CatchUp        int           // overdue steps a minute; 0 means 60
	Notifications  int           // to one agent in 10 minutes that leave as mails of their own; 0 means 30
}

// Desk is one support address with its policy.
type Desk struct {
	Key      string // its name in the configuration
	Address  string // lower case
	Names    map[string]string
	About    Texts  // what it is for
	Reply    string // pattern with {token}, or "off"
	Language string // "fr" or "en"
	Zone     *time.Location
	Number   string // a pattern such as INC-%06d
	Form     string // name of its form; "" without one
	Accent   string // colour of its pages and buttons, "#rrggbb"; "" is ours
	Policy   ticket.Policy
}

// Name is the desk's name in lang, or in its own language.
func (d *Desk) Name(lang string) string {
	if n := d.Names[lang]; n != "" {
		return n
	}
	if n := d.Names[d.Language]; n != "" {
		return n
	}
	return d.Address
}

// shown is the desk as a mail shows it.
func (d *Desk) shown(lang string) templates.Desk {
	return templates.Desk{Name: d.Name(lang), Address: d.Address, Accent: d.Accent, About: d.About.In(lang)}
}

// Agent is a person who works on desks.
type Agent struct {
	Address  string // lower case
	Name     string
	Desks    []string // keys of desks
	Language string   // "" is the desk's
	Receipts bool     // wants to be told what was done with each of their mails
}

// WorksOn says whether the agent may act on tickets of the desk now.
func (a *Agent) WorksOn(desk string) bool {
	for _, d := range a.Desks {
		if d == desk {
			return true
		}
	}
	return false
}

// Desk returns the desk with that key, or nil.
func (s *Settings) Desk(key string) *Desk {
	for i := range s.Desks {
		if s.Desks[i].Key == key {
			return &s.Desks[i]
		}
	}
	return nil
}

// policyAfter is the policy under which an event is applied.
func (s *Settings) policyAfter(t ticket.Ticket, e ticket.Event) ticket.Policy {
	key := t.Desk
	if e.Type == ticket.Move {
		key = e.Desk
	}
	if d := s.Desk(key); d != nil {
		return d.Policy
	}
	return ticket.Policy{}
}

// Notified are the agents who are told what happens to a ticket: its assignee
// while that one works on the desk, or else all of the desk's.
func (s *Settings) Notified(t ticket.Ticket) []*Agent {
	if a := s.Agent(t.Assignee); a != nil && a.WorksOn(t.Desk) {
		return []*Agent{a}
	}
	var all []*Agent
	for i := range s.Agents {
		if s.Agents[i].WorksOn(t.Desk) {
			all = append(all, &s.Agents[i])
		}
	}
	return all
}

// Agent returns the agent with that address, or nil.
func (s *Settings) Agent(address string) *Agent {
	for i := range s.Agents {
		if strings.EqualFold(s.Agents[i].Address, address) {
			return &s.Agents[i]
		}
	}
	return nil
}
