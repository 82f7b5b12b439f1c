package mailflow

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// fuzzFlow is a Flow without a store, for what only reads.
func fuzzFlow() *Flow {
	var settings atomic.Pointer[Settings]
	settings.Store(testSettings())
	return &Flow{Settings: &settings, Keys: testKeys, Log: slog.New(slog.DiscardHandler)}
}

// FuzzCommand: every line of an agent's text is a command or a word, none is
// lost, and no command hides in the words.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"#resolve\n\nDone.", "#note he owes us", "#CC a@b.example; c@d.example\n#take", "# ls\n#1\n#!/bin/sh", "#résoudre:\u00a0voilà", "\n\n#help",
		"#note, he owes us", "##", "#\u202ere", "#cc " + strings.Repeat("a@b.example ", 40), "#customer \"a\\\" b\"@c", "#assign\r\nx"} {
		f.Add(s)
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add("#" + rfc822.Parse(raw).Text) })
	s := testSettings()
	d := decision{s: s}
	f.Fuzz(func(t *testing.T, text string) {
		var cmds []command
		var words string
		fuzztest.Cheap(t, func() { cmds, words = parseCommands(text) })
		if again, rest := parseCommands(words); len(again) > 0 || rest != words {
			t.Errorf("words %q hold commands %+v", words, again)
		}
		at := 0
		for _, c := range cmds {
			i := strings.Index(text[at:], c.line)
			if i < 0 || strings.TrimSpace(text[at:at+i]) != "" || c.line[0] != '#' || strings.Contains(c.line, "\n") || c.name == "" && commandNames[c.name] != "" {
				t.Fatalf("command %+v of %q", c, text)
			}
			at += i + len(c.line)
			if c.name != "customer" && c.name != "integrator" && c.name != "cc" {
				continue
			}
			var p plan
			reason := ""
			fuzztest.Cheap(t, func() { reason = d.checkAdd(&p, c) })
			for _, s := range p.steps {
				if strings.ContainsAny(s.add.Address, "\r\n\x00") || !strings.Contains(s.add.Address, "@") || len(p.steps) > 20 {
					t.Errorf("%+v becomes a party", s.add)
				}
			}
			if reason == "" && len(p.steps) == 0 {
				t.Errorf("%q: %d parties, %q", c.line, len(p.steps), reason)
			}
		}
		if strings.TrimSpace(text[at:]) != words {
			t.Errorf("%q and %q make words %q", text[:at], text[at:], words)
		}
		spokenWords(cmds, words)
	})
}

// FuzzSubject: a number counts only as one of our desks writes it, and two
// subjects are compared cheaply, however often they were answered.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"Re: [#INC-000123] x", "[#inc-000123]", "[#SAL-00001][#INC-1]", "[#INC-" + strings.Repeat("9", 60) + "]", "[#[#INC-000001]]",
		strings.Repeat("Re: ", 200) + "x", strings.Repeat("[#", 200), "AW: WG: Re[2]: x", "\u202e[#INC-000001]"} {
		f.Add(s)
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add(rfc822.Parse(raw).Subject + " [#INC-000123]") })
	ours := regexp.MustCompile(`^(?:INC|SAL)-[0-9]{1,15}$`)
	flow := fuzzFlow()
	f.Fuzz(func(t *testing.T, s string) {
		var number, core string
		fuzztest.Cheap(t, func() { number, core = flow.numberIn(s), topic(s) })
		if number != "" && (!ours.MatchString(number) || !strings.Contains(strings.ToUpper(s), "[#"+number+"]")) {
			t.Errorf("number %q of %q", number, s)
		}
		if again := topic(core); again != core && strings.Count(s, "[#") < 2 {
			// A tag within a tag is none before the outer one is gone, and lower
			// case can make a mark of what was none.
			if topic(again) != again {
				t.Errorf("%q becomes %q, then %q", s, core, again)
			}
		}
		if !sameTopic(s, "Re: "+s) && strings.TrimSpace(s) != "" {
			t.Errorf("an answer to %q has another topic", s)
		}
	})
}

