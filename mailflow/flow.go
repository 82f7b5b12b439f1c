package mailflow

import (
	"log/slog"
	"sync/atomic"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// The keys of log lines that more than one stage writes. One mail keeps its
// id, that of its delivery row, from receipt to answer.
const (
	KeyMail   = "mail"
	KeyTicket = "ticket"
	KeyDesk   = "desk"
	KeyOutbox = "outbox"
)

// Flow is everything behind the 250: it reads, decides and composes.
type Flow struct {
	DB        *store.DB
	Settings  *atomic.Pointer[Settings]
	Templates *atomic.Pointer[templates.Set]
	Keys      ticket.Keyring
	Log       *slog.Logger
	Now       func() time.Time
	Count     *Counters
	// Unreadable names the desks whose mailboxes cannot be fetched: no step is
	// taken on their tickets meanwhile, for an answer may lie there. Nil: none.
	Unreadable func() []string
	// Outgoing is called when rows were added to the outbox.
	Outgoing func()
	// Lends, if set, says whether the rows that a decision adds to the outbox
	// may be leased to this process at once, and for how long; it may wait a
	// moment where that is not urgent. What was leased goes to Lent after the
	// commit. Never on PostgreSQL: after a commit of unknown outcome nobody
	// would have them.
	Lends func(urgent bool) (ttl time.Duration, ok bool)
	Lent  func([]Lent)

	wake    chan struct{}
	batches batches
}

// Counters count what happened since the start, for metrics.
type Counters struct {
	Received, Processed, Held, SetAside, Opened, Threaded, Duplicates atomic.Int64
	Composed, HeldOut                                                 atomic.Int64
}

// Prepare makes a Flow ready to run.
func (f *Flow) Prepare() { f.wake = make(chan struct{}, 1) }

// Wake tells the flow that there are new deliveries.
func (f *Flow) Wake() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// hostname is what Message-IDs and token ids end in.
func (f *Flow) hostname() string { return f.Settings.Load().Hostname }
