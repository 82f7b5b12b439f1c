//go:build !bench

package main

import "context"

// stages are what works on mails once they are taken.
func (g *gateway) stages() []func(context.Context) error {
	return []func(context.Context) error{g.flow.Run, g.flow.RunDeadlines, g.worker.Run}
}
