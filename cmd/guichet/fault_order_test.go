//go:build crash

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaultOrder is the power loss: what is written, synced and promised in
// which order, by a trace of the system calls. Beyond the order around each
// 250 it rebuilds what a power loss at any point would have left, and starts
// on that. Then the trace is spoilt in ways in which a program might err, each
// of which must be noticed.
func TestFaultOrder(t *testing.T) {
	t.Parallel()
	diskNeeds(t, "strace")
	began := time.Now()
	r := orderRecord(t, 8, 5)
	recorded := time.Since(began)
	if len(r.acks) < len(r.mails) || len(r.told) < 2*len(r.mails) {
		t.Fatalf("%d mails, %d acknowledged, %d handed to the relay", len(r.mails), len(r.acks), len(r.told))
	}
	for _, w := range r.inOrder(r.events, r.acks) {
		t.Error(w)
	}
	p := &orderReplay{run: r, events: r.events, acks: r.acks, random: 100, seed: uint64(time.Now().Unix())}
	if longFault() {
		p.random = 10_000
	}
	if err := p.play(); err != nil {
		t.Fatal(err)
	}
	for _, w := range p.wrong[:min(len(p.wrong), 20)] {
		t.Error(w)
	}
	killed := 0
	for _, m := range orderMutants {
		if seen := m.seen(t, r); seen != "" {
			killed++
			t.Logf("%s: %s", m.name, seen)
		} else {
			t.Errorf("nobody notices: %s", m.name)
		}
	}
	fmt.Printf("fault F2 mails=%d calls=%d cuts=%d states=%d opened=%d random=%d wrong=%d mutants=%d/%d recorded_ms=%d ms=%d\n",
		len(r.mails), len(r.events), r.lines, p.states, p.opened, p.randoms, len(p.wrong), killed, len(orderMutants),
		recorded.Milliseconds(), time.Since(began).Milliseconds())
}

// orderRecord runs a gateway from its first start through a kill, the recovery
// from it, and a drain. In the long form the last mail is so large that the
// WAL is begun anew while it comes in.
func orderRecord(t *testing.T, conns, mails int) *orderRun {
	r := newOrderRun(t)
	r.startTraced()
	t.Cleanup(r.stop)
	r.together(conns, mails, 0)
	r.kill()
	r.startTraced()
	r.together(conns, mails, 0)
	r.settled()
	size := 1 << 20
	if longFault() {
		size = 20 << 20
	}
	r.together(1, 1, size)
	r.settled()
	r.stop()
	r.load()
	return r
}

// orderMutant is a way to err, as it would show in a trace.
type orderMutant struct {
	name   string
	change func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck)
}

// seen says what is wrong with the changed trace; "" if nothing is.
func (m *orderMutant) seen(t *testing.T, r *orderRun) string {
	t.Helper()
	events, acks := m.change(r, slices.Clone(r.events), slices.Clone(r.acks))
	p := &orderReplay{run: r, events: events, acks: acks, first: true, skip: func(n int) bool { return n%9 != 0 }}
	if err := p.play(); err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	for _, wrong := range append(r.inOrder(events, acks), p.wrong...) {
		return wrong
	}
	return ""
}

// orderWithout leaves out the fsyncs of a path that drop says yes to; next is
// what follows each among the database's files.
func orderWithout(path string, drop func(i int, e, next *orderEvent) bool) func([]*orderEvent) []*orderEvent {
	return func(events []*orderEvent) (kept []*orderEvent) {
		n := 0
		for i, e := range events {
			if e.call == "fsync" && e.path == path {
				var next *orderEvent
				if i+1 < len(events) {
					next = events[i+1]
				}
				if n++; drop(n, e, next) {
					continue
				}
			}
			kept = append(kept, e)
		}
		return kept
	}
}

