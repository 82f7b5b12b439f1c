//go:build bench

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"guichet/store/storetest"
)

// fillBase stands below the row ids of the older tickets: those of the
// gateway's first rounds are lower.
const fillBase = 10_000

// fillStore puts n older tickets into the database of a gateway that is stopped:
// spread over two years up to a month ago, of which 96 in 100 are closed. Each
// has what the gateway leaves of such a ticket: a mail of 2 KB and its
// delivery, customer and agent, with every fourth a colleague, one message
// with its anchors, three events, and two sent mails whose bodies have been
// dropped. A customer has about three tickets.
func fillStore(t testing.TB, d *storetest.Database, n int) {
	t.Helper()
	began := time.Now()
	conn := fillConn(t, d)
	indexes := dropIndexes(t, conn, d.Engine)
	words := fillWords(d.Engine, n)
	for _, statement := range fillStatements {
		fillExec(t, conn, words.Replace(statement))
	}
	for _, create := range indexes {
		fillExec(t, conn, create)
	}
	after := []string{`PRAGMA journal_mode = WAL`}
	if d.Engine == "postgres" {
		after = []string{`CHECKPOINT`, `VACUUM ANALYZE`}
		for _, table := range strings.Fields("raw delivery ticket message person party event outbox") {
			after = append(after, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%[1]s', 'id'), (SELECT max(id) FROM %[1]s))`, table))
		}
	}
	for _, statement := range after {
		fillExec(t, conn, statement)
	}
	fmt.Fprintf(os.Stderr, "# %d older tickets made in %s\n", n, time.Since(began).Round(time.Second))
}

// fillConn is one connection, set up for speed: what it writes is worth
// nothing before it is whole.
func fillConn(t testing.TB, d *storetest.Database) *sql.Conn {
	conn, err := openSQL(t, d).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	set := []string{`PRAGMA journal_mode = OFF`, `PRAGMA synchronous = OFF`, `PRAGMA cache_size = -600000`, `PRAGMA temp_store = MEMORY`}
	if d.Engine == "postgres" {
		// replica: foreign keys are not looked at.
		set = []string{`SET synchronous_commit = off`, `SET session_replication_role = replica`, `SET maintenance_work_mem = '256MB'`}
	}
	for _, s := range set {
		fillExec(t, conn, s)
	}
	return conn
}

func fillExec(t testing.TB, conn *sql.Conn, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// dropIndexes drops all indexes but those of constraints, and returns what
// makes them anew: sorted at the end they take a tenth of the time.
func dropIndexes(t testing.TB, conn *sql.Conn, engine string) (create []string) {
	query := `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`
	if engine == "postgres" {
		query = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
			AND indexname NOT IN (SELECT conname FROM pg_constraint)`
	}
	rows, err := conn.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		names, create = append(names, name), append(create, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		fillExec(t, conn, "DROP INDEX "+name)
	}
	return create
}

// fillWords stands for what the engines say differently, and for pieces that
// several statements share. Later pairs may not hold earlier ones.
func fillWords(engine string, n int) *strings.Replacer {
	people := n * 3 / 10
	start := time.Now().Add(-731 * 24 * time.Hour).UnixMicro()
	step := (700 * 24 * time.Hour).Microseconds() / int64(n)
	num := strconv.Itoa
	series := func(n int) string {
		return `(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ` + num(n) + `) SELECT n FROM s) AS s`
	}
	random := func(octets int) string { return `randomblob(` + num(octets) + `)` }
	text, blob := `lower(hex(`+random(20)+`))`, `CAST(%s AS BLOB)`
	if engine == "postgres" {
		series = func(n int) string { return `(SELECT * FROM generate_series(1::bigint, ` + num(n) + `)) AS s (n)` }
		random = func(octets int) string {
			return `substring(decode(md5(random()::text) || md5(random()::text), 'hex') FROM 1 FOR ` + num(octets) + `)`
		}
		text, blob = `encode(`+random(20)+`, 'hex')`, `convert_to(%s, 'UTF8')`
	}
	customer := func(p string) string {
		return `'customer' || ` + p + ` || '.' || (` + p + ` * 7919 % 9973) || '@c' || (` + p + ` % 20000) || '.example'`
	}
	p, other := `(n * 7919 % `+num(people)+` + 1)`, `((n * 7919 + 1) % `+num(people)+` + 1)`
	mailID := `'<' || (n * 104729 % 1000003) || '.' || n || '@mail.c' || (n % 20000) || '.example>'`
	at := fmt.Sprintf(`(%d + n * %d)`, start, step)
	subject := `(CASE n % 5 WHEN 0 THEN 'Printer offline, room ' WHEN 1 THEN 'VPN drops every hour on ' WHEN 2 THEN 'Connexion refusée '
		WHEN 3 THEN 'Invoice cannot be opened: ' ELSE 'Access to the shared folder ' END || (n * 31 % 9999))`
	var prose strings.Builder
	for i := range 8 {
		fmt.Fprintf(&prose, "WHEN %d THEN '%s' ", i, strings.ReplaceAll(fillProse(i), "'", "''"))
	}
	words := `('Hello, this is about machine ' || n || '. ' || CASE n % 8 ` + prose.String() + `END)`
	raw := `('Received: from mx.customer.example (mx.customer.example [192.0.2.17]) by mx.desk.example with ESMTPS id ' || n || '
From: Customer ' || ` + p + ` || ' <' || ` + customer(p) + ` || '>
To: Technical support <support@desk.example>
Subject: ' || ` + subject + ` || '
Message-ID: ' || ` + mailID + ` || '
Date: Thu, 02 Oct 2025 11:12:13 +0200
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 8bit

' || ` + words + ` || '
-- 
Customer Ltd, 1 Example Street
')`
	return strings.NewReplacer("{series}", series(n), "{people}", series(people), "{id}", `(n + `+num(fillBase)+`)`,
		"{party}", `(3 * n + `+num(fillBase)+`)`, "{customer}", customer(p), "{other}", customer(other), "{person}", customer("n"),
		"{customer id}", `(`+p+` + `+num(fillBase)+`)`, "{other id}", `(`+other+` + `+num(fillBase)+`)`,
		"{agent id}", `(SELECT person_id FROM address WHERE address = 'agent@desk.example')`,
		"{mail id}", mailID, "{at}", at, "{subject}", subject, "{words}", words, "{raw}", fmt.Sprintf(blob, strings.ReplaceAll(raw, "\n", "\r\n")),
		"{base}", num(fillBase), "{short hash}", random(16), "{hex}", text, "{last}", num(fillBase+n),
		"{soon}", num(int(time.Now().Add(48*time.Hour).UnixMicro())))
}

// fillProse is one of eight texts of about 1300 octets.
func fillProse(i int) string {
	text := strings.ReplaceAll(benchTexts[i], "\r\n", "\n")
	return text[:strings.LastIndexByte(text[:1300], '\n')+1]
}

var fillStatements = []string{
	`INSERT INTO person (id, name) SELECT {id}, 'Customer ' || n FROM {people}`,
	`INSERT INTO address (address, person_id) SELECT {person}, {id} FROM {people} ORDER BY 1`,
	`INSERT INTO raw (id, sha256, size, complete, created, data)
		SELECT id, {hex} || '000000000000000000000000', length(data), 1, at, data FROM (SELECT {id} AS id, {at} AS at, {raw} AS data FROM {series}) AS r`,
	`INSERT INTO delivery (id, raw_id, desk, listener, client, hello, tls, login, mail_from, recipients, received, priority, state,
			reason, why, ticket_id, message_id, from_address, to_address, subject, mail_id)
		SELECT {id}, {id}, 'support', 'smtp', '127.0.0.1', 'mx.desk.example', '', '', {customer}, 'support@desk.example', {at}, 1, 'done',
			'new-ticket', '["class person: nothing says that a machine wrote it","sender unproven: nothing proves the sender","new ticket INC-' ||
			{id} || '","received: → new","acknowledgment to 1","notification to 1"]', {id}, {id}, {customer}, 'support@desk.example',
			{subject}, {mail id} FROM {series}`,
	// What duplicates are recognised by is forgotten after a week.
	`INSERT INTO meta (key, value) SELECT 'copies forgotten', CAST(max(id) AS TEXT) FROM delivery`,
	`INSERT INTO ticket (id, version, number, desk, state, closed, subject, created, updated, closed_at, deadline, next, opener)
		SELECT {id}, 3, 'INC-' || {id}, 'support', CASE n % 50 WHEN 0 THEN 'open' WHEN 1 THEN 'pending' ELSE 'closed' END,
			CASE WHEN n % 50 < 2 THEN '' WHEN n % 3 = 0 THEN 'unconfirmed' ELSE 'approved' END, {subject}, {at}, {at} + 7200000000,
			CASE WHEN n % 50 < 2 THEN NULL ELSE {at} + 7200000000 END, CASE n % 50 WHEN 1 THEN {soon} + n * 1000000 END,
			CASE n % 50 WHEN 1 THEN 'reminder' ELSE '' END, {mail id} FROM {series}`,
	`INSERT INTO message (id, ticket_id, delivery_id, raw_id, at, address, name, party, role, visibility, proof, reason, mail_id, people, words)
		SELECT {id}, {id}, {id}, {id}, {at}, {customer}, 'Customer', 1, 'customer', 'public', 'unproven', 'nothing proves the sender',
			{mail id}, {customer} || '
support@desk.example', {words} FROM {series}`,
	`INSERT INTO anchor (hash, ticket_id, message_id, own) SELECT {short hash}, {id}, {id}, 1 FROM {series}`,
	`INSERT INTO anchor (hash, ticket_id, message_id, own) SELECT {short hash}, {id}, {id}, 0 FROM {series} WHERE n % 3 = 0`,
	`INSERT INTO party (id, ticket_id, ordinal, role, address, name, person_id, added_by, since, link)
		SELECT {party}, {id}, 1, 'customer', {customer}, 'Customer', {customer id}, '', 0, {hex} FROM {series}`,
	`INSERT INTO party (id, ticket_id, ordinal, role, address, name, person_id, added_by, since, link)
		SELECT {party} + 1, {id}, 2, 'agent', 'agent@desk.example', 'First agent', {agent id}, '', 0, {hex} FROM {series}`,
	`INSERT INTO party (id, ticket_id, ordinal, role, address, name, person_id, added_by, since, link)
		SELECT {party} + 2, {id}, 3, 'follower', {other}, 'Colleague', {other id}, {customer}, 0, {hex} FROM {series} WHERE n % 4 = 0`,
	`INSERT INTO event (id, ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
		SELECT {party}, {id}, {at}, {customer}, 'customer', 'received', '', 'new', {mail id}, '' FROM {series}`,
	`INSERT INTO event (id, ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
		SELECT {party} + 1, {id}, {at} + 3600000000, 'agent@desk.example', 'agent', 'replied', 'new', 'open', '', '' FROM {series}`,
	`INSERT INTO event (id, ticket_id, at, actor, role, type, from_state, to_state, mail_id, reason)
		SELECT {party} + 2, {id}, {at} + 7200000000, {customer}, 'customer', 'approved', 'open', 'closed', '', '' FROM {series}`,
	`INSERT INTO outbox (id, ticket_id, desk, party, kind, recipient, lane, state, priority, due, tries, created, sent, fence, reply, args, cause, mail_id)
		SELECT 2 * n + {base}, {id}, 'support', 1, 'acknowledgment', {customer}, {id} || ' ' || {customer}, 'sent', 2, {at} + 100000, 1, {at}, {at} + 100000, 1,
			'250 2.0.0 Ok: queued', '{"message":' || {id} || ',"event":"new-ticket","stranger":true,"state":"new"}', {id},
			'<' || substr({hex}, 1, 32) || '@desk.example>' FROM {series}`,
	`INSERT INTO outbox (id, ticket_id, desk, party, kind, recipient, lane, state, priority, due, tries, created, sent, fence, reply, args, cause, mail_id)
		SELECT 2 * n + 1 + {base}, {id}, 'support', 2, 'notification', 'agent@desk.example', {id} || ' agent@desk.example', 'sent', 3, {at} + 100000, 1, {at}, {at} + 100000, 1,
			'250 2.0.0 Ok: queued', '{"message":' || {id} || ',"event":"new-ticket","state":"new"}', {id},
			'<' || substr({hex}, 1, 32) || '@desk.example>' FROM {series}`,
	`UPDATE counter SET value = {last} WHERE name = 'number INC-%06d'`,
}
