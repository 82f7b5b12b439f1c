//go:build crash

package store

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
)

// GUICHET_CRASH names a point, and after a colon which of its passes counts
// (the first if there is none): "after accept:3".
var crashAt, crashLeft = func() (string, *atomic.Int64) {
	at, pass, _ := strings.Cut(os.Getenv("GUICHET_CRASH"), ":")
	left := new(atomic.Int64)
	for _, digit := range pass {
		left.Store(left.Load()*10 + int64(digit-'0'))
	}
	left.CompareAndSwap(0, 1)
	return at, left
}()

// Point is a place where the fault tests end the process, as kill -9 does, if
// GUICHET_CRASH names it.
func Point(when, what string) {
	if when+" "+what == crashAt && crashLeft.Add(-1) == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
