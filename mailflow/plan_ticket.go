package mailflow

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// maxValue is the longest category or urgency, in characters.
const maxValue = 80

// checkValue reads a category or an urgency.
func (d *decision) checkValue(p *plan, c command) string {
	e := p.event(instructionOf(c.name).event)
	if e.Value = strings.Join(strings.Fields(c.arg), " "); e.Value == "" {
		return "write which: " + strings.Fields(c.line)[0] + " …"
	}
	if len([]rune(e.Value)) > maxValue {
		return fmt.Sprintf("%.60q… is too long; write your words below the commands", e.Value)
	}
	field := d.s.fieldOf(p.desk, c.name)
	if field == nil {
		p.do(phaseQuiet, step{event: e, reason: e.Value})
		return ""
	}
	var known []string
	for _, o := range field.Options() {
		known = append(known, o.Value)
	}
	if o, ok := field.named(e.Value); ok {
		e.Value = o.Value
		p.do(phaseQuiet, step{event: e, reason: e.Value})
		return ""
	}
	return fmt.Sprintf("%q is none of this desk's: %s", e.Value, strings.Join(known, ", "))
}

// named is the entry of a list that an agent means: by its value, by its words
// in either language, or by the beginning of the words if only one has it.
func (f *Field) named(what string) (found Option, ok bool) {
	options := f.Options()
	for _, o := range options {
		if strings.EqualFold(o.Value, what) || strings.EqualFold(o.In("fr"), what) || strings.EqualFold(o.In("en"), what) ||
			strings.EqualFold(o.Label["fr"], what) || strings.EqualFold(o.Label["en"], what) {
			return o, true
		}
	}
	what = foldLetters(what)
	for _, o := range options {
		if begins(o.Label["fr"], what) || begins(o.Label["en"], what) {
			if ok {
				return Option{}, false
			}
			found, ok = o, true
		}
	}
	return found, ok
}

// begins says that a label's first words are these.
func begins(label, words string) bool {
	rest, ok := strings.CutPrefix(foldLetters(label), words)
	if !ok || words == "" {
		return false
	}
	next, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || !unicode.IsLetter(next) && !unicode.IsDigit(next)
}

// fieldOf is the list that a desk's form has for the category or the urgency,
// or nil: then any words do.
func (s *Settings) fieldOf(desk, name string) *Field {
	d := s.Desk(desk)
	if d == nil || s.Form(d.Form) == nil {
		return nil
	}
	fields := s.Form(d.Form).Fields
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name && len(f.Choices) > 0 })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

// wordsFor is a category or urgency in a reader's language.
func (s *Settings) wordsFor(desk, name, value, lang string) string {
	if field := s.fieldOf(desk, name); field != nil {
		if o, ok := field.option(value); ok {
			return o.Label.In(lang)
		}
	}
	return value
}

// numbers are the tickets that a command names: INC-000123, #INC-000123 or
// [#INC-000123].
func (c command) numbers() []string {
	return strings.FieldsFunc(c.arg, func(r rune) bool { return strings.ContainsRune(" ,;\u00a0[]#", r) })
}

// named finds a ticket by what an agent writes for its number, or the one that
// it goes on in, locked for change; the reason says that there is none.
func (d *decision) named(number string) (t ticket.Ticket, reason string, err error) {
	t, err = d.tx.TicketByNumber(number)
	if err == sql.ErrNoRows {
		return t, fmt.Sprintf("there is no ticket %.60s", number), nil
	}
	if err == nil {
		t, err = d.f.survivor(d.tx, t.ID)
	}
	return t, "", err
}

func (d *decision) checkLink(p *plan, c command) (string, error) {
	numbers := c.numbers()
	if len(numbers) == 0 || len(numbers) > 20 {
		return "write which ticket: " + strings.Fields(c.line)[0] + " INC-000123", nil
	}
	for _, number := range numbers {
		other, reason, err := d.named(number)
		if err != nil || reason != "" {
			return reason, err
		}
		if other.ID == p.t.ID {
			return "that is this ticket", nil
		}
		p.do(phaseQuiet, step{event: p.event(ticket.Link), reason: other.Number, other: other})
	}
	return "", nil
}

