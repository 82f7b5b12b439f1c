package mailflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

const (
	// Copies of one mail are recognised for a week; without Message-ID or
	// Date, where two honest mails may be alike, for an hour.
	duplicateFor      = 7 * 24 * time.Hour
	duplicateForBare  = time.Hour
	maxTicketSubject  = 250 // characters
	maxWhyLines       = 40
	floodTickets      = 20
	floodPeriod       = 10 * time.Minute
	firstAnswerPeriod = 24 * time.Hour
)

// decision is the transaction that decides on one delivery.
type decision struct {
	f  *Flow
	s  *Settings
	tx *store.Tx
	in *incoming
	d  store.Delivery // as it will be stored

	why     []string
	queued  bool          // rows were added to the outbox
	lend    time.Duration // how long new rows are leased; 0: they wait in the outbox
	lent    []Lent
	lanes   []string // of the rows that were added
	opened  bool
	twice   bool           // a copy of an earlier mail
	number  string         // of the ticket that it became part of, for the log
	moved   int64          // the message that a new ticket begins with, where it is stored already
	chain   int64          // the ticket with which a machine's answers to us began; 0: it is none
	calm    bool           // no first answer waits for somebody's look
	quiet   string         // the address that gets no automatic mail, since it answers all of them
	changes []argChange    // that parties are still to be told of
	mailed  []store.Outbox // the mails to parties
	toldCut bool           // one of them tells the writer that his mail was cut
}

// decide is stages 4 to 8 of one delivery, in one transaction.
func (f *Flow) decide(j *job) error {
	var dec *decision
	ctx := context.Background()
	if j.d.Priority == 0 {
		ctx = store.Urgent(ctx)
	}
	lend := f.lends(j.d.Priority == 0)
	err := f.DB.Update(ctx, "decide", func(tx *store.Tx) error {
		dec = nil
		if err := tx.LockThread(hashOf(j.in.root())); err != nil {
			return err
		}
		if tx.Engine() != "sqlite" { // where nobody else can have it, FinishHeldDelivery suffices
			mine, err := tx.HasDelivery(j.d.ID)
			if err != nil || !mine {
				return err
			}
		}
		dec = &decision{f: f, s: f.Settings.Load(), tx: tx, in: j.in, d: j.d, lend: lend}
		dec.d.State = store.DeliveryDone
		j.in.describe(&dec.d)
		if err := dec.run(); err != nil {
			return err
		}
		dec.d.Why = dec.reasons()
		mine, err := tx.FinishHeldDelivery(dec.d)
		if err != nil {
			return err
		}
		if !mine {
			return errNotMine
		}
		return dec.gatherLent()
	})
	if errors.Is(err, errNotMine) {
		return nil // another gateway has it
	}
	if err == nil && dec != nil {
		dec.told()
	}
	return err
}

// errNotMine undoes a decision on a delivery that another has decided on.
var errNotMine = errors.New("the delivery is another's")

// hashOf is a key for locks: 63 bits of the id.
func hashOf(id string) int64 {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(id)))
	return int64(h.Sum64() >> 1)
}

func (d *decision) because(format string, args ...any) {
	if len(d.why) < maxWhyLines {
		d.why = append(d.why, fmt.Sprintf(format, args...))
	}
}

func (d *decision) reasons() string {
	b, _ := json.Marshal(d.why)
	return string(b)
}

// told writes the log's line and wakes the sender, after the commit.
func (d *decision) told() {
	f, log := d.f, d.f.Log
	if d.twice {
		f.Count.Duplicates.Add(1)
	}
	switch {
	case d.d.State == store.DeliverySetAside:
		f.Count.SetAside.Add(1)
		log.Info("set aside", KeyMail, d.d.ID, "reason", d.d.Reason)
	case d.opened:
		f.Count.Opened.Add(1)
		log.Info("opened", KeyMail, d.d.ID, KeyTicket, d.number, "reason", d.d.Reason)
	case d.d.TicketID != 0:
		f.Count.Threaded.Add(1)
		log.Info("threaded", KeyMail, d.d.ID, KeyTicket, d.number, "by", d.d.Reason)
	default:
		log.Info("recorded", KeyMail, d.d.ID, "reason", d.d.Reason)
	}
	if len(d.lent) > 0 {
		f.Lent(d.lent)
	}
	if d.queued {
		f.Outgoing()
	}
}

func (d *decision) setAside(reason string) error {
	d.d.State, d.d.Stop, d.d.Reason = store.DeliverySetAside, "classify", reason
	return nil
}

