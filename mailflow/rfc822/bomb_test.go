package rfc822

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/fuzztest"
)

// bombs are mails made to cost their reader much; the figures beside them are
// what others spent. Each is at most 25 MB, the largest mail we accept.
var bombs = []struct {
	name string
	make func() string
}{
	{"10000 nested multiparts", func() string { // go-message: 6.4 s
		var b strings.Builder
		for i := range 10000 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i)
		}
		return b.String()
	}},
	{"100000 nested multiparts with one boundary", func() string {
		return strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 100000)
	}},
	{"300000 empty parts", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n\n", 300000) + "--b--\n"
	}},
	{"300000 parts without header", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", 300000)
	}},
	{"nested message/rfc822", func() string {
		return strings.Repeat("Content-Type: message/rfc822\n\n", 500000)
	}},
	{"25 MB of header", func() string { return strings.Repeat("X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 600000) }},
	{"25 MB of part header", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Repeat("X-A: aaaaaaaaaaaaaaaaaaaaaa\n", 800000)
	}},
	{"one header line", func() string { return "Subject: " + strings.Repeat("a", 24<<20) }},
	{"folded header line", func() string { return "Subject: a\n" + strings.Repeat(" a\n", 8<<20) }},
	{"1M addresses", func() string { return "To: " + strings.Repeat("a@example.org, ", 1000000) }},
	{"commas without addresses", func() string { return "To: " + strings.Repeat("a,", 130000) }},
	{"colons after an address", func() string { return "To: <a@b>" + strings.Repeat(":", 250000) }},
	{"deep comments", func() string { return "To: " + strings.Repeat("(", 250000) + "\nFrom: " + strings.Repeat("()(", 1000) }},
	{"quotes", func() string { return "To: a" + strings.Repeat("\"", 250001) }},
	{"escaped quotes", func() string { return "To: a" + strings.Repeat("\\\"", 125000) }},
	{"brackets and commas", func() string { return "To: a" + strings.Repeat("<,", 125000) }},
	{"wrong boundaries, nested", func() string { return nestedBefore("y", "--\n") }},
	{"lines like boundaries, wrong ones nested", func() string { return nestedBefore("y", "--x99\n") }},
	{"lines like boundaries, nested", func() string { return nestedBefore("x", "--x99--\n") }},
	// Each line sought the next LF through all that was left: hours.
	{"lines like boundaries that end in CR", func() string { return nestedBefore("x", "--x\r") }},
	{"brackets", func() string { return "To: a" + strings.Repeat("<", 250000) }},
	{"100000 RFC 2231 pieces", func() string {
		var b strings.Builder
		b.WriteString("Content-Type: text/plain")
		for i := range 100000 {
			fmt.Fprintf(&b, ";\n a*%d*=x", i)
		}
		return b.String()
	}},
	{"1M references", func() string { return "References: " + strings.Repeat("<aaaaaaa@b.example>\n ", 1000000) }},
	{"10 MB of =3D", func() string {
		return "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=3D", 10<<20/3)
	}},
	{"10 MB of =3D attached", func() string {
		return "Content-Type: a/b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=3D", 10<<20/3)
	}},
	{"blanks in quoted-printable", func() string {
		return "Content-Type: a/b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(" ", 24<<20) + "x"
	}},
	{"equals signs and blanks", func() string {
		return "Content-Type: a/b\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("= ", 12<<20)
	}},
	{"25 MB of base64", func() string {
		return "Content-Type: a/b\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat(strings.Repeat("QUFB", 19)+"\n", 320000)
	}},
	{"unclosed boundaries", func() string {
		return "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--y\nContent-Type: multipart/mixed; boundary=z\n\n", 500000)
	}},
	{"boundary that starts others", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Repeat("--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n", 600000)
	}},
	{"long boundary, deep", func() string {
		long := strings.Repeat("-", 200000)
		return "Content-Type: multipart/mixed; boundary=" + long + "\n\n" + strings.Repeat("--"+long+"x\n", 100)
	}},
	{"encoded words", func() string { return "Subject: " + strings.Repeat("=?utf-8?q?=41?= ", 16000) }},
	{"encoded words not closed", func() string { return "Subject: " + strings.Repeat("=?utf-8?q?a", 23000) }},
	{"encoded words not closed, one is", func() string { return "Subject: " + strings.Repeat("=?utf-8?x?a", 23000) + "=?utf-8?q?a?=" }},
	{"encoded words in addresses", func() string { return "To: " + strings.Repeat("=?utf-8?q?a", 23000) }},
	{"lines without colon", func() string { return "From: a@b\n" + strings.Repeat("x\n", 10<<20) + "To: c@d\n" }},
	{"25 MB of bare CR", func() string { return "From: a@b\r\r" + strings.Repeat("a\r", 12<<20) }},
	{"25 MB of empty lines", func() string { return "From: a@b\n" + strings.Repeat("\n", 24<<20) }},
	{"25 MB of flowed lines", func() string {
		return "Content-Type: text/plain; format=flowed\n\n" + strings.Repeat(">>> a \n", 3<<20)
	}},
	{"UTF-7", func() string { return "Content-Type: text/plain; charset=utf-7\n\n" + strings.Repeat("+", 24<<20) }},
	{"combining marks", func() string {
		return "Subject: a" + strings.Repeat("\u0301", 100000) + "\n\n" + strings.Repeat("\u0301", 5<<20)
	}},
	{"25 MB of one letter", func() string { return "\n" + strings.Repeat("a", 24<<20) }},
	{"text split over parts", func() string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n"+strings.Repeat("a\n", 25000), 480)
	}},
	{"winmail.dat of attributes", func() string {
		return string(tnefMail("", winmail(bytes.Repeat(attribute(2, tnefNewFile, nil), 1<<20))))
	}},
	{"winmail.dat of titles", func() string {
		return string(tnefMail("", winmail(bytes.Repeat(attribute(2, tnefTitle, []byte("a")), 1<<20))))
	}},
	{"winmail.dat of properties", func() string {
		list := attribute(1, tnefMsgProps, append(le32(1<<20), bytes.Repeat(prop(mapiUnicode, mapiBody, utf16le("a")), 4000)...))
		return string(tnefMail("", winmail(bytes.Repeat(list, 150))))
	}},
	{"winmail.dat of packed RTF", func() string {
		return string(tnefMail("", winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, bombRTF(16<<20)))))))
	}},
	{"winmail.dat of mails in packed RTF", func() string {
		mail := append(make([]byte, 16), winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, bombRTF(1<<17)))))...)
		one := append(attribute(2, tnefNewFile, nil), attribute(2, tnefFileProp, mapiList(prop(mapiObject, mapiAttachData, mail)))...)
		return string(tnefMail("", winmail(bytes.Repeat(one, 120))))
	}},
	{"winmail.dat in winmail.dat", func() string {
		dat := winmail(file("a", strings.Repeat("a", 16<<20)))
		for range 8 {
			dat = winmail(attribute(2, tnefNewFile, nil), attribute(2, tnefFileProp, mapiList(prop(mapiObject, mapiAttachData, append(make([]byte, 16), dat...)))))
		}
		return string(tnefMail("", dat))
	}},
	{"braces in RTF", func() string {
		return string(tnefMail("", winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, packed(strings.Repeat("{", 3<<20))))))))
	}},
	{"characters in RTF", func() string {
		return string(tnefMail("", winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, packed(strings.Repeat("{\\'e9", 1<<20))))))))
	}},
}

