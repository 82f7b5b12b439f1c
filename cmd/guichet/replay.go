package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	against bool
	now     bool
	desk    string
	since   string
	last    int
}

func newReplay(e *env) *cobra.Command {
	var o replayOptions
	c := &cobra.Command{
		Use:   "replay FILE|DIR|-... | --against [FILE|DIR|-...]",
		Short: "Take mails through the stages without a gateway, and print every stop with its reason",
		Long: `Replay takes mails, in the order in which they are named, through a store that is thrown
away afterwards, with the configured desks, and prints a block for each: read, classify, thread, people,
apply, notify. Nothing is sent. A FILE is one mail or an mbox, a DIR a maildir or a folder of either.

The clock stands where each mail's Date says, or with --now where it stands; what the clock alone
would do in between, such as reminders, is not done. A mail to no desk of the configuration is taken as the
first desk's, or as that of --desk. Signed addresses mean tickets of the gateway that made them: here, and
in a store that begins empty, they prove nothing; mails find each other by their Message-IDs and numbers.

With --against the configured store is asked, and only read. Without a FILE the mails that it has are
judged anew, by this program and this configuration, and those are printed that would be classified
otherwise or would find another ticket; the store is seen as it was when each came, as far as it
tells. With a FILE the stops up to people are printed, as if that mail came now.`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.last < 0:
				return usageError("--last %d is no number of mails", o.last)
			case o.against:
				return e.replayAgainst(c.Context(), o, args)
			case len(args) == 0:
				return usageError("replay needs a FILE, a DIR or -, or --against for the mails that the store has")
			case o.since != "" || o.last != 0:
				return usageError("--since and --last choose among the mails of the store: they go with --against")
			}
			return e.replay(c.Context(), o, args)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.against, "against", false, "ask the configured store, and only read it")
	f.BoolVar(&o.now, "now", false, "as if every mail came now")
	f.StringVar(&o.desk, "desk", "", "the `KEY` of the desk that takes mails addressed to none")
	f.StringVar(&o.since, "since", "", "with --against: only mails received since this `TIME`, as 2026-11-23 or RFC 3339")
	f.IntVar(&o.last, "last", 0, "with --against: only the newest `N` mails")
	return e.withJSON(c)
}

// player is a gateway in a store of its own.
type player struct {
	e     *env
	cfg   *Config
	s     *mailflow.Settings
	desk  *mailflow.Desk // takes what is addressed to none
	now   bool
	clock atomic.Int64 // microseconds
	db    *store.DB
	flow  *mailflow.Flow
	in    *mailflow.Receiver
	count int

	lastEvent, lastRow int64
}

