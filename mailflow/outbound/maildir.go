package outbound

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"guichet/store"
)

// maxShown bounds what [ReadMaildir] reads of a mail, in bytes.
const maxShown = 256 << 10

// maildir is a relay for trying out and for tests: each mail becomes a file in
// DIR/new, written whole and synced before it has its name.
type maildir struct {
	dir  string
	next atomic.Int64 // makes names in tmp distinct
}

func openMaildir(dir string) (*maildir, error) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make maildir: %w; make the directory or change relay.url", err)
		}
	}
	return &maildir{dir: dir}, nil
}

// Send delivers m. Its name comes from its Message-ID, so that sending it again
// replaces it. A full disk or a missing right is the relay's trouble.
func (d *maildir) Send(ctx context.Context, m Mail) Result {
	if bad := m.check(); bad.State != "" {
		return bad
	}
	err := ctx.Err()
	if err == nil {
		err = d.deliver(mailName(&m), &m)
	}
	if err != nil {
		return Result{State: Deferred, Trouble: true, Reply: oneLine("guichet: deliver to maildir: " + err.Error())}
	}
	return Result{State: Sent, Tried: true, Reply: "250 2.0.0 kept in the maildir"}
}

// Close has nothing to end.
func (d *maildir) Close() error { return nil }

func (d *maildir) deliver(name string, m *Mail) error {
	tmp := filepath.Join(d.dir, "tmp", fmt.Sprintf("%s.%d.%d", name, os.Getpid(), d.next.Add(1)))
	err := writeSynced(tmp,
		[]byte("Return-Path: <"+m.From+">\r\nDelivered-To: "+m.To+"\r\n"), m.Header, []byte("\r\n"), m.Body)
	if err == nil {
		store.Point("before", "maildir file")
		err = os.Rename(tmp, filepath.Join(d.dir, "new", name))
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(tmp)))
	}
	store.Point("after", "maildir file")
	return syncDir(filepath.Join(d.dir, "new"))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func writeSynced(path string, parts ...[]byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := f.Write(p); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mailName is 32 hexadecimal digits of a hash of the Message-ID, or of the whole
// mail where it has none, and a suffix that says whose file it is.
func mailName(m *Mail) string {
	h := sha256.New()
	if id := field(m.Header, "Message-ID"); id != "" {
		io.WriteString(h, id)
	} else {
		h.Write(m.Header)
		h.Write(m.Body)
		io.WriteString(h, m.To)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]) + ".guichet"
}

// field is the first value of a header field, unfolded; "" if there is none.
func field(header []byte, name string) string {
	for len(header) > 0 {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			var more []byte
			more, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = append(append(bytes.Clone(bytes.TrimRight(line, "\r")), ' '), bytes.TrimLeft(more, " \t")...)
		}
		if key, value, ok := strings.Cut(string(line), ":"); ok && textproto.CanonicalMIMEHeaderKey(key) == textproto.CanonicalMIMEHeaderKey(name) {
			return strings.TrimSpace(value)
		}
		header = rest
	}
	return ""
}

// Entry is one mail of a maildir.
type Entry struct {
	Name      string // of the file
	Time      time.Time
	Recipient string // the envelope's
	Raw       []byte // at most 256 KiB, with the two lines that the delivery put on top
	Size      int64  // of the whole file, in bytes
}

// ReadMaildir returns the newest mails of dir/new, newest first, at most
// limit. A file that vanishes meanwhile is left out. Without the directory the
// error is fs.ErrNotExist.
func ReadMaildir(dir string, limit int) ([]Entry, error) {
	dir = filepath.Join(dir, "new")
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read maildir: %w", err)
	}
	var all []fs.FileInfo
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	out := make([]Entry, 0, min(len(all), max(limit, 0)))
	for _, info := range all[:cap(out)] {
		raw, err := readHead(filepath.Join(dir, info.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read maildir: %w", err)
		}
		out = append(out, Entry{info.Name(), info.ModTime(), deliveredTo(raw), raw, info.Size()})
	}
	return out, nil
}

func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxShown))
}

// deliveredTo looks only at the two lines on top: those are ours.
func deliveredTo(raw []byte) string {
	lines := bytes.SplitN(raw, []byte("\r\n"), 3)
	return field(bytes.Join(lines[:min(2, len(lines))], []byte("\n")), "Delivered-To")
}
