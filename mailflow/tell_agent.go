package mailflow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// help answers #help with the commands that the ticket's state allows and
// what each does.
func (d *decision) help(t ticket.Ticket, w writer) error {
	return d.toAgent(t, w, ticket.Receipt, args{Event: "help", State: t.State, From: t.State})
}

// toAgent queues a mail to the one agent who wrote.
func (d *decision) toAgent(t ticket.Ticket, w writer, kind ticket.Kind, a args) error {
	p, err := d.agentParty(t.ID, w.agent)
	if err != nil {
		return err
	}
	a.Next, a.Deadline, a.Closed, a.ClosedAt, a.Waiting = t.Next, t.Deadline, t.Closed, t.ClosedAt, t.Waiting
	if kind == ticket.ConfirmCommand {
		a.Next, a.Deadline = "", d.tx.Now().Add(confirmFor)
	}
	return d.add(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: kind, Recipient: w.agent.Address,
		Priority: priorityAgent, Args: a.json()})
}

// receipt tells an agent who wishes it what was done and who was told, and
// every agent which mail a command took that could have meant several, and
// that his mail was cut.
func (d *decision) receipt(t ticket.Ticket, p *plan, message int64) error {
	if err := d.tellAgentIncomplete(t, p.w); err != nil {
		return err
	}
	wished := p.w.agent.Receipts && !(p.help && len(p.lines) == 1 && !p.said)
	if !wished && !p.told {
		return nil
	}
	a := args{From: p.t.State, State: t.State, Lines: p.lines}
	if p.said {
		a.Message = message
	}
	for _, told := range d.mailed {
		a.Lines = append(a.Lines, argLine{Text: told.Recipient, Reason: "is sent: " + string(told.Kind), OK: true})
	}
	switch {
	case len(d.mailed) > 0:
	case p.note:
		a.Lines = append(a.Lines, argLine{Text: "#note", Reason: "kept for agents; nobody else is told", OK: true})
	default:
		a.Lines = append(a.Lines, argLine{Text: "—", Reason: "no mail to anybody", OK: true})
	}
	return d.toAgent(t, p.w, ticket.Receipt, a)
}

// crossed finds the public answers of other agents that this one cannot have
// known: they came after the mail that is answered.
func (d *decision) crossed(p *plan, answered store.Outbox) ([]store.Message, error) {
	if !p.said || p.note {
		return nil, nil
	}
	since := answered.Created
	if answered.ID == 0 || answered.TicketID != p.t.ID {
		sent, err := d.tx.SentSince(p.t.ID, p.w.address, time.UnixMicro(0))
		if err != nil || len(sent) == 0 {
			return nil, err
		}
		since = sent[0].Created
	}
	all, err := d.tx.AgentAnswers(p.t.ID, since)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Address == p.w.address { // what came before that was told then
			all = all[i+1:]
			break
		}
	}
	return all, nil
}

// tellCrossed tells two agents who answered at the same time of each other.
// Both answers have gone out.
func (d *decision) tellCrossed(t ticket.Ticket, p *plan, message int64, crossed []store.Message) error {
	var told []string
	for _, m := range crossed {
		a := args{Message: m.ID, Event: "crossed", Reason: fmt.Sprintf("%s answered at %s, before your answer", d.agentName(m.Address), d.hour(t, m.At))}
		if err := d.toOneAgent(t, p.w.agent, a); err != nil {
			return err
		}
		other := d.s.Agent(m.Address)
		if other == nil || !other.WorksOn(t.Desk) || slices.Contains(told, m.Address) {
			continue
		}
		told = append(told, m.Address)
		a = args{Message: message, Event: "crossed", Reason: fmt.Sprintf("%s answered at %s, after your answer", d.agentName(p.w.address), d.hour(t, d.d.Received))}
		if err := d.toOneAgent(t, other, a); err != nil {
			return err
		}
	}
	return nil
}

// tellAssigned tells an agent that another one has given him the ticket, with
// the words that stood last.
func (d *decision) tellAssigned(t ticket.Ticket, e ticket.Event) error {
	to := d.s.Agent(e.Assignee)
	if to == nil || to.Address == e.Actor || t.Assignee != to.Address {
		return nil
	}
	last, err := d.tx.LastPublic(t.ID)
	if err != nil {
		return err
	}
	return d.toOneAgent(t, to, args{Message: last, Event: "assigned", Reason: "from " + d.agentName(e.Actor)})
}

// toOneAgent notifies one agent of what a colleague did.
func (d *decision) toOneAgent(t ticket.Ticket, to *Agent, a args) error {
	p, err := d.agentParty(t.ID, to)
	if err != nil || p.Role != ticket.Agent {
		return err
	}
	a.From, a.State, a.Waiting, a.Next, a.Deadline, a.Closed = t.State, t.State, t.Waiting, t.Next, t.Deadline, t.Closed
	return d.notify(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: ticket.Notification, Recipient: to.Address,
		Priority: priorityAgent}, a)
}

func (d *decision) agentName(address string) string {
	if a := d.s.Agent(address); a != nil && strings.TrimSpace(a.Name) != "" {
		return a.Name
	}
	return address
}

// hour is a time of today as an hour, another with its day, in the desk's
// zone.
func (d *decision) hour(t ticket.Ticket, at time.Time) string {
	zone := d.s.Desk(t.Desk).Zone
	at, now := at.In(zone), d.tx.Now().In(zone)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("2006-01-02 15:04")
}
