package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// against asks the configured store, and only reads it.
type against struct {
	*player
	judged, thread, class, skipped int
}

// verdictRow is what the stages up to people say of a mail.
type verdictRow struct {
	Class   any `json:"class"`
	Because any `json:"because"`
	Thread  any `json:"thread"`
	Ticket  any `json:"ticket"`
	Names   any `json:"names"`
	Level   any `json:"level"`
	Proof   any `json:"proof"`
	Waits   any `json:"waits"`
}

// differs is a mail that would be judged otherwise today.
type differs struct {
	Mail      string     `json:"mail"`
	MessageID any        `json:"message_id"`
	Received  any        `json:"received"`
	Desk      string     `json:"desk"`
	From      any        `json:"from"`
	Subject   any        `json:"subject"`
	Was       verdictRow `json:"was"`
	Now       verdictRow `json:"now"`
}

// againstSum is the last object of replay --against --json.
type againstSum struct {
	Judged  int `json:"judged"`
	Thread  int `json:"thread"`
	Class   int `json:"class"`
	Skipped int `json:"skipped"`
}

func (e *env) replayAgainst(ctx context.Context, o replayOptions, paths []string) error {
	cfg, _, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	keys, err := readKeys(cfg.SecretFile)
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("secret_file %s is missing: without it no signed address can be read", cfg.SecretFile)
	}
	if err != nil {
		return fmt.Errorf("secret file: %w", err)
	}
	p, err := e.newPlayer(cfg, o)
	if err != nil {
		return err
	}
	if p.db, err = store.Open(ctx, cfg.Database, store.Options{Log: slog.New(slog.DiscardHandler)}); err != nil {
		return err
	}
	defer p.db.Close()
	if p.flow, err = newFlow(p.db, cfg, p.s, keys, time.Now); err != nil {
		return err
	}
	a := &against{player: p}
	if len(paths) == 0 {
		return a.all(ctx, o)
	}
	for _, path := range paths {
		if err := e.eachMail(path, int64(cfg.SMTP.MaxMessageSize), func(m foundMail) error { return a.one(ctx, m) }); err != nil {
			return err
		}
	}
	return nil
}

// one judges a mail of a file as if it came now.
func (a *against) one(ctx context.Context, m foundMail) error {
	a.count++
	if m.raw == nil {
		return a.e.printReplayed(replayed{No: a.count, File: m.name(), State: "refused",
			Reason: fmt.Sprintf("larger than smtp.max_message_size: %d bytes at least", m.size)})
	}
	mail := rfc822.Parse(m.raw)
	env := a.envelope(mail)
	d := store.Delivery{Desk: a.s.Route(env.Recipients[0]).Desk.Key, Listener: env.Listener, MailFrom: env.From,
		Recipients: env.Recipients, Received: time.Now()}
	now, err := a.flow.Judge(ctx, d, m.raw, false)
	if err != nil {
		return err
	}
	v := judgedRow(now)
	if a.e.json {
		return a.e.printJSON(struct {
			No        int    `json:"no"`
			File      string `json:"file"`
			MessageID any    `json:"message_id"`
			Desk      string `json:"desk"`
			verdictRow
		}{a.count, m.name(), text(mail.MessageID), d.Desk, v})
	}
	r := replayed{Desk: d.Desk, Subject: text(mail.Subject), At: stamp(d.Received), Size: m.size, Problems: mail.Problems, mail: mail}
	if len(mail.From) > 0 {
		r.From = text(strings.ToLower(mail.From[0].Address))
	}
	_, err = fmt.Fprintf(a.e.stdout, "mail %d  %s\n  %-9s %s\n  %-9s %v: %v\n  %-9s %s\n  %-9s %s\n\n", a.count, m.name(),
		"read", r.readLine(), "classify", v.Class, v.Because, "thread", v.threadLine(), "people", v.peopleLine())
	return err
}

func judgedRow(j mailflow.Judged) verdictRow {
	v := verdictRow{Class: text(j.Verdict.Class), Because: text(j.Verdict.Reason), Thread: text(j.How), Names: text(j.Names),
		Level: text(j.Level), Proof: text(j.Reason), Waits: text(j.Waits)}
	if j.Ticket != 0 {
		v.Ticket = ticketName(j.Number, j.Ticket)
	}
	return v
}

// ticketName is a ticket's number or, before it has one, its row.
func ticketName(number string, row int64) string {
	if number != "" {
		return number
	}
	return fmt.Sprintf("(without a number, row %d)", row)
}

func (v verdictRow) threadLine() string {
	switch {
	case v.Thread == nil && v.Names != nil:
		return fmt.Sprintf("no ticket; it names %v", v.Names)
	case v.Thread == nil:
		return "no ticket"
	case v.Ticket == nil:
		return fmt.Sprint(v.Thread)
	}
	return fmt.Sprintf("%v, by %v", v.Ticket, v.Thread)
}

func (v verdictRow) peopleLine() string {
	if v.Level == nil {
		return "not asked"
	}
	s := fmt.Sprintf("%v: %v", v.Level, v.Proof)
	if v.Waits != nil {
		s += fmt.Sprintf("; waits for an agent: %v", v.Waits)
	}
	return s
}

