//go:build bench

package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5/pgxpool"

	"guichet/store/storetest"
)

// The limit is what this machine, this SMTP library and this database can do
// at best: a server that does nothing but put each mail into one row, and says
// 250 when it is on the disk. It runs in a process of its own, as the gateway
// does.

// init is the server's process: this binary with GUICHET_BENCH_LIMIT set.
func init() {
	database := os.Getenv("GUICHET_BENCH_LIMIT")
	if database == "" {
		return
	}
	if err := serveLimit(database); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// limitServer is the running server, seen from the test.
type limitServer struct {
	addr string
	pid  int
}

func startLimit(t testing.TB, d *storetest.Database) *limitServer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "GUICHET_BENCH_LIMIT="+d.URL)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // the server ends with it
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	l := &limitServer{pid: cmd.Process.Pid}
	if _, err := fmt.Fscanln(out, &l.addr); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *limitServer) load(t testing.TB, conns int, m mails) result {
	t.Helper()
	return measured(t, l.pid, m.n, func() time.Duration {
		_, took := offer(t, l.addr, conns, m)
		return took
	})
}

// serveLimit serves until standard input ends.
func serveLimit(database string) error {
	keep, err := limitStore(database)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) {
		return &limitSession{keep: keep}, nil
	}))
	server.Domain, server.MaxMessageBytes = "limit.example", 25<<20
	server.ReadTimeout, server.WriteTimeout = 5*time.Minute, 5*time.Minute
	fmt.Println(ln.Addr())
	go server.Serve(ln)
	io.Copy(io.Discard, os.Stdin)
	return nil
}

type limitSession struct {
	keep     func(from, to string, mail []byte) error
	from, to string
}

func (s *limitSession) Mail(from string, _ *gosmtp.MailOptions) error { s.from = from; return nil }
func (s *limitSession) Rcpt(to string, _ *gosmtp.RcptOptions) error   { s.to = to; return nil }
func (s *limitSession) Reset()                                        {}
func (s *limitSession) Logout() error                                 { return nil }

func (s *limitSession) Data(r io.Reader) error {
	var b bytes.Buffer
	b.Grow(8 << 10)
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	return s.keep(s.from, s.to, b.Bytes())
}

// limitStore opens the table that mails are kept in.
func limitStore(database string) (func(from, to string, mail []byte) error, error) {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		return limitSQLite(path)
	}
	return limitPostgres(database)
}

// limitSQLite commits all mails that wait together: one fsync for as many as
// came during the last one.
func limitSQLite(path string) (func(from, to string, mail []byte) error, error) {
	ctx := context.Background()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// A checkpoint each 64 MiB, as the gateway has it.
	if _, err := conn.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 16384; CREATE TABLE mail
		(id INTEGER PRIMARY KEY, sender TEXT NOT NULL, recipient TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL)`); err != nil {
		return nil, err
	}
	var begin, insert, commit *sql.Stmt
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{{&begin, `BEGIN IMMEDIATE`}, {&commit, `COMMIT`},
		{&insert, `INSERT INTO mail (sender, recipient, at, data) VALUES (?, ?, ?, ?)`}} {
		if *s.to, err = conn.PrepareContext(ctx, s.text); err != nil {
			return nil, err
		}
	}
	type row struct {
		from, to string
		mail     []byte
		done     chan error
	}
	waiting := make(chan *row, 1024)
	keep := func(rows []*row) error {
		if _, err := begin.Exec(); err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := insert.Exec(r.from, r.to, time.Now().UnixMicro(), r.mail); err != nil {
				return err // nothing more is said 250 to: BEGIN fails from now on
			}
		}
		_, err := commit.Exec()
		return err
	}
	go func() {
		for r := range waiting {
			rows := []*row{r}
			for len(waiting) > 0 && len(rows) < 64 {
				rows = append(rows, <-waiting)
			}
			err := keep(rows)
			for _, r := range rows {
				r.done <- err
			}
		}
	}()
	return func(from, to string, mail []byte) error {
		r := &row{from, to, mail, make(chan error, 1)}
		waiting <- r
		return <-r.done
	}, nil
}

// limitPostgres commits each mail in a transaction of its own: PostgreSQL
// itself flushes those together that wait at the same time.
func limitPostgres(url string) (func(from, to string, mail []byte) error, error) {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 16 // as many as the gateway has
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, `CREATE TABLE mail (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		sender TEXT NOT NULL, recipient TEXT NOT NULL, at BIGINT NOT NULL, data BYTEA NOT NULL)`); err != nil {
		return nil, err
	}
	return func(from, to string, mail []byte) error {
		_, err := pool.Exec(ctx, `INSERT INTO mail (sender, recipient, at, data) VALUES ($1, $2, $3, $4)`,
			from, to, time.Now().UnixMicro(), mail)
		return err
	}, nil
}
