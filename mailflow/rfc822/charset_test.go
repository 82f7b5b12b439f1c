package rfc822

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func TestCharset(t *testing.T) {
	for _, c := range []struct{ charset, in, want string }{
		{"utf-8", "grüße", "grüße"},
		{"", "grüße", "grüße"},
		{"us-ascii", "grüße", "grüße"},
		{"", "gr\xfc\xdfe \x80", "grüße €"},
		{"utf-8", "gr\xfc\xdfe", "grüße"},
		{"utf-8", "grüße, cut: \xc3", "grüße, cut: \ufffd"},
		{"iso-8859-1", "gr\xfc\xdfe \x80", "grüße €"},
		{"ISO8859-15", "\xa4", "€"},
		{"latin-1", "\xfc", "ü"},
		{"windows-1251", "\xcf\xf0", "Пр"},
		{"koi8-r", "\xf0\xd2", "Пр"},
		{"cp-850", "\x81", "ü"},
		{"ibm850", "\x81", "ü"},
		{"x-mac-roman", "\x9f", "ü"},
		{"gb2312", "\xbc\xa8", "绩"},
		{"big5", "\xa4\xa4", "中"},
		{"shift_jis", "\x83\x65", "テ"},
		{"ks_c_5601-1987", "\xb0\xa1", "가"},
		{"iso-2022-jp", "\x1b$B%F\x1b(B", "テ"},
		{"", "\x1b$B%F\x1b(B", "テ"},
		{"utf-7", "gr+APw-+AN8-e +- 1", "grüße + 1"},
		{"unicode-1-1-utf-7", "+APw-ber", "über"},
		{"utf-7", "a+b", "a+b"},
		{"utf-16", "\xff\xfe\xfc\x00", "ü"},
		{"utf-16", "\x00\xfc", "ü"},
		{"utf-16le", "\xfc\x00", "ü"},
		{"utf-32le", "\xfc\x00\x00\x00", "ü"},
		{"hz-gb-2312", "~{VP~}", "中"},
		{"x-nobody-knows", "gr\xfc\xdfe", "grüße"},
		{"'utf-8'", "ü", "ü"},
		{"big5", "grüße", "grüße"}, // a wrong label over UTF-8
	} {
		text, _ := decodeCharset([]byte(c.in), c.charset)
		if got := cleanText(text); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.charset, c.in, got, c.want)
		}
	}
}

// TestCharsetsTruncated: whatever the charset is said to be, bytes of all
// kinds give valid text.
func TestCharsetsTruncated(t *testing.T) {
	all := make([]byte, 1024)
	for i := range all {
		all[i] = byte(i * 7)
	}
	for _, name := range strings.Fields("utf-8 utf-7 utf-16 utf-16le utf-16be utf-32 utf-32le iso-8859-1 iso-8859-2 " +
		"iso-8859-5 iso-8859-6-i iso-8859-7 iso-8859-8-i iso-8859-15 windows-1250 windows-1251 windows-1253 windows-874 " +
		"koi8-r koi8-u macintosh cp437 cp850 cp866 gb2312 gbk gb18030 hz-gb-2312 big5 euc-jp shift_jis iso-2022-jp " +
		"euc-kr ks_c_5601-1987 iso-2022-kr tis-620 us-ascii x-user-defined replacement unknown-8bit viscii") {
		for n := 0; n < len(all); n += 37 {
			text, _ := decodeCharset(all[n:], name)
			if s := cleanText(text); !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("%s: not valid", name)
			}
			if strings.Count(text, "\ufffd") == utf8.RuneCountInString(text) {
				t.Fatalf("%s: nothing was read", name)
			}
		}
	}
}

func TestMetaCharset(t *testing.T) {
	m := Parse([]byte("Content-Type: text/html\n\n<meta charset=\"windows-1251\"><p>\xcf\xf0\xe8</p>"))
	if m.Text != "При\n" {
		t.Errorf("text is %q", m.Text)
	}
}

func TestTransfer(t *testing.T) {
	for _, c := range []struct{ encoding, in, want string }{
		{"", "a=41\r\n", "a=41\r\n"},
		{"8bit", "\xfc", "\xfc"},
		{"x-unknown", "a", "a"},
		{"base64", "aGVsbG8=", "hello"},
		{"base64", "aGVsbG8", "hello"},
		{"base64", "aGVs\r\nbG8=\r\n", "hello"},
		{"base64", "aG Vs*bG8=", "hello"},
		{"base64", "aGVsbG8=\nlist footer", "hello"},
		{"base64", "aGVs\n____\nlist footer", "hel"},
		{"base64", "-- \naGVs", "hel"},
		{"base64", "=aGVs", "hel"},
		{"base64", "a", ""},
		{"base64", "", ""},
		{"quoted-printable", "gr=C3=bc", "grü"},
		{"quoted-printable", "a=\nb=\r\nc= \nd", "abcd"},
		{"quoted-printable", "a \t\r\nb  ", "a\r\nb  "},
		{"quoted-printable", "a=zz=4=", "a=zz=4"},
		{"quoted-printable", "a  b", "a  b"},
		{"x-uuencode", "begin 644 a\n#86)C\n`\nend\nx", "abc"},
		{"x-uuencode", "#86)C\n", "abc"},
		{"x-uuencode", "#8", "`\x00"}, // never more than was sent
	} {
		p := Part{Encoding: c.encoding, Offset: 3, Length: int64(len(c.in))}
		raw := []byte("xxx" + c.in + "yyy")
		if got := string(readAll(t, p.Open(raw))); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.encoding, c.in, got, c.want)
		}
		// The same, however small the reader's buffer is.
		if got := string(readAll(t, iotest.OneByteReader(p.Open(raw)))); got != c.want {
			t.Errorf("%s %q byte by byte: %q, want %q", c.encoding, c.in, got, c.want)
		}
	}
}

func TestOpenRoundTrip(t *testing.T) {
	want := make([]byte, 100000)
	for i := range want {
		want[i] = byte(i * i >> 3)
	}
	enc := base64.StdEncoding.EncodeToString(want)
	raw := []byte(mixed("mixed", "text/plain\n\none", "a/b; name=x\nContent-Transfer-Encoding: Base64\n\n"+enc))
	m := Parse(raw)
	if len(m.Parts) != 1 || m.Parts[0].Size != int64(len(want)) || m.Parts[0].Length != int64(len(enc)) {
		t.Fatalf("parts %+v", m.Parts)
	}
	if got := readAll(t, m.Parts[0].Open(raw)); !bytes.Equal(got, want) {
		t.Error("the content differs")
	}
	// Offsets that are not of this mail give what there is, and no panic.
	for _, p := range []Part{{Offset: -1, Length: 5}, {Offset: 1 << 40, Length: 5}, {Offset: 3, Length: 1 << 62}, {Offset: 5, Length: -9}} {
		if _, err := io.Copy(io.Discard, p.Open(raw)); err != nil {
			t.Error(err)
		}
	}
}
