package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// foundMail is one mail of a file, a folder or an mbox.
type foundMail struct {
	file   string // as it was named, or found below what was named
	number int    // its place in an mbox, from 1; 0 in a file of its own
	offset int64  // of its From line in the mbox
	length int64
	size   int64
	raw    []byte // nil if the mail is larger than the limit; good until the next one
}

// name says where the mail stands.
func (m foundMail) name() string {
	if m.number == 0 {
		return m.file
	}
	return fmt.Sprintf("%s:mail %d", m.file, m.number)
}

// eachMail calls fn for every mail of a path, in their order: an mbox, one
// mail, a maildir, a folder with any of these, or "-". A mail larger than the
// limit, in bytes, comes without its bytes. A file that cannot be read, and
// what fn returns, ends it.
func (e *env) eachMail(path string, limit int64, fn func(foundMail) error) error {
	if path == "-" {
		return mailsIn("-", bufio.NewReader(e.stdin), limit, fn)
	}
	files, err := mailFiles(path)
	for _, file := range files {
		if err == nil {
			err = mailsOf(file, limit, fn)
		}
	}
	return err
}

// mailFiles lists the files below a path; those of a maildir in the order of
// their names, which begin with the time of their arrival.
func mailFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		hidden := name != path && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "tmp" || hidden && !isMaildir(name)):
			return fs.SkipDir
		case d.Type().IsRegular() && !hidden:
			files = append(files, name)
		}
		return nil
	})
	if isMaildir(path) {
		slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
		files = slices.DeleteFunc(files, func(file string) bool {
			dir := filepath.Base(filepath.Dir(file))
			return dir != "cur" && dir != "new" // an index of the mail server's
		})
	}
	return files, err
}

func isMaildir(path string) bool {
	info, err := os.Stat(filepath.Join(path, "cur"))
	return err == nil && info.IsDir()
}

func mailsOf(file string, limit int64, fn func(foundMail) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return mailsIn(file, bufio.NewReader(f), limit, fn)
}

// mailsIn reads an mbox, which begins with a From line, or else one mail.
func mailsIn(file string, r *bufio.Reader, limit int64, fn func(foundMail) error) error {
	if ahead, _ := r.Peek(len(fromLine)); !bytes.Equal(ahead, fromLine) {
		raw, err := io.ReadAll(io.LimitReader(r, limit+1))
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		m := foundMail{file: file, size: int64(len(raw)), length: int64(len(raw)), raw: raw}
		if m.size > limit {
			m.raw = nil
		}
		return fn(m)
	}
	mbox := newMboxReader(r, limit)
	for n := 1; ; n++ {
		m, err := mbox.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := fn(foundMail{file, n, m.offset, m.length, m.size, m.raw}); err != nil {
			return err
		}
	}
}
