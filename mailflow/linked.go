package mailflow

import (
	"cmp"
	"slices"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// linkedTicket begins a ticket with a message that another one holds: it needs
// no form, and the two are linked. What it sends is left to the caller.
func (d *decision) linkedTicket(from, t ticket.Ticket, w writer, customer *rfc822.Address, m store.Message, answerable bool, why string) (ticket.Ticket, []ticket.Effect, error) {
	desk := d.s.Desk(from.Desk)
	if desk == nil {
		return t, nil, &stopped{"apply", "the desk " + from.Desk + " is no longer configured"}
	}
	t.Desk, t.Subject = desk.Key, cmp.Or(t.Subject, from.Subject)
	e := ticket.Event{Type: ticket.Received, Actor: w.address, Role: w.role, Linked: true, Answerable: answerable}
	t, effects, err := ticket.Apply(t, e, desk.Policy, d.tx.Now())
	if err != nil {
		return t, nil, &stopped{"apply", err.Error()}
	}
	if t.Number, err = d.nextNumber(desk); err != nil {
		return t, nil, err
	}
	if t.Assignee, err = d.managerFor(desk.Key, w, customer); err != nil {
		return t, nil, err
	}
	if t.ID, err = d.tx.AddTicket(t, m.MailID); err != nil {
		return t, nil, err
	}
	p, err := d.tx.AddParty(store.Party{TicketID: t.ID, Role: w.role, Address: w.address, Name: w.name,
		Proven: w.level == Proven || w.level == OwnToken})
	if err != nil {
		return t, nil, err
	}
	if err := d.addIntegrators(t.ID, 0, w); err != nil {
		return t, nil, err
	}
	if err := d.tx.MoveMessage(m.ID, from.ID, t.ID); err != nil {
		return t, nil, err
	}
	if err := d.tx.ShowMessage(m.ID, store.Public, p.Ordinal, p.Role); err != nil {
		return t, nil, err
	}
	return t, effects, d.tx.LinkTickets(from.ID, t.ID, why)
}

// splitOff makes a ticket of its own of a waiting mail.
func (d *decision) splitOff(from ticket.Ticket, m store.Message) error {
	w := writer{address: m.Address, name: m.Name, role: ticket.Customer, level: Level(m.Proof)}
	orgs, err := d.tx.IntegratorFor(m.Address)
	if err != nil {
		return err
	}
	if len(orgs) > 0 && w.level != Forged {
		w.role = ticket.Integrator
	}
	answerable := w.level != Forged && m.Address != ""
	var spared []string
	if answerable {
		if answerable, spared, err = d.firstAnswer(w, nil); err != nil {
			return err
		}
	}
	t, effects, err := d.linkedTicket(from, ticket.Ticket{}, w, nil, m, answerable, "split")
	if err != nil {
		return err
	}
	e := ticket.Event{Type: ticket.Received, Actor: w.address, Role: w.role}
	return d.record(ticket.None, t, e, notice{message: m.ID, event: "new-ticket", other: from.Number, stranger: true, spared: spared}, effects)
}

// formFollows takes a form that comes for a ticket which was closed too long
// ago to reopen: as an answer by mail would, it begins a ticket of its own.
func (d *decision) formFollows(from ticket.Ticket, p store.Party, s Submission, m store.Message) (Submitted, error) {
	w := writer{address: p.Address, name: p.Name, role: p.Role, level: OwnToken}
	if w.role != ticket.Integrator {
		w.role = ticket.Customer
	}
	var t ticket.Ticket
	d.classifyBy(&t, &s.Answers)
	var customer *rfc822.Address
	if s.Answers.Customer != "" {
		customer = &rfc822.Address{Name: s.Answers.CustomerName, Address: s.Answers.Customer}
	}
	t, effects, err := d.linkedTicket(from, t, w, customer, m, true, "follows a closed ticket")
	if err != nil {
		return Submitted{}, err
	}
	self, err := d.tx.PartyByAddress(t.ID, p.Address)
	if err != nil {
		return Submitted{}, err
	}
	if err := d.addCustomer(t, self, &s.Answers, m.ID); err != nil {
		return Submitted{}, err
	}
	e := ticket.Event{Type: ticket.Received, Actor: w.address, Role: w.role}
	return Submitted{Number: t.Number, Link: self.Link},
		d.record(ticket.None, t, e, notice{message: m.ID, event: "form", other: from.Number}, effects)
}

// tooLate says that an event no longer touches the ticket: it begins another.
func (d *decision) tooLate(t ticket.Ticket, e ticket.Event) bool {
	_, effects, err := ticket.Apply(t, e, d.s.policyAfter(t, e), d.tx.Now())
	return err == nil && slices.Contains(effects, ticket.OpenLinked)
}
