// Command guichet is an email-first ticketing gateway: mail to a support
// address becomes a ticket, and every step of the ticket's life is told by
// mail.
//
// "guichet serve" opens the listeners that the configuration names and logs to
// standard error; every other command looks at, or changes, what serve keeps.
// docs/configuration.md has the keys, docs/operations.md the log and the
// commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	// Desks name time zones; the host need not have a copy of the database.
	_ "time/tzdata"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
