package mailflow

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// notice is what the mails about an event are to say besides what its ticket
// says.
type notice struct {
	message   int64  // whose words they carry; 0: none
	event     string // the code that agents are shown
	reason    string
	other     string   // number of another ticket
	addressed []string // who has the mail already
	stranger  bool     // the answered person has proven nothing
	first     bool     // a stranger's first mail
	fromAgent bool     // the words are an agent's
	quiet     bool     // agents know already
	unproven  bool     // the actor has not proven more than a token: no words come back
	silent    bool     // the actor is not answered at all
	spared    []string // addresses that get no mail of this event
	actor     string   // for the history, where another than the event's wrote
	mailID    string   // likewise
	step      string   // for the history: what the clock did
	asked     string   // the party who is to answer; "": all are
	was       string   // key of the desk that had the ticket so far
	quietly   bool     // what parties are told of it stands in another mail
}

// args is what an outbox row keeps for composing, as JSON: ids and codes of
// the moment, never sentences.
type args struct {
	Message  int64         `json:"message,omitempty"`
	Event    string        `json:"event,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Other    string        `json:"other,omitempty"`
	Was      string        `json:"was,omitempty"` // key of the desk that had the ticket
	Stranger bool          `json:"stranger,omitempty"`
	Words    bool          `json:"words,omitempty"` // an agent's words: a person wrote this mail
	Mute     bool          `json:"mute,omitempty"`  // the reader's own words are not sent back
	First    bool          `json:"first,omitempty"` // the first answer to a stranger
	From     ticket.State  `json:"from,omitempty"`
	State    ticket.State  `json:"state,omitempty"`
	Closed   ticket.Reason `json:"closed,omitempty"`
	Next     ticket.Kind   `json:"next,omitempty"`
	Deadline time.Time     `json:"deadline,omitzero"`
	ClosedAt time.Time     `json:"closed_at,omitzero"`
	N        int           `json:"n,omitempty"`
	M        int           `json:"m,omitempty"`
	// Resolution is the ticket's at that moment: a word on it holds for no
	// later one.
	Resolution int `json:"resolution,omitempty"`
	// Delivery is the mail that a confirmation or a refusal speaks of, Lines
	// its commands with what was wrong.
	Delivery int64       `json:"delivery,omitempty"`
	Lines    []argLine   `json:"lines,omitempty"`
	Times    []time.Time `json:"times,omitempty"`
	Count    int         `json:"count,omitempty"`
	Used     bool        `json:"used,omitempty"` // a confirmation works once
	Failed   int64       `json:"failed,omitempty"`
	Asked    string      `json:"asked,omitempty"`   // the party who is to answer
	Waiting  int         `json:"waiting,omitempty"` // mails that wait for an agent
	Items    []argItem   `json:"items,omitempty"`   // of several notifications in one mail
	Changes  []argChange `json:"changes,omitempty"` // of what parties are told
}

type argLine struct {
	Text   string `json:"text"`
	Reason string `json:"reason,omitempty"`
	OK     bool   `json:"ok,omitempty"`
}

func (a args) json() string {
	b, _ := json.Marshal(a)
	return string(b)
}

func argsOf(o store.Outbox) (a args) {
	json.Unmarshal([]byte(o.Args), &a)
	return a
}

// applied is what one event did.
type applied struct {
	ticket ticket.Ticket
	linked bool // the mail came too late: it begins a ticket of its own
}

// apply is stages 6 to 8 for one event on a stored ticket.
func (d *decision) apply(t ticket.Ticket, e ticket.Event, n notice) (applied, error) {
	desk := d.s.Desk(t.Desk)
	if desk == nil {
		return applied{}, &stopped{"apply", "the desk " + t.Desk + " is no longer configured"}
	}
	e.Words = e.Words || n.fromAgent
	after, effects, err := ticket.Apply(t, e, d.s.policyAfter(t, e), d.tx.Now())
	if err != nil {
		return applied{}, err
	}
	if err := d.settled(t, &after, e, effects); err != nil {
		return applied{}, err
	}
	out := applied{ticket: after, linked: slices.Contains(effects, ticket.OpenLinked)}
	if after != t {
		if err := d.tx.SaveTicket(after); err != nil {
			return out, err
		}
	}
	return out, d.record(t.State, after, e, n, effects)
}

// settled does what follows from a change besides mails: the number of a
// ticket that needs one now, and the end of what is no longer to be said.
func (d *decision) settled(before ticket.Ticket, after *ticket.Ticket, e ticket.Event, effects []ticket.Effect) (err error) {
	if after.NeedsNumber() {
		if after.Number, err = d.nextNumber(d.s.Desk(after.Desk)); err != nil {
			return err
		}
		d.number = after.Number
		d.because("number %s", after.Number)
	}
	if e.Type == ticket.Submitted && before.FormFor == e.Actor {
		// The form behind the mailed link proves the mailbox: the next first
		// mail gets a link again.
		if err := d.tx.DropBudget(firstAnswerBudget(before.Desk, e.Actor)); err != nil {
			return err
		}
	}
	asked := before.State == ticket.Pending || before.State == ticket.Frozen || before.State == ticket.Resolved
	if asked && after.State != before.State && e.Type != ticket.Deadline {
		if err := d.tx.CancelChases(after.ID); err != nil {
			return err
		}
	}
	tells := slices.ContainsFunc(effects, func(f ticket.Effect) bool { return f.To == ticket.Parties || f.To == ticket.Others })
	if e.Role == ticket.Agent && tells && after.State != ticket.Closed {
		return d.tellAll(after.ID)
	}
	return nil
}

// tellAll lets those whom only a form has named get the mails of the ticket
// from now on: an agent has seen what it says.
func (d *decision) tellAll(ticketID int64) error {
	parties, err := d.tx.Parties(ticketID)
	if err != nil || !slices.ContainsFunc(parties, func(p store.Party) bool { return p.Untold }) {
		return err
	}
	return d.tx.TellAll(ticketID)
}

// record writes the history and queues the mails of an event.
func (d *decision) record(before ticket.State, t ticket.Ticket, e ticket.Event, n notice, effects []ticket.Effect) error {
	err := d.tx.AddEvent(t.ID, store.HistoryEntry{At: d.tx.Now(), Actor: cmp.Or(n.actor, e.Actor), Role: e.Role, Event: e.Type,
		From: before, To: t.State, MailID: cmp.Or(n.mailID, d.mailID()), Reason: cmp.Or(n.reason, n.step)})
	if err != nil {
		return err
	}
	d.because("%s: %s", e.Type, changed(before, t.State))
	for _, effect := range effects {
		if effect == ticket.OpenLinked || effect.To == ticket.Agents && n.quiet || effect.Mail == ticket.Update && n.quietly {
			continue
		}
		if err := d.queue(before, t, effect, e, n); err != nil {
			return err
		}
	}
	return nil
}

func changed(from, to ticket.State) string {
	if from == to {
		return "stays " + string(to)
	}
	return strings.TrimSpace(string(from) + " → " + string(to))
}

func (d *decision) mailID() string {
	if d.in == nil {
		return ""
	}
	return d.in.mail.MessageID
}

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
		if err := d.recall(t.ID, &a); err != nil {
			return err
		}
	}
	a.Stranger = n.stranger && isFirstAnswer(effect.Mail)
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
	row, err := d.tx.QueuedLater(w.address, d.d.Desk)
	if err == sql.ErrNoRows {
		a := args{Count: 1, Times: []time.Time{d.d.Received}}
		return d.add(store.Outbox{Desk: d.d.Desk, Party: -1, Kind: ticket.AlsoReceived, Recipient: w.address,
			Priority: priorityLater, Due: due, Args: a.json()})
	}
	if err != nil {
		return err
	}
	a := argsOf(row)
	a.Count++
	if len(a.Times) < 20 {
		a.Times = append(a.Times, d.d.Received)
	}
	return d.tx.SetArgs(row.ID, a.json())
}
