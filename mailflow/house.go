package mailflow

import (
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// managerOf is the agent whom the organisation of a ticket with these parties
// has of its own, "" if there is none who works on the desk.
func (d *decision) managerOf(desk string, parties []store.Party) (string, error) {
	o, err := d.organisationOf(parties)
	if err != nil || o == nil {
		return "", err
	}
	if a := d.s.Agent(o.Manager); a != nil && a.WorksOn(desk) {
		return a.Address, nil
	}
	return "", nil
}

// organisationOf is whose ticket one with these parties is: the customer's,
// else that for which an integrator works, if it is only one; or nil.
func (d *decision) organisationOf(parties []store.Party) (*store.Organisation, error) {
	for _, p := range parties {
		if p.Role != ticket.Customer {
			continue
		}
		if o, err := d.tx.OrganisationOf(p.Address); o != nil || err != nil {
			return o, err
		}
	}
	for _, p := range parties {
		if p.Role != ticket.Integrator {
			continue
		}
		if orgs, err := d.tx.IntegratorFor(p.Address); len(orgs) == 1 || err != nil {
			return &orgs[0], err
		}
	}
	return nil, nil
}

// managerFor is managerOf for a ticket that begins with a mail.
func (d *decision) managerFor(desk string, w writer, customer *rfc822.Address) (string, error) {
	if w.level == Forged {
		return "", nil
	}
	parties := []store.Party{{Role: w.role, Address: w.address}}
	if customer != nil {
		parties = append(parties, store.Party{Role: ticket.Customer, Address: strings.ToLower(customer.Address)})
	}
	return d.managerOf(desk, parties)
}
