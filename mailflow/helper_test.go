package mailflow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
	"guichet/templates"
)

func TestMain(m *testing.M) { storetest.MainReady(m) }

var ctx = context.Background()

const (
	day    = 24 * time.Hour
	agent  = "agent@desk.example"
	second = "second@desk.example"
	desk   = "support@desk.example"
	ada    = "ada@customer.example"
)

var testKeys = ticket.Keyring{{ID: 1, Secret: []byte("a key for tests, of 32 octets...")}}

// testSettings are two desks and two agents; 10/8 is trusted.
func testSettings() *Settings {
	timers := ticket.Timers{ReminderAfter: day, ReminderEvery: day, Reminders: 3, AutoCloseAfter: day, ClosureReminderAfter: day, ReopenWithin: 7 * day}
	policy := ticket.Policy{Intake: ticket.Direct, Approval: ticket.Assumed, Timers: timers}
	return &Settings{
		Hostname: "desk.example",
		BaseURL:  "http://desk.example",
		Desks: []Desk{
			{Key: "support", Address: desk, Reply: "support+{token}@desk.example", Language: "en", Zone: time.UTC, Number: "INC-%06d", Policy: policy},
			{Key: "sales", Address: "sales@desk.example", Reply: "off", Language: "fr", Zone: time.UTC, Number: "SAL-%05d", Policy: policy},
		},
		Agents: []Agent{
			{Address: agent, Name: "First agent", Desks: []string{"support", "sales"}},
			{Address: second, Name: "Second agent", Desks: []string{"support"}},
		},
		TrustedNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Limits:          Limits{MaxMessage: 25 << 20, MaxUnprocessed: 100_000, ReadTimeout: 10 * time.Second},
	}
}

// world is a gateway without sockets: mails are put in, processed and sent
// one after the other, by a clock that only the test moves.
type world struct {
	t     testing.TB
	db    *store.DB
	f     *Flow
	r     *Receiver
	micro atomic.Int64
	sent  []*letter
	mails int
	late  catchUp
	lent  []Lent // not sent yet

	lending sync.Mutex // guards lent while decisions run
}

// letter is one mail that left.
type letter struct {
	row  store.Outbox
	raw  []byte
	mail *rfc822.Mail
}

// builtin is one for all: a set never changes, and reading one costs more than
// most tests.
var builtin = sync.OnceValues(func() (*templates.Set, error) { return templates.Load("") })

func newWorld(t testing.TB, d *storetest.Database) *world {
	t.Helper()
	w := &world{t: t}
	w.micro.Store(time.Date(2026, 11, 21, 14, 5, 0, 0, time.UTC).UnixMicro())
	w.db = d.Open(func(o *store.Options) { o.Now = w.now })
	set, err := builtin()
	w.must(err)
	var settings atomic.Pointer[Settings]
	var all atomic.Pointer[templates.Set]
	settings.Store(testSettings())
	all.Store(set)
	log := slog.New(slog.DiscardHandler)
	w.f = &Flow{DB: w.db, Settings: &settings, Templates: &all, Keys: testKeys, Log: log, Now: w.now, Count: &Counters{}, Outgoing: func() {}}
	w.f.Prepare()
	if d.Engine == "sqlite" {
		w.lend()
	}
	w.r = &Receiver{DB: w.db, Settings: &settings, Keys: testKeys, Log: log, Now: w.now, Wake: w.f.Wake, Count: w.f.Count}
	return w
}

