package main

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in the configuration, and what to do.
type Problem struct {
	File string
	Line int
	Key  string // such as desks.support.address; "" for the file as a whole
	Text string
}

func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Key, p.Text)
}

// Problems are all that is wrong, in the order of the file. As an error they
// are one line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return p
}

// fail reports a value that could not be read; checks of it are silent then.
func (d *decoder) fail(path string, line int, text string) {
	d.failed[path] = true
	d.problems = append(d.problems, Problem{d.file, max(line, 1), path, text})
}

// bad reports a value that was read but cannot be used.
func (d *decoder) bad(path, format string, args ...any) {
	if !d.hasFailed(path) {
		d.problems = append(d.problems, Problem{d.file, d.line(path), path, fmt.Sprintf(format, args...)})
	}
}

// warn reports what works, but perhaps not as meant.
func (d *decoder) warn(path, format string, args ...any) {
	if !d.hasFailed(path) {
		d.warnings = append(d.warnings, Problem{d.file, d.line(path), path, fmt.Sprintf(format, args...)})
	}
}

// hasFailed says whether path, or what it stands in, could not be read.
func (d *decoder) hasFailed(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.failed[path] {
			return true
		}
	}
	return d.failed[""]
}

// line is where path stands in the file or, if it is absent, what it should
// stand in.
func (d *decoder) line(path string) int {
	for ; path != ""; path = parent(path) {
		if line, ok := d.lines[path]; ok {
			return line
		}
	}
	return 1
}

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
