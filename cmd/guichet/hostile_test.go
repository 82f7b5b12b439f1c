package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/smtp"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"guichet/store/storetest"
)

// What one hostile mail may cost the gateway.
const (
	bombTime   = 2 * time.Second // of processor time
	bombMemory = 200 << 20       // resident
	bombSize   = 24 << 20        // with its header below the 25 MiB that are taken
)

// fill repeats a piece up to size octets.
func fill(size int, piece string) string { return strings.Repeat(piece, size/len(piece)) }

// mailBombs are mails that cost their reader much, as header and body behind
// From, To and Message-ID. No line is longer than a listener takes.
var mailBombs = []struct {
	name string
	make func(size int) string
}{
	{"nested multiparts", func(size int) string {
		var b strings.Builder
		for i := 0; b.Len() < size/10; i++ {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String()
	}},
	{"empty parts", func(size int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + fill(size, "--b\r\n\r\n\r\n") + "--b--\r\n"
	}},
	{"lines like boundaries", func(size int) string {
		var b strings.Builder
		for i := range 49 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=x%02d\r\n\r\n--x%02d\r\n", i, i)
		}
		return b.String() + fill(size, fill(900_000, "--x\r")+"\r\n")
	}},
	{"header", func(size int) string {
		return fill(size, "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n") + "\r\nx\r\n"
	}},
	{"part header", func(size int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + fill(size, "X-A: aaaaaaaaaaaaa\r\n")
	}},
	{"addresses", func(size int) string {
		return "Cc: x" + fill(size, ",\r\n aaaaaaaaaaaaaaaaaaaa@example.org") + "\r\n\r\nx\r\n"
	}},
	{"parameters", func(size int) string {
		var b strings.Builder
		b.WriteString("Content-Type: text/plain")
		for i := 0; b.Len() < size/10; i++ {
			fmt.Fprintf(&b, ";\r\n a*%d*=x", i)
		}
		return b.String() + "\r\n\r\nx\r\n"
	}},
	{"references", func(size int) string { return "References:" + fill(size, " <aaaaaaa@b.example>\r\n") + "\r\nx\r\n" }},
	{"marks of answers", func(size int) string {
		return "Subject: " + fill(min(size, 250_000), "Re:") + "\r\n\r\nx\r\n"
	}},
	{"quoted-printable", func(size int) string {
		return "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + fill(size, fill(75, "=3D")+"\r\n")
	}},
	{"zips of zips", func(size int) string {
		return "Content-Type: application/zip; name=42.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + zips(size)
	}},
	{"forwarded in forwarded", func(size int) string { return fill(size, "Content-Type: message/rfc822\r\n\r\n") }},
	{"quotes", func(size int) string {
		return "Content-Type: text/plain; format=flowed\r\n\r\n" + fill(size, "On 1 Jan 2026, a@b.example wrote:\r\n>>> a \r\n")
	}},
	{"elements", func(size int) string {
		return "Content-Type: text/html; charset=utf-8\r\n\r\n" + fill(size, "<blockquote><table><tr><td><ul><li>x\r\n")
	}},
	{"combining marks", func(size int) string {
		return "Content-Type: text/plain; charset=utf-8\r\n\r\n" + fill(size, fill(900, "\u0301")+"\r\n")
	}},
	{"winmail.dat", func(size int) string {
		return "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n" + wrapped(winmailBomb(size*3/5))
	}},
	{"invitations", func(size int) string {
		return "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n" + fill(size, "BEGIN:VEVENT\r\nSUMMARY:x\r\n y\r\nEND:VEVENT\r\n")
	}},
	{"UTF-7", func(size int) string {
		return "Content-Type: text/plain; charset=utf-7\r\n\r\n" + fill(size, fill(900, "+")+"\r\n")
	}},
}

