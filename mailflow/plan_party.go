package mailflow

import (
	"fmt"
	"net/mail"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// maxAddress is the longest address, in octets (RFC 5321 §4.5.3.1: 64 for the
// local part and 255 for the domain), with room for brackets.
const maxAddress = 64 + 1 + 255 + 2

// addresses reads those that stand behind a command.
func (c command) addresses() (out []string, reason string) {
	fields := strings.FieldsFunc(c.arg, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\u00a0' })
	one := c.name == "customer" || c.name == "form"
	if len(fields) == 0 || len(fields) > 20 || one && len(fields) != 1 {
		return nil, "give an address: " + strings.Fields(c.line)[0] + " person@customer.example"
	}
	for _, field := range fields {
		if len(field) > maxAddress {
			return nil, fmt.Sprintf("%.60q… is too long for an address", field)
		}
		a, err := mail.ParseAddress(field)
		if err != nil {
			return nil, fmt.Sprintf("%q is not an address", field)
		}
		out = append(out, strings.ToLower(a.Address))
	}
	return out, ""
}

// checkAdd names parties. A desk of ours or an agent is none.
func (d *decision) checkAdd(p *plan, c command) string {
	role := map[string]ticket.Role{"customer": ticket.Customer, "integrator": ticket.Integrator, "cc": ticket.Follower}[c.name]
	addresses, reason := c.addresses()
	for _, address := range addresses {
		if reason := d.mayBeParty(address); reason != "" {
			return reason
		}
		p.do(phaseParties, step{event: p.event(ticket.AddParty), reason: string(role) + " " + address,
			add: store.Party{Role: role, Address: address, AddedBy: p.w.address}})
	}
	return reason
}

// checkForm has the form sent to somebody: a new mail of an agent begins a
// ticket so. Whoever is the integrator of an organisation fills it in as one.
func (d *decision) checkForm(p *plan, c command) (string, error) {
	if p.t.ID != 0 {
		return "write #form in a new mail to the desk: it begins a ticket of its own", nil
	}
	if desk := d.s.Desk(p.t.Desk); desk == nil || desk.Form == "" {
		return "this desk has no form", nil
	}
	for _, s := range p.steps {
		if s.event.Type == ticket.FormSent {
			return "one form a ticket", nil
		}
	}
	addresses, reason := c.addresses()
	if reason != "" {
		return reason, nil
	}
	role := ticket.Customer
	orgs, err := d.tx.IntegratorFor(addresses[0])
	if err != nil {
		return "", err
	}
	if len(orgs) > 0 {
		role = ticket.Integrator
	}
	if reason := d.mayBeParty(addresses[0]); reason != "" {
		return reason, nil
	}
	e := p.event(ticket.FormSent)
	e.For = addresses[0]
	p.do(phaseParties, step{event: e, add: store.Party{Role: role, Address: addresses[0], AddedBy: p.w.address}})
	return "", nil
}

// mayBeParty says why an address can be no party, or "".
func (d *decision) mayBeParty(address string) string {
	switch {
	case d.s.Route(address).Desk != nil:
		return fmt.Sprintf("%s is a desk of ours", address)
	case d.s.Agent(address) != nil:
		return fmt.Sprintf("%s is an agent", address)
	}
	return ""
}

// checkRemove takes parties off. The customer stays until another is named: a
// ticket is somebody's.
func (d *decision) checkRemove(p *plan, c command) (string, error) {
	addresses, reason := c.addresses()
	for _, address := range addresses {
		party, err := d.tx.PartyOf(p.t.ID, address)
		if ignoreNoRows(err) != nil {
			return "", err
		}
		switch {
		case err != nil || !party.Active || party.Role == ticket.Agent:
			return fmt.Sprintf("%s is not on this ticket", address), nil
		case party.Role == ticket.Customer:
			return fmt.Sprintf("%s is the customer; name another first: #customer person@customer.example", address), nil
		}
		p.do(phaseParties, step{event: p.event(ticket.PartyRemoved), reason: string(party.Role) + " " + party.Address, remove: party.ID})
	}
	return reason, nil
}

// addNamed makes a party of whom an agent has named. A ticket has one
// customer: who was it before follows from then on. His organisation's
// integrators come along.
func (d *decision) addNamed(t ticket.Ticket, p store.Party, since int64) error {
	p.TicketID, p.Since = t.ID, since
	added, err := d.tx.AddParty(p)
	if err != nil || p.Role != ticket.Customer {
		return err
	}
	parties, err := d.tx.Parties(t.ID)
	for _, other := range parties {
		if err == nil && other.Role == ticket.Customer && other.ID != added.ID {
			err = d.tx.SetRole(other.ID, ticket.Follower)
		}
	}
	if err != nil {
		return err
	}
	return d.addIntegrators(t.ID, since, writer{address: p.Address, role: ticket.Customer, level: Proven})
}
