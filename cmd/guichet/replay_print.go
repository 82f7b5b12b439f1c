package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

// replayed is what became of one mail at one desk.
type replayed struct {
	No         int             `json:"no"`
	File       string          `json:"file"`
	At         any             `json:"at"`
	Size       int64           `json:"size"`
	Desk       any             `json:"desk"`
	State      string          `json:"state"` // done, held, set-aside, refused
	Stop       any             `json:"stop"`
	Reason     any             `json:"reason"`
	Subject    any             `json:"subject"`
	From       any             `json:"from"`
	MessageID  any             `json:"message_id"`
	Problems   []string        `json:"problems"`
	Class      any             `json:"class"`
	Because    any             `json:"because"` // of the class
	Thread     any             `json:"thread"`  // how it found its ticket
	Ticket     any             `json:"ticket"`
	New        bool            `json:"new"`
	Subjected  any             `json:"ticket_subject"`
	Level      any             `json:"level"`
	Proof      any             `json:"proof"`
	Role       any             `json:"role"`
	Visibility any             `json:"visibility"`
	Events     []replayedEvent `json:"events"`
	Next       any             `json:"next"`
	Deadline   any             `json:"deadline"`
	Mails      []replayedMail  `json:"mails"`
	Decisions  []string        `json:"decisions"`

	mail   *rfc822.Mail
	copies int // deliveries of the same mail before this one
}

