package outbound

import "time"

// Times of the retries; see [Backoff] and [breaker].
const (
	firstRetry = time.Minute
	maxRetry   = time.Hour
	firstPause = time.Second
	maxPause   = 5 * time.Minute

	// giveUp is the age at which a deferred row fails. RFC 5321 §4.5.4.1: "the
	// give-up time generally needs to be at least 4-5 days".
	giveUp = 5 * 24 * time.Hour
)

// Backoff says how long a row waits after its tries-th try: one minute after
// the first, doubled each time up to one hour, less a random quarter at most,
// and never under 45 seconds or above one hour. rnd returns numbers in [0,1).
func Backoff(tries int, rnd func() float64) time.Duration {
	return jitter(double(firstRetry, maxRetry, tries), rnd)
}

// pause is how long the queue rests after the n-th trouble in a row.
func pause(n int, rnd func() float64) time.Duration {
	return jitter(double(firstPause, maxPause, n), rnd)
}

// double is first·2^(n-1), at most limit; n below 1 counts as 1.
func double(first, limit time.Duration, n int) time.Duration {
	d := first
	for ; n > 1 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}

// jitter takes a random part of at most a quarter off d, so that rows that
// were deferred together do not come back together.
func jitter(d time.Duration, rnd func() float64) time.Duration {
	return d - time.Duration(rnd()*float64(d)/4)
}
