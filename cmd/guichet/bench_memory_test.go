//go:build bench

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// idleTime is how long a gateway has had nothing to do when its memory is
// looked at.
const idleTime = 10 * time.Second

// benchMemory measures resident memory: idle after the start, idle after a
// load, and the most while 50 mails of 25 MB come in at once.
func benchMemory(t *testing.T, b *bench) {
	for run := range benchRuns {
		t.Run(fmt.Sprintf("idle%d", run), func(t *testing.T) {
			g := startBench(t, b.database(t))
			g.rest()
			b.add("idle_mb", g.memory("VmRSS"), "")
			g.tickets(t, 0, 2000)
			g.check(t)
			g.rest()
			b.add("idle_after_load_mb", g.memory("VmRSS"), "")
		})
		t.Run(fmt.Sprintf("big%d", run), func(t *testing.T) {
			g := startBench(t, b.database(t))
			began := time.Now()
			g.sendBig(t, 50, 25_000_000)
			accepted := time.Since(began)
			g.answered(t)
			g.check(t)
			b.add("big_mb", g.memory("VmHWM"), fmt.Sprintf("accepted in %.1f s, answered after %.1f s",
				accepted.Seconds(), time.Since(began).Seconds()))
		})
	}
}

// rest lets the gateway be idle.
func (g *benchGateway) rest() {
	g.settled()
	<-time.After(idleTime)
}

// memory reads a line of /proc/PID/status in MB of 1,000,000 bytes.
func (g *benchGateway) memory(line string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "\n"+line+":")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	return kib * 1024 / 1e6
}

// sendBig sends n mails of size bytes at once, each over a connection of its
// own and all with the same attachment.
func (g *benchGateway) sendBig(t testing.TB, n, size int) {
	attachment := base64Lines(size - 1000)
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		c := dialSMTP(t, g.addr["smtp"])
		defer c.conn.Close()
		wg.Go(func() {
			from := writer(0, i)
			c.ask("250", "MAIL FROM:<", from, ">")
			c.ask("250", "RCPT TO:<", supportDesk, ">")
			c.ask("354", "DATA")
			head := fmt.Sprintf("Received: from mx.customer.example by mx.desk.example; %[1]s\r\nFrom: <%[2]s>\r\nTo: <%[3]s>\r\nSubject: Photos %[4]d\r\n"+
				"Date: %[1]s\r\nMessage-ID: <big.%[4]d@customer.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
				"--b\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nThe photos %[4]d.\r\n"+
				"--b\r\nContent-Type: image/jpeg; name=photo.jpg\r\nContent-Disposition: attachment; filename=photo.jpg\r\n"+
				"Content-Transfer-Encoding: base64\r\n\r\n", time.Now().Format(time.RFC1123Z), from, supportDesk, i)
			parts := net.Buffers{[]byte(head), attachment, []byte("--b--\r\n.\r\n")}
			if c.err == nil {
				_, c.err = parts.WriteTo(c.conn)
			}
			c.expect("250")
			errs <- c.err
		})
	}
	wg.Wait()
	for i := range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
		g.writers[writer(0, i)]++
		g.taken++
	}
}

// base64Lines is about so many bytes of base64 of what cannot be compressed.
func base64Lines(size int) []byte {
	raw := make([]byte, size/78*57)
	rand.Read(raw)
	var b bytes.Buffer
	b.Grow(size)
	w := bufio.NewWriter(&b)
	line := make([]byte, 76)
	for len(raw) > 0 {
		base64.StdEncoding.Encode(line, raw[:57])
		w.Write(line)
		w.WriteString("\r\n")
		raw = raw[57:]
	}
	w.Flush()
	return b.Bytes()
}
