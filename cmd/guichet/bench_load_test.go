//go:build bench

package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// supportDesk is where the benchmark's mails go.
const supportDesk = "support@desk.example"

// mails is a load: n mails of about 5 KB, each of a writer of its own.
type mails struct {
	n     int
	round int // makes the writers of one load others than those of the next
	// write appends the i-th mail to b; nil writes first mails to the desk.
	write func(b []byte, i int) sendBytes
}

// sendBytes is one mail as the client sends it, the final dot included.
type sendBytes struct {
	from, to string
	data     []byte
}

// result is what one load took.
type result struct {
	took   time.Duration
	rate   float64       // mails a second
	server time.Duration // CPU time of the server's process
	own    time.Duration // CPU time of the client and the sink
	all    time.Duration // CPU time of the whole machine
}

// cost says what one mail cost the processors.
func (r result) cost(n int) string {
	per := func(d time.Duration) time.Duration { return (d / time.Duration(n)).Round(time.Microsecond) }
	return fmt.Sprintf("%d mails in %.1f s; CPU a mail: server %s, client and sink %s, whole machine %s",
		n, r.took.Seconds(), per(r.server), per(r.own), per(r.all))
}

// offer sends mails over kept connections, one after the other on each, every
// reply awaited. It returns when the first MAIL was sent, and how long after
// that the last 250 came.
func offer(t testing.TB, addr string, conns int, m mails) (began time.Time, took time.Duration) {
	t.Helper()
	if m.write == nil {
		m.write = m.firstMail
	}
	clients := make([]*loadClient, conns)
	for i := range clients {
		clients[i] = dialSMTP(t, addr)
		defer clients[i].conn.Close()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	began = time.Now()
	for _, c := range clients {
		wg.Go(func() {
			buf := make([]byte, 0, 8<<10)
			for i := int(next.Add(1)) - 1; i < m.n && c.err == nil; i = int(next.Add(1)) - 1 {
				c.send(m.write(buf[:0], i))
			}
		})
	}
	wg.Wait()
	took = time.Since(began)
	for _, c := range clients {
		if c.err != nil {
			t.Fatalf("send: %v", c.err)
		}
	}
	return began, took
}

// loadClient is one connection.
type loadClient struct {
	conn net.Conn
	r    *bufio.Reader
	line []byte
	err  error
}

func dialSMTP(t testing.TB, addr string) *loadClient {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &loadClient{conn: conn, r: bufio.NewReader(conn)}
	c.expect("220")
	c.ask("250", "EHLO ", "mx.customer.example")
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c
}

func (c *loadClient) send(m sendBytes) {
	c.ask("250", "MAIL FROM:<", m.from, ">")
	c.ask("250", "RCPT TO:<", m.to, ">")
	c.ask("354", "DATA")
	if c.err == nil {
		_, c.err = c.conn.Write(m.data)
	}
	c.expect("250")
}

// ask sends one command line and wants a reply.
func (c *loadClient) ask(code string, line ...string) {
	if c.err != nil {
		return
	}
	c.line = c.line[:0]
	for _, s := range line {
		c.line = append(c.line, s...)
	}
	c.line = append(c.line, '\r', '\n')
	if _, c.err = c.conn.Write(c.line); c.err == nil {
		c.expect(code)
	}
}

// expect reads a reply, all lines of it.
func (c *loadClient) expect(code string) {
	for c.err == nil {
		var line []byte
		line, c.err = c.r.ReadSlice('\n')
		switch {
		case c.err != nil:
		case len(line) < 4 || string(line[:3]) != code:
			c.err = fmt.Errorf("wanted %s, the server said %q", code, line)
		case line[3] != '-':
			return
		}
	}
}

// writer is the address of the i-th writer of a round.
func writer(round, i int) string {
	return "w" + strconv.Itoa(i) + "." + strconv.Itoa(round) + "@c" + strconv.Itoa(i%2000) + ".example"
}

// firstMail writes a mail as a mail program and one relay leave it.
func (m mails) firstMail(b []byte, i int) sendBytes {
	from := writer(m.round, i)
	at := time.Now().Format(time.RFC1123Z)
	id := strconv.Itoa(i) + "." + strconv.Itoa(m.round) + "." + strconv.FormatInt(time.Now().UnixNano(), 36)
	add := func(s ...string) {
		for _, s := range s {
			b = append(b, s...)
		}
	}
	add("Return-Path: <", from, ">\r\nReceived: from mx.customer.example (mx.customer.example [192.0.2.17])\r\n",
		"\tby mx.desk.example (Postfix) with ESMTPS id 4XyZ1c", strconv.Itoa(i), "\r\n\tfor <", supportDesk, ">; ", at, "\r\n",
		"Message-ID: <", id, "@customer.example>\r\nDate: ", at, "\r\nMIME-Version: 1.0\r\n",
		"User-Agent: Mozilla Thunderbird\r\nContent-Language: en-GB\r\n",
		"From: ", benchNames[i%len(benchNames)], " <", from, ">\r\nTo: Technical support <", supportDesk, ">\r\n",
		"Subject: ", benchSubjects[i%len(benchSubjects)], " ", strconv.Itoa(i), "\r\n",
		"Content-Type: text/plain; charset=UTF-8; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
		"Hello,\r\n\r\nthis is about machine ", strconv.Itoa(7*i), " on floor ", strconv.Itoa(i%9), ".\r\n\r\n",
		benchTexts[i%len(benchTexts)],
		"-- \r\n", benchNames[i%len(benchNames)], "\r\nCustomer Ltd, 1 Example Street\r\n.\r\n")
	return sendBytes{from: from, to: supportDesk, data: b}
}

var (
	benchNames = []string{"Anna Berger", "=?UTF-8?Q?Fran=C3=A7ois_Lef=C3=A8vre?=", "\"Smith, John\"", "Marie Durand",
		"Oluwaseun Adeyemi", "Li Wei", "Marta Nowak"}
	benchSubjects = []string{"The printer on the second floor is offline", "=?UTF-8?Q?Probl=C3=A8me_de_connexion?=",
		"VPN drops every hour", "Access to the shared folder", "Invoice 2026-114 cannot be opened", "New laptop"}
	benchTexts = makeTexts(97)
)

// makeTexts makes bodies of some 4.3 KB out of sentences, each in an order of
// its own.
func makeTexts(n int) []string {
	sentences := strings.Split("Since this morning nothing comes out of the printer any more|"+
		"The display says that it is offline, the cable is in its place|I have switched it off and on again, twice|"+
		"My colleague Zoë next door has the same trouble, « imprimante hors ligne » she says|"+
		"It worked until yesterday at five, when the update was installed|We have to send the offers before Friday|"+
		"You can reach me by telephone until four, later only by mail|The number on the label is 4711-0815|"+
		"Depuis la mise à jour, la fenêtre se ferme dès que je clique sur « Valider »|"+
		"A screenshot does not help much, the window is simply empty|Thank you for looking into this", "|")
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for k := i; b.Len() < 4300; k += 1 + i%7 {
			b.WriteString(sentences[k%len(sentences)])
			b.WriteString(".\r\n")
			if k%5 == 4 {
				b.WriteString("\r\n")
			}
		}
		texts[i] = b.String()
	}
	return texts
}
