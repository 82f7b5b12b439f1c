package outbound

import "time"

// pace spaces mails evenly: no more than rate in any minute, without bursts,
// so that a queue of 10,000 after a day of downtime doesn't hit the relay at
// once. The dispatcher alone uses it.
type pace struct {
	every time.Duration // 0: no limit
	slot  time.Time     // the next free one
}

// newPace allows rate mails a minute; 0 is no limit.
func newPace(rate int) pace {
	if rate <= 0 {
		return pace{}
	}
	return pace{every: time.Minute / time.Duration(rate)}
}

// wait is how long until a mail may go; 0 is now.
func (p *pace) wait(now time.Time) time.Duration {
	if p.every == 0 {
		return 0
	}
	return max(0, p.slot.Sub(now))
}

// take uses the slot that wait found free. A slot that was reached late by
// less than one distance keeps the grid, so that slow timers don't add up.
func (p *pace) take(now time.Time) {
	if now.Sub(p.slot) >= p.every {
		p.slot = now
	}
	p.slot = p.slot.Add(p.every)
}

// batch chooses how many rows one lease takes. Few where the relay is slow, so
// that an agent's answer does not stand behind rows already in hand; many
// where it is fast, so that leases don't cost a commit for every few mails.
type batch struct {
	least, most int
	size        int
	last        time.Time // of the lease before
	full        bool      // it brought all that it asked for
}

// next is the size of a lease that is due now with so many rows in line; 0 as
// long as more than half a lease is.
func (b *batch) next(now time.Time, waiting int) int {
	if waiting > b.size/2 {
		return 0
	}
	switch since := now.Sub(b.last); {
	case b.full && since < 250*time.Millisecond:
		b.size *= 2
	case since > time.Second:
		b.size /= 2
	}
	b.size = max(b.least, min(b.size, b.most))
	b.last = now
	return b.size - waiting
}
