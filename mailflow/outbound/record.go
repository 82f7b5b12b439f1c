package outbound

import (
	"context"
	"fmt"
	"time"
)

// record stores outcomes as they come until the channel is closed and all are
// stored, or ctx is done. What comes in while one commit runs goes into the
// next, so that a busy queue costs few commits and a quiet one waits for
// nothing. While the store refuses, a few a connection are collected here;
// then the senders fill the channel and stop, so that unrecorded mails, which
// leave again if the process ends, stay few. One outcome alone that the store
// will not take stops nobody.
func (r *run) record(ctx context.Context) {
	var left []Outcome // not stored yet
	var last error     // why
	in := (<-chan Outcome)(r.outcomes)
	for tries := 0; in != nil || len(left) > 0; {
		from := in
		if len(left) > r.Connections {
			from = nil
		}
		again, stop := retry(len(left) > 0, tries)
		select {
		case o, ok := <-from:
			if ok {
				left = r.gather(append(left, o))
			} else {
				in = nil
			}
		case <-again:
		case <-ctx.Done():
			stop()
			r.abandon(left, in, last)
			return
		}
		stop()
		if left, last = r.store(ctx, left); last == nil {
			tries = 0
		} else {
			tries++
			r.Log.Error("record outcomes", "rows", len(left), keyErr, last)
		}
	}
}

// retry is a timer for the next try, if there is to be one.
func retry(wanted bool, tries int) (<-chan time.Time, func() bool) {
	if !wanted {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(double(queueRest, queueRestMax, tries))
	return t.C, t.Stop
}

// abandon drops what could not be stored in time; the leases run out and those
// rows are tried again.
func (r *run) abandon(left []Outcome, in <-chan Outcome, why error) {
	n := len(left)
	if in != nil {
		for range in {
			n++
		}
	}
	if n > 0 {
		r.lost = fmt.Errorf("record %d outcomes: %w", n, why)
	}
}

// gather adds to outs what waits already, up to unrecorded a connection.
func (r *run) gather(outs []Outcome) []Outcome {
	for len(outs) < unrecorded*r.Connections {
		select {
		case o, ok := <-r.outcomes:
			if !ok {
				return outs
			}
			outs = append(outs, o)
		default:
			return outs
		}
	}
	return outs
}

// store records outs together, or where that fails each alone. It returns
// those left and the last error.
func (r *run) store(ctx context.Context, outs []Outcome) (left []Outcome, err error) {
	if len(outs) == 0 {
		return nil, nil
	}
	defer func() { r.hold(len(left) - len(outs)) }()
	if err = r.Queue.Record(ctx, outs); err == nil {
		return nil, nil
	}
	if len(outs) == 1 {
		return outs, err
	}
	err = nil
	for i := range outs {
		if e := r.Queue.Record(ctx, outs[i:i+1]); e != nil {
			left, err = append(left, outs[i]), e
		}
	}
	return left, err
}
