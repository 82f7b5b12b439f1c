package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/store/storetest"
)

// Without ANALYZE SQLite plans alike for any number of rows; with 200,000
// tickets the plans are the same, in four times the time.
const (
	manyTickets = 50_000
	deferred    = 25_000 // rows that are due in an hour
	dueNow      = 100
)

// manyRows fills a database at once: a message with two anchors, a party, an
// event, two sent mails and an arrival for each of the tickets, of which
// every tenth has a deadline.
func manyRows(t testing.TB, db *store.DB, tickets int) {
	now := time.Now().UnixMicro()
	hour := time.Hour.Microseconds()
	n := func(count int) string {
		return fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `, count)
	}
	for _, q := range []string{
		n(1001) + `INSERT INTO raw (id, sha256, size, complete, created, data) SELECT i, '', 0, 1, 0, x'' FROM n`,
		fmt.Sprintf(n(tickets)+`INSERT INTO ticket (id, version, number, desk, state, subject, created, updated, deadline, waiting)
			SELECT i, 1, printf('INC-%%06d', i), 'support', iif(i %% 10, 'closed', 'pending'), 's', %d, %d,
			iif(i %% 10, NULL, %d + i), i %% 100 = 0 FROM n`, now, now, now+hour),
		fmt.Sprintf(n(tickets)+`INSERT INTO message (id, ticket_id, delivery_id, raw_id, at, address, name, party, role, visibility,
			proof, reason, mail_id, people, words) SELECT i, i, i, 1, %d, 'p' || (i %% 5000) || '@x', 'n', 1, iif(i %% 2000, 'customer', 'agent'),
			iif(i %% 1000, 'public', 'waiting'), '', '', '<m' || i || '@x>', '', '' FROM n`, now),
		n(2*tickets) + `INSERT INTO anchor (hash, ticket_id, message_id, own)
			SELECT cast(printf('%016d', i) AS BLOB), (i + 1) / 2, (i + 1) / 2, i % 2 FROM n`,
		n(tickets) + `INSERT INTO party (ticket_id, ordinal, role, address, name, person_id, added_by, since, link)
			SELECT i, 1, 'customer', 'p' || (i % 5000) || '@x', '', 1, '', 0, printf('%040d', i) FROM n`,
		fmt.Sprintf(n(tickets)+`INSERT INTO event (ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
			SELECT i, %d, '', 'agent', 'replied', '', '', '', '' FROM n`, now),
		fmt.Sprintf(n(tickets)+`INSERT INTO delivery (id, raw_id, desk, listener, client, hello, tls, login, mail_from, recipients, received,
			priority, state, ticket_id, message_id, mail_id, content_hash, copy_hash) SELECT i, i %% 1000 + 2, 'support', '', '', '', '', '', '', '',
			%d, 1, 'done', i, i, '<m' || i || '@x>', cast(printf('%%016d', i) AS BLOB), cast(printf('%%016d', i) AS BLOB) FROM n`, now),
		n(2*tickets) + `INSERT INTO outbox (ticket_id, desk, party, kind, recipient, lane, state, priority, due, created, args, mail_id)
			SELECT (i + 1) / 2, 'support', 1, 'update', 'p' || (i % 5000) || '@x', ((i + 1) / 2) || ' p' || (i % 5000), 'sent', i % 4, 0, 0, '{}', '<o' || i || '@x>' FROM n`,
		fmt.Sprintf(n(deferred*tickets/manyTickets)+`INSERT INTO outbox (ticket_id, desk, kind, recipient, lane, state, priority, due, created, args)
			SELECT i, 'support', 'update', 'q' || i || '@x', i || ' q', 'queued', i %% 3, %d, 0, '{}' FROM n`, now+hour),
		fmt.Sprintf(n(dueNow)+`INSERT INTO outbox (ticket_id, desk, kind, recipient, lane, state, priority, due, created, args)
			SELECT i, 'support', 'update', 'r' || i || '@x', i || ' r', 'queued', 2, %d, 0, '{}' FROM n`, now-hour),
	} {
		do(t, db, func(tx *store.Tx) error {
			if _, err := tx.Exec(q); err != nil {
				return fmt.Errorf("%w: %s", err, q)
			}
			return nil
		})
	}
}

// small are the indexes that may be read from end to end: they hold only what
// somebody has yet to see to.
var small = []string{"delivery_new", "message_waiting", "outbox_sending", "delivery_stopped", "outbox_stopped"}

// hot are the statements that run for each mail, each second or each page.
var hot = map[string]func(*store.Tx) error{
	"ClaimDeliveries": func(tx *store.Tx) error { _, err := tx.ClaimDeliveries(9, time.Minute); return err },
	"Suspects":        func(tx *store.Tx) error { _, err := tx.Suspects(9); return err },
	"RetryAlone":      func(tx *store.Tx) error { _, err := tx.RetryAlone(5, time.Minute); return err },
	"Unprocessed":     func(tx *store.Tx) error { _, err := tx.Unprocessed(1000); return err },
	"SameContent": func(tx *store.Tx) error {
		_, _, err := tx.SameContent([]byte("0000000000000005"), []byte("0000000000000005"), tx.Now(), 99)
		return err
	},
	"SameContentBare": func(tx *store.Tx) error {
		_, _, err := tx.SameContent([]byte("0000000000000005"), nil, tx.Now(), 99)
		return err
	},
	"SameMail": func(tx *store.Tx) error {
		_, _, err := tx.SameMail([]byte("0000000000000005"), tx.Now(), 99)
		return err
	},
	"HasCopy": func(tx *store.Tx) error {
		_, err := tx.HasCopy([]byte("0000000000000005"), tx.Now(), 99)
		return err
	},
	"LaneIsFree":         func(tx *store.Tx) error { _, err := tx.LaneIsFree("5 p5"); return err },
	"DeliveriesOfMail":   func(tx *store.Tx) error { _, err := tx.DeliveriesOfMail("<m5@x>"); return err },
	"DeliveriesOfTicket": func(tx *store.Tx) error { _, err := tx.DeliveriesOfTicket(5); return err },
	"TicketsOfRaw":       func(tx *store.Tx) error { _, err := tx.TicketsOfRaw(5); return err },
	"WaitingDeliveries":  func(tx *store.Tx) error { _, err := tx.WaitingDeliveries(); return err },
	"StoppedDeliveries":  func(tx *store.Tx) error { _, err := tx.StoppedDeliveries(); return err },
	"ForgetCopies":       func(tx *store.Tx) error { _, err := tx.ForgetCopies(tx.Now(), 99); return err },
	"TakeOver":           (*store.Tx).TakeOver,
	"Anchors":            func(tx *store.Tx) error { _, err := tx.Anchors("<m5@x>"); return err },
	"MoveMessage":        func(tx *store.Tx) error { return tx.MoveMessage(5, 5, 6) },
	"Messages":           func(tx *store.Tx) error { _, err := tx.Messages(5); return err },
	"PublicMessages":     func(tx *store.Tx) error { _, err := tx.PublicMessages(5, 0, 99, 9); return err },
	"PublicWords":        func(tx *store.Tx) error { _, err := tx.PublicWords(5, 0, 99); return err },
	"Notes":              func(tx *store.Tx) error { _, err := tx.Notes(5); return err },
	"WaitingMessages":    func(tx *store.Tx) error { _, err := tx.WaitingMessages(1000, 5); return err },
	"StaleConfirmations": func(tx *store.Tx) error { _, err := tx.StaleConfirmations(tx.Now()); return err },
	"Story":              func(tx *store.Tx) error { _, err := tx.Story(5, 5, 0, 5, "p5@x"); return err },
	"LastWords":          func(tx *store.Tx) error { _, err := tx.LastWords(5, ticket.Customer); return err },
	"LastAnswer":         func(tx *store.Tx) error { _, err := tx.LastAnswer(5); return err },
	"Parts":              func(tx *store.Tx) error { _, err := tx.Parts(5); return err },
	"History":            func(tx *store.Tx) error { _, err := tx.History(5); return err },
	"PartyByLink":        func(tx *store.Tx) error { _, err := tx.PartyByLink(fmt.Sprintf("%040d", 5)); return err },
	"PartyByAddress":     func(tx *store.Tx) error { _, err := tx.PartyByAddress(5, "p5@x"); return err },
	"PartyByOrdinal":     func(tx *store.Tx) error { _, err := tx.PartyByOrdinal(5, 1); return err },
	"AddParty":           func(tx *store.Tx) error { _, err := tx.AddParty(store.Party{TicketID: 5, Address: "q@x"}); return err },
	"Reader":             func(tx *store.Tx) error { _, _, err := tx.Reader("p5@x"); return err },
	"IntegratorFor":      func(tx *store.Tx) error { _, err := tx.IntegratorFor("p5@x"); return err },
	"LeaseOutbox":        func(tx *store.Tx) error { _, err := tx.LeaseOutbox(64, time.Minute); return err },
	"HasSuspects":        func(tx *store.Tx) error { _, err := tx.HasSuspects(); return err },
	"HasLapsed":          func(tx *store.Tx) error { _, err := tx.HasLapsed(); return err },
	"ReclaimOutbox":      func(tx *store.Tx) error { _, err := tx.ReclaimOutbox(); return err },
	"NextOutbox":         func(tx *store.Tx) error { _, err := tx.NextOutbox(); return err },
	"OutboxBusy":         func(tx *store.Tx) error { _, err := tx.OutboxBusy(100_000); return err },
	"OutboxDepth":        func(tx *store.Tx) error { _, err := tx.OutboxDepth(1000); return err },
	"LastAsked":          func(tx *store.Tx) error { _, _, err := tx.LastAsked(5); return err },
	"CancelChases":       func(tx *store.Tx) error { return tx.CancelChases(5) },
	"TakenSince": func(tx *store.Tx) error {
		_, err := tx.TakenSince(store.Outbox{ID: 5, TicketID: 5, Recipient: "p5@x"})
		return err
	},
	"LostAmong": func(tx *store.Tx) error {
		if err := tx.SetReachable(5, 1, false); err != nil {
			return err
		}
		lost, err := tx.LostAmong([]store.Outbox{{TicketID: 5, Party: 1}, {TicketID: 6, Party: 1}})
		if err == nil && len(lost) != 1 {
			err = fmt.Errorf("lost are %v", lost)
		}
		return err
	},
	"IncompleteRaw": func(tx *store.Tx) error { _, err := tx.IncompleteRaw(tx.Now()); return err },
	"WaitingSince":  func(tx *store.Tx) error { _, err := tx.WaitingSince(tx.Now(), 5, 9); return err },
	"AwaitingForm": func(tx *store.Tx) error {
		if _, err := tx.AwaitingForm("support", "p5@x"); err != sql.ErrNoRows {
			return err
		}
		return nil
	},
	"QueuedLater": func(tx *store.Tx) error {
		if _, err := tx.QueuedLater("q5@x", "support"); err != sql.ErrNoRows {
			return err
		}
		return nil
	},
	"DropOldMails": func(tx *store.Tx) error { _, err := tx.DropOldMails(tx.Now(), 99); return err },
	"StoreMail":    func(tx *store.Tx) error { _, err := tx.StoreMail(store.Outbox{ID: 5}); return err },
	"LoadMail":     func(tx *store.Tx) error { return tx.LoadMail(&store.Outbox{ID: 5}) },
	"FinishOutbox": func(tx *store.Tx) error {
		_, err := tx.FinishOutbox(store.Outbox{ID: 5, State: store.Sent})
		return err
	},
	"DueTickets":     func(tx *store.Tx) error { _, err := tx.DueTickets(time.UnixMicro(0), tx.Now(), 100); return err },
	"TicketByNumber": func(tx *store.Tx) error { _, err := tx.TicketByNumber("inc-000005"); return err },
	"TicketPage":     func(tx *store.Tx) error { _, err := tx.TicketPage("", "", 5, 100); return err },
	"OutboxPage":     func(tx *store.Tx) error { _, err := tx.OutboxPage("", 5, 100); return err },
}

// wanted are steps that a plan must have: without them it reads, with an
// index, what is not due.
var wanted = map[string][]string{
	"IncompleteRaw":      {"raw_incomplete (created<?"},
	"WaitingSince":       {"message_waiting (at<?"},
	"SameContent":        {"delivery_copy (copy_hash=?"},
	"SameContentBare":    {"delivery_content (content_hash=?"},
	"HasCopy":            {"delivery_copy (copy_hash=?"},
	"LostAmong":          {"party_lost (ticket_id>? AND ticket_id<?)", "party_lost (ticket_id=?"},
	"LaneIsFree":         {"outbox_lane (lane=?", "outbox_sending (lane=?"},
	"SameMail":           {"delivery_copy (copy_hash=?"},
	"LeaseOutbox":        {"outbox_due (priority=? AND due<?)", "outbox_lane (lane=? AND id<?)", "outbox_sending (lane=? AND id<?)"},
	"NextOutbox":         {"outbox_due (priority=?)"},
	"OutboxBusy":         {"outbox_due (priority=? AND due<?)"},
	"DueTickets":         {"ticket_due (deadline>? AND deadline<?)"},
	"StaleConfirmations": {"message_waiting (at<?)"},
	"QueuedLater":        {"outbox_later (recipient=?)"},
}

// No statement that runs often reads a whole table, or what is due some day,
// however much of it there is; nor after ANALYZE, which an operator may run.
func TestPlans(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm")
	}
	tickets := manyTickets
	if testing.Short() {
		tickets = 2000
	}
	db := storetest.SQLite(t).Open()
	manyRows(t, db, tickets)
	// The organisations are read once and then kept in memory.
	do(t, db, func(tx *store.Tx) error { _, err := tx.Organisations(); return err })
	for _, when := range []string{"", " after ANALYZE"} {
		for name, fn := range hot {
			t.Run(name+when, func(t *testing.T) { checkPlan(t, db, name, fn) })
		}
		do(t, db, func(tx *store.Tx) error { _, err := tx.Exec(`ANALYZE`); return err })
	}
}

func checkPlan(t *testing.T, db *store.DB, name string, fn func(*store.Tx) error) {
	var steps []string
	var took time.Duration
	err := db.Update(t.Context(), "test", func(tx *store.Tx) (err error) {
		if steps, err = tx.Explain(fn); err != nil {
			return err
		}
		began := time.Now()
		err = fn(tx)
		took = time.Since(began)
		if err == nil {
			err = errRollBack
		}
		return err
	})
	errorIs(t, name, err, errRollBack)
	for _, s := range steps {
		if !mayStand(s) {
			t.Error(s)
		}
	}
	for _, w := range wanted[name] {
		if !strings.Contains(strings.Join(steps, "\n"), w) {
			t.Errorf("no step has %s:\n%s", w, strings.Join(steps, "\n"))
		}
	}
	t.Log(took)
}

var errRollBack = fmt.Errorf("rolled back")

// mayStand says whether a step of a plan is no walk over a table. Those over
// what the statement itself made, over constants, and over a small index are
// none.
func mayStand(step string) bool {
	detail, _, _ := strings.Cut(step, "\t")
	rest, scan := strings.CutPrefix(detail, "SCAN ")
	if strings.HasPrefix(detail, "ERROR") || strings.Contains(detail, "AUTOMATIC") {
		return false
	}
	if strings.Contains(step, "\tINSERT INTO person") || strings.Contains(step, "WHERE state = 'queued' LIMIT ?") ||
		strings.HasPrefix(detail, "SCAN outbox_mail") && strings.Contains(step, "FROM outbox_mail ORDER BY outbox_id LIMIT ?") {
		return true // SQLite's look for those who refer to a row, skipped unless one is missing; walks with a limit
	}
	table, how, _ := strings.Cut(rest, " ")
	for _, own := range []string{"p", "c", "d", "m", "q", "s", "CONSTANT", "(subquery"} {
		scan = scan && table != own
	}
	for _, name := range small {
		scan = scan && !strings.Contains(how+" ", "INDEX "+name+" ")
	}
	return !scan
}
