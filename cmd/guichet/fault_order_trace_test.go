//go:build crash

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// orderCalls are the system calls that change files or answer a client, as
// SQLite and the Go runtime make them.
const orderCalls = "openat,mkdirat,linkat,rename,renameat,renameat2,unlink,unlinkat,pwrite64,write,writev,ftruncate,fallocate,fsync,fdatasync"

// orderStrace is what runs a gateway so that its calls are written to file.
// -D: the gateway is our own child, and not strace's.
func orderStrace(file string, more ...string) []string {
	return append([]string{"strace", "-D", "-f", "-qq", "-yy", "-s", "200000", "-e", "signal=none",
		"-e", "trace=" + orderCalls, "-o", file}, more...)
}

// orderEvent is one call that strace saw.
type orderEvent struct {
	begin, end int    // the trace's lines where it began and ended
	call       string // its name; fdatasync is fsync
	path       string // of the file, or "TCP:[LOCAL->REMOTE]"
	to         string // the new name of linkat and rename
	data       []byte
	off        int64 // pwrite64: where; ftruncate: the new size
	create     bool  // openat with O_CREAT
}

// orderReader reads one trace after another into one sequence of events.
type orderReader struct {
	keep   func(path string) bool // which files and connections count
	line   int
	events []*orderEvent // in the order of their ends
	begun  map[string]*orderBegun
}

type orderBegun struct {
	line int
	text []byte
}

// read appends the trace in file. An unfinished last line, of a process that
// was killed, is nothing that happened.
func (r *orderReader) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r.begun = map[string]*orderBegun{}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.line++
		if err := r.take(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return fmt.Errorf("%s: %w in %.300q", file, err, line)
		}
	}
}

var (
	orderUnfinished = []byte(" <unfinished ...>")
	orderResumed    = []byte(" resumed>")
	orderDetached   = []byte(" <detached ...>")
)

// take reads "PID call(…) = result", or one half of it.
func (r *orderReader) take(line []byte) error {
	pid, rest, ok := bytes.Cut(line, []byte(" "))
	rest = bytes.TrimLeft(rest, " ")
	if !ok || len(rest) == 0 || rest[0] == '+' || rest[0] == '-' {
		return nil // a process ended, or a signal
	}
	if bytes.HasSuffix(rest, orderDetached) {
		return nil // it was killed within a call
	}
	if text, ok := bytes.CutSuffix(rest, orderUnfinished); ok {
		r.begun[string(pid)] = &orderBegun{r.line, bytes.Clone(text)}
		return nil
	}
	begin := r.line
	if bytes.HasPrefix(rest, []byte("<... ")) {
		was := r.begun[string(pid)]
		i := bytes.Index(rest, orderResumed)
		if was == nil || i < 0 {
			return errors.New("a call resumed that never began")
		}
		delete(r.begun, string(pid))
		begin, rest = was.line, append(was.text, rest[i+len(orderResumed):]...)
	}
	e, err := orderParse(rest)
	if e == nil || err != nil || e.call == "pread64" || !r.keep(e.path) && !r.keep(e.to) {
		return err
	}
	e.begin, e.end = begin, r.line
	r.events = append(r.events, e)
	return nil
}

// orderParse returns nil for a call that failed or changed nothing.
func orderParse(text []byte) (*orderEvent, error) {
	i := bytes.LastIndex(text, []byte(" = "))
	open := bytes.IndexByte(text, '(')
	if i < 0 || open < 0 {
		return nil, errors.New("no call")
	}
	result := string(text[i+3:])
	if result[0] == '-' || result[0] == '?' {
		return nil, nil
	}
	e := &orderEvent{call: string(text[:open])}
	args := orderArgs{rest: bytes.TrimRight(text[open+1:i], " )")}
	switch e.call {
	case "fdatasync", "fsync":
		e.call, e.path = "fsync", args.file()
	case "openat", "mkdirat":
		e.path = args.at()
		e.create = bytes.Contains(args.rest, []byte("O_CREAT"))
		if e.call == "openat" && !e.create {
			return nil, nil
		}
	case "unlink":
		e.path = args.text()
	case "unlinkat":
		e.call, e.path = "unlink", args.at()
	case "rename":
		e.path, e.to = args.text(), args.text()
	case "linkat", "renameat", "renameat2":
		e.call = strings.TrimRight(e.call, "2at")
		e.path, e.to = args.at(), args.at()
	case "pwrite64", "write":
		e.path, e.data = args.file(), []byte(args.text())
		if e.call == "pwrite64" {
			args.word() // the length
			e.off, _ = strconv.ParseInt(args.word(), 10, 64)
		}
		if n, _ := strconv.Atoi(strings.Fields(result)[0]); n < len(e.data) {
			e.data = e.data[:n]
		} else if n > len(e.data) {
			return nil, fmt.Errorf("strace cut %d bytes short", n-len(e.data))
		}
	case "ftruncate":
		e.path = args.file()
		e.off, _ = strconv.ParseInt(args.word(), 10, 64)
	default: // writev, fallocate: nobody here calls them on what counts
		e.path = args.file()
	}
	return e, args.err
}

// orderArgs takes the arguments of a call one after another.
type orderArgs struct {
	rest []byte
	err  error
}

func (a *orderArgs) next() {
	a.rest = bytes.TrimLeft(a.rest, ", ")
}

// file takes "12</path>" and returns the path.
func (a *orderArgs) file() string {
	open, end := bytes.IndexByte(a.rest, '<'), bytes.IndexByte(a.rest, '>')
	if bytes.HasPrefix(a.rest[max(open, 0):], []byte("<TCP")) {
		end = bytes.Index(a.rest, []byte("]>")) + 1 // "<TCP:[a->b]>"
	}
	if open < 0 || end < open {
		return "" // a descriptor without a name
	}
	path := string(a.rest[open+1 : end])
	a.rest = a.rest[end+1:]
	if rest, ok := bytes.CutPrefix(a.rest, []byte("(deleted)")); ok {
		a.rest, path = rest, path+"(deleted)"
	}
	a.next()
	return path
}

// at takes `AT_FDCWD</dir>, "name"`.
func (a *orderArgs) at() string {
	dir, name := a.file(), a.text()
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func (a *orderArgs) word() string {
	word, rest, _ := bytes.Cut(a.rest, []byte(","))
	a.rest = rest
	a.next()
	return string(bytes.TrimSpace(word))
}

// text takes a string with C's escapes.
func (a *orderArgs) text() string {
	if len(a.rest) == 0 || a.rest[0] != '"' {
		a.err = errors.New("no string")
		return ""
	}
	out := make([]byte, 0, len(a.rest))
	for i := 1; i < len(a.rest); i++ {
		c := a.rest[i]
		switch c {
		case '"':
			a.rest = bytes.TrimPrefix(a.rest[i+1:], []byte("..."))
			a.next()
			return string(out)
		case '\\':
			i++
			n := 0
			c, n = orderEscape(a.rest[i:])
			i += n - 1
		}
		out = append(out, c)
	}
	a.err = errors.New("a string without end")
	return ""
}

// orderEscape reads what stands behind a backslash, and says how long it is.
func orderEscape(s []byte) (c byte, n int) {
	for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		c = c<<3 | (s[n] - '0')
		n++
	}
	if n > 0 || len(s) == 0 {
		return c, max(n, 1)
	}
	if i := bytes.IndexByte([]byte("abtnvfr"), s[0]); i >= 0 {
		return byte(7 + i), 1
	}
	return s[0], 1
}
