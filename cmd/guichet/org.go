package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"guichet/store"
)

func newOrg(e *env) *cobra.Command {
	c := &cobra.Command{Use: "org", Short: "Organisations: their domains, contacts and integrators"}
	c.AddCommand(
		e.withJSON(&cobra.Command{Use: "list [ORGANISATION]", Short: "All organisations, or the contacts of one", Args: cobra.MaximumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return e.orgList(c.Context(), strings.Join(args, "")) }}),
		&cobra.Command{Use: "import FILE|-", Short: "Read CSV; importing again updates", Args: cobra.ExactArgs(1),
			Long: `Import reads CSV with one of two headers:

    organisation,domains,integrators,language,services,manager
    organisation,contact,name,phone,role,language

Lists are separated by ";", integrators are addresses or domains, a manager is
an agent of the configuration, a role is customer, integrator, follower or
nothing. All lines are checked first; nothing is imported if one is wrong.
Importing an organisation again replaces its row; its contacts stay.`,
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
	table, err := readCSV(file, r)
	if err != nil {
		return err
	}
	var done imported
	err = e.withStore(ctx, func(cfg *Config, db *store.DB) error {
		in := &orgImport{file: file, settings: cfg.Settings(), seen: map[string]int{}}
		rows, err := in.check(table)
		if err != nil {
			return err
		}
		return db.Update(ctx, "import organisations", func(tx *store.Tx) (err error) {
			done, err = rows.save(tx, file)
			return err
		})
	})
	if err == nil {
		done.print(e.stdout)
	}
	return err
}

func (e *env) orgList(ctx context.Context, name string) error {
	var all []store.Organisation
	if err := e.view(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.Organisations()
		return err
	}); err != nil {
		return err
	}
	if name != "" {
		return e.orgContacts(all, name)
	}
	var table [][]any
	for _, o := range all {
		if !e.json {
			table = append(table, []any{o.Name, strings.Join(o.Domains, ";"), strings.Join(o.Integrators, ";"), o.Language,
				strings.Join(o.Services, ";"), len(o.Contacts), o.Manager})
			continue
		}
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
	if e.json {
		return nil
	}
	return e.table("ORGANISATION\tDOMAINS\tINTEGRATORS\tLANGUAGE\tSERVICES\tCONTACTS\tMANAGER", table)
}

// orgContacts prints the contacts of one organisation.
func (e *env) orgContacts(all []store.Organisation, name string) error {
	i := slices.IndexFunc(all, func(o store.Organisation) bool { return strings.EqualFold(o.Name, name) })
	if i < 0 {
		return refuse("no organisation %q; guichet org list names all", name)
	}
	var table [][]any
	for _, c := range all[i].Contacts {
		if !e.json {
			table = append(table, []any{c.Address, c.Name, c.Phone, c.Role, c.Language})
			continue
		}
		if err := e.printJSON(struct {
			Organisation string `json:"organisation"`
			Contact      string `json:"contact"`
			Name         any    `json:"name"`
			Phone        any    `json:"phone"`
			Role         any    `json:"role"`
			Language     any    `json:"language"`
		}{all[i].Name, c.Address, text(c.Name), text(c.Phone), text(c.Role), text(c.Language)}); err != nil {
			return err
		}
	}
	if e.json {
		return nil
	}
	return e.table("CONTACT\tNAME\tPHONE\tROLE\tLANGUAGE", table)
}
