package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"guichet/store/storetest"
)

// TestFaultKilled kills the gateway without a word while mails come in, several
// times: what got 250 is one ticket, acknowledged once or, in the documented
// window between the relay's 250 and our record, again with the same
// Message-ID.
func TestFaultKilled(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		t.Parallel()
		g := startGateway(t, d.URL)
		rounds := 6
		if d.Engine == "postgres" {
			// Others might live: a dead gateway's work is taken over when its
			// lease of 30 s has run out.
			rounds, g.patience = 2, 100*time.Second
		}
		taken := map[string]bool{}
		for round := range rounds {
			for i := range 20 {
				from := fmt.Sprintf("c%d-%d@customer.example", round, i)
				mail := fmt.Sprintf("Received: from x by y\r\nFrom: %s\r\nTo: support@desk.example\r\nSubject: Fault %d\r\n"+
					"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\nMessage-ID: <%d.%d@customer.example>\r\n\r\nIt fails.\r\n", from, i, round, i)
				if err := g.deliver(from, []string{"support@desk.example"}, []byte(mail)); err != nil {
					t.Fatal(err)
				}
				taken[from] = true
			}
			g.kill()
			g.start()
		}
		g.settled()
		tickets := map[string]int{}
		for _, row := range g.rows("ticket", "list") {
			tickets[fmt.Sprint(row["customer"])]++
		}
		for from := range taken {
			if tickets[from] != 1 {
				t.Errorf("%d tickets of %s", tickets[from], from)
			}
			ids := map[string]int{}
			for _, m := range g.sink.all() {
				if m.to == from && m.kind() == "acknowledgment" {
					ids[m.mail.MessageID]++
				}
			}
			if len(ids) != 1 {
				t.Errorf("acknowledgments of %s: %v", from, ids)
			}
		}
		if strings.Contains(g.log(), "panic") {
			t.Error(g.log())
		}
	})
}
