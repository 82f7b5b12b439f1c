package mailflow

import (
	"context"

	"golang.org/x/sync/semaphore"

	"guichet/store"
)

// Step takes what waits through the stages, one delivery after the other, and
// returns once nothing waits any more. It is for who has the store alone; a
// gateway does [Flow.Run].
func (f *Flow) Step(ctx context.Context) error {
	p := &pipeline{f: f, budget: semaphore.NewWeighted(readBudget)}
	for {
		ds, err := f.claim(ctx, inHand, nil)
		if err != nil || len(ds) == 0 {
			return err
		}
		for _, d := range ds {
			j := &job{d: d}
			p.read(j)
			f.settle(j)
		}
	}
}

// Judged is what the first stages make of a mail, with their reasons.
type Judged struct {
	Verdict Verdict
	// How is the anchor by which the mail finds Ticket, a row id; "" and 0: it
	// belongs to none. A report on a mail of ours, and what confirms an agent's
	// mail, go by other ways and have a How alone.
	How    string
	Ticket int64
	Number string
	// Names is the number of a ticket that the mail names without being let
	// in.
	Names string
	// Writer is how far the sender is proven; Waits says why an agent must look
	// first, "" if none must.
	Level  Level
	Reason string
	Waits  string
}

// The ways of a mail that is judged by none of the anchors.
const (
	ByReport  = "a report on a mail of ours"
	ByConfirm = "a confirmation of an agent"
)

// Judge takes a mail through read, classify, thread and people, and changes
// nothing. With asOf the store is seen as it was when the mail came, as far as
// its rows tell; otherwise as it is now. raw may be nil if d is stored.
func (f *Flow) Judge(ctx context.Context, d store.Delivery, raw []byte, asOf bool) (out Judged, err error) {
	in, err := f.readSafely(ctx, d, raw)
	if err != nil {
		return out, err
	}
	out.Verdict = in.verdict
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		if asOf {
			tx.AsOf(d)
		}
		return f.judge(tx, in, &out)
	})
	return out, err
}

// judge asks in the order of [decision.run].
func (f *Flow) judge(tx *store.Tx, in *incoming, out *Judged) error {
	switch {
	case f.bounceTo(in) != 0:
		out.How = ByReport
		return nil
	case in.confirmed != nil || f.confirmToken(in):
		out.How = ByConfirm
		return nil
	case in.about != 0:
		out.How = ByReport
		return nil
	}
	t, err := f.thread(tx, in)
	if err != nil {
		return err
	}
	w, err := f.people(tx, in, t)
	out.How, out.Ticket, out.Number, out.Names = t.how, t.ticket.ID, t.ticket.Number, t.names
	out.Level, out.Reason, out.Waits = w.level, w.reason, w.waits
	return err
}
