package imapfetch

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guichet/mailflow"
	"guichet/mailflow/imapfetch/imaptest"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

func TestMain(m *testing.M) { storetest.MainReady(m) }

// patience is how long a test waits for what must come.
const patience = time.Minute

var testKeys = ticket.Keyring{{ID: 1, Secret: []byte("a key for tests, of 32 octets...")}}

// quick are waits short enough for tests.
var quick = timing{idle: 300 * time.Millisecond, poll: 20 * time.Millisecond, lease: 3 * time.Second, pause: 20 * time.Millisecond,
	first: 5 * time.Millisecond, most: 50 * time.Millisecond, refused: 20 * time.Millisecond, stuck: 50 * time.Millisecond, longest: 200 * time.Millisecond,
	settle: 50 * time.Millisecond, silence: 5 * time.Second}

// world is a gateway that takes mails and does nothing with them.
type world struct {
	t   testing.TB
	db  *store.DB
	r   *mailflow.Receiver
	log logBook
	set atomic.Pointer[mailflow.Settings]
	cnt mailflow.Counters
}

// logBook is a log that can be read while it is written.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t testing.TB, db *store.DB) *world {
	t.Helper()
	w := &world{t: t, db: db}
	w.set.Store(&mailflow.Settings{Hostname: "desk.example", Desks: []mailflow.Desk{
		{Key: "support", Address: "support@desk.example", Reply: "support+{token}@desk.example", Language: "en", Zone: time.UTC, Number: "INC-%06d"},
		{Key: "sales", Address: "sales@desk.example", Reply: "sales+{token}@desk.example", Language: "en", Zone: time.UTC, Number: "SAL-%06d"},
	}, Limits: mailflow.Limits{MaxMessage: 1 << 20, MaxUnprocessed: 100_000, ReadTimeout: 10 * time.Second}})
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.r = &mailflow.Receiver{DB: db, Settings: &w.set, Keys: testKeys, Log: log, Now: time.Now, Wake: func() {}, Count: &w.cnt}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", w.log.text())
		}
	})
	return w
}

// fetcher fetches these mailboxes, quickly.
func (w *world) fetcher(boxes ...Mailbox) *Fetcher {
	times := quick
	f := &Fetcher{Mailboxes: boxes, DB: w.db, Receiver: w.r, Log: w.r.Log, Now: time.Now, times: &times}
	f.Prepare()
	return f
}

// run fetches until stop, which the end of the test calls too.
func (w *world) run(f *Fetcher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() { cancel(); <-done })
	}
	w.t.Cleanup(stop)
	return stop
}

// box is a folder of a Dovecot.
func box(t testing.TB, url string) Mailbox {
	t.Helper()
	m, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	m.Desk, m.After = "support", Seen
	m.Password = func() (string, error) { return imaptest.Password, nil }
	return m
}

// until waits for a condition.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	w.within(patience, what, ok)
}

func (w *world) within(d time.Duration, what string, ok func() bool) {
	w.t.Helper()
	limit := time.NewTimer(d)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			w.t.Fatalf("not within %s: %s", d, what)
		case <-tick.C:
		}
	}
}

// taken counts the deliveries by the subject of their mail.
func (w *world) taken() map[string]int {
	w.t.Helper()
	n := map[string]int{}
	err := w.db.View(context.Background(), func(tx *store.Tx) error {
		for id := int64(1); ; id++ {
			d, err := tx.DeliveryByID(id)
			if err != nil {
				return nil
			}
			raw, err := tx.ReadRaw(d.RawID)
			if err != nil {
				return err
			}
			subject := d.Subject
			for line := range strings.Lines(string(raw)) {
				if s, ok := strings.CutPrefix(line, "Subject: "); ok {
					subject = strings.TrimSpace(s)
					break
				}
			}
			n[string(d.State)+" "+subject]++
		}
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) delivery(id int64) (d store.Delivery) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx *store.Tx) (err error) { d, err = tx.DeliveryByID(id); return err }); err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) raw(d store.Delivery) (raw []byte) {
	w.t.Helper()
	if err := w.db.View(context.Background(), func(tx *store.Tx) (err error) { raw, err = tx.ReadRaw(d.RawID); return err }); err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// exactly waits until what was taken is this and nothing else.
func (w *world) exactly(want ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("taken: %q", want), func() bool {
		got := w.taken()
		if len(got) != len(want) {
			return false
		}
		for _, s := range want {
			if got[s] != 1 {
				return false
			}
		}
		return true
	})
}

// mail is a mail with a subject of its own.
func mail(subject string, more ...string) []byte {
	return fmt.Appendf(nil, "Return-Path: <ada@customer.example>\r\nReceived: from a by b; Sun, 22 Nov 2026 09:00:00 +0000\r\n%sFrom: Ada <ada@customer.example>\r\nTo: support@desk.example\r\nDate: %s\r\nMessage-ID: <%s@customer.example>\r\nSubject: %s\r\n\r\nWords.\r\n",
		strings.Join(more, ""), time.Now().UTC().Format(time.RFC1123Z), strings.ReplaceAll(subject, " ", "."), subject)
}

func (f *Fetcher) rooted(d *imaptest.Dovecot) *Fetcher {
	f.RootCAs = d.Roots
	return f
}
