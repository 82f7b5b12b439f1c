package rfc822

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
)

func TestHTMLToText(t *testing.T) {
	check := func(why, html, want string) {
		t.Helper()
		if got := strings.TrimSuffix(htmlToText(html), "\n"); got != want {
			t.Errorf("%s:\n%s\n got %q\nwant %q", why, html, got, want)
		}
	}
	check("white space folds", "<b>a</b>  b\n\tc", "a b c")
	check("lines", "a<br>b<div>c</div>d", "a\nb\nc\nd")
	check("paragraphs are parted", "<p>a</p><p>b</p>", "a\n\nb")
	check("Outlook's paragraphs are lines", "<p class=MsoNormal>a</p><p class=MsoNormal>b</p>", "a\nb")
	check("many breaks make one empty line", "a<br><br><br><br>b", "a\n\nb")
	check("entities", "&lt;b&gt; &eacute;&#233;&amp;", "<b> éé&")
	check("no-break spaces are blanks", "a&nbsp;&nbsp;b&nbsp;", "a  b")
	check("nothing of head, style, script, comment", "<head><title>t</title><style>p{}</style></head><script>x()</script><!-- c -->a", "a")
	check("preheader", `<div style="display: none">hello <div>x</div> y</div>a`, "a")
	check("preheader of Outlook", `<span style="mso-hide:all;">x</span>a`, "a")
	check("hidden paragraph ends at the next block", `<p style="display:none">x<div>a</div>`, "a")
	check("hidden and never closed: all is shown", `<div style="display:none">x<p>a`, "x\n\na")
	check("lists", "<ul><li>a<li>b</ul><ol><li>c<li>d</ol>", "- a\n- b\n1. c\n2. d")
	check("cells", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc")
	check("links are their words", `see <a href="http://x.example/">here</a>.`, "see here.")
	check("link without words", `a <a href="http://x.example/"></a>`, "a <http://x.example/>")
	check("picture in a link", `a <a href="http://x.example/"><img src=x alt="logo"></a>`, "a")
	check("emoji as picture", `ok <img alt="👍">`, "ok 👍")
	check("quote", "a<blockquote>b<br>c<blockquote>d</blockquote></blockquote>e", "a\n> b\n> c\n>> d\ne")
	check("empty line in a quote", "<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b")
	check("indent is no quote", `<blockquote style="margin:0 0 0 40px;border:none;padding:0px">a</blockquote>`, "a")
	check("pre keeps its layout", "<pre>a\n  b</pre>", "a\n  b")
	check("noscript is seen", "<noscript>a</noscript>", "a")
	check("broken", "<div<p>a</b></i>b<", "ab<")
	check("zero width", "a\u200bb\ufeff", "ab")
}

// The output of hostile nesting stays in proportion, however deep it is.
func TestHTMLToTextNesting(t *testing.T) {
	for _, open := range []string{"<div>", "<blockquote>", "<ul><li>", "<table><tr><td>", "<a href=x>", "<pre>", `<p style="display:none">`} {
		in := strings.Repeat(open+"x ", 20000)
		if got := htmlToText(in); len(got) > 50*len(in)/len(open) {
			t.Errorf("%s: %d bytes become %d", open, len(in), len(got))
		}
	}
}

func TestHTMLToTextLimit(t *testing.T) {
	got := htmlToText(strings.Repeat("é", maxHTMLText))
	if len(got) > maxHTMLText+1 || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid: %v", len(got), utf8.ValidString(got))
	}
}

func FuzzHTMLToText(f *testing.F) {
	for _, s := range []string{"<p>a", "<blockquote>a</blockquote>", `<a href="http://x">`, "<style>x", "<ol><li>", "<pre>\n a", "&#0;&#xd800;", "<p hidden><p>"} {
		f.Add(s)
	}
	fuzztest.Mails(f, func(raw []byte) {
		if i := bytes.IndexByte(raw, '<'); i >= 0 && bytes.Contains(bytes.ToLower(raw), []byte("text/html")) {
			f.Add(string(raw[i:]))
		}
	})
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		fuzztest.Cheap(t, func() { got = htmlToText(s) })
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		if len(got) > maxHTMLText+1 {
			t.Errorf("%d bytes", len(got))
		}
		if strings.Contains(got, "\n\n\n") && !strings.Contains(s, "<pre") {
			t.Errorf("two empty lines: %q", got)
		}
	})
}