// run takes the delivery to what it becomes.
func (d *decision) run() error {
	if done, err := d.duplicate(); done || err != nil {
		return err
	}
	v := d.in.verdict
	d.because("class %s: %s", v.Class, v.Reason)
	if d.in.cut != nil {
		d.because("larger than %d bytes, only its beginning was fetched: %s has all of it", d.in.cut.limit, d.in.cut.whole())
	}
	if row := d.f.bounceTo(d.in); row != 0 {
		return d.bounced(row)
	}
	if d.in.confirmed != nil || d.f.confirmToken(d.in) {
		return d.confirm(d.f.confirms(d.in))
	}
	if d.in.about != 0 {
		return d.bounced(d.in.about)
	}
	t, err := d.f.thread(d.tx, d.in)
	if err != nil {
		return err
	}
	w, err := d.f.people(d.tx, d.in, t)
	if err != nil {
		return err
	}
	d.because("sender %s: %s", w.level, w.reason)
	if err := d.loops(t, w); err != nil {
		return err
	}
	if t.how == "" {
		return d.withoutTicket(t, w)
	}
	d.because("thread: %s", t.how)
	d.number = t.ticket.Number
	twins, err := d.tx.TicketsOfRaw(d.d.RawID)
	if err != nil {
		return err
	}
	if slices.Contains(twins, t.ticket.ID) {
		// The mail went to another desk, too, and has acted there.
		d.d.TicketID, d.d.Reason = t.ticket.ID, "the copy of another desk has done it"
		d.because("%s", d.d.Reason)
		return nil
	}
	return d.withTicket(t, w)
}

// duplicate recognises a mail that came before: the same one again is linked
// and forgotten, another copy of it (a list's, say) is kept with its ticket.
func (d *decision) duplicate() (bool, error) {
	since := d.d.Received.Add(-duplicateFor)
	if d.in.copyHash == nil {
		since = d.d.Received.Add(-duplicateForBare)
	} else if has, err := d.tx.HasCopy(d.in.copyHash, since, d.d.ID); err != nil || !has {
		return false, err
	}
	first, ok, err := d.tx.SameContent(d.in.contentHash, d.in.copyHash, since, d.d.ID)
	if err != nil {
		return false, err
	}
	if ok {
		d.twice = true
		d.d.TicketID, d.d.MessageID = first.TicketID, first.MessageID
		d.d.Reason = fmt.Sprintf("duplicate of mail %d", first.ID)
		d.because("%s", d.d.Reason)
		return true, nil
	}
	if d.in.copyHash == nil {
		return false, nil
	}
	first, ok, err = d.tx.SameMail(d.in.copyHash, since, d.d.ID)
	if err != nil || !ok {
		return false, err
	}
	d.twice = true
	d.d.Reason = fmt.Sprintf("another copy of mail %d", first.ID)
	d.because("%s", d.d.Reason)
	w := d.f.level(d.in)
	_, err = d.keep(first.TicketID, w, store.Record, d.in.mail.Text)
	return true, err
}

// withoutTicket is a mail that no anchor ties to a ticket.
func (d *decision) withoutTicket(t thread, w writer) error {
	if w.agent != nil && d.in.verdict.Class == ClassPerson {
		if done, err := d.openedFor(w); done || err != nil {
			return err
		}
	}
	switch d.in.verdict.Class {
	case ClassPerson, ClassBulk, ClassList:
		return d.begin(t, w)
	}
	return d.setAside(fmt.Sprintf("%s: %s", d.in.verdict.Class, d.in.verdict.Reason))
}

// withTicket is a mail about a known ticket.
func (d *decision) withTicket(t thread, w writer) error {
	d.d.Reason = t.how
	if d.in.verdict.Class != ClassPerson && !d.partnerSystem(t, w) {
		return d.automatic(t, w)
	}
	if w.agent != nil {
		return d.fromAgent(t, w)
	}
	if w.waits != "" {
		return d.wait(t, w)
	}
	return d.fromParty(t, w)
}

// partnerSystem recognises the words of people that come through a machine,
// such as a partner's own ticket system: it bears a party's token and new
// text, or is configured and bears its own number, and is neither a vacation
// nor a receipt nor a report. It counts as that party's answer and is never
// answered automatically.
func (d *decision) partnerSystem(t thread, w writer) bool {
	class := d.in.verdict.Class
	return (class == ClassBulk || class == ClassList) && w.agent == nil && d.in.mail.Reply != "" &&
		(d.in.number != "" || t.owner != nil && t.owner.Role != ticket.Agent)
}

