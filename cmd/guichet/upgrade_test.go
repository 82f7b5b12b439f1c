package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/store/storetest"
)

// workingSchemas are those whose program took mail; schema 1 was the store's
// own tables alone.
func workingSchemas(t *testing.T) []int64 {
	return slices.DeleteFunc(storetest.Schemas(t), func(v int64) bool { return v < 2 })
}

// olderGateway is a gateway, not started, on a database of an earlier schema
// with data of a while ago.
func olderGateway(t *testing.T, d *storetest.Database, schema int64) (*running, *storetest.Seed) {
	t.Helper()
	seed := storetest.LoadSeed(t, schema)
	// An hour ago: what was to be tried again is due, no timer of a day is.
	seed.Shift(time.Since(seed.Made) - time.Hour)
	d.MigrateTo(schema)
	d.Fill(seed)
	g := seedGateway(t, d.URL)
	write(t, filepath.Join(g.dir, "guichet.key"), seedKey)
	return g, seed
}

// TestUpgrade: on the database of every earlier program the gateway finds all
// its tickets, takes answers to its old mails, sends what was queued and
// processes what was accepted.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	schemas := workingSchemas(t)
	if testing.Short() {
		schemas = schemas[:1] // whose database goes through every migration
	}
	for _, schema := range schemas {
		t.Run(fmt.Sprint(schema), func(t *testing.T) {
			storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
				t.Parallel()
				g, seed := olderGateway(t, d, schema)
				g.start()
				t.Cleanup(g.stop)
				g.worksOn(seed)
			})
		})
	}
}

// worksOn looks at a gateway that serves a seed's database.
func (g *running) worksOn(seed *storetest.Seed) {
	t := g.t
	t.Helper()
	numbers, tickets := map[int64]string{}, 0
	for _, row := range seed.Of("ticket") {
		tickets++
		number, ok := row["number"].(string)
		if !ok {
			continue // its form is awaited
		}
		numbers[row["id"].(int64)] = number
		code, out, errs := g.command("ticket", "show", number)
		if code != exitDone {
			t.Errorf("ticket show %s: exit %d: %s", number, code, errs)
		}
		for _, m := range seed.Of("message") {
			if words := strings.TrimSpace(m["words"].(string)); m["ticket_id"] == row["id"] && !strings.Contains(oneLine(out), oneLine(words)) {
				t.Errorf("ticket show %s lacks %q:\n%s", number, words, out)
			}
		}
	}
	g.sendsQueued(seed)
	g.processesAccepted(seed)
	g.threadsAnswers(seed, numbers)
	g.opensPages(seed)
	g.settled()
	if n := len(g.rows("ticket", "list")); n != tickets+2 {
		t.Errorf("%d tickets, had %d, and two mails were accepted", n, tickets)
	}
}

// sendsQueued: what was queued, or on its way, leaves with the id it had.
func (g *running) sendsQueued(seed *storetest.Seed) {
	for _, row := range seed.Of("outbox") {
		if row["state"] != "queued" && row["state"] != "sending" {
			continue
		}
		g.until(fmt.Sprintf("the %s mail %v leaves", row["state"], row["id"]), func() bool {
			for _, m := range g.sink.all() {
				if m.to == row["recipient"] && m.kind() == row["kind"] && (row["mail_id"] == "" || row["mail_id"] == m.mail.MessageID) {
					return true
				}
			}
			return false
		})
	}
}

// processesAccepted: mails that had 250 and no more become tickets.
func (g *running) processesAccepted(seed *storetest.Seed) {
	for _, row := range seed.Of("delivery") {
		if row["state"] == "new" {
			g.until(fmt.Sprintf("mail %v becomes a ticket", row["id"]), func() bool {
				return g.mailed("acknowledgment", row["mail_from"].(string))
			})
		}
	}
}

