package rfc822

import (
	"fmt"
	"strings"
	"testing"
)

// structures are mails and what is made of them: the text, then a line a part:
// path, type, file name, its content, and "inline".
var structures = []struct{ name, mail, want string }{
	{"plain", "From: a@b\n\nhello\n", "hello\n"},
	{"CRLF", "From: a@b\r\n\r\nhello\r\nthere", "hello\nthere"},
	{"CR", "From: a@b\r\rhello\rthere", "hello\nthere"},
	{"no header", "\nhello", "hello"},
	{"nothing", "", ""},
	{"mbox line", "From a@b Thu Jul 11 07:57:20 2013\nFrom: a@b\n\nhello", "hello"},
	{"leading blank lines", "\n \nFrom: a@b\n\nhello", "hello"},
	{"leading blank", "  From: a@b\nTo: c@d\n\nhello", "hello"},
	{"no empty line", "From: a@b\nhello there\nyou\n", "hello there\nyou\n"},
	{"junk in header", "From: a@b\njunk\nmore junk\nTo: c@d\n\nhello", "hello"},
	{"HTML only", "Content-Type: text/html\n\n<p>hello</p>", "hello\n"},
	{"alternative", mixed("alternative", "text/plain\n\nplain", "text/html\n\n<p>rich"), "plain"},
	{"alternative, other order", mixed("alternative", "text/html\n\n<p>rich", "text/plain\n\nplain"), "plain"},
	{"alternative, empty plain", mixed("alternative", "text/plain\n\n \n", "text/html\n\n<p>rich</p>"), "rich\n"},
	{"texts are joined", mixed("mixed", "text/plain\n\none", "text/plain\n\ntwo"), "one\ntwo"},
	{"HTML after plain", mixed("mixed", "text/plain\n\none", "text/html\n\n<p>two</p>"), "one"},
	{"HTML with a list's footer", mixed("mixed", "text/html\n\n<p>one</p>", "text/plain\n\nfooter"), "one\n\nfooter"},
	{"part without type", mixed("mixed", "\n\none", "a/b\n\nx"), "one\n2 a/b  x"},
	{"attached text", mixed("mixed", "text/plain\n\none", "text/plain\nContent-Disposition: attachment\n\ntwo"), "one\n2 text/plain  two"},
	{"named text", mixed("mixed", "text/plain\n\none", "text/plain; name=a.txt\n\ntwo"), "one\n2 text/plain a.txt two"},
	{"unknown disposition", mixed("mixed", "text/plain\nContent-Disposition: x\n\none"), "\n1 text/plain  one"},
	{"broken disposition", mixed("mixed", "text/plain\nContent-Disposition: =?x?\n\none"), "one"},
	{"forwarded mail", mixed("mixed", "text/plain\n\none", "message/rfc822\n\nSubject: x\n\nbody"), "one\n2 message/rfc822  Subject: x\n\nbody"},
	{"digest", mixed("digest", "\n\nSubject: x\n\nbody"), "\n1 message/rfc822  Subject: x\n\nbody"},
	{"cid", mixed("related", "text/html\n\n<img src='cid:a%40b'>hi", "image/png\nContent-ID: <a@b>\n\nx"), "hi\n\n2 image/png  x inline"},
	{"cid not referred to", mixed("related", "text/html\n\nhi", "image/png\nContent-ID: <a@b>\n\nx"), "hi\n\n2 image/png  x"},
	{"not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: a/b\n\nx", "one\n2 a/b  x"},
	{"inner not closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--", "one\ntwo"},
	{"boundary starts another", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--", "one\ntwo"},
	{"no boundary", "Content-Type: multipart/mixed\n\n--b\nContent-Type: text/plain\n\none\n--b--", "one"},
	{"wrong boundary", "Content-Type: multipart/mixed; boundary=x\n\n--b\nContent-Type: text/plain\n\none\n--b--", "one"},
	{"odd boundary", "Content-Type: multipart/mixed; boundary==_a:b/?\n\n--=_a:b/?\n\none\n--=_a:b/?--", "one"},
	{"boundary with blanks behind", "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b \t\n\none\n--b-- \n", "one"},
	{"no parts", "Content-Type: multipart/mixed; boundary=b\n\njust text", "just text"},
	{"only the closing delimiter", "Content-Type: multipart/mixed; boundary=b\n\ntext\n--b--\n", "text\n--b--\n"},
	{"no parts, attached", "Content-Type: multipart/mixed; name=x\n\ntext", "\n1 text/plain x text"},
	{"tab in a charset", "Content-Type: a/b; charset=x\ty\n\nbody", "\n1 a/b  body"},
	{"header ends at delimiter", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n--b\n\ntwo\n--b--", "two"},
	{"part without empty line", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\none\n--b\n\ntwo\n--b--", "one\ntwo"},
	{"preamble and epilogue", "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b--\npost", "one"},
	{"uuencode stays text", "\nbegin 644 a\n#86)C\n`\nend\n", "begin 644 a\n#86)C\n`\nend\n"},
	{"base64 text", "Content-Transfer-Encoding: base64\n\naGVsbG8=\n____\nlist footer\n", "hello"},
	{"flowed", "Content-Type: text/plain; format=flowed\n\na \nb\n> c \n> d\n >e\n-- \nf", "a b\n> c d\n>e\n-- \nf"},
	{"flowed, DelSp", "Content-Type: text/plain; format=flowed; delsp=yes\n\na \nb", "ab"},
	{"flowed, a letter and its accent", "Content-Type: text/plain; format=flowed; delsp=yes\n\nn \n\u0300", "ǹ"},
	{"top part attached", "Content-Type: a/b; name=x\n\nbody", "\n1 a/b x body"},
	{"semicolon missing", "Content-Type: multipart/mixed\n boundary=b\n\n--b\n\none\n--b--", "one"},
}

func mixed(kind string, parts ...string) string {
	return "Content-Type: multipart/" + kind + "; boundary=b\n\n--b\nContent-Type: " +
		strings.Join(parts, "\n--b\nContent-Type: ") + "\n--b--\n"
}

// wrong starts a multipart with a boundary other than the declared one.
func wrong(n int) string {
	return "Content-Type: multipart/mixed; boundary=x\n\n--y" + itoa(n) + "\n"
}

func describe(t *testing.T, m *Mail, raw []byte) string {
	s := m.Text
	for _, p := range m.Parts {
		s += fmt.Sprintf("\n%s %s %s %s", p.Path, p.ContentType, p.Filename, readAll(t, p.Open(raw)))
		if p.Inline {
			s += " inline"
		}
	}
	return s
}

func TestStructure(t *testing.T) {
	for _, c := range structures {
		raw := []byte(c.mail)
		m := Parse(raw)
		checkMail(t, m, raw)
		if got := describe(t, m, raw); got != c.want {
			t.Errorf("%s: got %q, want %q; problems: %q", c.name, got, c.want, m.Problems)
		}
	}
}

// TestLineEnds: what holds with LF holds with CRLF.
func TestLineEnds(t *testing.T) {
	for _, c := range structures {
		if strings.Contains(c.mail, "\r") {
			continue
		}
		a, raw := Parse([]byte(c.mail)), []byte(strings.ReplaceAll(c.mail, "\n", "\r\n"))
		got := strings.ReplaceAll(describe(t, Parse(raw), raw), "\r\n", "\n")
		if want := describe(t, a, []byte(c.mail)); got != want {
			t.Errorf("%s with CRLF: %q, want %q", c.name, got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ mail, want string }{
		{"", "The mail has no header."},
		{"From a\nFrom: a@b\n\n", "An mbox line stands before the header; it was left out."},
		{"From: a@b\nFrom: c@d\n\n", "The mail does not have exactly one author."},
		{"Date: soon\n\n", "The date \"soon\" can't be read."},
		{"Content-Type: text/plain; charset=x-foo\n\n\xff", "The charset \"x-foo\" is unknown; it was guessed."},
		{"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n", "A multipart is not closed."},
		{"To: " + strings.Repeat("a@b,", 501) + "\n\n", "To has more than 500 addresses; the rest was left out."},
		{"\n" + strings.Repeat("a", maxText+1), "The text is longer than 2 MiB; it was cut."},
		{"Subject: " + strings.Repeat("a", maxHeader), "The header is longer than 256 KiB; the rest of it was left out."},
		{"Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\n\n", 501), "The mail has more than 500 parts; the rest was not looked at."},
		{strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 51), "Multiparts are nested deeper than 50; the innermost is kept as one attachment."},
		{"Content-Type: a/b" + strings.Repeat(";a=b", 101) + "\n\n", "A field has more than 100 parameters; the rest was left out."},
		{wrong(1) + wrong(2) + wrong(3) + "Content-Type: text/plain\n\nx", "A multipart has no parts; it is shown as text."},
		{"References: " + strings.Repeat("<a@b>", 201) + "\n\n", "References has more than 200 ids; the first and the newest were kept."},
	} {
		m := Parse([]byte(c.mail))
		if !strings.Contains(strings.Join(m.Problems, "\n"), c.want) {
			t.Errorf("%.60q: problems %q, want %q", c.mail, m.Problems, c.want)
		}
	}
	if m := Parse([]byte("From: a@b\nDate: Mon, 2 Jan 2006 15:04:05 +0100\n\nhello\n")); len(m.Problems) > 0 {
		t.Errorf("an ordinary mail has problems: %q", m.Problems)
	}
}
