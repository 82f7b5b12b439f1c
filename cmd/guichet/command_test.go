package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// guichet runs a command line in a folder of its own.
func guichet(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	write(t, good, base)
	write(t, bad, strings.Replace(base, "support:", "Support:", 1))

	check := func(want int, args ...string) {
		t.Helper()
		code, out, errs := guichet(t, args...)
		if code != want {
			t.Errorf("guichet %s: exit %d, want %d: %s", strings.Join(args, " "), code, want, errs)
		}
		if (code == exitDone) == (out == "") {
			t.Errorf("guichet %s: exit %d printed %q", strings.Join(args, " "), code, out)
		}
		if code != exitDone && errs == "" {
			t.Errorf("guichet %s: exit %d without a message", strings.Join(args, " "), code)
		}
	}
	check(exitDone, "check", "--config", good)
	check(exitDone, "--config", good, "check")
	check(exitDone, "--config="+good, "check")
	check(exitDone, "version")
	check(exitDone, "--help")
	check(exitRefused, "check", "--config", bad)
	check(exitRefused, "check", "--config", filepath.Join(dir, "absent.yaml"))
	check(exitUsage)
	check(exitUsage, "no-such-command")
	check(exitUsage, "check", "surplus")
	check(exitUsage, "check", "--no-such-flag")
	check(exitUsage, "check", "--config")
}

// TestCheckCreatesNothing holds it to its word, in the folder of the file too.
func TestCheckCreatesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	write(t, file, base)
	if code, _, errs := guichet(t, "check", "--config", file); code != exitDone {
		t.Fatal(errs)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("after check: %v, %v", entries, err)
	}
}

// TestCheckSaysWhere holds that editors find the line: it begins with the file.
func TestCheckSaysWhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write(t, file, strings.Replace(base, "first", "x", 1)+"colour: red\n")
	_, _, errs := guichet(t, "check", "--config", file)
	if !strings.Contains(errs, "\n"+file+":18: colour: unknown key; ") {
		t.Errorf("printed %s", errs)
	}
}

// TestGroups holds that a command with sub-commands names them instead of
// succeeding with its help.
func TestGroups(t *testing.T) {
	e := &env{stdout: &bytes.Buffer{}}
	defer func(c []func(*env) *cobra.Command) { commands = c }(commands)
	commands = append(commands, func(e *env) *cobra.Command {
		group := &cobra.Command{Use: "group"}
		group.AddCommand(e.withJSON(&cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return e.printJSON(map[string]any{"from": "<a@customer.example>", "json": e.json})
		}}), &cobra.Command{Use: "no", RunE: func(*cobra.Command, []string) error {
			return refuse("held mail %d: not found", 7)
		}}, &cobra.Command{Use: "wrong", RunE: func(*cobra.Command, []string) error {
			return usageError("name an id")
		}})
		return group
	})
	check := func(want int, text string, args ...string) {
		t.Helper()
		code, out, errs := guichet(t, args...)
		if code != want || !strings.Contains(out+errs, text) {
			t.Errorf("%v: exit %d, %q", args, code, out+errs)
		}
	}
	check(exitDone, `{"from":"<a@customer.example>","json":true}`+"\n", "group", "list", "--json")
	check(exitUsage, "guichet group needs a command: list, no, wrong", "group")
	check(exitUsage, `unknown command "lst"; guichet group has: list, no, wrong`, "group", "lst")
	check(exitRefused, "guichet: held mail 7: not found", "group", "no")
	check(exitUsage, "guichet: name an id", "group", "wrong")
	if newRoot(e).PersistentFlags().Lookup("config").DefValue != "config.yaml" {
		t.Error("--config has another default")
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
