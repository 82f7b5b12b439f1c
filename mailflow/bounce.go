package mailflow

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// reportText is how much of a report's words is searched, in bytes.
const reportText = 64 << 10

// returned is the outbox row that a delivery report speaks of by our own
// signed Message-ID, or 0: that of the mail that it returns, the one that it
// answers, as Exchange's do, or one that only its words name.
func (f *Flow) returned(in *incoming) int64 {
	r := in.mail.Report
	if r == nil || in.verdict.Class != ClassBounce {
		return 0
	}
	if t, ok := f.ownID(r.OriginalMessageID); ok {
		return t.Row()
	}
	for _, t := range f.idTokens(in) {
		return t.Row()
	}
	text := head(in.mail.Text, reportText)
	for begin, end := range longWords(text) {
		if t, ok := f.ownID(text[begin:end] + "@"); ok {
			return t.Row()
		}
	}
	return 0
}

// bounceTo is the outbox row of the mail of ours to whose envelope address a
// mail came, or 0.
func (f *Flow) bounceTo(in *incoming) int64 {
	for _, t := range f.tokens(in) {
		if t.Purpose == ticket.ForBounce {
			return t.Row()
		}
	}
	return 0
}

// bounced records what came to the envelope address of a mail of ours, or
// what bears its id. It never makes a ticket or an answer. Only a report of
// a final failure has an effect, and only on that one mail (RFC 3464 §4.1:
// reports are easily forged).
func (d *decision) bounced(rowID int64) error {
	row, err := d.tx.OutboxByID(rowID)
	if err == sql.ErrNoRows {
		return d.setAside("a report on a mail that is no longer known")
	}
	if err != nil {
		return err
	}
	d.d.Reason = fmt.Sprintf("%s on mail %d of ours", d.in.verdict.Class, rowID)
	d.because("%s", d.d.Reason)
	if row.TicketID == 0 {
		return nil
	}
	w := d.f.level(d.in)
	w.role = ticket.System
	if _, err := d.keep(row.TicketID, w, store.Record, d.in.mail.Text); err != nil {
		return err
	}
	failure, final := d.finalFailure()
	switch {
	case d.in.verdict.Class == ClassComplaint:
		return d.complained(row)
	case row.State != store.Sent:
		return nil
	case !final && d.isDelay():
		return d.delayed(row)
	case !final:
		return nil
	}
	if err := d.cameBack(row); err != nil {
		return err
	}
	return d.undelivered(row, failure)
}

// finalFailure reads the report: what was said, and whether it is final.
func (d *decision) finalFailure() (string, bool) {
	r := d.in.mail.Report
	if r == nil {
		return "", false
	}
	for _, to := range r.Recipients {
		if strings.EqualFold(to.Action, "failed") || to.Action == "" && strings.HasPrefix(to.Status, "5") {
			return strings.TrimSpace(to.Status + " " + to.Diagnostic), true
		}
	}
	return "", false
}

// isDelay says that the report tells of a delay only (RFC 3464 §2.3.3).
func (d *decision) isDelay() bool {
	r := d.in.mail.Report
	return r != nil && slices.ContainsFunc(r.Recipients, func(to rfc822.ReportRecipient) bool { return strings.EqualFold(to.Action, "delayed") })
}

// delayed puts off the step that follows a mail which is late.
func (d *decision) delayed(row store.Outbox) error {
	_, copies, err := d.tx.LastAsked(row.TicketID)
	if _, last := copies[row.ID]; err != nil || !last {
		return err
	}
	return d.relayed(row, ticket.Event{Type: ticket.Delayed, Kind: row.Kind}, notice{quiet: true})
}

// undelivered marks the party of a mail as out of reach and tells the agents,
// once for each mail. What was mailed to an agent is told to nobody: the
// telling would come back the same way.
func (d *decision) undelivered(row store.Outbox, failure string) error {
	if err := d.tx.FailSent(row.ID, failure); err != nil {
		return err
	}
	if row.TicketID == 0 || row.Party < 0 {
		return nil
	}
	p, err := d.tx.PartyByOrdinal(row.TicketID, row.Party)
	if err != nil {
		return ignoreNoRows(err)
	}
	later, err := d.tx.TakenSince(row)
	if err != nil {
		return err
	}
	if !later { // a later one arrived: he can be reached
		if err := d.tx.SetReachable(row.TicketID, row.Party, false); err != nil {
			return err
		}
	}
	if p.Role == ticket.Agent {
		return nil
	}
	e := ticket.Event{Type: ticket.Failed, Kind: row.Kind}
	if e.Fate, err = d.fate(row.TicketID); err != nil {
		return err
	}
	if err := d.relayed(row, e, notice{event: "undeliverable", reason: failure, quiet: true}); err != nil {
		return err
	}
	t, err := d.tx.LockTicket(row.TicketID)
	if err != nil {
		return err
	}
	agents, err := d.agents(t, "")
	if err != nil {
		return err
	}
	a := args{Event: "undeliverable", Reason: failure, State: t.State, From: t.State, Failed: row.ID, Message: argsOf(row).Message}
	for _, p := range agents {
		err := d.add(store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: p.Ordinal, Kind: ticket.Undeliverable,
			Recipient: p.Address, Priority: priorityAgent, Cause: row.Cause, Args: a.json()})
		if err != nil {
			return err
		}
	}
	return nil
}

func ignoreNoRows(err error) error {
	if err == sql.ErrNoRows {
		return nil
	}
	return err
}
