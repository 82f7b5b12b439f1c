package mailflow

import (
	"cmp"
	"database/sql"
	"regexp"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// How a mail found its ticket, as `why` prints it. The order is that of their
// weight.
const (
	byReplyToken   = "reply address"
	byActToken     = "the address of an answer to the closure request"
	byMessageToken = "our Message-ID"
	byMessageID    = "a Message-ID of the ticket"
	bySystem       = "the number of a partner's system"
	byNumber       = "the number in the subject"
	byOldNumber    = "an old number in the subject"
)

// thread is where a mail belongs, with the proof.
type thread struct {
	how    string // "" if it belongs to no ticket
	ticket ticket.Ticket
	// owner is the party that the token was mailed to; nil without a token.
	owner *store.Party
	// row is the outbox row of ours that the mail answers; 0 if unknown.
	row int64
	// act is what the address stands for: Approve or Refuse of what resolution
	// its mail asked about; "" for every other address.
	act        ticket.EventType
	resolution int
	// own: the Message-ID is one of the writer's own mails.
	own bool
	// names is the number of a ticket that the mail names without being let
	// in.
	names string
	// cameFrom is the number of the ticket whose address a new topic used.
	cameFrom string
}

// thread is stage 4: the anchors in the order of their weight.
func (f *Flow) thread(tx *store.Tx, in *incoming) (thread, error) {
	var t thread
	for _, find := range []func(*store.Tx, *incoming) (thread, error){
		f.threadByAddress, f.threadByOurID, f.threadByID, f.threadBySystem, f.threadByNumber, f.threadByOldNumber,
	} {
		found, err := find(tx, in)
		if err != nil || found.how != "" {
			return f.judgeTopic(in, found, err)
		}
		t.names = cmp.Or(t.names, found.names)
	}
	return t, nil // by number, and not let in: what it names
}

// judgeTopic tells a new topic from an answer: a token address alone, with
// another subject and nothing that refers to the ticket, is only an address
// that was in somebody's address book. A partner's system has none, and names
// its matters as it likes. What agents write to their own address always is an
// answer, and what tells of a mail of ours begins no topic.
func (f *Flow) judgeTopic(in *incoming, t thread, err error) (thread, error) {
	if err != nil || t.how != byReplyToken && t.how != byActToken || t.owner.Role == ticket.Agent || in.verdict.reports() {
		return t, err
	}
	if len(in.mail.InReplyTo) > 0 || len(in.mail.References) > 0 || f.numberIn(in.mail.Subject) != "" || in.number != "" ||
		sameTopic(in.mail.Subject, t.ticket.Subject) || t.act != "" && saysAct(in, t.act) {
		return t, nil
	}
	return thread{cameFrom: t.ticket.Number, owner: t.owner}, nil
}

func (f *Flow) threadByAddress(tx *store.Tx, in *incoming) (thread, error) {
	for _, token := range f.tokens(in) {
		if act := actOf[token.Purpose]; act != "" {
			if t, err := f.threadByAct(tx, token, act); err != sql.ErrNoRows {
				return t, err
			}
		}
		if token.Purpose != ticket.ForReply {
			continue
		}
		t, err := f.threadOf(tx, token.Ticket(), token.Party())
		if err == sql.ErrNoRows {
			continue
		}
		t.how = byReplyToken
		for _, id := range f.idTokens(in) {
			t.row = id.Row()
			break
		}
		return t, err
	}
	return thread{}, nil
}

func (f *Flow) threadByOurID(tx *store.Tx, in *incoming) (thread, error) {
	for _, token := range f.idTokens(in) {
		row, err := tx.OutboxByID(token.Row())
		if err == sql.ErrNoRows || err == nil && row.TicketID == 0 {
			continue
		}
		if err != nil {
			return thread{}, err
		}
		t, err := f.threadOf(tx, row.TicketID, row.Party)
		if err == sql.ErrNoRows {
			continue
		}
		t.how, t.row = byMessageToken, row.ID
		return t, err
	}
	return thread{}, nil
}

// threadOf reads a ticket, or the one it was merged into, with a party of it.
func (f *Flow) threadOf(tx *store.Tx, id int64, ordinal int) (thread, error) {
	var t thread
	owner, err := tx.PartyByOrdinal(id, ordinal)
	if err != nil {
		return t, err
	}
	t.owner = &owner
	if t.ticket, err = f.survivor(tx, id); err != nil || t.ticket.ID == id || owner.Role == ticket.Agent {
		return t, err
	}
	there, err := tx.PartyOf(t.ticket.ID, owner.Address) // merged: who he is where it goes on
	if err == sql.ErrNoRows {
		there, err = owner, nil
		there.Ordinal, there.Active = -1, false
	}
	t.owner = &there
	return t, err
}

// survivor follows merges to the ticket that lives, locked for change.
func (f *Flow) survivor(tx *store.Tx, id int64) (ticket.Ticket, error) {
	for range 100 {
		t, err := tx.LockTicket(id)
		if err != nil || t.MergedInto == 0 {
			return t, err
		}
		id = t.MergedInto
	}
	return ticket.Ticket{}, &stopped{"thread", "merged tickets run in a circle"}
}

// threadByID looks for Message-IDs that a ticket holds. They are no secret:
// they count only for people who had the mail, or answer somebody who had.
func (f *Flow) threadByID(tx *store.Tx, in *incoming) (thread, error) {
	for _, id := range append(in.answered(), in.mail.MessageID) {
		anchors, overtaken, err := anchorsOf(tx, in, id)
		if err != nil {
			return thread{}, err
		}
		a, ok, err := f.pick(tx, anchors, overtaken, in)
		if err != nil {
			return thread{}, err
		}
		if !ok {
			continue
		}
		t, err := f.survivor(tx, a.TicketID)
		if err != nil {
			return thread{}, err
		}
		return thread{how: byMessageID, ticket: t, own: a.Own && a.Writer == in.from() && a.Party >= 0}, nil
	}
	return thread{}, nil
}

// anchorsOf are the tickets that hold an id which a mail bears or answers.
// overtaken: it is the mail's own, and answers to it may have come before it.
// Another mail of the same id has nothing to say: some machines reuse theirs.
func anchorsOf(tx *store.Tx, in *incoming, id string) (anchors []store.Anchor, overtaken bool, err error) {
	anchors, err = tx.Anchors(id)
	if overtaken = id == in.mail.MessageID; overtaken {
		anchors = slices.DeleteFunc(anchors, func(a store.Anchor) bool { return a.Own })
	}
	return anchors, overtaken, err
}

// pick chooses among the tickets that hold an id: the one of which the writer
// is a party, if there is exactly one, or one of this desk; or the only one,
// if the mail belongs to the conversation that brought the id there. What
// such a writer says waits for an agent.
func (f *Flow) pick(tx *store.Tx, anchors []store.Anchor, overtaken bool, in *incoming) (store.Anchor, bool, error) {
	var mine, here []store.Anchor
	for _, a := range anchors {
		known, err := f.knows(tx, a.TicketID, in)
		if err != nil {
			return a, false, err
		}
		if !known {
			continue
		}
		mine = append(mine, a)
		if a.Desk == in.d.Desk {
			here = append(here, a)
		}
	}
	switch {
	case len(mine) == 1:
		return mine[0], true, nil
	case len(here) == 1:
		return here[0], true, nil
	case len(mine) == 0 && len(anchors) == 1 && f.converses(anchors[0], overtaken, in):
		return anchors[0], true, nil
	}
	return store.Anchor{}, false, nil
}

// converses says that a mail belongs to the conversation of another one which
// brought an id that both bear or refer to. Its writer was in From, To or Cc
// there; or somebody else but us was and is here as well, as where a list
// carries both. Where neither is the other's answer, since they only refer to
// one mail that we have not seen, the subject must be the same, too: many may
// answer one circular. What a list's software marks as the list's needs less,
// for it changes nothing: the id of a mail that it answers, or a reader.
func (f *Flow) converses(a store.Anchor, overtaken bool, in *incoming) bool {
	if slices.Contains(a.People, in.from()) {
		return true
	}
	answers, list := a.Own || overtaken, in.verdict.Class == ClassList
	if answers && list {
		return true
	}
	if !answers && !list && !sameTopic(in.mail.Subject, a.Subject) {
		return false
	}
	s := f.Settings.Load()
	return slices.ContainsFunc(a.People, func(address string) bool {
		return in.names(address) && s.Route(address).Desk == nil && s.Agent(address) == nil
	})
}

// threadByNumber looks at the subject. A number is only a hint: without a
// party's address the mail stays outside, and the agents see what it names.
func (f *Flow) threadByNumber(tx *store.Tx, in *incoming) (thread, error) {
	number := f.numberIn(in.mail.Subject)
	if number == "" {
		return thread{}, nil
	}
	found, err := tx.TicketByNumber(number)
	if err == sql.ErrNoRows {
		return thread{}, nil
	}
	if err != nil {
		return thread{}, err
	}
	t, err := f.survivor(tx, found.ID)
	if err != nil {
		return thread{}, err
	}
	known, err := f.knows(tx, t.ID, in)
	if err != nil || !known {
		return thread{names: number}, err
	}
	return thread{how: byNumber, ticket: t, names: number}, nil
}

// threadBySystem looks for the ticket that holds a partner's own number. Who
// writes from the partner's system and is no party of the one ticket that does
// joins it all the same, and waits.
func (f *Flow) threadBySystem(tx *store.Tx, in *incoming) (thread, error) {
	if in.number == "" {
		return thread{}, nil
	}
	t, ids, err := f.threadByKey(tx, in, in.number)
	if err != nil || t.how != "" || len(ids) != 1 {
		return thread{how: t.how, ticket: t.ticket}, err
	}
	t.ticket, err = f.survivor(tx, ids[0])
	return thread{how: bySystem, ticket: t.ticket}, err
}

// threadByOldNumber looks for the ticket that took the place of another
// system's. As with our own numbers, others than its parties stay outside.
func (f *Flow) threadByOldNumber(tx *store.Tx, in *incoming) (names thread, err error) {
	for _, key := range in.old {
		t, _, err := f.threadByKey(tx, in, key)
		if err != nil {
			return t, err
		}
		if t.how != "" {
			t.how = byOldNumber
			return t, nil
		}
		names.names = cmp.Or(names.names, t.names)
	}
	return names, nil
}

// threadByKey finds the newest ticket that holds a number of another system
// and has the writer as a party, or else only names the newest.
func (f *Flow) threadByKey(tx *store.Tx, in *incoming, key string) (t thread, ids []int64, err error) {
	if ids, err = tx.TicketsNumbered(key, in.from()); err != nil {
		return t, nil, err
	}
	for _, id := range ids {
		if t.ticket, err = f.survivor(tx, id); err != nil {
			return t, ids, err
		}
		known, err := f.knows(tx, t.ticket.ID, in)
		if err != nil {
			return t, ids, err
		}
		if known {
			return thread{how: bySystem, ticket: t.ticket, names: t.ticket.Number}, ids, nil
		}
		t.names = cmp.Or(t.names, t.ticket.Number)
	}
	return thread{names: t.names}, ids, nil
}

// knows says that the writer is a party of the ticket. An agent's address is
// easily guessed: without proof it counts only with a token.
func (f *Flow) knows(tx *store.Tx, ticketID int64, in *incoming) (bool, error) {
	p, err := tx.PartyOf(ticketID, in.from())
	if err != nil {
		return false, ignoreNoRows(err)
	}
	return p.Role != ticket.Agent || f.level(in).level == Proven, nil
}

var digits = regexp.MustCompile(`[0-9]+`)

// numberIn is the first ticket number of any desk in a subject, spelled as
// the desk spells it; "" if there is none. It counts only in brackets: a bare
// number is often somebody else's.
func (f *Flow) numberIn(subject string) string {
	s := f.Settings.Load()
	for _, tag := range bracketed.FindAllStringSubmatch(subject, 16) {
		for i := range s.Desks {
			before, after := s.Desks[i].numberAround()
			n := digits.FindString(tag[1][min(len(before), len(tag[1])):])
			if n != "" && len(n) < 16 && strings.EqualFold(tag[1], before+n+after) {
				return before + n + after
			}
		}
	}
	return ""
}

var (
	bracketed = regexp.MustCompile(`\[#([^\[\]#]{1,80})\]`)
	verb      = regexp.MustCompile(`%0?[0-9]*d`)
)

// numberAround is what stands before and after the digits of a number.
func (d *Desk) numberAround() (before, after string) {
	at := verb.FindStringIndex(d.Number)
	if at == nil {
		return d.Number, ""
	}
	return strings.ReplaceAll(d.Number[:at[0]], "%%", "%"), strings.ReplaceAll(d.Number[at[1]:], "%%", "%")
}

var (
	// All of them in one match: taken off one at a time, a subject of nothing
	// else cost a minute.
	answerPrefixes = regexp.MustCompile(`(?i)^(?:\s*(?:re|aw|sv|vs|antw|ref|rif|rép|réf|fwd?|wg|tr|rv|enc|i|vb|doorst)\s*(?:\[[0-9]+\]|\([0-9]+\))?\s*:\s*)+`)
	anyTag         = regexp.MustCompile(`\[#[^\[\]]{1,80}\]`)
)

// sameTopic compares subjects without what mail programs and we add to them.
func sameTopic(a, b string) bool { return topic(a) == topic(b) }

func topic(s string) string {
	s = answerPrefixes.ReplaceAllString(anyTag.ReplaceAllString(s, " "), "")
	return strings.ToLower(strings.Join(strings.Fields(s), " "))
}
