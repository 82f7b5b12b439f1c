package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// server is the PostgreSQL of this test process: its files and its socket are
// in one temporary directory, it has no TCP port, and it ends with the
// process even if that is killed.
type server struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when the server's process has ended
	admin *sql.DB
	next  int // number of the next database
	mu    sync.Mutex
	own   *os.File // locked while this process lives: see sweep

	ready    sync.Once // makes the database "ready", which others are copies of
	errReady error
}

var (
	mainCalled bool
	startOnce  sync.Once
	running    *server
	errStart   error
)

// ownServer returns the process's server.
func ownServer(t testing.TB) *server {
	t.Helper()
	if !mainCalled {
		t.Fatal("storetest: nothing would stop PostgreSQL: have func TestMain(m *testing.M) { storetest.Main(m) }")
	}
	startOnce.Do(func() { running, errStart = start(clusters()) })
	if errStart != nil {
		t.Fatalf("storetest: start PostgreSQL: %v", errStart)
	}
	return running
}

// start makes a cluster in a new directory below one, and starts its server.
func start(below string) (s *server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s, err = newServer(below)
	if err != nil {
		return nil, err
	}
	dir := s.dir
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", s.data(), "-U", "guichet", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.launch(bin, attr); err != nil {
		return nil, err
	}
	return s, s.connect()
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// binaries finds the newest PostgreSQL that Debian installed.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) == 0 {
		return "", errors.New("there is none under /usr/lib/postgresql: apt-get install postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged returns how to run the server, which refuses to run as root:
// as the user postgres or nobody, to whom dir is given.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("as root: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, uid, gid)
}

// launch starts the server.
func (s *server) launch(bin string, attr *syscall.SysProcAttr) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", s.data(), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=on", "-c", "synchronous_commit=on",
		"-c", "shared_buffers=32MB", "-c", "max_connections=200", "-c", "max_prepared_transactions=0")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	// SIGINT is PostgreSQL's fast shutdown. The kernel sends it when the
	// thread that started the server ends, so one thread is kept for that.
	attr.Pdeathsig = syscall.SIGINT
	s.cmd.SysProcAttr = attr
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // stop looks at how the tests ended, not the server
		}
		close(s.ended)
	}()
	return <-started
}

// connect waits for the server and makes sure that it is the one started.
func (s *server) connect() error {
	admin, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	s.admin = admin
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		var data string
		err := admin.QueryRowContext(ctx, "SHOW data_directory").Scan(&data)
		switch {
		case err == nil && data != s.data():
			return fmt.Errorf("the server at %s keeps its data in %s: not the one started", s.dir, data)
		case err == nil:
			return nil
		}
		retry := time.NewTimer(20 * time.Millisecond)
		select {
		case <-s.ended:
			retry.Stop()
			out, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("it ended:\n%s", out)
		case <-ctx.Done():
			retry.Stop()
			return fmt.Errorf("it does not answer: %w", err)
		case <-retry.C:
		}
	}
}

func (s *server) url(database string) string {
	return "postgres:///" + database + "?" + url.Values{"host": {s.dir}, "user": {"guichet"}}.Encode()
}

// create makes a database for a test, a copy of another.
func (s *server) create(t testing.TB, template string) string {
	t.Helper()
	s.mu.Lock()
	s.next++
	name := fmt.Sprintf("test_%d", s.next)
	s.mu.Unlock()
	var data string
	if err := s.admin.QueryRow("SHOW data_directory").Scan(&data); err != nil || data != s.data() {
		t.Fatalf("storetest: the server is not its own any more: %q, %v", data, err)
	}
	if _, err := s.admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatalf("storetest: %v", err)
	}
	t.Cleanup(func() {
		if _, err := s.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("storetest: %v", err)
		}
	})
	return s.url(name)
}

func stopServer() error {
	if running == nil {
		return nil
	}
	return running.stop()
}

// stop ends the server by its process id and removes its directory.
func (s *server) stop() error {
	if s.admin != nil {
		s.admin.Close()
	}
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT) // it may have ended already
		deadline := time.NewTimer(30 * time.Second)
		defer deadline.Stop()
		select {
		case <-s.ended:
		case <-deadline.C:
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}
	return errors.Join(os.RemoveAll(s.dir), s.own.Close())
}
