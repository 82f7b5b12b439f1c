package rfc822

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`a@b`, "<a@b>"},
		{`Jan <a@b>`, "Jan <a@b>"},
		{`"Meyer, Jan" <a@b>`, "Meyer, Jan <a@b>"},
		{`Meyer, Jan <a@b>`, "Meyer, Jan <a@b>"},
		{`Meyer, Jan <a@b>, c@d, X, Y <e@f>`, "Meyer, Jan <a@b>; <c@d>; X, Y <e@f>"},
		{`a@b (Jan Meyer)`, "Jan Meyer <a@b>"},
		{`a@b, c@d; e@f`, "<a@b>; <c@d>; <e@f>"},
		{`=?utf-8?q?J=C3=BCrgen?= <a@b>`, "Jürgen <a@b>"},
		{`=?utf-8?q?Meyer,_Jan?= <a@b>`, "Meyer, Jan <a@b>"},
		{`"=?utf-8?q?J=C3=BCrgen?=" <a@b>`, "Jürgen <a@b>"},
		{"J\xfcrgen <a@b>", "Jürgen <a@b>"},
		{`Friends: a@b, Jan <c@d>;`, "<a@b>; Jan <c@d>"},
		{`undisclosed-recipients:;`, ""},
		{`<>`, ""},
		{``, ""},
		{`MAILER-DAEMON`, "MAILER-DAEMON <>"},
		{`<MAILER-DAEMON>`, "MAILER-DAEMON <>"},
		{`Jan <a@b`, "Jan <a@b>"},
		{`"Jan <a@b>`, "Jan <a@b>"},
		{`Jan (x <a@b>`, "Jan (x <a@b>"},
		{`Jan (a (b) c) <a@b>`, "Jan <a@b>"},
		{`Jan <<a@b>>`, "Jan <a@b>"},
		{`<'a@b'>`, "<a@b>"},
		{`'Jan' <a@b>`, "Jan <a@b>"},
		{`<mailto:a@b>`, "<a@b>"},
		{`<@x,@y:a@b>`, "<a@b>"},
		{`a @ b`, "<a@b>"},
		{`"j d"@b`, `<"j d"@b>`},
		{`Jan Meyer a@b`, "Jan Meyer <a@b>"},
		{`a@b.`, "<a@b>"},
		{`ä@ö.de`, "<ä@ö.de>"},
		{`"ceo@corp" <x@evil>`, "<x@evil>"},
		{`"ceo＠corp" <x@evil>`, "<x@evil>"},
		{`=?utf-8?q?ceo=40corp?= <x@evil>`, "<x@evil>"},
		{`"ceo @corp.example" <x@evil>`, "<x@evil>"},
		{`"X@evil" <x@evil>`, "X@evil <x@evil>"},
		{`"Meet @ Home" <x@evil>`, "Meet @ Home <x@evil>"},
		{"\"a\u202eb\u200f\" <x@evil>", "ab <x@evil>"},
		{"\u200b", ""},
		{"<n(x)\u0300@b>", "<ǹ@b>"},
		{`=?utf-8?q?a=0D=0ABcc:_x=40y?= <c@d>`, "<c@d>"},
		{`Jan <a@b> junk`, "Jan junk <a@b>"},
		{`Jan <jan> <a@b>`, "Jan <a@b>"},
		{"a@" + strings.Repeat("b", 400), ""},
	} {
		m := Parse([]byte("To: " + c.in + "\n\n"))
		var got []string
		for _, a := range m.To {
			got = append(got, strings.TrimSpace(a.Name+" <"+a.Address+">"))
		}
		if s := strings.Join(got, "; "); s != c.want {
			t.Errorf("%.60q: %q, want %q", c.in, s, c.want)
		}
	}
}

// TestTwoAuthors: a mail with two From fields shows both addresses, so that
// none can be proven while another is shown.
func TestTwoAuthors(t *testing.T) {
	if m := Parse([]byte("From: a@b\nFrom : c@d\n\n")); len(m.From) != 2 {
		t.Errorf("From is %v", m.From)
	}
	if m := Parse([]byte("From: [???]\nFrom: c@d\n\n")); len(m.From) != 1 || len(m.Problems) == 0 {
		t.Errorf("From is %v, problems %q", m.From, m.Problems)
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"<a@b>", "<a@b>"},
		{"<a@b> <c@d>", "<a@b> <c@d>"},
		{"<a@b><c@d>", "<a@b> <c@d>"},
		{"<a@b>,\n\t<c@d>", "<a@b> <c@d>"},
		{"<a\n b@c>", "<ab@c>"}, // folded within
		{"Your message of Monday <a@b>", "<a@b>"},
		{"a@b c@d", "<a@b> <c@d>"},
		{"<[abc]@x.y>", "<[abc]@x.y>"},
		{"<abc>", "<abc>"},
		{"<<a@b>", "<a@b>"},
		{"<a@b", "<a@b>"},
		{"<>", ""},
		{"none", ""},
		{"a@b>c", "<a@b>"}, // an id never holds a bracket
		{"<a\u202e@b>", "<a@b>"},
		{"<n \u0300@b>", "<ǹ@b>"},
	} {
		m := Parse([]byte("References: " + c.in + "\n\n"))
		if got := strings.Join(m.References, " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{
		{"<a@b>", "<a@b>"}, {" <a@b> (x)", "<a@b>"}, {"a@b", "<a@b>"}, {"no at sign", "<noatsign>"}, {"", ""}, {"<>", ""},
	} {
		if got := Parse([]byte("Message-Id: " + c.in + "\n\n")).MessageID; got != c.want {
			t.Errorf("Message-ID %q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestReferencesKeepFirstAndNewest(t *testing.T) {
	var b strings.Builder
	b.WriteString("References: <first@x>")
	for i := range 1000 {
		b.WriteString(" <" + itoa(i) + "@x>")
	}
	refs := Parse([]byte(b.String())).References
	if len(refs) != 200 || refs[0] != "<first@x>" || refs[1] != "<801@x>" || refs[199] != "<999@x>" {
		t.Errorf("%d references, %s %s … %s", len(refs), refs[0], refs[1], refs[len(refs)-1])
	}
}
