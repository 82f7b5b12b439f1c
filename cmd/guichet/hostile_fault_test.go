//go:build crash

package main

import "testing"

// TestFaultHostileMails sends the bombs at their full size.
func TestFaultHostileMails(t *testing.T) { sendBombs(t, bombSize) }