// zips is an archive of archives that unpack to a thousand times their size,
// over and over, as lines of base64.
func zips(size int) string {
	inner := bytes.Repeat([]byte{0}, 10<<20)
	for range 3 {
		// Packed once, and ten times in the archive.
		var packed, b bytes.Buffer
		fw, _ := flate.NewWriter(&packed, flate.DefaultCompression)
		fw.Write(inner)
		fw.Close()
		w := zip.NewWriter(&b)
		for i := range 10 {
			f, _ := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprintf("%d.zip", i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(inner),
				CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(inner))})
			f.Write(packed.Bytes())
		}
		w.Close()
		inner = b.Bytes()
	}
	return fill(size, wrapped(inner))
}

// wrapped is base64 in lines.
func wrapped(b []byte) string { return inLines(base64.StdEncoding.EncodeToString(b), "\r\n") + "\r\n" }

// inLines ends every 76 octets of base64 with end.
func inLines(text, end string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/76*len(end))
	for ; len(text) >= 76; text = text[76:] {
		b.WriteString(text[:76])
		b.WriteString(end)
	}
	return b.String() + text
}

// winmailBomb is a winmail.dat of packed RTF that unpacks to eight times its
// size, and of thousands of files.
func winmailBomb(size int) []byte {
	attribute := func(level byte, id uint16, data []byte) []byte {
		b := binary.LittleEndian.AppendUint32(append([]byte{level}, byte(id), byte(id>>8), 6, 0), uint32(len(data)))
		return append(append(b, data...), 0, 0)
	}
	rtf := []byte(strings.Repeat("\xff\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f\x00\x0f", size/34))
	head := "\x01\x00\x00\x00\x02\x01\x09\x10\x01\x00\x00\x00"
	packed := "LZFu\x00\x00\x00\x00"
	props := binary.LittleEndian.AppendUint32([]byte(head), uint32(len(rtf)+16))
	props = append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(props, uint32(len(rtf)+12)), 0xffffffff), packed...)
	b := append([]byte("\x78\x9f\x3e\x22\x01\x00"), attribute(1, 0x9003, append(props, rtf...))...)
	file := slices.Concat(attribute(2, 0x9002, nil), attribute(2, 0x8010, []byte("a.txt\x00")), attribute(2, 0x800f, []byte("a")))
	return append(b, bytes.Repeat(file, size/2/len(file))...)
}

// TestHostileMails sends the bombs at a tenth of their size, which is enough for
// what grows by the square. make fault sends them whole.
func TestHostileMails(t *testing.T) { sendBombs(t, bombSize/10) }

// sendBombs: each bomb becomes exactly one ticket, for less than bombTime and
// bombMemory, through the front door.
func sendBombs(t *testing.T, size int) {
	if testing.Short() { // the race detector takes many times of both
		size /= 40
		t.Parallel() // nor is anything measured
	}
	g := startGateway(t, storetest.SQLite(t).URL, `networks: ["127.0.0.1"]`, `networks: ["192.0.2.1"]`)
	for i, bomb := range mailBombs {
		g.forgetPeak()
		before, rest := g.processorTime(), g.memory("VmRSS")
		from := fmt.Sprintf("bomb%d@customer.example", i+1)
		raw := fmt.Sprintf("From: %s\r\nTo: support@desk.example\r\nMessage-ID: <bomb%d@customer.example>\r\n", from, i+1) + bomb.make(size)
		if err := g.deliver(from, []string{"support@desk.example"}, []byte(raw)); err != nil {
			t.Fatalf("%s: %v", bomb.name, err)
		}
		g.done(i + 1)
		took, peak := g.processorTime()-before, g.memory("VmHWM")
		t.Logf("%-24s %6d KB: %6s, %3d MB; %3d MB before", bomb.name, len(raw)>>10, took, peak>>20, rest>>20)
		if testing.Short() {
			continue
		}
		if took > bombTime || peak > bombMemory {
			t.Errorf("%s: %s of processor time and %d MB", bomb.name, took, peak>>20)
		}
	}
	g.oneTicketEach(len(mailBombs), "bomb%d@customer.example")
}

