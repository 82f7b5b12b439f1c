package store

import (
	"context"
	"sync"
	"time"
)

const (
	// numberBlock is how many numbers are set aside at once.
	numberBlock = 32
	// numberRush is how soon one number must follow another for that.
	numberRush = 100 * time.Millisecond
)

// NextNumber counts one further on the named counter, from 1. No number is
// given twice; on PostgreSQL some may be left out.
//
// The counter is one row. On PostgreSQL its lock would last until each ticket
// is committed, and let one ticket begin after the other; so where tickets
// come close together the next numbers are set aside in a commit of their own.
func (tx *Tx) NextNumber(name string) (n int64, err error) {
	if tx.Engine() == "postgres" {
		n, low := tx.db.numbers.take(name, time.Now())
		if low {
			tx.AfterCommit(func() { tx.db.setNumbersAside(name) })
		}
		if n != 0 {
			return n, nil
		}
	}
	return tx.count(name, 1)
}

// count moves a counter by so many and returns where it stands then.
func (tx *Tx) count(name string, by int) (n int64, err error) {
	if tx.db.lite != nil { // as in spendAlone
		changed, err := tx.exec(`UPDATE counter SET value = value + ? WHERE name = ?`, by, name)
		if err == nil && changed == 1 {
			err = tx.row(`SELECT value FROM counter WHERE name = ?`, name).Scan(&n)
		}
		if err != nil || changed == 1 {
			return n, err
		}
	}
	err = tx.row(`INSERT INTO counter (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value`, name, by).Scan(&n)
	return n, err
}

// setNumbersAside fetches the next numbers, unless somebody else has or does.
// If it cannot, those who need one take it from the row.
func (db *DB) setNumbersAside(name string) {
	if !db.numbers.begin(name) {
		return
	}
	var last int64
	err := db.Update(context.Background(), "set numbers aside", func(tx *Tx) (err error) {
		last, err = tx.count(name, numberBlock)
		return err
	})
	if err != nil {
		last = 0
	}
	db.numbers.end(name, last)
}

// numbers are those of each counter that are set aside.
type numbers struct {
	mu sync.Mutex
	of map[string]*aside
}

type aside struct {
	free  []int64
	asked time.Time // when a number was last wanted
	busy  bool      // more are being fetched
}

// take gives a number that is set aside, or 0, and says whether more should
// be.
func (s *numbers) take(name string, now time.Time) (n int64, low bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[name]
	if a == nil {
		a = &aside{}
		if s.of == nil {
			s.of = map[string]*aside{}
		}
		s.of[name] = a
	}
	rush := now.Sub(a.asked) < numberRush
	a.asked = now
	if len(a.free) > 0 {
		n, a.free = a.free[0], a.free[1:]
	}
	return n, rush && a.low()
}

func (a *aside) low() bool { return len(a.free) < numberBlock/2 && !a.busy }

// begin says whether the caller is to fetch more.
func (s *numbers) begin(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[name]
	if !a.low() {
		return false
	}
	a.busy = true
	return true
}

// end adds the block that ends with last; 0 is none.
func (s *numbers) end(name string, last int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of[name]
	a.busy = false
	for n := last - numberBlock + 1; last != 0 && n <= last; n++ {
		a.free = append(a.free, n)
	}
}
