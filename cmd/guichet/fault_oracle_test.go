package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// oracle compares what was acknowledged with what is stored and what the relay
// has taken, once everything has come to rest.
type oracle struct {
	t       testing.TB
	db      *sql.DB
	sink    *sink
	letters []*letter
	kills   []time.Time // when a process ended that may have had mails in hand
	rows    func(args ...string) []map[string]any

	lost, doubled, missing, surplus, extra, unexplained int
	due                                                 int
}

// askOracle waits for rest, releases what is held, and compares.
func askOracle(s *service, database string, letters []*letter, kills []time.Time) *oracle {
	s.t.Helper()
	s.ready()
	s.settled()
	s.release()
	o := &oracle{t: s.t, db: openRaw(s.t, database), sink: s.sink, letters: letters, kills: kills, rows: s.rows}
	defer o.db.Close()
	numbers := o.stored()
	o.outbox()
	o.sent(numbers)
	o.copies()
	o.integrity(strings.HasPrefix(database, "sqlite:"))
	if log := s.log(); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
		s.t.Errorf("a panic, or a race:\n%s", log[max(0, strings.Index(log, "panic")-200):])
	}
	return o
}

// openRaw opens the database beside the gateway.
func openRaw(t testing.TB, database string) *sql.DB {
	driver, url := "pgx", database
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, url = "sqlite3", "file:"+path+"?mode=ro"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// release lets go what is held: a mail that was in hand alone when the process
// ended three times may be what ended it, but is not lost.
func (s *service) release() {
	s.t.Helper()
	for {
		var ids []string
		for _, row := range s.rows("held", "list") {
			if row["state"] == "held" {
				ids = append(ids, fmt.Sprint(row["id"]))
			}
		}
		if len(ids) == 0 {
			return
		}
		if code, _, errs := s.command(append([]string{"held", "retry"}, ids...)...); code != 0 {
			s.t.Fatalf("held retry: %s", errs)
		}
		s.settled()
	}
}

// complain reports the first few of a fault's many faces.
func (o *oracle) complain(count *int, format string, args ...any) {
	o.t.Helper()
	if *count++; *count <= 5 {
		o.t.Errorf(format, args...)
	}
}

// stored wants each letter to be one message, with its bytes, on the one
// ticket of its customer. It returns the tickets' numbers by customer.
func (o *oracle) stored() map[string]string {
	numbers := map[string]string{}
	for _, row := range o.rows("ticket", "list") {
		customer := fmt.Sprint(row["customer"])
		if numbers[customer] != "" {
			o.complain(&o.doubled, "%s has the tickets %s and %v", customer, numbers[customer], row["number"])
		}
		numbers[customer] = fmt.Sprint(row["number"])
	}
	type place struct{ number, visibility, sum string }
	places := map[string][]place{}
	rows, err := o.db.Query(`SELECT m.mail_id, t.number, m.visibility, r.sha256 FROM message m
		JOIN ticket t ON t.id = m.ticket_id JOIN raw r ON r.id = m.raw_id WHERE r.complete = 1`)
	o.must(err)
	defer rows.Close()
	for rows.Next() {
		var id string
		var p place
		o.must(rows.Scan(&id, &p.number, &p.visibility, &p.sum))
		places[id] = append(places[id], p)
	}
	o.must(rows.Err())
	for _, m := range o.letters {
		sum := sha256.Sum256(m.raw)
		found := places[m.id]
		delete(places, m.id)
		switch {
		case len(found) == 0:
			o.complain(&o.lost, "lost: %s %s of %s, acknowledged %s after %d tries", m.kind, m.id, m.from, m.acked.Format(time.StampMilli), m.tries)
		case len(found) > 1:
			o.complain(&o.doubled, "doubled: %s %s is %v", m.kind, m.id, found)
		case found[0].sum != hex.EncodeToString(sum[:]):
			o.complain(&o.lost, "%s %s is stored with other bytes", m.kind, m.id)
		case m.kind == asTicket && found[0].number != numbers[m.from], m.kind != asTicket && found[0].number != m.number:
			o.complain(&o.lost, "%s %s of %s stands on %v; it is about %q", m.kind, m.id, m.from, found, m.number+numbers[m.from])
		case found[0].visibility != map[bool]string{true: "note", false: "public"}[m.kind == asNote]:
			o.complain(&o.lost, "%s %s is %s", m.kind, m.id, found[0].visibility)
		}
	}
	for id, p := range places {
		o.complain(&o.doubled, "%s is stored (%v) and was never acknowledged", id, p)
	}
	return numbers
}

// outbox wants every row sent, and each sent row's mail at the relay.
func (o *oracle) outbox() {
	taken := map[any]bool{}
	for _, m := range o.sink.all() {
		taken[m.mail.MessageID] = true
	}
	for _, row := range o.rows("outbox", "list") {
		if row["state"] != "sent" || !taken[row["message_id"]] {
			o.complain(&o.missing, "at the relay: %v, of %v", taken[row["message_id"]], row)
		}
	}
}

// sent wants the mails that are due by the rules, each under one Message-ID: an
// acknowledgment and a notification of each agent for a ticket, a notification
// of each for a party's answer, an update for an agent's.
func (o *oracle) sent(numbers map[string]string) {
	want, got := map[string]int{}, map[string]map[string]bool{}
	customer := map[string]string{}
	for c, number := range numbers {
		customer[number] = c
	}
	due := func(number, kind, to string) { want[number+" "+kind+" "+to]++; o.due++ }
	for _, m := range o.letters {
		number := m.number
		switch m.kind {
		case asTicket:
			number = numbers[m.from]
			due(number, "acknowledgment", m.from)
			fallthrough
		case asAnswer:
			due(number, "notification", "agent@desk.example")
			due(number, "notification", "second@desk.example")
		case asReply:
			due(number, "update", customer[number])
		}
		for _, mail := range m.also {
			kind, to, _ := strings.Cut(mail, " ")
			due(number, kind, to)
		}
	}
	for _, m := range o.sink.all() {
		key := m.mail.Header.Get("X-Guichet-Ticket") + " " + m.kind() + " " + m.to
		if got[key] == nil {
			got[key] = map[string]bool{}
		}
		got[key][m.mail.MessageID] = true
	}
	for key, n := range want {
		if len(got[key]) < n {
			o.complain(&o.missing, "%d of %d mails: %s", len(got[key]), n, key)
		}
	}
	for key, ids := range got {
		if len(ids) > want[key] {
			o.complain(&o.surplus, "%d mails where %d are due: %s", len(ids), want[key], key)
		}
	}
}

// late is how long after a process has ended what it still sent may be seen to
// arrive.
const late = time.Second

// copies wants a process's end between any two copies of a mail, one for each
// further copy: between the relay's 250 and our record lies the one window
// where a mail leaves again.
func (o *oracle) copies() {
	times := map[string][]time.Time{}
	for _, m := range o.sink.all() {
		times[m.mail.MessageID] = append(times[m.mail.MessageID], m.at)
	}
	for id, at := range times {
		o.extra += len(at) - 1
		kills := o.kills
		for i := 1; i < len(at); i++ {
			k := slices.IndexFunc(kills, func(k time.Time) bool { return k.After(at[i-1].Add(-late)) && k.Before(at[i]) })
			if k < 0 {
				o.complain(&o.unexplained, "%s left at %v: no process ended in between", id, at)
				break
			}
			kills = kills[k+1:]
		}
	}
}

// integrity asks the engine, and looks for what belongs to nothing.
func (o *oracle) integrity(lite bool) {
	if lite {
		var verdict string
		o.must(o.db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict))
		if verdict != "ok" {
			o.t.Errorf("integrity_check: %s", verdict)
		}
	}
	for what, query := range map[string]string{
		"messages of no ticket":         `SELECT count(*) FROM message WHERE ticket_id NOT IN (SELECT id FROM ticket)`,
		"messages of no raw mail":       `SELECT count(*) FROM message WHERE raw_id IS NOT NULL AND raw_id NOT IN (SELECT id FROM raw WHERE complete = 1)`,
		"deliveries of no raw mail":     `SELECT count(*) FROM delivery WHERE raw_id NOT IN (SELECT id FROM raw WHERE complete = 1)`,
		"outbox rows of no ticket":      `SELECT count(*) FROM outbox WHERE ticket_id IS NOT NULL AND ticket_id NOT IN (SELECT id FROM ticket)`,
		"tickets without a message":     `SELECT count(*) FROM ticket WHERE id NOT IN (SELECT ticket_id FROM message)`,
		"tickets without an event":      `SELECT count(*) FROM ticket WHERE id NOT IN (SELECT ticket_id FROM event)`,
		"mails still leased":            `SELECT count(*) FROM delivery WHERE lease_owner IS NOT NULL`,
		"outbox rows still leased":      `SELECT count(*) FROM outbox WHERE lease_owner IS NOT NULL`,
		"pieces of no raw mail":         `SELECT count(*) FROM raw_chunk WHERE raw_id NOT IN (SELECT id FROM raw)`,
		"numbers that two tickets have": `SELECT count(*) FROM (SELECT number FROM ticket WHERE number <> '' GROUP BY number HAVING count(*) > 1) AS d`,
	} {
		var n int
		o.must(o.db.QueryRow(query).Scan(&n))
		if n != 0 {
			o.t.Errorf("%d %s", n, what)
		}
	}
}

func (o *oracle) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// line is the part of a row's figures that all have in common.
func (o *oracle) line() string {
	return fmt.Sprintf("acked=%d lost=%d doubled=%d due=%d missing=%d surplus=%d extra_copies=%d unexplained=%d",
		len(o.letters), o.lost, o.doubled, o.due, o.missing, o.surplus, o.extra, o.unexplained)
}
