package storetest

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where the files of a PostgreSQL may be. The path of a socket is limited to
// 107 bytes, which TMPDIR may exceed.
const (
	disk   = "/tmp"
	memory = "/dev/shm"
)

// roomInMemory is how much must be free there, in bytes.
const roomInMemory = 2 << 30

var onDisk bool

// OnDisk keeps the files of the process's PostgreSQL on the disk, if it has
// not started yet: for figures, to which fsync belongs.
func OnDisk() { onDisk = true }

// clusters is where the process's PostgreSQL has its files: in memory where
// there is room, because making and dropping a database syncs hundreds of
// them.
func clusters() string {
	bench := flag.Lookup("test.bench")
	var fs unix.Statfs_t
	if onDisk || bench != nil && bench.Value.String() != "" || unix.Statfs(memory, &fs) != nil || int64(fs.Bavail)*fs.Bsize < roomInMemory {
		return disk
	}
	return memory
}

// newServer makes the directory of a server. It is this process's own while
// its file "own" is locked.
func newServer(below string) (*server, error) {
	sweep(below)
	dir, err := os.MkdirTemp(below, "guichet-pg-")
	if err != nil {
		return nil, err
	}
	own, err := os.Create(filepath.Join(dir, "own"))
	if err == nil {
		err = syscall.Flock(int(own.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &server{dir: dir, own: own, ended: make(chan struct{})}, nil
}

// sweep removes what killed tests left.
func sweep(below string) {
	left, _ := filepath.Glob(filepath.Join(below, "guichet-pg-*", "own"))
	for _, name := range left {
		own, err := os.Open(name)
		if err != nil {
			continue
		}
		info, err := own.Stat()
		// One that is new may be about to be locked.
		if err == nil && time.Since(info.ModTime()) > time.Minute && syscall.Flock(int(own.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(name)) // the next will try again
		}
		own.Close()
	}
}
