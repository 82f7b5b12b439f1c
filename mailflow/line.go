package mailflow

import "sync"

// line is where mails that are read wait to be decided. Those of one thread
// are decided one after the other, in the order in which they were put in; of
// different threads those with a valid token go first, so that an agent's
// answer does not stand behind the hundreds that are in hand when an outage
// makes everybody write.
type line struct {
	mu     sync.Mutex
	moved  sync.Cond // a job came to ready, or the line is closed
	closed bool

	ready   [2][]*job         // whose thread is free: with a token, and the rest
	threads map[string][]*job // of each thread with a job ready or in work: those behind it
}

func newLine() *line {
	l := &line{threads: map[string][]*job{}}
	l.moved.L = &l.mu
	return l
}

// put adds a job behind those of its thread.
func (l *line) put(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := j.thread()
	behind, busy := l.threads[key]
	if busy {
		l.threads[key] = append(behind, j)
		return
	}
	l.threads[key] = nil
	l.push(j)
}

func (l *line) push(j *job) {
	i := min(j.d.Priority, 1)
	l.ready[i] = append(l.ready[i], j)
	l.moved.Signal()
}

// take waits for the next job; nil when the line is closed and empty. The
// caller ends it with done.
func (l *line) take() *job {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for i := range l.ready {
			if q := l.ready[i]; len(q) > 0 {
				j := q[0]
				q[0], l.ready[i] = nil, q[1:]
				return j
			}
		}
		if l.closed && len(l.threads) == 0 {
			return nil
		}
		l.moved.Wait()
	}
}

// done ends a job that was taken and lets the next of its thread go.
func (l *line) done(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := j.thread()
	if behind := l.threads[key]; len(behind) > 0 {
		l.threads[key] = behind[1:]
		l.push(behind[0])
		return
	}
	delete(l.threads, key)
	if l.closed {
		l.moved.Broadcast()
	}
}

// close says that nothing is put in any more.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.moved.Broadcast()
}
