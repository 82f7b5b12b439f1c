//go:build bench

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// stages are what works on mails once they are taken. With GUICHET_PAUSE set
// they begin at SIGUSR1, so that the taking alone can be measured.
func (g *gateway) stages() []func(context.Context) error {
	resumed := make(chan struct{})
	if os.Getenv("GUICHET_PAUSE") == "" {
		close(resumed)
	} else {
		usr1 := make(chan os.Signal, 1)
		signal.Notify(usr1, syscall.SIGUSR1)
		go func() { <-usr1; close(resumed) }()
	}
	paused := func(stage func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-resumed:
			case <-ctx.Done():
			}
			return stage(ctx)
		}
	}
	return []func(context.Context) error{paused(g.flow.Run), paused(g.flow.RunDeadlines), paused(g.worker.Run)}
}
