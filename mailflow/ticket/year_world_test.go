package ticket_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

// world is a year: what will happen, in its order, and the clock.
type world struct {
	t        *testing.T
	rng      *rand.Rand
	now, end time.Time
	queue    queue
	seq      int
	down     []span // nothing runs; mails wait at their senders'
	shut     []span // mailboxes cannot be read
	slot     time.Time
	lives    []*life
	numbers  map[string]bool
	happened int
	count    map[string]int
}

// span is a time, from and to.
type span [2]time.Time

func (s span) holds(t time.Time) bool { return !t.Before(s[0]) && t.Before(s[1]) }

// item is something that will happen. The clock's comes after downtime in a
// slot of its own.
type item struct {
	at    time.Time
	seq   int
	clock bool
	do    func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newWorld(t *testing.T, seed uint64) *world {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), now: start, end: start.Add(365 * day), numbers: map[string]bool{}, count: map[string]int{}}
	at := func(after, long time.Duration) span { return span{start.Add(after), start.Add(after + long)} }
	w.down = []span{at(20*day, 3*time.Hour), at(75*day, 9*time.Hour), at(120*day, day), at(180*day, 3*day), at(250*day, 14*day), at(300*day, 30*time.Hour)}
	w.shut = []span{at(40*day, 6*time.Hour), at(140*day, 2*day), at(264*day+time.Hour, 5*time.Hour), at(320*day, 12*time.Hour)}
	return w
}

func (w *world) at(when time.Time, do func())  { w.push(item{at: when, do: do}) }
func (w *world) in(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

func (w *world) push(i item) {
	w.seq++
	i.seq = w.seq
	heap.Push(&w.queue, i)
}

// about is a time of roughly so long: most are shorter, some much longer.
func (w *world) about(d time.Duration) time.Duration {
	return time.Second + time.Duration(w.rng.ExpFloat64()*float64(d))
}

func (w *world) often(p float64) bool { return w.rng.Float64() < p }

// pick draws one of the named by its weight.
func (w *world) pick(weights ...any) string {
	sum := 0
	for i := 1; i < len(weights); i += 2 {
		sum += weights[i].(int)
	}
	n := w.rng.IntN(sum)
	for i := 1; ; i += 2 {
		if n -= weights[i].(int); n < 0 {
			return weights[i-1].(string)
		}
	}
}

// run lets the year pass.
func (w *world) run(tickets int) {
	for range tickets {
		w.in(time.Duration(w.rng.Int64N(int64(355*day))), w.birth)
	}
	for len(w.queue) > 0 {
		i := heap.Pop(&w.queue).(item)
		if i.at.After(w.end) {
			break
		}
		if d := within(w.down, i.at); d != nil {
			w.whenUp(i, d[1])
			continue
		}
		w.now = i.at
		w.happened++
		i.do()
	}
	w.now = w.end
}

// whenUp puts off what downtime meets: overdue steps are spread, one a
// second; mails come when their servers try again.
func (w *world) whenUp(i item, up time.Time) {
	if i.clock {
		i.at = w.overdue(up)
	} else {
		i.at = up.Add(time.Duration(w.rng.Int64N(int64(4 * time.Hour))))
	}
	heap.Push(&w.queue, i)
}

func (w *world) overdue(up time.Time) time.Time {
	if w.slot.Before(up) {
		w.slot = up
	}
	w.slot = w.slot.Add(time.Second)
	return w.slot
}

func within(spans []span, t time.Time) *span {
	for i := range spans {
		if spans[i].holds(t) {
			return &spans[i]
		}
	}
	return nil
}

// finish looks at what is left at the end of the year.
func (w *world) finish() {
	for _, l := range w.lives {
		state := string(l.t.State)
		if l.t.State == ticket.Closed {
			state += " " + string(l.t.Closed)
		}
		if l.t.Stuck != "" {
			w.count[l.desk.name+": ends stopped"]++
		}
		if l.t.State != ticket.Closed {
			w.count[l.desk.name+": ends "+state]++
		}
		w.count[l.desk.name+": tickets"]++
		if o := l.oracle; !o.due.IsZero() && o.due.Before(w.end) && o.waiting == 0 {
			l.fail(fmt.Sprintf("%s was due at %v and never came", o.next, o.due))
		}
	}
}
