package rfc822

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"guichet/mailflow/fuzztest"
)

// hostile is put into every value that people or programs give.
var hostile = []string{
	"x\r\nBcc: victim@customer.example", "x\nBcc: victim@customer.example", "x\rBcc: a@b",
	"=?utf-8?q?x=0D=0ABcc:_a@b?=", "%0d%0aBcc: a@b", "a\x00b", "\u202egpj.exe", "\u2066x\u2069",
	strings.Repeat("panne ", 250), strings.Repeat("ü", 800), strings.Repeat("a", 1500),
	strings.Repeat("👩‍👩‍👧‍👦", 60), "<b>O'Neil & Söhne</b>", `"; filename="evil.exe`, "\xff\xfe\xc3",
	"", " ", "  a   b  ", "\u2028x", "Grüße\t\"x\".pdf", "../../etc/passwd", ".", "ß", "=_none", "--", "=?",
	"Re: Müller =?utf-8?q?x?= [#INC-000123]", "a,b;c:d<e>f(g)h@i[j]k", "Content-Type: multipart/related;",
	" boundary=0123456789012345678901234567890123456789012345678901234567890",
}

func outHostile(t *rapid.T, label string) string {
	if rapid.Bool().Draw(t, label+" free") {
		return rapid.String().Draw(t, label)
	}
	return rapid.SampledFrom(hostile).Draw(t, label)
}

func drawOutgoing(t *rapid.T) *Outgoing {
	id := rapid.SampledFrom([]string{"<a@b.example>", "<no-at>", "bad", "<a b@c>", "<a\r\nX: y@z>", "<" + strings.Repeat("x", 500) + "@y>"})
	address := rapid.SampledFrom([]string{"a@customer.example", "o'neil+x@müller.example", "a..b@desk.example"})
	who := func(l string) Address { return Address{outHostile(t, l), address.Draw(t, l+" at")} }
	o := &Outgoing{
		From: who("from"), ReplyTo: who("reply"), To: []Address{who("to"), who("to2")}, Cc: []Address{who("cc")},
		Subject: outHostile(t, "subject"), Date: time.Unix(1795000000, 0).UTC(), MessageID: "<t@desk.example>",
		InReplyTo: id.Draw(t, "irt"), References: rapid.SliceOfN(id, 0, 50).Draw(t, "refs"),
		Extra: []Field{{"X-Guichet-Kind", "update"}, {"Auto-Submitted", "auto-replied"}},
		Text:  outHostile(t, "text"), HTML: outHostile(t, "html"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "files") {
		o.Attachments = append(o.Attachments, Attachment{
			Filename: outHostile(t, "file"), ContentType: rapid.SampledFrom([]string{"image/png", "text/plain; charset=iso-8859-1", "message/rfc822", "x\r\nBcc: a@b", ""}).Draw(t, "type"),
			ContentID: rapid.SampledFrom([]string{"p1@x", "a b", "", "x>\r\nBcc: a"}).Draw(t, "cid"), Inline: rapid.Bool().Draw(t, "inline"),
			Data: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data"),
		})
	}
	return o
}

func outRender(t interface{ Fatalf(string, ...any) }, o *Outgoing) []byte {
	b, err := o.Body()
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	h, err := o.Write(b)
	if err != nil {
		t.Fatalf("header: %v", err)
	}
	return append(h, b.Bytes...)
}

// checkLines is what every mail of ours must hold to, whatever is in it.
func checkLines(t interface{ Fatalf(string, ...any) }, raw []byte) {
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		t.Fatalf("does not end in CRLF")
	}
	for _, l := range strings.Split(string(raw), "\r\n") {
		if strings.ContainsAny(l, "\r\n") {
			t.Fatalf("bare CR or LF in %q", l)
		}
		if len(l) > 998 {
			t.Fatalf("line of %d: %.80q", len(l), l)
		}
		if !outIsASCII(strings.ReplaceAll(l, "\t", "")) {
			t.Fatalf("not printable ASCII: %q", l)
		}
	}
}

var outAllowed = map[string]bool{
	"Date": true, "From": true, "Reply-To": true, "To": true, "Cc": true, "Subject": true, "Message-Id": true,
	"In-Reply-To": true, "References": true, "X-Guichet-Kind": true, "Auto-Submitted": true, "Mime-Version": true,
	"Content-Type": true, "Content-Transfer-Encoding": true,
}

func TestWriteProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOutgoing(t)
		raw := outRender(t, o)
		if !bytes.Equal(raw, outRender(t, o)) {
			t.Fatalf("two renderings differ")
		}
		checkLines(t, raw)
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		for name, v := range m.Header {
			if !outAllowed[name] || len(v) != 1 {
				t.Fatalf("field %s: %q", name, v)
			}
		}
		dec := new(mime.WordDecoder)
		subject, err := dec.DecodeHeader(m.Header.Get("Subject"))
		if err != nil || strings.TrimSpace(subject) != strings.TrimSpace(outClean(o.Subject)) {
			t.Fatalf("subject %q, wanted %q (%v)", subject, outClean(o.Subject), err)
		}
		for _, f := range []string{"From", "To", "Cc", "Reply-To"} {
			list, err := m.Header.AddressList(f)
			if err != nil {
				t.Fatalf("%s %q: %v", f, m.Header.Get(f), err)
			}
			want := map[string][]Address{"From": {o.From}, "To": o.To, "Cc": o.Cc, "Reply-To": {o.ReplyTo}}[f]
			if len(list) != len(want) {
				t.Fatalf("%s: %d addresses", f, len(list))
			}
			for i := range want {
				if got, name := list[i].Name, outNameOf(want[i].Name); got != name {
					t.Fatalf("%s: name %q, wanted %q", f, got, name)
				}
			}
		}
		checkOwnReader(t, o, raw)
		var got outFound
		outWalk(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body, &got)
		if o.Text != "" && got.text != outText(o.Text) {
			t.Fatalf("text %q, wanted %q", got.text, outText(o.Text))
		}
		if got.html != outText(o.HTML) {
			t.Fatalf("html %q, wanted %q", got.html, outText(o.HTML))
		}
		if got.count != len(o.Attachments) {
			t.Fatalf("%d files, wanted %d", got.count, len(o.Attachments))
		}
		for _, a := range o.Attachments {
			if !bytes.Equal(got.files[outCleanFilename(a.Filename)], a.Data) && !outSameName(o.Attachments, a) {
				t.Fatalf("file %q differs: %q", a.Filename, got.files)
			}
		}
	})
}

// checkOwnReader reads the mail as the gateway would.
func checkOwnReader(t interface{ Fatalf(string, ...any) }, o *Outgoing, raw []byte) {
	m := Parse(raw)
	if want := cleanLine(outClean(o.Subject)); m.Subject != want {
		t.Fatalf("subject %q, wanted %q", m.Subject, want)
	}
	if len(m.Problems) > 0 {
		t.Fatalf("problems: %q", m.Problems)
	}
	if len(m.From) != 1 || len(m.To) != len(o.To) || len(m.Cc) != len(o.Cc) || len(m.ReplyTo) != 1 {
		t.Fatalf("addresses: %v %v %v %v", m.From, m.To, m.Cc, m.ReplyTo)
	}
	if m.MessageID != o.MessageID || !m.Date.Equal(o.Date) || len(m.References) > 20 {
		t.Fatalf("%s %s %d", m.MessageID, m.Date, len(m.References))
	}
	if len(m.Parts) != len(o.Attachments) {
		t.Fatalf("%d parts, wanted %d", len(m.Parts), len(o.Attachments))
	}
	for _, p := range m.Parts {
		if strings.ContainsAny(p.Filename, "\r\n\x00/") || p.ContentType == "message/rfc822" {
			t.Fatalf("part %+v", p)
		}
	}
}

func outSameName(list []Attachment, a Attachment) bool {
	n := 0
	for _, b := range list {
		if outCleanFilename(a.Filename) == outCleanFilename(b.Filename) {
			n++
		}
	}
	return n > 1
}

func outNameOf(s string) string {
	s = strings.NewReplacer("\u200e", "", "\u200f", "").Replace(outClean(s))
	return outCut(strings.Trim(s, " "), 200)
}

type outFound struct {
	text, html string
	files      map[string][]byte
	count      int
}

