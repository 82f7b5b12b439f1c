package rfc822

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"guichet/mailflow/fuzztest"
)

func TestReplyAttribution(t *testing.T) {
	check := func(line string) {
		t.Helper()
		for _, quote := range []string{"\n> old words\n", "\nold words\n"} {
			if got := ReplyText("New.\n\n" + line + "\n" + quote); got != "New." {
				t.Errorf("%q%q: got %q", line, quote, got)
			}
		}
	}
	check("On Tue, 3 Mar 2026 at 14:05, Alice Martin <alice@example.com> wrote:")
	check("On Tue, 3 Mar 2026 at 14:05, Alice Martin With A Long Name\n<alice@example.com> wrote:")
	check("On Mar 3, 2026, at 2:05 PM, Alice <\nalice@example.com>\nwrote:")
	check("Le mar. 3 mars 2026 à 14:05, Alice Martin <alice@example.com> a écrit :")
	check("Le 03/03/2026 à 14:05, Alice Martin a écrit\u00a0:")
	check("Am 03.03.2026 um 14:05 schrieb Alice Martin:")
	check("Am Di., 3. März 2026 um 14:05 Uhr schrieb Alice <alice@example.com>:")
	check("El mar, 3 mar 2026 a las 14:05, Alice (<alice@example.com>) escribió:")
	check("Il giorno mar 3 mar 2026 alle ore 14:05 Alice <alice@example.com> ha scritto:")
	check("Op di 3 mrt 2026 om 14:05 schreef Alice <alice@example.com>:")
	check("Em ter., 3 de mar. de 2026 às 14:05, Alice <alice@example.com> escreveu:")
	check("Den tis 3 mars 2026 kl 14:05 skrev Alice <alice@example.com>:")
	check("Den 3. mar. 2026 kl. 14.05 skrev Alice <alice@example.com>:")
	check("W dniu wt., 3 mar 2026 o 14:05 Alice <alice@example.com> napisał(a):")
	check("вт, 3 мар. 2026 г. в 14:05, Alice <alice@example.com>:")
	check("3 марта 2026 г., в 14:05, Alice <alice@example.com> написал(а):")
	check("ti 3. maalisk. 2026 klo 14.05 Alice (alice@example.com) kirjoitti:")
	check("út 3. 3. 2026 v 14:05 odesílatel Alice <alice@example.com> napsal:")
	check("2026年3月3日 14:05 Alice <alice@example.com>:")
	check("在 2026年3月3日,14:05,Alice <alice@example.com> 写道:")
	check("2026-03-03 14:05 GMT+01:00 Alice Martin <alice@example.com>:")
	check("---- On Tue, 03 Mar 2026 14:05:50 +0100 alice@example.com wrote ----")
}

func TestReplyHeaderBlock(t *testing.T) {
	check := func(block string) {
		t.Helper()
		if got := ReplyText("New.\n\n" + block + "\n\nold words"); got != "New." {
			t.Errorf("%q: got %q", block, got)
		}
	}
	check("From: Alice <alice@example.com>\nSent: Tuesday, March 3, 2026 2:05 PM\nTo: Bob\nSubject: x")
	check("________________________________\nFrom: Alice\nSent: Tuesday\nTo: Bob\nSubject: x")
	check("De : Alice Martin\nEnvoyé : mardi 3 mars 2026 14:05\nÀ : Bob\nObjet : x")
	check("Von: Alice\nGesendet: Dienstag, 3. März 2026 14:05\nAn: Bob\nBetreff: x")
	check("*From:* Alice\n*Sent:* Tuesday\n*To:* Bob\n*Subject:* x")
	check("Da: Alice\nInviato: martedì\nA: Bob\nOggetto: x")
	check("De: Alice\nEnviado el: martes\nPara: Bob\nAsunto: x")
	check("Van: Alice\nVerzonden: dinsdag\nAan: Bob\nOnderwerp: x")
	check("От: Alice\nОтправлено: 3 марта 14:05\nКому: Bob")
	check("-----Original Message-----\nFrom: Alice")
	check("-----Message d'origine-----\nDe : Alice")
	check("-------- Message original --------")
	check("---------- Forwarded message ---------\nFrom: Alice <alice@example.com>")
	check("-------- Message transféré --------\nSujet : x")
}

