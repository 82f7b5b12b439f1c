//go:build crash

package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// orderDisk is a disk as pessimistic as POSIX allows: after a power loss a
// file holds what was written before the begin of an fsync of it that ended,
// and has its name only if its directory was synced since. Of the rest any
// part may be there, or nothing.
type orderDisk struct {
	now   map[string]*orderFile // by path, as programs see it
	after map[string]*orderFile // by path, as it would be after a power loss
	names []orderName           // changes of names, not yet synced
}

// orderFile is a file, or a directory.
type orderFile struct {
	dir     bool
	data    []byte        // what is safe
	pending []*orderEvent // writes and truncations since
}

// orderName is a name that a file got (nil: lost) in a directory.
type orderName struct {
	path string
	file *orderFile
	at   int // the trace's line
}

// newOrderDisk has one empty directory.
func newOrderDisk(root string) *orderDisk {
	dir := &orderFile{dir: true}
	return &orderDisk{now: map[string]*orderFile{root: dir}, after: map[string]*orderFile{root: dir}}
}

// apply does an event. It reports whether that changed what is safe.
func (d *orderDisk) apply(e *orderEvent) (bool, error) {
	f := d.now[e.path]
	switch e.call {
	case "openat", "mkdirat":
		if f == nil {
			d.name(e.path, &orderFile{dir: e.call == "mkdirat"}, e.end)
		}
	case "link":
		d.name(e.to, f, e.end)
	case "rename":
		d.name(e.to, f, e.end)
		d.name(e.path, nil, e.end)
	case "unlink":
		d.name(e.path, nil, e.end)
	case "pwrite64", "ftruncate":
		if f == nil {
			return false, fmt.Errorf("%s of %s, which was never made", e.call, e.path)
		}
		f.pending = append(f.pending, e)
	case "write":
		if f == nil || len(f.data)+len(f.pending) > 0 {
			return false, fmt.Errorf("a second write of %s: the model has no positions", e.path)
		}
		f.pending = append(f.pending, e)
	case "fsync":
		return d.sync(f, e), nil
	default:
		return false, fmt.Errorf("%s of %s is not modelled", e.call, e.path)
	}
	return false, nil
}

func (d *orderDisk) name(path string, f *orderFile, at int) {
	if f == nil {
		delete(d.now, path)
	} else {
		d.now[path] = f
	}
	d.names = append(d.names, orderName{path, f, at})
}

// sync makes safe what ended before the fsync began.
func (d *orderDisk) sync(f *orderFile, e *orderEvent) (changed bool) {
	if f == nil {
		return false
	}
	if f.dir {
		d.names = slices.DeleteFunc(d.names, func(n orderName) bool {
			mine := filepath.Dir(n.path) == e.path && n.at < e.begin
			if mine {
				setName(d.after, n)
				changed = true
			}
			return mine
		})
		return changed
	}
	f.pending = slices.DeleteFunc(f.pending, func(w *orderEvent) bool {
		if w.end >= e.begin {
			return false
		}
		f.data = orderWrite(f.data, w)
		changed = true
		return true
	})
	return changed
}

func setName(names map[string]*orderFile, n orderName) {
	if n.file == nil {
		delete(names, n.path)
	} else {
		names[n.path] = n.file
	}
}

// orderWrite does one write or truncation.
func orderWrite(data []byte, w *orderEvent) []byte {
	end := w.off + int64(len(w.data))
	if w.call == "ftruncate" && int64(len(data)) > w.off {
		return data[:w.off]
	}
	if grow := end - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[w.off:], w.data)
	return data
}

// rest is what a power loss now leaves, file by file; directories are nil.
// With chance some of what was not synced is there as well, and of some writes
// only the first sectors.
func (d *orderDisk) rest(chance *rand.Rand) map[string][]byte {
	names := maps.Clone(d.after)
	if chance != nil {
		for _, n := range d.names {
			if chance.IntN(2) == 0 {
				setName(names, n)
			}
		}
	}
	files := map[string][]byte{}
	for path, f := range names {
		if !reachable(names, path) {
			continue
		}
		if f.dir {
			files[path] = nil
			continue
		}
		files[path] = append(make([]byte, 0, len(f.data)), f.data...)
		if chance != nil {
			files[path] = orderSome(files[path], f.pending, chance)
		}
	}
	return files
}

// orderSome does some of the writes; 512 bytes are a sector.
func orderSome(data []byte, writes []*orderEvent, chance *rand.Rand) []byte {
	often := 1 + chance.IntN(9) // of ten: few of them, or nearly all
	for _, w := range writes {
		if chance.IntN(10) >= often {
			continue
		}
		torn := *w
		if len(w.data) > 512 && chance.IntN(6) == 0 {
			torn.data = w.data[:512*(1+chance.IntN(len(w.data)/512))]
		}
		data = orderWrite(data, &torn)
	}
	return data
}

// reachable says that all directories above are there, up to the first one
// that nobody made.
func reachable(names map[string]*orderFile, path string) bool {
	var root string
	for p, f := range names {
		if f.dir && (root == "" || len(p) < len(root)) {
			root = p
		}
	}
	for dir := filepath.Dir(path); strings.HasPrefix(dir, root+"/"); dir = filepath.Dir(dir) {
		if names[dir] == nil {
			return false
		}
	}
	return true
}
