package rfc822

import (
	"os"
	"testing"
	"time"
)

// benchMail is an acknowledgment as the gateway sends it.
func benchMail(b *testing.B) *Outgoing {
	b.Helper()
	read := func(name string) string {
		text, err := os.ReadFile("../../templates/testdata/golden/fr/" + name)
		if err != nil {
			b.Fatal(err)
		}
		return string(text)
	}
	return &Outgoing{
		From:      Address{Name: "Support technique", Address: "support@desk.example"},
		ReplyTo:   Address{Name: "Support technique INC-000123", Address: "support+abcdefghijklmnopqrstuvwxyz234567@desk.example"},
		To:        []Address{{Name: "Zoé Lefèvre", Address: "zoe@customer.example"}},
		Subject:   "Re: Le routeur ne répond plus [#INC-000123]",
		Date:      time.Date(2026, 11, 21, 14, 5, 0, 0, time.UTC),
		MessageID: "<abcdefghijklmnopqrstuvwxyz234567@desk.example>",
		InReplyTo: "<first@customer.example>", References: []string{"<first@customer.example>"},
		Extra: []Field{{"X-Guichet-Kind", "acknowledgment"}, {"X-Guichet-Ticket", "INC-000123"},
			{"Auto-Submitted", "auto-replied"}, {"X-Auto-Response-Suppress", "OOF, AutoReply"}},
		Text: read("acknowledgment.txt"), HTML: read("acknowledgment.html"),
	}
}

// BenchmarkWrite makes the bytes of a mail with text and HTML.
func BenchmarkWrite(b *testing.B) {
	o := benchMail(b)
	b.Run("body", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := o.Body(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("header", func(b *testing.B) {
		body, err := o.Body()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := o.Write(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("file-1MB", func(b *testing.B) {
		o := *o
		o.Attachments = []Attachment{{Filename: "photo.jpg", ContentType: "image/jpeg", Data: make([]byte, 1<<20)}}
		b.SetBytes(1 << 20)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := o.Body(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
