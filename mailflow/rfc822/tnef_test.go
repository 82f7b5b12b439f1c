package rfc822

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"guichet/mailflow/fuzztest"
)

// winmail puts a winmail.dat together: the signature, a key, attributes.
func winmail(attributes ...[]byte) []byte {
	return append([]byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}, bytes.Join(attributes, nil)...)
}

func attribute(level byte, id uint16, data []byte) []byte {
	b := append([]byte{level}, le16(id)...)
	b = append(append(b, 6, 0), le32(uint32(len(data)))...)
	return append(append(b, data...), 0, 0)
}

func le16(n uint16) []byte { return binary.LittleEndian.AppendUint16(nil, n) }
func le32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func mapiList(props ...[]byte) []byte {
	return append(le32(uint32(len(props))), bytes.Join(props, nil)...)
}

// prop is a property of one value of any length.
func prop(kind mapiKind, id uint16, data []byte) []byte {
	b := append(le16(uint16(kind)), le16(id)...)
	b = append(append(b, le32(1)...), le32(uint32(len(data)))...)
	b = append(b, data...)
	return append(b, make([]byte, (4-len(data)%4)%4)...)
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = append(b, le16(u)...)
	}
	return b
}

// file is an attachment with a short name and its bytes.
func file(title, data string, props ...[]byte) []byte {
	b := append(attribute(2, tnefNewFile, make([]byte, 14)), attribute(2, tnefTitle, []byte(title+"\x00"))...)
	b = append(b, attribute(2, tnefData, []byte(data))...)
	if len(props) > 0 {
		b = append(b, attribute(2, tnefFileProp, mapiList(props...))...)
	}
	return b
}

