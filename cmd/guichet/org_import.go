package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// csvRow is one row of a file, with the line on which it begins.
type csvRow struct {
	line  int
	cells []string
}

// readCSV reads a file with one of the two headers. Excel marks UTF-8 with a
// byte order mark, and separates by semicolons in French.
func readCSV(file string, r io.Reader) ([]csvRow, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxCSV+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxCSV:
		return nil, wrongLine(file, 1, "more than %d MB; split it", maxCSV>>20)
	case !utf8.Valid(b):
		return nil, wrongLine(file, 1, "not UTF-8; save it as CSV UTF-8")
	}
	c := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff")))
	c.TrimLeadingSpace, c.FieldsPerRecord = true, -1
	var rows []csvRow
	for {
		cells, err := c.Read()
		if err == io.EOF {
			return rows, checkHeader(file, rows)
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, wrongLine(file, wrong.Line, "%v", wrong.Err)
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, csvRow{line, cells})
	}
}

const maxCSV = 64 << 20

func checkHeader(file string, rows []csvRow) error {
	if len(rows) == 0 {
		return wrongLine(file, 1, "empty; the first line is a header")
	}
	for i, cell := range rows[0].cells {
		rows[0].cells[i] = strings.ToLower(cell)
	}
	if head := rows[0].cells; slices.Equal(head, orgHeader) || slices.Equal(head, contactHeader) {
		return nil
	}
	if len(rows[0].cells) == 1 && strings.Contains(rows[0].cells[0], ";") {
		return wrongLine(file, 1, "separated by semicolons; save it with commas: %s", strings.Join(orgHeader, ","))
	}
	return wrongLine(file, rows[0].line, "the header is neither %s nor %s", strings.Join(orgHeader, ","), strings.Join(contactHeader, ","))
}

// orgImport checks the rows of one file.
type orgImport struct {
	file     string
	settings *mailflow.Settings
	seen     map[string]int // what may stand once a file, and on which line
}

// orgRows are checked rows, of the one or the other header.
type orgRows struct {
	lines    []int
	orgs     []store.Organisation
	of       []string // the contacts' organisations
	contacts []store.Contact
}

// check reads all rows and says all that is wrong with them, a line each.
func (in *orgImport) check(table []csvRow) (*orgRows, error) {
	contacts := slices.Equal(table[0].cells, contactHeader)
	rows := &orgRows{}
	var bad Problems
	for _, row := range table[1:] {
		if err := in.checkRow(rows, row, contacts); err != nil {
			bad = append(bad, Problem{File: in.file, Line: row.line, Text: err.Error()})
		}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return rows, nil
}

// wrongLine is one problem of a file.
func wrongLine(file string, line int, format string, args ...any) error {
	return Problems{{File: file, Line: line, Text: fmt.Sprintf(format, args...)}}
}

func (in *orgImport) checkRow(rows *orgRows, row csvRow, contacts bool) error {
	if n := len(row.cells); n != len(orgHeader) {
		return fmt.Errorf("%d fields, not %d; quote a field that holds a comma", n, len(orgHeader))
	}
	if row.cells[0] == "" {
		return errors.New("no organisation")
	}
	rows.lines = append(rows.lines, row.line)
	if contacts {
		c, err := in.contact(row)
		rows.of, rows.contacts = append(rows.of, row.cells[0]), append(rows.contacts, c)
		return err
	}
	o, err := in.organisation(row)
	rows.orgs = append(rows.orgs, o)
	return err
}

func (in *orgImport) organisation(row csvRow) (store.Organisation, error) {
	c := row.cells
	o := store.Organisation{Name: c[0], Domains: split(strings.ToLower(c[1])), Integrators: split(strings.ToLower(c[2])),
		Language: strings.ToLower(c[3]), Services: split(c[4]), Manager: strings.ToLower(c[5])}
	bad := []error{in.once(row.line, "organisation "+o.Name), checkLanguage(o.Language)}
	for _, d := range o.Domains {
		bad = append(bad, in.domain(d), in.once(row.line, "domain "+d))
	}
	for _, who := range o.Integrators {
		if strings.Contains(who, "@") {
			bad = append(bad, in.address("integrator", who))
		} else {
			bad = append(bad, in.domain(who))
		}
	}
	if o.Manager != "" && in.settings.Agent(o.Manager) == nil {
		bad = append(bad, fmt.Errorf("manager %q is no agent of the configuration", o.Manager))
	}
	return o, joinLine(bad)
}

func (in *orgImport) contact(row csvRow) (store.Contact, error) {
	c := row.cells
	a, err := mail.ParseAddress(c[1])
	if err != nil {
		return store.Contact{}, fmt.Errorf("contact %q is no address", c[1])
	}
	out := store.Contact{Address: strings.ToLower(a.Address), Name: c[2], Phone: c[3], Role: strings.ToLower(c[4]), Language: strings.ToLower(c[5])}
	if out.Name == "" {
		out.Name = a.Name
	}
	bad := []error{in.address("contact", out.Address), checkLanguage(out.Language), in.once(row.line, out.Address+" of "+c[0])}
	switch ticket.Role(out.Role) {
	case "", ticket.Customer, ticket.Integrator, ticket.Follower:
	default:
		bad = append(bad, fmt.Errorf("role %q is none; write customer, integrator, follower or nothing", c[4]))
	}
	return out, joinLine(bad)
}

// once says that something stands in the file twice.
func (in *orgImport) once(line int, what string) error {
	if first, twice := in.seen[strings.ToLower(what)]; twice {
		return fmt.Errorf("%s stands on line %d, too", what, first)
	}
	in.seen[strings.ToLower(what)] = line
	return nil
}

// address refuses what is none, and our own: a mail to a desk would come back
// to it.
func (in *orgImport) address(what, address string) error {
	if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
		return fmt.Errorf("%s %q is no address", what, address)
	}
	if d := in.settings.Route(address).Desk; d != nil {
		return fmt.Errorf("%s %s is desk %s's own address", what, address, d.Key)
	}
	return nil
}

