package mailflow

import (
	"testing"

	"guichet/store/storetest"
)

// A row is not leased as it is added while an earlier mail of its ticket to
// the same person has not left; nor one that waits for its time.
func TestLendInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storetest.SQLite(t))
	lent := func() map[string]int {
		lanes := map[string]int{}
		for _, l := range w.lent {
			lanes[l.Row.Lane()]++
		}
		return lanes
	}
	w.submit(ada, desk, "Subject: Router\nMessage-ID: <1@customer.example>\n\nIt is dead")
	w.process()
	if n := len(lent()); n != 3 { // to her and two agents
		t.Errorf("lent in %d lanes: %v", n, lent())
	}
	w.submit(ada, desk, "Subject: Re: Router\nMessage-ID: <2@customer.example>\nIn-Reply-To: <1@customer.example>\n\nStill")
	w.process()
	if len(w.tickets()) != 1 || len(w.lent) != 3 {
		t.Errorf("%d tickets, lent %v", len(w.tickets()), lent())
	}
	w.run()
	w.submit(ada, desk, "Subject: Re: Router\nMessage-ID: <3@customer.example>\nIn-Reply-To: <1@customer.example>\n\nAgain")
	w.process()
	if n := len(lent()); n != 2 || len(w.lent) != n { // the agents
		t.Errorf("lent %v", lent())
	}
	w.run()
	w.mail("stranger@other.example", desk, "Printer")
	w.run()
	w.mail("stranger@other.example", desk, "Printer again") // told of tomorrow
	w.process()
	for _, l := range w.lent {
		if l.Row.Recipient == "stranger@other.example" {
			t.Errorf("lent %+v", l.Row)
		}
	}
}
