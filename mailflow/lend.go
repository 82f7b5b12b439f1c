package mailflow

import (
	"slices"
	"time"

	"guichet/store"
)

// Lent is a row of the outbox that was leased as it was added, with what
// composing it reads from the store, read in the same transaction: neither
// has to be asked for.
type Lent struct {
	Row   store.Outbox
	draft *draft // nil: it has to be read
}

// lends asks for how long new rows may be leased; 0 is not.
func (f *Flow) lends(urgent bool) time.Duration {
	if f.Lends == nil {
		return 0
	}
	ttl, ok := f.Lends(urgent)
	if !ok {
		return 0
	}
	return ttl
}

// mayLend says whether a new row can be leased as it is added: one that is
// due, and before which nothing of its lane is left to be sent.
func (d *decision) mayLend(o store.Outbox) (bool, error) {
	if d.lend == 0 || o.State != "" || o.Due.After(d.tx.Now()) {
		return false, nil
	}
	lane := o.Lane()
	if slices.Contains(d.lanes, lane) {
		return false, nil
	}
	if d.tx.Made(o.TicketID) {
		return true, nil
	}
	return d.tx.LaneIsFree(lane)
}

// gatherLent reads what the mails of the rows that were leased will say.
func (d *decision) gatherLent() error {
	for i := range d.lent {
		l := &d.lent[i]
		dr := &draft{row: l.Row, args: argsOf(l.Row)}
		if err := d.f.gather(d.tx, dr); err == nil {
			l.draft = dr
		} else if store.IsTrouble(err) {
			return err
		}
	}
	return nil
}
