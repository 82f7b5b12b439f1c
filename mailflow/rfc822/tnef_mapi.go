package rfc822

import "encoding/binary"

// mapiKind is the type of a property.
type mapiKind uint16

// The types whose length is not in the type.
const (
	mapiObject  mapiKind = 0x000d
	mapiString8 mapiKind = 0x001e
	mapiUnicode mapiKind = 0x001f
	mapiBinary  mapiKind = 0x0102
	mapiMany    mapiKind = 0x1000 // set: several values
)

// mapiValue is a property's (first) value: where it stands in the winmail.dat.
type mapiValue struct {
	kind       mapiKind
	start, end int
}

// mapiSizes are the lengths of the other types; each is filled up to four.
var mapiSizes = map[mapiKind]int{0x0000: 0, 0x0001: 0, 0x0002: 2, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000a: 4,
	0x000b: 2, 0x0014: 8, 0x0040: 8, 0x0048: 16}

// mapiReader reads a list of properties.
type mapiReader struct {
	raw     []byte
	at, end int
	ok      bool // nothing was cut so far
}

// readMAPI gives found each property of the list in raw[start:end]; false: it
// was cut, or had too many. Whatever lengths and counts say, it reads no byte
// twice.
func readMAPI(raw []byte, start, end int, found func(id uint16, v mapiValue)) bool {
	r := mapiReader{raw: raw, at: start, end: end, ok: true}
	count := r.uint32()
	for n := uint32(0); n < count && r.ok; n++ {
		if n == maxTNEFProps {
			return false
		}
		kind := mapiKind(r.uint16())
		id := r.uint16()
		if id >= 0x8000 {
			r.skipName()
		}
		if v := r.values(kind); r.ok || v.end > v.start { // the last may be cut
			found(id, v)
		}
	}
	return r.ok
}

// take gives where the next n bytes stand, or as many as there are.
func (r *mapiReader) take(n int64) (from, to int) {
	if n > int64(r.end-r.at) {
		n, r.ok = int64(r.end-r.at), false
	}
	from = r.at
	r.at += int(n)
	return from, r.at
}

func (r *mapiReader) uint16() uint16 {
	if from, to := r.take(2); to-from == 2 {
		return binary.LittleEndian.Uint16(r.raw[from:])
	}
	return 0
}

func (r *mapiReader) uint32() uint32 {
	if from, to := r.take(4); to-from == 4 {
		return binary.LittleEndian.Uint32(r.raw[from:])
	}
	return 0
}

// skipName passes over the name of a named property.
func (r *mapiReader) skipName() {
	r.take(16)
	if kind := r.uint32(); kind == 0 {
		r.take(4)
	} else {
		r.padded(int64(r.uint32()))
	}
}

// padded takes n bytes and what fills them up to a multiple of four; the end
// of the list may lack that.
func (r *mapiReader) padded(n int64) (from, to int) {
	from, to = r.take(n)
	if fill := (4 - n%4) % 4; r.ok {
		r.at = min(r.at+int(fill), r.end)
	}
	return from, to
}

// values reads a property's values and gives the first.
func (r *mapiReader) values(kind mapiKind) (v mapiValue) {
	single := kind &^ mapiMany
	size, fixed := mapiSizes[single]
	if !fixed && single != mapiObject && single != mapiString8 && single != mapiUnicode && single != mapiBinary {
		r.ok = false // of unknown length
		return v
	}
	count := uint32(1)
	if kind&mapiMany != 0 || !fixed {
		count = r.uint32()
	}
	for i := uint32(0); i < count && r.ok; i++ {
		n := int64(size)
		if !fixed {
			n = int64(r.uint32())
		} else if n == 0 {
			break // nothing to read, however many
		}
		if from, to := r.padded(n); i == 0 {
			v = mapiValue{kind: single, start: from, end: to}
		}
	}
	return v
}
