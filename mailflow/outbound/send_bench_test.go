package outbound

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leanSinkEnv has the test program be a sink that costs next to nothing, in a
// process of its own, so that the benchmark's CPU time is the client's alone.
const leanSinkEnv = "GUICHET_LEAN_SINK"

// leanSink takes every mail until its standard input ends.
func leanSink() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ln.Addr())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go leanSession(c)
		}
	}()
	var b [1]byte
	os.Stdin.Read(b[:])
}

func leanSession(c net.Conn) {
	defer c.Close()
	r, data := bufio.NewReaderSize(c, 64<<10), false
	answers := map[string]string{
		"EHLO": "250-sink\r\n250-PIPELINING\r\n250-SIZE 30000000\r\n250-DSN\r\n250 8BITMIME\r\n",
		"DATA": "354 go on\r\n", "QUIT": "221 bye\r\n",
	}
	out := []byte("220 sink\r\n")
	for {
		if r.Buffered() == 0 && len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return
		case data && string(line) == ".\r\n":
			data = false
			out = append(out, "250 2.0.0 taken\r\n"...)
		case data:
		default:
			verb := strings.ToUpper(string(line[:4]))
			if a := answers[verb]; a != "" {
				out = append(out, a...)
			} else {
				out = append(out, "250 2.0.0 fine\r\n"...)
			}
			data = verb == "DATA"
		}
	}
}

// startLeanSink starts the sink's process and returns its address.
func startLeanSink(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), leanSinkEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// BenchmarkSend sends a mail of 9 KB, as a notification is; cpu-us is what
// that costs this process.
func BenchmarkSend(b *testing.B) {
	r, err := Open("smtp://"+startLeanSink(b), Options{Hostname: "desk.example"})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	m := testMail("r1@b.example")
	m.Body = bytes.Repeat([]byte("The light on the left stays red, and nobody in the office can work.\r\n"), 130)
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		if res := r.Send(ctx, m); res.State != Sent {
			b.Fatal(res)
		}
		cancel()
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1000/float64(b.N), "cpu-us/op")
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