// bombRTF is packed RTF of size bytes that unpack to eight times as much.
func bombRTF(size int) []byte {
	b := bytes.Repeat([]byte("\xff\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f"), size/17)
	return slicesOf(le32(uint32(len(b)+12)), le32(0xffffffff), []byte("LZFu"), le32(0), b)
}

// nestedBefore is 49 open multiparts, each announced as x… and begun by mark and
// its number, with 24 MB of one line in the innermost.
func nestedBefore(mark, line string) string {
	var b strings.Builder
	for i := range 49 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=x%02d\n\n--%s%02d\n", i, mark, i)
	}
	return b.String() + strings.Repeat(line, (24<<20)/len(line))
}

const (
	// maxBombAlloc is what reading a bomb may allocate in all, in bytes: where
	// work grows faster than the mail, so do the copies it makes.
	maxBombAlloc = 150 << 20
	// maxBombTime is the processor time it may take. The slowest needs less than
	// half of it.
	maxBombTime = 2 * time.Second
)

func TestBombs(t *testing.T) {
	for _, c := range bombs {
		t.Run(c.name, func(t *testing.T) {
			raw := []byte(c.make())
			if testing.Short() { // the race detector is slow: 2 MB of each
				raw = raw[:min(len(raw), 2<<20)]
			}
			if len(raw) > 26<<20 {
				t.Fatalf("the bomb has %d bytes", len(raw))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var m *Mail
			took := fuzztest.CPU(t, func() { m = Parse(raw) })
			runtime.ReadMemStats(&after)
			alloc := after.TotalAlloc - before.TotalAlloc
			t.Logf("%8d KB mail, %8d KB allocated, %v; %d parts, %d problems",
				len(raw)>>10, alloc>>10, took.Round(time.Millisecond), len(m.Parts), len(m.Problems))
			if alloc > maxBombAlloc {
				t.Errorf("allocated %d MB", alloc>>20)
			}
			if took > maxBombTime {
				t.Errorf("took %s of processor time", took)
			}
			checkMail(t, m, raw)
		})
	}
}

// TestLinear reads a mail and one four times as large of the same kind: the
// work, by the bytes allocated, may grow by the size and a little.
func TestLinear(t *testing.T) {
	kinds := map[string]func(n int) string{
		"nested": func(n int) string { return strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", n) },
		"parts": func(n int) string {
			return "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", n)
		},
		"headers": func(n int) string { return strings.Repeat("X-A: b\n", n) },
		"names":   func(n int) string { return "To: " + strings.Repeat("a,", n) },
		"words":   func(n int) string { return "Subject: " + strings.Repeat("=?utf-8?q?=41?=\n ", n) },
	}
	for name, make := range kinds {
		small, large := allocOf(make(3000)), allocOf(make(12000))
		t.Logf("%s: %d and %d KB", name, small>>10, large>>10)
		if large > 6*small+1<<20 {
			t.Errorf("%s: %d bytes allocated for a mail, %d for one four times as large", name, small, large)
		}
	}
}

func allocOf(mail string) uint64 {
	raw := []byte(mail)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	Parse(raw)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecodedIsBounded(t *testing.T) {
	for _, enc := range []string{"base64", "quoted-printable", "x-uuencode", "", "x-unknown"} {
		body := bytes.Repeat([]byte("=3D#AAAA====\n= x "), 1000)
		p := Part{Encoding: enc, Offset: 0, Length: int64(len(body))}
		if n := len(readAll(t, p.Open(body))); n > len(body) {
			t.Errorf("%q: %d bytes decoded of %d", enc, n, len(body))
		}
	}
}
