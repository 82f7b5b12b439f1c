package rfc822

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The beginning of a mail: its words, the files that are whole, and no broken
// one.
func TestParseCut(t *testing.T) {
	const head = "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	const words = "--b\nContent-Type: text/plain\n\nThe words.\n"
	const file = "--b\nContent-Type: image/png; name=\"%s\"\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf\n"
	one, two := fmt.Sprintf(file, "one.png"), fmt.Sprintf(file, "two.png")
	alternative := "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Type: text/plain\n\nThe words.\n--c\nContent-Type: text/html\n\n<p>The words.\n"
	check := func(name, raw, text, reply string, files ...string) {
		t.Helper()
		m := ParseCut([]byte(strings.ReplaceAll(raw, "\n", "\r\n")))
		var got []string
		for _, p := range m.Parts {
			got = append(got, p.Filename)
		}
		if strings.TrimSpace(m.Text) != text || strings.TrimSpace(m.Reply) != reply || fmt.Sprint(got) != fmt.Sprint(files) {
			t.Errorf("%s: text %q, reply %q, files %q", name, m.Text, m.Reply, got)
		}
	}
	check("in a file", head+words+one+two, "The words.", "The words.", "one.png")
	check("in the first file", head+words+one, "The words.", "The words.")
	check("in the text", head+words, "The words.\n[…]", "The words.\n[…]")
	check("within a word", head+words+"and mo", "The words.\n[…]", "The words.\n[…]")
	check("within a boundary", head+words+one+"--", "The words.", "The words.")
	check("behind a boundary", head+words+one+"--b\n", "The words.", "The words.", "one.png")
	check("in a header", head+words+one+"--b\nContent-Type: image/png; na", "The words.", "The words.", "one.png")
	check("behind the last boundary", head+words+one+"--b--\nand mo", "The words.", "The words.", "one.png")
	check("in the page of words that are whole", head+alternative, "The words.", "The words.")
	check("in a page", "From: a@b.example\nContent-Type: text/html\n\n<p>The words.\n<p>More", "The words.\n[…]", "The words.\n[…]")
	check("in a quote", "From: a@b.example\n\nThe words.\n\nOn Sat, 21 Nov 2026, Bob wrote:\n> old\n> wor",
		"The words.\n\nOn Sat, 21 Nov 2026, Bob wrote:\n> old\n[…]", "The words.")
	check("in the only file", "From: a@b.example\nContent-Type: application/pdf; name=a.pdf\n\n%PDF", "", "")
	check("in one long line", "From: a@b.example\n\n"+strings.Repeat("word ", 1000), strings.TrimSpace(strings.Repeat("word ", 1000))+"\n[…]",
		strings.TrimSpace(strings.Repeat("word ", 1000))+"\n[…]")
	check("before the body", "From: a@b.example\nContent-Ty", "", "")
	sealed := "From: a@b.example\nContent-Type: application/pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\nMIIB\n"
	if m := ParseCut([]byte(sealed)); !m.Encrypted() || len(m.Parts) != 0 {
		t.Errorf("encrypted: %v, files %v", m.Encrypted(), m.Parts)
	}
}

// Whatever mail is cut wherever: the files of its beginning are those of the
// whole, and none of them is broken.
func TestParseCutAnywhere(t *testing.T) {
	check := func(name string, raw []byte) {
		whole := Parse(raw)
		for i := 1; i < 12; i++ {
			n := len(raw) * i / 12
			cut := ParseCut(raw[:n])
			if len(cut.Parts) > len(whole.Parts) {
				t.Errorf("%s cut at %d: %d files of %d", name, n, len(cut.Parts), len(whole.Parts))
				continue
			}
			for j, p := range cut.Parts {
				if w := whole.Parts[j]; p.Path != w.Path || p.Offset != w.Offset || p.Length != w.Length || p.Size != w.Size {
					t.Errorf("%s cut at %d: %+v is %+v in the whole mail", name, n, p, w)
				}
			}
		}
	}
	for _, dir := range []string{"../../testdata", os.Getenv("GUICHET_CORPUS")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if dir == "" || err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
				return nil
			}
			raw, err := os.ReadFile(path)
			check(path, raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
