package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

func newTicket(e *env) *cobra.Command {
	c := &cobra.Command{Use: "ticket", Short: "Look at tickets"}
	var desk, state string
	var due time.Duration
	list := &cobra.Command{Use: "list", Short: "All tickets", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return e.ticketList(c.Context(), desk, ticket.State(state), due)
	}}
	list.Flags().StringVar(&desk, "desk", "", "only this desk's")
	list.Flags().StringVar(&state, "state", "", "only those in this state")
	list.Flags().DurationVar(&due, "due", 0, "only those of which something is due within this time, such as 48h")
	c.AddCommand(e.withJSON(list),
		e.withJSON(&cobra.Command{Use: "show NUMBER", Short: "A ticket with its parties and whole messages", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return e.ticketShow(c.Context(), args[0]) }}),
		e.withJSON(&cobra.Command{Use: "history NUMBER", Short: "What happened to a ticket", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return e.ticketHistory(c.Context(), args[0]) }}))
	return c
}

// ticketRow is a ticket as the contract has it.
type ticketRow struct {
	Number     any `json:"number"`
	Desk       any `json:"desk"`
	State      any `json:"state"`
	Closed     any `json:"closed"`
	Subject    any `json:"subject"`
	Customer   any `json:"customer"`
	Integrator any `json:"integrator"`
	Assignee   any `json:"assignee"`
	Created    any `json:"created"`
	Updated    any `json:"updated"`
	Deadline   any `json:"deadline"`
	Next       any `json:"next"`
}

func rowOf(t ticket.Ticket, parties []store.Party) ticketRow {
	first := func(role ticket.Role) any {
		for _, p := range parties {
			if p.Role == role {
				return p.Address
			}
		}
		return nil
	}
	return ticketRow{text(t.Number), t.Desk, string(t.State), text(t.Closed), t.Subject, first(ticket.Customer),
		first(ticket.Integrator), text(t.Assignee), stamp(t.Created), stamp(t.Updated), stamp(t.Deadline), text(t.Next)}
}

var states = []ticket.State{ticket.AwaitingForm, ticket.New, ticket.Open, ticket.Pending, ticket.Frozen, ticket.Resolved, ticket.Closed}

// ticketList reads in pages: one long read would hold the database's log.
func (e *env) ticketList(ctx context.Context, desk string, state ticket.State, due time.Duration) error {
	var table [][]any
	if state != "" && !slices.Contains(states, state) {
		return usageError("--state %s is none; there are %v", state, states)
	}
	if due < 0 {
		return usageError("--due %s lies behind", due)
	}
	err := e.withStore(ctx, func(cfg *Config, db *store.DB) error {
		if desk != "" && cfg.Settings().Desk(desk) == nil {
			return refuse("no desk %s is configured", desk)
		}
		for after := int64(0); ; {
			var rows []ticketRow
			var read int
			err := db.View(ctx, func(tx *store.Tx) error {
				rows = nil
				page, err := tx.TicketPage(desk, state, after, 500)
				if err != nil {
					return err
				}
				if err := tx.ReadParties(page); err != nil {
					return err
				}
				read = len(page)
				for _, t := range page {
					after = t.ID
					if due > 0 && (t.Deadline.IsZero() || t.Deadline.After(tx.Now().Add(due))) {
						continue
					}
					parties, err := tx.Parties(t.ID)
					if err != nil {
						return err
					}
					rows = append(rows, rowOf(t, parties))
				}
				return nil
			})
			if err != nil || read == 0 {
				return err
			}
			for _, r := range rows {
				if !e.json {
					table = append(table, []any{r.Number, r.Desk, r.State, r.Closed, r.Customer, r.Assignee, r.Updated, r.Deadline, r.Next, r.Subject})
				} else if err := e.printJSON(r); err != nil {
					return err
				}
			}
		}
	})
	if err != nil || e.json {
		return err
	}
	return e.table("NUMBER\tDESK\tSTATE\tCLOSED\tCUSTOMER\tASSIGNEE\tUPDATED\tDEADLINE\tNEXT\tSUBJECT", table)
}

type messageRow struct {
	At         any `json:"at"`
	From       any `json:"from"`
	Role       any `json:"role"`
	Visibility any `json:"visibility"`
	Proof      any `json:"proof"`
	MessageID  any `json:"message_id"`
	Text       any `json:"text"`
}