// What looks like a quote and is none stays whole.
func TestReplyKeeps(t *testing.T) {
	for _, text := range []string{
		"From: this is fine\nand goes on.",
		"From: Paris\nTo: London\nDate: 3 May 10:30\nTwo seats, please.",
		"On 3 May 2026 at 14:30 the server wrote:\nerror 500",
		"At 14:30 we wrote:\nsomething",
		"On this day\n\nI wrote something\n\nwhich was interesting.",
		"In 2013 he wrote:\nnothing",
		"Sent from my desk, it is easier than from my phone.\nYours",
		"The alert is sent from my iPhone app.",
		"A list:\n-- first\n-- second",
		"## Points\n----\n1. a\n----\nnot a signature",
		"PS> Get-Service\nRunning",
		"Subject: only one label",
		"To: Bob\nDate: 3 May 2026\nSubject: no author, no mail",
		"I asked: what is this?\n\nTo: nobody",
	} {
		if got := ReplyText("Hello,\n" + text); got != "Hello,\n"+text {
			t.Errorf("%q\n got %q", text, got)
		}
	}
}

func TestReply(t *testing.T) {
	check := func(why, text, want string) {
		t.Helper()
		if got := ReplyText(text); got != want {
			t.Errorf("%s: %q\n got %q\nwant %q", why, text, got, want)
		}
	}
	const on = "On Tue, 3 Mar 2026 at 14:05, Alice <alice@example.com> wrote:\n"
	check("answers between quotes stay", on+"> one?\nYes.\n\n> two?\nNo.\n", "Yes.\n\nNo.")
	check("answer below the quote", on+"> one?\n\nYes.\n", "Yes.")
	check("quote without marks below nothing", on+"\nYes.\n", "Yes.")
	check("only a quote", on+"> one?\n", "")
	check("only unknown quoted lines", "> one\n> two", "> one\n> two")
	check("quoted on purpose", "> one?\n\nYes.", "> one?\n\nYes.")
	check("bare forward stays whole", "---------- Forwarded message ---------\nFrom: Bob <bob@example.com>\nSubject: x\n\nwords",
		"---------- Forwarded message ---------\nFrom: Bob <bob@example.com>\nSubject: x\n\nwords")
	check("wrapped quote", on+"> a line that is as long as lines are that a program wraps at\nseventy-two\n> end\n\nYes.", "Yes.")
	check("answer in one line", on+"> a line that is as long as lines are that a program wraps at it.\nYes.\n> end\n", "Yes.")
	check("signature", "Yes.\n-- \nBob\n+33 1\n", "Yes.")
	check("signature above the quote, answer below", "Yes.\n--\nBob\n\n"+on+"> one\n\nAnd no.", "Yes.\n\nAnd no.")
	long := strings.Repeat("more\n", 50)
	check("long signature", "Yes.\n-- \n"+long, "Yes.")
	check("a divider that only looks like one", "Yes.\n--\n"+long, "Yes.\n--\n"+strings.TrimSpace(long))
	check("phone", "Yes.\n\nEnvoyé de mon iPhone\n\n> Le 3 mars 2026 à 14:05, Alice <a@example.com> a écrit :\n> one", "Yes.")
	check("Outlook for phones", "Yes.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\nFrom: A\nSent: B\nTo: C\nSubject: D\n\nold", "Yes.")
	check("phone in German", "Ja.\n\nVon meinem iPhone gesendet", "Ja.")
	check("mailing list", "Yes.\n_______________________________________________\nusers mailing list\nusers@example.com\n", "Yes.")
	check("legal notice", "Yes.\n\n**********\nThis e-mail is confidential and intended solely\nfor you. Sent in error?\n**********\n", "Yes.")
	check("one more notice", "Yes.\n\n**********\nThis e-mail is confidential and intended solely\nfor you.\n**********\n\nThe original of this mail was scanned for viruses.\nIt may be monitored.", "Yes.")
	check("quoted by initials", on+"AM> one?\nYes.\n\nAM> two?\nNo.", "Yes.\n\nNo.")
	check("a prompt is no quote", "SQL> select 1\nSQL> select 2", "SQL> select 1\nSQL> select 2")
	check("quoted by a bar", on+"| one\n| two\n\nYes.", "Yes.")
	check("a link that broke the quote", on+"> see\n (https://example.com/c/Y) >\n> more\n\nYes.", "Yes.")
	check("all of it indented, a quote within", "> Yes.\n> On Tue, 3 Mar 2026 at 14:05, Alice wrote:\n> one?", "> Yes.\n> On Tue, 3 Mar 2026 at 14:05, Alice wrote:\n> one?")
	check("shared line", "Yes--- On Wed, Apr 4, 2012 at 3:59 PM, me@example.com wrote:\n> Hi", "Yes")
	check("empty", "", "")
}

