//go:build crash

package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// orderReplay goes through a trace and opens what power losses at its cut
// points would have left.
type orderReplay struct {
	run    *orderRun
	events []*orderEvent
	acks   []orderAck

	skip   func(state int) bool // leave a state out; nil opens all
	random int                  // how many cut points are opened with parts of what was not synced
	seed   uint64
	first  bool // stop at the first thing wrong

	states, opened, randoms int // that were, and that were looked at
	wrong                   []string
	mu                      sync.Mutex
	stop                    atomic.Bool
}

// orderLoss is what a power loss left, and what had been promised before it.
type orderLoss struct {
	what  string
	files map[string][]byte
	acks  []orderAck
	told  []orderAck
}

// play replays everything. The states between two fsyncs are one: of its cut
// points the last has promised the most.
func (p *orderReplay) play() error {
	losses := make(chan orderLoss, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for l := range losses {
				if err := p.run.survives(l); err != nil {
					p.mu.Lock()
					p.wrong = append(p.wrong, l.what+": "+err.Error())
					p.mu.Unlock()
					p.stop.Store(p.first)
				}
			}
		})
	}
	err := p.walk(losses)
	close(losses)
	wg.Wait()
	return err
}

func (p *orderReplay) walk(losses chan<- orderLoss) error {
	disk := newOrderDisk(p.run.dir)
	chance := rand.New(rand.NewPCG(p.seed, 0))
	lose := func(at int, kind string, chance *rand.Rand) {
		if p.stop.Load() {
			return
		}
		losses <- orderLoss{fmt.Sprintf("power lost at line %d, %s", at, kind), disk.rest(chance), before(p.acks, at), before(p.run.told, at)}
	}
	for i, e := range p.events {
		if e.call == "fsync" && p.moves(disk, e) {
			if p.states++; p.skip == nil || !p.skip(p.states) {
				p.opened++
				lose(e.end, "nothing unsynced kept", nil)
			}
		}
		if _, err := disk.apply(e); err != nil {
			return err
		}
		if chance.IntN(len(p.events)-i) < p.random-p.randoms && (p.skip == nil || !p.skip(p.states)) {
			p.randoms++
			lose(e.end, fmt.Sprintf("some of the unsynced kept (seed %d)", p.seed), chance)
		}
	}
	p.states++
	p.opened++
	lose(p.run.lines+1, "at the end", nil)
	return nil
}

// moves says whether an fsync makes anything safe.
func (p *orderReplay) moves(d *orderDisk, e *orderEvent) bool {
	f := d.now[e.path]
	return f != nil && (f.dir && len(d.names) > 0 || len(f.pending) > 0)
}

// before returns what was promised before a line.
func before(acks []orderAck, line int) []orderAck {
	for i, a := range acks {
		if a.at >= line {
			return acks[:i]
		}
	}
	return acks
}

// survives opens what is left as the gateway does at its start, and looks for
// all that was promised.
func (r *orderRun) survives(l orderLoss) error {
	dir, err := orderScratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for path, data := range l.files {
		to := filepath.Join(dir, strings.TrimPrefix(path, r.dir))
		if data == nil && path == r.dir {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if data == nil {
			err = os.MkdirAll(to, 0o700)
		} else {
			err = os.WriteFile(to, data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	file := filepath.Join(dir, "data", "guichet.db")
	keys, err := orderServe(file, filepath.Join(dir, "guichet.key"))
	if err != nil {
		return fmt.Errorf("serve would not start: %w", err)
	}
	return orderHolds(file, keys, l)
}

// orderScratch is a directory in memory, where there is one: these files are
// not to survive anything.
func orderScratch() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "guichet-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "guichet-")
}

func orderServe(file, key string) (ticket.Keyring, error) {
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+file, store.Options{Serve: true, Create: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	keys, err := openKeys(ctx, db, key)
	return keys, errors.Join(err, db.Close())
}

// orderHolds looks for the mails and for the rows of what was told to the
// relay, of which its Message-ID is made, and lets SQLite check the file.
func orderHolds(file string, keys ticket.Keyring, l orderLoss) error {
	db, err := sql.Open("sqlite3", "file:"+file+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var result string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&result); err != nil || result != "ok" {
		return fmt.Errorf("integrity: %s %w", result, err)
	}
	sums, err := orderSums(db)
	if err != nil {
		return err
	}
	for _, a := range l.acks {
		if !sums[a.mail.sum] {
			return fmt.Errorf("mail %d, of which line %d says 250, is lost", a.mail.no, a.at)
		}
	}
	ids, err := orderStrings(db, `SELECT CAST(id AS TEXT) FROM outbox`)
	if err != nil {
		return err
	}
	for _, a := range l.told {
		local, _, _ := strings.Cut(strings.Trim(a.id, "<>"), "@")
		if t, err := keys.Verify(local); err != nil || !ids[fmt.Sprint(t.Row())] {
			return fmt.Errorf("%s, told to the relay at line %d, is not known", a.id, a.at)
		}
	}
	return nil
}

// orderSums returns the hashes of the mails that a delivery names, and sees to
// it that they are those of the bytes.
func orderSums(db *sql.DB) (map[string]bool, error) {
	rows, err := db.Query(`SELECT r.id, r.sha256, r.data FROM delivery d JOIN raw r ON r.id = d.raw_id WHERE r.complete = 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sums := map[string]bool{}
	for rows.Next() {
		var id int64
		var sum string
		var data []byte
		if err := rows.Scan(&id, &sum, &data); err != nil {
			return nil, err
		}
		if data == nil {
			if data, err = orderChunks(db, id); err != nil {
				return nil, err
			}
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			return nil, fmt.Errorf("raw mail %d has other bytes than it had", id)
		}
		sums[sum] = true
	}
	return sums, rows.Err()
}

func orderChunks(db *sql.DB, id int64) (all []byte, err error) {
	rows, err := db.Query(`SELECT data FROM raw_chunk WHERE raw_id = ? ORDER BY seq`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var part sql.RawBytes
		if err := rows.Scan(&part); err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, rows.Err()
}

func orderStrings(db *sql.DB, query string) (map[string]bool, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]bool{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all[s] = true
	}
	return all, rows.Err()
}
