package mailflow

import (
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// fromAgent is an agent's mail on a known ticket. It acts if it came with the
// agent's own token and is proven; else it waits for a confirmation.
func (d *decision) fromAgent(t thread, w writer) error {
	w.role = ticket.Agent
	own := t.owner != nil && t.owner.Role == ticket.Agent && t.owner.Address == w.agent.Address
	if t.how == byMessageToken && d.s.Desk(t.ticket.Desk).Reply != "off" {
		own = false // the id alone stands for the token only where there are no token addresses
	}
	if !own || w.level != Proven {
		return d.askConfirm(t, w)
	}
	return d.act(t, w)
}

// act does what an agent's mail says: all of it or nothing.
func (d *decision) act(t thread, w writer) error {
	w.role = ticket.Agent
	cmds, below := parseCommands(d.f.agentWords(d.in, t.ticket.ID))
	words := d.f.withoutSecrets(spokenWords(cmds, below))
	var about int64
	if row, err := d.tx.OutboxByID(t.row); err == nil {
		about = argsOf(row).Message
	} else if ignoreNoRows(err) != nil {
		return err
	}
	p, err := d.check(t.ticket, w, cmds, words, about)
	if err != nil {
		return err
	}
	if rfc822.IsForward(d.in.mail, d.in.mail.Text) && len(cmds) == 0 {
		// What is forwarded to us was written for somebody else: it is never public.
		p = plan{note: true, said: true}
		words = d.in.mail.Text
		d.because("a forward: kept as a note")
	}
	if len(cmds) == 0 && !p.said {
		p.failed, p.reason = true, "Nothing new stands above the line: write your answer there, not below or between what is quoted."
	}
	if p.failed {
		return d.sendBack(t.ticket, w, p)
	}
	if p.help {
		if err := d.help(t.ticket, w); err != nil {
			return err
		}
	}
	return d.carryOut(t, w, p, words)
}

// carryOut does a plan that was checked.
func (d *decision) carryOut(t thread, w writer, p plan, words string) error {
	now := t.ticket
	message, err := d.post(now.ID, w, p, words)
	if err != nil {
		return err
	}
	for _, party := range p.add {
		party.TicketID, party.Since = now.ID, message
		if _, err := d.tx.AddParty(party); err != nil {
			return err
		}
		if now, err = d.step(now, ticket.Event{Type: ticket.AddParty}, w, notice{reason: string(party.Role) + " " + party.Address}); err != nil {
			return err
		}
	}
	for _, e := range p.before {
		if now, err = d.step(now, e, w, notice{reason: e.Assignee}); err != nil {
			return err
		}
		switch e.Type {
		case ticket.Accept:
			now, err = d.accepted(now, p.accept[0])
			p.accept = p.accept[1:]
		case ticket.Split:
			err = d.splitOff(now, p.split[0])
			p.split = p.split[1:]
		}
		if err != nil {
			return err
		}
	}
	return d.speak(now, w, p, message)
}

// step applies one of an agent's own events.
func (d *decision) step(t ticket.Ticket, e ticket.Event, w writer, n notice) (ticket.Ticket, error) {
	e.Actor, e.Role, n.fromAgent = w.address, ticket.Agent, n.message != 0
	n.addressed = d.addressed()
	out, err := d.apply(t, e, n)
	return out.ticket, err
}

// post stores an agent's words: public, or for agents only. A mail of
// commands alone posts nothing and is kept as a record.
func (d *decision) post(ticketID int64, w writer, p plan, words string) (int64, error) {
	visibility := store.Public
	switch {
	case !p.said:
		visibility = store.Record
	case p.note:
		visibility = store.NoteVis
	}
	id, err := d.keep(ticketID, w, visibility, words)
	if err != nil || visibility != store.Public {
		return id, err
	}
	return id, d.addCopied(ticketID, w)
}

// speak takes the steps that change the state. The words go with the last of
// them, or else are an answer.
func (d *decision) speak(t ticket.Ticket, w writer, p plan, message int64) error {
	said := p.said
	if p.note {
		_, err := d.step(t, ticket.Event{Type: ticket.Note}, w, notice{})
		if err != nil {
			return err
		}
		said = false
	}
	for i, e := range p.modes {
		n := notice{event: string(e.Type)}
		if said && i == len(p.modes)-1 {
			n.message, said = message, false
		}
		var err error
		if t, err = d.step(t, e, w, n); err != nil {
			return err
		}
	}
	if !said {
		return nil
	}
	_, err := d.step(t, ticket.Event{Type: ticket.Reply}, w, notice{event: "replied", message: message})
	return err
}

// accepted lets a waiting mail in as its party's answer, and remembers an
// address that was not known as that person's.
func (d *decision) accepted(t ticket.Ticket, m store.Message) (ticket.Ticket, error) {
	party, err := d.tx.PartyByOrdinal(t.ID, m.Party)
	if ignoreNoRows(err) != nil {
		return t, err
	}
	if err != nil { // nobody's token: the writer becomes a follower
		party, err = d.tx.AddParty(store.Party{TicketID: t.ID, Role: ticket.Follower, Address: m.Address, Name: m.Name, Since: m.ID})
		if err != nil {
			return t, err
		}
	} else if party.Address != m.Address {
		if party, err = d.secondAddress(t, m, party); err != nil {
			return t, err
		}
	}
	if err := d.tx.ShowMessage(m.ID, store.Public, party.Ordinal, party.Role); err != nil {
		return t, err
	}
	e := ticket.Event{Type: meaning(m.Words, m.Name, t.State, false), Actor: party.Address, Role: party.Role}
	if err := d.witness(t.ID, &e); err != nil {
		return t, err
	}
	out, err := d.apply(t, e, notice{message: m.ID, event: "accepted", addressed: m.People, quiet: true, unproven: true,
		actor: m.Address, mailID: m.MailID})
	if err == nil && out.linked {
		err = d.splitOff(out.ticket, m) // too late to reopen: a ticket of its own
	}
	return out.ticket, err
}

// secondAddress remembers an address that an agent has accepted as one of the
// party's person. One that is somebody's already stays theirs: that person
// becomes a follower.
func (d *decision) secondAddress(t ticket.Ticket, m store.Message, party store.Party) (store.Party, error) {
	person, err := d.tx.PersonOf(m.Address)
	if err != nil {
		return party, err
	}
	if person == 0 {
		return party, d.tx.AddAlias(m.Address, party.PersonID)
	}
	if person == party.PersonID {
		return party, nil
	}
	return d.tx.AddParty(store.Party{TicketID: t.ID, Role: ticket.Follower, Address: m.Address, Name: m.Name, Since: m.ID})
}

// splitOff makes a ticket of its own of a waiting mail.
func (d *decision) splitOff(from ticket.Ticket, m store.Message) error {
	desk := d.s.Desk(from.Desk)
	w := writer{address: m.Address, name: m.Name}
	answerable := m.Proof != string(Forged) && m.Address != ""
	if answerable {
		var err error
		if answerable, _, err = d.firstAnswer(w, nil); err != nil {
			return err
		}
	}
	e := ticket.Event{Type: ticket.Received, Actor: m.Address, Role: ticket.Customer, Linked: true, Answerable: answerable}
	t, effects, err := ticket.Apply(ticket.Ticket{Desk: desk.Key, Subject: from.Subject}, e, desk.Policy, d.tx.Now())
	if err != nil {
		return &stopped{"apply", err.Error()}
	}
	if t.Number, err = d.nextNumber(desk); err != nil {
		return err
	}
	if t.ID, err = d.tx.AddTicket(t, m.MailID); err != nil {
		return err
	}
	p, err := d.tx.AddParty(store.Party{TicketID: t.ID, Role: ticket.Customer, Address: m.Address, Name: m.Name})
	if err != nil {
		return err
	}
	if err := d.tx.MoveMessage(m.ID, from.ID, t.ID); err != nil {
		return err
	}
	if err := d.tx.ShowMessage(m.ID, store.Public, p.Ordinal, ticket.Customer); err != nil {
		return err
	}
	if err := d.tx.LinkTickets(from.ID, t.ID, "split"); err != nil {
		return err
	}
	return d.record(ticket.None, t, e, notice{message: m.ID, event: "new-ticket", other: from.Number, stranger: true}, effects)
}

// sendBack returns a mail of which something cannot be done: nothing was.
func (d *decision) sendBack(t ticket.Ticket, w writer, p plan) error {
	d.because("commands refused")
	d.d.Reason = "commands refused, sent back"
	w.role = ticket.Agent
	id, err := d.keep(t.ID, w, store.Record, d.f.agentWords(d.in, t.ID))
	if err != nil {
		return err
	}
	return d.toAgent(t, w, ticket.RejectedCommand, args{Message: id, Lines: p.lines, Reason: p.reason, State: t.State, From: t.State})
}

// help answers #help with the commands and what each does.
func (d *decision) help(t ticket.Ticket, w writer) error {
	return d.toAgent(t, w, ticket.Receipt, args{Event: "help", State: t.State, From: t.State})
}

// toAgent queues a mail to the one agent who wrote.
func (d *decision) toAgent(t ticket.Ticket, w writer, kind ticket.Kind, a args) error {
	p, err := d.agentParty(t.ID, w.agent)
	if err != nil {
		return err
	}
	a.Next, a.Deadline, a.Closed, a.ClosedAt = t.Next, t.Deadline, t.Closed, t.ClosedAt
	if kind == ticket.ConfirmCommand {
		a.Next, a.Deadline = "", d.tx.Now().Add(confirmFor)
	}
	return d.add(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: kind, Recipient: w.agent.Address,
		Priority: priorityAgent, Args: a.json()})
}
