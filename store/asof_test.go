package store_test

import (
	"testing"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// A transaction that sees the store as of a mail sees neither anchors that
// this mail or a later one brought, nor parties that joined later. Of tickets
// that hold another system's number those of the writer come first.
func TestAsOf(t *testing.T) { storetest.Ready(t, testAsOf) }

func testAsOf(t *testing.T, d *storetest.Database) {
	db := d.Open()
	var deliveries []store.Delivery
	var tickets []int64
	update(t, db, func(tx *store.Tx) error {
		deliveries, tickets = nil, nil
		for _, who := range []string{"ada@customer.example", "bob@other.example"} {
			id, err := tx.AddTicket(ticket.Ticket{Desk: "support", State: ticket.New, Number: who, Version: 1, Created: tx.Now(), Updated: tx.Now()}, "")
			if err != nil {
				return err
			}
			raw := db.NewRaw(t.Context())
			raw.Write([]byte(who))
			rawID, _, _, err := raw.Finish(tx)
			if err != nil {
				return err
			}
			del := store.Delivery{RawID: rawID, Desk: "support", Received: tx.Now()}
			if del.ID, err = tx.AddDelivery(del); err != nil {
				return err
			}
			if del.MessageID, err = tx.AddMessage(store.Message{TicketID: id, DeliveryID: del.ID, At: tx.Now(), Address: who, Party: -1,
				Role: ticket.Customer, Visibility: store.Public}, nil); err != nil {
				return err
			}
			since := int64(0)
			if len(tickets) > 0 { // bob joined late
				since = del.MessageID
			}
			if _, err := tx.AddParty(store.Party{TicketID: id, Role: ticket.Customer, Address: who, Since: since}); err != nil {
				return err
			}
			if err := tx.AddAnchor(id, del.MessageID, "<same@x>", false); err != nil {
				return err
			}
			if err := tx.AddNumber(id, del.MessageID, "old rt 5"); err != nil {
				return err
			}
			deliveries, tickets = append(deliveries, del), append(tickets, id)
		}
		return nil
	})
	look := func(as *store.Delivery, writer string, anchors int, numbered ...int64) {
		t.Helper()
		err := db.View(t.Context(), func(tx *store.Tx) error {
			if as != nil {
				tx.AsOf(*as)
			}
			a, err := tx.Anchors("<same@x>")
			if err != nil || len(a) != anchors {
				t.Errorf("%d anchors, want %d: %v", len(a), anchors, err)
			}
			ids, err := tx.TicketsNumbered("old rt 5", writer)
			if err != nil || len(ids) != len(numbered) || len(ids) > 0 && ids[0] != numbered[0] {
				t.Errorf("tickets %d, want %d: %v", ids, numbered, err)
			}
			_, err = tx.PartyOf(tickets[1], "bob@other.example")
			if here := err == nil; here != (as == nil || as.MessageID >= deliveries[1].MessageID) {
				t.Errorf("bob is a party: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	look(nil, "ada@customer.example", 2, tickets[0], tickets[1])
	look(nil, "bob@other.example", 2, tickets[1], tickets[0])
	look(nil, "eve@third.example", 2, tickets[1], tickets[0])
	look(&deliveries[1], "eve@third.example", 1, tickets[0])
	look(&deliveries[0], "eve@third.example", 0)
}
