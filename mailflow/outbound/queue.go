package outbound

import (
	"context"
	"errors"
	"time"

	"guichet/mailflow/ticket"
)

// ErrGone is what [Queue.Prepare] returns for a row that is no longer to be
// sent because it is held, cancelled, or leased by somebody else by now.
var ErrGone = errors.New("row is no longer to be sent")

// ErrNotNow is what [Queue.Prepare] returns while it has trouble that is not
// the mail's: the row goes back untried.
var ErrNotNow = errors.New("the mail cannot be made now")

// Queue is the outbox as the worker needs it; the store's is the one in
// production. It is used by many goroutines at once.
type Queue interface {
	// Lease takes up to n due rows for ttl, most urgent first (agents' own
	// words before everything else), never two rows of one lane at once, and
	// never a row whose lane holds an earlier row that is neither sent nor
	// failed. A row whose lease ran out is due again.
	Lease(ctx context.Context, n int, ttl time.Duration) ([]Item, error)
	// Prepare returns the finished mail of a leased row: composed once, then
	// the same bytes at every try after one whose outcome was recorded, and if
	// it is asked for again before. It returns ErrGone if the row is no longer
	// to be sent; the worker then forgets it without a word. With
	// ErrNotNow the row is due again shortly.
	Prepare(ctx context.Context, it Item) (Mail, error)
	// Record stores outcomes of leased rows, all or none, and ends their
	// leases. An outcome whose fence is not the row's is passed over.
	Record(ctx context.Context, outcomes []Outcome) error
	// Wake returns a channel that is ticked, or closed and replaced, when new
	// rows may be due.
	Wake() <-chan struct{}
	// NextDue says when the next row is due; zero means that nothing waits.
	NextDue(ctx context.Context) (time.Time, error)
}

// Item is one leased row.
type Item struct {
	ID    int64
	Fence int64 // of this lease; goes back with the outcome
	// Lane orders rows: those of one lane are sent one after the other.
	Lane      string
	Kind      ticket.Kind
	Recipient string
	Mail      int64 // the received mail that led to it, for the log; 0: none did
	Tries     int   // how often the relay was asked so far
	Created   time.Time
}

// Mail is one finished mail with its envelope.
type Mail struct {
	From string // envelope sender without brackets; "" is the null path
	To   string // envelope recipient without brackets
	// Header holds whole lines with CRLF, without the blank line that ends
	// them; Body is what follows that line.
	Header []byte
	Body   []byte
	UTF8   bool // the header holds UTF-8: the relay must offer SMTPUTF8
}

// size is the mail's length on the wire before dot-stuffing, in bytes.
func (m *Mail) size() int64 { return int64(len(m.Header) + 2 + len(m.Body)) }

// State is what became of one try.
type State string

// The states. Sent: the relay took the mail. Deferred: to be tried again.
// Failed: not to be tried again, by the relay's word or for its age.
const (
	Sent     State = "sent"
	Deferred State = "deferred"
	Failed   State = "failed"
)

// Outcome is what is to be recorded of one leased row.
type Outcome struct {
	Item  Item
	State State
	// Reply is the relay's answer, or our own words where it gave none: one
	// line of valid UTF-8 without control characters, at most 500 bytes. It is
	// empty where a row goes back untried because the program stops.
	Reply string
	// Next is when a deferred row is due again; zero for the other states.
	Next time.Time
	// Tries replaces the row's count. It equals Item.Tries where the row was
	// not tried, or where the trouble was the relay's.
	Tries int
	// Mail is what was made of a row and not taken, so that the next try can
	// send the same bytes; nil if it was taken, none was made, or its body has
	// more than 256 KiB: such a one is stored by Prepare.
	Mail *Mail
}

// Relay takes mails to the next hop. Send may be called by many goroutines.
type Relay interface {
	// Send makes one attempt and returns when its end is known or ctx is done.
	Send(ctx context.Context, m Mail) Result
	// Close ends idle connections; those in use end with their mail.
	Close() error
}

// Result is what one attempt came to.
type Result struct {
	State State
	Reply string // as in Outcome
	// Trouble is the relay's own: no mail would have fared better now.
	Trouble bool
	// Tried is set once the relay was asked to take this very mail.
	Tried bool
}
