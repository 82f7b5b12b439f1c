package mailflow

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guichet/mailflow/fuzztest"
	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// conversation is a mail of the corpus' thread folder.
type conversation struct {
	file, name string // name is equal for all mails of one conversation
	raw        string
	mail       *rfc822.Mail
}

// readConversations reads the thread folder, in the order of the mails' dates;
// false if there is no corpus.
func readConversations(t *testing.T) ([]conversation, bool) {
	t.Helper()
	dir := fuzztest.Corpus(t)
	if dir == "" {
		return nil, false
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index []struct {
		File, Purpose string
		Expect        struct{ Thread struct{ Thread string } }
	}
	if err := json.Unmarshal(text, &index); err != nil {
		t.Fatal(err)
	}
	var all []conversation
	for _, e := range index {
		if e.Purpose != "thread" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil {
			t.Fatal(err)
		}
		name := e.Expect.Thread.Thread
		if name == "" {
			name = e.File // nothing says that another mail belongs to it
		}
		all = append(all, conversation{e.File, name, strings.ReplaceAll(string(raw), "\r\n", "\n"), rfc822.Parse(raw)})
	}
	slices.SortStableFunc(all, func(a, b conversation) int { return a.mail.Date.Compare(b.mail.Date) })
	return all, true
}

// Every conversation of the corpus ends in one ticket and no two in the same
// one, with an agent's answer after every mail that agents were told of.
func TestThreadCorpus(t *testing.T) {
	all, ok := readConversations(t)
	if !ok {
		t.Skip("GUICHET_CORPUS is not set")
	}
	w := newWorld(t, storetest.SQLite(t))
	where := map[string][]int64{} // the tickets of each conversation
	owner := map[int64]string{}
	answers := 0
	for _, c := range all {
		w.at(c.mail.Date)
		from := "somebody@example.net"
		if len(c.mail.From) == 1 {
			from = c.mail.From[0].Address
		}
		w.deliver(Envelope{Listener: "smtp", Client: "192.0.2.7", From: from, Recipients: []string{desk}}, c.raw)
		w.run()
		last := w.lastDelivery()
		if last.State != store.DeliveryDone || last.TicketID == 0 {
			t.Errorf("%s is %s (%s), on no ticket", c.file, last.State, last.Reason)
			continue
		}
		if !slices.Contains(where[c.name], last.TicketID) {
			where[c.name] = append(where[c.name], last.TicketID)
		}
		if other := owner[last.TicketID]; other != "" && other != c.name && !sharesID(all, c, other) {
			t.Errorf("%s is on ticket %d, beside %s", c.file, last.TicketID, other)
		}
		owner[last.TicketID] = c.name
		answers += w.answerAll()
	}
	for name, ids := range where {
		if len(ids) != 1 {
			t.Errorf("the conversation %s is on the tickets %d", name, ids)
		}
	}
	if len(where) < 20 || answers < 20 {
		t.Errorf("%d conversations, %d answers of ours", len(where), answers)
	}
	t.Logf("%d mails, %d conversations, %d answers of ours", len(all), len(where), answers)
}

// sharesID says that a mail bears the Message-ID of one of another
// conversation: both are copies of one mail then.
func sharesID(all []conversation, c conversation, other string) bool {
	return slices.ContainsFunc(all, func(o conversation) bool { return o.name == other && o.mail.MessageID == c.mail.MessageID })
}

// answerAll has the first agent answer what notifications came, and forgets
// the mails that left.
func (w *world) answerAll() (n int) {
	w.t.Helper()
	told := slices.Clone(w.sent)
	w.forget()
	for _, l := range told {
		if l.row.Kind == ticket.Notification && l.row.Recipient == agent {
			w.act(l, agent, "Thank you, we look into it.")
			n++
		}
	}
	w.run()
	w.forget()
	return n
}

func (w *world) lastDelivery() (d store.Delivery) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		for id := int64(1); err == nil; id++ {
			var next store.Delivery
			if next, err = tx.DeliveryByID(id); err == nil {
				d = next
			}
		}
		return nil
	})
	return d
}
