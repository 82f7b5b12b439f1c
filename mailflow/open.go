package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// begin makes a ticket of a mail that belongs to none.
func (d *decision) begin(t thread, w writer) error {
	joined, err := d.join(w)
	if joined || err != nil {
		return err
	}
	if joined, err := d.flood(w); joined || err != nil {
		return err
	}
	role, customer, err := d.roleOf(w)
	if err != nil {
		return err
	}
	if w.role = role; d.awaitsForm(w) {
		customer = nil // the form asks for which customer it is
	}
	n := notice{event: "new-ticket", addressed: d.addressed(), other: t.names, stranger: w.level != Proven}
	switch {
	case t.names != "":
		n.event = "names-other"
	case t.cameFrom != "":
		n.event, n.other = "new-topic", t.cameFrom
	}
	id, err := d.create(w, customer, ticket.Event{Type: ticket.Received, Actor: w.address, Role: role}, n)
	if err != nil {
		return err
	}
	if err := d.linkTwins(id); err != nil {
		return err
	}
	return d.linkNamed(id, n.other)
}

// followUp is a mail to a ticket that was closed too long ago to reopen: it
// becomes a ticket of its own, linked with the old one, without a form.
func (d *decision) followUp(t thread, w writer, message int64) error {
	if w.role = w.party.Role; w.role != ticket.Integrator {
		w.role = ticket.Customer // who is alone on a ticket is its customer
	}
	e := ticket.Event{Type: ticket.Received, Actor: w.address, Role: w.role, Linked: true}
	n := notice{event: "new-ticket", addressed: d.addressed(), other: t.ticket.Number, stranger: w.level == Unproven}
	from := t.ticket.ID
	d.moved = message
	id, err := d.create(w, nil, e, n)
	if err != nil {
		return err
	}
	if err := d.tx.MoveMessage(message, from, id); err != nil {
		return err
	}
	if err := d.anchorNumbers(id, message, w); err != nil { // from now on they mean this one
		return err
	}
	self, err := d.tx.PartyByAddress(id, w.address)
	if err != nil {
		return err
	}
	if err := d.tx.ShowMessage(message, store.Public, self.Ordinal, self.Role); err != nil {
		return err
	}
	d.d.TicketID = id
	return d.tx.LinkTickets(from, id, "follows a closed ticket")
}

// create stores a new ticket with its first message and parties, and tells
// those whom the rules name.
func (d *decision) create(w writer, customer *rfc822.Address, e ticket.Event, n notice) (int64, error) {
	e.Answerable = d.mayAnswer(w)
	if e.Answerable && w.level == Unproven {
		first, spared, err := d.firstAnswer(w, customer)
		if err != nil {
			return 0, err
		}
		e.Answerable, n.first, n.spared = first, true, spared
	}
	desk := d.s.Desk(d.d.Desk)
	t := ticket.Ticket{Desk: desk.Key, Subject: subjectFor(d.in.mail)}
	after, effects, err := ticket.Apply(t, e, desk.Policy, d.tx.Now())
	if err != nil {
		return 0, &stopped{"apply", err.Error()}
	}
	if after.NeedsNumber() {
		if after.Number, err = d.nextNumber(desk); err != nil {
			return 0, err
		}
	}
	if after.Assignee, err = d.managerFor(desk.Key, w, customer); err != nil {
		return 0, err
	}
	if after.ID, err = d.tx.AddTicket(after, d.in.mail.MessageID); err != nil {
		return 0, err
	}
	if n.message, err = d.people(after.ID, w, customer); err != nil {
		return 0, err
	}
	if err := d.chainOn(after.ID); err != nil {
		return 0, err
	}
	d.opened, d.number = true, after.Number
	if d.d.Reason == "" {
		d.d.Reason = n.event
	}
	d.because("new ticket %s", cmp.Or(after.Number, "without a number, "+string(after.State)))
	return after.ID, d.record(ticket.None, after, e, n, effects)
}

// people gives a new ticket its parties and its first message.
func (d *decision) people(ticketID int64, w writer, customer *rfc822.Address) (int64, error) {
	if w.level != Forged { // a forged address is nobody's: an agent names the customer
		p, err := d.tx.AddParty(store.Party{TicketID: ticketID, Role: w.role, Address: w.address, Name: w.name,
			Proven: w.level == Proven || w.level == OwnToken})
		if err != nil {
			return 0, err
		}
		w.party = &p
	}
	if customer != nil {
		if _, err := d.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Customer, Name: customer.Name,
			Address: strings.ToLower(customer.Address), AddedBy: w.address}); err != nil {
			return 0, err
		}
	}
	if err := d.addIntegrators(ticketID, 0, w); err != nil {
		return 0, err
	}
	message := d.moved
	if message == 0 {
		var err error
		if message, err = d.keep(ticketID, w, store.Public, d.in.mail.Text); err != nil {
			return 0, err
		}
	}
	return message, d.addCopied(ticketID, w)
}

