package mailflow

import (
	"fmt"

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
	answered, err := d.tx.OutboxByID(t.row)
	if ignoreNoRows(err) != nil {
		return err
	}
	p, err := d.check(t.ticket, w, cmds, words, argsOf(answered).Message)
	if err != nil {
		return err
	}
	if rfc822.IsForward(d.in.mail, d.in.mail.Text) && len(cmds) == 0 {
		// What is forwarded to us was written for somebody else: it is never public.
		p = &plan{t: t.ticket, w: w, words: d.in.mail.Text, note: true, said: true}
		d.because("a forward: kept as a note")
	}
	if len(cmds) == 0 && !p.said {
		p.fail(-1, "Nothing new stands above the line: write your answer there, not below or between what is quoted.")
	}
	if p.failed {
		return d.sendBack(p)
	}
	if p.help {
		if err := d.help(t.ticket, w); err != nil {
			return err
		}
	}
	crossed, err := d.crossed(p, answered)
	if err != nil {
		return err
	}
	now, message, err := d.carryOut(p)
	if err != nil {
		return err
	}
	if err := d.tellCrossed(now, p, message, crossed); err != nil {
		return err
	}
	return d.receipt(now, p, message)
}

// carryOut does a plan that was checked, and gives the ticket as it is then
// and the message that was posted.
func (d *decision) carryOut(p *plan) (ticket.Ticket, int64, error) {
	now := p.t
	message, err := d.post(now.ID, p)
	if err != nil {
		return now, 0, err
	}
	voices := p.voices()
	for _, s := range p.steps {
		n := notice{reason: s.reason}
		if s.says() {
			n.event = string(s.event.Type)
			if voices--; voices == 0 && p.said && !p.note {
				n.message = message
			}
		}
		if now, err = d.take(now, p, s, n, message); err != nil {
			return now, message, err
		}
	}
	switch {
	case p.note:
		now, err = d.step(now, p.event(ticket.Note), notice{})
	case p.said && p.voices() == 0:
		now, err = d.step(now, p.event(ticket.Reply), notice{event: "replied", message: message})
	}
	if err != nil {
		return now, message, err
	}
	if err := d.tellChanges(now, p); err != nil {
		return now, message, err
	}
	for _, tell := range p.after {
		if err := tell(now); err != nil {
			return now, message, err
		}
	}
	return now, message, nil
}

// waitingMail names a mail that waited, for a receipt.
func (d *decision) waitingMail(t ticket.Ticket, m store.Message) string {
	desk := d.s.Desk(t.Desk)
	return fmt.Sprintf("the mail of %s of %s", m.Address, m.At.In(desk.Zone).Format("2006-01-02 15:04"))
}

// step applies one of an agent's own events.
func (d *decision) step(t ticket.Ticket, e ticket.Event, n notice) (ticket.Ticket, error) {
	n.fromAgent = n.message != 0
	n.addressed = d.addressed()
	out, err := d.apply(t, e, n)
	return out.ticket, err
}

// post stores an agent's words: public, or for agents only. A mail of
// commands alone posts nothing and is kept as a record.
func (d *decision) post(ticketID int64, p *plan) (int64, error) {
	visibility := store.Public
	switch {
	case !p.said:
		visibility = store.Record
	case p.note:
		visibility = store.NoteVis
	}
	id, err := d.keep(ticketID, p.w, visibility, p.words)
	if err != nil || visibility != store.Public {
		return id, err
	}
	return id, d.addCopied(ticketID, p.w)
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

// sendBack returns a mail of which something cannot be done: nothing was.
func (d *decision) sendBack(p *plan) error {
	d.because("commands refused")
	d.d.Reason = "commands refused, sent back"
	t, w := p.t, p.w
	id, err := d.keep(t.ID, w, store.Record, d.f.agentWords(d.in, t.ID))
	if err != nil {
		return err
	}
	return d.toAgent(t, w, ticket.RejectedCommand, args{Message: id, Lines: p.lines, Reason: p.reason, State: t.State, From: t.State})
}
