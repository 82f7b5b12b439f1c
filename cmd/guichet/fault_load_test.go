package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a letter is.
const (
	asTicket = "ticket" // a new writer's first mail
	asOld    = "old"    // a mail of an archive that is imported
	asAnswer = "answer" // a party's, to the acknowledgment's token address
	asReply  = "reply"  // an agent's, to the notification's token address
	asNote   = "note"   // an agent's with a command, for agents only
	asWords  = "words"  // an agent's with a command, for the parties
)

// letter is one mail to the gateway. A sender gives the same bytes again until
// it has read 250, as mail servers do.
type letter struct {
	kind     string
	id       string // its canary: Message-ID, and in its text
	from, to string
	number   string   // of the ticket that it answers on; "" of a new one
	also     []string // mails that are due for it besides: "KIND ADDRESS"
	raw      []byte
	acked    time.Time // when 250 had been read
	tries    int
}

// load is a number of senders that never stop of themselves.
type load struct {
	t     testing.TB
	to    func(sender int) string // the SMTP address for a sender now; "" for none
	pause time.Duration           // between two mails of one sender, on average
	name  string                  // in canaries and addresses

	mu       sync.Mutex
	letters  []*letter // those that were acknowledged
	due      int       // mails, for them
	refused  map[int]int
	cut      int     // connections that ended without an answer
	acks     []*sent // acknowledgments that their readers may answer
	notes    []*sent // notifications that an agent may answer
	answered map[string]int
	seen     map[string]bool // Message-IDs of what the sink took
	next     int

	over    chan struct{} // closed when no more mails are begun
	working sync.WaitGroup
}

// perThread bounds the answers of one party, and of the agent, on one ticket.
const perThread = 3

// startLoad has senders write to the gateways of to. The sink tells them what
// they can answer.
func startLoad(t testing.TB, senders int, pause time.Duration, seed uint64, sink *sink, to func(int) string) *load {
	l := &load{t: t, to: to, pause: pause, name: fmt.Sprintf("%x", seed&0xffff), refused: map[int]int{},
		answered: map[string]int{}, seen: map[string]bool{}, over: make(chan struct{})}
	sink.mu.Lock()
	sink.notice = l.notice
	sink.mu.Unlock()
	for i := range senders {
		l.working.Go(func() { l.send(i, rand.New(rand.NewPCG(seed, uint64(i)+1))) })
	}
	return l
}

// notice remembers what can be answered.
func (l *load) notice(m *sent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[m.mail.MessageID] {
		return
	}
	l.seen[m.mail.MessageID] = true
	switch {
	case len(m.mail.ReplyTo) == 0:
	case m.kind() == "acknowledgment":
		l.acks = append(l.acks, m)
	case m.kind() == "notification" && m.to == "agent@desk.example":
		l.notes = append(l.notes, m)
	}
}

// finish has no more letters begun, and waits until each that was has its 250.
func (l *load) finish() {
	close(l.over)
	l.working.Wait()
}

// send is one sender.
func (l *load) send(no int, rnd *rand.Rand) {
	var c *caller
	for rest(time.Duration(rnd.Int64N(int64(2*l.pause)+1)), l.over) {
		if m := l.write(rnd); m != nil {
			c = l.deliver(no, c, m)
		}
	}
	if c != nil {
		c.Close()
	}
}

// deliver gives a letter to the gateway until it is acknowledged.
func (l *load) deliver(no int, c *caller, m *letter) *caller {
	giveUp := time.Now().Add(time.Duration(rounds(3, 15)) * time.Minute)
	for ; ; rest(5*time.Millisecond, nil) {
		if time.Now().After(giveUp) {
			l.t.Errorf("no 250 for %s %s in %d tries", m.kind, m.id, m.tries)
			return c
		}
		if c == nil {
			addr := l.to(no)
			if addr == "" {
				continue
			}
			if c = dial(addr); c == nil {
				continue
			}
		}
		m.tries++
		err := c.send(m.from, m.to, m.raw)
		if err == nil {
			m.acked = time.Now()
			l.mu.Lock()
			l.letters = append(l.letters, m)
			l.due += mailsFor[m.kind]
			l.mu.Unlock()
			return c
		}
		c.Close()
		c = nil
		l.failed(m, err)
	}
}

// failed counts an answer that was no 250. A 5xx is never right: the sending
// server would give the mail back.
func (l *load) failed(m *letter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		l.cut++
		return
	}
	l.refused[reply.Code/100]++
	if reply.Code/100 != 4 {
		l.t.Errorf("%s %s was answered %v", m.kind, m.id, reply)
	}
}

// caller is a connection to the gateway.
type caller struct {
	*smtp.Client
	conn net.Conn
}

