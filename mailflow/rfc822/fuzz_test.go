package rfc822

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"guichet/mailflow/fuzztest"
)

// Targets for the readers of single fields. FuzzParse reaches them too, but
// only behind a name and a colon that the fuzzer has to find first.

// checkLine holds for every line that is shown to people.
func checkLine(t *testing.T, what, s string) {
	t.Helper()
	if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) ||
		strings.ContainsFunc(s, func(r rune) bool { return isControl(r) || isBidi(r) }) {
		t.Errorf("%s %.80q", what, s)
	}
}

// seedFields adds all fields of the real mails that have one of these names.
func seedFields(f *testing.F, names ...string) {
	fuzztest.Mails(f, func(raw []byte) {
		for _, name := range names {
			for _, v := range Parse(raw).Header.Values(name) {
				f.Add(v)
			}
		}
	})
}

// FuzzAddresses: a list is bounded, each entry can be shown, and an address
// that can be written is read again as it was.
func FuzzAddresses(f *testing.F) {
	for _, s := range append(hostile, "a@b.example, \"B, C\" <c@d.example>; (x (y)) e@f", "g: a@b, c@d;", "<<a@b>>", "\"ceo@corp.example\" <x@evil.example>",
		"<@a,@b:c@d.example>", "=?utf-8?q?a=2C_b?= <c@d.example>", "mailto:a@b (c)", "a @ b . c", "\"a\\\"b\"@c", "(", "\"", "<", ",,,;;") {
		f.Add(s)
	}
	seedFields(f, "From", "To", "Cc", "Reply-To", "Sender")
	f.Fuzz(func(t *testing.T, s string) {
		var list []Address
		fuzztest.Cheap(t, func() { list, _ = parseAddresses(cleanField(s)) })
		if len(list) > maxAddresses {
			t.Errorf("%d addresses", len(list))
		}
		for _, a := range list {
			checkLine(t, "name", a.Name)
			checkLine(t, "address", a.Address)
			if a == (Address{}) || a.Address != "" && (!strings.Contains(a.Address, "@") || len(a.Address) > maxAddress) {
				t.Errorf("%+v", a)
			}
			wire, err := WireAddress(a.Address)
			if err != nil {
				continue
			}
			if again, _ := parseAddresses("<" + wire + ">"); len(again) != 1 || again[0].Address != wire && !strings.HasPrefix(wire, `"`) {
				t.Errorf("%q is written %q and read %+v", a.Address, wire, again)
			}
		}
	})
}

// FuzzIDs: of Message-ID, In-Reply-To and References only whole ids come out,
// and reading them again gives the same.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"<a@b>", "<a@b><c@d>", "Your message of Monday <a@b>", "a@b, c@d", "<a\t b@c>", "<<a@b>", "<>", "<a@b", "<" + strings.Repeat("x", 2000) + "@y>",
		strings.Repeat("<a@b> ", 300), "<\u202ea@b>", "<e\u0301@b>", "<a>b<c>", "\"<a@b>\"", "(<a@b>)"} {
		f.Add(s)
	}
	seedFields(f, "Message-ID", "In-Reply-To", "References")
	f.Fuzz(func(t *testing.T, s string) {
		var ids []string
		fuzztest.Cheap(t, func() { ids, _ = parseIDs(cleanField(s)) })
		if len(ids) > maxReferences {
			t.Errorf("%d ids", len(ids))
		}
		for _, id := range append(ids, ownID(cleanField(s))) {
			checkLine(t, "id", id)
			if id != "" && (len(id) < 3 || len(id) > maxID || id[0] != '<' || id[len(id)-1] != '>' || strings.ContainsAny(id[1:len(id)-1], "<> \t")) {
				t.Errorf("id %q", id)
			}
		}
		if again, _ := parseIDs(strings.Join(ids, " ")); !slices.Equal(again, ids) {
			t.Errorf("%q are read again as %q", ids, again)
		}
	})
}