// done waits until n mails are decided on and answered. It asks seldom: being
// asked costs the gateway processor time, which is what is measured.
func (g *running) done(n int) {
	g.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	late := time.After(g.patience)
	for g.metric("processed_total") < float64(n) || g.metric("outbox_busy") > 0 {
		select {
		case <-tick.C:
		case <-late:
			g.t.Fatalf("not within %s: mail %d is processed\n%s", g.patience, n, g.log())
		}
	}
}

// oneTicketEach wants exactly one ticket of each of n customers, and nothing
// held.
func (g *running) oneTicketEach(n int, customer string) {
	g.t.Helper()
	tickets := map[any]int{}
	for _, row := range g.rows("ticket", "list") {
		tickets[row["customer"]]++
	}
	for i := range n {
		if from := fmt.Sprintf(customer, i+1); tickets[from] != 1 {
			g.t.Errorf("%d tickets of %s", tickets[from], from)
		}
	}
	if len(tickets) != n {
		g.t.Errorf("tickets of %d customers, want %d", len(tickets), n)
	}
	if held := g.rows("held", "list"); len(held) != 0 {
		g.t.Errorf("%d mails are held: %v", len(held), held[0])
	}
}

// processorTime is what the gateway's process has used, in steps of 10 ms.
func (g *running) processorTime() time.Duration {
	g.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	// The command's name, in brackets, may hold blanks.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // utime and stime; proc(5) counts from the first
		n, err := strconv.Atoi(f)
		if err != nil {
			g.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// memory is a figure of the gateway's process in bytes: VmRSS, or VmHWM, which
// is the largest since forgetPeak.
func (g *running) memory(name string) int64 {
	g.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		g.t.Fatalf("no %s in\n%s", name, b)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

func (g *running) forgetPeak() {
	g.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", g.cmd.Process.Pid), []byte("5"), 0); err != nil {
		g.t.Fatal(err)
	}
}

// charsetNames are those that mails declare, and some that nobody knows.
var charsetNames = strings.Fields(`us-ascii utf-8 utf-7 utf-16 utf-16le utf-16be utf-32 iso-8859-1 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5
	iso-8859-6 iso-8859-7 iso-8859-8-i iso-8859-9 iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 windows-1250 windows-1251 windows-1252
	windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 koi8-r koi8-u macintosh ibm850 tis-620 iso-2022-jp iso-2022-kr
	shift_jis euc-jp euc-kr gb2312 gbk gb18030 hz-gb-2312 big5 viscii x-unknown`)

// TestHostileCharsets: text of every charset, cut within a character, an escape
// or a shift, becomes one ticket each, on both engines.
func TestHostileCharsets(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		g := startGateway(t, d.URL)
		c, err := smtp.Dial(g.addr["smtp"])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sent := 0
		for i, charset := range charsetNames {
			for j, end := range []string{"", "\xe3\x81", "\x1b$B\x30", "~{\x3b+AGE\x8f", "\x00\xff\xfe\xd8"} {
				if testing.Short() && j != i%5 {
					continue // the race detector makes them dear: each once
				}
				sent++
				text := "Bonjour \xe9\xe8 \xc3\xa9 \x1b$B4A;z\x1b(B \xb4\xc1\xbb\xfa \x83e " + end
				raw := fmt.Sprintf("From: =?%[1]s?q?=E9=1B$B=30?= <c%[2]d@customer.example>\r\nTo: support@desk.example\r\nMessage-ID: <c%[2]d@customer.example>\r\n"+
					"Subject: =?%[1]s?b?%[3]s?= %[4]s\r\nContent-Type: text/plain; charset=%[1]s\r\n\r\n%[4]s", charset, sent, base64.StdEncoding.EncodeToString([]byte(text)), text)
				if err := hand(c, fmt.Sprintf("c%d@customer.example", sent), toSupport, []byte(raw)); err != nil {
					t.Fatalf("%s, %q: %v", charset, end, err)
				}
			}
		}
		g.settled()
		g.oneTicketEach(sent, "c%d@customer.example")
		for _, row := range g.rows("ticket", "list") {
			if s := fmt.Sprint(row["subject"]); !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("subject %q", s)
			}
		}
	})
}