// packed is RTF as LZFu without references.
func packed(rtf string) []byte {
	var b []byte
	for i := 0; i < len(rtf); i += 8 {
		b = append(append(b, 0), rtf[i:min(i+8, len(rtf))]...)
	}
	return slicesOf(le32(uint32(len(b)+12)), le32(uint32(len(rtf))), []byte("LZFu"), le32(0), b)
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// tnefMail is a mail whose last part is the winmail.dat.
func tnefMail(text string, dat []byte) []byte {
	return []byte("From: a@customer.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text +
		"\r\n--b\r\nContent-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString(dat) + "\r\n--b--\r\n")
}

func TestWinmail(t *testing.T) {
	object := append(make([]byte, 16), winmail(
		attribute(1, tnefMsgProps, mapiList(prop(mapiUnicode, mapiSubject, utf16le("Panne: étage 2")), prop(mapiUnicode, mapiSentByName, utf16le("Zoé")),
			prop(mapiUnicode, mapiSentBySMTP, utf16le("zoe@customer.example")), prop(mapiUnicode, mapiBody, utf16le("Plus rien\r\nne marche.")))),
		file("photo.jpg", "JPEG"))...)
	dat := winmail(
		attribute(1, tnefCodepage, append(le32(1250), 0, 0, 0, 0)),
		file("ZPRAVA~1.TXT", "obsah", prop(mapiUnicode, mapiAttachLong, utf16le("Zpráva o chybě – příloha.txt"))),
		file("\xfates.pdf", "%PDF"),
		file("X.EXE", "", prop(mapiUnicode, mapiAttachLong, utf16le("..\\..\\x\u202e.exe"))),
		file("logo", "GIF89", prop(mapiString8, mapiAttachType, []byte("image/gif\x00")), prop(mapiString8, mapiAttachID, []byte("logo@x\x00")),
			slicesOf(le16(0x000b), le16(mapiAttachHidden), []byte{1, 0, 0, 0})),
		append(attribute(2, tnefNewFile, nil), attribute(2, tnefFileProp, mapiList(prop(mapiObject, mapiAttachData, object)))...),
	)
	raw := tnefMail("The text.", dat)
	m := Parse(raw)
	checkMail(t, m, raw)
	want := []string{"winmail.dat application/ms-tnef false ", "Zpráva o chybě – příloha.txt text/plain false obsah", "útes.pdf application/pdf false %PDF",
		"x.exe application/octet-stream false ", "logo image/gif true GIF89", "Panne étage 2.eml message/rfc822 false ", "photo.jpg image/jpeg false JPEG"}
	for i, p := range m.Parts {
		content := string(readAll(t, p.Open(raw)))
		if i == 0 || p.ContentType == "message/rfc822" {
			content = ""
		}
		if got := fmt.Sprintf("%s %s %v %s", p.Filename, p.ContentType, p.Inline, content); i >= len(want) || got != want[i] || (i > 0) != (p.In == "winmail.dat") {
			t.Errorf("%d: %q in %q", i, got, p.In)
		}
	}
	if len(m.Parts) != len(want) || m.Text != "The text." || len(m.Problems) != 0 {
		t.Fatalf("%d parts, %q, %q", len(m.Parts), m.Text, m.Problems)
	}
	// In one pass they are the same, also when some are left out or come again.
	opener := Opener{Raw: raw}
	for _, i := range []int{0, 1, 2, 4, 5, 6, 3, 1, 6, 0} {
		if i < len(m.Parts) && !bytes.Equal(readAll(t, opener.Open(m.Parts[i])), readAll(t, m.Parts[i].Open(raw))) {
			t.Errorf("%s is another in one pass", m.Parts[i].Filename)
		}
	}
	inner := Parse(readAll(t, m.Parts[5].Open(raw)))
	if inner.Subject != "Panne: étage 2" || inner.Text != "Plus rien\nne marche." || len(inner.From) != 1 || inner.From[0] != (Address{"Zoé", "zoe@customer.example"}) {
		t.Errorf("the mail inside: %q %q %v", inner.Subject, inner.Text, inner.From)
	}
}

// The text of a mail may be in the winmail.dat alone, in four shapes.
func TestWinmailText(t *testing.T) {
	html := `{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag19 <html>}{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Caf\'e9 &amp; th\u233?` +
		`{\*\htmltag84 <br>}\htmlrtf \line hidden\htmlrtf0 {\*\htmltag84 &lt;}fin\htmlrtf\par}\htmlrtf0{\*\htmltag72 </p>}}`
	plain := `{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}{\*\generator Riched;}{\pict 00ff}` +
		`Un texte \'e9crit\par {\f1 \'cf\'f0\'e8\'e2\'e5\'f2}\tab\u8364?\u-10179?\u-8704?\par\{x\}\bin3 abc.}`
	for name, c := range map[string]struct {
		dat  []byte
		want string
	}{
		"plain":     {winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiUnicode, mapiBody, utf16le("Bonjour,\r\nça va"))))), "Bonjour,\nça va"},
		"attribute": {winmail(attribute(1, tnefCodepage, le32(1251)), attribute(1, tnefBody, []byte("\xcf\xf0\xe8\xe2\xe5\xf2\x00"))), "Привет"},
		"html":      {winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiHTML, []byte("<p>Caf\xc3\xa9 &amp; th\xc3\xa9</p>"))))), "Café & thé\n"},
		"html rtf":  {winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, packed(html))))), "Café & thé\n<fin\n"},
		"rtf":       {winmail(attribute(1, tnefMsgProps, mapiList(prop(mapiBinary, mapiRTF, packed(plain))))), "Un texte écrit\nПривет\t€😀\n{x}."},
	} {
		raw := tnefMail(" ", c.dat)
		m := Parse(raw)
		checkMail(t, m, raw)
		if m.Text != c.want || m.Reply != strings.TrimSpace(c.want) {
			t.Errorf("%s: %q, reply %q", name, m.Text, m.Reply)
		}
	}
	if m := Parse(tnefMail("Here.", winmail(attribute(1, tnefBody, []byte("There."))))); m.Text != "Here." {
		t.Errorf("the mail's own text is %q", m.Text)
	}
}

// The packer's references reach back into its first window and overlap.
func TestUnpackRTF(t *testing.T) {
	// The example of [MS-OXRTFCP] §3.1: "{\rtf1\ansi\ansicpg1252\pard hello world}\r\n"
	b := []byte("\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3\x20hel\x09\x00\x20bw\x05\xb0ld}\x0a\x80\x0f\xa0")
	if got := string(unpackRTF(b, maxRTF)); got != "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n" {
		t.Errorf("%q", got)
	}
	// §3.2: a reference that runs into what it writes.
	b = []byte("\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e}\x01\x0e\xb0")
	if got := string(unpackRTF(b, maxRTF)); got != "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}" {
		t.Errorf("%q", got)
	}
	if got := unpackRTF(b, 7); len(got) != 7 {
		t.Errorf("%d bytes of at most 7", len(got))
	}
}

