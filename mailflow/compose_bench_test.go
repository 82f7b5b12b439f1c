package mailflow

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// firstMails are the leased rows of a new ticket of 4 KB: an acknowledgment and
// a notification.
func firstMails(b *testing.B) (*Flow, map[ticket.Kind]store.Outbox) {
	w := newWorld(b, storetest.SQLite(b))
	w.change(func(s *Settings) { s.Agents = s.Agents[:1] })
	w.submit("Ada Lovelace <"+ada+">", desk, "Subject: The router does not answer\n\nHello,\n\nthe router has not answered since this morning.\n"+
		strings.Repeat("The light on the left stays red, and nobody in the office can work.\n"+
			"Zoë, « à côté », sees the same.\n\n", 40)+"Ada")
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

// measure runs fn and reports the CPU time that it takes, which other work on
// the machine stretches less than the time of day.
func measure(b *testing.B, fn func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	before := used()
	for b.Loop() {
		fn()
	}
	b.ReportMetric(float64(used()-before)/1000/float64(b.N), "cpu-us/op")
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
		b.Run(string(kind)+"/read", func(b *testing.B) { measure(b, func() { read() }) })
		dr := read()
		b.Run(string(kind)+"/make", func(b *testing.B) {
			measure(b, func() {
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
			})
		})
		b.Run(string(kind)+"/leak", func(b *testing.B) {
			_, r, err := f.write(ctx, dr)
			if err != nil {
				b.Fatal(err)
			}
			measure(b, func() { f.leak(dr, r) })
		})
	}
}