// threadsAnswers: an answer to a mail that left before the upgrade, to the
// address that it carried where the mail is kept, else to the desk's, is a
// message of its ticket.
func (g *running) threadsAnswers(seed *storetest.Seed, numbers map[int64]string) {
	s := &story{t: g.t.(*testing.T), g: g, names: map[string]*sent{}, header: map[string]string{}, count: 1000}
	answered := 0
	for _, row := range seed.Of("outbox") {
		header, body := sentMail(seed, row)
		if row["kind"] != "acknowledgment" || row["state"] != "sent" {
			continue
		}
		answered++
		words := fmt.Sprintf("After the upgrade, to mail %v.", row["id"])
		old := &rfc822.Mail{MessageID: row["mail_id"].(string), From: []rfc822.Address{{Address: row["desk"].(string) + "@desk.example"}}, Subject: "Earlier"}
		if header != nil && body != nil {
			old = rfc822.Parse(append(append([]byte{}, header...), body...))
		}
		s.write(false, row["recipient"].(string), nil, "", &sent{mail: old}, words)
		g.settled()
		_, out, _ := g.command("ticket", "show", numbers[row["ticket_id"].(int64)])
		if !strings.Contains(out, words) {
			g.t.Errorf("an answer to mail %v is not on ticket %v:\n%s\n%s", row["id"], row["ticket_id"], out, g.log())
		}
	}
	if answered < 3 {
		g.t.Errorf("only %d mails of the seed could be answered", answered)
	}
}

// sentMail is the finished mail of an outbox row: from schema 3 on it stands in a
// table of its own.
func sentMail(seed *storetest.Seed, row map[string]any) (header, body []byte) {
	for _, m := range seed.Of("outbox_mail") {
		if m["outbox_id"] == row["id"] {
			row = m
		}
	}
	header, _ = row["header"].([]byte)
	body, _ = row["body"].([]byte)
	return header, body
}

// opensPages: the links that people have in their mailboxes.
func (g *running) opensPages(seed *storetest.Seed) {
	for _, row := range seed.Of("party") {
		if row["active"] != int64(1) {
			continue
		}
		resp, err := http.Get("http://" + g.addr["web"] + "/t/" + row["link"].(string))
		if err != nil {
			g.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			g.t.Errorf("the page of party %v: %s", row["id"], resp.Status)
		}
	}
}

// TestNewerSchema: a program that meets a database of a newer one says what to
// do, and changes nothing.
func TestNewerSchema(t *testing.T) {
	storetest.Slow(t, func(t *testing.T, d *storetest.Database) {
		schemas := storetest.Schemas(t)
		d.MigrateTo(schemas[len(schemas)-1])
		applied := map[string]string{"sqlite": "1", "postgres": "true"}[d.Engine]
		newer := schemas[len(schemas)-1] + 1
		if _, err := d.SQL().Exec(fmt.Sprintf(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, %s)`, newer, applied)); err != nil {
			t.Fatal(err)
		}
		g := newGateway(t, d.URL)
		for _, args := range [][]string{{"serve"}, {"ticket", "list"}, {"outbox", "retry", "1"}} {
			cmd := g.binary()
			cmd.Args = append(cmd.Args, append(args, "--config", g.config)...)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitRefused || !strings.Contains(string(out), fmt.Sprintf("its schema is version %d", newer)) ||
				!strings.Contains(string(out), "run the newer program, or restore the backup") {
				t.Errorf("guichet %v: exit %d\n%s", args, cmd.ProcessState.ExitCode(), out)
			}
		}
	})
}

// TestServeTogether: two gateways that start at once on an older PostgreSQL
// database migrate it once, and both serve.
func TestServeTogether(t *testing.T) {
	d := storetest.Postgres(t)
	d.MigrateTo(storetest.Schemas(t)[0])
	two := []*running{newGateway(t, d.URL), newGateway(t, d.URL)}
	var wg sync.WaitGroup
	for _, g := range two {
		write(t, filepath.Join(g.dir, "guichet.key"), seedKey)
		wg.Go(g.start)
	}
	wg.Wait()
	for _, g := range two {
		t.Cleanup(g.stop)
		if err := g.mail(filepath.Base(g.dir)); err != nil {
			t.Error(err)
		}
	}
	rows := d.Rows(`SELECT count(*), count(DISTINCT version_id) FROM goose_db_version`)
	if want := int64(len(storetest.Schemas(t)) + 1); rows[0][0] != want || rows[0][1] != want {
		t.Errorf("versions noted, distinct: %v; want %d", rows[0], want)
	}
}

// programCmd is the program itself with a command line.
func programCmd(t *testing.T, args ...string) *exec.Cmd {
	g := running{t: t}
	cmd := g.binary()
	cmd.Args = append(cmd.Args, args...)
	return cmd
}