// roleOf finds in which role a writer begins a ticket. An integrator's has as
// customer the one contact of his customers in To or Cc.
func (d *decision) roleOf(w writer) (ticket.Role, *rfc822.Address, error) {
	orgs, err := d.tx.IntegratorFor(w.address)
	if err != nil || len(orgs) == 0 || w.level == Forged {
		return ticket.Customer, nil, err
	}
	var found []rfc822.Address
	for _, a := range slices.Concat(d.in.mail.To, d.in.mail.Cc) {
		for _, o := range orgs {
			i := slices.IndexFunc(o.Contacts, func(c store.Contact) bool { return strings.EqualFold(c.Address, a.Address) })
			if i >= 0 {
				if a.Name == "" {
					a.Name = o.Contacts[i].Name
				}
				found = append(found, a)
				break
			}
		}
	}
	if len(found) != 1 {
		return ticket.Integrator, nil, nil
	}
	return ticket.Integrator, &found[0], nil
}

// nextNumber gives the next number of a desk. Desks with one pattern share one
// counter, so that a number is unique over the gateway.
func (d *decision) nextNumber(desk *Desk) (string, error) {
	n, err := d.tx.NextNumber("number " + desk.Number)
	return fmt.Sprintf(desk.Number, n), err
}

// flood joins mails to the first ticket once an address has opened more than
// floodTickets of one subject within floodPeriod: two machines talk to each
// other, or one has lost its mind. Trusted networks are exempt.
func (d *decision) flood(w writer) (bool, error) {
	if d.s.trusts(d.d.Client) {
		return false, nil
	}
	key := fmt.Sprintf("tickets %s %s %x", d.d.Desk, w.address, hashOf(core(d.in.mail.Subject)))
	count, _, first, err := d.tx.Spend(key, floodPeriod, d.d.ID)
	if err != nil || count <= floodTickets {
		return false, err
	}
	begun, err := d.tx.DeliveryByID(first)
	if err != nil || begun.TicketID == 0 {
		return false, err
	}
	d.d.Reason = fmt.Sprintf("more than %d new tickets of one subject in %s", floodTickets, floodPeriod)
	d.because("%s: joins the first, unanswered", d.d.Reason)
	w.role = ticket.Customer
	id, err := d.keep(begun.TicketID, w, store.Record, d.in.mail.Text)
	if err != nil || count > floodTickets+1 {
		return true, err
	}
	t, err := d.tx.LockTicket(begun.TicketID)
	if err != nil {
		return true, err
	}
	return true, d.toAgents(t, args{Message: id, Event: "loop", Reason: d.d.Reason, From: t.State, State: t.State})
}

// toAgents notifies the agents of a ticket of something that is no event.
func (d *decision) toAgents(t ticket.Ticket, a args) error {
	agents, err := d.agents(t, "")
	for _, p := range agents {
		if err := d.notify(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: ticket.Notification,
			Recipient: p.Address, Priority: priorityAgent}, a); err != nil {
			return err
		}
	}
	return err
}

// core is a subject without what counts up in it.
func core(subject string) string {
	return strings.TrimSpace(digits.ReplaceAllString(topic(subject), ""))
}

// firstAnswer says whether a stranger may get an answer now, and who of those
// told along with him may not: one in 24 hours for each address and desk.
// Later mails of that time become tickets all the same; one mail tells of them
// together when the time is over.
//
// The customer that an integrator names, and a customer's integrators, count
// likewise: else a forger could have us write to them as often as he invents
// writers.
func (d *decision) firstAnswer(w writer, customer *rfc822.Address) (first bool, spared []string, err error) {
	count, began, _, err := d.tx.Spend(firstAnswerBudget(d.d.Desk, w.address), firstAnswerPeriod, d.d.ID)
	if err != nil {
		return false, nil, err
	}
	others, err := d.integratorsOf(w)
	if err != nil {
		return false, nil, err
	}
	if customer != nil {
		others = append(others, store.Contact{Address: strings.ToLower(customer.Address)})
	}
	for _, other := range others {
		n, _, _, err := d.tx.Spend(firstAnswerBudget(d.d.Desk, other.Address), firstAnswerPeriod, d.d.ID)
		if err != nil {
			return false, nil, err
		}
		if n > 1 {
			spared = append(spared, other.Address)
			d.because("no answer to %s: this address had one within 24 hours", other.Address)
		}
	}
	if count == 1 {
		return true, spared, nil
	}
	d.because("no answer: this address had one within 24 hours")
	return false, spared, d.alsoReceived(w, began.Add(firstAnswerPeriod))
}

func firstAnswerBudget(desk, address string) string { return "first answer " + desk + " " + address }

// linkTwins links the tickets of one mail to several desks.
func (d *decision) linkTwins(id int64) error {
	twins, err := d.tx.TicketsOfRaw(d.d.RawID)
	if err != nil {
		return err
	}
	for _, other := range twins {
		if other == id {
			continue
		}
		if err := d.tx.LinkTickets(id, other, "one mail to several desks"); err != nil {
			return err
		}
	}
	return nil
}

// linkNamed links a ticket with the one whose number it names, for agents to
// see.
func (d *decision) linkNamed(id int64, number string) error {
	if number == "" {
		return nil
	}
	other, err := d.tx.TicketByNumber(number)
	if err != nil {
		return err
	}
	return d.tx.LinkTickets(id, other.ID, "named by a mail")
}

// subjectFor is a new ticket's subject, without answer prefixes and tags.
func subjectFor(m *rfc822.Mail) string {
	s := answerPrefixes.ReplaceAllString(anyTag.ReplaceAllString(m.Subject, " "), "")
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxTicketSubject {
		s = string(r[:maxTicketSubject])
	}
	return s
}
