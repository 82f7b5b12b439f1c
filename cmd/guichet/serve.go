package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"guichet/mailflow"
	"guichet/mailflow/imapfetch"
	"guichet/mailflow/outbound"
	"guichet/mailflow/smtpd"
	"guichet/store"
	"guichet/templates"
)

// drainTime is how long SIGTERM leaves for what is under way. Serve ends
// within 15 s in all.
const drainTime = 10 * time.Second

// failedTime is the same when the database failed: nothing in hand can be
// finished, there is only 421 to be said.
const failedTime = time.Second

func newServe(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Take mail, run the desks, send the answers",
		Long: `Serve opens the listeners that the configuration names, one printed line each,
and logs to standard error. SIGHUP reads templates, desks and agents again;
SIGTERM lets what is under way finish and ends within 15 seconds.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.serve(c.Context()) },
	}
}

// gateway is a running program.
type gateway struct {
	env       *env
	cfg       *Config
	log       *slog.Logger
	db        *store.DB
	settings  atomic.Pointer[mailflow.Settings]
	relays    atomic.Pointer[[]trustRelayConfig]
	templates atomic.Pointer[templates.Set]
	cert      atomic.Pointer[tls.Certificate]
	count     mailflow.Counters
	flow      *mailflow.Flow
	receiver  *mailflow.Receiver
	queue     *queue
	worker    *outbound.Worker
	servers   []*smtpd.Server
	fetcher   *imapfetch.Fetcher
	ready     atomic.Bool

	stops []func() // in the order of the opening
	wg    sync.WaitGroup
	fail  chan error
	hup   chan os.Signal
}

func (e *env) serve(ctx context.Context) error {
	g := &gateway{env: e, fail: make(chan error, 16), hup: make(chan os.Signal, 1)}
	g.log = slog.New(slog.NewTextHandler(e.stderr, nil))
	// From the start: unheard, a SIGHUP ends the process.
	signal.Notify(g.hup, syscall.SIGHUP)
	defer signal.Stop(g.hup)
	cfg, warnings, err := loadConfig(e.configFile)
	g.cfg = cfg
	if err != nil {
		return err
	}
	for _, w := range warnings {
		g.log.Warn("configuration", "warning", w)
	}
	if err := g.open(ctx); err != nil {
		return errors.Join(err, g.close())
	}
	err = g.run(ctx)
	return errors.Join(err, g.close())
}

// open builds everything, down to the listeners: what cannot work is refused
// before the first mail is taken.
func (g *gateway) open(ctx context.Context) error {
	if err := g.load(g.cfg); err != nil {
		return err
	}
	var err error
	g.db, err = store.Open(ctx, g.cfg.Database, store.Options{Serve: true, Create: true, Log: g.log})
	if err != nil {
		return err
	}
	keys, err := openKeys(ctx, g.db, g.cfg.SecretFile)
	if err != nil {
		return err
	}
	if err := g.takeOver(ctx); err != nil {
		return err
	}
	g.flow = &mailflow.Flow{DB: g.db, Settings: &g.settings, Templates: &g.templates, Keys: keys, Log: g.log,
		Now: time.Now, Count: &g.count}
	g.flow.Prepare()
	g.receiver = &mailflow.Receiver{DB: g.db, Settings: &g.settings, Keys: keys, Log: g.log, Now: time.Now,
		Dir: g.dataDir(), Wake: g.flow.Wake, Count: &g.count}
	if err := g.openRelay(); err != nil {
		return err
	}
	g.openMailboxes()
	return g.listen()
}

// openMailboxes readies what fetches mail; until a mailbox has been looked at
// the clocks of its desk stand still.
func (g *gateway) openMailboxes() {
	g.fetcher = &imapfetch.Fetcher{DB: g.db, Receiver: g.receiver, Log: g.log, Now: time.Now}
	tokens := tokenSources{}
	for i := range g.cfg.Mailboxes {
		g.fetcher.Mailboxes = append(g.fetcher.Mailboxes, g.cfg.Mailboxes[i].fetched(tokens))
	}
	g.fetcher.Prepare()
	g.flow.Unreadable = g.fetcher.Unreadable
}

// takeOver ends the leases of an earlier process: on SQLite the lock says
// that nobody else lives.
func (g *gateway) takeOver(ctx context.Context) error {
	if g.db.Engine() != "sqlite" {
		return nil
	}
	return g.db.Update(ctx, "take over", func(tx *store.Tx) error {
		if _, err := tx.TakeOverLeases(); err != nil {
			return err
		}
		if err := tx.TakeOver(); err != nil {
			return err
		}
		_, err := tx.ReclaimOutbox()
		return err
	})
}

// dataDir is where the free space is watched.
func (g *gateway) dataDir() string {
	if path, ok := strings.CutPrefix(g.cfg.Database, "sqlite:"); ok {
		return filepath.Dir(path)
	}
	return ""
}

func (g *gateway) openRelay() error {
	opt, err := g.cfg.Relay.options(g.cfg.Hostname)
	if err != nil {
		return err
	}
	relay, err := outbound.Open(g.cfg.Relay.URL, opt)
	if err != nil {
		return err
	}
	g.queue = newQueue(g.db, g.flow)
	g.flow.Outgoing = g.queue.wakeUp
	if g.db.Engine() == "sqlite" {
		g.flow.Lends, g.flow.Lent = g.queue.lent.lends, g.queue.take
	}
	g.worker = &outbound.Worker{Queue: g.queue, Relay: relay, Connections: g.cfg.Relay.Connections,
		Rate: g.cfg.Relay.Rate.perMinute(), Drain: drainTime - time.Second, Log: g.log}
	g.stops = append(g.stops, func() { relay.Close() })
	return nil
}

// load takes templates, desks and agents from a configuration.
func (g *gateway) load(cfg *Config) error {
	set, err := templates.Load(cfg.Templates)
	if err != nil {
		return err
	}
	cert := g.cert.Load()
	if !g.tlsWaits(cfg) {
		if cert, err = cfg.certificate(); err != nil {
			return err
		}
	}
	g.settings.Store(cfg.Settings())
	g.relays.Store(&cfg.Trust.Relays)
	g.templates.Store(set)
	g.cert.Store(cert)
	return nil
}

// tlsWaits says that a configuration has a certificate where the listeners
// were opened without one, or none where they offer TLS.
func (g *gateway) tlsWaits(cfg *Config) bool {
	return g.ready.Load() && (cfg.TLS.CertFile == "") != (g.cert.Load() == nil)
}

// reload is SIGHUP. What is wrong leaves everything as it was.
func (g *gateway) reload() {
	cfg, _, err := loadConfig(g.env.configFile)
	var waits []string
	if err == nil {
		waits = keepUntilRestart(g.cfg, cfg)
		if g.tlsWaits(cfg) {
			waits = append(waits, "tls")
		}
		err = g.load(cfg)
	}
	if err != nil {
		g.log.Error("reload refused, the old configuration stays", "err", err)
		return
	}
	if len(waits) > 0 {
		g.log.Warn("reloaded in part: these keys wait for a restart", "keys", strings.Join(waits, ", "))
	}
	g.log.Info("reloaded", "desks", len(cfg.Desks), "agents", len(cfg.Agents))
}

// keepUntilRestart puts back what a reload does not change, so that all parts
// of the gateway have the same, and names the keys.
func keepUntilRestart(was, now *Config) (keys []string) {
	keep(&keys, "hostname", was.Hostname, &now.Hostname)
	keep(&keys, "database", was.Database, &now.Database)
	keep(&keys, "secret_file", was.SecretFile, &now.SecretFile)
	keep(&keys, "smtp", was.SMTP, &now.SMTP)
	keep(&keys, "lmtp", was.LMTP, &now.LMTP)
	keep(&keys, "web.listen", was.Web.Listen, &now.Web.Listen)
	keep(&keys, "admin", was.Admin, &now.Admin)
	keep(&keys, "relay", was.Relay, &now.Relay)
	if !slices.Equal(was.Mailboxes, now.Mailboxes) {
		keys = append(keys, "mailboxes")
		now.Mailboxes = was.Mailboxes
	}
	return keys
}

func keep[T comparable](keys *[]string, name string, was T, now *T) {
	if *now != was {
		*keys, *now = append(*keys, name), was
	}
}

// run works until a signal, a failed store or a failed listener.
func (g *gateway) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for _, task := range g.stages() {
		g.wg.Go(func() {
			if err := task(work); err != nil {
				g.fail <- err
			}
		})
	}
	g.wg.Go(func() { g.fetcher.Run(work) })
	g.wg.Go(func() {
		giveBack(work.Done(), func() int64 { return g.count.Received.Load() + g.count.Composed.Load() })
	})
	tuneMemory()
	g.ready.Store(true)
	var err error
	for done := false; !done; {
		select {
		case <-g.hup:
			g.reload()
		case <-ctx.Done():
			done = true
		case err = <-g.fail:
			done = true
		case <-g.db.Failed():
			err, done = g.db.Failure(), true
		}
	}
	g.ready.Store(false)
	stop()
	g.drain()
	return err
}

// drain waits until the listeners and all that is in hand have ended, both in
// the same time: what a slow client still brings is decided on at the next
// start.
func (g *gateway) drain() {
	limit := drainTime
	if g.db.Failure() != nil {
		limit = failedTime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	listening, cut := context.WithTimeout(ctx, limit*8/10) // the rest is for ending what is cut
	defer cut()
	for _, s := range g.servers {
		g.wg.Go(func() { s.Shutdown(listening) })
	}
	ended := make(chan struct{})
	go func() { g.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		g.log.Warn("ended before everything in hand was finished; it is taken up again at the next start")
	}
}

func (g *gateway) close() error {
	for _, stop := range slices.Backward(g.stops) {
		stop()
	}
	if g.db != nil {
		return g.db.Close()
	}
	return nil
}

// exempt frees trusted networks and named relays from the limit of
// connections of one address.
func (g *gateway) exempt(ip netip.Addr) bool {
	for _, p := range g.settings.Load().TrustedNetworks {
		if p.Contains(ip) {
			return true
		}
	}
	return isRelay(*g.relays.Load(), ip)
}

// intake hands what the listeners take to the mail flow.
type intake struct{ *mailflow.Receiver }

func (i intake) Begin(env mailflow.Envelope) smtpd.Incoming { return i.Receiver.Begin(env) }

// certificate reads the configured certificate; nil if there is none.
func (c *Config) certificate() (*tls.Certificate, error) {
	if c.TLS.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
	}
	return &cert, nil
}
