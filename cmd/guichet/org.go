package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
)

func newOrg(e *env) *cobra.Command {
	c := &cobra.Command{Use: "org", Short: "Organisations: their domains, contacts and integrators"}
	c.AddCommand(
		e.withJSON(&cobra.Command{Use: "list", Short: "All organisations", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return e.orgList(c.Context()) }}),
		&cobra.Command{Use: "import FILE|-", Short: "Read CSV; importing again updates", Args: cobra.ExactArgs(1),
			Long: `Import reads CSV with one of two headers:

    organisation,domains,integrators,language,services,manager
    organisation,contact,name,phone,role,language

Lists are separated by ";", integrators are addresses or domains. All lines
are checked first; nothing is imported if one is wrong.`,
			RunE: func(c *cobra.Command, args []string) error { return e.orgImport(c.Context(), args[0]) }})
	return c
}

var (
	orgHeader     = []string{"organisation", "domains", "integrators", "language", "services", "manager"}
	contactHeader = []string{"organisation", "contact", "name", "phone", "role", "language"}
)

func (e *env) orgImport(ctx context.Context, file string) error {
	var r io.Reader = e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		r = f
	}
	lines, err := readCSV(file, r)
	if err != nil {
		return err
	}
	contacts := slices.Equal(lines[0], contactHeader)
	if !contacts && !slices.Equal(lines[0], orgHeader) {
		return refuse("%s:1: the header is neither %s nor %s", file, strings.Join(orgHeader, ","), strings.Join(contactHeader, ","))
	}
	err = e.update(ctx, "import organisations", func(tx *store.Tx) error {
		for i, line := range lines[1:] {
			save := saveOrganisation
			if contacts {
				save = saveContact
			}
			if err := save(tx, line); err != nil {
				return fmt.Errorf("%s:%d: %w", file, i+2, found(err, "organisation %q; import the organisations first", line[0]))
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(e.stdout, "%d line(s) imported\n", len(lines)-1)
	}
	return err
}

func readCSV(file string, r io.Reader) ([][]string, error) {
	c := csv.NewReader(r)
	c.TrimLeadingSpace = true
	lines, err := c.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var bad []error
	for i, line := range lines {
		for j := range line {
			line[j] = strings.TrimSpace(strings.TrimPrefix(line[j], "\ufeff"))
		}
		if line[0] == "" {
			bad = append(bad, fmt.Errorf("%s:%d: no organisation", file, i+1))
		}
	}
	if len(lines) == 0 {
		bad = append(bad, fmt.Errorf("%s: empty; the first line is a header", file))
	}
	return lines, errors.Join(bad...)
}

func saveOrganisation(tx *store.Tx, line []string) error {
	o := store.Organisation{Name: line[0], Domains: split(line[1]), Integrators: split(line[2]), Language: strings.ToLower(line[3]),
		Services: split(line[4]), Manager: strings.ToLower(line[5])}
	for _, d := range o.Domains {
		if strings.Contains(d, "@") || !strings.Contains(d, ".") {
			return fmt.Errorf("%q is no domain", d)
		}
		if mailflow.IsPublicProvider(strings.ToLower(d)) {
			return fmt.Errorf("%s gives mailboxes to anybody: all of them would be of this organisation; name its people as contacts", d)
		}
	}
	if err := checkLanguage(o.Language); err != nil {
		return err
	}
	if o.Manager != "" {
		if _, err := mail.ParseAddress(o.Manager); err != nil {
			return fmt.Errorf("manager %q is no address", o.Manager)
		}
	}
	return tx.SaveOrganisation(o)
}

func saveContact(tx *store.Tx, line []string) error {
	a, err := mail.ParseAddress(line[1])
	if err != nil {
		return fmt.Errorf("contact %q is no address", line[1])
	}
	c := store.Contact{Address: a.Address, Name: line[2], Phone: line[3], Role: line[4], Language: strings.ToLower(line[5])}
	if err := checkLanguage(c.Language); err != nil {
		return err
	}
	switch ticket.Role(c.Role) {
	case "", ticket.Customer, ticket.Integrator, ticket.Follower:
	default:
		return fmt.Errorf("role %q is none; write customer, integrator, follower or nothing", c.Role)
	}
	return tx.SaveContact(line[0], c)
}

func checkLanguage(lang string) error {
	if lang != "" && lang != "fr" && lang != "en" {
		return fmt.Errorf("language %q is neither fr nor en", lang)
	}
	return nil
}

func split(s string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(s, func(r rune) bool { return r == ';' }), func(v string) bool { return strings.TrimSpace(v) == "" })
}

func (e *env) orgList(ctx context.Context) error {
	var all []store.Organisation
	if err := e.view(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Organisations()
		return err
	}); err != nil {
		return err
	}
	var table [][]any
	for _, o := range all {
		if e.json {
			row := struct {
				Organisation string   `json:"organisation"`
				Domains      []string `json:"domains"`
				Integrators  []string `json:"integrators"`
				Language     any      `json:"language"`
				Services     []string `json:"services"`
				Manager      any      `json:"manager"`
				Contacts     []string `json:"contacts"`
			}{o.Name, list(o.Domains), list(o.Integrators), text(o.Language), list(o.Services), text(o.Manager), []string{}}
			for _, c := range o.Contacts {
				row.Contacts = append(row.Contacts, c.Address)
			}
			if err := e.printJSON(row); err != nil {
				return err
			}
		}
		table = append(table, []any{o.Name, strings.Join(o.Domains, ";"), strings.Join(o.Integrators, ";"), o.Language, len(o.Contacts), o.Manager})
	}
	if e.json {
		return nil
	}
	return e.table("ORGANISATION\tDOMAINS\tINTEGRATORS\tLANGUAGE\tCONTACTS\tMANAGER", table)
}
