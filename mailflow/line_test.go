package mailflow

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

func jobOf(id int64, thread string, priority int) *job {
	return &job{d: store.Delivery{ID: id, Priority: priority}, in: &incoming{mail: &rfc822.Mail{MessageID: thread}}}
}

// Mails of one thread come in their order and one at a time; else those with
// a token come first.
func TestLine(t *testing.T) {
	l := newLine()
	for i, s := range []string{"a1", "b1", "a0", "c0", "b1", "d1"} {
		l.put(jobOf(int64(i), s[:1], int(s[1]-'0')))
	}
	var got []string
	take := func() *job {
		j := l.take()
		got = append(got, fmt.Sprint(j.d.ID))
		return j
	}
	c, a := take(), take()
	b := take()
	l.done(a) // the next of its thread has a token
	take()
	l.done(b)
	take()
	l.done(c)
	take()
	if want := "3 0 1 2 5 4"; strings.Join(got, " ") != want {
		t.Errorf("taken %v, want %s", got, want)
	}
}

// Whatever many deciders do, each thread's jobs are done in their order and
// none at once with another; when the line is closed all end.
func TestLineKeepsThreads(t *testing.T) {
	const threads, jobs = 7, 2000
	l := newLine()
	var mu sync.Mutex
	last, inWork, n := map[string]int64{}, map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for j := l.take(); j != nil; j = l.take() {
				key := j.thread()
				mu.Lock()
				if inWork[key] || last[key] >= j.d.ID {
					t.Errorf("job %d of thread %s after %d, another at work: %v", j.d.ID, key, last[key], inWork[key])
				}
				inWork[key], last[key] = true, j.d.ID
				n++
				mu.Unlock()
				mu.Lock()
				inWork[key] = false
				mu.Unlock()
				l.done(j)
			}
		})
	}
	for i := range jobs {
		l.put(jobOf(int64(i+1), fmt.Sprint(i*i%threads), i%3%2))
	}
	l.close()
	wg.Wait()
	if n != jobs {
		t.Errorf("%d jobs done, want %d", n, jobs)
	}
}
