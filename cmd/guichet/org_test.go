package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"guichet/store/storetest"
)

// orgCommand runs guichet org with what it reads.
func orgCommand(t *testing.T, config, stdin string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"--config", config, "org"}, args...), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// TestOrgImport: importing again updates; what is wrong is named with its line
// and nothing is imported.
func TestOrgImport(t *testing.T) { storetest.Each(t, testOrgImport) }

func testOrgImport(t *testing.T, d *storetest.Database) {
	d.Open()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	write(t, config, "hostname: desk.example\ndatabase: "+d.URL+"\nsecret_file: g.key\nweb: {base_url: \"http://desk.example\"}\nrelay: {url: \"maildir:out\"}\n"+
		"agents:\n  - {address: agent@desk.example, desks: [support]}\ndesks:\n  support: {address: support@desk.example}\n")
	const orgs = "organisation,domains,integrators,language,services,manager\n"
	const contacts = "organisation,contact,name,phone,role,language\n"
	check := func(what, csv string, want int, words ...string) {
		t.Helper()
		code, out, errs := orgCommand(t, config, csv, "import", "-")
		if code != want {
			t.Fatalf("%s: exit %d: %s%s", what, code, out, errs)
		}
		for _, w := range words {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%s: no %q in %s%s", what, w, out, errs)
			}
		}
	}
	check("first", "\ufeff"+orgs+"Example SARL, Customer.example ; customer.test,integrator.example;tech@other.example,FR,Line A;Line B,Agent@desk.example\n", 0, "1 organisation(s) imported: 1 new, 0 updated")
	check("again", orgs+"Example SARL,customer.example,,fr,,\n", 0, "0 new, 1 updated")
	check("domain moves", orgs+"Other,customer.example,,,,\n", 0, "customer.example was Example SARL's and is Other's now")
	check("contacts", contacts+"Example SARL,Jeanne <jeanne@customer.example>,,+33 1,Customer,fr\n", 0, "1 contact(s) imported: 1 new")
	check("all that is wrong", orgs+"A,customer,,,,\nB,gmail.com,,,,\n,x.example,,,,\nC,c.example,support@desk.example,de,,nobody@desk.example\n\"D\nD\",d.example,@,,,\nA,c.example,,,,\nE,e.example\n", 1,
		"-:2: \"customer\" is no domain", "-:3: gmail.com gives mailboxes to anybody", "-:4: no organisation",
		"-:5: language \"de\" is neither", "is desk support's own address", "manager \"nobody@desk.example\" is no agent",
		"-:6: integrator \"@\"", "-:8: organisation A stands on line 2, too; domain c.example stands on line 5, too", "-:9: 2 fields, not 6")
	check("contacts of none", contacts+"Nobody,a@b.example,,,,\nExample SARL,c@d.example,,,boss,\n", 1, "-:3: role \"boss\" is none")
	check("nobody", contacts+"Example SARL,c@d.example,,,,\nNobody,a@b.example,,,,\n", 1, "-:3: no organisation \"Nobody\"")
	check("twice", contacts+"Example SARL,c@d.example,,,,\nExample SARL,C@d.example,,,,\n", 1, "-:3: c@d.example of Example SARL stands on line 2, too")
	check("semicolons", "organisation;domains;integrators;language;services;manager\n", 1, "-:1: separated by semicolons")
	check("Latin", orgs+"Soci\xe9t\xe9,a.example,,,,\n", 1, "-:1: not UTF-8")
	check("empty", "", 1, "-:1: empty")
	_, out, _ := orgCommand(t, config, "", "list", "example sarl", "--json")
	if !strings.Contains(out, `"contact":"jeanne@customer.example","name":"Jeanne","phone":"+33 1","role":"customer","language":"fr"`) || strings.Count(out, "\n") != 1 {
		t.Errorf("contacts: %s", out)
	}
	if _, out, _ = orgCommand(t, config, "", "list", "--json"); strings.Count(out, "\n") != 2 {
		t.Errorf("something of a refused file was imported: %s", out)
	}
}
