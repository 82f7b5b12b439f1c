//go:build !crash

package store

// Point is a place where the fault tests end the process: before or after what
// has a name. Without the build tag crash it is nothing.
func Point(when, what string) {}
