package templates

import (
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

// What the rules refuse an agent, in every state, is said in French, too.
func TestRefusalsAreTranslated(t *testing.T) {
	states := []ticket.State{ticket.AwaitingForm, ticket.New, ticket.Open, ticket.Pending, ticket.Frozen, ticket.Resolved, ticket.Closed}
	events := []ticket.EventType{ticket.Validate, ticket.Reply, ticket.AskInfo, ticket.AskDo, ticket.Reject, ticket.Resolve, ticket.Close,
		ticket.Reopen, ticket.Note, ticket.Assign, ticket.Accept, ticket.Split, ticket.AddParty, ticket.PartyRemoved, ticket.Categorise,
		ticket.SetUrgency, ticket.Escalate, ticket.Link, ticket.Move, ticket.MergedAway}
	for _, closed := range []ticket.Reason{ticket.ByAgent, ticket.Merged} {
		for _, s := range states {
			for _, typ := range events {
				tk := ticket.Ticket{ID: 1, State: s, Number: "INC-000001"}
				if s == ticket.Closed {
					tk.Closed = closed
				}
				_, _, err := ticket.Apply(tk, ticket.Event{Type: typ, Role: ticket.Agent, Into: 2, Desk: "sales"}, ticket.Policy{}, time.Unix(0, 0))
				if err != nil && Say("fr", err.Error()) == err.Error() {
					t.Errorf("%s when %s: %q has no French", typ, s, err)
				}
			}
		}
	}
	for _, reason := range []string{"filled in the form behind the mailed link", "written on the page behind the mailed link"} {
		if Say("fr", "own token: "+reason) == "par son adresse de réponse\u00a0: "+reason {
			t.Errorf("%q has no French", reason)
		}
	}
}
