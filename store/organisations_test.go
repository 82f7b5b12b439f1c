package store_test

import (
	"database/sql"
	"fmt"
	"testing"

	"guichet/store"
)

func saveOrg(t testing.TB, db *store.DB, o store.Organisation) {
	t.Helper()
	do(t, db, func(tx *store.Tx) error { return tx.SaveOrganisation(o) })
}

func saveContact(t testing.TB, db *store.DB, org string, c store.Contact) {
	t.Helper()
	do(t, db, func(tx *store.Tx) error { return tx.SaveContact(org, c) })
}

// orgOf is the name of the organisation that an address belongs to.
func orgOf(t testing.TB, db *store.DB, address string) string {
	t.Helper()
	o := in(t, db, func(tx *store.Tx) (*store.Organisation, error) { return tx.OrganisationOf(address) })
	if o == nil {
		return "-"
	}
	return o.Name
}

func integratorFor(t testing.TB, db *store.DB, address string) (names []string) {
	t.Helper()
	for _, o := range in(t, db, func(tx *store.Tx) ([]store.Organisation, error) { return tx.IntegratorFor(address) }) {
		names = append(names, o.Name)
	}
	return names
}

func testImportTwiceUpdates(t *testing.T, c *steps, a, b *store.DB) {
	acme := store.Organisation{Name: "Acme", Language: "fr", Services: []string{"Réseau", "Mail"}, Manager: "m@desk",
		Domains: []string{"Acme.Example", "acme.test"}, Integrators: []string{"Int@I.example", "i.example"}}
	bob := store.Contact{Address: "Bob@acme.example", Name: "Bob", Phone: "1", Role: "IT", Language: "en"}
	saveOrg(t, a, acme)
	saveContact(t, a, "Acme", bob)
	saveOrg(t, a, store.Organisation{Name: "Able"})
	list := func() []store.Organisation {
		t.Helper()
		all := in(t, a, (*store.Tx).Organisations)
		for i := range all {
			all[i].ID = 0
		}
		return all
	}
	acme.Domains, acme.Integrators = []string{"acme.example", "acme.test"}, []string{"i.example", "int@i.example"}
	bob.Address = "bob@acme.example"
	acme.Contacts = []store.Contact{bob}
	same(t, "imported", list(), []store.Organisation{{Name: "Able"}, acme})
	saveOrg(t, a, acme)
	saveContact(t, a, "Acme", bob)
	same(t, "again", list(), []store.Organisation{{Name: "Able"}, acme})
	acme.Language, acme.Services, acme.Manager = "en", []string{"Mail"}, ""
	acme.Domains, acme.Integrators = []string{"new.example"}, nil
	bob.Phone, bob.Role = "2", "CIO"
	acme.Contacts = []store.Contact{bob}
	saveOrg(t, a, acme)
	saveContact(t, a, "Acme", bob)
	same(t, "changed, its contacts kept", list(), []store.Organisation{{Name: "Able"}, acme})
	saveOrg(t, a, store.Organisation{Name: "Able", Domains: []string{"new.example"}})
	same(t, "a domain has one owner", orgOf(t, a, "x@new.example"), "Able")
	err := a.Update(t.Context(), "test", func(tx *store.Tx) error { return tx.SaveContact("None", bob) })
	errorIs(t, "a contact of none", err, sql.ErrNoRows)
}

func testOrganisationOf(t *testing.T, c *steps, a, b *store.DB) {
	saveOrg(t, a, store.Organisation{Name: "By domain", Domains: []string{"x.example"}, Integrators: []string{"int@i.example"}})
	saveOrg(t, a, store.Organisation{Name: "By contact", Integrators: []string{"I.example", "int@i.example"}})
	saveOrg(t, a, store.Organisation{Name: "Later"})
	saveContact(t, a, "By contact", store.Contact{Address: "c@x.example"})
	saveContact(t, a, "Later", store.Contact{Address: "c@x.example"})
	for address, want := range map[string]string{
		"a@x.example": "By domain", "A@X.EXAMPLE": "By domain", "C@x.example": "By contact",
		"a@sub.x.example": "-", "a@y.example": "-", "x.example": "-", "": "-", "@": "-",
	} {
		same(t, address, orgOf(t, a, address), want)
	}
	for address, want := range map[string]string{
		"Int@i.example": "[By contact By domain]", "other@I.example": "[By contact]", "a@x.example": "[]", "i.example": "[By contact]", "": "[]",
	} {
		same(t, "integrator "+address, integratorFor(t, a, address), want)
	}
	got := in(t, a, func(tx *store.Tx) ([]store.Organisation, error) { return tx.IntegratorFor("other@i.example") })
	same(t, "with what belongs to it", got[0].Contacts[0].Address, "c@x.example")
}

func testLanguage(t *testing.T, c *steps, a, b *store.DB) {
	lang := func(address string) string {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (string, error) {
			lang, _, err := tx.Reader(address)
			return lang, err
		})
	}
	saveOrg(t, a, store.Organisation{Name: "X", Language: "de", Domains: []string{"x.example"}})
	saveContact(t, a, "X", store.Contact{Address: "c@x.example", Language: "it"})
	saveContact(t, a, "X", store.Contact{Address: "silent@x.example"})
	same(t, "unknown", lang("a@y.example"), "")
	same(t, "the organisation's", fmt.Sprint(lang("A@x.example"), lang("silent@x.example")), "dede")
	same(t, "the contact's", lang("C@x.example"), "it")
	do(t, a, func(tx *store.Tx) error { _, err := tx.Person("c@x.example", "C"); return err })
	same(t, "of a person who has not said", lang("c@x.example"), "it")
	do(t, a, func(tx *store.Tx) error { return tx.SetLanguage("C@x.example", "fr") })
	same(t, "the person's own", lang("c@x.example"), "fr")
	do(t, a, func(tx *store.Tx) error {
		id, err := tx.PersonOf("c@x.example")
		if err == nil {
			err = tx.AddAlias("alias@y.example", id)
		}
		return err
	})
	same(t, "of an alias", lang("alias@y.example"), "fr")
	do(t, a, func(tx *store.Tx) error { return tx.SetLanguage("nobody@y.example", "fr") })
	same(t, "nobody's", lang("nobody@y.example"), "")

	zone := func(address string) string {
		t.Helper()
		return in(t, a, func(tx *store.Tx) (string, error) { _, zone, err := tx.Reader(address); return zone, err })
	}
	same(t, "nobody has named a zone", zone("c@x.example"), "")
	do(t, a, func(tx *store.Tx) error { return tx.SetZone("Alias@Y.example", "America/New_York") })
	same(t, "the person's own zone, whichever address", zone("C@x.example"), "America/New_York")
	do(t, a, func(tx *store.Tx) error {
		if _, err := tx.Person("c@x.example", "C"); err != nil {
			return err
		}
		lang, zone, err := tx.Reader("c@x.example")
		same(t, "within one transaction", lang+" "+zone, "fr America/New_York")
		return err
	})
}
