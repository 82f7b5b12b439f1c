package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"guichet/mailflow/rfc822"
)

// maxIndexed is how much of a mail is looked at for its date and addresses, in
// bytes: the largest header that is read at all.
const maxIndexed = 256 << 10

// placedMail is a mail with its place and date, without its bytes: all mails
// of an import are in memory as that.
type placedMail struct {
	foundMail
	at   time.Time
	desk string
}

// index lists the mails of all paths, the oldest first. One that is too large
// is named and left out.
func (i *importer) index(paths []string, limit int64) ([]placedMail, error) {
	var all []placedMail
	for _, path := range paths {
		last := modified(path)
		err := i.e.eachMail(path, limit, func(m foundMail) error {
			at := placedMail{foundMail: m}
			at.raw = nil
			if m.raw == nil {
				i.sum.Mails++
				return i.failed(at, fmt.Sprintf("larger than smtp.max_message_size, %d bytes", m.size))
			}
			if m.size == 0 && m.number == 0 {
				return nil // an empty mbox, as mail programs keep of an empty folder
			}
			head := rfc822.Parse(headOf(m.raw))
			if plausible(head.Date) {
				last = head.Date.UTC()
			}
			// Without a date, it stands where it was found.
			at.at, at.desk = last, i.deskOf(head)
			all = append(all, at)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b placedMail) int { return a.at.Compare(b.at) })
	return all, nil
}

func modified(path string) time.Time {
	if info, err := os.Stat(path); err == nil {
		return info.ModTime().UTC().Truncate(time.Second)
	}
	return time.Now().UTC()
}

// headOf is a mail's header.
func headOf(raw []byte) []byte {
	raw = raw[:min(len(raw), maxIndexed)]
	for _, end := range []string{"\n\n", "\n\r\n"} {
		if at := bytes.Index(raw, []byte(end)); at >= 0 {
			raw = raw[:at+1]
		}
	}
	return raw
}

// deskOf is the desk that a mail went to, or came from.
func (i *importer) deskOf(m *rfc822.Mail) string {
	if i.desk != nil {
		return i.desk.Key
	}
	for _, a := range m.From {
		if d := i.s.Route(a.Address).Desk; d != nil {
			return d.Key
		}
	}
	for _, a := range addressedTo(i.s, m) {
		return i.s.Route(a).Desk.Key
	}
	return i.s.Desks[0].Key
}

// placedReader reads mails at their places again. The file read last stays
// open.
type placedReader struct {
	limit int64
	file  string
	f     *os.File
}

func (r *placedReader) close() {
	if r.f != nil {
		r.f.Close()
	}
}

var errChanged = errors.New("the file was changed meanwhile")

func (r *placedReader) read(m placedMail) ([]byte, error) {
	if m.file != r.file {
		r.close()
		f, err := os.Open(m.file)
		if err != nil {
			r.file, r.f = "", nil
			return nil, err
		}
		r.file, r.f = m.file, f
	}
	if m.number == 0 {
		raw, err := io.ReadAll(io.NewSectionReader(r.f, 0, m.length+1))
		if err == nil && int64(len(raw)) != m.length {
			err = errChanged
		}
		return raw, err
	}
	again, err := newMboxReader(io.NewSectionReader(r.f, m.offset, m.length), r.limit).next()
	if err == io.EOF || err == nil && (again.length != m.length || again.size != m.size) {
		err = errChanged
	}
	return again.raw, err
}
