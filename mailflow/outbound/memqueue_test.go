package outbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"guichet/mailflow/ticket"
)

// memQueue is an outbox in memory that keeps to the contract of [Queue] and
// notes what breaks it.
type memQueue struct {
	mu      sync.Mutex
	rows    []*memRow // by id
	wake    chan struct{}
	leases  int
	records int
	batches []int // sizes of the leases that brought rows
	history []Outcome

	commit     time.Duration // that a Record takes
	leaseErr   error
	recordErr  func([]Outcome) error
	prepareErr func(Item) error
}

type memRow struct {
	item     Item
	urgent   bool
	due      time.Time
	leased   time.Time // until
	state    State     // "" is queued
	reply    string
	composed int
}

func newQueue() *memQueue { return &memQueue{wake: make(chan struct{}, 1)} }

// add puts a row into the outbox, due now.
func (q *memQueue) add(lane string, created time.Time, urgent ...bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id := int64(len(q.rows) + 1)
	r := &memRow{item: Item{ID: id, Lane: lane, Kind: ticket.Update, Recipient: fmt.Sprintf("r%d@b.example", id), Created: created}, due: created, urgent: len(urgent) > 0}
	q.rows = append(q.rows, r)
	tick(q.wake)
}

// row is a copy of the i-th row, from 0.
func (q *memQueue) row(i int) memRow { q.mu.Lock(); defer q.mu.Unlock(); return *q.rows[i] }

// told is a copy of all that was recorded.
func (q *memQueue) told() []Outcome { q.mu.Lock(); defer q.mu.Unlock(); return slices.Clone(q.history) }

// load is how often leases and records came, and how large leases were.
func (q *memQueue) load() (leases, records int, batches []int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leases, q.records, slices.Clone(q.batches)
}

func (q *memQueue) Wake() <-chan struct{} { return q.wake }

func (q *memQueue) Lease(ctx context.Context, n int, ttl time.Duration) ([]Item, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leases++
	if q.leaseErr != nil {
		return nil, q.leaseErr
	}
	now := time.Now()
	rows := slices.Clone(q.rows)
	slices.SortStableFunc(rows, func(a, b *memRow) int {
		if a.urgent != b.urgent {
			if a.urgent {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.item.ID, b.item.ID)
	})
	var out []Item
	for _, r := range rows {
		if len(out) == n {
			break
		}
		if r.state != "" || r.due.After(now) || r.leased.After(now) || q.blocked(r) {
			continue
		}
		r.leased = now.Add(ttl)
		r.item.Fence++
		out = append(out, r.item)
	}
	if len(out) > 0 {
		q.batches = append(q.batches, len(out))
	}
	return out, nil
}

// blocked says whether an earlier row of the lane is not done.
func (q *memQueue) blocked(r *memRow) bool {
	return slices.ContainsFunc(q.rows, func(o *memRow) bool {
		return o.item.Lane == r.item.Lane && o.item.ID < r.item.ID && o.state == ""
	})
}

func (q *memQueue) Prepare(ctx context.Context, it Item) (Mail, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.prepareErr != nil {
		if err := q.prepareErr(it); err != nil {
			return Mail{}, err
		}
	}
	r := q.rows[it.ID-1]
	r.composed++
	m := testMail(it.Recipient)
	m.Header = append(m.Header, fmt.Sprintf("X-Row: %d\r\nX-Lane: %s\r\n", it.ID, it.Lane)...)
	return m, nil
}

func (q *memQueue) Record(ctx context.Context, outs []Outcome) error {
	if q.commit > 0 {
		<-time.After(q.commit)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.recordErr != nil {
		if err := q.recordErr(outs); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q.records++
	for _, o := range outs {
		r := q.rows[o.Item.ID-1]
		if r.item.Fence != o.Item.Fence {
			continue
		}
		q.history = append(q.history, o)
		r.leased, r.item.Tries, r.reply = time.Time{}, o.Tries, o.Reply
		switch o.State {
		case Deferred:
			r.due = o.Next
		default:
			r.state = o.State
		}
	}
	return nil
}

func (q *memQueue) NextDue(ctx context.Context) (next time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		due := r.due
		if r.leased.After(due) {
			due = r.leased
		}
		if r.state == "" && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, nil
}

// states counts the rows by state; "" are those that wait.
func (q *memQueue) states() map[State]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := map[State]int{}
	for _, r := range q.rows {
		m[r.state]++
	}
	return m
}

// fakeRelay answers by a function, takes the time it is told, and keeps what
// it took.
type fakeRelay struct {
	answer func(Mail) Result
	takes  time.Duration

	mu       sync.Mutex
	asked    []time.Time
	taken    []Mail
	now, top int // under way, and the most that ever were
}

var (
	isSent    = Result{State: Sent, Reply: "250 ok", Tried: true}
	isLater   = Result{State: Deferred, Reply: "450 4.2.0 later", Tried: true}
	isFailed  = Result{State: Failed, Reply: "550 5.1.1 no such user", Tried: true}
	isTrouble = Result{State: Deferred, Reply: "connection refused", Trouble: true}
)

func (f *fakeRelay) Send(ctx context.Context, m Mail) Result {
	f.mu.Lock()
	f.asked = append(f.asked, time.Now())
	f.now++
	f.top = max(f.top, f.now)
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.now--; f.mu.Unlock() }()
	if f.takes > 0 {
		t := time.NewTimer(f.takes)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return Result{State: Deferred, Reply: "cut off", Tried: true}
		}
	}
	res := isSent
	if f.answer != nil {
		res = f.answer(m)
	}
	if res.State == Sent {
		f.mu.Lock()
		f.taken = append(f.taken, m)
		f.mu.Unlock()
	}
	return res
}

func (f *fakeRelay) Close() error { return nil }

func (f *fakeRelay) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.asked) }

// log is a copy of when it was asked, and of what it took.
func (f *fakeRelay) log() ([]time.Time, []Mail) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked), slices.Clone(f.taken)
}

var errStore = errors.New("disk I/O error")
