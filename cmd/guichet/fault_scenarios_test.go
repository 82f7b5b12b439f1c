//go:build crash

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"guichet/mailflow/imapfetch/imaptest"
	"guichet/mailflow/outbound"
	"guichet/mailflow/rfc822"
	"guichet/store/storetest"
)

// scenario is a short story in which the gateway passes some crash points. It
// is killed at one of them and started again; the story goes on as the world
// does: senders send again what was not acknowledged.
type scenario struct {
	play     func(*stage)
	postgres bool     // passes its points on PostgreSQL alone
	idle     bool     // waits for a timer of the gateway's
	config   []string // pairs of texts to change in the configuration
	// ways are the points at which the process is killed in the starts before
	// the one that passes the point.
	ways []string
	// byHand: the point is passed by a command, not by the gateway.
	byHand bool
	imap   bool // mails come by a Dovecot of its own, too
}

var scenarios = map[string]scenario{
	"mails":                          {play: playMails},
	"start":                          {play: playStart},
	"in hand":                        {play: playOne, ways: []string{"before decide"}},
	"three times":                    {play: playThreeTimes, ways: []string{"before decide", "after retry alone", "after retry alone", "after retry alone"}},
	"held mail":                      {play: playHeldMail},
	"held mail by hand":              {play: playHeldMail, byHand: true},
	"import":                         {play: playImport, byHand: true},
	"approval":                       {play: playApprove},
	"deadline":                       {play: playDeadline, config: []string{"closure_reminder_after: 24h", "closure_reminder_after: 300ms"}},
	"lost desk":                      {play: playLostDesk, idle: true, config: []string{"closure_reminder_after: 24h", "closure_reminder_after: 8s"}},
	"given up":                       {play: playGivenUp},
	"idle":                           {play: playStart, idle: true},
	"node":                           {play: playNode, postgres: true, idle: true},
	"migrate":                        {play: playMigrate, byHand: true},
	"numbers":                        {play: playNumbers, postgres: true},
	"mailbox":                        {play: playMailbox, imap: true},
	"mailbox lost":                   {play: playMailboxLost, imap: true},
	"mail not given":                 {play: playMailNotGiven, imap: true, idle: true},
	"mailbox of one of several":      {play: playMailbox, imap: true, postgres: true, idle: true},
	"mailbox lost by one of several": {play: playMailboxLost, imap: true, postgres: true, idle: true},
	"maildir":                        {play: playMaildir, config: []string{`"smtp://`, `"maildir:outbox-`}},
	"old mail":                       {play: playOldMail, byHand: true},
}

// stage is a scenario being played.
type stage struct {
	*service
	scenario
	url     string
	point   string   // "before WHAT" or "after WHAT"
	deadly  []string // GUICHET_CRASH of the gateway's starts; "" of those after
	letters []*letter
	killed  bool // a command was, at the point
	imap    *imaptest.Dovecot
}

func newStage(t *testing.T, d *storetest.Database, sc scenario, point string) *stage {
	s := &stage{scenario: sc, url: d.URL, point: point, deadly: slices.Clone(sc.ways)}
	config := slices.Clone(sc.config)
	if sc.imap {
		s.imap = imaptest.Start(t)
		config = append(config, "trust: {", mailboxOf(s.imap)+"trust: {")
	}
	s.service = newService(t, d.URL, config...)
	if sc.imap {
		write(t, filepath.Join(s.dir, "imap.pw"), imaptest.Password+"\n")
	}
	if !sc.byHand {
		s.deadly = append(s.deadly, point)
	}
	s.env = func(start int) []string {
		if start < len(s.deadly) {
			return []string{"GUICHET_CRASH=" + s.deadly[start]}
		}
		return nil
	}
	return s
}

