package mailflow

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// Priorities of outgoing mails: the lower leaves first. Agents' own words do
// not wait behind ten thousand acknowledgments.
const (
	priorityWords = iota
	priorityAgent
	priorityMachine
	priorityLater
)

// queue adds one row for each recipient of an effect.
func (d *decision) queue(before ticket.State, t ticket.Ticket, effect ticket.Effect, e ticket.Event, n notice) error {
	a := args{Message: n.message, Event: n.event, Reason: n.reason, Other: n.other, Was: n.was, Words: n.fromAgent, From: before,
		State: t.State, Closed: t.Closed, Next: t.Next, Deadline: t.Deadline, ClosedAt: t.ClosedAt, N: effect.N, M: effect.M,
		Resolution: t.Resolution}
	a.Asked, a.Waiting = n.asked, t.Waiting
	if effect.To != ticket.Agents && tellsChanges(effect.Mail) {
		a.Changes, d.changes = d.changes, nil
	}
	if chases(effect.Mail) && a.Message == 0 {
		asked, err := lastAsked(d.tx, t.ID)
		if err != nil {
			return err
		}
		a.Message, a.Asked = asked.Message, asked.Asked
	}
	a.Stranger = n.stranger && isFirstAnswer(effect.Mail)
	cut := d.in != nil && d.in.cut != nil && n.message != 0
	if cut && effect.To == ticket.Agents {
		a.Whole = d.in.cut.whole()
	}
	to, err := d.audience(t, effect, e, n)
	if err != nil {
		return err
	}
	priority := priorityMachine
	switch {
	case n.fromAgent:
		priority = priorityWords
	case effect.To == ticket.Agents:
		priority = priorityLater
	}
	if len(to) > 0 {
		d.because("%s to %d", effect.Mail, len(to))
	}
	a.First = n.first && isFirstAnswer(effect.Mail) && effect.To != ticket.Agents
	held := ""
	if a.First {
		if held, err = d.strangersPaused(); err != nil {
			return err
		}
	}
	for _, p := range to {
		if slices.Contains(n.spared, p.Address) {
			continue
		}
		own := a
		if p.Address == e.Actor && e.Role != ticket.Agent && p.Role != ticket.Agent {
			if n.silent {
				continue
			}
			own.Mute = n.unproven
			if cut && isFirstAnswer(effect.Mail) {
				own.Limit = d.in.cut.limit
			}
		}
		o := store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: effect.Mail, Recipient: p.Address,
			Priority: priority, Args: own.json()}
		if effect.Mail == ticket.Notification {
			if err := d.notify(o, own); err != nil {
				return err
			}
			continue
		}
		if held == "" && isFirstAnswer(effect.Mail) {
			if held, err = d.newMailbox(); err != nil {
				return err
			}
		}
		if held != "" {
			o.State, o.Reply = store.HeldOut, held
			d.because("held: %s", held)
		}
		if e.Role != ticket.Agent && p.Role != ticket.Agent {
			if drop, err := d.hush(&o, effect.Mail == ticket.Update && n.message != 0); err != nil || drop {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := d.add(o); err != nil {
			return err
		}
		d.toldCut = d.toldCut || own.Limit != 0
		d.mailed = append(d.mailed, o)
	}
	return nil
}

// add queues one row, due now unless it says otherwise.
func (d *decision) add(o store.Outbox) error {
	_, err := d.addRow(o)
	return err
}

func (d *decision) addRow(o store.Outbox) (int64, error) {
	if o.Due.IsZero() {
		o.Due = d.tx.Now()
	}
	o.Cause = cmp.Or(o.Cause, d.d.ID)
	lend, err := d.mayLend(o)
	if err != nil {
		return 0, err
	}
	d.lanes = append(d.lanes, o.Lane())
	if lend {
		o, err = d.tx.AddLeasedOutbox(o, d.lend)
		d.lent = append(d.lent, Lent{Row: o})
		return o.ID, err
	}
	d.queued = true
	id, err := d.tx.AddOutbox(o)
	if err == nil && o.State == store.HeldOut {
		d.tx.AfterCommit(func() {
			d.f.Log.Warn("held", KeyOutbox, id, "reason", o.Reply, "do", fmt.Sprintf("guichet outbox release %d", id))
			d.f.Count.HeldOut.Add(1)
		})
	}
	return id, err
}

// audience finds the recipients of an effect. To whom mails do not arrive only
// agents' own words are sent.
func (d *decision) audience(t ticket.Ticket, effect ticket.Effect, e ticket.Event, n notice) ([]store.Party, error) {
	if effect.To == ticket.Agents {
		if e.Role != ticket.Agent {
			return d.agents(t, "") // who claims an agent's address need not be one
		}
		return d.agents(t, e.Actor)
	}
	parties, err := d.tx.Parties(t.ID)
	if err != nil {
		return nil, err
	}
	var has []int64
	if effect.To == ticket.Others {
		if has, err = d.persons(parties, append(slices.Clip(n.addressed), e.Actor)); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(parties, func(p store.Party) bool {
		switch {
		case p.Role == ticket.Agent || p.Untold || !effect.Goes(p.Reachable):
			return true
		case effect.To == ticket.Sender:
			return p.Address != t.FormFor
		}
		return effect.To == ticket.Others && (p.Address == e.Actor || slices.Contains(has, p.PersonID) || slices.Contains(n.addressed, p.Address))
	}), nil
}

// persons are those among the parties to whom one of the addresses belongs
// that is not the one we write to: they have the mail already.
func (d *decision) persons(parties []store.Party, addresses []string) (ids []int64, err error) {
	for _, a := range addresses {
		if a == "" || d.s.Route(a).Desk != nil || slices.ContainsFunc(parties, func(p store.Party) bool { return p.Address == a }) {
			continue
		}
		id, err := d.tx.PersonOf(a)
		if err != nil {
			return nil, err
		}
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// agents are those who are notified, but one. Each becomes a party of the
// ticket, so that the reply address proves who answers.
func (d *decision) agents(t ticket.Ticket, but string) ([]store.Party, error) {
	var to []store.Party
	for _, a := range d.s.Notified(t) {
		if a.Address == but {
			continue
		}
		p, err := d.agentParty(t.ID, a)
		if err != nil {
			return nil, err
		}
		if p.Role == ticket.Agent {
			to = append(to, p)
		}
	}
	return to, nil
}

func (d *decision) agentParty(ticketID int64, a *Agent) (store.Party, error) {
	p, err := d.tx.PartyByAddress(ticketID, a.Address)
	if err == nil || err != sql.ErrNoRows {
		return p, err
	}
	return d.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Agent, Address: a.Address, Name: a.Name})
}

// alsoReceived tells a stranger once, when the 24 hours after the first
// answer are over, of all further mails of that time.
func (d *decision) alsoReceived(w writer, due time.Time) error {
	var a args
	row, err := d.tx.QueuedLater(w.address, d.d.Desk)
	queued := err == nil
	if queued {
		a = argsOf(row)
	} else if err != sql.ErrNoRows {
		return err
	}
	a.Count++
	if len(a.Times) < 20 {
		a.Times = append(a.Times, d.d.Received)
	}
	if d.in.cut != nil {
		a.Limit = d.in.cut.limit
	}
	if queued {
		return d.tx.SetArgs(row.ID, a.json())
	}
	return d.add(store.Outbox{Desk: d.d.Desk, Party: -1, Kind: ticket.AlsoReceived, Recipient: w.address,
		Priority: priorityLater, Due: due, Args: a.json()})
}
