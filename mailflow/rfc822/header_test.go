package rfc822

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct{ mail, want string }{
		{"A: b\nC: d\n\n", "A=b|C=d"},
		{"A:b\n\n", "A=b"},
		{"A : b\n\n", "A=b"},
		{"A: b\n c\n\td\n\n", "A=b c\td"},
		{"A:\n b\n\n", "A= b"},
		{"A: b\n \nC: d\n\n", "A=b|C=d"},
		{"A: b\n\nC: d\n", "A=b"},
		{"A: b\nMy key: x\nTo: d\n\n", "A=b|To=d"},
		{"A: b\nno colon\nalso none\nFrom: d\n\n", "A=b|From=d"},
		{"A: b\nno colon\n\nFrom: d\n", "A=b"},
		{"\xef\xbb\xbfA: b\n\n", "A=b"},
		{"From :b\n\n", "From=b"},
		{">From a b\nA: b\n\n", "A=b"},
		{"A: gr\xfc\xdfe\n\n", "A=grüße"},
		{"A: grüße\n\n", "A=grüße"},
		{"A: \xcf\xf0\nContent-Type: text/plain; charset=windows-1251\n\n", "A=Пр|Content-Type=text/plain; charset=windows-1251"},
		{"A: \xbc\xa8\xd0\xa7\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=gb2312\n\n--b--", "A=绩效|Content-Type=multipart/mixed; boundary=b"},
		{"A: \x83\x65\nContent-Type: text/plain; charset=iso-2022-jp\n\n", "A=テ|Content-Type=text/plain; charset=iso-2022-jp"},
		{"A: u\u0308\x00\n\n", "A=ü"},
		{"A: b", "A=b"},
		{": b\n\nx", ""},
		{"A: =?utf-8?q?b?=\n\n", "A==?utf-8?q?b?="},
	} {
		var got []string
		for _, f := range Parse([]byte(c.mail)).Header {
			got = append(got, f.Name+"="+f.Value)
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q: %q, want %q", c.mail, s, c.want)
		}
	}
}

func TestHeaderGet(t *testing.T) {
	h := Header{{"A", "1"}, {"b", "2"}, {"a", "3"}}
	if h.Get("a") != "1" || h.Get("B") != "2" || h.Get("c") != "" || fmt.Sprint(h.Values("A")) != "[1 3]" || h.Values("c") != nil {
		t.Error(h.Get("a"), h.Get("B"), h.Get("c"), h.Values("A"))
	}
}

