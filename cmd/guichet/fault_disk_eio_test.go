//go:build crash

package main

import (
	"errors"
	"fmt"
	"net/textproto"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFaultDiskError lets the disk fail below a gateway that takes mail: from
// some call on each fsync, write or read returns EIO. It must end by itself,
// without a 250 for what is not on the disk, and the next start must find
// everything that was acknowledged.
func TestFaultDiskError(t *testing.T) {
	t.Parallel()
	diskNeeds(t, "strace")
	// strace counts the calls of each thread for itself, so that the first
	// failed fsyncs are among others that do not fail: none may be taken for a
	// second chance.
	for _, f := range []struct{ name, calls, when string }{
		{"fsync", "fsync,fdatasync", "12"},
		{"write", "pwrite64", "200"},
		{"read", "pread64", "200"},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			r := newOrderRun(t)
			r.start() // what a first start writes is another matter
			t.Cleanup(r.stop)
			r.stop()
			r.startTraced("-e", "trace="+orderCalls+",pread64", "-e", "inject="+f.calls+":error=EIO:when="+f.when+"+")
			began := time.Now()
			codes := r.untilItEnds()
			took := time.Since(began)
			r.load()
			if f.name == "fsync" {
				for _, w := range r.inOrder(r.events, r.acks) {
					t.Error(w)
				}
			}
			r.wrap = nil
			r.start()
			lost, acked := r.nothingLost()
			fmt.Printf("fault F3b calls=%s acked=%d replies=%v ended_ms=%d exit=1 order_checked=%t lost=%d\n",
				f.name, acked, codes, took.Milliseconds(), f.name == "fsync", lost)
		})
	}
}

// untilItEnds sends mails until the gateway ends, as it must, with exit code 1
// and a sentence. It returns what was answered besides 250.
func (r *orderRun) untilItEnds() map[string]int {
	r.t.Helper()
	var mu sync.Mutex
	codes := map[string]int{}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			pause := time.NewTicker(50 * time.Millisecond)
			defer pause.Stop()
			for {
				err := r.send(1000, 0)
				code := "lost"
				if reply, ok := errors.AsType[*textproto.Error](err); ok {
					code = fmt.Sprint(reply.Code)
				}
				mu.Lock()
				codes[code]++
				mu.Unlock()
				select {
				case <-over:
					return
				case <-pause.C:
				}
			}
		})
	}
	var err error
	select {
	case err = <-r.ended:
	case <-time.After(patience):
		r.t.Errorf("serve goes on with a failed disk:\n%s", r.log())
		r.kill()
	}
	close(over)
	wg.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		r.t.Errorf("serve ended with %v", err)
	}
	if !strings.Contains(r.log(), "the database's disk failed") {
		r.t.Errorf("the log does not say why:\n%s", r.log())
	}
	for code := range codes {
		if code[0] == '5' {
			r.t.Errorf("clients heard %s", code)
		}
	}
	return codes
}

// nothingLost compares what clients know to be taken with what there is.
func (r *orderRun) nothingLost() (lost, acked int) {
	r.t.Helper()
	s := &diskSenders{g: r.running, acked: map[string]diskAck{}}
	for _, m := range r.mails {
		if m.acked {
			s.acked[fmt.Sprintf("c%d@customer.example", m.no)] = diskAck{}
		}
	}
	if len(s.acked) == 0 {
		r.t.Error("the disk failed before the first mail")
	}
	return s.check(strings.TrimSuffix(r.wal(), "-wal")), len(s.acked)
}