// checkMerge holds who may merge what: an agent of both desks, tickets that
// have somebody in common.
func (d *decision) checkMerge(p *plan, c command) (string, error) {
	numbers := c.numbers()
	if len(numbers) != 1 {
		return "write with which ticket: " + strings.Fields(c.line)[0] + " INC-000123", nil
	}
	other, reason, err := d.named(numbers[0])
	switch {
	case err != nil || reason != "":
		return reason, err
	case other.ID == p.t.ID:
		return "that is this ticket", nil
	case !p.w.agent.WorksOn(other.Desk):
		return fmt.Sprintf("you do not work on the desk of %s; #link it", other.Number), nil
	case other.State == ticket.Closed:
		return fmt.Sprintf("%s is closed; reopen it first, or #link it", other.Number), nil
	}
	common, err := d.haveInCommon(p.t.ID, other.ID)
	if err != nil {
		return "", err
	}
	if !common {
		return fmt.Sprintf("%s has no party and no organisation in common with this ticket; #link it", other.Number), nil
	}
	e := p.event(ticket.MergedAway)
	e.Into = other.ID
	p.do(phaseVoice, step{event: e, reason: other.Number, other: other})
	return "", nil
}

// haveInCommon says that two tickets share a party or an organisation.
func (d *decision) haveInCommon(a, b int64) (bool, error) {
	people, orgs, err := d.houses(a)
	if err != nil {
		return false, err
	}
	others, otherOrgs, err := d.houses(b)
	shares := func(a, b []int64) bool {
		return slices.ContainsFunc(a, func(id int64) bool { return slices.Contains(b, id) })
	}
	return shares(people, others) || shares(orgs, otherOrgs), err
}

// houses are the people of a ticket and their organisations, by row id.
func (d *decision) houses(ticketID int64) (people, orgs []int64, err error) {
	parties, err := d.tx.Parties(ticketID)
	for _, p := range parties {
		if p.Role == ticket.Agent || err != nil {
			continue
		}
		people = append(people, p.PersonID)
		var o *store.Organisation
		if o, err = d.tx.OrganisationOf(p.Address); o != nil {
			orgs = append(orgs, o.ID)
		}
	}
	return people, orgs, err
}

// checkMove finds a desk by its name in the configuration, its address or its
// name in any language.
func (d *decision) checkMove(p *plan, c command) string {
	var keys []string
	for i := range d.s.Desks {
		desk := &d.s.Desks[i]
		keys = append(keys, desk.Key)
		is := func(name string) bool { return strings.EqualFold(name, c.arg) }
		if !is(desk.Key) && !is(desk.Address) && !is(desk.Names["fr"]) && !is(desk.Names["en"]) {
			continue
		}
		if desk.Key == p.desk {
			return "the ticket is at that desk already"
		}
		e := p.event(ticket.Move)
		e.Desk, p.desk = desk.Key, desk.Key
		p.do(phaseVoice, step{event: e, reason: desk.Key})
		return ""
	}
	return fmt.Sprintf("there is no desk %.60q; known here: %s", c.arg, strings.Join(keys, ", "))
}

// ready completes an event with what depends on the ticket as it is then: a
// moved one keeps its assignee if he works on the new desk, and else goes to
// the organisation's own agent there.
func (d *decision) ready(t ticket.Ticket, e ticket.Event) (ticket.Event, error) {
	if e.Type != ticket.Move {
		return e, nil
	}
	if a := d.s.Agent(t.Assignee); a != nil && a.WorksOn(e.Desk) {
		e.Assignee = a.Address
		return e, nil
	}
	parties, err := d.tx.Parties(t.ID)
	if err == nil {
		e.Assignee, err = d.managerOf(e.Desk, parties)
	}
	return e, err
}