func (in *orgImport) domain(d string) error {
	if strings.ContainsAny(d, "@ /") || !strings.Contains(strings.Trim(d, "."), ".") {
		return fmt.Errorf("%q is no domain", d)
	}
	if mailflow.IsPublicProvider(d) {
		return fmt.Errorf("%s gives mailboxes to anybody: all of them would be of this organisation; name its people by address", d)
	}
	return nil
}

// joinLine puts all that is wrong with one line into one.
func joinLine(all []error) error {
	var words []string
	for _, err := range all {
		if err != nil {
			words = append(words, err.Error())
		}
	}
	if len(words) == 0 {
		return nil
	}
	return errors.New(strings.Join(words, "; "))
}

func checkLanguage(lang string) error {
	if lang != "" && lang != "fr" && lang != "en" {
		return fmt.Errorf("language %q is neither fr nor en", lang)
	}
	return nil
}

// split reads a list.
func split(s string) (out []string) {
	for _, v := range strings.Split(s, ";") {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// imported is what an import did.
type imported struct {
	rows, added int
	what        string
	moved       []string // domains that were another organisation's
}

// save stores checked rows, all or none.
func (r *orgRows) save(tx *store.Tx, file string) (imported, error) {
	done := imported{rows: len(r.lines), what: "organisation(s)"}
	all, err := tx.Organisations()
	if err != nil {
		return done, err
	}
	names, owner, known := map[string]bool{}, map[string]string{}, map[string]bool{}
	for _, o := range all {
		names[o.Name] = true
		for _, d := range o.Domains {
			owner[d] = o.Name
		}
		for _, c := range o.Contacts {
			known[c.Address+" "+o.Name] = true
		}
	}
	for _, o := range r.orgs {
		if !names[o.Name] {
			done.added++
		}
		for _, d := range o.Domains {
			if was := owner[d]; was != "" && was != o.Name {
				done.moved = append(done.moved, fmt.Sprintf("%s was %s's and is %s's now", d, was, o.Name))
			}
		}
		if err := tx.SaveOrganisation(o); err != nil {
			return done, err
		}
	}
	if len(r.contacts) > 0 {
		done.what = "contact(s)"
	}
	var bad Problems
	for i, c := range r.contacts {
		if !names[r.of[i]] {
			bad = append(bad, Problem{File: file, Line: r.lines[i], Text: fmt.Sprintf("no organisation %q; import the organisations first", r.of[i])})
			continue
		}
		if !known[c.Address+" "+r.of[i]] {
			done.added++
		}
		if err := tx.SaveContact(r.of[i], c); err != nil {
			return done, err
		}
	}
	if len(bad) > 0 {
		return done, bad
	}
	return done, nil
}

func (d imported) print(w io.Writer) {
	for _, m := range d.moved {
		fmt.Fprintln(w, m)
	}
	fmt.Fprintf(w, "%d %s imported: %d new, %d updated\n", d.rows, d.what, d.added, d.rows-d.added)
}
