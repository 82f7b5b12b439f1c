package mailflow

import (
	"fmt"

	"guichet/mailflow/ticket"
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