// run plays the scenario to its end and asks the oracle.
func (s *stage) run() *oracle {
	s.serve()
	s.play(s)
	s.awaitDeath()
	if s.byHand && !s.killed {
		s.t.Fatalf("no command passed %q", s.point)
	}
	var kills []time.Time
	for _, d := range s.died() {
		if d.by != syscall.SIGKILL && !(s.byHand && d.by == 0 && d.code == 0) {
			s.t.Errorf("an end that was no kill: %+v", d)
		}
		kills = append(kills, d.at)
	}
	if strings.HasPrefix(s.sink.addr, "/") {
		s.readMaildir()
	}
	return askOracle(s.service, s.url, s.letters, kills)
}

// awaitDeath waits until the gateway has passed the point, and so died.
func (s *stage) awaitDeath() {
	s.t.Helper()
	s.until("the gateway passes "+s.point, func() bool { return len(s.died()) >= len(s.deadly) })
}

// send gives a mail to the gateway until it is acknowledged.
func (s *stage) send(m *letter) {
	s.t.Helper()
	l := &load{t: s.t, to: func(int) string { return s.address("smtp") }, refused: map[int]int{}}
	if c := l.deliver(0, nil, m); c != nil {
		c.Close()
	}
	s.letters = append(s.letters, m)
}

// await is the nth mail of a kind to somebody at the relay, from 1, copies not
// counted.
func (s *stage) await(kind, to string, n int) (got *sent) {
	s.t.Helper()
	s.until(fmt.Sprintf("%s %d to %s", kind, n, to), func() bool {
		seen := map[string]bool{}
		for _, m := range s.sink.all() {
			if m.kind() == kind && m.to == to && !seen[m.mail.MessageID] {
				if seen[m.mail.MessageID] = true; len(seen) == n {
					got = m
					return true
				}
			}
		}
		return false
	})
	return got
}

// byCommand runs a command of the program, again if it was killed.
func (s *stage) byCommand(args ...string) {
	s.t.Helper()
	for _, crash := range []string{s.point, ""} {
		cmd := exec.Command(s.binary().Path, append(args, "--config", s.running.config)...)
		cmd.Env = append(os.Environ(), "GUICHET_TEST_PROGRAM=1")
		if s.byHand {
			cmd.Env = append(cmd.Env, "GUICHET_CRASH="+crash)
		}
		out, err := cmd.CombinedOutput()
		if err == nil || s.killed && strings.HasPrefix(s.point, "after") && cmd.ProcessState.ExitCode() == 1 {
			return // it had been done, and the second time was refused
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			s.t.Fatalf("guichet %v: %v\n%s", args, err, out)
		}
		s.killed = true
	}
}

// playOne is one customer's first mail.
func playOne(s *stage) {
	m := firstMail("1", nil)
	s.send(m)
	s.await("acknowledgment", m.from, 1)
}

// playStart waits for the end that comes without any mail.
func playStart(s *stage) {
	s.awaitDeath()
	playOne(s)
}

// playMails is a ticket, one with a large file, a party's answer, an agent's.
func playMails(s *stage) {
	first := firstMail("1", nil)
	s.send(first)
	ack := s.await("acknowledgment", first.from, 1)
	note := s.await("notification", "agent@desk.example", 1)
	large := firstMail("2", bytes.Repeat([]byte("0123456789"), 60_000))
	s.send(large)
	s.await("acknowledgment", large.from, 1)
	s.await("notification", "agent@desk.example", 2)
	s.send(answerMail(asAnswer, "3", first.from, ack, "It still does not work."))
	s.await("notification", "agent@desk.example", 3)
	s.send(answerMail(asReply, "4", "agent@desk.example", note, "We look at it."))
	s.await("update", first.from, 1)
}

// playThreeTimes is a mail that is in hand alone whenever the process ends.
func playThreeTimes(s *stage) {
	s.send(firstMail("1", nil))
	s.awaitDeath()
}

