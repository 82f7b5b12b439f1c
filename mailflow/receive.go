package mailflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// MaxHops is how many Received lines a mail may have; one with more goes round
// in circles (RFC 5321 §6.3). It is Postfix's limit.
const MaxHops = 50

// Envelope is what a listener knows of a mail besides its bytes.
type Envelope struct {
	Listener   string   // "smtp", "smtps" or "lmtp"
	Client     string   // remote IP address without port, or "unix"
	Hello      string   // what HELO, EHLO or LHLO named
	TLS        string   // protocol version and cipher; "" without TLS
	Login      string   // the authenticated login; "" without one
	From       string   // MAIL FROM without brackets; "" is the null path
	Recipients []string // RCPT TO as accepted, in their order
}

// Refusal is an answer to the sending client: an SMTP reply that says
// whether to try again (4xx) or not (5xx), in words that hold nothing of our
// inside.
type Refusal struct {
	Code     int
	Enhanced [3]int // RFC 3463
	Message  string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Enhanced[0], r.Enhanced[1], r.Enhanced[2], r.Message)
}

var (
	refusedUnknown  = &Refusal{550, [3]int{5, 1, 1}, "No such desk here"}
	refusedBusy     = &Refusal{451, [3]int{4, 3, 2}, "Too much mail is waiting here, try again later"}
	refusedFull     = &Refusal{452, [3]int{4, 3, 1}, "Not enough disk space here, try again later"}
	refusedOurFault = &Refusal{451, [3]int{4, 3, 0}, "Our fault, try again later"}
)

// A Receiver takes mails: what it has committed is never lost.
type Receiver struct {
	DB       *store.DB
	Settings *atomic.Pointer[Settings]
	Keys     ticket.Keyring
	Log      *slog.Logger
	Now      func() time.Time
	// Dir is in the file system whose free space is watched; "" watches none.
	Dir string
	// Wake is called after each commit.
	Wake  func()
	Count *Counters

	pressure pressure
}

// Ready says whether a mail may be sent now: [Refusal] 451 beyond
// Limits.MaxUnprocessed, 452 below Limits.MinFree. What is asked of the store
// is at most a second old; the disk is asked each time, since within a second
// mails could take all that is kept free.
func (r *Receiver) Ready(int64) error {
	if r.Dir != "" && lowOnSpace(r.Dir, r.Settings.Load().Limits.MinFree) {
		return refusedFull
	}
	p := &r.pressure
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := r.Now(); now.Sub(p.asked) >= time.Second || now.Before(p.asked) {
		p.asked = now
		p.refusal = r.look()
	}
	if p.refusal != nil {
		return p.refusal
	}
	return nil
}

type pressure struct {
	mu      sync.Mutex
	asked   time.Time
	refusal *Refusal
}

func (r *Receiver) look() *Refusal {
	limits := r.Settings.Load().Limits
	var n int
	err := r.DB.View(context.Background(), func(tx *store.Tx) (err error) {
		n, err = tx.Unprocessed(limits.MaxUnprocessed + 1)
		return err
	})
	if err != nil {
		return refusedOurFault
	}
	if n > limits.MaxUnprocessed {
		return refusedBusy
	}
	return nil
}

// lowOnSpace compares the free space of dir's file system with the floor: by
// default the smaller of 1 GiB and 5 % of it.
func lowOnSpace(dir string, floor int64) bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return false
	}
	if floor == 0 {
		floor = min(1<<30, int64(fs.Blocks)*fs.Bsize/20)
	}
	return int64(fs.Bavail)*fs.Bsize < floor
}

// Recipient says whether mail to an address is ours to take: nil, or a
// [Refusal].
func (r *Receiver) Recipient(to string) error {
	if r.Settings.Load().Route(to).Desk == nil {
		return refusedUnknown
	}
	return nil
}

// An Incoming is one mail on its way in.
type Incoming struct {
	r    *Receiver
	env  Envelope
	raw  *store.RawWriter
	size int64
	rows []store.Delivery // of Commit
	ids  []int64          // theirs
}

// Begin starts taking a mail's bytes.
func (r *Receiver) Begin(env Envelope) *Incoming {
	return &Incoming{r: r, env: env, raw: r.DB.NewRaw(context.Background())}
}

// Write takes bytes; they are not safe before Commit.
func (in *Incoming) Write(p []byte) (int, error) {
	n, err := in.raw.Write(p)
	in.size += int64(n)
	if err != nil {
		return n, in.r.fault(err)
	}
	return n, nil
}

// Abort forgets the mail.
func (in *Incoming) Abort() { in.raw.Abort() }

// Commit makes the mail durable, with one delivery row for each desk among
// its recipients. Whatever goes wrong is a [Refusal] that asks the client to
// try again.
func (in *Incoming) Commit(ctx context.Context) error {
	in.rows = in.deliveries()
	if slices.ContainsFunc(in.rows, func(d store.Delivery) bool { return d.Priority == 0 }) {
		ctx = store.Urgent(ctx)
	}
	err := in.r.DB.Update(ctx, "accept", func(tx *store.Tx) error {
		in.ids = in.ids[:0]
		rawID, _, _, err := in.raw.Finish(tx)
		if err != nil {
			return err
		}
		for _, d := range in.rows {
			d.RawID, d.Received = rawID, tx.Now()
			id, err := tx.AddDelivery(d)
			if err != nil {
				return err
			}
			in.ids = append(in.ids, id)
		}
		return nil
	})
	if err != nil {
		in.raw.Abort()
		return in.r.fault(err)
	}
	in.r.Count.Received.Add(int64(len(in.ids)))
	in.r.Wake()
	return nil
}