// hostileWinmail are lengths and counts that lie, cuts and nesting.
func hostileWinmail() map[string][]byte {
	cut := winmail(file("a.txt", "aaaa"))
	nested := winmail(file("innermost", "x"))
	for range 50 {
		nested = winmail(attribute(2, tnefNewFile, nil), attribute(2, tnefFileProp, mapiList(prop(mapiObject, mapiAttachData, append(make([]byte, 16), nested...)))))
	}
	return map[string][]byte{
		"empty":             winmail(),
		"length":            append(winmail(), 2, 0x0f, 0x80, 6, 0, 0xff, 0xff, 0xff, 0xff, 'x'),
		"cut in its data":   cut[:len(cut)-4],
		"cut in a header":   append(winmail(), 2, 0x0f),
		"level":             append(winmail(), 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9),
		"count":             winmail(attribute(1, tnefMsgProps, le32(0xffffffff))),
		"values":            winmail(attribute(1, tnefMsgProps, slicesOf(le32(1), le16(uint16(mapiUnicode|mapiMany)), le16(mapiBody), le32(0xffffffff)))),
		"value":             winmail(attribute(1, tnefMsgProps, slicesOf(le32(1), le16(uint16(mapiUnicode)), le16(mapiBody), le32(1), le32(0xfffffffe), utf16le("ab")))),
		"values of nothing": winmail(attribute(1, tnefMsgProps, slicesOf(le32(1), le16(0x1001), le16(mapiBody), le32(0xffffffff)))),
		"name":              winmail(attribute(1, tnefMsgProps, slicesOf(le32(1), le16(3), le16(0x8001), make([]byte, 16), le32(1), le32(0xffffffff)))),
		"kind":              winmail(attribute(1, tnefMsgProps, slicesOf(le32(1), le16(0x0fff), le16(mapiBody), le32(1)))),
		"nested":            nested,
		"data without file": winmail(attribute(2, tnefData, []byte("x"))),
	}
}

func TestWinmailHostile(t *testing.T) {
	for name, dat := range hostileWinmail() {
		raw := tnefMail("Text.", dat)
		m := Parse(raw)
		checkMail(t, m, raw)
		if m.Text != "Text." || len(m.Parts) == 0 || m.Parts[0].Filename != "winmail.dat" {
			t.Errorf("%s: %q, %v", name, m.Text, m.Parts)
		}
		fine := name == "empty" || name == "nested" || name == "data without file" || name == "values of nothing"
		if fine == (len(m.Problems) > 0) {
			t.Errorf("%s: problems %q", name, m.Problems)
		}
	}
	if m := Parse(tnefMail("Text.", hostileWinmail()["cut in its data"])); len(m.Parts) != 2 || m.Parts[1].Size != 2 {
		t.Errorf("what there is of a cut file: %+v", m.Parts)
	}
	many := winmail(bytes.Repeat(file("a.txt", "a"), 5000))
	if m := Parse(tnefMail("Text.", many)); len(m.Parts) != 1+maxTNEFFiles || len(m.Problems) == 0 {
		t.Errorf("%d parts, %q", len(m.Parts), m.Problems)
	}
}

// FuzzTNEF: whatever a winmail.dat holds, what is listed of it can be opened,
// and is bounded in number and cost.
func FuzzTNEF(f *testing.F) {
	for _, dat := range hostileWinmail() {
		f.Add(dat)
	}
	f.Add(winmail(file("a.txt", "a", prop(mapiUnicode, mapiAttachLong, utf16le("long.txt"))), attribute(1, tnefMsgProps, mapiList(
		prop(mapiBinary, mapiRTF, packed(`{\rtf1\fromhtml1 {\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 a\u233?\'e9}}`))))))
	f.Fuzz(func(t *testing.T, dat []byte) {
		raw := tnefMail("", dat)
		var m *Mail
		fuzztest.Cheap(t, func() { m = Parse(raw) })
		checkMail(t, m, raw)
		if len(m.Parts) > 1+maxTNEFFiles {
			t.Errorf("%d parts", len(m.Parts))
		}
	})
}

// FuzzRTF: the text of RTF is bounded by the RTF.
func FuzzRTF(f *testing.F) {
	for _, s := range []string{`{\rtf1\ansi Hello\par}`, `{\rtf1\fromhtml1{\*\htmltag64 <p>}\htmlrtf x\htmlrtf0 y}`, `\u-1?\'e9\bin9 `, `{\fonttbl{\f1\fcharset128;}}\f1 \'82\'a0`,
		strings.Repeat("{", 300) + strings.Repeat("}", 400) + "x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var text string
		fuzztest.Cheap(t, func() { text, _ = rtfText(src, 1252) })
		if len(text) > 4*len(src) {
			t.Errorf("%d bytes of %d", len(text), len(src))
		}
		fuzztest.Cheap(t, func() { unpackRTF(src, maxRTF) })
	})
}
