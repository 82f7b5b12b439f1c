package mailflow

import (
	"fmt"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// askedComma stands between the addresses of those who are asked.
const askedComma = ","

// askedName names the parties who are to answer a request, as the reader may
// see them; "" where the reader is one of them, or everybody is.
func (dr *draft) askedName() string {
	return askedAs(dr.args.Asked, dr.row.Recipient, dr.parties, dr.lang)
}

// AskedOf names the parties who are to answer what was last asked on a ticket,
// as askedName does.
func AskedOf(tx *store.Tx, ticketID int64, reader store.Party, lang string) (string, error) {
	asked, err := lastAsked(tx, ticketID)
	if err != nil || asked.Asked == "" {
		return "", err
	}
	parties, err := tx.Parties(ticketID)
	return askedAs(asked.Asked, reader.Address, parties, lang), err
}

func askedAs(addresses, reader string, parties []store.Party, lang string) string {
	if addresses == "" {
		return ""
	}
	asked := strings.Split(addresses, askedComma)
	if slices.Contains(asked, reader) {
		return ""
	}
	for i, address := range asked {
		for _, p := range parties {
			if p.Address == address && p.Role != ticket.Agent && p.Name != "" {
				asked[i] = fmt.Sprintf("%s (%s)", p.Name, address)
			}
		}
	}
	last := len(asked) - 1
	if last == 0 {
		return asked[0]
	}
	return strings.Join(asked[:last], ", ") + orWord[lang] + asked[last]
}

var orWord = map[string]string{"en": " or ", "fr": " ou "}

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
