package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes of every command.
const (
	exitDone    = 0
	exitRefused = 1 // with a message on standard error
	exitUsage   = 2 // unknown command or flag, wrong arguments
)

// commands builds the program's commands. One file a sub-command; adding one is
// a line here.
var commands = []func(*env) *cobra.Command{
	newServe,
	newInspect,
	newTicket,
	newHeld,
	newOutbox,
	newWhy,
	newSimulate,
	newReplay,
	newImport,
	newOrg,
	newMigrate,
	newCheck,
	newVersion,
}

// env is what a command has of its surroundings.
type env struct {
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	configFile string // --config
	json       bool   // --json, where a command has it
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, messageLines(err))
	var refused *refusedError
	if errors.As(err, &refused) {
		return exitRefused
	}
	return exitUsage
}

// messageLines puts the program's name before a message, but leaves the
// problems of a file as they are: editors jump to file:line at a line's start.
func messageLines(err error) string {
	var problems Problems
	if errors.As(err, &problems) {
		return problems.Error()
	}
	return "guichet: " + err.Error()
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:           "guichet",
		Short:         "An email-first ticketing gateway",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&e.configFile, "config", "config.yaml", "configuration `FILE`")
	for _, construct := range commands {
		root.AddCommand(construct(e))
	}
	finish(root)
	return root
}

// finish makes the exit codes right in every command below c. What a command
// returns is a refusal unless it says usage; what cobra finds wrong before
// (flags, arguments, names) is wrong usage. A command that only has
// sub-commands would print its help and succeed: it names them and fails.
func finish(c *cobra.Command) {
	for _, sub := range c.Commands() {
		finish(sub)
	}
	if c.RunE == nil && c.Run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = unknownCommand
		return
	}
	inner := c.RunE
	if inner == nil {
		return
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		err := inner(cmd, args)
		var wrong *usageErr
		if err == nil || errors.As(err, &wrong) {
			return err
		}
		return &refusedError{err}
	}
}

func unknownCommand(c *cobra.Command, args []string) error {
	var names []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	known := strings.Join(names, ", ")
	if len(args) == 0 {
		return usageError("%s needs a command: %s", c.CommandPath(), known)
	}
	return usageError("unknown command %q; %s has: %s", args[0], c.CommandPath(), known)
}

// refusedError is a command's own "no".
type refusedError struct{ cause error }

func (e *refusedError) Error() string { return e.cause.Error() }
func (e *refusedError) Unwrap() error { return e.cause }

// refuse is what a command returns when it cannot do what was asked: exit 1.
// The sentence says what to do.
func refuse(format string, args ...any) error {
	return &refusedError{fmt.Errorf(format, args...)}
}

// usageErr is a command line that makes no sense: exit 2.
type usageErr struct{ text string }

func (e *usageErr) Error() string { return e.text }

// usageError is what a command returns for wrong arguments that cobra's Args
// does not find.
func usageError(format string, args ...any) error {
	return &usageErr{fmt.Sprintf(format, args...)}
}

// withJSON gives a command that prints rows the --json flag.
func (e *env) withJSON(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&e.json, "json", false, "print one JSON object a line")
	return c
}

// printJSON prints one row as one line. Addresses stand as they are: < and >
// are not escaped.
func (e *env) printJSON(row any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(row); err != nil {
		return fmt.Errorf("print row: %w", err)
	}
	return nil
}
