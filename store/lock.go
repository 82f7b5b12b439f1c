package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// fileLock is a lock on a file that ends with the process, however it ends.
type fileLock struct{ f *os.File }

// takeLock locks the file at path, which it makes if need be, and writes the
// process id into it for the sentence that the next one gets.
//
// The file stays when the lock is released: removing it would let two
// processes lock two files of one name.
func takeLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		return nil, fmt.Errorf("guichet serve is running on this database (process %s, by its lock %s)",
			strings.TrimSpace(string(holder)), path)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return &fileLock{f}, nil
}

// release ends the lock. It may be called on nil, and again.
func (l *fileLock) release() {
	if l != nil {
		l.f.Close()
	}
}
