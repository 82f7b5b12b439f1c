package store

import (
	"crypto/rand"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
)

// directory is all organisations in memory. They change rarely and are asked
// for with each mail; a row of meta, new with each change, says whether what
// is in memory is still true.
type directory struct {
	version   string
	all       []Organisation      // by name
	byID      map[int64]int       // index into all
	byDomain  map[string]int64    // its owner
	byContact map[string]int64    // the oldest organisation of an address
	byWho     map[string][]int64  // an integrator's address or domain
	languages map[string][]string // of an address, its organisations' contact rows, the oldest first
}

const directoryVersion = "organisations"

// directory is what the transaction sees of the organisations.
func (tx *Tx) directory() (*directory, error) {
	if tx.dir != nil {
		return tx.dir, nil
	}
	version, err := tx.meta(directoryVersion)
	if err != nil {
		return nil, err
	}
	d := tx.db.directory.Load()
	if d == nil || d.version != version {
		if d, err = tx.readDirectory(version); err != nil {
			return nil, err
		}
		tx.db.directory.Store(d)
	}
	tx.dir = d
	return d, nil
}

// changedDirectory gives the organisations a version that none before had, not
// even one that was rolled back.
func (tx *Tx) changedDirectory() error {
	tx.dir = nil
	return tx.setMeta(directoryVersion, rand.Text())
}

func (tx *Tx) readDirectory(version string) (*directory, error) {
	d := &directory{version: version, byID: map[int64]int{}, byDomain: map[string]int64{}, byContact: map[string]int64{},
		byWho: map[string][]int64{}, languages: map[string][]string{}}
	rows, err := tx.query(`SELECT id, name, language, services, manager FROM organisation ORDER BY name`)
	if err != nil {
		return nil, err
	}
	if d.all, err = collect(rows, scanOrganisation); err != nil {
		return nil, err
	}
	for i, o := range d.all {
		d.byID[o.ID] = i
	}
	for _, read := range []func(*Tx) error{d.readDomains, d.readIntegrators, d.readContacts} {
		if err := read(tx); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *directory) readDomains(tx *Tx) error {
	return tx.owned(`SELECT organisation_id, domain FROM organisation_domain ORDER BY domain`, func(id int64, domain string) {
		o := &d.all[d.byID[id]]
		o.Domains = append(o.Domains, domain)
		d.byDomain[domain] = id
	})
}

func (d *directory) readIntegrators(tx *Tx) error {
	return tx.owned(`SELECT organisation_id, who FROM organisation_integrator ORDER BY who`, func(id int64, who string) {
		o := &d.all[d.byID[id]]
		o.Integrators = append(o.Integrators, who)
		d.byWho[who] = append(d.byWho[who], id)
	})
}

func (tx *Tx) owned(query string, take func(id int64, what string)) error {
	rows, err := tx.query(query)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(s scanner) (_ struct{}, err error) {
		var id int64
		var what string
		if err = s.Scan(&id, &what); err == nil {
			take(id, what)
		}
		return struct{}{}, err
	})
	return err
}

func (d *directory) readContacts(tx *Tx) error {
	rows, err := tx.query(`SELECT organisation_id, address, name, phone, role, language FROM contact ORDER BY address, organisation_id`)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(s scanner) (c Contact, err error) {
		var id int64
		if err = s.Scan(&id, &c.Address, &c.Name, &c.Phone, &c.Role, &c.Language); err != nil {
			return c, err
		}
		o := &d.all[d.byID[id]]
		o.Contacts = append(o.Contacts, c)
		if _, ok := d.byContact[c.Address]; !ok {
			d.byContact[c.Address] = id
		}
		d.languages[c.Address] = append(d.languages[c.Address], c.Language)
		if c.Role == string(ticket.Integrator) {
			d.byWho[c.Address] = append(d.byWho[c.Address], id)
		}
		return c, nil
	})
	return err
}

// of is the organisation of an address, as a contact or by its domain, or
// nil.
func (d *directory) of(address string) *Organisation {
	_, domain, _ := strings.Cut(address, "@")
	id, ok := d.byContact[address]
	if !ok {
		id, ok = d.byDomain[domain]
	}
	if !ok {
		return nil
	}
	return &d.all[d.byID[id]]
}

// integratorFor lists the organisations that an address is the integrator of,
// by name.
func (d *directory) integratorFor(address string) (found []Organisation) {
	_, domain, _ := strings.Cut(address, "@")
	ids := slices.Concat(d.byWho[address], d.byWho[domain])
	for i := range d.all {
		if slices.Contains(ids, d.all[i].ID) {
			found = append(found, d.all[i])
		}
	}
	return found
}

// language is that of an address's first contact row, else of its
// organisation.
func (d *directory) language(address string) string {
	if l := d.languages[address]; len(l) > 0 && l[0] != "" {
		return l[0]
	}
	if o := d.of(address); o != nil {
		return o.Language
	}
	return ""
}
