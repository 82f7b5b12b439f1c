//go:build crash

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// diskLong says that the long form was asked for.
func diskLong() bool { return os.Getenv("GUICHET_FAULT") == "long" }

// diskNeeds fails a test whose tools are missing: one that is skipped has
// shown nothing.
func diskNeeds(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("no %s; on Debian: apt-get install %s", tool, tool)
		}
	}
}

// diskGateway is a gateway whose files are in dir, not started yet. replace
// holds pairs of texts to change in the configuration.
func diskGateway(t *testing.T, dir, database string, replace ...string) *running {
	t.Helper()
	g := &running{t: t, dir: dir, sink: newSink(t), patience: patience}
	g.config = filepath.Join(dir, "config.yaml")
	text := strings.NewReplacer("DATABASE", database, "RELAY", g.sink.addr).Replace(storyConfig)
	write(t, g.config, strings.NewReplacer(replace...).Replace(text))
	return g
}
