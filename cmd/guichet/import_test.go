package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guichet/store/storetest"
)

// archive writes the mails of a former desk: an mbox of what came, a maildir
// of what went out. RT named two matters in their subjects.
func archive(t testing.TB, dir string) (mbox, maildir string) {
	t.Helper()
	const from = "From x Mon Jan  4 10:00:00 2021\n"
	mail := func(headers, text string) string { return headers + "\n\n" + text + "\n" }
	came := []string{
		mail("From: Ada <ada@customer.example>\nTo: support@desk.example\nCc: eve@third.example\nSubject: [RT #12] Router\nMessage-ID: <1@customer.example>\nDate: Mon, 04 Jan 2021 10:00:00 +0000", ">From the beginning:\nit is dead."),
		mail("From: ada@customer.example\nTo: support@desk.example\nSubject: Re: [RT #12] Router\nMessage-ID: <3@customer.example>\nIn-Reply-To: <unseen@rt.example>\nDate: Mon, 04 Jan 2021 12:00:00 +0000", "Thank you.\n\n> Try again."),
		mail("From: bob@customer.example\nTo: support@desk.example\nSubject: Re: [RT #12] Router\nMessage-ID: <4@customer.example>\nIn-Reply-To: <2@desk.example>\nDate: Mon, 04 Jan 2021 13:00:00 +0000", "Same here."),
		mail("From: mallory@evil.example\nTo: support@desk.example\nSubject: [RT #12] Give me that\nMessage-ID: <5@evil.example>\nDate: Mon, 04 Jan 2021 14:00:00 +0000", "Please."),
		mail("From: agent@desk.example\nTo: second@desk.example\nSubject: Fwd: [RT #12] Router\nMessage-ID: <6@desk.example>\nIn-Reply-To: <3@customer.example>\nDate: Mon, 04 Jan 2021 15:00:00 +0000", "What a bore."),
		mail("From: ada@customer.example\nTo: support@desk.example\nSubject: Out of office\nAuto-Submitted: auto-replied\nMessage-ID: <7@customer.example>\nIn-Reply-To: <2@desk.example>\nDate: Mon, 04 Jan 2021 16:00:00 +0000", "Back soon."),
		mail("From: MAILER-DAEMON@mx.example\nTo: support@desk.example\nSubject: Undelivered\nAuto-Submitted: auto-replied\nDate: Tue, 05 Jan 2021 10:00:00 +0000", "Sorry."),
		mail("From: zoe@other.example\nTo: sales@desk.example\nSubject: Price\nMessage-ID: <8@other.example>\nDate: Wed, 06 Jan 2021 10:00:00 +0000", "How much?"),
		mail("From: big@other.example\nTo: support@desk.example\nSubject: Large\nDate: Wed, 06 Jan 2021 11:00:00 +0000", strings.Repeat("large\n", 400)),
		"",
	}
	mbox = filepath.Join(dir, "came.mbox")
	var all strings.Builder
	for _, m := range came {
		fmt.Fprintf(&all, "%s%s\n", from, m)
	}
	write(t, mbox, all.String())
	maildir = filepath.Join(dir, "Sent")
	if err := os.MkdirAll(filepath.Join(maildir, "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(maildir, "cur", "1.a:2,S"), mail("From: Support <support@desk.example>\nTo: ada@customer.example\nCc: bob@customer.example\nSubject: Re: [RT #12] Router\n"+
		"Message-ID: <2@desk.example>\nIn-Reply-To: <1@customer.example>\nDate: Mon, 04 Jan 2021 11:00:00 +0000", "Try again."))
	return mbox, maildir
}

// TestImport brings an archive in twice, and then a party answers.
func TestImport(t *testing.T) { storetest.Slow(t, testImport) }

func testImport(t *testing.T, d *storetest.Database) {
	t.Parallel()
	g := startGateway(t, d.URL, "max_message_size: 25MiB", "max_message_size: 2KiB", "desks:\n", "old_numbers: [{system: rt, pattern: '\\[RT #([0-9]+)\\]'}]\ndesks:\n")
	mbox, maildir := archive(t, g.dir)
	sum := func(want string, code int, args ...string) {
		t.Helper()
		got, out, errs := g.command(append([]string{"import"}, args...)...)
		if lines := strings.Split(strings.TrimSpace(out), "\n"); got != code || lines[len(lines)-1] != want {
			t.Fatalf("import %q: exit %d\n%s%s\nwant %s", args, got, out, errs, want)
		}
	}
	const tooLarge = "came.mbox:mail 9: not imported: larger than smtp.max_message_size, "
	if code, out, _ := g.command("import", "mbox", mbox); code != 1 || !strings.Contains(out, tooLarge) {
		t.Fatalf("exit %d, no %q in %s", code, tooLarge, out)
	}
	sum("1 mail: 1 imported (0 closed tickets, 1 more mail on tickets, 0 automatic ones of no conversation), 0 there already, 0 not imported", 0, "maildir", maildir)
	sum("1 mail: 0 imported (0 closed tickets, 0 more mails on tickets, 0 automatic ones of no conversation), 1 there already, 0 not imported", 0, "maildir", maildir)
	sum("10 mails: 0 imported (0 closed tickets, 0 more mails on tickets, 0 automatic ones of no conversation), 9 there already, 1 not imported", 1, "mbox", mbox)
	if rows := g.rows("outbox", "list"); len(rows) != 0 {
		t.Errorf("outbox: %v", rows)
	}
	tickets := g.rows("ticket", "list")
	var list []string
	for _, r := range tickets {
		list = append(list, fmt.Sprint(r["number"], r["state"], r["closed"], r["subject"], r["customer"], r["created"], r["updated"], r["deadline"]))
	}
	want := []string{
		"INC-000001 closed agent [RT #12] Router ada@customer.example 2021-01-04T10:00:00Z 2021-01-04T16:00:00Z <nil>",
		"SAL-00001 closed agent Price zoe@other.example 2021-01-06T10:00:00Z 2021-01-06T10:00:00Z <nil>",
		"INC-000002 closed agent  <nil> 2021-01-06T10:00:00Z 2021-01-06T10:00:00Z <nil>"}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " ", "")
	}
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], " ", "")
	}
	if !slices.Equal(list, want) {
		t.Errorf("tickets\n%s\nwant\n%s", strings.Join(list, "\n"), strings.Join(want, "\n"))
	}
	checkImported(t, g)
	answerImported(t, g)
}