// FuzzWords: what encoded words hold is bounded by what was sent, and can be
// shown.
func FuzzWords(f *testing.F) {
	for _, s := range append(hostile, "=?utf-8?q?=41?= =?utf-8?b?Qg==?=", "=?utf-8?q?a", "=?x?q?a?=", "=?utf-7?q?+AGE-?=", "=?iso-2022-jp?b?GyRC?=", "=?utf-8*fr?Q?=0D=0A=00?=",
		strings.Repeat("=?utf-8?q?a", 50)) {
		f.Add(s)
	}
	seedFields(f, "Subject", "From")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		s = cleanField(s)
		fuzztest.Cheap(t, func() { got = cleanLine(decodeWords(s)) })
		checkLine(t, "subject", got)
		if len(got) > 12*len(s) { // a byte of a charset is a character, which NFC may take apart
			t.Errorf("%d bytes become %d", len(s), len(got))
		}
		if again := cleanLine(got); again != got {
			t.Errorf("%q is cleaned to %q", got, again)
		}
	})
}

// FuzzParams: parameters are bounded, and a file name is harmless, whatever it
// was; ours is read again as it was written.
func FuzzParams(f *testing.F) {
	for _, s := range append(hostile, `text/plain; charset="utf-8`, "attachment; filename*0*=utf-8''a%2F; filename*1=..", "a; name*=utf-16'fr'%ff%fe", "text/plain charset=x",
		"a; b=c, d=e", "a;;;=;b", "a; n*0=x; n*0=y; n*2=z", "a; filename=\"C:\\x\\..\\.htaccess\u200b\"") {
		f.Add(s)
	}
	seedFields(f, "Content-Type", "Content-Disposition")
	f.Fuzz(func(t *testing.T, s string) {
		var p params
		fuzztest.Cheap(t, func() { _, p, _ = parseParams(cleanField(s)) })
		if len(p) > maxParams {
			t.Errorf("%d parameters", len(p))
		}
		for _, v := range p {
			name := cleanFilename(v)
			checkLine(t, "file name", name)
			if len(name) > maxFilename || strings.ContainsAny(name, `/\`) || name != "" && strings.Trim(name, ".") == "" || cleanFilename(name) != name {
				t.Errorf("file name %q, again %q", name, cleanFilename(name))
			}
		}
		ours := outFilename(s)
		if !outIsASCII(strings.ReplaceAll(ours, "\r\n ", "")) {
			t.Errorf("written %q", ours)
		}
		_, p, _ = parseParams("attachment" + strings.ReplaceAll(ours, "\r\n", ""))
		// A name that looks encoded is decoded once more: programs do both.
		if want := outCleanFilename(s); !strings.Contains(want, "=?") && cleanFilename(p["filename"]) != cleanFilename(want) {
			t.Errorf("%q is written %q and read %q", want, ours, p["filename"])
		}
	})
}

// FuzzDate: a date that is read can be written in every format of ours, and is
// the same when it is read again.
func FuzzDate(f *testing.F) {
	for _, s := range []string{"Sat, 21 Nov 2026 14:05:00 +0100", "21 nov. 2026 14:05", "2026-11-21T14:05:00.000Z", "Sat Nov 21 14:05:00 CET 2026", "31 Feb 2026", "1 Jan 00 24:00:60 +2400",
		"mar., 3 déc. 2024 9:05 pm", "99999999999999999999", "1/2/3", "-- : : +", "1 Jan 0001 00:00 +2400", "Sat, (a (b) c) 1 Jan 2026"} {
		f.Add(s)
	}
	seedFields(f, "Date")
	f.Fuzz(func(t *testing.T, s string) {
		var at time.Time
		fuzztest.Cheap(t, func() { at = parseDate(s) })
		if at.IsZero() {
			return
		}
		if _, err := at.UTC().MarshalJSON(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		// RFC 5322 writes no year before 1900, and its zones have whole minutes.
		if _, offset := at.Zone(); at.Year() >= 1900 && offset%60 == 0 && offset/3600 < 24 && offset/3600 > -24 {
			if again := parseDate(at.Format(time.RFC1123Z)); !again.Equal(at) {
				t.Errorf("%q is %s, and that is %s", s, at, again)
			}
		}
	})
}
