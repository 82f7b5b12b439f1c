package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The fault tests (make fault; GUICHET_FAULT=long for make fault-long) take
// processes, servers and connections away while mails come in, and compare
// afterwards what was acknowledged, what is stored and what was sent: see
// oracle. This file runs the gateway, fault_load_test.go the senders.

// longFault says that the long form was asked for.
func longFault() bool { return os.Getenv("GUICHET_FAULT") == "long" }

// rounds is how often a fault comes in the short and in the long form;
// GUICHET_ROUNDS sets another number.
func rounds(short, long int) int {
	if n, err := strconv.Atoi(os.Getenv("GUICHET_ROUNDS")); err == nil {
		return n
	}
	if longFault() {
		return long
	}
	return short
}

// figures prints the one line of a row, which make fault shows.
func figures(t testing.TB, format string, args ...any) {
	t.Helper()
	line := "fault " + fmt.Sprintf(format, args...)
	t.Log(line)
	fmt.Println(line)
}

// chance is a source of random numbers whose seed is printed, so that a round
// that failed can be tried again: GUICHET_SEED.
func chance(t testing.TB) (*rand.Rand, uint64) {
	seed := rand.Uint64() >> 32
	if s := os.Getenv("GUICHET_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return rand.New(rand.NewPCG(seed, 0)), seed
}

// rest waits, or less if the channel closes first; it says whether it was for
// the whole time.
func rest(d time.Duration, over <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
		return false
	}
}

// service runs a gateway as a service manager does: when it ends it is
// started again.
type service struct {
	*running
	env  func(start int) []string // added to the environment of the nth start, from 0
	quit chan struct{}            // closed to end the managing
	gone chan struct{}            // closed when that has ended

	mu      sync.Mutex
	addr    map[string]string // of the listeners of the process that runs
	process *os.Process
	begun   time.Time // of that process
	down    bool      // not to be started again for now
	starts  int
	deaths  []death
	slowest time.Duration // from a start to its listeners
}

// death is one end of the process.
type death struct {
	at   time.Time
	by   syscall.Signal // 0: it ended by itself
	code int
}

// newService prepares a gateway that run starts.
func newService(t testing.TB, database string, replace ...string) *service {
	s := &service{running: newGateway(t, database, replace...), quit: make(chan struct{}), gone: make(chan struct{})}
	s.sink.quiet()
	s.patience = 3 * time.Minute
	return s
}

// quiet keeps the sink from printing what killed clients leave.
func (s *sink) quiet() { s.server.ErrorLog = log.New(io.Discard, "", 0) }

// serve starts the gateway, again whenever it ends, until the test does.
func (s *service) serve() {
	s.t.Cleanup(s.end)
	go func() {
		defer close(s.gone)
		for {
			for s.isDown() && rest(5*time.Millisecond, s.quit) {
			}
			if err := s.once(); err != nil {
				s.t.Errorf("start the gateway: %v", err)
				return
			}
			select {
			case <-s.quit:
				return
			default:
			}
			// A service manager waits before it starts again what ended by
			// itself.
			if d := s.died(); d[len(d)-1].by == 0 && !rest(200*time.Millisecond, s.quit) {
				return
			}
		}
	}()
}

// stayDown says whether the gateway, once it ends, is left alone.
func (s *service) stayDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *service) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// once runs the gateway until it ends.
func (s *service) once() error {
	cmd := s.binary()
	cmd.Args = append(cmd.Args, "serve", "--config", s.config)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.env != nil {
		cmd.Env = append(cmd.Env, s.env(s.starts)...)
	}
	err = cmd.Start()
	s.process, s.begun, s.addr = cmd.Process, time.Now(), map[string]string{}
	s.starts++
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.listen(stdout)
	cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.addr = nil, nil
	s.deaths = append(s.deaths, deathOf(cmd))
	return nil
}

func deathOf(cmd *exec.Cmd) death {
	d := death{at: time.Now(), code: cmd.ProcessState.ExitCode()}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		d.by = status.Signal()
	}
	return d
}

// listen reads the listeners' lines until the process ends.
func (s *service) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		name, addr, ok := strings.Cut(lines.Text(), " listens on ")
		if !ok {
			continue
		}
		s.mu.Lock()
		s.addr[name] = addr
		if name == "smtp" {
			s.slowest = max(s.slowest, time.Since(s.begun))
		}
		s.mu.Unlock()
	}
}

// address is where a listener of the process that runs is; "" if it is not
// open.
func (s *service) address(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr[name]
}

// died is the list of ends so far.
func (s *service) died() []death {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]death{}, s.deaths...)
}

// started says how often the gateway was started, and when the last time.
func (s *service) started() (int, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts, s.begun
}

// signal gives the process a signal, and waits until it has ended.
func (s *service) signal(sig os.Signal) {
	before := len(s.died())
	s.mu.Lock()
	if s.process != nil {
		s.process.Signal(sig)
	}
	s.mu.Unlock()
	s.until("the gateway ends", func() bool { return len(s.died()) > before })
}

// until waits for a condition that must come true.
func (s *service) until(what string, ok func() bool) {
	s.t.Helper()
	s.untilSeen(5*time.Millisecond, what, ok)
}

// untilSeen is until for a condition that costs something to look at: it looks
// once in a while.
func (s *service) untilSeen(every time.Duration, what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	late := time.After(s.patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatalf("not within %s: %s\n%s", s.patience, what, tail(s.log(), 3000))
		}
	}
}

// metric reads one figure of the admin listener; ok is false while the
// gateway cannot say.
func (s *service) metric(name string) (value float64, ok bool) {
	addr := s.address("admin")
	if addr == "" {
		return 0, false
	}
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	m := regexp.MustCompile(`(?m)^guichet_` + name + ` (\S+)$`).FindSubmatch(b)
	if err != nil || m == nil {
		return 0, false
	}
	value, err = strconv.ParseFloat(string(m[1]), 64)
	return value, err == nil
}

// settled waits until nothing is on its way any more, nor will be.
func (s *service) settled() {
	s.t.Helper()
	left := "nobody to ask"
	defer func() {
		if s.t.Failed() {
			s.t.Logf("left when the test gave up: %s", left)
		}
	}()
	s.untilSeen(50*time.Millisecond, "everything is processed and sent", func() bool {
		for _, name := range []string{"unprocessed", "outbox_busy", "outbox_queued"} {
			n, ok := s.metric(name)
			if left = fmt.Sprintf("%s %v", name, n); !ok || n != 0 {
				return false
			}
		}
		return true
	})
}

// ready waits until mail is taken.
func (s *service) ready() {
	s.until("the gateway listens", func() bool { return s.address("smtp") != "" })
}

// end ends the gateway as an operator does, and the managing.
func (s *service) end() {
	select {
	case <-s.quit:
		return
	default:
	}
	close(s.quit)
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p == nil {
		<-s.gone
		return
	}
	p.Signal(syscall.SIGTERM)
	select {
	case <-s.gone:
	case <-time.After(20 * time.Second):
		p.Kill()
		<-s.gone
	}
	if d := s.died(); d[len(d)-1].by != 0 || d[len(d)-1].code != 0 {
		s.t.Errorf("after SIGTERM the gateway ended with %+v", d[len(d)-1])
	}
	if s.t.Failed() {
		s.t.Logf("the log's end:\n%s", tail(s.log(), 3000))
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}
