package mailflow

import (
	"slices"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// openedFor is an agent's new mail that begins with #customer, #integrator or
// #form, or forwards somebody's mail: it opens a ticket for that person.
func (d *decision) openedFor(w writer) (bool, error) {
	text := d.in.mail.Reply
	if text == "" {
		text = d.in.mail.Text
	}
	cmds, below := parseCommands(text)
	if len(cmds) == 0 || !slices.Contains(opening, cmds[0].name) {
		first, err := d.forwardedFor()
		if first.name == "" || err != nil {
			return false, err
		}
		// What stands above the forward was written for colleagues.
		cmds, below = append([]command{first}, cmds...), ""
	} else {
		d.in.forwarded = nil // its words are the agent's
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
	id, err := d.keepOpening(t, p)
	if err != nil {
		return err
	}
	d.opened, d.number, d.d.Reason = true, t.Number, "opened by an agent"
	n := notice{message: id, event: string(e.Type), fromAgent: true}
	p.told = p.told || e.Type == ticket.FormSent // nothing else tells the agent of it
	if err := d.record(ticket.None, t, e, n, effects); err != nil {
		return err
	}
	if e.Type != ticket.FormSent { // of which all agents are told
		if err := d.tellAssigned(t, ticket.Event{Actor: p.w.address, Assignee: t.Assignee}); err != nil {
			return err
		}
	}
	return d.receipt(t, p, id)
}

// forwardedFor is the command that a forward stands for: the ticket is that of
// who wrote the mail. It has no name where nobody is to be found.
func (d *decision) forwardedFor() (command, error) {
	fw := d.in.forwarded
	if fw == nil {
		return command{}, nil
	}
	address := strings.ToLower(fw.From.Address)
	if d.mayBeParty(address) != "" {
		return command{}, nil
	}
	orgs, err := d.tx.IntegratorFor(address)
	name := "customer"
	if len(orgs) > 0 {
		name = "integrator"
	}
	return command{name: name, arg: address, line: "#" + name + " " + address}, err
}

// keepOpening stores what a ticket that an agent opens begins with: the
// agent's words, or those of who wrote the mail that is forwarded. What the
// agent wrote above a forward is a note.
func (d *decision) keepOpening(t ticket.Ticket, p *plan) (int64, error) {
	fw := d.in.forwarded
	if fw == nil {
		return d.keep(t.ID, p.w, store.Public, p.words)
	}
	self, err := d.tx.PartyByAddress(t.ID, strings.ToLower(fw.From.Address))
	if err != nil {
		return 0, err
	}
	w := writer{address: self.Address, name: fw.From.Name, level: Unproven, reason: "forwarded by " + p.w.address}
	w.count(self)
	id, err := d.keep(t.ID, w, store.Public, d.f.withoutSecrets(fw.Text))
	_, cover := parseCommands(fw.Cover)
	if err != nil || cover == "" {
		return id, err
	}
	_, err = d.tx.AddMessage(store.Message{TicketID: t.ID, At: d.d.Received, Address: p.w.address, Name: p.w.name, Party: -1,
		Role: ticket.Agent, Visibility: store.NoteVis, Proof: string(p.w.level), Reason: p.w.reason, Words: cover}, nil)
	return id, err
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
