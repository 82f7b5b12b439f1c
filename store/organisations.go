package store

import (
	"slices"
	"strings"

	"guichet/mailflow/ticket"
)

// Organisation is a customer company.
type Organisation struct {
	ID          int64
	Name        string
	Language    string
	Services    []string
	Manager     string // an agent's address, or ""
	Domains     []string
	Integrators []string // addresses or domains
	Contacts    []Contact
}

// IntegratorAddresses are the integrators whose address is known, those named
// by address first: who is an integrator by domain alone has none before
// writing.
func (o *Organisation) IntegratorAddresses() (out []Contact) {
	for _, who := range o.Integrators {
		if strings.Contains(who, "@") {
			out = append(out, Contact{Address: who})
		}
	}
	for _, c := range o.Contacts {
		i := slices.IndexFunc(out, func(o Contact) bool { return o.Address == c.Address })
		switch {
		case i >= 0:
			out[i].Name = c.Name
		case c.Role == string(ticket.Integrator):
			out = append(out, c)
		}
	}
	return out
}

// Contact is a person of an organisation who is mailed.
type Contact struct {
	Address, Name, Phone, Role, Language string
}

// SaveOrganisation stores an organisation's own row with its domains and
// integrators, replacing what was there under its name; contacts stay.
func (tx *Tx) SaveOrganisation(o Organisation) error {
	var id int64
	err := tx.row(`INSERT INTO organisation (name, language, services, manager) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET language = excluded.language, services = excluded.services,
		manager = excluded.manager RETURNING id`, o.Name, o.Language, strings.Join(o.Services, "\n"), o.Manager).Scan(&id)
	if err != nil {
		return err
	}
	for _, q := range []string{`DELETE FROM organisation_domain WHERE organisation_id = ?`,
		`DELETE FROM organisation_integrator WHERE organisation_id = ?`} {
		if _, err := tx.exec(q, id); err != nil {
			return err
		}
	}
	for _, d := range o.Domains {
		if _, err := tx.exec(`INSERT INTO organisation_domain (domain, organisation_id) VALUES (?, ?)
			ON CONFLICT (domain) DO UPDATE SET organisation_id = excluded.organisation_id`, fold(d), id); err != nil {
			return err
		}
	}
	for _, w := range o.Integrators {
		if _, err := tx.exec(`INSERT INTO organisation_integrator (who, organisation_id) VALUES (?, ?)
			ON CONFLICT DO NOTHING`, fold(w), id); err != nil {
			return err
		}
	}
	return tx.changedDirectory()
}

// SaveContact stores a contact of a named organisation; sql.ErrNoRows if
// there is no such organisation.
func (tx *Tx) SaveContact(organisation string, c Contact) error {
	var id int64
	if err := tx.row(`SELECT id FROM organisation WHERE name = ?`, organisation).Scan(&id); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO contact (address, organisation_id, name, phone, role, language) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (address, organisation_id) DO UPDATE SET name = excluded.name, phone = excluded.phone,
		role = excluded.role, language = excluded.language`,
		fold(c.Address), id, c.Name, c.Phone, c.Role, c.Language)
	if err != nil {
		return err
	}
	return tx.changedDirectory()
}

// Organisations lists all organisations with what belongs to them, by name.
// The list is shared: it is not to be changed.
func (tx *Tx) Organisations() ([]Organisation, error) {
	d, err := tx.directory()
	if err != nil {
		return nil, err
	}
	return d.all, nil
}

func scanOrganisation(s scanner) (Organisation, error) {
	var o Organisation
	var services string
	err := s.Scan(&o.ID, &o.Name, &o.Language, &services, &o.Manager)
	o.Services = lines(services)
	return o, err
}

func (tx *Tx) strings(query string, args ...any) ([]string, error) {
	rows, err := tx.query(query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(s scanner) (v string, err error) { err = s.Scan(&v); return v, err })
}

// OrganisationOf is the organisation that an address belongs to, as a contact
// or by its domain, or nil. It is shared: it is not to be changed.
func (tx *Tx) OrganisationOf(address string) (*Organisation, error) {
	d, err := tx.directory()
	if err != nil {
		return nil, err
	}
	return d.of(fold(address)), nil
}

// IntegratorFor lists the organisations that an address is the integrator
// of, by address, by domain or as a contact in that role.
func (tx *Tx) IntegratorFor(address string) ([]Organisation, error) {
	d, err := tx.directory()
	if err != nil {
		return nil, err
	}
	return d.integratorFor(fold(address)), nil
}
