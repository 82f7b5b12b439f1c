package mailflow

import (
	"database/sql"
	"slices"
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
		orgs, err := d.tx.IntegratorFor(p.Address)
		if err != nil {
			return nil, err
		}
		if len(orgs) == 1 {
			return &orgs[0], nil
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

// integratorsOf are those whom the organisation of a customer has by address:
// they are told what he is told, and nobody adds them by hand.
func (d *decision) integratorsOf(w writer) ([]store.Contact, error) {
	if w.role != ticket.Customer || w.level == Forged {
		return nil, nil
	}
	o, err := d.tx.OrganisationOf(w.address)
	if err != nil || o == nil {
		return nil, err
	}
	return slices.DeleteFunc(o.IntegratorAddresses(), func(c store.Contact) bool {
		return c.Address == w.address || d.s.Route(c.Address).Desk != nil || d.s.Agent(c.Address) != nil
	}), nil
}

// addIntegrators makes parties of them, who see what is written from a message
// on. Whom somebody has taken off stays off.
func (d *decision) addIntegrators(ticketID, since int64, w writer) error {
	all, err := d.integratorsOf(w)
	for _, c := range all {
		if err != nil {
			return err
		}
		if _, err = d.tx.PartyOf(ticketID, c.Address); err != sql.ErrNoRows {
			continue
		}
		_, err = d.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Integrator, Address: c.Address, Name: c.Name, Since: since,
			Proven: w.level == Proven})
	}
	return err
}