// dial connects; nil if there is nobody.
func dial(addr string) *caller {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c, err := smtp.NewClient(conn, "client.example")
	if err != nil {
		conn.Close()
		return nil
	}
	return &caller{c, conn}
}

func (c *caller) send(from, to string, raw []byte) error {
	c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	return hand(c.Client, from, []string{to}, raw)
}

// backlog is how many mails may be due and not yet at the relay before the
// senders hold back: what is to be seen is faults, not overload.
const backlog = 300

// mailsFor is how many mails are due for a letter: see oracle.sent.
var mailsFor = map[string]int{asTicket: 3, asAnswer: 2, asReply: 1}

// write makes the next letter: an answer where somebody waits for one, or a
// new writer's mail; one in twenty with a large file. It makes none while the
// backlog is great.
func (l *load) write(rnd *rand.Rand) *letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due-len(l.seen) > backlog {
		return nil
	}
	l.next++
	id := fmt.Sprintf("%s-%d", l.name, l.next)
	switch n := rnd.IntN(20); {
	case n < 7:
		if m := l.answerable(rnd, &l.acks); m != nil {
			return answerMail(asAnswer, id, m.to, m, "It still does not work: canary "+id+".")
		}
	case n < 10:
		if m := l.answerable(rnd, &l.notes); m != nil {
			return answerMail(asReply, id, m.to, m, "We look at it: canary "+id+".")
		}
	case n < 12:
		if m := l.answerable(rnd, &l.notes); m != nil {
			return answerMail(asNote, id, m.to, m, "#note\nThe contract has ended: canary "+id+".")
		}
	case n == 12:
		file := make([]byte, 300_000+rnd.IntN(300_000))
		for i := range file {
			file[i] = byte(rnd.Uint32())
		}
		return firstMail(id, file)
	}
	return firstMail(id, nil)
}

// answerable takes a mail of ours that is to be answered out of a list.
func (l *load) answerable(rnd *rand.Rand, list *[]*sent) *sent {
	for len(*list) > 0 {
		i := rnd.IntN(len(*list))
		m := (*list)[i]
		if l.answered[m.mail.MessageID]++; l.answered[m.mail.MessageID] <= perThread {
			return m
		}
		(*list)[i] = (*list)[len(*list)-1]
		*list = (*list)[:len(*list)-1]
	}
	return nil
}

// firstMail is a mail of somebody who never wrote before, through a mail
// server of theirs.
func firstMail(id string, file []byte) *letter {
	from := "c" + id + "@customer.example"
	head := []string{"Received: from client.example by mx.customer.example; Sat, 21 Nov 2026 10:00:00 +0100", "From: " + from,
		"To: support@desk.example", "Subject: Printer " + id, "Date: Sat, 21 Nov 2026 10:00:00 +0100", "Message-ID: <" + id + "@customer.example>"}
	text := "It does not print: canary " + id + "."
	if file != nil {
		head = append(head, "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="b"`)
		var lines strings.Builder
		for s := base64.StdEncoding.EncodeToString(file); s != ""; s = s[min(len(s), 76):] {
			lines.WriteString(s[:min(len(s), 76)] + "\n")
		}
		text = "--b\nContent-Type: text/plain\n\n" + text + "\n--b\nContent-Type: application/octet-stream\n" +
			"Content-Disposition: attachment; filename=scan.bin\nContent-Transfer-Encoding: base64\n\n" + lines.String() + "--b--"
	}
	return &letter{kind: asTicket, id: "<" + id + "@customer.example>", from: from, to: "support@desk.example", raw: mailOf(head, text)}
}

// answerMail is an answer to a mail of ours, by its reader: the agent's is
// submitted on a trusted network.
func answerMail(kind, id, from string, m *sent, text string) *letter {
	to := m.mail.ReplyTo[0].Address
	mailID := "<" + id + "@" + from[strings.IndexByte(from, '@')+1:] + ">"
	head := []string{"From: " + from, "To: " + to, "Subject: Re: " + m.mail.Subject, "Date: Sat, 21 Nov 2026 11:00:00 +0100",
		"Message-ID: " + mailID, "In-Reply-To: " + m.mail.MessageID, "References: " + strings.Join(append(m.mail.References[:len(m.mail.References):len(m.mail.References)], m.mail.MessageID), " ")}
	if kind == asAnswer {
		head = append([]string{"Received: from client.example by mx.customer.example; Sat, 21 Nov 2026 11:00:00 +0100"}, head...)
	}
	return &letter{kind: kind, id: mailID, from: from, to: to, number: m.mail.Header.Get("X-Guichet-Ticket"), raw: mailOf(head, text)}
}

func mailOf(head []string, text string) []byte {
	return []byte(strings.ReplaceAll(strings.Join(head, "\n")+"\n\n"+text+"\n", "\n", "\r\n"))
}
