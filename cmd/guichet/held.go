package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/store"
)

func newHeld(e *env) *cobra.Command {
	c := &cobra.Command{Use: "held", Short: "Mails that could not go on, wait for an agent, or are no person's"}
	act := func(use, short string, do func(*store.Tx, int64) error) *cobra.Command {
		return &cobra.Command{Use: use + " ID...", Short: short, Args: cobra.MinimumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return e.eachRow(c.Context(), args, do)
		}}
	}
	c.AddCommand(
		e.withJSON(&cobra.Command{Use: "list", Short: "All of them, oldest first", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return e.heldList(c.Context()) }}),
		&cobra.Command{Use: "show ID", Short: "The raw mail", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return e.heldShow(c.Context(), args[0]) }},
		act("retry", "Take it through the stages again", func(tx *store.Tx, id int64) error {
			return again(tx, id, "")
		}),
		act("release", "Take it as a person's mail, whatever it looks like", func(tx *store.Tx, id int64) error {
			return again(tx, id, mailflow.ReleasedByHand)
		}),
		act("discard", "Keep the bytes, forget the matter", mailflow.Discard))
	return c
}

// again gives a mail to the stages once more. One that stands for a mail which
// could not be fetched would become a ticket without words, of which the mail
// itself is a mere copy when it comes.
func again(tx *store.Tx, id int64, reason string) error {
	unfetched, err := tx.Unfetched(id)
	if err != nil {
		return err
	}
	if unfetched {
		return refuse("mail %d is still in its mailbox, and goes on by itself once it is fetched; guichet held list says why it was not", id)
	}
	ok, err := tx.RetryDelivery(id, reason)
	if err == nil && !ok {
		return refuse("mail %d is neither held nor set aside; what waits is for an agent to accept, or yours to discard", id)
	}
	return err
}

// heldRow is a mail that stopped as the contract has it.
type heldRow struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Received any    `json:"received"`
	From     any    `json:"from"`
	To       any    `json:"to"`
	Subject  any    `json:"subject"`
	Stop     any    `json:"stop"`
	Reason   any    `json:"reason"`
	Tries    int    `json:"tries"`
}

func (e *env) heldList(ctx context.Context) error {
	var rows []heldRow
	add := func(d store.Delivery, state, stop string) {
		to := d.To
		if to == "" && len(d.Recipients) > 0 {
			to = d.Recipients[0]
		}
		rows = append(rows, heldRow{strconv.FormatInt(d.ID, 10), state, stamp(d.Received), text(d.From), text(to), text(d.Subject), text(stop), text(d.Reason), d.Attempts})
	}
	err := e.view(ctx, func(tx *store.Tx) error {
		stopped, err := tx.StoppedDeliveries()
		for _, d := range stopped {
			add(d, string(d.State), d.Stop)
		}
		if err != nil {
			return err
		}
		waiting, err := tx.WaitingDeliveries()
		for _, d := range waiting {
			add(d, "waiting", "people")
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b heldRow) int { return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) })
	var table [][]any
	for _, r := range rows {
		if e.json {
			if err := e.printJSON(r); err != nil {
				return err
			}
		}
		table = append(table, []any{r.ID, r.State, r.Received, r.From, r.To, r.Stop, r.Tries, r.Reason, r.Subject})
	}
	if e.json {
		return nil
	}
	return e.table("ID\tSTATE\tRECEIVED\tFROM\tTO\tSTOP\tTRIES\tREASON\tSUBJECT", table)
}

func (e *env) heldShow(ctx context.Context, arg string) error {
	id, err := rowID(arg)
	if err != nil {
		return err
	}
	return e.withStore(ctx, func(_ *Config, db *store.DB) error {
		var d store.Delivery
		if err := db.View(ctx, func(tx *store.Tx) (err error) {
			d, err = tx.DeliveryByID(id)
			return err
		}); err != nil {
			return found(err, "mail %d", id)
		}
		fmt.Fprintf(e.stdout, "mail %d, %s, by %s from %s (%s)\nenvelope <%s> to %v\nstop %s: %s\n\n", d.ID, d.State, d.Listener, d.Client, d.Hello,
			d.MailFrom, d.Recipients, d.Stop, d.Reason)
		raw, err := db.OpenRaw(ctx, d.RawID)
		if err != nil {
			return err
		}
		_, err = io.Copy(e.stdout, raw.Reader())
		return err
	})
}

func newWhy(e *env) *cobra.Command {
	return e.withJSON(&cobra.Command{Use: "why MESSAGE-ID|NUMBER", Short: "The decisions taken on a mail, or on all of a ticket's",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error { return e.why(c.Context(), args[0]) }})
}

// whyRow is the decisions on one mail.
type whyRow struct {
	Mail      string   `json:"mail"`
	MessageID any      `json:"message_id"`
	Received  any      `json:"received"`
	Desk      string   `json:"desk"`
	State     string   `json:"state"`
	Ticket    any      `json:"ticket"`
	Stop      any      `json:"stop"`
	Reason    any      `json:"reason"`
	Decisions []string `json:"decisions"`
}

func (e *env) why(ctx context.Context, what string) error {
	var rows []whyRow
	err := e.view(ctx, func(tx *store.Tx) error {
		ds, err := deliveriesOf(tx, what)
		for _, d := range ds {
			row := whyRow{strconv.FormatInt(d.ID, 10), text(d.MailID), stamp(d.Received), d.Desk, string(d.State), nil, text(d.Stop), text(d.Reason), []string{}}
			json.Unmarshal([]byte(d.Why), &row.Decisions)
			if t, err := tx.TicketByID(d.TicketID); err == nil {
				row.Ticket = text(t.Number)
			}
			rows = append(rows, row)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return refuse("no ticket and no mail %s", what)
	}
	for _, r := range rows {
		if e.json {
			if err := e.printJSON(r); err != nil {
				return err
			}
			continue
		}
		id, of := "without a Message-ID", "no ticket"
		if r.MessageID != nil {
			id = fmt.Sprint(r.MessageID)
		}
		if r.Ticket != nil {
			of = fmt.Sprintf("ticket %v", r.Ticket)
		}
		fmt.Fprintf(e.stdout, "mail %s  %s  received %v at %s: %s, %s\n", r.Mail, id, r.Received, r.Desk, r.State, of)
		if r.Reason != nil {
			fmt.Fprintf(e.stdout, "    because: %v\n", r.Reason)
		}
		for _, line := range r.Decisions {
			fmt.Fprintf(e.stdout, "    %s\n", line)
		}
	}
	return nil
}

// deliveriesOf finds mails by Message-ID, with or without brackets, or by
// their ticket's number.
func deliveriesOf(tx *store.Tx, what string) ([]store.Delivery, error) {
	if t, err := tx.TicketByNumber(what); err == nil {
		return tx.DeliveriesOfTicket(t.ID)
	}
	ds, err := tx.DeliveriesOfMail(what)
	if err == nil && len(ds) == 0 {
		return tx.DeliveriesOfMail("<" + what + ">")
	}
	return ds, err
}
