//go:build bench

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// trusting makes the writers of this machine proven, so that those whom they
// name in Cc become parties.
const trusting = "trust: {networks: [\"127.0.0.1\"]}\n"

// replies are tickets of two parties each, and the customers' answers.
type replies struct {
	g *benchGateway
	// to and ids hold each customer's reply address and the Message-ID of the
	// acknowledgment.
	to, ids []string
	rounds  int
}

// benchReply measures answers: from the first one sent until the other party
// and the agent have been mailed for each.
func benchReply(t *testing.T, b *bench) {
	g := startBench(t, b.database(t), trusting)
	r := &replies{g: g}
	r.open(t, 500)
	warm := r.answer(t, 500)
	count := int(max(10*warm.rate, 500))
	r.open(t, count)
	for round := range benchRuns {
		took := g.profiled(fmt.Sprintf("%sreply_50-%d", b.prefix, round), 10, func() result { return r.answer(t, count) })
		b.add("reply_50", took.rate, took.cost(count))
	}
	r.check(t, count)
}

// open begins n tickets and learns the reply addresses from the
// acknowledgments: the writer gets one, the party in Cc and the agent their
// mails.
func (r *replies) open(t *testing.T, n int) {
	r.g.sink.reset()
	r.rounds = 0
	_, _ = offer(t, r.g.addr["smtp"], 50, mails{n: n, write: func(b []byte, i int) sendBytes { return provenMail(b, n, i) }})
	r.g.sink.wait(t, 3*n)
	r.to, r.ids = make([]string, n), make([]string, n)
	for _, m := range r.g.sink.all() {
		var i, round int
		if _, err := fmt.Sscanf(m.to, "w%d.%d@", &i, &round); err != nil || round != n {
			continue
		}
		_, to, _ := strings.Cut(m.replyTo, "<")
		r.to[i], r.ids[i] = strings.TrimSuffix(to, ">"), m.id
	}
	for i := range n {
		if r.to[i] == "" {
			t.Fatalf("no acknowledgment for %s", writer(n, i))
		}
	}
}

// answer has every customer answer once. The tickets' own mails are awaited:
// an update to the other party, a notification to the agent.
func (r *replies) answer(t *testing.T, n int) result {
	r.g.settled()
	r.g.sink.reset()
	r.rounds++
	return r.g.measured(t, n, func() time.Duration {
		began, _ := offer(t, r.g.addr["smtp"], 50, mails{n: n, write: func(b []byte, i int) sendBytes { return r.mail(b, n, i) }})
		return r.g.sink.wait(t, 2*n).Sub(began)
	})
}

// mail is an answer as a mail program writes it above what it quotes.
func (r *replies) mail(b []byte, n, i int) sendBytes {
	m := mails{round: n}.firstMail(b, i)
	text := string(m.data)
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	body = strings.Replace(body, "Hello,", "Hello again for the "+strconv.Itoa(r.rounds)+". time,", 1)
	header = strings.Replace(header, "\r\nTo: Technical support <"+supportDesk+">", "\r\nTo: <"+r.to[i]+">\r\nIn-Reply-To: "+
		r.ids[i]+"\r\nReferences: "+r.ids[i], 1)
	header = strings.Replace(header, "\r\nSubject: ", "\r\nSubject: Re: ", 1)
	return sendBytes{from: m.from, to: r.to[i], data: append(b[:0], header+"\r\n\r\n"+body...)}
}

// provenMail is a first mail submitted on this machine, with a colleague in
// Cc.
func provenMail(b []byte, round, i int) sendBytes {
	m := mails{round: round}.firstMail(b, i)
	text := string(m.data)
	from, to := strings.Index(text, "Return-Path:"), strings.Index(text, "Message-ID:")
	text = text[:from] + text[to:]
	text = strings.Replace(text, "\r\nSubject: ", "\r\nCc: o"+writer(round, i)+"\r\nSubject: ", 1)
	return sendBytes{from: m.from, to: supportDesk, data: append(b[:0], text...)}
}

// check holds the oracle of the last round and of the database: each answer is
// a message of its own ticket, mailed to the other party and to the agent.
func (r *replies) check(t *testing.T, n int) {
	r.g.settled()
	updates, notes := map[string]int{}, map[string]int{}
	for _, m := range r.g.sink.all() {
		switch {
		case m.kind == "update" && strings.HasPrefix(m.to, "ow"):
			updates[m.to]++
		case m.kind == "notification" && m.to == "agent@desk.example":
			notes[m.ticket]++
		default:
			t.Fatalf("a mail of kind %s to %s", m.kind, m.to)
		}
	}
	if len(updates) != n || len(notes) != n || len(r.g.sink.all()) != 2*n {
		t.Fatalf("%d answers: %d updates, %d notifications, %d mails", n, len(updates), len(notes), len(r.g.sink.all()))
	}
	var tickets, messages, odd int
	err := openSQL(t, r.g.d).QueryRow(fmt.Sprintf(`SELECT count(*), sum(m), sum(CASE WHEN m <> %d THEN 1 ELSE 0 END) FROM
		(SELECT ticket_id, count(*) AS m FROM message WHERE ticket_id > 500 GROUP BY ticket_id) AS c`, benchRuns+1)).
		Scan(&tickets, &messages, &odd)
	if err != nil {
		t.Fatal(err)
	}
	if tickets != n || odd != 0 {
		t.Fatalf("%d tickets with %d messages for %d times %d mails; %d have another number", tickets, messages, n, benchRuns+1, odd)
	}
	fmt.Fprintf(os.Stderr, "# checked: %d tickets, %d messages\n", tickets, messages)
}