// checkImported looks at the messages of the first ticket, and who is told
// what.
func checkImported(t *testing.T, g *running) {
	t.Helper()
	shown := g.rows("ticket", "show", "INC-000001")[0]
	var got []string
	for _, m := range shown["messages"].([]any) {
		m := m.(map[string]any)
		got = append(got, fmt.Sprint(m["message_id"], " ", m["role"], " ", m["visibility"], " ", m["at"]))
	}
	slices.Sort(got)
	want := []string{
		"<1@customer.example> customer public 2021-01-04T10:00:00Z",
		"<2@desk.example> agent public 2021-01-04T11:00:00Z",
		"<3@customer.example> customer public 2021-01-04T12:00:00Z",
		"<4@customer.example> follower note 2021-01-04T13:00:00Z", // what bob answered was not there yet
		"<5@evil.example> follower note 2021-01-04T14:00:00Z",
		"<6@desk.example> agent note 2021-01-04T15:00:00Z",
		"<7@customer.example> customer note 2021-01-04T16:00:00Z",
	}
	if !slices.Equal(got, want) {
		t.Errorf("messages\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := shown["messages"].([]any)[0].(map[string]any)["text"]; text != "From the beginning:\nit is dead.\n" {
		t.Errorf("the first text: %q", text)
	}
	if parties := fmt.Sprint(shown["parties"]); strings.Contains(parties, "eve") || strings.Contains(parties, "mallory") || !strings.Contains(parties, "ada@") {
		t.Errorf("parties: %s", parties)
	}
	why := g.rows("why", "<1@customer.example>")[0]
	if why["state"] != "done" || why["ticket"] != "INC-000001" || !strings.HasPrefix(fmt.Sprint(why["decisions"]), "[imported: ") {
		t.Errorf("why: %v", why)
	}
	if rows := g.rows("held", "list"); len(rows) != 0 {
		t.Errorf("held: %v", rows)
	}
}

// answerImported has a party and a stranger write about the old matter.
func answerImported(t *testing.T, g *running) {
	t.Helper()
	put := func(from, rest string) {
		t.Helper()
		if err := g.deliver(from, toSupport, onTheWire([]byte("From: "+from+"\nTo: support@desk.example\n"+rest+"\n\nIt is dead again.\n"))); err != nil {
			t.Fatal(err)
		}
		g.settled()
	}
	put("ada@customer.example", "Subject: Re: [RT #12] Router\nMessage-ID: <20@customer.example>") // proven: from a trusted network
	put("mallory@evil.example", "Subject: Re: [RT #12] Router\nMessage-ID: <21@evil.example>")
	put("ada@customer.example", "Subject: [RT #12] once more\nMessage-ID: <22@customer.example>")
	// Another gateway leaves numbers out on PostgreSQL: only the order is sure.
	tickets := g.rows("ticket", "list")[3:]
	if len(tickets) != 2 {
		t.Fatalf("tickets %v", tickets)
	}
	for i, want := range []struct {
		messages int
		follows  any
	}{{2, "INC-000001"}, {1, tickets[0]["number"]}} {
		shown := g.rows("ticket", "show", fmt.Sprint(tickets[i]["number"]))[0]
		links := shown["links"].([]any)
		if n := len(shown["messages"].([]any)); shown["state"] != "new" || n != want.messages || !slices.Contains(links, want.follows) {
			t.Errorf("%v: %v, %d messages, linked with %v, want %v", shown["number"], shown["state"], n, links, want)
		}
	}
	live := filepath.Join(g.dir, "live.mbox") // what an archive has of mails that came here
	write(t, live, "From x Sat Nov 21 14:05:00 2026\nReceived: from a by b\nFrom: Ada <ada@customer.example>\nTo: support@desk.example\n"+
		"Subject: Re: [RT #12] Router\nMessage-ID: <20@customer.example>\n\nIt is dead again.\n\n")
	if code, out, _ := g.command("import", "mbox", live); code != 0 || !strings.Contains(out, "0 imported") || !strings.Contains(out, "1 there already") {
		t.Errorf("a mail that came here: exit %d %s", code, out)
	}
	for _, m := range g.sink.all() {
		if to := m.to; to != "ada@customer.example" && to != "mallory@evil.example" && !strings.HasSuffix(to, "@desk.example") {
			t.Errorf("a mail to %s", to)
		}
		if m.to == "mallory@evil.example" && strings.Contains(string(m.raw), "INC-000001") {
			t.Errorf("the stranger learns of the ticket:\n%s", m.raw)
		}
	}
}

// TestImportTogether brings both folders in at once: by their dates, so that
// who was invited is a party.
func TestImportTogether(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL, "desks:\n", "old_numbers: [{system: rt, pattern: '\\[RT #([0-9]+)\\]'}]\ndesks:\n")
	mbox, maildir := archive(t, g.dir)
	sent, err := os.ReadFile(filepath.Join(maildir, "cur", "1.a:2,S"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(g.dir, "sent.mbox")
	came, err := os.ReadFile(mbox)
	if err != nil {
		t.Fatal(err)
	}
	_, bounce, _ := strings.Cut(string(came), "From: MAILER-DAEMON")
	bounce, _, _ = strings.Cut("From: MAILER-DAEMON"+bounce, "\nFrom x ") // it has no Message-ID
	const from = "From x Mon Jan  4 10:00:00 2021\n"
	write(t, other, from+string(sent)+"\n"+from+bounce)
	code, out, errs := g.command("import", "mbox", "--json", "--desk", "sales", mbox, other)
	if rows := rowsOf(t, out); code != 0 || fmt.Sprint(rows) != "[map[already:1 automatic:1 failed:0 imported:11 joined:6 mails:12 tickets:4]]" {
		t.Fatalf("exit %d: %v\n%s", code, rows, errs)
	}
	shown := g.rows("ticket", "show", "SAL-00001")[0]
	if parties := fmt.Sprint(shown["parties"]); !strings.Contains(parties, "bob@customer.example") || strings.Contains(parties, "eve") {
		t.Errorf("parties: %s", parties)
	}
	if third := shown["messages"].([]any)[2].(map[string]any); third["message_id"] != "<3@customer.example>" {
		t.Errorf("the third message: %v", third)
	}
	for _, args := range [][]string{{"import", "mbox", maildir}, {"import", "maildir", mbox}, {"import", "mbox", other, "--desk", "none"},
		{"import", "mbox", filepath.Join(g.dir, "config.yaml")}, {"import", "mbox", "nowhere"}, {"import", "mbox"}} {
		if code, out, _ := g.command(args...); code == 0 {
			t.Errorf("%q: exit 0: %s", args, out)
		}
	}
}

// The file of an empty folder, as mail programs keep one, is no mail.
func TestImportEmpty(t *testing.T) {
	g := startGateway(t, storetest.SQLite(t).URL)
	mbox := filepath.Join(g.dir, "folder.mbox")
	write(t, mbox, "")
	code, out, _ := g.command("import", "mbox", "--json", mbox)
	if got := fmt.Sprint(code, " ", rowsOf(t, out)); got != "0 [map[already:0 automatic:0 failed:0 imported:0 joined:0 mails:0 tickets:0]]" {
		t.Errorf("%s", got)
	}
	if code, _, errs := g.command("replay", "--against", "--last", "-1"); code != 2 {
		t.Errorf("--last -1: exit %d: %s", code, errs)
	}
}
