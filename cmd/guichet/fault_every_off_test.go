//go:build !crash

package main

import "testing"

// TestFaultPoints cannot be done without the crash points.
func TestFaultPoints(t *testing.T) {
	t.Fatal("built without the tag crash, so that there are no crash points: run make fault")
}