func TestCutAtMarker(t *testing.T) {
	const marker = "## Please answer above this line ##"
	check := func(text, want string, found bool) {
		t.Helper()
		got, ok := CutAtMarker(text, marker)
		if got != want || ok != found {
			t.Errorf("%q\n got %q %v\nwant %q %v", text, got, ok, want, found)
		}
	}
	check("Yes.\n\n"+marker+"\nold", "Yes.", true)
	check("Yes.\n\nOn Tue, 3 Mar 2026 at 14:05, Desk <desk@example.com> wrote:\n\n> "+marker+"\n> old", "Yes.", true)
	check("Yes.\n\nLe mar. 3 mars 2026 à 14:05, Le support technique de la maison\n<desk@example.com> a écrit :\n> > "+marker+"\n", "Yes.", true)
	check("Yes.\n\nFrom: Desk <desk@example.com>\nSent: Tuesday\nTo: Bob\nSubject: x\n\n"+marker, "Yes.", true)
	check("Yes.\n> ## Please answer above\n> this line ##\n> old", "Yes.", true)
	check("Yes.\n\nNo marker.", "Yes.\n\nNo marker.", false)
	check("On Monday I wrote: yes.\n"+marker, "On Monday I wrote: yes.", true)
}

func TestWithoutKnown(t *testing.T) {
	const known = "Hello Alice,\n\nThe line is down since noon and we are looking into it.\nRegards\nThe desk\n"
	check := func(why, text, want string) {
		t.Helper()
		if got := WithoutKnown(text, known); got != want {
			t.Errorf("%s: %q\n got %q\nwant %q", why, text, got, want)
		}
	}
	check("quoted", "Thanks.\n\n> Hello Alice,\n>\n> The line is down since noon and we are looking into it.\n> Regards\n> The desk", "Thanks.")
	check("wrapped again", "Thanks.\n\nHello Alice,\nThe line is down since\nnoon and we are\nlooking into it. Regards\nThe desk", "Thanks.")
	check("the greeting of new words stays", "Hello Alice,\nit works now.\nRegards", "Hello Alice,\nit works now.\nRegards")
	check("words between", "> The line is down since noon and\nIs it?\n> we are looking into it.", "Is it?")
	check("nothing known", "New.\n\n👍", "New.\n\n👍")
	if got := WithoutKnown("Mine\n---\none two three four\n---\n***\nMine", "one two three four\n---"); got != "Mine\n---\n***\nMine" {
		t.Errorf("rules: %q", got)
	}
	for _, text := range []string{"👍", "👍\n\nThank you."} {
		if got := WithoutKnown(text, "one two three four\n👍"); got != text {
			t.Errorf("%q, which also stands in what it answers: %q", text, got)
		}
	}
	if got := WithoutKnown("OK then\nYes\nNo", "ok then"); got != "Yes\nNo" {
		t.Errorf("short known text: %q", got)
	}
}

func TestIsForward(t *testing.T) {
	check := func(want bool, subject, text string, parts ...string) {
		t.Helper()
		m := &Mail{Subject: subject}
		for _, p := range parts {
			m.Parts = append(m.Parts, Part{ContentType: p})
		}
		if got := IsForward(m, text); got != want {
			t.Errorf("%q %q %v: %v", subject, text, parts, got)
		}
	}
	const header = "From: Bob <bob@example.com>\nSent: Tuesday 3 March 2026\nTo: Alice\nSubject: x\n\nwords"
	check(true, "Fwd: x", "See below.\n\n---------- Forwarded message ---------\n"+header)
	check(true, "x", "Begin forwarded message:\n\n> From: Bob <bob@example.com>")
	check(true, "x", "Début du message réexpédié :\n\n"+header)
	check(true, "x", "-------- Message transféré --------\nSujet : x")
	check(true, "TR: x", "Pour toi.\n\n"+header)
	check(true, "WG: x", header)
	check(true, "RE: FW: x", "-----Original Message-----\n"+header)
	check(true, "Fwd: x", "See the attachment.", "message/rfc822")
	check(false, "x", "See the attachment.", "message/rfc822")
	check(false, "Re: x", "Yes.\n\n"+header)
	check(false, "Re: Fwd: x", "Yes.\n\nOn Tue, 3 Mar 2026 at 14:05, Bob <bob@example.com> wrote:\n> ---------- Forwarded message ---------")
	check(false, "Fwd: x", "Only a subject.")
	check(false, "I: am here", "I am.")
}

