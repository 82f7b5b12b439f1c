package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"guichet/mailflow/outbound"
	"guichet/mailflow/rfc822"
	"guichet/store"
	"guichet/templates"
)

// admin is the handler of the admin listener: it asks for no password and
// listens on loopback by default.
func (g *gateway) admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.metrics(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", g.readyz)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.Handle("GET /debug/pprof/heap", pprof.Handler("heap"))
	mux.Handle("GET /debug/pprof/goroutine", pprof.Handler("goroutine"))
	if strings.HasPrefix(g.cfg.Relay.URL, "maildir:") {
		mux.HandleFunc("GET /outbox", g.outboxPage)
	}
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(g.templates.Load().Style())
	})
	return mux
}

// readyz says whether mail would be taken now.
func (g *gateway) readyz(w http.ResponseWriter, _ *http.Request) {
	switch err := g.receiver.Ready(0); {
	case !g.ready.Load():
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		fmt.Fprintln(w, "ready")
	}
}

// outboxPage shows the newcomer the mails that a maildir relay has taken.
func (g *gateway) outboxPage(w http.ResponseWriter, r *http.Request) {
	entries, err := outbound.ReadMaildir(strings.TrimPrefix(g.cfg.Relay.URL, "maildir:"), 100)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	page := templates.OutboxPage{Lang: g.settings.Load().Desks[0].Language, Zone: time.Local}
	if l := r.URL.Query().Get("lang"); l == "fr" || l == "en" {
		page.Lang = l
	}
	for _, e := range entries {
		m := rfc822.Parse(e.Raw)
		mail := templates.OutboxMail{At: e.Time, To: e.Recipient, Subject: m.Subject, Kind: m.Header.Get("X-Guichet-Kind"), Text: m.Text}
		if len(m.From) > 0 {
			mail.From = m.From[0].Address
		}
		page.Mails = append(page.Mails, mail)
	}
	var b bytes.Buffer
	if err := g.templates.Load().Page("outbox", &b, &page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'")
	w.Write(b.Bytes())
}

// metrics gathers the counters of all parts when they are asked for.
func (g *gateway) metrics() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, value func() int64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "guichet_" + name, Help: help},
			func() float64 { return float64(value()) }))
	}
	gauge := func(name, help string, value func() int64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "guichet_" + name, Help: help},
			func() float64 { return float64(value()) }))
	}
	c := &g.count
	counter("received_total", "Mails taken: 250 was said.", c.Received.Load)
	counter("processed_total", "Deliveries decided on.", c.Processed.Load)
	counter("held_total", "Deliveries held.", c.Held.Load)
	counter("set_aside_total", "Deliveries set aside.", c.SetAside.Load)
	counter("opened_total", "Tickets opened by mail.", c.Opened.Load)
	counter("threaded_total", "Mails that found their ticket.", c.Threaded.Load)
	counter("duplicates_total", "Mails that came twice.", c.Duplicates.Load)
	counter("composed_total", "Mails composed.", c.Composed.Load)
	counter("outbox_held_total", "Mails to send that were held.", c.HeldOut.Load)
	counter("sent_total", "Mails that the relay took.", func() int64 { return g.worker.Status().Sent })
	counter("deferred_total", "Tries that were put off.", func() int64 { return g.worker.Status().Deferred })
	counter("failed_total", "Mails that could not be sent.", func() int64 { return g.worker.Status().Failed })
	gauge("relay_paused", "1 while the relay's trouble stops sending.", func() int64 {
		if g.worker.Status().PausedUntil.IsZero() {
			return 0
		}
		return 1
	})
	gauge("outbox_queued", "Mails that wait to be sent, at most 100000.", func() int64 { return int64(g.depth((*store.Tx).OutboxDepth)) })
	gauge("outbox_busy", "Mails that are due or being sent, at most 100000.", func() int64 { return int64(g.depth((*store.Tx).OutboxBusy)) })
	gauge("unprocessed", "Mails taken and not decided on, at most 100000.", func() int64 { return int64(g.depth((*store.Tx).Unprocessed)) })
	gauge("held", "Mails held, set aside or waiting now, at most 100000.", func() int64 { return int64(g.depth((*store.Tx).HeldNow)) })
	counter("fetched_total", "Mails fetched from mailboxes.", g.fetcher.Fetched.Load)
	counter("not_fetched_total", "Mails of mailboxes that were held since they could not be fetched.", g.fetcher.Failed.Load)
	gauge("mailboxes_unreadable", "Mailboxes that cannot be read now: the clocks of their desks stand still.", g.fetcher.UnreadableMailboxes)
	gauge("wal_bytes", "Size of SQLite's write-ahead log.", g.db.WALSize)
	gauge("connections", "Open mail connections.", func() (n int64) {
		for _, s := range g.servers {
			n += s.Counters().Open.Load()
		}
		return n
	})
	return reg
}

func (g *gateway) depth(count func(*store.Tx, int) (int, error)) (n int) {
	err := g.db.View(context.Background(), func(tx *store.Tx) (err error) {
		n, err = count(tx, 100_000)
		return err
	})
	if err != nil {
		return -1
	}
	return n
}
