package mailflow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// isOwn says that a mail is the desk's own: an answer of its agents, or what
// the system before sent in its name.
func (f *Flow) isOwn(in *incoming) bool {
	s := f.Settings.Load()
	return s.Route(in.from()).Desk != nil || s.Agent(in.from()) != nil
}

// importing is the decision on one old mail.
type importing struct {
	*decision
	at  time.Time // of the mail
	own bool
	out Outcome
}

// run finds the conversation of the mail, or begins one.
func (i *importing) run() error {
	w := i.f.level(i.in)
	if w.level == Forged && i.own {
		w.level, w.reason = Unproven, "the desk's own, in an archive"
	}
	id, how, invited, err := i.conversation()
	if err != nil {
		return err
	}
	automatic := i.in.verdict.Class != ClassPerson && i.in.verdict.Class != ClassBulk && i.in.verdict.Class != ClassList
	switch {
	case id != 0:
		i.d.Reason = how
		return i.join(id, w, invited, automatic)
	case automatic && !i.own:
		i.d.Reason = fmt.Sprintf("%s: no person's, and of no conversation", i.in.verdict.Class)
		return nil
	}
	i.d.Reason = "begins a conversation"
	return i.begin(w)
}

// conversation finds the ticket of a mail: by the ids that it answers, then by
// an old number. What the system before has taken is a fact, not a claim: who
// may have part in it is asked afterwards. invited: the mail that it answers
// was also for its writer.
func (i *importing) conversation() (id int64, how string, invited bool, err error) {
	for _, mailID := range append(i.in.answered(), i.in.mail.MessageID) {
		anchors, overtaken, err := anchorsOf(i.tx, i.in, mailID)
		if err != nil {
			return 0, "", false, err
		}
		a, ok, err := i.f.pick(i.tx, anchors, overtaken, i.in)
		if err != nil {
			return 0, "", false, err
		}
		if !ok && len(anchors) == 1 && (anchors[0].Own || overtaken) {
			a, ok = anchors[0], true
		}
		if ok {
			t, err := i.f.survivor(i.tx, a.TicketID)
			return t.ID, byMessageID, slices.Contains(a.People, i.in.from()), err
		}
	}
	for _, key := range i.in.old {
		ids, err := i.tx.TicketsNumbered(key, i.in.from())
		if err != nil {
			return 0, "", false, err
		}
		if len(ids) > 0 {
			t, err := i.f.survivor(i.tx, ids[0])
			return t.ID, byOldNumber, false, err
		}
	}
	return 0, "", false, nil
}

// begin makes a closed ticket of a mail.
func (i *importing) begin(w writer) error {
	desk := i.s.Desk(i.d.Desk)
	number, err := i.nextNumber(desk)
	if err != nil {
		return err
	}
	t := ticket.Ticket{Number: number, Desk: desk.Key, State: ticket.Closed, Closed: ticket.ByAgent, Subject: subjectFor(i.in.mail),
		Created: i.at, Updated: i.at, ClosedAt: i.at, Version: 1}
	if t.ID, err = i.tx.AddTicket(t, i.in.mail.MessageID); err != nil {
		return err
	}
	visibility, err := i.firstParties(t.ID, &w)
	if err != nil {
		return err
	}
	i.out.Began = true
	return i.keepOld(t, ticket.None, w, visibility, i.in.mail.Text)
}

// firstParties are the writer, with the customer of an integrator, or to whom
// the desk has written first.
func (i *importing) firstParties(ticketID int64, w *writer) (store.Visibility, error) {
	if i.own {
		w.role = ticket.Agent
		for _, a := range i.s.strangersAmong(i.in.mail.To) {
			_, err := i.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Customer, Address: strings.ToLower(a.Address), Name: a.Name})
			return store.Public, err
		}
		return store.NoteVis, nil
	}
	if w.level == Forged {
		w.role = ticket.Customer
		return store.Public, nil // of nobody, as far as can be told
	}
	role, customer, err := i.roleOf(*w)
	if err != nil {
		return "", err
	}
	p, err := i.tx.AddParty(store.Party{TicketID: ticketID, Role: role, Address: w.address, Name: w.name})
	if err != nil {
		return "", err
	}
	w.count(p)
	if customer != nil {
		_, err = i.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Customer, Name: customer.Name,
			Address: strings.ToLower(customer.Address), AddedBy: w.address})
	}
	return store.Public, err
}

// join adds a mail to a ticket. Its state stays as it is.
func (i *importing) join(id int64, w writer, invited, automatic bool) error {
	t, err := i.tx.LockTicket(id)
	if err != nil {
		return err
	}
	visibility, err := i.who(t.ID, &w, invited, automatic)
	if err != nil {
		return err
	}
	if t.State == ticket.Closed && i.at.After(t.ClosedAt) {
		t.Updated, t.ClosedAt = i.at, i.at
		t.Version++
		if err := i.tx.SaveTicket(t); err != nil {
			return err
		}
	}
	i.out.Joined = true
	return i.keepOld(t, t.State, w, visibility, cmp.Or(i.in.mail.Reply, i.in.mail.Text))
}

// who finds the role of a writer in a conversation, and who may read the mail
// on the ticket's page: the parties what one of them wrote or got, agents the
// rest. Who was in Cc and never wrote becomes no party: a copy line is easily
// forged.
func (i *importing) who(ticketID int64, w *writer, invited, automatic bool) (store.Visibility, error) {
	if i.own {
		w.role = ticket.Agent
		toParty, err := i.toParty(ticketID)
		switch {
		case automatic:
			return store.Record, err
		case !toParty:
			return store.NoteVis, err
		}
		return store.Public, err
	}
	w.role = ticket.Follower
	if w.level == Forged {
		return store.Record, nil
	}
	p, err := i.tx.PartyOf(ticketID, w.address)
	known := err == nil && p.Active && p.Role != ticket.Agent
	if err = ignoreNoRows(err); err != nil {
		return "", err
	}
	if !known && invited && !automatic {
		since, err := i.tx.LastPublic(ticketID)
		if err != nil {
			return "", err
		}
		if p, err = i.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Follower, Address: w.address, Name: w.name, Since: since + 1}); err != nil {
			return "", err
		}
		known = true
	}
	if known {
		w.count(p)
	}
	if automatic || !known {
		return store.Record, nil
	}
	return store.Public, nil
}

// toParty says that the mail went to a party of the ticket, too.
func (i *importing) toParty(ticketID int64) (bool, error) {
	for _, list := range [][]rfc822.Address{i.in.mail.To, i.in.mail.Cc} {
		for _, a := range i.s.strangersAmong(list) {
			p, err := i.tx.PartyOf(ticketID, strings.ToLower(a.Address))
			if err == nil && p.Active && p.Role != ticket.Agent {
				return true, nil
			}
			if ignoreNoRows(err) != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// keepOld stores the message with its anchors, and a line of history.
func (i *importing) keepOld(t ticket.Ticket, before ticket.State, w writer, v store.Visibility, words string) error {
	if _, err := i.keep(t.ID, w, v, i.f.withoutSecrets(words)); err != nil {
		return err
	}
	i.out.Ticket = t.Number
	return i.tx.AddEvent(t.ID, store.HistoryEntry{At: i.at, Actor: w.address, Role: w.role, Event: imported, From: before, To: t.State,
		MailID: i.in.mail.MessageID, Reason: i.d.Reason})
}