// FuzzMeaning: only plain words decide, and never a long text.
func FuzzMeaning(f *testing.F) {
	for _, s := range []string{"oui, tout fonctionne, vous pouvez clôturer", "merci", "it is not solved", strings.Repeat("ok ", 200), "Ja?", "c’est réglé\n\nAda", "no no no"} {
		f.Add(s, "Ada No", true)
	}
	fuzztest.Mails(f, func(raw []byte) { f.Add(rfc822.Parse(raw).Reply, "Ada", false) })
	f.Fuzz(func(t *testing.T, text, name string, asked bool) {
		for _, state := range []ticket.State{ticket.New, ticket.Open, ticket.Pending, ticket.Resolved, ticket.Closed} {
			var e ticket.EventType
			fuzztest.Cheap(t, func() { e = meaning(text, name, state, asked) })
			switch {
			case e != ticket.Answered && len(text) > maxPlain:
				t.Errorf("a text of %d bytes is %s", len(text), e)
			case e != ticket.Answered && strings.ContainsRune(text, '?'):
				t.Errorf("a question is %s", e)
			case (e == ticket.Approve || e == ticket.Refuse) && state != ticket.Resolved && state != ticket.Closed:
				t.Errorf("what is %s cannot be %sd", state, e)
			}
		}
	})
}

// FuzzRoute: an address is at most one desk's, whatever its case, and what
// stands in a token's place is only trusted as far as it verifies.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"support@desk.example", "support+" + someToken + "@desk.example", "SUPPORT+@desk.example", "support+a@b@desk.example", "postmaster", "\u212aelp@desk.example",
		"support+" + testKeys.Reply(1, 2) + "@desk.example", "support+\r\n@desk.example", strings.Repeat("a", 400) + "@desk.example"} {
		f.Add(s)
	}
	fuzztest.Mails(f, func(raw []byte) {
		for _, a := range rfc822.Parse(raw).To {
			f.Add(a.Address)
		}
	})
	s := testSettings()
	f.Fuzz(func(t *testing.T, address string) {
		var r Route
		fuzztest.Cheap(t, func() { r = s.Route(address) })
		if r.Token != "" && (r.Desk == nil || !strings.Contains(strings.ToLower(address), r.Token)) {
			t.Errorf("%q: token %q", address, r.Token)
		}
		lower := strings.ToLower(address)
		if r.Desk != nil && !strings.HasSuffix(lower, "@desk.example") && !strings.HasPrefix(lower, "postmaster") {
			t.Errorf("%q is %s's", address, r.Desk.Key)
		}
		if again := s.Route(lower); again != r && strings.ToLower(lower) == lower {
			t.Errorf("%q: %+v, in lower case %+v", address, r, again)
		}
	})
}

// FuzzPart: an attachment that is streamed is what it is decoded to at once,
// and never longer than what was sent.
func FuzzPart(f *testing.F) {
	for _, s := range []string{"QUJD", "QUI=\n--", "=3D=\r\n b ", "begin 644 x\n#0V%T\nend\n", strings.Repeat("=3D", 1000), strings.Repeat("= ", 1000), "QUJD\n==\nREVG"} {
		for i := range len(partEncodings) {
			f.Add([]byte(s), uint8(i))
		}
	}
	fuzztest.Mails(f, func(raw []byte) {
		for _, p := range rfc822.Parse(raw).Parts {
			if p.In == "" {
				f.Add(raw[p.Offset:p.Offset+p.Length], uint8(len(raw)))
			}
		}
	})
	f.Fuzz(func(t *testing.T, body []byte, encoding uint8) {
		p := store.Part{Encoding: partEncodings[int(encoding)%len(partEncodings)], Length: int64(len(body)), Size: int64(len(body))}
		var whole, streamed []byte
		fuzztest.Cheap(t, func() {
			whole, _ = io.ReadAll(OpenPart(p, body))
			streamed, _ = io.ReadAll(StreamPart(p, bytes.NewReader(body)))
		})
		if !bytes.Equal(whole, streamed) || len(whole) > len(body) {
			t.Errorf("%s: %d bytes, streamed %d, of %d", p.Encoding, len(whole), len(streamed), len(body))
		}
	})
}

var partEncodings = []string{"base64", "quoted-printable", "x-uuencode", "8bit", ""}

// FuzzArgs: what an outbox row keeps is read as it was written; a row that
// somebody spoilt ends nothing.
func FuzzArgs(f *testing.F) {
	f.Add(args{Message: 7, Event: "answered", Reason: "a\r\nb", Words: true, Lines: []argLine{{Text: "#x", OK: true}}}.json())
	f.Add(`{"deadline":"9999-12-31T23:59:59+24:00","times":[null],"n":1e400}`)
	f.Add(strings.Repeat(`{"lines":[`, 200))
	f.Fuzz(func(t *testing.T, s string) {
		var a args
		fuzztest.Cheap(t, func() { a = argsOf(store.Outbox{Args: s}) })
		if json.Unmarshal([]byte(s), &args{}) != nil {
			return
		}
		text := a.json()
		if text == "" {
			return // a zone of 24 hours is read and cannot be written; no row of ours has one
		}
		if again := argsOf(store.Outbox{Args: text}); again.json() != text {
			t.Errorf("%s is read again as %s", text, again.json())
		}
	})
}
