package rfc822

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"guichet/mailflow/fuzztest"
)

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkMail holds what is true of every Mail, whatever it was read from.
func checkMail(t *testing.T, m *Mail, raw []byte) {
	t.Helper()
	text := func(what, s string) {
		t.Helper()
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || !norm.NFC.IsNormalString(s) {
			t.Errorf("%s is not valid UTF-8 in NFC without NUL: %.80q", what, s)
		}
	}
	line := func(what, s string) {
		t.Helper()
		text(what, s)
		if i := strings.IndexFunc(s, func(r rune) bool { return isControl(r) || isBidi(r) }); i >= 0 {
			t.Errorf("%s has a control character: %.80q", what, s)
		}
	}
	line("subject", m.Subject)
	line("message id", m.MessageID)
	for _, list := range [][]Address{m.From, m.Sender, m.ReplyTo, m.To, m.Cc} {
		if len(list) > maxAddresses {
			t.Errorf("%d addresses", len(list))
		}
		for _, a := range list {
			line("name", a.Name)
			line("address", a.Address)
			if a.Address != "" && !strings.Contains(a.Address, "@") || a.Address == "" && a.Name == "" {
				t.Errorf("address %q of %q", a.Address, a.Name)
			}
		}
	}
	for _, ids := range [][]string{m.InReplyTo, m.References} {
		if len(ids) > maxReferences {
			t.Errorf("%d ids", len(ids))
		}
		for _, id := range ids {
			line("id", id)
			if len(id) < 3 || id[0] != '<' || id[len(id)-1] != '>' {
				t.Errorf("id %q", id)
			}
		}
	}
	total := 0
	for _, f := range m.Header {
		text(f.Name, f.Value)
		total += len(f.Name)
		if strings.ContainsAny(f.Value, "\r\n") || f.Name == "" {
			t.Errorf("field %q: %.80q is not unfolded", f.Name, f.Value)
		}
	}
	if total > maxHeader {
		t.Errorf("header names of %d bytes", total)
	}
	text("text", m.Text)
	text("reply", m.Reply)
	if len(m.Text) > maxText || strings.ContainsRune(m.Text, '\r') {
		t.Errorf("text of %d bytes", len(m.Text))
	}
	checkParts(t, m, raw, line)
	if len(m.Problems) > maxProblems {
		t.Errorf("%d problems", len(m.Problems))
	}
	for _, p := range m.Problems {
		line("problem", p)
	}
	if _, err := m.Date.MarshalJSON(); err != nil {
		t.Errorf("date %v: %v", m.Date, err)
	}
}

func checkParts(t *testing.T, m *Mail, raw []byte, line func(what, s string)) {
	t.Helper()
	if len(m.Parts) > maxParts {
		t.Errorf("%d parts", len(m.Parts))
	}
	for _, p := range m.Parts {
		line("file name", p.Filename)
		line("content type", p.ContentType)
		line("content id", p.ContentID)
		line("charset", p.Charset)
		line("encoding", p.Encoding)
		if strings.ContainsAny(p.Filename, `/\`) || len(p.Filename) > maxFilename {
			t.Errorf("file name %q", p.Filename)
		}
		if p.Path == "" || p.ContentType == "" {
			t.Errorf("part %+v", p)
		}
		if p.Offset < 0 || p.Length < 0 || p.Offset+p.Length > int64(len(raw)) {
			t.Errorf("part %s at %d, %d bytes, of %d", p.Path, p.Offset, p.Length, len(raw))
			continue
		}
		if n, err := io.Copy(io.Discard, p.Open(raw)); err != nil || n != p.Size {
			t.Errorf("part %s: %d bytes, %v; want %d", p.Path, n, err, p.Size)
		}
	}
}

// corpus returns the folder of real mails, which are not ours to copy.
func corpus(t testing.TB) string {
	dir := os.Getenv("GUICHET_CORPUS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("GUICHET_CORPUS is unset")
		}
		t.Skip("GUICHET_CORPUS is unset: no corpus to read")
	}
	return dir
}

func TestCorpus(t *testing.T) {
	dir, n := corpus(t), 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		rel, _ := filepath.Rel(dir, path)
		t.Run(rel, func(t *testing.T) { checkMail(t, Parse(raw), raw) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 500 {
		t.Errorf("only %d mails in %s", n, dir)
	}
}

// TestCorpusExpected holds the rates reached over the corpus, so that they are
// not lost unnoticed; what falls short is printed.
func TestCorpusExpected(t *testing.T) {
	dir := corpus(t)
	var index []struct {
		File, Kind string
		Trust      map[string]string
		Expect     struct {
			Subject  *string
			From, To []Address
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	good, all := 0, 0
	count := func(file, what, got, want string) {
		all++
		if got == want {
			good++
			return
		}
		t.Logf("%s: %s is %q, want %q", file, what, got, want)
	}
	for _, i := range index {
		if i.Kind != "message" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, i.File))
		if err != nil {
			t.Fatal(err)
		}
		m := Parse(raw)
		if e := i.Expect.Subject; e != nil && firm(i.Trust["subject"]) {
			count(i.File, "subject", fold(m.Subject), fold(*e))
		}
		if i.Expect.From != nil && firm(i.Trust["from"]) {
			count(i.File, "from", addressesOf(m.From), addressesOf(i.Expect.From))
		}
		if i.Expect.To != nil && firm(i.Trust["to"]) {
			count(i.File, "to", addressesOf(m.To), addressesOf(i.Expect.To))
		}
	}
	t.Logf("%d of %d", good, all)
	if 1000*good < 990*all {
		t.Errorf("%d of %d fields as expected, less than 99 %%", good, all)
	}
}

func firm(trust string) bool { return trust != "disputed" && trust != "none" && trust != "reference" }

func fold(s string) string { return strings.Join(strings.Fields(norm.NFC.String(s)), " ") }

func addressesOf(list []Address) string {
	var all []string
	for _, a := range list {
		all = append(all, strings.ToLower(a.Address))
	}
	return strings.Join(all, " ")
}

// FuzzParse: whatever a mail holds, what is read of it keeps the promises of
// [Mail], and reading it is cheap.
func FuzzParse(f *testing.F) {
	for _, c := range structures {
		f.Add([]byte(c.mail))
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add(raw) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		fuzztest.Cheap(t, func() { checkMail(t, Parse(raw), raw) })
	})
}
