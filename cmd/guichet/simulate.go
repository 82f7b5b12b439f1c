package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// maxSimulated bounds the steps that are printed: a policy may ask for any
// number of reminders.
const maxSimulated = 10_000

func newSimulate(e *env) *cobra.Command {
	var desk, start, number string
	c := &cobra.Command{
		Use:   "simulate",
		Short: "The mails that a ticket would get if nobody answered",
		Long: `Simulate prints every mail that would go out if nobody answered any more, a
line each: its time in the desk's zone, its kind, which of how many, and to whom. It goes through the
desk's policy twice, for a ticket that waits for an answer (pending) and for one that was
resolved, both since --start. With --ticket it goes on from where that ticket stands now. Nothing is
sent and nothing is changed.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.simulate(c.Context(), desk, start, number) },
	}
	c.Flags().StringVar(&desk, "desk", "", "the desk's `KEY`; the first one if it is absent")
	c.Flags().StringVar(&start, "start", "", "`TIME` from which it counts, as 2026-11-23, 2026-11-23T09:00 or RFC 3339; now if it is absent")
	c.Flags().StringVar(&number, "ticket", "", "`NUMBER` of a ticket to go on with")
	return e.withJSON(c)
}

func (e *env) simulate(ctx context.Context, key, start, number string) error {
	cfg, _, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	s := cfg.Settings()
	if number != "" {
		if key != "" {
			return usageError("--desk and --ticket exclude each other: a ticket has its desk")
		}
		return e.simulateTicket(ctx, s, start, number)
	}
	desk := &s.Desks[0]
	if key != "" {
		if desk = s.Desk(key); desk == nil {
			return refuse("no desk %s is configured", key)
		}
	}
	from, err := startTime(start, desk.Zone)
	if err != nil {
		return err
	}
	sim := simulation{e: e, s: s, desk: desk, to: []string{string(ticket.Customer), string(ticket.Integrator)}}
	for _, begin := range []ticket.EventType{ticket.AskInfo, ticket.Resolve} {
		t, _, err := ticket.Apply(ticket.Ticket{Desk: desk.Key, State: ticket.Open}, ticket.Event{Type: begin, Role: ticket.Agent}, desk.Policy, from)
		if err != nil {
			return err
		}
		if err := sim.print(t, from); err != nil {
			return err
		}
	}
	return nil
}

// simulateTicket goes on from where a ticket stands.
func (e *env) simulateTicket(ctx context.Context, s *mailflow.Settings, start, number string) error {
	var t ticket.Ticket
	var parties []store.Party
	err := e.view(ctx, func(tx *store.Tx) error {
		var err error
		if t, err = tx.TicketByNumber(number); err != nil {
			return found(err, "ticket %s", number)
		}
		parties, err = tx.Parties(t.ID)
		return err
	})
	if err != nil {
		return err
	}
	desk := s.Desk(t.Desk)
	if desk == nil {
		return refuse("the desk %s of %s is not configured any more", t.Desk, number)
	}
	from, err := startTime(start, desk.Zone)
	if err != nil {
		return err
	}
	sim := simulation{e: e, s: s, desk: desk}
	for _, p := range parties {
		if p.Role != ticket.Agent && p.Active && p.Reachable {
			sim.to = append(sim.to, p.Address)
		}
	}
	return sim.print(t, from)
}

// startTime reads --start in the desk's zone.
func startTime(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Now().In(zone), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.In(zone), nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usageError("--start %s is no time; write 2026-11-23, 2026-11-23T09:00 or 2026-11-23T09:00:00+01:00", text)
}

// simulation takes one ticket through its deadlines.
type simulation struct {
	e    *env
	s    *mailflow.Settings
	desk *mailflow.Desk
	to   []string // the parties
}

// simulatedRow is one mail of a simulation.
type simulatedRow struct {
	From       any      `json:"from"` // the state that it began in
	At         any      `json:"at"`
	Kind       string   `json:"kind"`
	N          any      `json:"n"`
	M          any      `json:"m"`
	Recipients []string `json:"recipients"`
	State      string   `json:"state"` // of the ticket afterwards
}

// print takes t from one deadline to the next. Every mail is taken by the
// relay as it is sent, and nobody answers.
func (sim *simulation) print(t ticket.Ticket, now time.Time) error {
	began := t.State
	if !sim.e.json {
		fmt.Fprintf(sim.e.stdout, "from %s, %s\n", began, now.Format("2006-01-02 15:04 MST"))
	}
	steps := 0
	for ; !t.Deadline.IsZero() && steps < maxSimulated; steps++ {
		if t.Deadline.After(now) {
			now = t.Deadline.In(sim.desk.Zone)
		}
		after, effects, err := ticket.Apply(t, ticket.Event{Type: ticket.Deadline, Role: ticket.System, Reachable: true}, sim.desk.Policy, now)
		if err != nil {
			return refuse("the ticket goes no further at %s: %w", now.Format(time.RFC3339), err)
		}
		t = after
		for _, effect := range effects {
			if err := sim.mail(began, t, effect, now); err != nil {
				return err
			}
			if t, err = taken(t, effect, sim.desk.Policy, now); err != nil {
				return err
			}
		}
	}
	if sim.e.json {
		return nil
	}
	if steps == maxSimulated {
		fmt.Fprintf(sim.e.stdout, "  and so on\n")
	}
	fmt.Fprintf(sim.e.stdout, "  %s\n\n", ends(t))
	return nil
}

// mail prints one mail.
func (sim *simulation) mail(began ticket.State, t ticket.Ticket, effect ticket.Effect, now time.Time) error {
	row := simulatedRow{From: began, At: stamp(now), Kind: string(effect.Mail), Recipients: sim.to, State: string(t.State)}
	if effect.To == ticket.Agents {
		row.Recipients = []string{}
		for _, a := range sim.s.Notified(t) {
			row.Recipients = append(row.Recipients, a.Address)
		}
	}
	count := ""
	if effect.M > 0 {
		row.N, row.M = effect.N, effect.M
		count = fmt.Sprintf("%d of %d", effect.N, effect.M)
	}
	if sim.e.json {
		return sim.e.printJSON(row)
	}
	_, err := fmt.Fprintf(sim.e.stdout, "  %s  %-18s  %-8s  %s\n", now.Format("2006-01-02 15:04 MST"), row.Kind, count, strings.Join(row.Recipients, ", "))
	return err
}

// taken tells the rules that the relay has a mail.
func taken(t ticket.Ticket, effect ticket.Effect, p ticket.Policy, now time.Time) (ticket.Ticket, error) {
	if effect.To == ticket.Agents {
		return t, nil
	}
	after, _, err := ticket.Apply(t, ticket.Event{Type: ticket.Taken, Role: ticket.System, Kind: effect.Mail, Reachable: true}, p, now)
	return after, err
}

// ends says where a ticket stays.
func ends(t ticket.Ticket) string {
	switch {
	case t.State == ticket.Closed:
		return fmt.Sprintf("then it is closed (%s)", t.Closed)
	case t.Waiting > 0:
		return fmt.Sprintf("it stays %s while a mail of it waits for an agent", t.State)
	}
	return fmt.Sprintf("then nothing is due: it stays %s", t.State)
}
