package rfc822

import (
	"bytes"
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Quoted-printable is, byte for byte, that of the standard library.
func TestQuotedProperty(t *testing.T) {
	piece := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{" ", "\t", "\n", "=", "é", "x", " \n", "\t\n", strings.Repeat("a", 73),
		strings.Repeat("b", 74), strings.Repeat("c", 75), strings.Repeat("d", 76), strings.Repeat("ü", 30)}))
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ReplaceAll(strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "s"), ""), "\r", "")
		var want bytes.Buffer
		w := quotedprintable.NewWriter(&want)
		w.Write([]byte(s))
		w.Close()
		if got := outQuoted([]byte("before"), s); string(got) != "before"+want.String() {
			t.Fatalf("%q: got\n%s\nwanted\n%s", s, got, want.String())
		}
	})
}

func TestBase64Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "data")
		got := outBase64(nil, data)
		if len(got) != outBase64Len(len(data)) {
			t.Fatalf("%d bytes, %d foretold", len(got), outBase64Len(len(data)))
		}
		for line := range strings.SplitAfterSeq(string(got), "\r\n") {
			if len(line) > outLine+2 || line != "" && !strings.HasSuffix(line, "\r\n") {
				t.Fatalf("line %q", line)
			}
		}
		back, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(got), "\r\n", ""))
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%q: %v", got, err)
		}
	})
}

// What people write cannot take the place of a mark.
func TestMarksAreNotForged(t *testing.T) {
	o := &Outgoing{Text: outTextMark + "\n\x00t\n" + outHTMLMark, HTML: outHTMLMark + "\n\x00f0\x00",
		Attachments: []Attachment{{Filename: outTextMark + "\x00h", ContentType: "text/" + outTextMark, ContentID: outHTMLMark, Inline: true, Data: []byte(outFileMark + "1")},
			{Filename: "b", Data: []byte(outTextMark)}}}
	b, err := o.Body()
	if err != nil {
		t.Fatal(err)
	}
	var got outFound
	outWalk(t, b.Fields[0].Value, "", "", bytes.NewReader(b.Bytes), &got)
	if got.text != outTextMark+"\nt\n"+outHTMLMark+"\n" || got.html != outHTMLMark+"\nf0\n" || got.count != 2 ||
		string(got.files["text-of-the-mailh"]) != outFileMark+"1" || string(got.files["b"]) != outTextMark {
		t.Errorf("%+v", got)
	}
}

func TestClean(t *testing.T) {
	check := func(s, want string) {
		t.Helper()
		if got := outClean(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	for _, s := range []string{"", "a", "Panne d’imprimante\u00a0: étage 2", "a\u202fb", "👩\u200d👧", "=?x", "a\u200eb"} {
		check(s, s)
	}
	check("a  b", "a b")
	check(" a", "a")
	check("a ", "a")
	check(" ", "")
	check("a\tb\r\nc", "a b c")
	check("a\u2028b\u2029c", "a b c")
	check("\u061ca\u202eb\u202ac\u2066d\u2069", "abcd")
	check("a\u2066b", "ab")
	check("a\u061cb", "ab")
	check("a\u202eb", "ab")
	check("a\x00b\x7fc\u0085d", "abcd")
	check("a\xffb\ufffdc", "ab\ufffdc")
}

// The gate for each field refuses what none should have let come so far.
func TestHeaderGate(t *testing.T) {
	check := func(ok bool, words ...string) {
		t.Helper()
		w := &outHeader{}
		w.line("X-A", words...)
		if ok != (w.err == nil) {
			t.Errorf("%q: %v", words, w.err)
		}
	}
	check(true, "a", "b")
	check(true, strings.Repeat("a", 70), strings.Repeat("b", 70))
	check(true, strings.Repeat("a", outMax-5))
	check(false, strings.Repeat("a", outMax-4))
	check(false, "a\x00")
	check(false, "a\nb")
	check(false, "a\rb")
	check(false, "a\tb")
	check(false, "é")
	check(false, "a\r\nBcc: b@c")
	check(false, "a\r\n ")
	check(false, "a\r\n")
	w := &outHeader{}
	w.line("X-A", "a")
	if w.line("x-a", "b"); w.err == nil {
		t.Error("given twice")
	}
}
