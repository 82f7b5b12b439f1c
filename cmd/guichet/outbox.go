package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/store"
)

func newOutbox(e *env) *cobra.Command {
	c := &cobra.Command{Use: "outbox", Short: "Mails on their way out"}
	var state string
	list := &cobra.Command{Use: "list", Short: "All mails, oldest first", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return e.outboxList(c.Context(), store.OutboxState(state))
	}}
	list.Flags().StringVar(&state, "state", "", "queued, sending, sent, failed, held or cancelled")
	act := func(use, short string, do func(*store.Tx, int64) (bool, error), states string) *cobra.Command {
		return &cobra.Command{Use: use + " ID...", Short: short, Args: cobra.MinimumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return e.eachRow(c.Context(), args, func(tx *store.Tx, id int64) error {
				ok, err := do(tx, id)
				if err == nil && !ok {
					return refuse("mail %d is not %s", id, states)
				}
				return err
			})
		}}
	}
	c.AddCommand(e.withJSON(list),
		act("retry", "Try a failed or waiting mail again now", func(tx *store.Tx, id int64) (bool, error) {
			return tx.SetOutbox(id, store.Queued, store.Queued, store.FailedOut)
		}, "queued or failed"),
		act("cancel", "Never send it", func(tx *store.Tx, id int64) (bool, error) {
			return tx.SetOutbox(id, store.Cancelled, store.Queued, store.HeldOut, store.FailedOut)
		}, "queued, held or failed"),
		act("release", "Let a held mail go as it is", mailflow.Release, "held"))
	return c
}

// eachRow does something with all rows named, or with none.
func (e *env) eachRow(ctx context.Context, args []string, do func(*store.Tx, int64) error) error {
	var ids []int64
	for _, a := range args {
		id, err := rowID(a)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	return e.update(ctx, "outbox by hand", func(tx *store.Tx) error {
		for _, id := range ids {
			if err := do(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *env) outboxList(ctx context.Context, state store.OutboxState) error {
	var table [][]any
	err := e.withStore(ctx, func(_ *Config, db *store.DB) error {
		for after := int64(0); ; {
			var page []store.Outbox
			var numbers map[int64]string
			err := db.View(ctx, func(tx *store.Tx) (err error) {
				if page, err = tx.OutboxPage(state, after, 500); err == nil {
					numbers, err = tx.TicketNumbers(page)
				}
				return err
			})
			if err != nil || len(page) == 0 {
				return err
			}
			for _, o := range page {
				after = o.ID
				row := outboxRowOf(o, numbers[o.TicketID])
				if !e.json {
					table = append(table, []any{row.ID, row.Ticket, row.Kind, row.Recipient, row.State, row.Tries, row.Next, row.Reply})
				} else if err := e.printJSON(row); err != nil {
					return err
				}
			}
		}
	})
	if err != nil || e.json {
		return err
	}
	return e.table("ID\tTICKET\tKIND\tRECIPIENT\tSTATE\tTRIES\tNEXT\tREPLY", table)
}

// outboxRow is a mail on its way as the contract has it.
type outboxRow struct {
	ID        string `json:"id"`
	Ticket    any    `json:"ticket"`
	Kind      string `json:"kind"`
	Recipient string `json:"recipient"`
	State     string `json:"state"`
	Tries     int    `json:"tries"`
	Next      any    `json:"next"`
	Reply     any    `json:"reply"`
	MessageID any    `json:"message_id"`
}

func outboxRowOf(o store.Outbox, number string) outboxRow {
	row := outboxRow{strconv.FormatInt(o.ID, 10), text(number), string(o.Kind), o.Recipient, string(o.State), o.Tries, nil, text(o.Reply), text(o.MailID)}
	if o.State == store.Queued {
		row.Next = stamp(o.Due)
	}
	return row
}
