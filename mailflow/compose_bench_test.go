package mailflow

import (
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// firstMails are the leased rows of a new ticket: an acknowledgment and a
// notification.
func firstMails(b *testing.B) (*Flow, map[ticket.Kind]store.Outbox) {
	w := newWorld(b, storetest.SQLite(b))
	w.change(func(s *Settings) { s.Agents = s.Agents[:1] })
	w.submit("Ada Lovelace <"+ada+">", desk, "Subject: The router does not answer\n\nHello,\n\nthe router has not answered since this morning.\n"+
		"The light on the left stays red, and nobody in the office can work.\n\nAda")
	w.process()
	var rows []store.Outbox
	w.update(func(tx *store.Tx) (err error) { rows, err = tx.LeaseOutbox(100, time.Hour); return err })
	byKind := map[ticket.Kind]store.Outbox{}
	for _, o := range rows {
		byKind[o.Kind] = o
	}
	if len(byKind) != 2 {
		b.Fatalf("%d rows of %d kinds", len(rows), len(byKind))
	}
	return w.f, byKind
}

// BenchmarkCompose makes the mails of a new ticket: read is what the store is
// asked, make all that follows but storing the mail.
func BenchmarkCompose(b *testing.B) {
	f, rows := firstMails(b)
	for _, kind := range []ticket.Kind{ticket.Acknowledgment, ticket.Notification} {
		row := rows[kind]
		read := func() *draft {
			dr := &draft{row: row, args: argsOf(row)}
			if err := f.DB.View(ctx, func(tx *store.Tx) error { return f.gather(tx, dr) }); err != nil {
				b.Fatal(err)
			}
			return dr
		}
		b.Run(string(kind)+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
		dr := read()
		b.Run(string(kind)+"/make", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, r, err := f.write(ctx, dr)
				if err != nil {
					b.Fatal(err)
				}
				if why := f.leak(dr, r); why != "" {
					b.Fatal(why)
				}
				body, err := out.Body()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := out.Write(body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(kind)+"/leak", func(b *testing.B) {
			_, r, err := f.write(ctx, dr)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.leak(dr, r)
			}
		})
	}
}