// playHeldMail is an agent's answer that shows a note's words: it is held, and
// let go by hand.
func playHeldMail(s *stage) {
	first := firstMail("1", nil)
	s.send(first)
	note := s.await("notification", "agent@desk.example", 1)
	words := "Customer has not paid the last invoice yet."
	s.send(answerMail(asNote, "2", "agent@desk.example", note, "#note\n"+words))
	reply := answerMail(asReply, "3", "agent@desk.example", note, words)
	reply.also = []string{"undeliverable agent@desk.example", "undeliverable second@desk.example"}
	s.send(reply)
	var held []map[string]any
	s.until("the answer is held", func() bool {
		held = s.rows("outbox", "list", "--state", "held")
		return len(held) == 1
	})
	if !s.byHand {
		s.awaitDeath()
	}
	s.byCommand("outbox", "release", fmt.Sprint(held[0]["id"]))
	s.await("update", first.from, 1)
}

// playImport imports an organisation while the gateway runs.
func playImport(s *stage) {
	file := filepath.Join(s.dir, "organisations.csv")
	write(s.t, file, "organisation,domains,integrators,language,services,manager\nCustomer,customer.example,,en,,\n")
	s.ready()
	s.byCommand("org", "import", file)
	if rows := s.rows("org", "list"); len(rows) != 1 {
		s.t.Errorf("organisations: %v", rows)
	}
	playOne(s)
}

// playOldMail imports an archive while the gateway runs, in two transactions,
// and goes on where the command was killed.
func playOldMail(s *stage) {
	var mbox bytes.Buffer
	var old []*letter
	for i := range batchMails + 8 {
		m := firstMail(fmt.Sprintf("old%d", i), nil)
		m.kind, m.acked = asOld, time.Now()
		fmt.Fprintf(&mbox, "From x Sat Nov 21 10:00:00 2026\r\n%s\r\n", m.raw)
		old = append(old, m)
	}
	file := filepath.Join(s.dir, "old.mbox")
	write(s.t, file, mbox.String())
	s.ready()
	s.byCommand("import", "mbox", file)
	for _, m := range old {
		rows := s.rows("why", m.id)
		if len(rows) != 1 {
			s.t.Fatalf("%s is there %d times", m.id, len(rows))
		}
		m.number = fmt.Sprint(rows[0]["ticket"])
	}
	s.letters = append(s.letters, old...)
	playOne(s)
}

// playMigrate copies the store, and goes on with the copy.
func playMigrate(s *stage) {
	playOne(s)
	s.settled()
	s.stayDown(true)
	s.signal(syscall.SIGTERM)
	to := "sqlite:" + filepath.Join(s.dir, "copy.db")
	s.byCommand("migrate", s.url, to)
	config, err := os.ReadFile(s.running.config)
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, s.running.config, strings.Replace(string(config), s.url, to, 1))
	s.url = to
	s.stayDown(false)
	m := firstMail("2", nil)
	s.send(m)
	s.await("acknowledgment", m.from, 1)
}

// playNumbers are tickets that come close together.
func playNumbers(s *stage) {
	for n := 1; len(s.died()) < len(s.deadly) && n <= 200; n++ {
		s.send(firstMail(fmt.Sprint(n), nil))
	}
}

// playDeadline is a ticket that is resolved, and asked about again by the
// clock.
func playDeadline(s *stage) {
	customer := resolved(s, "closure-reminder", "auto-close-warning")
	s.await("closure-reminder", customer, 1)
	s.await("auto-close-warning", customer, 1)
}

func resolved(s *stage, also ...string) (customer string) {
	first := firstMail("1", nil)
	s.send(first)
	note := s.await("notification", "agent@desk.example", 1)
	done := answerMail(asNote, "2", "agent@desk.example", note, "#resolve\n\nIt prints again.")
	done.kind = asWords
	for _, kind := range append(also, "closure-request") {
		done.also = append(done.also, kind+" "+first.from)
	}
	s.send(done)
	s.await("closure-request", first.from, 1)
	return first.from
}

// playLostDesk takes a desk out of the configuration while a ticket of it is
// to be asked about: the deadline is put off, and done when the desk is back.
func playLostDesk(s *stage) {
	resolved(s)
	text, err := os.ReadFile(s.running.config)
	if err != nil {
		s.t.Fatal(err)
	}
	other := strings.NewReplacer("\n  support:\n", "\n  help:\n", "INC-%06d", "HLP-%06d", "desks: [support, sales]", "desks: [help, sales]",
		"desks: [support]", "desks: [help]").Replace(string(text))
	write(s.t, s.running.config, other)
	s.hup()
	s.awaitDeath()
}

