package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// steps is a clock that goes on by hand, for gateways that look at it from
// goroutines of their own.
type steps struct {
	mu  sync.Mutex
	now time.Time
}

func newSteps() *steps { return &steps{now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)} }

func (s *steps) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *steps) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// twoNodes opens the database as the gateways a and b, alive on PostgreSQL.
func twoNodes(t testing.TB, d *storetest.Database) (c *steps, a, b *store.DB) {
	t.Helper()
	c = newSteps()
	return c, node(d, c, "a"), node(d, c, "b")
}

func node(d *storetest.Database, c *steps, name string) *store.DB {
	return d.Open(func(o *store.Options) { o.Node, o.Now, o.Serve = name, c.Now, d.Engine == "postgres" })
}

// domain are the tests of the domain's methods. Each has an empty database
// and two live gateways.
var domain = []struct {
	name string
	run  func(t *testing.T, c *steps, a, b *store.DB)
}{
	{"DeliveryComesBack", testDeliveryComesBack},
	{"ClaimOrder", testClaimOrder},
	{"Suspects", testSuspects},
	{"ClaimsCollide", testClaimsCollide},
	{"EarlierArrivals", testEarlierArrivals},
	{"DeliveryLists", testDeliveryLists},
	{"TakeOver", testTakeOver},
	{"OutboxRowComesBack", testOutboxRowComesBack},
	{"LeaseOrder", testLeaseOrder},
	{"ReturnOutbox", testReturnOutbox},
	{"FinishHeldDelivery", testFinishHeldDelivery},
	{"LeasedAsAdded", testLeasedAsAdded},
	{"Lanes", testLanes},
	{"OutboxLists", testOutboxLists},
	{"StaleFence", testStaleFence},
	{"StoredMail", testStoredMail},
	{"FinishedRows", testFinishedRows},
	{"QueuedLater", testQueuedLater},
	{"DropOldMails", testDropOldMails},
	{"KeptMail", testKeptMail},
	{"ForgetCopies", testForgetCopies},
	{"LeasesCollide", testLeasesCollide},
	{"TicketComesBack", testTicketComesBack},
	{"TicketLock", testTicketLock},
	{"NumbersAreUnique", testNumbersAreUnique},
	{"TicketPage", testTicketPage},
	{"DueTickets", testDueTickets},
	{"LinksAndHistory", testLinksAndHistory},
	{"MessageComesBack", testMessageComesBack},
	{"MessageLists", testMessageLists},
	{"MailIDs", testMailIDs},
	{"Story", testStory},
	{"RemovedParty", testRemovedParty},
	{"Anchors", testAnchors},
	{"MoveMessage", testMoveMessage},
	{"AddParty", testAddParty},
	{"PartyIsFoundAndChanged", testPartyIsFoundAndChanged},
	{"OrdinalsAreUnique", testOrdinalsAreUnique},
	{"PersonIsOne", testPersonIsOne},
	{"ImportTwiceUpdates", testImportTwiceUpdates},
	{"OrganisationOf", testOrganisationOf},
	{"Language", testLanguage},
	{"LostAmong", testLostAmong},
	{"Spend", testSpend},
	{"SpendersCollide", testSpendersCollide},
	{"HostileText", testHostileText},
}

// TestDomain runs them on one database of each engine: making one takes
// PostgreSQL longer than most of them.
func TestDomain(t *testing.T) {
	storetest.Ready(t, func(t *testing.T, d *storetest.Database) {
		c, a, b := twoNodes(t, d)
		for _, s := range domain {
			for _, db := range []*store.DB{a, b} {
				if d.Engine == "postgres" {
					if err := db.RenewNode(); err != nil {
						t.Fatal(err)
					}
				}
			}
			t.Run(s.name, func(t *testing.T) { s.run(t, c, a, b) })
			do(t, a, empty)
		}
	})
}

// empty removes everything that the domain's methods store.
func empty(tx *store.Tx) error {
	for _, table := range []string{"part", "anchor", "message", "party", "address", "person", "event", "outbox_mail", "outbox", "budget", "counter", "meta",
		"ticket_link", "ticket", "delivery", "raw", "contact", "organisation_domain", "organisation_integrator", "organisation"} {
		if _, err := tx.Exec(`DELETE FROM ` + table); err != nil {
			return err
		}
	}
	return nil
}

// in runs an update and gives its result.
func in[T any](t testing.TB, db *store.DB, fn func(*store.Tx) (T, error)) (v T) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	return v
}

// do runs an update that has no result.
func do(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	update(t, db, fn)
}

// same compares what %v makes of two values, so that a list is written as a
// string.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// errorIs fails the test unless err is the one wanted.
func errorIs(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// addRaw stores a mail of a few bytes.
func addRaw(tx *store.Tx) (int64, error) {
	return tx.Insert(`INSERT INTO raw (sha256, size, complete, created, data) VALUES ('', 2, 1, ?, ?) RETURNING id`,
		tx.Now(), []byte("\r\n"))
}

// addDelivery stores a mail and its arrival now.
func addDelivery(tx *store.Tx, d store.Delivery) (int64, error) {
	raw, err := addRaw(tx)
	if err != nil {
		return 0, err
	}
	if d.RawID == 0 {
		d.RawID = raw
	}
	if d.Desk == "" {
		d.Desk = "support"
	}
	d.Received = tx.Now()
	return tx.AddDelivery(d)
}

// addTicket stores an open ticket.
func addTicket(tx *store.Tx) (int64, error) {
	return tx.AddTicket(ticket.Ticket{Desk: "support", State: ticket.Open, Created: tx.Now(), Updated: tx.Now()}, "")
}

// addMessage stores a message with the words given.
func addMessage(tx *store.Tx, ticketID int64, v store.Visibility, role ticket.Role, words string) (int64, error) {
	return tx.AddMessage(store.Message{TicketID: ticketID, At: tx.Now(), Party: -1, Role: role, Visibility: v, Words: words}, nil)
}

func deliveryIDs(ds []store.Delivery) (ids []int64) {
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	return ids
}

func outboxIDs(rows []store.Outbox) (ids []int64) {
	for _, o := range rows {
		ids = append(ids, o.ID)
	}
	return ids
}

func words(ms []store.Message) (all []string) {
	for _, m := range ms {
		all = append(all, m.Words)
	}
	return all
}
