package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"guichet/templates"
)

func newCheck(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and the templates",
		Long: `Check reads the configuration and the templates as serve would, and prints all
that is wrong as file:line: key: what is wrong and what to do. It creates
nothing and opens no connection. Warnings do not change its exit code.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.check() },
	}
}

func (e *env) check() error {
	cfg, warnings, err := loadConfig(e.configFile)
	for _, w := range warnings {
		fmt.Fprintf(e.stderr, "warning: %s\n", w)
	}
	if err != nil {
		return err
	}
	if _, err := templates.Load(cfg.Templates); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: in order, %d desk(s), %d agent(s)\n", e.configFile, len(cfg.Desks), len(cfg.Agents))
	return nil
}