type partyRow struct {
	Address   string `json:"address"`
	Role      string `json:"role"`
	Reachable bool   `json:"reachable"`
}

// shown is a ticket with all that `ticket show` prints.
type shown struct {
	ticketRow
	Messages []messageRow `json:"messages"`
	Parties  []partyRow   `json:"parties"`
	Links    []string     `json:"links"`
}

func (e *env) ticketShow(ctx context.Context, number string) error {
	s := shown{Messages: []messageRow{}, Parties: []partyRow{}, Links: []string{}}
	err := e.withStore(ctx, func(_ *Config, db *store.DB) error {
		var messages []store.Message
		err := db.View(ctx, func(tx *store.Tx) error {
			t, err := tx.TicketByNumber(number)
			if err != nil {
				return found(err, "ticket %s", number)
			}
			parties, err := tx.Parties(t.ID)
			if err != nil {
				return err
			}
			for _, p := range parties {
				s.Parties = append(s.Parties, partyRow{p.Address, string(p.Role), p.Reachable})
			}
			s.ticketRow = rowOf(t, parties)
			links, err := tx.LinkedTickets(t.ID)
			if err != nil {
				return err
			}
			s.Links = append(s.Links, links...)
			messages, err = tx.Messages(t.ID)
			return err
		})
		for _, m := range messages {
			if err == nil {
				err = s.add(ctx, db, m)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(s)
	}
	s.print(e)
	return nil
}

// add reads the whole text of a message out of its raw mail.
func (s *shown) add(ctx context.Context, db *store.DB, m store.Message) error {
	whole := m.Words
	if m.RawID != 0 {
		err := db.View(ctx, func(tx *store.Tx) error {
			raw, err := tx.ReadRaw(m.RawID)
			if err == nil {
				whole = rfc822.Parse(raw).Text
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	visibility := m.Visibility
	if visibility == store.Record || visibility == store.HeldVis {
		visibility = store.NoteVis // the contract knows three: both are for agents
	}
	s.Messages = append(s.Messages, messageRow{stamp(m.At), text(m.Address), string(m.Role), string(visibility), m.Proof, text(m.MailID), whole})
	return nil
}

func (s *shown) print(e *env) {
	fmt.Fprintf(e.stdout, "%v  %v  %v\n%v\n\n", s.Number, s.Desk, s.State, s.Subject)
	for _, p := range s.Parties {
		reach := ""
		if !p.Reachable {
			reach = ", cannot be reached"
		}
		fmt.Fprintf(e.stdout, "%s (%s%s)\n", p.Address, p.Role, reach)
	}
	if len(s.Links) > 0 {
		fmt.Fprintf(e.stdout, "linked with %s\n", strings.Join(s.Links, ", "))
	}
	for _, m := range s.Messages {
		fmt.Fprintf(e.stdout, "\n-- %v  %v (%v, %v)", m.At, m.From, m.Role, m.Proof)
		if m.Visibility != string(store.Public) {
			fmt.Fprintf(e.stdout, "  [%s]", strings.ToUpper(fmt.Sprint(m.Visibility)))
		}
		fmt.Fprintf(e.stdout, "\n%v\n", m.Text)
	}
}

func (e *env) ticketHistory(ctx context.Context, number string) error {
	var history []store.HistoryEntry
	if err := e.view(ctx, func(tx *store.Tx) error {
		t, err := tx.TicketByNumber(number)
		if err != nil {
			return found(err, "ticket %s", number)
		}
		history, err = tx.History(t.ID)
		return err
	}); err != nil {
		return err
	}
	var table [][]any
	for _, h := range history {
		row := struct {
			At        any `json:"at"`
			Actor     any `json:"actor"`
			Role      any `json:"role"`
			Event     any `json:"event"`
			From      any `json:"from"`
			To        any `json:"to"`
			MessageID any `json:"message_id"`
			Reason    any `json:"reason"`
		}{stamp(h.At), text(h.Actor), text(h.Role), text(h.Event), text(h.From), text(h.To), text(h.MailID), text(h.Reason)}
		if e.json {
			if err := e.printJSON(row); err != nil {
				return err
			}
		}
		table = append(table, []any{row.At, row.Actor, row.Role, row.Event, row.From, row.To, row.Reason, row.MessageID})
	}
	if e.json {
		return nil
	}
	return e.table("AT\tACTOR\tROLE\tEVENT\tFROM\tTO\tREASON\tMESSAGE-ID", table)
}
