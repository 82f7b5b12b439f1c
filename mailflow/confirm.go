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

// openedFor is an agent's new mail whose first line is #customer ADDRESS: it
// opens a ticket for that person, in the agent's words.
func (d *decision) openedFor(w writer) (bool, error) {
	text := d.in.mail.Reply
	if text == "" {
		text = d.in.mail.Text
	}
	cmds, below := parseCommands(text)
	if len(cmds) == 0 || !slices.Contains(opening, cmds[0].name) {
		return false, nil
	}
	w.role = ticket.Agent
	if w.level != Proven {
		return true, d.confirmOpening(w, cmds)
	}
	p, err := d.checkOpening(w, cmds, below)
	if err != nil {
		return true, err
	}
	if p.failed {
		d.d.State, d.d.Stop, d.d.Reason = store.DeliveryHeld, "command", "commands refused, sent back"
		return true, d.add(store.Outbox{Desk: d.d.Desk, Party: -1, Kind: ticket.RejectedCommand, Recipient: w.agent.Address,
			Priority: priorityAgent, Args: args{Lines: p.lines, Reason: p.reason, Delivery: d.d.ID}.json()})
	}
	return true, d.openFor(p)
}

// opening are the first commands of a mail that opens a ticket, and
// whileOpening all that it may hold.
var (
	opening      = []string{"customer", "integrator", "form"}
	whileOpening = []string{"customer", "integrator", "form", "cc", "take", "assign", "category", "urgency", "link"}
)

// checkOpening is check for a ticket that is not there yet.
func (d *decision) checkOpening(w writer, cmds []command, below string) (*plan, error) {
	begins := ticket.Ticket{Desk: d.d.Desk, State: ticket.Open}
	if slices.ContainsFunc(cmds, func(c command) bool { return c.name == "form" }) {
		begins.State = ticket.AwaitingForm
	}
	p, err := d.check(begins, w, cmds, below, 0)
	for i, c := range cmds {
		if !slices.Contains(whileOpening, c.name) && p.lines[i].OK {
			p.fail(i, "not possible while a ticket is opened")
		}
	}
	return p, err
}

func (d *decision) confirmOpening(w writer, cmds []command) error {
	d.d.State, d.d.Stop, d.d.Reason = store.DeliveryHeld, "people", "waits for the agent's confirmation"
	if ok, err := d.mayConfirm(w); !ok || err != nil {
		return err
	}
	a := args{Delivery: d.d.ID, Reason: "not proven: " + w.reason, Deadline: d.tx.Now().Add(confirmFor)}
	for _, c := range cmds {
		a.Lines = append(a.Lines, argLine{Text: c.line, OK: true})
	}
	return d.add(store.Outbox{Desk: d.d.Desk, Party: -1, Kind: ticket.ConfirmCommand, Recipient: w.agent.Address,
		Priority: priorityAgent, Args: a.json()})
}

// openFor opens a ticket for somebody, as checked.
func (d *decision) openFor(p *plan) error {
	desk := d.s.Desk(d.d.Desk)
	e := p.opens()
	t, effects, err := ticket.Apply(ticket.Ticket{Desk: desk.Key, Subject: subjectFor(d.in.mail)}, e, desk.Policy, d.tx.Now())
	if err != nil {
		return &stopped{"apply", err.Error()}
	}
	if t.NeedsNumber() {
		if t.Number, err = d.nextNumber(desk); err != nil {
			return err
		}
	}
	p.describe(&t)
	if t.Assignee, err = d.assigneeFor(p, desk.Key); err != nil {
		return err
	}
	if t.ID, err = d.tx.AddTicket(t, d.in.mail.MessageID); err != nil {
		return err
	}
	for _, s := range p.steps {
		if s.add.Address != "" {
			if err := d.addNamed(t, s.add, 0); err != nil {
				return err
			}
		}
		if s.other.ID != 0 {
			if err := d.tx.LinkTickets(t.ID, s.other.ID, "by an agent"); err != nil {
				return err
			}
		}
	}
	id, err := d.keep(t.ID, p.w, store.Public, p.words)
	if err != nil {
		return err
	}
	d.opened, d.number, d.d.Reason = true, t.Number, "opened by an agent"
	n := notice{message: id, event: "opened-for", fromAgent: true}
	if err := d.record(ticket.None, t, e, n, effects); err != nil {
		return err
	}
	if err := d.tellAssigned(t, ticket.Event{Actor: p.w.address, Assignee: t.Assignee}); err != nil {
		return err
	}
	return d.receipt(t, p, id)
}

// opens is the event that begins the ticket: the form is sent to somebody, or
// a ticket is opened for somebody.
func (p *plan) opens() ticket.Event {
	for _, s := range p.steps {
		if s.event.Type == ticket.FormSent {
			return s.event
		}
	}
	return p.event(ticket.OpenedFor)
}

// describe sets what the agent has said of the ticket besides its parties.
func (p *plan) describe(t *ticket.Ticket) {
	for _, s := range p.steps {
		switch s.event.Type {
		case ticket.Categorise:
			t.Category = s.event.Value
		case ticket.SetUrgency:
			t.Urgency = s.event.Value
		}
	}
}

// assigneeFor is who gets a ticket that an agent opens: whom he names, else
// the manager of the organisation.
func (d *decision) assigneeFor(p *plan, desk string) (assignee string, err error) {
	var parties []store.Party
	for _, s := range p.steps {
		if s.event.Type == ticket.Assign {
			assignee = s.event.Assignee
		}
		if s.add.Address != "" {
			parties = append(parties, s.add)
		}
	}
	if assignee != "" {
		return assignee, nil
	}
	return d.managerOf(desk, parties)
}