func TestSubject(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"=?utf-8?q?gr=C3=BC=C3=9Fe?=", "grüße"},
		{"=?ISO-8859-1?B?Z3L832U=?=", "grüße"},
		{"=?utf-8?b?Z3LDvMOfZQ?=", "grüße"},           // no padding
		{"a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d"}, // blanks between words go
		{"=?utf-8?q?b?=\n =?utf-8?q?c?=", "bc"},       // folded
		{"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"},      // split within a character
		{"=?utf-8?b?w7w=?= =?utf-8?q?=C3=BC?=", "üü"}, // one charset, two encodings
		{"=?utf-8?q?a?= =?iso-8859-1?q?=FC?=", "aü"},  // two charsets
		{"a=?utf-8?q?b?=c", "abc"},                    // not set off
		{"=?utf-8?q?a b?=", "a b"},                    // a blank inside
		{"=?utf-8*de?q?a?=", "a"},                     // RFC 2231 §5
		{"=?utf-8?q?a", "=?utf-8?q?a"},                // not closed
		{"=?utf-8?x?a?=", "=?utf-8?x?a?="},            // no such encoding
		{"=?x-unknown?q?=FC?=", "ü"},                  // no such charset
		{"=?iso-8859-1?Q?Fr\xf6=F6?=", "Fröö"},        // raw bytes inside
		{"=?utf-8?q?=zz=4?=", "=zz=4"},                // broken escapes
		{"=?utf-8?q??=", ""},                          // empty
		{"=?gb2312?B?vKjQp7ncwO0=?=", "绩效管理"},
		{"=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "テスト"},
		{"\x1b$B%F%9%H\x1b(B", "テスト"},
		{"a\u202eb\u2066c\u061cd", "abcd"},
		{"a\u200db\u200cc\ufe0fd\u200ee", "a\u200db\u200cc\ufe0fd\u200ee"},
		{"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"}, // no line can be smuggled in
		{"=?utf-8?q?a=00b=1B[1m?=", "ab[1m"},
		{"u\u0308", "ü"},
	} {
		if got := Parse([]byte("Subject: " + c.in + "\n\n")).Subject; got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDate(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Mon, 2 Jan 2006 15:04:05 +0100", "2006-01-02T15:04:05+01:00"},
		{"Mon, 2 Jan 2006 15:04:05 +0100 (CET)", "2006-01-02T15:04:05+01:00"},
		{"2 Jan 2006 15:04 GMT", "2006-01-02T15:04:00Z"},
		{"Mon, 02 Jan 06 15:04:05 EST", "2006-01-02T15:04:05-05:00"},
		{"Mo, 2. Jan 2006 15:04:05 +0100", "2006-01-02T15:04:05+01:00"},
		{"Di, 3. Mär 2020 15:04:05 MEZ", "2020-03-03T15:04:05+01:00"},
		{"mar., 3 déc. 2019 15:04:05 +0100", "2019-12-03T15:04:05+01:00"},
		{"Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05Z"},
		{"Tue Mar  3 15:04:05 CET 2020", "2020-03-03T15:04:05+01:00"},
		{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05Z"},
		{"2006-01-02 15:04:05 +0530", "2006-01-02T15:04:05+05:30"},
		{"2006-01-02T15:04:05.123-07:00", "2006-01-02T15:04:05-07:00"},
		{"2-Jan-2006 3:04 PM", "2006-01-02T15:04:00Z"},
		{"02.01.2006 15:04", "2006-01-02T15:04:00Z"},
		{"Mon, 2 Jan 106 15:04:05 -0000", "2006-01-02T15:04:05Z"},
		{"Mon,2 Jan 2006 15:04:05+0100", "2006-01-02T15:04:05+01:00"},
		{"31 Feb 2006 15:04:05 +0100", ""},
		{"Mon, 2 Jan 2006 99:04:05 +0100", ""},
		{"Mon, 2 Jan 15:04:05 +0100", ""},
		{"Thu, 29 Apr 1995 23:34:45 -0800 From: Mail May", "1995-04-29T23:34:45-08:00"},
		{"0Z000:00", ""},
		{"yesterday", ""},
		{"", ""},
		{"31 Dec 9999 23:59:59 -2300", ""},
	} {
		got := ""
		if d := parseDate(c.in); !d.IsZero() {
			got = d.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParams(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`text/plain; charset=utf-8`, "text/plain map[charset:utf-8]"},
		{`text/plain;CHARSET="utf-8";;`, "text/plain map[charset:utf-8]"},
		{`text/plain; charset="utf-8`, "text/plain map[charset:utf-8]"},
		{`text/plain; charset="utf-8; name=x`, "text/plain map[charset:utf-8 name:x]"},
		{`text/plain; charset="utf-8" ,`, "text/plain map[charset:utf-8]"},
		{`text/plain charset=x`, "text/plain map[charset:x]"},
		{`a/b; name=my file.pdf`, "a/b map[name:my file.pdf]"},
		{`a/b; name="a;b\"c"`, `a/b map[name:a;b"c]`},
		{`a/b; name="C:\TEMP\x"`, `a/b map[name:C:\TEMP\x]`},
		{`a/b; boundary=a b`, "a/b map[boundary:a b]"},
		{`a/b; boundary==_x:y`, "a/b map[boundary:=_x:y]"},
		{`a/b; name*=utf-8''gr%C3%BC%C3%9Fe.txt`, "a/b map[name:grüße.txt]"},
		{`a/b; name*0="a"; name*1="b"`, "a/b map[name:ab]"},
		{`a/b; name*1="b"; name*0="a"`, "a/b map[name:ab]"},
		{`a/b; name*0*=utf-8''%C3; name*1*=%BC; name*2=%41`, "a/b map[name:ü%41]"},
		{`a/b; name=x; name*=utf-8''y`, "a/b map[name:y]"},
		{`a/b; name*=y`, "a/b map[name:y]"},
		{`a/b; name==?utf-8?q?=C3=BC?=`, "a/b map[name:ü]"},
		{`a/b; name="=?utf-8?q?=C3?= =?utf-8?q?=BC?="`, "a/b map[name:ü]"},
		{`a/b; name*=windows-1252'de'gr%FC`, "a/b map[name:grü]"},
		{`a/b; name*99999999999999=x`, "a/b map[]"},
		{``, " map[]"},
	} {
		value, p, _ := parseParams(c.in)
		if got := value + " " + fmt.Sprint(map[string]string(p)); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestFilename(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a.txt", "a.txt"},
		{`C:\TEMP\a.txt`, "a.txt"},
		{"../../etc/passwd", "passwd"},
		{`..\..\a`, "a"},
		{"..", ""},
		{"a/", ""},
		{"\u200b.htaccess", ".htaccess"},
		{"a\u202egpj.exe", "agpj.exe"},
		{"a\x00b\nc", "ab c"},
		{strings.Repeat("a", 5000) + ".txt", strings.Repeat("a", 251) + ".txt"},
		{strings.Repeat("ü", 200), strings.Repeat("ü", 127)},
		{"grüße 👩\u200d💻.txt", "grüße 👩\u200d💻.txt"},
	} {
		if got := cleanFilename(c.in); got != c.want {
			t.Errorf("%.60q: %q, want %q", c.in, got, c.want)
		}
	}
}
