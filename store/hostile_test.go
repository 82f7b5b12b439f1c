package store_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// hostile are texts as mails bear them: each is stored in every column, alike
// on both engines.
var hostile = map[string]string{
	"NUL":       "a\x00b",
	"not UTF-8": "caf\xe9 \xff\xfe\xc3",
	"surrogate": "\xed\xa0\x80",
	"quotes":    `'; DROP TABLE ticket; --"\`,
	"odd":       "\u202e\u0000\U0010ffff\ufeff%_\r\n?$1",
	"1 MB":      strings.Repeat(strings.Repeat("x\xc3\xa9", 100)+"\x00\xff", 1<<20/302),
}

// cleaned is what a text is stored as.
func cleaned(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// fill sets every exported string of a struct, but those named.
func fill[T any](v T, s string, but ...string) T {
	r := reflect.ValueOf(&v).Elem()
fields:
	for i := range r.NumField() {
		for _, name := range but {
			if r.Type().Field(i).Name == name {
				continue fields
			}
		}
		switch f := r.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(s)
		case reflect.Slice:
			if f.Type().Elem().Kind() == reflect.String {
				f.Set(reflect.ValueOf([]string{s}))
			}
		}
	}
	return v
}

// alike compares two structs, the second of which was stored.
func alike[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	g, w := fmt.Sprintf("%+v", got), cleaned(fmt.Sprintf("%+v", want))
	if !utf8.ValidString(g) || g != w {
		t.Errorf("%s came back otherwise (%d and %d bytes): %.200q, want %.200q", what, len(g), len(w), g, w)
	}
}

func testHostileText(t *testing.T, c *steps, a, b *store.DB) {
	for name, s := range hostile {
		if testing.Short() && len(s) > 64<<10 { // the race detector takes half a minute for the whole
			s = s[:64<<10]
		}
		// An index of PostgreSQL holds no key above 2,700 bytes; the
		// readers of mail cut addresses, ids and numbers long before.
		key := s[:min(len(s), 200)]
		do(t, a, func(tx *store.Tx) error { return storeHostile(t, tx, name, s, key) })
	}
}

func storeHostile(t *testing.T, tx *store.Tx, name, s, key string) error {
	lined := strings.NewReplacer("\n", "", "\r", "").Replace(s)
	dl := fill(store.Delivery{}, lined, "State", "Stop", "Reason", "Why", "From", "To", "Subject", "MailID")
	id, err := addDelivery(tx, dl)
	if err != nil {
		return err
	}
	dl = fill(store.Delivery{ID: id, State: store.DeliveryHeld}, s, "State", "MailID", "Recipients")
	dl.MailID = key
	if err := tx.FinishDelivery(dl); err != nil {
		return err
	}
	got, err := tx.DeliveryByID(id)
	alike(t, name+": delivery", []string{got.Why, got.From, got.To, got.Subject, got.MailID}, []string{s, s, s, s, key})
	alike(t, name+": envelope", []string{got.Hello, got.MailFrom, got.Recipients[0]}, []string{lined, lined, lined})
	if err != nil {
		return err
	}

	tk := fill(ticket.Ticket{Created: tx.Now(), Updated: tx.Now()}, s, "Number", "Desk", "State", "FormFor")
	tk.Number, tk.Desk, tk.State, tk.FormFor = key, key, ticket.State(key), key
	if tk.ID, err = tx.AddTicket(tk, s); err != nil {
		return err
	}
	gotTicket, err := tx.TicketByNumber(key)
	alike(t, name+": ticket", gotTicket, tk)
	if err != nil {
		return err
	}
	if err := tx.AddEvent(tk.ID, fill(store.HistoryEntry{At: tx.Now()}, s)); err != nil {
		return err
	}
	return storeHostileParts(t, tx, tk.ID, name, s, key)
}

func storeHostileParts(t *testing.T, tx *store.Tx, tk int64, name, s, key string) error {
	m := fill(store.Message{TicketID: tk, At: tx.Now(), Party: 1}, s, "People")
	m.People = []string{key}
	p := fill(store.Part{}, s, "Path")
	p.Path = key
	var err error
	if m.ID, err = tx.AddMessage(m, []store.Part{p}); err != nil {
		return err
	}
	gotMessage, err := tx.MessageByID(m.ID)
	m.People = strings.Split(key, "\n")
	alike(t, name+": message", gotMessage, m)
	if err != nil {
		return err
	}
	if err := tx.AddAnchor(tk, m.ID, s, true); err != nil {
		return err
	}
	anchors, err := tx.Anchors(s)
	same(t, name+": anchors", len(anchors), 1)
	if err != nil {
		return err
	}
	party := fill(store.Party{TicketID: tk}, s, "Address")
	party.Address = key
	if party, err = tx.AddParty(party); err != nil {
		return err
	}
	again, err := tx.AddParty(store.Party{TicketID: tk, Address: key})
	party.Address = strings.ToLower(cleaned(key))
	alike(t, name+": party", again, party)
	if err != nil {
		return err
	}
	return storeHostileOut(t, tx, name, s, key)
}

func storeHostileOut(t *testing.T, tx *store.Tx, name, s, key string) error {
	o := fill(store.Outbox{Due: tx.Now(), Created: tx.Now(), Party: -1}, s, "State", "MailID", "Sender", "Recipient", "Kind", "Desk")
	o.State, o.Recipient, o.Kind, o.Desk = store.HeldOut, key, ticket.Kind(key), key
	var err error
	if o.ID, err = tx.AddOutbox(o); err != nil {
		return err
	}
	got, err := tx.OutboxByID(o.ID)
	alike(t, name+": outbox", got, o)
	if err != nil {
		return err
	}
	if _, _, _, err := tx.Spend(key, 1, 1); err != nil {
		return err
	}
	org := fill(store.Organisation{}, s, "Name", "Domains", "Integrators", "Services", "Contacts")
	org.Name, org.Domains, org.Integrators, org.Services = key, []string{key}, []string{key}, []string{"one"}
	if err := tx.SaveOrganisation(org); err != nil {
		return err
	}
	contact := fill(store.Contact{}, s, "Address")
	contact.Address = key
	if err := tx.SaveContact(key, contact); err != nil {
		return err
	}
	gotOrg, err := tx.OrganisationOf(key)
	if err != nil || gotOrg == nil {
		return fmt.Errorf("%s: no organisation: %w", name, err)
	}
	alike(t, name+": organisation", []string{gotOrg.Name, gotOrg.Manager, gotOrg.Language}, []string{key, s, s})
	return nil
}
