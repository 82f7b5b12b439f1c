package mailflow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

const (
	confirmFor     = 24 * time.Hour
	confirmsAnHour = 20 // to one agent: a forger could ask for more
)

// askConfirm lets an agent's unproven mail wait and asks the agent's address
// on file what would happen is meant: whoever can answer that has the
// mailbox.
func (d *decision) askConfirm(t thread, w writer) error {
	w.role = ticket.Agent
	why := "not proven: " + w.reason
	if w.level == Proven {
		why = "proven, but without the agent's own reply address"
	}
	d.d.Reason = "waits for the agent's confirmation"
	d.because("agent %s: %s", w.address, why)
	id, err := d.keep(t.ticket.ID, w, store.Waiting, d.f.agentWords(d.in, t.ticket.ID))
	if err != nil {
		return err
	}
	out, err := d.apply(t.ticket, ticket.Event{Type: ticket.Waits, Actor: w.address, Role: ticket.Agent}, notice{reason: why})
	if err != nil {
		return err
	}
	if ok, err := d.mayConfirm(w); !ok || err != nil {
		return err
	}
	cmds, _ := parseCommands(d.f.agentWords(d.in, t.ticket.ID))
	a := args{Message: id, Delivery: d.d.ID, Reason: why, State: out.ticket.State, From: t.ticket.State}
	for _, c := range cmds {
		a.Lines = append(a.Lines, argLine{Text: c.line, OK: true})
	}
	return d.toAgent(out.ticket, w, ticket.ConfirmCommand, a)
}

func (d *decision) mayConfirm(w writer) (bool, error) {
	count, _, _, err := d.tx.Spend("confirm "+w.address, time.Hour, 0)
	if err == nil && count > confirmsAnHour {
		d.because("no confirm mail: %d within an hour", count)
	}
	return count <= confirmsAnHour, err
}

// confirmRow finds the confirm mail that a mail answers.
func (f *Flow) confirmRow(ctx context.Context, in *incoming) (row store.Outbox, ok bool, err error) {
	id := f.confirms(in)
	if id == 0 {
		return row, false, nil
	}
	err = f.DB.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.OutboxByID(id)
		return err
	})
	return row, err == nil && row.Kind == ticket.ConfirmCommand, trouble(err)
}

// confirmToken says that a mail came to the address of a confirmation.
func (f *Flow) confirmToken(in *incoming) bool {
	return slices.ContainsFunc(f.tokens(in), func(t ticket.Token) bool { return t.Purpose == ticket.ForConfirm })
}

// confirms is the row that a mail may be the confirmation of, or 0: by the
// token of its address or, where a desk has no token addresses, by our
// Message-ID.
func (f *Flow) confirms(in *incoming) int64 {
	for _, t := range f.tokens(in) {
		if t.Purpose == ticket.ForConfirm {
			return t.Row()
		}
	}
	desk := f.Settings.Load().Desk(in.d.Desk)
	if desk == nil || desk.Reply != "off" {
		return 0
	}
	for _, t := range f.idTokens(in) {
		return t.Row()
	}
	return 0
}

// readConfirmed reads the agent's mail that waits for a confirmation; nil if
// it is gone.
func (f *Flow) readConfirmed(ctx context.Context, row store.Outbox) (*incoming, error) {
	var d store.Delivery
	err := f.DB.View(ctx, func(tx *store.Tx) (err error) {
		d, err = tx.DeliveryByID(argsOf(row).Delivery)
		return err
	})
	if err != nil {
		return nil, trouble(err)
	}
	in, err := f.read(ctx, d)
	if err != nil {
		return nil, trouble(err)
	}
	return in, nil
}

// confirm is the answer to a confirm mail: what waits is done as if it had
// been proven, once, within a day.
func (d *decision) confirm(rowID int64) error {
	row, err := d.tx.LockOutbox(rowID)
	if ignoreNoRows(err) != nil {
		return err
	}
	w := d.f.level(d.in)
	a := argsOf(row)
	refusal := ""
	switch {
	case err != nil || row.Kind != ticket.ConfirmCommand || d.in.confirmed == nil:
		refusal = "an answer to a confirm mail that is no longer known"
	case d.in.verdict.Class != ClassPerson:
		refusal = "an automatic answer to a confirm mail"
	case w.address != row.Recipient:
		refusal = "an answer to a confirm mail from another address"
	case a.Used:
		refusal = "confirmed before"
	case d.tx.Now().After(row.Created.Add(confirmFor)):
		refusal = fmt.Sprintf("confirmed after more than %s", confirmFor)
	}
	if refusal != "" {
		return d.setAside(refusal)
	}
	a.Used = true
	if err := d.tx.SetArgs(row.ID, a.json()); err != nil {
		return err
	}
	d.d.Reason, d.d.TicketID = fmt.Sprintf("confirms mail %d", a.Delivery), row.TicketID
	return d.confirmed(row, a)
}

// confirmed does what waited.
func (d *decision) confirmed(row store.Outbox, a args) error {
	first, err := d.tx.DeliveryByID(a.Delivery)
	if err != nil {
		return err
	}
	still, err := d.stillWaits(first, a)
	if err != nil {
		return err
	}
	if !still {
		return d.setAside("what it confirms no longer waits")
	}
	was := &decision{f: d.f, s: d.s, tx: d.tx, in: d.in.confirmed, d: first}
	was.in.describe(&was.d)
	json.Unmarshal([]byte(first.Why), &was.why)
	was.d.State, was.d.Stop, was.d.Reason = store.DeliveryDone, "", "confirmed by mail"
	was.because("confirmed by mail %d", d.d.ID)
	w := d.f.level(was.in)
	w.level, w.reason, w.agent = Proven, "confirmed by mail", d.s.Agent(row.Recipient)
	if w.agent == nil || !w.agent.WorksOn(row.Desk) {
		return d.setAside("confirmed by somebody who is no longer an agent of the desk")
	}
	w.address = w.agent.Address
	if row.TicketID == 0 {
		_, err = was.openedFor(w)
	} else {
		err = was.actWaiting(row, a, w)
	}
	if err != nil {
		return err
	}
	d.queued, d.opened = was.queued, was.opened
	d.d.TicketID = was.d.TicketID
	was.d.Why = was.reasons()
	return d.tx.FinishDelivery(was.d)
}

// stillWaits says that nobody has dealt with what waits for a confirmation.
func (d *decision) stillWaits(first store.Delivery, a args) (bool, error) {
	if a.Message == 0 {
		return first.State == store.DeliveryHeld, nil
	}
	m, err := d.tx.MessageByID(a.Message)
	return err == nil && m.Visibility == store.Waiting, ignoreNoRows(err)
}

// actWaiting ends the waiting of an agent's mail and does what it says. The
// mail is posted anew, since its place in the conversation is now.
func (d *decision) actWaiting(row store.Outbox, a args, w writer) error {
	t, err := d.f.survivor(d.tx, row.TicketID)
	if err != nil {
		return err
	}
	if err := d.tx.DropMessage(a.Message); err != nil {
		return err
	}
	out, err := d.apply(t, ticket.Event{Type: ticket.Accept, Actor: w.address, Role: ticket.Agent}, notice{})
	if err != nil {
		return err
	}
	own, err := d.agentParty(t.ID, w.agent)
	if err != nil {
		return err
	}
	th := thread{how: byReplyToken, ticket: out.ticket, owner: &own}
	for _, id := range d.f.idTokens(d.in) {
		th.row = id.Row()
		break
	}
	return d.act(th, w)
}
