package main

import (
	"os"
	"runtime/debug"
	"time"
)

const (
	// gcPercent trades memory for time: the program holds little for long, so
	// that collecting at each doubling of it takes a tenth of the time.
	gcPercent = 400
	// memoryLimit is where that trade ends, in bytes: most of what a large mail
	// takes is soon of no use. It is no limit; SQLite's memory does not count.
	memoryLimit = 100 << 20
	// idleAfter is how long nothing came in before memory is given back.
	idleAfter = time.Minute
)

// tuneMemory sets how memory is collected, unless the operator has (GOGC,
// GOMEMLIMIT), and gives back what starting took.
func tuneMemory() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// giveBack returns memory to the system each time that the gateway has become
// idle, until stop is closed. busy counts what was done so far.
func giveBack(stop <-chan struct{}, busy func() int64) {
	tick := time.NewTicker(idleAfter)
	defer tick.Stop()
	seen, given := busy(), true
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		now := busy()
		if now != seen {
			seen, given = now, false
		} else if !given {
			debug.FreeOSMemory()
			given = true
		}
	}
}
