package mailflow

import (
	"cmp"
	"sync"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

const (
	notifyEach   = 30               // [Limits].Notifications where that is 0
	notifyPeriod = 10 * time.Minute // what it holds for
	batchMax     = 200              // of them that the one mail names; the others are counted
	severalEvent = "several"
)

// batches count the notifications to each agent. They are kept in memory: a
// gateway that was started anew, or another one on the same PostgreSQL, counts
// for itself, which costs an agent some mails and each decision nothing.
type batches struct {
	mu     sync.Mutex
	agents map[string]*batch
}

type batch struct {
	began time.Time
	count int
	row   int64 // of the outbox, that collects the others; 0 before there is one
}

// spend counts a notification; due is when those that are collected leave, in
// which row of the outbox (0: there is none yet), or zero where this one
// leaves by itself.
func (b *batches) spend(agent string, now time.Time, each int) (due time.Time, row int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.agents == nil {
		b.agents = map[string]*batch{}
	}
	a := b.agents[agent]
	if a == nil || now.Before(a.began) || !now.Before(a.began.Add(notifyPeriod)) {
		a = &batch{began: now}
		b.agents[agent] = a
	}
	if a.count++; a.count <= cmp.Or(each, notifyEach) {
		return time.Time{}, 0
	}
	return a.began.Add(notifyPeriod), a.row
}

// collect names the row of the outbox that takes the others of the period. The
// transaction that made it may yet fail: it is looked for before it is used.
func (b *batches) collect(agent string, row int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.agents[agent]; a != nil {
		a.row = row
	}
}

// argItem is one notification among several.
type argItem struct {
	Ticket int64        `json:"ticket"`
	Party  int          `json:"party"`
	Event  string       `json:"event,omitempty"`
	State  ticket.State `json:"state,omitempty"`
	At     time.Time    `json:"at,omitzero"`
}

// notify queues a notification, or adds it to those that come as one mail.
func (d *decision) notify(o store.Outbox, a args) error {
	due, id := d.f.batches.spend(o.Recipient, d.tx.Now(), d.s.Limits.Notifications)
	if due.IsZero() {
		o.Args = a.json()
		return d.add(o)
	}
	d.because("told to %s with others", o.Recipient)
	item := argItem{Ticket: o.TicketID, Party: o.Party, Event: a.Event, State: a.State, At: d.tx.Now()}
	row, err := d.tx.LockOutbox(id)
	if ignoreNoRows(err) != nil {
		return err
	}
	all := argsOf(row)
	if err != nil || row.Recipient != o.Recipient || all.Event != severalEvent || row.State != store.Queued || row.MailID != "" {
		a = args{Event: severalEvent, Count: 1, Items: []argItem{item}}
		id, err := d.addRow(store.Outbox{Desk: o.Desk, Party: -1, Kind: ticket.Notification, Recipient: o.Recipient,
			Priority: priorityLater, Due: due, Args: a.json()})
		d.f.batches.collect(o.Recipient, id)
		return err
	}
	all.Count++
	if len(all.Items) < batchMax {
		all.Items = append(all.Items, item)
	}
	return d.tx.SetArgs(row.ID, all.json())
}

// gatherItems reads what the one mail says of each ticket. A ticket that is
// gone, or whose link the reader has no more, is passed over.
func (f *Flow) gatherItems(tx *store.Tx, dr *draft) error {
	for _, i := range dr.args.Items {
		t, err := tx.TicketByID(i.Ticket)
		if err == nil {
			var p store.Party
			if p, err = tx.PartyByOrdinal(i.Ticket, i.Party); err == nil && p.Address == dr.row.Recipient {
				dr.items = append(dr.items, f.item(i, t, p, dr.lang))
			}
		}
		if ignoreNoRows(err) != nil {
			return err
		}
	}
	return nil
}

// item is one of several tickets in a mail to an agent: with the address of
// his page, and the one to which he answers on that ticket.
func (f *Flow) item(i argItem, t ticket.Ticket, p store.Party, lang string) templates.Item {
	s := f.Settings.Load()
	item := templates.Item{Number: t.Number, Subject: t.Subject, Event: i.Event, State: i.State, At: i.At}
	if p.Role != ticket.Agent {
		return item
	}
	item.URL = s.BaseURL + "/t/" + p.Link
	if desk := s.Desk(t.Desk); desk != nil && desk.Reply != "off" {
		item.Answer = templates.Mailto(desk.TokenAddress(f.Keys.Reply(t.ID, p.Ordinal)), templates.Subject(lang, t.Subject, t.Number), "")
	}
	return item
}