// all judges the store's own mails anew.
func (a *against) all(ctx context.Context, o replayOptions) error {
	since := time.Time{}
	if o.since != "" {
		var err error
		if since, err = startTime(o.since, a.desk.Zone); err != nil {
			return usageError("--since %s is no time; write 2026-11-23, 2026-11-23T09:00 or 2026-11-23T09:00:00+01:00", o.since)
		}
	}
	after, err := a.before(ctx, o.last)
	for err == nil {
		var page []store.Delivery
		err = a.db.View(ctx, func(tx *store.Tx) (err error) {
			page, err = tx.DeliveriesAfter(after, 200)
			return err
		})
		for _, d := range page {
			after = d.ID
			if err == nil && !d.Received.Before(since) {
				err = a.again(ctx, d)
			}
		}
		if len(page) == 0 {
			break
		}
	}
	if err != nil {
		return err
	}
	return a.sum()
}

// before is the row after which the newest n deliveries stand; 0 for all.
func (a *against) before(ctx context.Context, n int) (id int64, err error) {
	if n <= 0 {
		return 0, nil
	}
	err = a.db.View(ctx, func(tx *store.Tx) (err error) {
		id, err = tx.DeliveryBefore(n)
		return err
	})
	return id, err
}

// again judges one stored mail and prints it if that ends otherwise.
func (a *against) again(ctx context.Context, d store.Delivery) error {
	was := replayed{}
	was.readDecisionsOf(d)
	if d.State == store.DeliveryNew || d.State == store.DeliveryHeld || was.Class == nil {
		a.skipped++ // nobody has judged it, or it is a copy of one that was
		return nil
	}
	now, err := a.flow.Judge(ctx, d, nil, true)
	if err != nil {
		if ctx.Err() != nil || store.IsTrouble(err) {
			return err
		}
		now.Verdict.Reason = err.Error() // today it would be held
	}
	a.judged++
	class := was.Class != string(now.Verdict.Class) && was.Because != mailflow.ReleasedByHand
	row := differs{Mail: strconv.FormatInt(d.ID, 10), MessageID: text(d.MailID), Received: stamp(d.Received), Desk: d.Desk,
		From: text(d.From), Subject: text(d.Subject), Now: judgedRow(now),
		Was: verdictRow{Class: was.Class, Because: was.Because, Thread: was.Thread, Level: was.Level, Proof: was.Proof}}
	var thread bool
	if err := a.db.View(ctx, func(tx *store.Tx) (err error) {
		thread, err = a.elsewhere(tx, d, was, now, &row)
		return err
	}); err != nil {
		return err
	}
	if thread {
		a.thread++
	}
	if class {
		a.class++
	}
	if !thread && !class {
		return nil
	}
	return a.print(row)
}

func (r *replayed) readDecisionsOf(d store.Delivery) {
	r.Decisions = decisionsOf(d)
	r.readDecisions()
}

// elsewhere says that a mail would find another ticket than it has now, or
// none, and names the one that it has.
func (a *against) elsewhere(tx *store.Tx, d store.Delivery, was replayed, now mailflow.Judged, row *differs) (bool, error) {
	var has ticket.Ticket
	for id := d.TicketID; id != 0; id = has.MergedInto {
		var err error
		if has, err = tx.TicketByID(id); err != nil {
			return false, found(err, "ticket of mail %d", d.ID)
		}
	}
	if has.ID != 0 {
		row.Was.Ticket = ticketName(has.Number, has.ID)
	}
	if was.Thread == nil && was.New {
		row.Was.Ticket = fmt.Sprintf("new ticket %v", row.Was.Ticket)
	}
	switch {
	case now.Ticket == 0 && now.How != "": // a report or a confirmation: no anchor was asked then either
		return was.Thread != nil || was.New, nil
	case now.Ticket == 0:
		return was.Thread != nil, nil
	case has.ID == now.Ticket:
		return false, nil
	case was.Thread == nil || now.Number == "":
		return true, nil
	}
	// It found that ticket then, too, and is by now on one that came of it.
	linked, err := tx.LinkedTickets(has.ID)
	return !slices.Contains(linked, now.Number), err
}

func (a *against) print(r differs) error {
	if a.e.json {
		return a.e.printJSON(r)
	}
	line := func(v verdictRow) string {
		s := fmt.Sprintf("%v (%v); ", or(v.Class, "held"), or(v.Because, "-"))
		if v.Thread == nil && v.Ticket != nil {
			return s + fmt.Sprint(v.Ticket)
		}
		return s + v.threadLine()
	}
	_, err := fmt.Fprintf(a.e.stdout, "mail %s  %v  received %v at %s, from %v: %v\n  was  %s\n  now  %s\n", r.Mail, or(r.MessageID, "without id"),
		r.Received, r.Desk, or(r.From, "nobody"), or(r.Subject, ""), line(r.Was), line(r.Now))
	return err
}

func (a *against) sum() error {
	if a.e.json {
		return a.e.printJSON(againstSum{a.judged, a.thread, a.class, a.skipped})
	}
	_, err := fmt.Fprintf(a.e.stdout, "%d of %d would thread differently, %d would be classified differently (%d not judged: held, copies, imported)\n",
		a.thread, a.judged, a.class, a.skipped)
	return err
}
