package mailflow

import (
	"fmt"

	"guichet/mailflow/ticket"
	"guichet/templates"
)

// askedName names the party who is to answer a request, as the reader may see
// it; "" where that is the reader, or everybody.
func (dr *draft) askedName() string {
	if dr.args.Asked == "" || dr.args.Asked == dr.row.Recipient {
		return ""
	}
	for _, p := range dr.parties {
		if p.Address == dr.args.Asked && p.Role != ticket.Agent {
			if p.Name != "" {
				return fmt.Sprintf("%s (%s)", p.Name, p.Address)
			}
			return p.Address
		}
	}
	return dr.args.Asked
}

// changes says what has changed of the ticket, to whom it is told.
func (f *Flow) changes(dr *draft) (out []templates.Change) {
	s := f.Settings.Load()
	for _, c := range dr.args.Changes {
		name := map[ticket.EventType]string{ticket.Categorise: "category", ticket.SetUrgency: "urgency"}[c.What]
		say := func(value string) string { return s.wordsFor(dr.desk.Key, name, value, dr.lang) }
		out = append(out, templates.Change{What: string(c.What), Value: say(c.Value), Was: say(c.Was)})
	}
	return out
}