// IDs are the delivery rows that Commit made, in the order of the recipients.
func (in *Incoming) IDs() []int64 { return in.ids }

// Told logs what was taken. The client has its answer.
func (in *Incoming) Told() {
	for i, id := range in.ids {
		in.r.Log.Info("received", KeyMail, id, KeyDesk, in.rows[i].Desk, "client", in.env.Client, "bytes", in.size)
	}
}

// deliveries makes one row for each desk, in the order of the recipients.
func (in *Incoming) deliveries() []store.Delivery {
	s := in.r.Settings.Load()
	var rows []store.Delivery
	for _, to := range in.env.Recipients {
		route := s.Route(to)
		if route.Desk == nil {
			continue // the desk went away with a reload since RCPT
		}
		i := indexDesk(rows, route.Desk.Key)
		if i < 0 {
			i = len(rows)
			rows = append(rows, store.Delivery{Desk: route.Desk.Key, Listener: in.env.Listener, Client: in.env.Client,
				Hello: in.env.Hello, TLS: in.env.TLS, Login: in.env.Login, MailFrom: in.env.From, Priority: 1})
		}
		rows[i].Recipients = append(rows[i].Recipients, to)
		if t, err := in.r.Keys.Verify(route.Token); err == nil {
			rows[i].Priority = 0
			if t.Purpose == ticket.ForReply {
				rows[i].About = t.Ticket()
			}
		}
	}
	if rows == nil {
		first := &s.Desks[0]
		rows = []store.Delivery{{Desk: first.Key, Listener: in.env.Listener, Client: in.env.Client, Hello: in.env.Hello,
			TLS: in.env.TLS, Login: in.env.Login, MailFrom: in.env.From, Priority: 1, Recipients: in.env.Recipients}}
	}
	return rows
}

func indexDesk(rows []store.Delivery, desk string) int {
	for i := range rows {
		if rows[i].Desk == desk {
			return i
		}
	}
	return -1
}

// fault turns an error of ours into a reply that makes the client keep the
// mail.
func (r *Receiver) fault(err error) error {
	r.Log.Error("rejected", "err", err)
	if errors.Is(err, store.ErrFull) {
		return refusedFull
	}
	return refusedOurFault
}

// Route is where mail to an address goes.
type Route struct {
	Desk *Desk // nil: not ours
	// Token is what stands where a desk's pattern has its token; it is not
	// verified yet. "" if nothing does.
	Token string
}

// Route finds the desk of an address. Besides the desks' own addresses and
// their token addresses, whatever follows a + belongs to the desk, and
// postmaster is the first desk's (RFC 5321 §4.5.1).
func (s *Settings) Route(address string) Route {
	address = strings.ToLower(address)
	local, domain, _ := cutLast(address)
	for i := range s.Desks {
		if address == s.Desks[i].Address {
			return Route{Desk: &s.Desks[i]}
		}
	}
	var plus Route // the longest: one desk may stand behind another's +
	for i := range s.Desks {
		d := &s.Desks[i]
		if token := d.tokenIn(address); token != "" {
			return Route{d, token}
		}
		deskLocal, deskDomain, _ := cutLast(d.Address)
		if domain == deskDomain && strings.HasPrefix(local, deskLocal+"+") && (plus.Desk == nil || len(d.Address) > len(plus.Desk.Address)) {
			plus = Route{d, local[len(deskLocal)+1:]}
		}
	}
	if plus.Desk != nil {
		return plus
	}
	if local == "postmaster" && (domain == "" || s.isOurDomain(domain)) {
		return Route{Desk: &s.Desks[0]}
	}
	return Route{}
}

// tokenIn cuts what stands in the token's place of a reply address, if that
// could be a token; "" if the address is none.
func (d *Desk) tokenIn(address string) string {
	before, after, ok := strings.Cut(strings.ToLower(d.Reply), "{token}")
	if !ok || len(address) != len(before)+ticket.TokenLength+len(after) ||
		!strings.HasPrefix(address, before) || !strings.HasSuffix(address, after) {
		return ""
	}
	token := address[len(before) : len(before)+ticket.TokenLength]
	if strings.ContainsAny(token, "@+.") {
		return ""
	}
	return token
}

// TokenAddress is the desk's address that carries a token, or its bare
// address where the desk has none.
func (d *Desk) TokenAddress(token string) string {
	if d.Reply == "off" || d.Reply == "" {
		return d.Address
	}
	return strings.Replace(d.Reply, "{token}", token, 1)
}

func (s *Settings) isOurDomain(domain string) bool {
	if domain == strings.ToLower(s.Hostname) {
		return true
	}
	for i := range s.Desks {
		if _, d, _ := cutLast(s.Desks[i].Address); d == domain {
			return true
		}
	}
	return false
}

// cutLast cuts an address at its last @, since a quoted local part may hold
// others.
func cutLast(address string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}