func (e *env) replay(ctx context.Context, o replayOptions, paths []string) error {
	cfg, _, err := loadConfig(e.configFile)
	if err != nil {
		return err
	}
	p, err := e.newPlayer(cfg, o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "guichet-replay-")
	if err != nil {
		return fmt.Errorf("make a store to throw away: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := p.open(ctx, dir); err != nil {
		return err
	}
	defer p.db.Close()
	for _, path := range paths {
		if err := e.eachMail(path, int64(cfg.SMTP.MaxMessageSize), func(m foundMail) error { return p.play(ctx, m) }); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) newPlayer(cfg *Config, o replayOptions) (*player, error) {
	p := &player{e: e, cfg: cfg, s: cfg.Settings(), now: o.now}
	p.desk = &p.s.Desks[0]
	if o.desk != "" {
		if p.desk = p.s.Desk(o.desk); p.desk == nil {
			return nil, refuse("no desk %s is configured", o.desk)
		}
	}
	p.clock.Store(time.Now().UnixMicro())
	return p, nil
}

// open makes the store. Its key is nobody's: a token of the live gateway must
// not be taken for one of a ticket here.
func (p *player) open(ctx context.Context, dir string) (err error) {
	quiet := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return time.UnixMicro(p.clock.Load()).UTC() }
	if p.db, err = store.Open(ctx, "sqlite:"+filepath.Join(dir, "replay.db"), store.Options{Create: true, Now: clock, Log: quiet}); err != nil {
		return err
	}
	keys, err := makeKeys(filepath.Join(dir, "replay.key"))
	if err != nil {
		return err
	}
	if p.flow, err = newFlow(p.db, p.cfg, p.s, keys, clock); err != nil {
		return err
	}
	p.in = &mailflow.Receiver{DB: p.db, Settings: p.flow.Settings, Keys: keys, Log: quiet, Now: clock, Wake: func() {}, Count: p.flow.Count}
	return nil
}

// newFlow is a flow that sends nothing and logs nothing. It has the templates:
// an agent's answer is compared with what we had sent.
func newFlow(db *store.DB, cfg *Config, s *mailflow.Settings, keys ticket.Keyring, clock func() time.Time) (*mailflow.Flow, error) {
	set, err := templates.Load(cfg.Templates)
	if err != nil {
		return nil, err
	}
	f := &mailflow.Flow{DB: db, Settings: new(atomic.Pointer[mailflow.Settings]), Templates: new(atomic.Pointer[templates.Set]),
		Keys: keys, Log: slog.New(slog.DiscardHandler), Now: clock, Count: &mailflow.Counters{}, Outgoing: func() {}}
	f.Settings.Store(s)
	f.Templates.Store(set)
	f.Prepare()
	return f, nil
}

// play takes one mail through all stages and prints what became of it.
func (p *player) play(ctx context.Context, m foundMail) error {
	p.count++
	if m.raw == nil {
		return p.e.printReplayed(replayed{No: p.count, File: m.name(), State: "refused",
			Reason: fmt.Sprintf("larger than smtp.max_message_size: %d bytes at least", m.size)})
	}
	mail := rfc822.Parse(m.raw)
	p.setClock(mail)
	in := p.in.Begin(p.envelope(mail))
	if _, err := in.Write(m.raw); err != nil {
		return err
	}
	if err := in.Commit(ctx); err != nil {
		return err
	}
	if err := p.flow.Step(ctx); err != nil {
		return err
	}
	for i, id := range in.IDs() {
		row := replayed{No: p.count, File: m.name(), mail: mail, Size: m.size, At: stamp(time.UnixMicro(p.clock.Load())), copies: i}
		if err := p.db.View(ctx, func(tx *store.Tx) error { return p.describe(tx, id, &row) }); err != nil {
			return err
		}
		if err := p.e.printReplayed(row); err != nil {
			return err
		}
	}
	return nil
}

// setClock sets the clock to the mail's Date, unless that cannot be true: then
// it stands where it stood.
func (p *player) setClock(m *rfc822.Mail) {
	if p.now {
		p.clock.Store(time.Now().UnixMicro())
	} else if plausible(m.Date) {
		p.clock.Store(m.Date.UnixMicro())
	}
}

// plausible says that a mail can have been written then.
func plausible(date time.Time) bool {
	return date.Year() >= 1980 && date.Before(time.Now().Add(24*time.Hour))
}

// envelope is what a mail's own header tells of how it came.
func (p *player) envelope(m *rfc822.Mail) mailflow.Envelope {
	env := mailflow.Envelope{Listener: "replay", Recipients: addressedTo(p.s, m)}
	if len(env.Recipients) == 0 {
		env.Recipients = []string{p.desk.Address}
	}
	switch path := m.Header.Values("Return-Path"); {
	case len(path) > 0:
		env.From = strings.Trim(strings.TrimSpace(path[0]), "<>")
	case len(m.From) > 0 && m.From[0].Address != "":
		env.From = m.From[0].Address
	default:
		env.From = "unknown" // which is not the null path
	}
	return env
}

// addressedTo lists the addresses of desks that a mail's header names as its
// recipients.
func addressedTo(s *mailflow.Settings, m *rfc822.Mail) (to []string) {
	add := func(address string) {
		address = strings.Trim(strings.TrimSpace(address), "<>")
		if s.Route(address).Desk != nil {
			to = append(to, address)
		}
	}
	for _, name := range mailflow.DeliveredTo {
		for _, v := range m.Header.Values(name) {
			add(v)
		}
	}
	for _, list := range [][]rfc822.Address{m.To, m.Cc} {
		for _, a := range list {
			add(a.Address)
		}
	}
	return to
}
