package main

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/outbound"
	"guichet/mailflow/ticket"
)

// Settings is what the mail flow needs of a checked configuration.
func (c *Config) Settings() *mailflow.Settings {
	s := &mailflow.Settings{
		Hostname:      c.Hostname,
		BaseURL:       c.Web.BaseURL,
		FixedEnvelope: c.Relay.Envelope == "desk",
		Limits: mailflow.Limits{
			MaxMessage:     int64(c.SMTP.MaxMessageSize),
			MaxUnprocessed: c.Limits.MaxUnprocessed,
			MinFree:        int64(c.Limits.MinFree),
			ReadTimeout:    time.Duration(c.Limits.ReadTimeout),
			CatchUp:        c.Limits.CatchUp,
			Notifications:  c.Limits.Notifications,
		},
	}
	s.TrustedNetworks = c.trustedNetworks()
	for i := range c.Desks {
		s.Desks = append(s.Desks, c.Desks[i].settings())
	}
	for _, a := range c.Agents {
		s.Agents = append(s.Agents, mailflow.Agent{Address: a.Address, Name: a.Name, Desks: a.Desks, Language: a.Language, Receipts: a.Receipts})
	}
	for i := range c.Forms {
		s.Forms = append(s.Forms, c.Forms[i].settings())
	}
	c.numbersOfOthers(s)
	return s
}

func (c *Config) trustedNetworks() []netip.Prefix {
	var nets []netip.Prefix
	for _, n := range c.Trust.Networks {
		if p, err := parseNetwork(n); err == nil { // checked when the file was read
			nets = append(nets, p)
		}
	}
	return nets
}

func (d *deskConfig) settings() mailflow.Desk {
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil { // checked when the file was read
		zone = time.UTC
	}
	return mailflow.Desk{
		Key:      d.Key,
		Address:  d.Address,
		Names:    maps.Clone(d.Name),
		About:    mailflow.Texts(maps.Clone(d.About)),
		Reply:    d.Reply,
		Language: d.Language,
		Zone:     zone,
		Number:   d.Number,
		Form:     d.Form,
		Accent:   d.Accent,
		Policy:   d.policy(),
	}
}

func (d *deskConfig) policy() ticket.Policy {
	return ticket.Policy{
		Intake:     ticket.Intake(d.Intake),
		Validation: d.Validation,
		Approval:   ticket.Approval(d.Approval),
		Timers: ticket.Timers{
			FormExpires:          time.Duration(d.Timers.FormExpires),
			ReminderAfter:        time.Duration(d.Timers.ReminderAfter),
			ReminderEvery:        time.Duration(d.Timers.ReminderEvery),
			Reminders:            d.Timers.Reminders,
			AutoCloseAfter:       time.Duration(d.Timers.AutoCloseAfter),
			ClosureReminderAfter: time.Duration(d.Timers.ClosureReminderAfter),
			ReopenWithin:         time.Duration(d.Timers.ReopenWithin),
		},
	}
}

// isRelay says that an address is one of the relays that trust.relays names.
func isRelay(relays []trustRelayConfig, ip netip.Addr) bool {
	for _, r := range relays {
		for _, from := range r.From {
			if p, err := parseNetwork(from); err == nil && p.Contains(ip) {
				return true
			}
		}
	}
	return false
}

// options are what the relay's connection needs, with the password read.
func (r *relayConfig) options(hostname string) (outbound.Options, error) {
	opt := outbound.Options{Hostname: hostname, User: r.User, Connections: r.Connections}
	if r.PasswordFile == "" {
		return opt, nil
	}
	b, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return opt, fmt.Errorf("relay.password_file: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	opt.Password = strings.TrimRight(line, "\r")
	return opt, nil
}
