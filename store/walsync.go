package store

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// walSync puts commits on the disk. COMMIT writes to the WAL and does not sync
// it (synchronous=NORMAL), so that the writer runs the next updates while the
// disk works; whoever asked for an update is answered once the WAL was synced
// after its commit. A crash in between loses the latest commits, of which
// nobody was told but who reads beside the writer (View): SQLite reads the WAL
// up to the first frame that is not whole. So nothing that is done outside may
// rest on a View alone.
//
// While a sync runs the writer adds to its group, so that a group is as large
// as what is asked for in the time of one sync.
type walSync struct {
	db   *DB
	file *os.File // the WAL; closing it ends none of SQLite's locks, which are on other files

	disk sync.Mutex // held while the disk works

	mu      sync.Mutex
	jobs    []*job // committed and not yet on the disk
	working bool   // the goroutine has some, or was woken to
	work    chan struct{}
	stopped chan struct{}
	idle    func() // is called when everything is on the disk
}

// startWALSync opens the WAL of a database in use, which exists.
func startWALSync(db *DB, idle func()) (*walSync, error) {
	file, err := os.OpenFile(db.lite.path+"-wal", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &walSync{db: db, file: file, work: make(chan struct{}, 1), stopped: make(chan struct{}), idle: idle}
	go s.loop()
	return s, nil
}

// stop answers what is committed.
func (s *walSync) stop() error {
	close(s.work)
	<-s.stopped
	return s.file.Close()
}

// add answers a committed group once it is on the disk.
func (s *walSync) add(group []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs = append(s.jobs, group...)
	if !s.working {
		s.working = true
		s.work <- struct{}{}
	}
}

func (s *walSync) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.working
}

func (s *walSync) loop() {
	defer close(s.stopped)
	var jobs []*job
	for range s.work {
		for {
			clear(jobs)
			if jobs = s.take(jobs[:0]); len(jobs) == 0 {
				break
			}
			answerAll(jobs, s.sync())
		}
		s.idle()
	}
}

// take exchanges the jobs for an empty list; with none, it says that nobody
// works.
func (s *walSync) take(empty []*job) []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs := s.jobs
	s.jobs, s.working = empty, len(jobs) > 0
	return jobs
}

// sync puts on the disk what was committed. After one failure there is no
// success: the kernel tells of a lost page once.
func (s *walSync) sync() error {
	s.disk.Lock()
	defer s.disk.Unlock()
	if err := s.db.Failure(); err != nil {
		return err
	}
	var err error = unix.EINTR
	for err == unix.EINTR {
		err = unix.Fdatasync(int(s.file.Fd()))
	}
	if err != nil {
		return s.db.noticed(fmt.Errorf("%w: sync %s: %w", ErrIO, s.file.Name(), err))
	}
	return nil
}