func (w *world) now() time.Time           { return time.UnixMicro(w.micro.Load()).UTC() }
func (w *world) pass(d time.Duration)     { w.micro.Add(d.Microseconds()) }
func (w *world) at(t time.Time)           { w.micro.Store(t.UnixMicro()) }
func (w *world) change(f func(*Settings)) { s := *w.f.Settings.Load(); f(&s); w.f.Settings.Store(&s) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(fn func(*store.Tx) error)   { w.t.Helper(); w.must(w.db.View(ctx, fn)) }
func (w *world) update(fn func(*store.Tx) error) { w.t.Helper(); w.must(w.db.Update(ctx, "test", fn)) }

// deliver commits a mail as a listener does.
func (w *world) deliver(env Envelope, raw string) {
	w.t.Helper()
	in := w.r.Begin(env)
	_, err := in.Write([]byte(strings.ReplaceAll(raw, "\n", "\r\n")))
	w.must(err)
	w.must(in.Commit(ctx))
}

// mail puts in what a stranger's server hands over: rest is header lines, a
// blank line and the text. submit comes from a trusted network.
func (w *world) mail(from, to, rest string)   { w.t.Helper(); w.put("192.0.2.7", from, to, rest) }
func (w *world) submit(from, to, rest string) { w.t.Helper(); w.put("10.1.2.3", from, to, rest) }

func (w *world) put(client, from, to, rest string) {
	w.t.Helper()
	w.mails++
	head, text, ok := strings.Cut(rest, "\n\n")
	if !ok {
		head, text = "Subject: "+rest, "The text of "+rest+"."
	}
	has := func(name string) bool { return strings.Contains("\n"+head, "\n"+name+": ") }
	add := func(name, value string) {
		if !has(name) {
			head = name + ": " + value + "\n" + head
		}
	}
	add("From", from)
	add("To", to)
	add("Date", w.now().Format(time.RFC1123Z))
	add("Message-ID", fmt.Sprintf("<m%d@%s>", w.mails, client))
	add("Content-Type", "text/plain; charset=utf-8")
	if client != "10.1.2.3" {
		add("Received", "from a by b; "+w.now().Format(time.RFC1123Z))
	}
	head = strings.NewReplacer("Message-ID: none\n", "", "Date: none\n", "").Replace(head + "\n")
	w.deliver(Envelope{Listener: "smtp", Client: client, From: from, Recipients: strings.Split(to, ",")}, head+"\n"+text+"\n")
}

// answer puts in an answer to a mail that left, with its whole text quoted.
func (w *world) answer(l *letter, from, text string) { w.t.Helper(); w.reply(w.mail, l, from, text) }

// act is an answer from a trusted network.
func (w *world) act(l *letter, from, text string) { w.t.Helper(); w.reply(w.submit, l, from, text) }

func (w *world) reply(put func(string, string, string), l *letter, from, text string) {
	w.t.Helper()
	to := l.mail.From
	if len(l.mail.ReplyTo) > 0 {
		to = l.mail.ReplyTo
	}
	quote := "> " + strings.ReplaceAll(strings.TrimSpace(l.mail.Text), "\n", "\n> ")
	put(from, to[0].Address, "Subject: Re: "+l.mail.Subject+"\nIn-Reply-To: "+l.mail.MessageID+"\nReferences: "+
		strings.Join(append(l.mail.References, l.mail.MessageID), " ")+"\n\n"+text+"\n\nOn Sat, 21 Nov 2026, "+l.mail.From[0].Address+" wrote:\n"+quote)
}

// process takes all that waits through the stages, in the order of the claim.
func (w *world) process() {
	w.t.Helper()
	for n := 1; n > 0; {
		var ds []store.Delivery
		w.update(func(tx *store.Tx) (err error) { ds, err = tx.ClaimDeliveries(64, leaseTTL); return err })
		sortDeliveries(ds)
		for _, d := range ds {
			j := &job{d: d}
			newPipeline(w.f).read(j)
			w.f.settle(j)
		}
		n = len(ds)
	}
}

// run processes, takes due steps and sends until nothing moves, and looks
// whether each ticket's count of waiting mails is right.
func (w *world) run() {
	w.t.Helper()
	w.process()
	for w.f.due(ctx, &w.late) > 0 {
	}
	for w.send() > 0 {
	}
	for _, tk := range w.tickets() {
		if n := len(w.messages(tk.ID, store.Waiting)); n != tk.Waiting {
			w.t.Errorf("ticket %s counts %d waiting mails, it has %d", tk.Number, tk.Waiting, n)
		}
	}
}

// send composes what is due and hands it to a relay that takes all.
func (w *world) send() int {
	w.t.Helper()
	rows := w.leased()
	var done []store.Outbox
	for _, l := range rows {
		o := l.Row
		err := w.f.ComposeLent(ctx, &o, l)
		if errors.Is(err, ErrNotSent) {
			continue
		}
		w.must(err)
		raw := bytes.Join([][]byte{o.Header, o.Body}, nil)
		w.sent = append(w.sent, &letter{o, raw, rfc822.Parse(raw)})
		o.State, o.Tries = store.Sent, o.Tries+1
		done = append(done, o)
	}
	w.must(w.f.Settle(ctx, done))
	return len(rows)
}

// leased are the rows that may leave now.
func (w *world) leased() []Lent {
	w.t.Helper()
	var waited []store.Outbox
	w.update(func(tx *store.Tx) (err error) { waited, err = tx.LeaseOutbox(100, time.Minute); return err })
	w.lending.Lock()
	defer w.lending.Unlock()
	rows := w.lent
	for _, o := range waited {
		rows = append(rows, Lent{Row: o})
	}
	w.lent = nil
	slices.SortStableFunc(rows, func(a, b Lent) int { return cmp.Compare(a.Row.Priority, b.Row.Priority) })
	return rows
}

// lend has rows leased as they are added, like the gateway on SQLite. What is
// known of them then must be what the store would say.
func (w *world) lend() {
	w.f.Lends = func(bool) (time.Duration, bool) { return time.Minute, true }
	w.f.Lent = func(rows []Lent) {
		w.lending.Lock()
		w.lent = append(w.lent, rows...)
		w.lending.Unlock()
		for _, l := range rows {
			read := &draft{row: l.Row, args: argsOf(l.Row)}
			w.update(func(tx *store.Tx) error {
				row, err := tx.OutboxByID(l.Row.ID)
				w.must(err)
				if !reflect.DeepEqual(row, l.Row) {
					w.t.Errorf("lent %+v, stored is %+v", l.Row, row)
				}
				return w.f.gather(tx, read)
			})
			if !reflect.DeepEqual(l.draft, read) {
				w.t.Errorf("known of a %s to %s is\n%+v\nstored is\n%+v", l.Row.Kind, l.Row.Recipient, l.draft, read)
			}
		}
	}
}

// take wants exactly one mail of a kind to a reader that was not taken yet.
func (w *world) take(kind ticket.Kind, to string) *letter {
	w.t.Helper()
	var found []*letter
	rest := w.sent[:0:0]
	for _, l := range w.sent {
		if l.row.Kind == kind && l.row.Recipient == to {
			found = append(found, l)
		} else {
			rest = append(rest, l)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%d mails %s to %s, want 1", len(found), kind, to)
	}
	w.sent = rest
	return found[0]
}

// left counts the mails that left to a reader and were not taken.
func (w *world) left(to string) (n int) {
	for _, l := range w.sent {
		if l.row.Recipient == to {
			n++
		}
	}
	return n
}

func (w *world) forget() { w.sent = nil }

func (w *world) tickets() (all []ticket.Ticket) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { all, err = tx.TicketPage("", "", 0, 100_000); return err })
	return all
}

// ticket is the one with a row id, in a state, or in any.
func (w *world) ticket(id int64, state ticket.State) (tk ticket.Ticket) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { tk, err = tx.TicketByID(id); return err })
	if tk.State != state && state != "" {
		w.t.Fatalf("ticket %d is %s, want %s", id, tk.State, state)
	}
	return tk
}

func (w *world) messages(id int64, v store.Visibility) (out []store.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) error {
		all, err := tx.Messages(id)
		for _, m := range all {
			if v == "" || m.Visibility == v {
				out = append(out, m)
			}
		}
		return err
	})
	return out
}

func (w *world) delivery(id int64) (d store.Delivery) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) { d, err = tx.DeliveryByID(id); return err })
	return d
}