// hostileReplies are texts that would make a naive reader quadratic.
func hostileReplies(n int) map[string]string {
	return map[string]string{
		"starts":     strings.Repeat("On 3 May 2026 at\n", n),
		"verbs":      strings.Repeat("On Monday 3/3/2026 14:05 wrote\n", n),
		"labels":     strings.Repeat("From: a\nx\n", n),
		"rules":      strings.Repeat("__________\n", n),
		"quotes":     strings.Repeat("> a@b wrote:\nx\n", n),
		"deep":       strings.Repeat(">", 10*n),
		"line":       strings.Repeat("On a@b.c wrote ", n),
		"blank":      strings.Repeat("\n", 10*n),
		"signatures": strings.Repeat("--\nSent from my iPhone\n", n),
		"dashes":     strings.Repeat("--\n", n),
		"notices":    strings.Repeat("**********\nconfidential\n", n),
		"angles":     strings.Repeat("On <\n\n<\n", n),
		"colons":     strings.Repeat("Bob wrote:\n", n),
		"initials":   strings.Repeat("On Mon 3/3/2026 14:05 a@b wrote:\nAB> x\n", n),
		"numbers":    strings.Repeat(strings.Repeat("Robert ", 12)+"wrote 3:\n", n/2),
		"dates":      strings.Repeat("Bob\n03/03/2026 14:05\nTo\n", n),
		"headers":    strings.Repeat("> From: a@b\n> Date: 3/3\n> To: c\nx\n", n),
		"closings":   strings.Repeat("x\nRegards,\nBob\n", n),
		"tails":      "**********\nconfidential, in error\n**********\n" + strings.Repeat("\nvirus\n", n),
	}
}

// Work grows with the text: the slowest needs a tenth of what is allowed.
func TestReplyLinear(t *testing.T) {
	for name, text := range hostileReplies(20000) {
		var got string
		took := fuzztest.CPU(t, func() { got = withoutClosing(ReplyText(text)) })
		if t.Logf("%s: %d bytes in %v", name, len(text), took); took > 2*time.Second {
			t.Errorf("%s took %s of processor time", name, took)
		}
		if len(got) > len(text) {
			t.Errorf("%s: %d bytes become %d", name, len(text), len(got))
		}
	}
}

func FuzzReplyText(f *testing.F) {
	for _, text := range hostileReplies(3) {
		f.Add(text, "old words")
	}
	f.Add("New.\n\nOn Tue, 3 Mar 2026 at 14:05, A <a@b.c> wrote:\n> x", "## above ##")
	fuzztest.Mails(f, func(raw []byte) { f.Add(Parse(raw).Text, "## above ##") })
	f.Fuzz(func(t *testing.T, text, other string) {
		var got string
		fuzztest.Cheap(t, func() { got = withoutClosing(ReplyText(text)) })
		if len(got) > len(text) {
			t.Errorf("%d bytes become %d", len(text), len(got))
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("not UTF-8: %q", got)
		}
		have := map[string]bool{}
		for _, l := range splitReply(text) {
			have[strings.TrimSpace(l.raw)] = true
		}
		for l := range strings.SplitSeq(got, "\n") {
			if l = strings.TrimSpace(l); l != "" && !have[l] && !strings.Contains(text, l) {
				t.Errorf("%q is not of the text", l)
			}
		}
		if above, ok := CutAtMarker(text, other); ok && len(above) > len(text) {
			t.Errorf("CutAtMarker made %d of %d bytes", len(above), len(text))
		}
		fuzztest.Cheap(t, func() { WithoutKnown(text, other) })
		if rest := WithoutKnown(text, text); strings.ContainsFunc(rest, func(r rune) bool { return !notWord(r) }) && len(strings.FieldsFunc(text, notWord)) >= knownRun {
			t.Errorf("WithoutKnown of itself leaves %q", rest)
		}
		IsForward(&Mail{Subject: other}, text)
	})
}
