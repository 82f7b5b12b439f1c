// Package fuzztest is what fuzz targets share: real mails as seeds, and a bound
// on what one input may cost.
//
// The real mails are not ours to copy: they are read where GUICHET_CORPUS
// says, each time, and never kept.
package fuzztest

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxSeeds is how many real mails a target starts from, and maxSeed how
	// long each may be, in bytes: the fuzzer runs all of them before it begins.
	maxSeeds = 300
	maxSeed  = 8 << 10
	// Limit is the processor time that one input may take. It is far above what
	// any takes on a slow machine under the race detector, and far below what
	// work that grows by the square of the input does.
	Limit = time.Second
)

// Mails gives add a sample of the real mails, the same each time. Without a
// corpus there are none, which CI does not let pass.
func Mails(f *testing.F, add func(raw []byte)) {
	f.Helper()
	dir := Corpus(f)
	if dir == "" {
		return
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
			return err
		}
		if info, err := d.Info(); err != nil || info.Size() > maxSeed {
			return err
		}
		files = append(files, path)
		return nil
	})
	if err != nil || len(files) < maxSeeds {
		f.Fatalf("%d mails of at most %d bytes in %s: %v", len(files), maxSeed, dir, err)
	}
	for i := range maxSeeds {
		raw, err := os.ReadFile(files[i*len(files)/maxSeeds])
		if err != nil {
			f.Fatal(err)
		}
		add(raw)
	}
}

// Corpus is the folder of real mails: GUICHET_CORPUS, of which a relative one
// starts at the top of the module; "" if it is unset, which CI does not let
// pass.
func Corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GUICHET_CORPUS")
	switch {
	case dir == "" && os.Getenv("CI") == "true":
		t.Fatal("GUICHET_CORPUS is not set: CI must read the real mails")
	case dir == "" || filepath.IsAbs(dir):
		return dir
	}
	top, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(top, "go.mod")); err == nil {
			return filepath.Join(top, dir)
		}
		if top == filepath.Dir(top) {
			t.Fatal("no go.mod above the test")
		}
		top = filepath.Dir(top)
	}
}

// Cheap runs work and fails if it takes more than [Limit].
func Cheap(t testing.TB, work func()) {
	t.Helper()
	if took := CPU(t, work); took > Limit {
		t.Errorf("took %s of processor time, more than %s", took, Limit)
	}
}

// CPU runs work and returns this thread's processor time that it took, in which
// what else the machine does counts for nothing.
func CPU(t testing.TB, work func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime(t)
	work()
	return threadTime(t) - before
}

func threadTime(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Fatalf("read the thread's times: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
