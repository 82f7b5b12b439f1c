package rfc822

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Outlook sends its own format, TNEF ([MS-OXTNEF]), as one attachment called
// winmail.dat: the files, and at times the text, of the mail are inside it. It
// is a list of attributes, each with its length; files have further properties
// in MAPI form, and a file may be a mail in TNEF again.

const (
	tnefSignature = 0x223e9f78
	// maxTNEFDepth is how deep mails within mails are read.
	maxTNEFDepth = 5
	// maxTNEFProps is how many properties of one object are read. Outlook
	// writes about a hundred.
	maxTNEFProps = 5000
	// maxTNEFMail is the longest mail inside a winmail.dat that is given as
	// message/rfc822, in bytes of TNEF; a longer one is given as it is.
	maxTNEFMail = 4 << 20
)

// The attributes that are read, without their type.
const (
	tnefDateSent = 0x8005
	tnefBody     = 0x800c
	tnefData     = 0x800f
	tnefTitle    = 0x8010
	tnefNewFile  = 0x9002
	tnefMsgProps = 0x9003
	tnefFileProp = 0x9005
	tnefCodepage = 0x9007
)

// tnefFile is one attachment inside a winmail.dat.
type tnefFile struct {
	name, title string // the long name and the short one
	contentType string
	contentID   string
	hidden      bool // shown within the text
	start, end  int  // of the content in the winmail.dat
	embedded    bool // the content is a mail in TNEF
}

// tnef is what was read of one winmail.dat, or of a mail inside it.
type tnef struct {
	raw      []byte // the whole winmail.dat
	codepage int
	files    []tnefFile
	props    map[uint16]mapiValue
	body     []byte // of the attribute, in the codepage
	broken   bool   // something was cut or made no sense
}

// isTNEF tells whether b begins as a winmail.dat does.
func isTNEF(b []byte) bool { return len(b) >= 6 && binary.LittleEndian.Uint32(b) == tnefSignature }

// readTNEF reads raw[start:end]. It never fails; what makes no sense ends it.
// Its work is linear in the bytes: each attribute is met once.
func readTNEF(raw []byte, start, end int) *tnef {
	t := &tnef{raw: raw, codepage: 1252, props: map[uint16]mapiValue{}}
	if end-start < 6 || !isTNEF(raw[start:end]) {
		t.broken = true
		return t
	}
	for at := start + 6; at < end; {
		if end-at < 9 {
			t.broken = true
			break
		}
		level, id := raw[at], binary.LittleEndian.Uint16(raw[at+1:])
		if level != 1 && level != 2 { // neither the mail's nor a file's
			t.broken = true
			break
		}
		from := at + 9
		size := int64(binary.LittleEndian.Uint32(raw[at+5:]))
		to := from + int(min(size, int64(end-from)))
		t.broken = t.broken || int64(to-from) < size
		t.attribute(id, from, to)
		at = to + 2 // behind the checksum, which nobody gets right
	}
	return t
}

func (t *tnef) attribute(id uint16, from, to int) {
	switch id {
	case tnefCodepage:
		if to-from >= 4 {
			t.codepage = int(binary.LittleEndian.Uint32(t.raw[from:]))
		}
	case tnefBody:
		t.body = t.raw[from:to]
	case tnefMsgProps:
		t.broken = !readMAPI(t.raw, from, to, func(id uint16, v mapiValue) { t.props[id] = v }) || t.broken
	case tnefNewFile:
		if len(t.files) < maxParts {
			t.files = append(t.files, tnefFile{start: from, end: from})
		}
	case tnefTitle, tnefData, tnefFileProp:
		if len(t.files) == 0 { // without the attribute that begins one
			t.files = append(t.files, tnefFile{})
		}
		t.fileAttribute(&t.files[len(t.files)-1], id, from, to)
	}
}

func (t *tnef) fileAttribute(f *tnefFile, id uint16, from, to int) {
	switch id {
	case tnefTitle:
		f.title = t.text8(t.raw[from:to])
	case tnefData:
		if !f.embedded {
			f.start, f.end = from, to
		}
	case tnefFileProp:
		ok := readMAPI(t.raw, from, to, func(id uint16, v mapiValue) { t.fileProp(f, id, v) })
		t.broken = t.broken || !ok
	}
}

// The properties of files that are read ([MS-OXCMSG]).
const (
	mapiDisplayName  = 0x3001
	mapiAttachData   = 0x3701
	mapiAttachName   = 0x3704
	mapiAttachLong   = 0x3707
	mapiAttachType   = 0x370e
	mapiAttachID     = 0x3712
	mapiAttachHidden = 0x7ffe
)

func (t *tnef) fileProp(f *tnefFile, id uint16, v mapiValue) {
	switch id {
	case mapiAttachLong:
		f.name = t.text(v)
	case mapiAttachName, mapiDisplayName:
		if f.title == "" {
			f.title = t.text(v)
		}
	case mapiAttachType:
		f.contentType = t.text(v)
	case mapiAttachID:
		f.contentID = t.text(v)
	case mapiAttachHidden:
		f.hidden = v.start < v.end && t.raw[v.start] != 0
	case mapiAttachData:
		t.fileData(f, v)
	}
}

// fileData takes the content from the property: an object begins with the id
// of its interface, and is a mail if TNEF follows.
func (t *tnef) fileData(f *tnefFile, v mapiValue) {
	start := v.start
	if v.kind == mapiObject {
		start = min(start+16, v.end)
		f.embedded = isTNEF(t.raw[start:v.end])
	}
	if f.start == f.end || f.embedded {
		f.start, f.end = start, v.end
	}
}

// text reads a property as text.
func (t *tnef) text(v mapiValue) string {
	b := t.raw[v.start:v.end]
	switch v.kind {
	case mapiUnicode:
		s, _ := decodeCharset(b, "utf-16le")
		return strings.TrimRight(s, "\x00")
	case mapiString8:
		return t.text8(b)
	}
	return ""
}

// text8 reads bytes in the codepage that the mail declares.
func (t *tnef) text8(b []byte) string {
	s, _ := decodeCharset(trimNUL(b), codepageName(t.codepage))
	return s
}

func trimNUL(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// codepageName is the charset of a Windows codepage, "" for none that is known.
func codepageName(n int) string {
	switch {
	case n == 0 || n == 65001 || n == 20127:
		return "utf-8"
	case n == 65000:
		return "utf-7"
	case n == 1200:
		return "utf-16le"
	case n == 874 || n >= 1250 && n <= 1258:
		return "windows-" + strconv.Itoa(n)
	case n > 28590 && n < 28606:
		return "iso-8859-" + strconv.Itoa(n-28590)
	case n == 50220 || n == 50221 || n == 50222:
		return "iso-2022-jp"
	}
	switch n {
	case 932:
		return "shift_jis"
	case 936, 54936, 20936:
		return "gb18030"
	case 949, 51949:
		return "euc-kr"
	case 950:
		return "big5"
	case 10000:
		return "macintosh"
	case 20866:
		return "koi8-r"
	case 21866:
		return "koi8-u"
	case 20932, 51932:
		return "euc-jp"
	}
	if n > 0 && n < 1000 {
		return "cp" + strconv.Itoa(n)
	}
	return ""
}
