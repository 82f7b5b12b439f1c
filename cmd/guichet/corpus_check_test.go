package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

// outbox lists all mails that the gateway wrote or means to write.
func (r *corpusRun) outbox() (all []store.Outbox) {
	r.t.Helper()
	for {
		var page []store.Outbox
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1].ID
		}
		r.view(func(tx *store.Tx) (err error) { page, err = tx.OutboxPage("", after, 500); return err })
		if all = append(all, page...); len(page) == 0 {
			return all
		}
	}
}

func toAgent(o store.Outbox) bool {
	return o.Recipient == "agent@desk.example" || o.Recipient == "second@desk.example"
}

// unanswered sends automatic mails: the agents may hear of them, nobody else,
// neither now nor by a mail that leaves later.
func (r *corpusRun) unanswered(mails []*corpusMail) {
	r.t.Helper()
	known := map[int64]string{}
	for _, o := range r.outbox() {
		known[o.ID] = o.Args
	}
	r.send(mails)
	for _, o := range r.outbox() {
		if args, old := known[o.ID]; !toAgent(o) && (!old || args != o.Args) {
			r.t.Errorf("an automatic mail is answered: %s to %s, %s, ticket %d, %s", o.Kind, o.Recipient, o.State, o.TicketID, o.Args)
		}
	}
}

// deliveries reads what became of each mail that the gateway took.
func (r *corpusRun) deliveries() (all []store.Delivery) {
	r.t.Helper()
	for id := int64(1); len(all) < r.sent && id < int64(10*r.sent); id++ {
		r.view(func(tx *store.Tx) error {
			d, err := tx.DeliveryByID(id)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			all = append(all, d)
			return err
		})
	}
	return all
}

// of finds the corpus's mails behind deliveries, by the bytes that were kept.
func (r *corpusRun) of(all []store.Delivery) map[int64]*corpusMail {
	r.t.Helper()
	sent := map[[32]byte][]*corpusMail{}
	for _, m := range r.mails {
		sum := sha256.Sum256(m.raw)
		sent[sum] = append(sent[sum], m)
	}
	found := map[int64]*corpusMail{}
	for _, d := range all {
		r.view(func(tx *store.Tx) error {
			raw, err := tx.ReadRaw(d.RawID)
			sum := sha256.Sum256(raw)
			if len(sent[sum]) == 0 {
				r.t.Errorf("delivery %d holds bytes that nobody sent:\n%.300s", d.ID, raw)
				return err
			}
			found[d.ID], sent[sum] = sent[sum][0], sent[sum][1:]
			return err
		})
	}
	for _, rest := range sent {
		for _, m := range rest {
			r.t.Errorf("%s is lost: no delivery holds it", m.file)
		}
	}
	return found
}

// end is what a delivery became.
func (r *corpusRun) end(d store.Delivery, mails map[int64]*corpusMail) string {
	r.t.Helper()
	m := mails[d.ID]
	switch {
	case d.State == store.DeliveryHeld:
		r.t.Logf("held: %s at %s: %s", m.file, d.Stop, d.Reason)
		if strings.Contains(d.Reason, "program failed") {
			r.t.Errorf("%s: %s", m.file, d.Reason)
		}
		return "held"
	case d.State == store.DeliverySetAside:
		return "set aside"
	case d.State != store.DeliveryDone:
		r.t.Errorf("%s is still %s", m.file, d.State)
	case strings.HasPrefix(d.Reason, "duplicate of mail "):
		id, _ := strconv.ParseInt(strings.TrimPrefix(d.Reason, "duplicate of mail "), 10, 64)
		if first := mails[id]; first == nil || id == d.ID || !bytes.Equal(bodyOf(first), bodyOf(m)) {
			r.t.Errorf("%s is lost: no %s", m.file, d.Reason)
		}
		return "duplicate"
	case d.TicketID == 0 || d.MessageID == 0:
		r.t.Errorf("%s is lost: done without a ticket: %s %s", m.file, d.Reason, d.Why)
	default:
		var kept store.Message
		r.view(func(tx *store.Tx) (err error) { kept, err = tx.MessageByID(d.MessageID); return err })
		if kept.DeliveryID != d.ID || kept.TicketID != d.TicketID {
			r.t.Errorf("%s: its message belongs to delivery %d and ticket %d", m.file, kept.DeliveryID, kept.TicketID)
		}
		if kept.Visibility == store.Record {
			return "record"
		}
		return "message"
	}
	return "lost"
}

func bodyOf(m *corpusMail) []byte {
	_, body, _ := bytes.Cut(m.raw, []byte("\r\n\r\n"))
	return bytes.TrimRight(body, "\r\n")
}

// check looks at the whole once everything was sent.
func (r *corpusRun) check() {
	r.t.Helper()
	took := time.Since(r.began)
	select {
	case err := <-r.g.ended:
		r.t.Fatalf("the gateway ended: %v\n%s", err, r.g.log())
	default:
	}
	if r.pid != r.g.cmd.Process.Pid || r.g.cmd.Process.Signal(syscall.Signal(0)) != nil {
		r.t.Error("the gateway is not the process that was started")
	}
	all := r.deliveries()
	mails := r.of(all)
	count := map[string]int{}
	people := map[int64][]string{}  // of the mails of each ticket
	threads := map[int64][]string{} // of the corpus in each ticket
	for _, d := range all {
		m := mails[d.ID]
		if m == nil {
			continue
		}
		count[r.end(d, mails)]++
		for _, list := range [][]rfc822.Address{m.mail.From, m.mail.To, m.mail.Cc} {
			for _, a := range list {
				people[d.TicketID] = append(people[d.TicketID], strings.ToLower(a.Address))
			}
		}
		if m.thread != "" && !slices.Contains(threads[d.TicketID], m.thread) {
			threads[d.TicketID] = append(threads[d.TicketID], m.thread)
		}
	}
	for id, names := range threads {
		if len(names) > 1 && id != 0 {
			r.t.Errorf("ticket %d mixes the conversations %q", id, names)
		}
	}
	answered := map[string]int{}
	for _, o := range r.outbox() {
		if !toAgent(o) {
			answered[string(o.Kind)+" "+string(o.State)]++
			if !slices.Contains(people[o.TicketID], o.Recipient) && o.TicketID != 0 {
				r.t.Errorf("ticket %d: %s to %s, who is in none of its mails", o.TicketID, o.Kind, o.Recipient)
			}
		}
		if o.State == store.HeldOut || o.State == store.FailedOut {
			r.t.Errorf("%s to %s is %s: %s", o.Kind, o.Recipient, o.State, o.Reply)
		}
	}
	if n := r.g.metric("held_total"); int(n) != count["held"] || len(all) != r.sent || int(r.g.metric("received_total")) != r.sent {
		r.t.Errorf("sent %d, received %v, deliveries %d, held_total %v, held %d", r.sent, r.g.metric("received_total"), len(all), n, count["held"])
	}
	for line := range strings.Lines(r.g.log()) {
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") || strings.Contains(line, "program failed") {
			r.t.Errorf("log: %s", line)
		}
	}
	r.t.Logf("sent %d in %.1f s: %v; %d mails out; parties' mails: %v", r.sent, took.Seconds(), count, len(r.g.sink.all()), answered)
}