type replayedEvent struct {
	Event  string `json:"event"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Reason any    `json:"reason"`
}

type replayedMail struct {
	Kind      string `json:"kind"`
	Recipient string `json:"recipient"`
	State     string `json:"state"`
	Due       any    `json:"due"`
	Reason    any    `json:"reason"`
}

// describe fills in a row from what the stages have left in the store.
func (p *player) describe(tx *store.Tx, id int64, row *replayed) error {
	d, err := tx.DeliveryByID(id)
	if err != nil {
		return err
	}
	row.Desk, row.State, row.Stop, row.Reason = d.Desk, string(d.State), text(d.Stop), text(d.Reason)
	row.Decisions = decisionsOf(d)
	row.readDecisions()
	if d.TicketID != 0 {
		if err := row.ticket(tx, d); err != nil {
			return err
		}
	}
	events, err := tx.EventsSince(p.lastEvent, 1000)
	if err != nil {
		return err
	}
	for _, ev := range events {
		p.lastEvent = ev.ID
		row.Events = append(row.Events, replayedEvent{string(ev.HistoryEntry.Event), text(ev.From), text(ev.To), text(ev.Reason)})
	}
	rows, err := tx.OutboxSince(p.lastRow, 1000)
	for _, o := range rows {
		p.lastRow = o.ID
		row.Mails = append(row.Mails, replayedMail{string(o.Kind), o.Recipient, string(o.State), stamp(o.Due), text(o.Reply)})
	}
	return err
}

// decisionsOf are the lines that why prints of a delivery.
func decisionsOf(d store.Delivery) (lines []string) {
	json.Unmarshal([]byte(d.Why), &lines)
	return lines
}

// ticket tells of the ticket and the message that the mail became.
func (r *replayed) ticket(tx *store.Tx, d store.Delivery) error {
	t, err := tx.TicketByID(d.TicketID)
	if err != nil {
		return err
	}
	r.Ticket, r.Subjected, r.Next, r.Deadline = ticketName(t.Number, t.ID), text(t.Subject), text(t.Next), stamp(t.Deadline)
	if d.MessageID == 0 {
		return nil
	}
	m, err := tx.MessageByID(d.MessageID)
	if err == nil {
		r.Role, r.Visibility = text(m.Role), text(m.Visibility)
	}
	return err
}

// readDecisions takes the stops out of the lines that why prints.
func (r *replayed) readDecisions() {
	for _, line := range r.Decisions {
		name, rest, _ := strings.Cut(line, " ")
		what, why, _ := strings.Cut(rest, ": ")
		switch {
		case name == "class" && r.Class == nil:
			r.Class, r.Because = what, why
		case name == "sender" && r.Level == nil:
			r.Level, r.Proof = what, why
		case name == "thread:" && r.Thread == nil:
			r.Thread = rest
		case strings.HasPrefix(line, "new ticket "):
			r.New = true
		}
	}
}

// printReplayed prints a mail's stops: a line each, or one object.
func (e *env) printReplayed(r replayed) error {
	if m := r.mail; m != nil {
		r.Subject, r.MessageID, r.Problems = text(m.Subject), text(m.MessageID), m.Problems
		if len(m.From) > 0 {
			r.From = text(strings.ToLower(m.From[0].Address))
		}
	}
	if e.json {
		r.Problems, r.Events, r.Mails, r.Decisions = list(r.Problems), list(r.Events), list(r.Mails), list(r.Decisions)
		return e.printJSON(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "mail %d  %s", r.No, r.File)
	if r.copies > 0 {
		fmt.Fprintf(&b, "  at desk %v, too", r.Desk)
	}
	if r.mail == nil {
		fmt.Fprintf(&b, "\n  %s: %v\n\n", r.State, r.Reason)
		_, err := e.stdout.Write([]byte(b.String()))
		return err
	}
	line := func(stop, format string, args ...any) {
		fmt.Fprintf(&b, "\n  %-9s %s", stop, fmt.Sprintf(format, args...))
	}
	line("read", "%s", r.readLine())
	line("classify", "%v: %v", or(r.Class, "not judged"), or(r.Because, "-"))
	line("thread", "%s", r.threadLine())
	line("people", "%s", r.peopleLine())
	line("apply", "%s", r.applyLine())
	line("notify", "%s", r.notifyLine())
	b.WriteString("\n\n")
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}

func or(v any, absent string) any {
	if v == nil {
		return absent
	}
	return v
}

func (r *replayed) readLine() string {
	s := fmt.Sprintf("%q from %v to desk %v, %v, %d bytes", or(r.Subject, ""), or(r.From, "nobody"), r.Desk, r.At, r.Size)
	if n := len(r.mail.Parts); n > 0 {
		s += fmt.Sprintf(", %d attachment(s)", n)
	}
	if len(r.Problems) > 0 {
		s += "; " + strings.Join(r.Problems, "; ")
	}
	return s
}

func (r *replayed) threadLine() string {
	switch {
	case r.State == string(store.DeliveryHeld):
		return fmt.Sprintf("held at %v: %v", r.Stop, r.Reason)
	case r.State == string(store.DeliverySetAside):
		return fmt.Sprintf("no ticket: set aside, %v", r.Reason)
	case r.Ticket == nil:
		return fmt.Sprintf("no ticket: %v", or(r.Reason, "-"))
	case r.New && r.Thread != nil:
		return fmt.Sprintf("new ticket %v, which follows one found by %v", r.Ticket, r.Thread)
	case r.New:
		return fmt.Sprintf("no anchor; new ticket %v (%v)", r.Ticket, r.Reason)
	case r.Thread != nil:
		return fmt.Sprintf("%v %q, by %v", r.Ticket, or(r.Subjected, ""), r.Thread)
	}
	return fmt.Sprintf("%v: %v", r.Ticket, r.Reason)
}

func (r *replayed) peopleLine() string {
	s := fmt.Sprintf("%v, %v", or(r.Role, "no role"), or(r.Level, "not judged"))
	if r.Proof != nil {
		s += fmt.Sprintf(": %v", r.Proof)
	}
	if r.Visibility == string(store.Waiting) {
		s += fmt.Sprintf("; waits for an agent: %v", r.Reason)
	}
	return s
}

func (r *replayed) applyLine() string {
	var parts []string
	for _, ev := range r.Events {
		change := fmt.Sprintf("%s: %v → %v", ev.Event, or(ev.From, "nothing"), ev.To)
		if ev.From == ev.To {
			change = fmt.Sprintf("%s: stays %v", ev.Event, ev.To)
		}
		parts = append(parts, change)
	}
	if len(parts) == 0 {
		return "nothing changes"
	}
	if r.Deadline != nil {
		parts = append(parts, fmt.Sprintf("%v due %v", r.Next, r.Deadline))
	}
	return strings.Join(parts, "; ")
}

func (r *replayed) notifyLine() string {
	var parts []string
	for _, m := range r.Mails {
		s := m.Kind + " to " + m.Recipient
		if m.State == string(store.HeldOut) {
			s += fmt.Sprintf(" (held: %v)", m.Reason)
		}
		if due, err := time.Parse(time.RFC3339, fmt.Sprint(m.Due)); err == nil && fmt.Sprint(r.At) < due.Format(time.RFC3339) {
			s += fmt.Sprintf(" (at %v)", m.Due)
		}
		parts = append(parts, s)
	}
	for _, line := range r.Decisions {
		if strings.HasPrefix(line, "no answer") {
			parts = append(parts, line)
		}
	}
	if len(parts) == 0 {
		return "nobody"
	}
	return strings.Join(parts, "; ")
}
