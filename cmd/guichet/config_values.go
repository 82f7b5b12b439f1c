package main

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// texts are words in several languages: "fr" and "en".
type texts map[string]string

// timer is a duration between two steps, or off.
type timer time.Duration

const off = timer(ticket.Off)

// maxTimer bounds a timer, so that adding it to a date cannot overflow.
const maxTimer = 10 * 365 * day

func (t *timer) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "off" {
		*t = off
		return nil
	}
	d, err := parseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no duration; write it in s, m, h or d, such as 24h or 14d, or off", s)
	}
	if timer(d) > maxTimer {
		return fmt.Errorf("%q is more than ten years; write off if the step is never taken", s)
	}
	*t = timer(d)
	return nil
}

// period is a duration that cannot be off. Whose it is says how long it may be.
type period time.Duration

func (p *period) UnmarshalText(b []byte) error {
	d, err := parseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration; write it in ms, s, m or h, such as 30s", b)
	}
	*p = period(d)
	return nil
}

// parseDuration adds days, of 24 hours, to what time.ParseDuration reads.
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

// size is a number of bytes.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	// Longer suffixes first, since B ends them all.
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

func (z *size) UnmarshalText(b []byte) error {
	s := string(b)
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 53)
		if err != nil || float64(n)*u.bytes > math.MaxInt64/2 {
			break
		}
		*z = size(float64(n) * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is no size; write a whole number with KiB, MiB or GiB, such as 25MiB", s)
}

// rate is how many mails may leave in a span of time; N 0 is no limit.
type rate struct {
	N   int
	Per time.Duration
}

var rateSpans = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

func (r *rate) UnmarshalText(b []byte) error {
	count, span, _ := strings.Cut(string(b), "/")
	n, err := strconv.ParseUint(count, 10, 31)
	per, ok := rateSpans[span]
	if err != nil || !ok {
		return fmt.Errorf("%q is no rate; write a number for s, min, h or d, such as 60/min, or 0/min for no limit", b)
	}
	*r = rate{N: int(n), Per: per}
	return nil
}

// perMinute is the rate as package outbound counts it. It is rounded up, since
// 0 would be no limit.
func (r rate) perMinute() int {
	minutes := r.Per.Minutes()
	return int(math.Ceil(float64(r.N) / minutes))
}

// parseBool reads what people write for yes and no, which YAML 1.1 took as
// booleans and YAML 1.2 takes as words.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "y", "oui":
		return true, true
	case "no", "false", "off", "n", "non":
		return false, true
	}
	return false, false
}

// password hides itself from logs and messages; only string(p) shows it.
type password string

const masked = "[password]"

func (password) String() string               { return masked }
func (password) GoString() string             { return masked }
func (password) LogValue() slog.Value         { return slog.StringValue(masked) }
func (password) MarshalText() ([]byte, error) { return []byte(masked), nil }

// readPassword reads the first line of a password file; "" names none.
func readPassword(file string) (password, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("read password: the first line of %s is empty", file)
	}
	return password(line), nil
}