// hup has the gateway read its configuration again.
func (s *stage) hup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.Signal(syscall.SIGHUP)
	}
}

// playGivenUp is a large mail whose sender goes away in the middle.
func playGivenUp(s *stage) {
	s.ready()
	conn, err := net.Dial("tcp", s.address("smtp"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	m := firstMail("0", bytes.Repeat([]byte("0123456789"), 60_000))
	fmt.Fprintf(conn, "EHLO client.example\r\nMAIL FROM:<%s>\r\nRCPT TO:<support@desk.example>\r\nDATA\r\n", m.from)
	for replies := bufio.NewScanner(conn); replies.Scan() && !strings.HasPrefix(replies.Text(), "354"); {
	}
	conn.Write(m.raw[:len(m.raw)-1000])
	conn.(*net.TCPConn).CloseWrite()
	s.awaitDeath()
	playOne(s)
}

// playNode lets a node live for a while, and ends it as an operator does.
func playNode(s *stage) {
	if strings.HasSuffix(s.point, "end node") {
		playOne(s)
		s.settled()
		s.signal(syscall.SIGTERM)
		return
	}
	playStart(s)
}

// playMaildir is a mail whose answers become files.
func playMaildir(s *stage) {
	s.sink.addr = filepath.Join(s.dir, "outbox-"+s.sink.addr)
	s.send(firstMail("1", nil))
	s.awaitDeath()
}

// readMaildir makes a sink of the files once all are written.
func (s *stage) readMaildir() {
	s.ready()
	s.settled()
	entries, err := outbound.ReadMaildir(s.sink.addr, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		_, raw, _ := bytes.Cut(e.Raw, []byte("\r\n"))
		_, raw, _ = bytes.Cut(raw, []byte("\r\n"))
		s.sink.mails = append(s.sink.mails, &sent{to: e.Recipient, raw: raw, mail: rfc822.Parse(raw), at: e.Time})
	}
}

// awaitLog waits for a line of the log.
func (s *stage) awaitLog(text string) {
	s.t.Helper()
	s.until("the log has "+text, func() bool { return strings.Contains(s.log(), text) })
}

// post has a mail come by IMAP. Nobody waits for an acknowledgment: the server
// has it.
func (s *stage) post(m *letter, deliver func(string, []byte)) {
	m.acked = time.Now()
	s.letters = append(s.letters, m)
	deliver("INBOX", m.raw)
}

// playMailbox is a mail that comes by IMAP, beside one that was there before.
func playMailbox(s *stage) {
	s.imap.Deliver("INBOX", firstMail("old", nil).raw)
	s.awaitLog("mailbox is read")
	m := firstMail("1", nil)
	s.post(m, s.imap.Deliver)
	s.await("acknowledgment", m.from, 1)
	s.until("it is moved", func() bool { return len(s.imap.Mails("Processed")) == 1 })
}

// playMailboxLost is a server that goes away for a while.
func playMailboxLost(s *stage) {
	s.awaitLog("mailbox is read")
	s.imap.Stop()
	s.awaitLog("mailbox cannot be read")
	s.awaitDeath()
	s.imap.Restart()
	m := firstMail("1", nil)
	s.post(m, s.imap.Deliver)
	s.await("acknowledgment", m.from, 1)
}

// playMailNotGiven is a mail that the server cannot read for a while.
func playMailNotGiven(s *stage) {
	s.awaitLog("mailbox is read")
	var name string
	m := firstMail("1", nil)
	s.post(m, func(folder string, raw []byte) { name = s.imap.DeliverHidden(folder, raw) })
	s.awaitDeath()
	if err := os.Chmod(s.imap.Where("INBOX", name), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.await("acknowledgment", m.from, 1)
}