var orderMutants = []*orderMutant{
	{"synchronous=OFF", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		all := func(int, *orderEvent, *orderEvent) bool { return true }
		return orderWithout(r.wal(), all)(events), acks
	}},
	{"synchronous=NORMAL: the WAL is synced before a checkpoint alone", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		return orderWithout(r.wal(), func(_ int, _, next *orderEvent) bool {
			return next != nil && strings.HasSuffix(next.path, "-wal")
		})(events), acks
	}},
	{"a checkpoint does not sync the database", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		return orderWithout(strings.TrimSuffix(r.wal(), "-wal"), func(n int, _, _ *orderEvent) bool { return n > 1 })(events), acks
	}},
	{"the database's directory is not synced", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		return orderWithout(filepath.Dir(r.wal()), func(int, *orderEvent, *orderEvent) bool { return true })(events), acks
	}},
	{"the directory above a new one is not synced", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		return orderWithout(r.dir, func(int, *orderEvent, *orderEvent) bool { return true })(events), acks
	}},
	{"the key's directory is not synced", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		return orderWithout(r.dir, func(n int, _, _ *orderEvent) bool { return n > 1 })(events), acks
	}},
	{"250 before the commit", func(r *orderRun, events []*orderEvent, acks []orderAck) ([]*orderEvent, []orderAck) {
		for i := range acks {
			acks[i].at = acks[i].data + 1
		}
		slices.SortFunc(acks, func(a, b orderAck) int { return a.at - b.at })
		return events, acks
	}},
}

// orderBugs are changes of the program; the trace of each must be seen to be
// wrong. They stand here as texts, so that a change of the program that would
// make one void fails.
var orderBugs = []struct{ name, file, was, is string }{
	{"commits are not synced", "store/walsync.go", `err = unix.Fdatasync(int(s.file.Fd()))`, `err = nil`},
	{"250 before the sync", "store/writer.go", `w.disk.add(w.group)`, `answerAll(w.group, nil)`},
	{"250 before the sync, of one alone", "store/writer.go", `answerAll(w.group, w.disk.sync())`, `answerAll(w.group, nil)`},
	{"checkpoints do not sync", "store/sqlite.go", `{"synchronous", "FULL", "2"}`, `{"synchronous", "OFF", "0"}`},
	{"no directory is synced", "store/sqlite.go", `errors.Join(d.Sync(), d.Close())`, `d.Close()`},
	{"the key's directory is not synced", "cmd/guichet/keys.go", `store.SyncDir(filepath.Dir(path))`, `error(nil)`},
	{"250 before the commit", "mailflow/receive.go", "func (in *Incoming) Commit(ctx context.Context) error {\n",
		"func (in *Incoming) Commit(ctx context.Context) error {\n\tgo in.later(context.WithoutCancel(ctx))\n\treturn nil\n}\n\n" +
			"func (in *Incoming) later(ctx context.Context) error {\n"},
}

// TestFaultOrderBugs builds the program with each of the bugs, in the long
// form, and in the short one looks whether they can still be put in.
func TestFaultOrderBugs(t *testing.T) {
	diskNeeds(t, "strace", "go")
	killed := 0
	for _, b := range orderBugs {
		dir := t.TempDir()
		source, err := filepath.Abs(filepath.Join("..", "..", b.file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		spoilt := strings.Replace(string(text), b.was, b.is, 1)
		if spoilt == string(text) {
			t.Errorf("%s has no %q any more", b.file, b.was)
		}
		if !longFault() {
			continue
		}
		write(t, filepath.Join(dir, "spoilt.go"), spoilt)
		write(t, filepath.Join(dir, "overlay.json"), fmt.Sprintf(`{"Replace": {%q: %q}}`, source, filepath.Join(dir, "spoilt.go")))
		bin := filepath.Join(dir, "guichet")
		if out, err := exec.Command("go", "build", "-tags", "sqlite_fts5", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, ".").CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", b.name, err, out)
		}
		t.Run(b.name, func(t *testing.T) {
			t.Setenv("GUICHET_BIN", bin)
			r := orderRecord(t, 4, 4)
			same := &orderMutant{b.name, func(_ *orderRun, e []*orderEvent, a []orderAck) ([]*orderEvent, []orderAck) { return e, a }}
			seen := same.seen(t, r)
			if seen == "" {
				t.Error("nobody notices")
				return
			}
			killed++
			t.Log(seen)
		})
	}
	if longFault() {
		fmt.Printf("fault F2 bugs=%d noticed=%d\n", len(orderBugs), killed)
	}
}

// kill ends the gateway without a word.
func (g *running) kill() {
	g.cmd.Process.Kill()
	<-g.ended
}
