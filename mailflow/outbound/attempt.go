package outbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// prepared is a row whose mail is made.
type prepared struct {
	job
	mail  Mail
	large bool // the bytes were let go; they are read again when they are sent
	epoch int  // of the breaker when the row was looked at
}

// keepPrepared is the largest body, in bytes, that waits in memory: for a
// sender, or for the record of an outcome. A [Queue] stores larger ones as
// they are made.
const keepPrepared = 256 << 10

// prepareRows makes mails until the line of rows ends, so that a sender need not
// wait for its next. stop is done when no new attempt may begin, sending when
// those under way must end too.
func (r *run) prepareRows(stop, sending context.Context) {
	for j := range r.jobs {
		open, _, _, epoch := r.breaker.look(r.Now())
		if open || r.tooLate(stop, j) {
			r.giveBack(j, Mail{})
			continue
		}
		m, ok := r.ready(sending, j)
		if !ok {
			continue
		}
		p := prepared{job: j, mail: m, epoch: epoch}
		if len(m.Body) > keepPrepared {
			p.mail, p.large = Mail{}, true
		}
		r.made <- p
	}
}

// tooLate says that no attempt at a row may begin any more.
func (r *run) tooLate(stop context.Context, j job) bool {
	return stop.Err() != nil || r.Now().After(j.until)
}

// giveBack returns a row untried, and the mail if one was made.
func (r *run) giveBack(j job, m Mail) {
	_, words := r.breaker.state()
	r.leaves()
	r.outcomes <- r.release(j.item, words).with(m)
}

// leaves counts a row that is no longer in line.
func (r *run) leaves() {
	r.line.Add(-1)
	tick(r.moved)
}

// ready makes the mail of a row; if it cannot be made now, that is the row's
// outcome, and ok is false.
func (r *run) ready(sending context.Context, j job) (m Mail, ok bool) {
	m, err := r.prepare(sending, j.item)
	switch {
	case err == nil:
		return m, true
	case errors.Is(err, ErrGone):
		r.counts.gone.Add(1)
		r.leaves()
		r.hold(-1)
	case sending.Err() != nil:
		r.leaves()
		r.outcomes <- r.release(j.item, "")
	case errors.Is(err, ErrNotNow):
		r.Log.Error("prepare mail", keyRow, j.item.ID, keyErr, err)
		r.leaves()
		out := r.release(j.item, "")
		out.Next = out.Next.Add(notNowRest)
		r.outcomes <- out
	default:
		r.Log.Error("prepare mail", keyRow, j.item.ID, keyErr, err)
		r.leaves()
		r.outcomes <- r.settle(j.item, Result{State: Deferred, Tried: true, Reply: "guichet: the mail could not be made; see the log"})
	}
	return Mail{}, false
}

// send is one sender: it hands over the mails that are made until they end.
func (r *run) send(stop, sending context.Context) {
	for p := range r.made {
		if open, _, _, _ := r.breaker.look(r.Now()); open || r.tooLate(stop, p.job) {
			r.giveBack(p.job, p.mail)
			continue
		}
		if p.large {
			var ok bool
			if p.mail, ok = r.ready(sending, p.job); !ok {
				continue
			}
		}
		r.leaves()
		r.outcomes <- r.attempt(sending, p)
	}
}

// attempt makes one try of a row.
func (r *run) attempt(sending context.Context, p prepared) Outcome {
	ctx, cancel := context.WithTimeoutCause(sending, r.Attempt, r.late)
	defer cancel()
	r.counts.underway.Add(1)
	res := r.hand(ctx, p.item, p.mail)
	r.counts.underway.Add(-1)
	if sending.Err() != nil && res.State == Deferred {
		return r.release(p.item, res.Reply).with(p.mail) // cut off by us
	}
	r.note(res, p.epoch)
	return r.settle(p.item, res).with(p.mail)
}

// with adds the mail that was made, if one was, unless it was taken or is
// stored: then it need not wait in memory for the record.
func (out Outcome) with(m Mail) Outcome {
	if out.State != Sent && m.Header != nil && len(m.Body) <= keepPrepared {
		out.Mail = &m
	}
	return out
}

// note tells the breaker of a result, and the log of a pause that begins.
func (r *run) note(res Result, epoch int) {
	d := r.breaker.note(res, epoch, r.Now())
	if d == 0 {
		return
	}
	r.counts.pauses.Add(1)
	r.Log.Warn("deferred", "all", true, keyReply, res.Reply, "pause", d.Round(time.Millisecond))
	tick(r.moved)
}

// prepare is the queue's Prepare; a panic in it (a poison row) is an error.
func (r *run) prepare(ctx context.Context, it Item) (m Mail, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.Queue.Prepare(ctx, it)
}

// hand is the relay's Send; a panic in it defers the row.
func (r *run) hand(ctx context.Context, it Item, m Mail) (res Result) {
	defer func() {
		if p := recover(); p != nil {
			r.Log.Error("send mail", keyRow, it.ID, keyErr, fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			res = Result{State: Deferred, Tried: true, Reply: "guichet: internal error; see the log"}
		}
	}()
	return r.Relay.Send(ctx, m)
}

// release hands a row back untried, due now.
func (r *run) release(it Item, words string) Outcome {
	r.counts.released.Add(1)
	return Outcome{Item: it, State: Deferred, Reply: oneLine(words), Next: r.Now(), Tries: it.Tries}
}

// settle turns a result into the row's outcome, and counts and logs it.
func (r *run) settle(it Item, res Result) Outcome {
	out := decide(it, res, r.Now(), r.GiveUp, r.Rand)
	attrs := []slog.Attr{slog.Int64(keyMail, it.Mail), slog.Int64(keyRow, it.ID), slog.Any(keyKind, it.Kind), slog.String(keyTo, it.Recipient),
		slog.Int(keyTries, out.Tries), slog.String(keyReply, out.Reply)}
	ctx := context.Background()
	switch {
	case out.State == Sent:
		r.counts.sent.Add(1)
		r.Log.LogAttrs(ctx, slog.LevelInfo, "sent", attrs...)
	case out.State == Failed:
		r.counts.failed.Add(1)
		r.Log.LogAttrs(ctx, slog.LevelWarn, "failed", attrs...)
	case out.Tries == it.Tries:
		r.counts.released.Add(1) // the log has the relay's trouble already
	default:
		r.counts.deferred.Add(1)
		r.Log.LogAttrs(ctx, slog.LevelInfo, "deferred", append(attrs, slog.Time(keyNext, out.Next))...)
	}
	return out
}

// decide is the rule from result to outcome: a row that was not tried is due
// again now, a tried one after its [Backoff] or, if that comes first, on the
// day it is given up; after that day it fails.
func decide(it Item, res Result, now time.Time, giveUp time.Duration, rnd func() float64) Outcome {
	out := Outcome{Item: it, State: res.State, Reply: oneLine(res.Reply), Tries: it.Tries}
	if res.Tried {
		out.Tries++
	}
	if res.State != Deferred {
		return out
	}
	if !res.Tried {
		out.Next = now
		return out
	}
	last := it.Created.Add(giveUp)
	if !now.Before(last) {
		out.State = Failed
		out.Reply = oneLine(fmt.Sprintf("guichet: given up after %s; last: %s", days(giveUp), res.Reply))
		return out
	}
	out.Next = now.Add(Backoff(out.Tries, rnd))
	if out.Next.After(last) {
		out.Next = last
	}
	return out
}

// days writes a duration as people say it.
func days(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}
