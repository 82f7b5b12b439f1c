//go:build crash

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/outbound"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
	"guichet/templates"
)

const (
	dayRows = 10_000 // answers that are written while the relay is down
	dayRate = 1000   // mails a minute
	dayConn = 4
)

// TestFaultRelayDay has a relay that is down for a day, by a clock that costs
// no time, while 10,000 mails of all priorities are written. Then all leave,
// the most urgent first, none twice, at the configured rate.
func TestFaultRelayDay(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // tens of thousands of commits, of which none is about fsync
	}
	storetest.Long(t, func(t *testing.T, d *storetest.Database) {
		synctest.Test(t, func(t *testing.T) { relayDay(t, d.URL) })
	})
}

func relayDay(t *testing.T, url string) {
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), url, store.Options{Create: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q := newQueue(db, dayFlow(t, db, log))
	q.flow.Outgoing = q.wakeUp
	relay := &dayRelay{}
	worker := &outbound.Worker{Queue: q, Relay: relay, Connections: dayConn, Rate: dayRate, Log: log}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()

	priority := map[string]int{}
	for i := 0; i < dayRows; i += 10 {
		queueMails(t, db, i, priority)
		q.wakeUp()
		<-time.After(24 * time.Hour / (dayRows / 10))
		switch i {
		case dayRows / 2: // for seven minutes it lives, and takes nothing
			relay.mode.Store(relayBusy)
		case dayRows/2 + 50:
			relay.mode.Store(relayDown)
		}
	}
	up := time.Now()
	relay.mode.Store(relayUp)
	<-time.After(20 * time.Minute)
	synctest.Wait()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	checkDay(t, db, relay, up, priority)
}

func dayFlow(t *testing.T, db *store.DB, log *slog.Logger) *mailflow.Flow {
	set, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	var settings atomic.Pointer[mailflow.Settings]
	var all atomic.Pointer[templates.Set]
	settings.Store(&mailflow.Settings{Hostname: "desk.example", BaseURL: "http://desk.example", Desks: []mailflow.Desk{
		{Key: "support", Address: "support@desk.example", Reply: "support+{token}@desk.example", Language: "en", Zone: time.UTC, Number: "INC-%06d"}}})
	all.Store(set)
	return &mailflow.Flow{DB: db, Settings: &settings, Templates: &all, Log: log, Now: time.Now, Count: &mailflow.Counters{},
		Keys: ticket.Keyring{{ID: 1, Secret: []byte("a key for tests, of 32 octets...")}}}
}

// queueMails adds ten mails, of each priority some.
func queueMails(t *testing.T, db *store.DB, from int, priority map[string]int) {
	t.Helper()
	err := db.Update(t.Context(), "test", func(tx *store.Tx) error {
		for i := from; i < from+10; i++ {
			to := fmt.Sprintf("c%d@customer.example", i)
			priority[to] = i % 7 % 4
			if _, err := tx.AddOutbox(store.Outbox{Desk: "support", Party: -1, Kind: ticket.AlsoReceived, Recipient: to,
				Priority: priority[to], Due: tx.Now(), Args: `{"count":1}`}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkDay looks at what the relay saw.
func checkDay(t *testing.T, db *store.DB, relay *dayRelay, up time.Time, priority map[string]int) {
	relay.mu.Lock()
	defer relay.mu.Unlock()
	for i := range relay.asked {
		if j := i + dayRate; j < len(relay.asked) && relay.asked[j].Sub(relay.asked[i]) < time.Minute {
			t.Fatalf("%d mails within %s", dayRate+1, relay.asked[j].Sub(relay.asked[i]))
		}
	}
	left := map[int]int{}
	for _, p := range priority {
		left[p]++
	}
	seen := map[string]bool{}
	for i, m := range relay.taken {
		p := priority[m.to]
		if seen[m.to] {
			t.Errorf("%s got it twice", m.to)
		}
		seen[m.to] = true
		for urgent := range p {
			if left[urgent] > dayConn {
				t.Fatalf("mail %d is of priority %d, and %d of %d wait", i, p, left[urgent], urgent)
			}
		}
		left[p]--
	}
	first, last := relay.taken[0].at, relay.taken[len(relay.taken)-1].at
	if len(seen) != dayRows || first.Before(up) || first.Sub(up) > 5*time.Minute || last.Sub(first) > 10*time.Minute {
		t.Errorf("%d of %d left, the first %s after the relay was back, all within %s", len(seen), dayRows, first.Sub(up), last.Sub(first))
	}
	if n := len(relay.asked) - relay.busy - dayRows; n > 24*20 || relay.busy == 0 {
		t.Errorf("the relay was tried %d times while it was down, and put off %d mails", n, relay.busy)
	}
	states, tries := map[store.OutboxState]int{}, 0
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.OutboxPage("", 0, 2*dayRows)
		for _, o := range rows {
			states[o.State]++
			tries = max(tries, o.Tries)
		}
		return err
	}); err != nil || states[store.Sent] != dayRows || tries > 8 {
		t.Errorf("%v, %d tries at most, %v", states, tries, err)
	}
	report(t, "probes %d, put_off %d, first_after_s %.0f, drained_min %.2f", len(relay.asked)-relay.busy-dayRows, relay.busy,
		first.Sub(up).Seconds(), last.Sub(first).Minutes())
}

const (
	relayDown int32 = iota // refuses the connection
	relayBusy              // takes no mail for now
	relayUp
)

// dayRelay notes when it was asked and what it took.
type dayRelay struct {
	mode  atomic.Int32
	mu    sync.Mutex
	asked []time.Time
	taken []takenMail
	busy  int // mails put off
}

type takenMail struct {
	to string
	at time.Time
}

func (r *dayRelay) Send(_ context.Context, m outbound.Mail) outbound.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, time.Now())
	switch r.mode.Load() {
	case relayDown:
		return outbound.Result{State: outbound.Deferred, Reply: "connection refused", Trouble: true}
	case relayBusy:
		r.busy++
		return outbound.Result{State: outbound.Deferred, Reply: "451 4.3.2 later", Tried: true}
	}
	r.taken = append(r.taken, takenMail{m.To, time.Now()})
	return outbound.Result{State: outbound.Sent, Reply: "250 ok", Tried: true}
}

func (r *dayRelay) Close() error { return nil }