// automatic keeps a mail that no person wrote: it changes nothing, and what
// agents' programs send by themselves is told to nobody.
func (d *decision) automatic(t thread, w writer) error {
	d.d.Reason = fmt.Sprintf("%s, kept with its ticket", d.in.verdict.Class)
	if w.agent != nil {
		w.role = ticket.Agent
	} else if w.role == "" {
		w.role = ticket.Follower
	}
	if _, err := d.keep(t.ticket.ID, w, store.Record, d.in.mail.Text); err != nil {
		return err
	}
	_, err := d.apply(t.ticket, ticket.Event{Type: ticket.Arrived, Actor: w.address, Role: w.role}, notice{})
	return err
}

// wait keeps a mail for an agent to look at. The clock stops, nobody but the
// agents hears of it.
func (d *decision) wait(t thread, w writer) error {
	d.d.Reason = w.waits
	d.because("waits: %s", w.waits)
	id, err := d.keep(t.ticket.ID, w, store.Waiting, d.f.withoutSecrets(d.in.mail.Reply))
	if err != nil {
		return err
	}
	n := notice{message: id, event: "waiting", reason: w.waits}
	if t.how == byNumber || t.how == bySystem || t.how == byOldNumber {
		n.event = "unproven-number"
	}
	_, err = d.apply(t.ticket, ticket.Event{Type: ticket.Waits, Actor: w.address, Role: w.role}, n)
	return err
}

// fromParty is a party's answer.
func (d *decision) fromParty(t thread, w writer) error {
	words := d.f.withoutSecrets(d.in.mail.Reply)
	if t.ticket.FormFor == w.address && w.address != "" {
		e := ticket.Event{Type: ticket.Joined, Actor: w.address, Role: w.role, Alone: w.alone}
		if meant := meaning(words, w.name, t.ticket.State, false); meant == ticket.Withdraw || t.ticket.State == ticket.Closed && meant == ticket.Thanked {
			e.Type = meant
		}
		return d.joins(t.ticket, w, e, words)
	}
	e, err := d.said(t, w, words)
	if err != nil {
		return err
	}
	if words == "" && t.act != "" {
		words = templates.Phrase(d.s.Desk(t.ticket.Desk).Language, t.act)
	}
	if err := d.witness(t.ticket.ID, &e); err != nil {
		return err
	}
	if t.ticket.State != ticket.Closed {
		e.Type = ticket.Meant(t.ticket, e, d.s.Desk(t.ticket.Desk).Policy)
	}
	id, err := d.keep(t.ticket.ID, w, store.Public, words)
	if err != nil {
		return err
	}
	if err := d.heardFrom(t.ticket.ID, w); err != nil {
		return err
	}
	if err := d.addCopied(t.ticket.ID, w); err != nil {
		return err
	}
	n := notice{message: id, event: eventCode(e.Type), addressed: d.addressed(), unproven: w.level != Proven,
		silent: w.alone && w.level == Unproven || d.in.verdict.Class != ClassPerson}
	if w.colleague {
		n.event = "colleague"
	}
	after, err := d.apply(t.ticket, e, n)
	if err != nil {
		return err
	}
	if !after.linked {
		return d.tellIncomplete(after.ticket, w)
	}
	return d.followUp(t, w, id)
}

// eventCode is the word for agents of what a party did.
func eventCode(t ticket.EventType) string {
	switch t {
	case ticket.Answered:
		return "answer"
	case ticket.Thanked:
		return "thanks"
	}
	return string(t)
}

// witness tells the rules who has spoken since the agents.
func (d *decision) witness(ticketID int64, e *ticket.Event) error {
	customer, err := d.tx.LastWords(ticketID, ticket.Customer)
	if err != nil {
		return err
	}
	agents, err := d.tx.LastAnswer(ticketID)
	if err != nil {
		return err
	}
	e.CustomerSilent = !customer.After(agents)
	parties, err := d.tx.Parties(ticketID)
	for _, p := range parties {
		e.HasCustomer = e.HasCustomer || p.Role == ticket.Customer
		e.Reachable = e.Reachable || p.Role != ticket.Agent && p.Reachable
	}
	return err
}

// addressed are those who have the mail already.
func (d *decision) addressed() []string { return d.in.people() }

// people are the addresses in From, To and Cc, in lower case.
func (in *incoming) people() []string {
	if in.named != nil {
		return in.persons
	}
	in.named = map[string]bool{"": true}
	for _, list := range [][]rfc822.Address{in.mail.From, in.mail.To, in.mail.Cc} {
		for _, a := range list {
			if address := strings.ToLower(a.Address); !in.named[address] {
				in.persons, in.named[address] = append(in.persons, address), true
			}
		}
	}
	return in.persons
}

// names says that an address is one of these people.
func (in *incoming) names(address string) bool {
	in.people()
	return address != "" && in.named[address]
}
