package mailflow

import (
	"fmt"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

const (
	// A desk's digest leaves in the morning, once a day; not later than before
	// noon where nothing ran at eight.
	digestFrom, digestUntil = 8, 12
	// digestAhead is how long before a form is given up the digest names it.
	digestAhead = 48 * time.Hour
	digestMost  = 50 // tickets of one section
	// digestOld is how old a ticket is that a digest names: of younger ones
	// the agents had a notification today.
	digestOld = 24 * time.Hour
)

// The sections of a digest, as the templates know them.
const (
	digestWaiting = "waiting"
	digestForm    = "form"
	digestNew     = "new"
)

// digests queues the morning's digest for the agents of each desk that has
// something to tell.
func (f *Flow) digests(tx *store.Tx) error {
	d := &decision{f: f, s: f.Settings.Load(), tx: tx}
	for i := range d.s.Desks {
		if err := d.digest(&d.s.Desks[i]); err != nil {
			return err
		}
	}
	if d.queued {
		tx.AfterCommit(f.Outgoing)
	}
	return nil
}

func (d *decision) digest(desk *Desk) error {
	now := d.tx.Now()
	if desk.Zone != nil {
		now = now.In(desk.Zone)
	}
	if now.Hour() < digestFrom || now.Hour() >= digestUntil {
		return nil
	}
	today, _, _, err := d.tx.Spend(fmt.Sprintf("digest %s %s", desk.Key, now.Format(time.DateOnly)), 24*time.Hour, 0)
	if err != nil || today > 1 {
		return err
	}
	a := args{Event: "digest"}
	if a.Items, err = d.digestItems(desk.Key); err != nil || len(a.Items) == 0 {
		return err
	}
	if a.N, a.M, err = d.tx.DayOf(desk.Key, d.tx.Now().Add(-24*time.Hour)); err != nil {
		return err
	}
	for i := range d.s.Agents {
		if !d.s.Agents[i].WorksOn(desk.Key) {
			continue
		}
		if err := d.add(store.Outbox{Desk: desk.Key, Party: -1, Kind: ticket.Digest, Recipient: d.s.Agents[i].Address,
			Priority: priorityLater, Args: a.json()}); err != nil {
			return err
		}
	}
	return nil
}

// digestItems are the tickets of a desk that need somebody.
func (d *decision) digestItems(desk string) (items []argItem, err error) {
	add := func(section string, list []ticket.Ticket, err error) error {
		for _, t := range list {
			if d.tx.Now().Sub(t.Created) < digestOld {
				continue
			}
			at := t.Created
			if section == digestForm {
				at = t.Deadline
			}
			items = append(items, argItem{Ticket: t.ID, Event: section, State: t.State, At: at})
		}
		return err
	}
	list, err := d.tx.WaitingTickets(desk, digestMost)
	if err = add(digestWaiting, list, err); err != nil {
		return nil, err
	}
	list, err = d.tx.ExpiringForms(desk, d.tx.Now().Add(digestAhead), digestMost)
	if err = add(digestForm, list, err); err != nil {
		return nil, err
	}
	list, err = d.tx.UnopenedTickets(desk, digestMost)
	return items, add(digestNew, list, err)
}

// gatherDigest reads what the digest says of each ticket. The link is the
// reader's own, where he has one.
func (f *Flow) gatherDigest(tx *store.Tx, dr *draft) error {
	for _, i := range dr.args.Items {
		t, err := tx.TicketByID(i.Ticket)
		if err != nil {
			if ignoreNoRows(err) != nil {
				return err
			}
			continue
		}
		p, err := tx.PartyByAddress(i.Ticket, dr.row.Recipient)
		if ignoreNoRows(err) != nil {
			return err
		}
		dr.items = append(dr.items, f.item(i, t, p, dr.lang))
	}
	return nil
}