func outWalk(t interface{ Fatalf(string, ...any) }, contentType, encoding, disposition string, r io.Reader, found *outFound) {
	if found.files == nil {
		found.files = map[string][]byte{}
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("content type %q: %v", contentType, err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		mr := multipart.NewReader(r, params["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatalf("part of %s: %v", kind, err)
			}
			for name := range p.Header {
				if !strings.HasPrefix(name, "Content-") {
					t.Fatalf("part field %s", name)
				}
			}
			outWalk(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.Header.Get("Content-Disposition"), p, found)
		}
	}
	switch encoding {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	default:
		t.Fatalf("encoding %q", encoding)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if disposition != "" {
		_, params, err := mime.ParseMediaType(disposition)
		if err != nil {
			t.Fatalf("disposition %q: %v", disposition, err)
		}
		found.files[params["filename"]] = data
		found.count++
		return
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	if kind == "text/html" {
		found.html = text
	} else {
		found.text = text
	}
}

func TestEncodedWordsKeepCharactersWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		for _, w := range outEncodedWords(s, rapid.IntRange(0, 200).Draw(t, "used")) {
			d, err := new(mime.WordDecoder).Decode(w)
			if err != nil || len(w) > 75 || !utf8.ValidString(d) {
				t.Fatalf("%q: %q %v", w, d, err)
			}
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	fine := func() *Outgoing {
		return &Outgoing{From: Address{"", "a@desk.example"}, Date: time.Unix(1, 0), MessageID: "<a@b>"}
	}
	check := func(why string, spoil func(*Outgoing)) {
		t.Helper()
		o := fine()
		spoil(o)
		if h, err := o.Write(&Body{}); err == nil {
			t.Errorf("%s: written: %q", why, h)
		}
	}
	if _, err := fine().Write(&Body{}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"", "a", "@b", "a@", "a b@c", "a@b>", "a>@b", "a\r\nb@c", "a@b\n", "a@-b", "a@b..c", "jö@desk.example", `"a b"@c`, "a,b@c", "a@[1.2.3.4]", strings.Repeat("a", 260) + "@b"} {
		check("from "+a, func(o *Outgoing) { o.From.Address = a })
		check("to "+a, func(o *Outgoing) { o.To = []Address{{"x", a}} })
	}
	for _, id := range []string{"", "a@b", "<a>", "<a b@c>", "<@b>", "<a@b>\r\nX: y", "<ü@b>"} {
		check("id "+id, func(o *Outgoing) { o.MessageID = id })
	}
	for _, name := range []string{"", "Bcc", "bcc", "From", "SUBJECT", "Content-Type", "X Y", "X:", "X\r\nBcc", "Ü", "Message-ID", "Resent-To"} {
		check("extra "+name, func(o *Outgoing) { o.Extra = []Field{{name, "x"}} })
	}
	check("twice", func(o *Outgoing) { o.Extra = []Field{{"X-A", "1"}, {"x-a", "2"}} })
	check("value", func(o *Outgoing) { o.Extra = []Field{{"X-A", "1\r\nBcc: a@b"}} })
	check("no date", func(o *Outgoing) { o.Date = time.Time{} })
}

func TestWriteHeaderGolden(t *testing.T) {
	o := &Outgoing{
		From: Address{"Technical support", "support@desk.example"}, ReplyTo: Address{"INC-000123", "support+x@desk.example"},
		To: []Address{{"Söhne, O'Neil & Co", "a@müller.example"}}, Subject: "Re: Imprimante cassée [#INC-000123]",
		Date: time.Unix(1795000000, 0).UTC(), MessageID: "<t@desk.example>", InReplyTo: "<q@customer.example>",
		References: []string{"<first@customer.example>", "<second-and-rather-long-id@customer.example>", "<third@customer.example>"},
		Extra:      []Field{{"X-Guichet-Kind", "update"}, {"X-Guichet-Ticket", "INC-000123"}},
		Text:       "Été", HTML: "<p>Été</p>", Attachments: []Attachment{{Filename: "Grüße \"x\".pdf", Data: []byte("x")}},
	}
	want := "Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n" +
		"From: Technical support <support@desk.example>\r\n" +
		"Reply-To: INC-000123 <support+x@desk.example>\r\n" +
		"To: =?utf-8?b?U8O2aG5lLCBPJ05laWwgJiBDbw==?= <a@xn--mller-kva.example>\r\n" +
		"Subject: Re: Imprimante =?utf-8?q?cass=C3=A9e?= [#INC-000123]\r\n" +
		"Message-ID: <t@desk.example>\r\n" +
		"In-Reply-To: <q@customer.example>\r\n" +
		"References: <first@customer.example>\r\n <second-and-rather-long-id@customer.example> <third@customer.example>\r\n" +
		"X-Guichet-Kind: update\r\nX-Guichet-Ticket: INC-000123\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=\"=_"
	if raw := string(outRender(t, o)); !strings.HasPrefix(raw, want) {
		t.Errorf("got\n%s", raw)
	}
}

func TestReferencesAreTrimmed(t *testing.T) {
	var ids []string
	for i := range 300 {
		ids = append(ids, "<"+strings.Repeat("x", i+1)+"@y>")
	}
	got := outTrimReferences(ids)
	if len(got) != 20 || got[0] != ids[0] || got[1] != ids[281] || got[19] != ids[299] {
		t.Errorf("%d ids", len(got))
	}
}

func FuzzWrite(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s, s)
	}
	fuzztest.Mails(f, func(raw []byte) {
		m := Parse(raw)
		f.Add(m.Header.Get("From"), m.Subject, m.Text)
	})
	f.Fuzz(func(t *testing.T, name, subject, text string) {
		o := &Outgoing{
			From: Address{name, "a@desk.example"}, To: []Address{{name, "b@desk.example"}}, ReplyTo: Address{subject, "c@desk.example"}, Subject: subject,
			Date: time.Unix(1795000000, 0).UTC(), MessageID: "<t@desk.example>", InReplyTo: subject,
			References: strings.Fields(subject), Text: text, HTML: text,
			Attachments: []Attachment{{Filename: name, ContentType: subject, ContentID: name, Inline: true, Data: []byte(text)}},
		}
		var raw []byte
		fuzztest.Cheap(t, func() { raw = outRender(t, o) })
		checkLines(t, raw)
		checkOwnReader(t, o, raw)
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		for name := range m.Header {
			if !outAllowed[name] {
				t.Fatalf("field %s", name)
			}
		}
		var got outFound
		outWalk(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body, &got)
	})
}
