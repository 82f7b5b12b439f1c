package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guichet/mailflow"
	"guichet/mailflow/rfc822"
	"guichet/store/storetest"
)

// commandOn runs a command with a configuration, and what it reads.
func commandOn(t *testing.T, config, stdin string, args ...string) (int, string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append(args, "--config", config), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// rowsOf reads what a command has printed with --json.
func rowsOf(t *testing.T, out string) (rows []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows
}

const replayConfig = `
hostname: desk.example
database: "DATABASE"
secret_file: guichet.key
web: {base_url: "http://desk.example"}
relay: {url: "maildir:outbox"}
agents:
  - {address: agent@desk.example, name: First agent, desks: [support, sales]}
desks:
  support: {address: support@desk.example, language: en}
  sales: {address: sales@desk.example, language: fr, number: SAL-%05d}
`

func replayMails() (all [5]string) {
	all[0] = "From: Ada <ada@customer.example>\nTo: support@desk.example\nSubject: Router\nMessage-ID: <1@customer.example>\n" +
		"Date: Sat, 21 Nov 2026 14:05:00 +0000\n\nIt is dead.\n"
	all[1] = "From: ada@customer.example\nTo: support@desk.example\nSubject: Re: Router\nMessage-ID: <2@customer.example>\n" +
		"In-Reply-To: <1@customer.example>\nDate: Sat, 21 Nov 2026 15:05:00 +0000\n\nStill dead.\n"
	all[2] = "From: bob@other.example\nTo: support@desk.example, Sales <sales@desk.example>\nSubject: Re: [#INC-000001] Router\nMessage-ID: <3@other.example>\n" +
		"Date: Sat, 21 Nov 2026 16:05:00 +0000\n\nMine, too.\n"
	all[3] = "From: ada@customer.example\nTo: support@desk.example\nSubject: Out of office\nAuto-Submitted: auto-replied\nMessage-ID: <4@customer.example>\n" +
		"Date: Sat, 21 Nov 2026 17:05:00 +0000\n\nBack on Monday.\n"
	all[4] = "From: eve@third.example\nTo: eve@third.example\nSubject: Hello\nDate: never\n\nx\n"
	return all
}

// TestReplay takes a maildir, an mbox and a single mail through a store of
// their own: every stop is printed with its reason, and nothing else happens.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	write(t, config, strings.Replace(replayConfig, "DATABASE", "sqlite:live.db", 1))
	m := replayMails()
	for _, folder := range []string{"Maildir/cur", "Maildir/new", "Maildir/tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "Maildir/new/1002.b"), m[1])
	write(t, filepath.Join(dir, "Maildir/cur/1001.a:2,S"), m[0])
	write(t, filepath.Join(dir, "Maildir/tmp/1000.c"), "half a mail")
	write(t, filepath.Join(dir, "Maildir/dovecot.index"), "no mail")
	const from = "From x Sat Nov 21 14:05:00 2026\n"
	write(t, filepath.Join(dir, "more.mbox"), from+m[2]+"\n"+from+m[3]+"\n")
	code, out, errs := commandOn(t, config, m[4], "replay", "--json", "--desk", "sales", filepath.Join(dir, "Maildir"), filepath.Join(dir, "more.mbox"), "-")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	rows := rowsOf(t, out)
	if len(rows) != 6 {
		t.Fatalf("%d rows, want 6:\n%s", len(rows), out)
	}
	check := func(i int, want string, fields ...string) {
		t.Helper()
		var got []string
		for _, f := range fields {
			got = append(got, fmt.Sprint(rows[i][f]))
		}
		if s := strings.Join(got, " | "); s != want {
			t.Errorf("mail %v: %s, want %s", rows[i]["no"], s, want)
		}
	}
	check(0, "2026-11-21T14:05:00Z | support | person | INC-000001 | true | customer | unproven", "at", "desk", "class", "ticket", "new", "role", "level")
	check(0, "[map[event:received from:<nil> reason:<nil> to:new]]", "events")
	check(1, "INC-000001 | a Message-ID of the ticket | false | public", "ticket", "thread", "new", "visibility")
	check(2, "3 | support | INC-000002 | true", "no", "desk", "ticket", "new")
	check(3, "3 | sales | SAL-00001 | true", "no", "desk", "ticket", "new")
	check(4, "set-aside | classify | auto-reply | <nil>", "state", "stop", "class", "ticket")
	check(5, "2026-11-21T17:05:00Z | sales | SAL-00002", "at", "desk", "ticket")
	if mails := fmt.Sprint(rows[0]["mails"]); !strings.Contains(mails, "acknowledgment") || !strings.Contains(mails, "agent@desk.example") {
		t.Errorf("mails of the first: %s", mails)
	}
	code, out, _ = commandOn(t, config, "", "replay", filepath.Join(dir, "Maildir"))
	for _, want := range []string{"mail 1  ", "  classify  person: nothing says that a machine wrote it\n", "  thread    no anchor; new ticket INC-000001 (new-ticket)\n",
		"  people    customer, unproven: nothing proves the sender\n", "  apply     received: nothing → new\n",
		"  notify    acknowledgment to ada@customer.example; notification to agent@desk.example\n",
		`  thread    INC-000001 "Router", by a Message-ID of the ticket`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); code != 0 || len(files) != 3 {
		t.Errorf("exit %d, files %q: replay has made some", code, files)
	}
	code, out, _ = commandOn(t, config, "Subject: nobody's\n\nx\n", "replay", "-")
	if code != 0 || !strings.Contains(out, "classify  person: ") || !strings.Contains(out, "forged: not exactly one From") {
		t.Errorf("a mail of nobody: exit %d\n%s", code, out)
	}
	for _, args := range [][]string{{"replay"}, {"replay", "--last", "3", "x"}, {"replay", "--against", "--since", "soon"}} {
		if code, _, errs := commandOn(t, config, "", args...); code == 0 {
			t.Errorf("%q: exit 0 %s", args, errs)
		}
	}
}

// TestReplayAgainst judges a store's own mails anew: nothing differs under the
// same configuration, what differs under another one is named, and the store
// is only read.
func TestReplayAgainst(t *testing.T) { storetest.Slow(t, testReplayAgainst) }

func testReplayAgainst(t *testing.T, d *storetest.Database) {
	t.Parallel()
	g := startGateway(t, d.URL)
	put := func(from, rest string) {
		t.Helper()
		raw := "From: " + from + "\nTo: support@desk.example\nDate: Sat, 21 Nov 2026 14:05:00 +0000\n" + rest + "\n\nWords\n"
		if err := g.deliver(from, toSupport, onTheWire([]byte(raw))); err != nil {
			t.Fatal(err)
		}
		g.settled()
	}
	put("ada@customer.example", "Subject: Router\nMessage-ID: <1@x.example>")
	put("ada@customer.example", "Subject: Re: Router\nMessage-ID: <2@x.example>\nIn-Reply-To: <1@x.example>")
	for _, m := range g.sink.all() { // nothing is kept of them
		if m.kind() == "acknowledgment" {
			put("agent@desk.example", "Subject: Re: Router\nMessage-ID: <a@x.example>\nIn-Reply-To: "+m.mail.MessageID)
		}
	}
	put("ada@customer.example", "Subject: [#INC-000001] Any news?\nMessage-ID: <3@x.example>")
	put("ada@customer.example", "Subject: [#INC-000001] Any news?\nMessage-ID: <3@x.example>") // a copy
	put("jira@integrator.example", "Subject: SUP-7\nMessage-ID: <4@x.example>\nX-Loop: jira")
	put("bob@other.example", "Subject: Printer\nMessage-ID: <5@x.example>\nReferences: <0@x.example>") // which is its own anchor since
	put("carol@third.example", "Subject: [#INC-000001] Router\nMessage-ID: <6@x.example>")
	put("ada@customer.example", "Subject: Re: Router\nMessage-ID: <7@x.example>\nIn-Reply-To: <1@x.example>\nCc: carol@third.example") // a party since
	state := func() string {
		var all []string
		for _, args := range [][]string{{"ticket", "list"}, {"ticket", "history", "INC-000001"}, {"outbox", "list"}, {"held", "list"}} {
			_, out, errs := g.command(append(args, "--json")...)
			all = append(all, out+errs)
		}
		return strings.Join(all, "\n")
	}
	before := state()
	code, out, errs := g.command("replay", "--against")
	if code != 0 || out != "0 of 8 would thread differently, 0 would be classified differently (1 not judged: held, copies, imported)\n" {
		t.Fatalf("exit %d: %s%s\n%s", code, out, errs, before)
	}
	text, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), "number: INC-%06d", "number: TIC-%06d", 1) +
		"systems: [{from: jira@integrator.example, number: '\\b(SUP-[0-9]+)\\b'}]\n"
	config := filepath.Join(g.dir, "other.yaml")
	write(t, config, other)
	code, out, errs = commandOn(t, config, "", "replay", "--against")
	for _, want := range []string{"1 of 8 would thread differently, 1 would be classified differently",
		"INC-000001, by the number in the subject", "now  person (nothing says that a machine wrote it); no ticket", "was  loop (x-loop)", "now  bulk (a partner's ticket system, x-loop)"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in %s%s", code, want, out, errs)
		}
	}
	_, out, _ = commandOn(t, config, "", "replay", "--against", "--json", "--last", "4")
	if rows := rowsOf(t, out); len(rows) != 2 || fmt.Sprint(rows[1]) != "map[class:1 judged:4 skipped:0 thread:0]" {
		t.Errorf("the last four: %s", out)
	}
	if _, out, _ = commandOn(t, config, "", "replay", "--against", "--since", "2100-01-01"); !strings.HasPrefix(out, "0 of 0 ") {
		t.Errorf("since 2100: %s", out)
	}
	mail := "From: ada@customer.example\nTo: support@desk.example\nSubject: Re: Router\nReferences: <2@x.example>\n\nx\n"
	code, out, errs = commandOn(t, config, mail, "replay", "--against", "-")
	if code != 0 || !strings.Contains(out, "thread    INC-000001, by a Message-ID of the ticket") || !strings.Contains(out, "people    unproven") {
		t.Errorf("a mail of today: %d %s%s", code, out, errs)
	}
	if after := state(); after != before {
		t.Errorf("the store was\n%s\nis\n%s", before, after)
	}
}

// A mail goes to the desk that any server says it delivered it to, as one
// that is fetched.
func TestReplayDeliveredTo(t *testing.T) {
	cfg, _ := parse(t, "trust: {}", "trust: {}")
	for _, name := range mailflow.DeliveredTo {
		m := rfc822.Parse([]byte(name + ": <sales@desk.example>\r\nTo: all@customer.example\r\n\r\nWords.\r\n"))
		if got := addressedTo(cfg.Settings(), m); !slices.Equal(got, []string{"sales@desk.example"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
