package rfc822

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"guichet/mailflow/fuzztest"
)

// shape reads a mail of header lines and a body.
func shape(t *testing.T, header, body string) *Mail {
	t.Helper()
	raw := []byte("From: Alice <alice@customer.example>\nMIME-Version: 1.0\n" + header + "\n\n" + body)
	m := Parse(raw)
	checkMail(t, m, raw)
	return m
}

func fileNames(m *Mail) string {
	var names []string
	for _, p := range m.Parts {
		names = append(names, p.ContentType+" "+p.Filename)
	}
	return strings.Join(names, ", ")
}

// Signed and encrypted mails keep what proves them as files; the text is shown
// where it can be read.
func TestSignedAndEncrypted(t *testing.T) {
	check := func(why string, m *Mail, text, files string) {
		t.Helper()
		if got := strings.TrimSpace(m.Text); got != text || fileNames(m) != files {
			t.Errorf("%s: %q, files %q", why, got, fileNames(m))
		}
		if m.Encrypted() != (text == "") {
			t.Errorf("%s: encrypted is %v", why, m.Encrypted())
		}
	}
	check("S/MIME, signed in the clear", shape(t, `Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary=b`,
		"--b\nContent-Type: text/plain\n\nIt is me.\n--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7s\n\nMIIB\n--b--"),
		"It is me.", "application/pkcs7-signature smime.p7s")
	check("S/MIME, opaque", shape(t, "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7m", "MIIB"),
		"", "application/pkcs7-mime smime.p7m")
	check("PGP/MIME, signed", shape(t, `Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b`,
		"--b\nContent-Type: text/plain\n\nIt is me.\n--b\nContent-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n--b--"),
		"It is me.", "application/pgp-signature signature.asc")
	check("PGP/MIME, encrypted", shape(t, `Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b`,
		"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n--b--"),
		"", "application/pgp-encrypted , application/octet-stream encrypted.asc")
	if m := shape(t, "Content-Type: application/pdf; name=a.pdf", "%PDF"); m.Encrypted() {
		t.Error("a file alone is taken for encrypted")
	}
	m := shape(t, "Content-Type: text/plain", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nIt is me.\n- -- \nAlice\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----")
	if !strings.Contains(m.Text, "It is me.") || !strings.Contains(m.Reply, "It is me.") {
		t.Errorf("PGP in the text: %q", m.Reply)
	}
}

// The text of an opaquely signed mail can be read without any key.
func TestOpaqueText(t *testing.T) {
	inner := "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLa ligne est coupée.\r\n--c\r\nContent-Type: application/pdf; name=plan.pdf\r\n\r\n%PDF\r\n--c--\r\n"
	m := shape(t, "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64",
		base64.StdEncoding.EncodeToString(signedData(inner)))
	if strings.TrimSpace(m.Text) != "La ligne est coupée." || fileNames(m) != "application/pkcs7-mime smime.p7m, application/pdf plan.pdf" {
		t.Errorf("%q, files %q, problems %q", m.Text, fileNames(m), m.Problems)
	}
	// One that has only a file is not encrypted.
	m = shape(t, "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\nContent-Transfer-Encoding: base64",
		base64.StdEncoding.EncodeToString(signedData("Content-Type: application/pdf; name=plan.pdf\r\n\r\n%PDF\r\n")))
	if m.Encrypted() || fileNames(m) != "application/pkcs7-mime smime.p7m, application/pdf plan.pdf" {
		t.Errorf("a signed file: encrypted is %v, files %q", m.Encrypted(), fileNames(m))
	}
}

// The files of a signed mail are opened like any other, whatever its encoding
// and theirs.
func TestOpaqueFiles(t *testing.T) {
	inner := "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nSee.\r\n--c\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n" +
		"--c\r\nContent-Type: text/csv; name=b.csv\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na;=C3=A9\r\n--c\r\nContent-Type: text/plain; name=c.txt\r\n\r\nplain\r\n--c--\r\n"
	for _, encoding := range []string{"base64", "binary"} {
		body := string(signedData(inner))
		if encoding == "base64" {
			body = base64.StdEncoding.EncodeToString([]byte(body))
		}
		raw := []byte("From: a@b.example\r\nContent-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body)
		m := Parse(raw)
		checkMail(t, m, raw)
		var got, again []string
		o := Opener{Raw: raw}
		for _, p := range m.Parts[min(1, len(m.Parts)):] {
			name := p.Path + " " + p.Filename + " " + p.In + " "
			got, again = append(got, name+string(readAll(t, p.Open(raw)))), append(again, name+string(readAll(t, o.Open(p))))
		}
		want := []string{"1.2 a.png smime.p7m \x89PNG", "1.3 b.csv smime.p7m a;é", "1.4 c.txt smime.p7m plain"}
		if !slices.Equal(got, want) || !slices.Equal(again, want) {
			t.Errorf("%s: %q, %q", encoding, got, again)
		}
	}
}

// Charsets as mails declare them, and as they do not.
func TestCharsetsOfTheWorld(t *testing.T) {
	encode := func(e encoding.Encoding, s string) string {
		out, err := e.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		charset, body, want string
	}{
		{"utf-7", "Gr+APwA3w-e +AOk-", "Grüße é"},
		{"iso-2022-jp", encode(japanese.ISO2022JP, "回線が切れています"), "回線が切れています"},
		{"", encode(japanese.ISO2022JP, "回線が切れています"), "回線が切れています"},
		{"shift_jis", encode(japanese.ShiftJIS, "回線"), "回線"},
		{"gb18030", encode(simplifiedchinese.GB18030, "线路中断㐀"), "线路中断㐀"},
		{"gb2312", encode(simplifiedchinese.GB18030, "线路中断镕"), "线路中断镕"},
		{"big5", encode(traditionalchinese.Big5, "線路中斷"), "線路中斷"},
		{"koi8-r", encode(charmap.KOI8R, "Линия не работает"), "Линия не работает"},
		{"windows-1251", encode(charmap.Windows1251, "Линия"), "Линия"},
		{"cp850", encode(charmap.CodePage850, "Déjà coupé"), "Déjà coupé"},
		{"cp-850", encode(charmap.CodePage850, "Déjà coupé"), "Déjà coupé"},
		{"ibm850", encode(charmap.CodePage850, "Déjà"), "Déjà"},
		{"iso-8859-15", encode(charmap.ISO8859_15, "12 €"), "12 €"},
		{"", "Déjà en UTF-8", "Déjà en UTF-8"},
		{"us-ascii", "Déjà en UTF-8", "Déjà en UTF-8"},
		{"", encode(charmap.Windows1252, "Déjà coupé – 12 €"), "Déjà coupé – 12 €"},
		{"x-no-such", encode(charmap.Windows1252, "Déjà"), "Déjà"},
	} {
		header := "Content-Transfer-Encoding: 8bit"
		if c.charset != "" {
			header += "\nContent-Type: text/plain; charset=" + c.charset
		}
		if m := shape(t, header, c.body); m.Text != c.want {
			t.Errorf("%s: %q, want %q", c.charset, m.Text, c.want)
		}
	}
	m := shape(t, "Content-Type: text/plain; charset=x-no-such", "D\xe9j\xe0")
	if !slices.ContainsFunc(m.Problems, func(p string) bool { return strings.Contains(p, "x-no-such") }) {
		t.Errorf("an unknown charset is no problem: %q", m.Problems)
	}
}

// format=flowed with and without DelSp, quotes and a signature (RFC 3676).
func TestFlowed(t *testing.T) {
	m := shape(t, "Content-Type: text/plain; format=flowed", "One \nline.\n\n> quoted \n> line\n-- \nAlice")
	if m.Text != "One line.\n\n> quoted line\n-- \nAlice" || m.Reply != "One line." && m.Reply != "One line.\n\n> quoted line" {
		t.Errorf("%q, reply %q", m.Text, m.Reply)
	}
	if m = shape(t, "Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8", "回線が \n切れて います"); m.Text != "回線が切れて います" {
		t.Errorf("delsp: %q", m.Text)
	}
}

// Names in pieces (RFC 2231), pictures within the text, and headers mended.
func TestNamesPicturesAndHeaders(t *testing.T) {
	m := shape(t, "Content-Type: multipart/related; boundary=b", "--b\nContent-Type: text/html\n\n<p>See <img src=\"cid:logo@x\"></p>\n"+
		"--b\nContent-Type: image/png\nContent-ID: <logo@x>\nContent-Disposition: attachment;\n filename*1*=%A9sum%C3%A9%20;\n filename*0*=utf-8'fr'r%C3;\n filename*2=\"v2.png\"\n\nPNG\n--b--")
	if len(m.Parts) != 1 || m.Parts[0].Filename != "résumé v2.png" || !m.Parts[0].Inline || strings.TrimSpace(m.Text) == "" {
		t.Errorf("%+v, %q", m.Parts, m.Text)
	}
	m = Parse([]byte(">From x\nFrom: alice@customer.example\nSubject : =?utf-8?q?D=C3=A9j=C3=A0_?=\n =?utf-8?q?coup=C3=A9?=\nno colon here\nTo: \"Bob\" <bob@desk.example\n\nText."))
	if m.Subject != "Déjà coupé" || len(m.To) != 1 || m.To[0].Address != "bob@desk.example" || strings.TrimSpace(m.Text) != "Text." || len(m.Problems) == 0 {
		t.Errorf("%q, %v, %q, problems %q", m.Subject, m.To, m.Text, m.Problems)
	}
}

// der writes a value of ASN.1 with its length.
func der(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	n := len(body)
	head := []byte{tag, byte(n)}
	if n > 127 {
		head = []byte{tag, 0x82, byte(n >> 8), byte(n)}
	}
	return append(head, body...)
}

// signedData is PKCS #7 signed-data (RFC 5652 §5) around content, without
// certificates and signers.
func signedData(content string) []byte {
	oid := func(last byte) []byte { return der(6, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last}) }
	inner := der(0x30, oid(1), der(0xa0, der(4, []byte(content))))
	return der(0x30, oid(2), der(0xa0, der(0x30, der(2, []byte{1}), der(0x31), inner, der(0x31))))
}

// Streaming programs leave lengths out and send pieces; attackers, anything.
func TestSignedContent(t *testing.T) {
	content := "Content-Type: text/plain\r\n\r\nHello."
	if got := signedContent(signedData(content)); string(got) != content {
		t.Errorf("%q", got)
	}
	whole := signedData(content)
	pieces := slices.Concat([]byte{0x24, 0x80}, der(4, []byte(content[:9])), der(4, []byte(content[9:])), []byte{0, 0})
	oid := func(last byte) []byte { return der(6, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last}) }
	open := func(tag byte, parts ...[]byte) []byte {
		return slices.Concat(append(append([][]byte{{tag, 0x80}}, parts...), []byte{0, 0})...)
	}
	streamed := open(0x30, oid(2), open(0xa0, open(0x30, der(2, []byte{1}), der(0x31), open(0x30, oid(1), open(0xa0, pieces)), der(0x31))))
	if got := signedContent(streamed); string(got) != content {
		t.Errorf("streamed: %q", got)
	}
	for i := range whole {
		signedContent(whole[:i])
	}
	for _, b := range []string{"", "\x30", "\x30\x84\xff\xff\xff\xff", strings.Repeat("\x30\x80", 100_000), strings.Repeat("\x24\x80", 100_000), "\x30\x85\x01\x01\x01\x01\x01", "\x1f\x01"} {
		if got := signedContent([]byte(b)); got != nil {
			t.Errorf("%.20q: %q", b, got)
		}
	}
}

// A signed mail in a signed mail, many times, costs no more than its size.
func TestSignedInSigned(t *testing.T) {
	inner := "\r\ninnermost"
	for range 6 {
		inner = "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(signedData(inner))
	}
	raw := []byte("From: a@customer.example\r\n" + inner)
	m := Parse(raw)
	checkMail(t, m, raw)
	if m.Text != "" {
		t.Errorf("%q", m.Text)
	}
}

// FuzzSigned: what is signed is no longer than what carries it, and what is
// listed of it can be opened.
func FuzzSigned(f *testing.F) {
	f.Add(signedData("Content-Type: text/plain\r\n\r\nHello."))
	f.Add(signedData("Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n"))
	f.Add([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80\x24\x80\x04\x01a\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztest.Cheap(t, func() {
			if n := len(signedContent(b)); n > len(b) {
				t.Errorf("%d bytes of %d", n, len(b))
			}
		})
		raw := append([]byte("Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: binary\n\n"), b...)
		checkMail(t, Parse(raw), raw)
	})
}
