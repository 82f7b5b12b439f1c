package imapfetch

import (
	"errors"
	"strings"
	"testing"
)

// The scan sees what go-imap would read, however the bytes arrive.
func TestResponseScan(t *testing.T) {
	deep := strings.Repeat("(", maxNesting+1)
	check := func(text string, left int64, want error) {
		t.Helper()
		for _, piece := range []int{1, 7, len(text)} {
			var s responseScan
			var err error
			room := left
			for rest := text; rest != "" && err == nil; rest = rest[min(piece, len(rest)):] {
				room -= int64(min(piece, len(rest)))
				err = s.write([]byte(rest[:min(piece, len(rest))]), room)
			}
			if !errors.Is(err, want) {
				t.Errorf("%.60q in pieces of %d: %v, want %v", text, piece, err, want)
			}
		}
	}
	ok := func(text string) { t.Helper(); check(text, 1<<20, nil) }
	ok("* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n")
	ok("* 1 FETCH (BODY[] {101}\r\n" + deep + ")\r\n")
	ok("* 1 FETCH (BODY[] \"" + deep + "\")\r\n")
	ok("* 1 FETCH (BODY[] \"a\\\"" + deep + "\")\r\n")
	ok("* OK welcome :-(\r\n* OK still here :-(\r\n" + strings.Repeat("* OK (\r\n", 200))
	ok("T1 NO not {99999999999}\r\n")
	ok("+ {99999999999}\r\n")
	check("* 1 FETCH (BODYSTRUCTURE "+deep, 1<<20, errNesting)
	check("* 1 FETCH (BODY[] {5}\r\nabcde "+deep, 1<<20, errNesting)
	check("* OK a {1000}\r\n* 1 FETCH (B "+deep, 1<<20, errNesting)
	check("T1 no a {1000}\r\n* 1 FETCH (B "+deep, 1<<20, errNesting)
	check("* 1 FETCH (B \"a\" "+deep, 1<<20, errNesting)
	check("* 1 FETCH (B \"a\\\\\" "+deep, 1<<20, errNesting)
	check("* 1 FETCH (B {7} "+deep, 1<<20, errNesting)
	check("* 1 FETCH (BODY[] {2000000}\r\n", 1<<20, errBudget)
	check("* 1 FETCH (BODY[] {99999999999999999999999}\r\n", 1<<20, errBudget)
	check("* 1 FETCH (BODY[] {2000000+}\r\n", 1<<20, errBudget)
}

func TestParseURL(t *testing.T) {
	check := func(url, name, address string, security Security, folder string) {
		t.Helper()
		m, err := ParseURL(url)
		if err != nil || m.Name != name || m.Address != address || m.Security != security || m.Folder != folder {
			t.Errorf("%s: %+v, %v", url, m, err)
		}
	}
	check("imaps://support@mail.example/INBOX", "support@mail.example/INBOX", "mail.example:993", TLS, "INBOX")
	check("imaps://support@Mail.Example:993/inbox", "support@mail.example/INBOX", "mail.example:993", TLS, "INBOX")
	check("imaps://support%40desk.example@imap.example", "support@desk.example@imap.example/INBOX", "imap.example:993", TLS, "INBOX")
	check("imaps://support@desk.example@imap.example/", "support@desk.example@imap.example/INBOX", "imap.example:993", TLS, "INBOX")
	check("imap+starttls://u@mail.example/Help/Open%20ones", "u@mail.example/Help/Open ones", "mail.example:143", StartTLS, "Help/Open ones")
	check("imap://u@127.0.0.1:1143/INBOX", "u@127.0.0.1:1143/INBOX", "127.0.0.1:1143", Plain, "INBOX")
	check("imap://u@[::1]/INBOX", "u@::1/INBOX", "[::1]:143", Plain, "INBOX")
	for _, bad := range []string{"", "imaps://", "imaps://mail.example/INBOX", "imap://u@mail.example/INBOX", "pop3://u@mail.example/INBOX",
		"imaps://u:secret@mail.example/INBOX", "imaps://u:secret@mail.example:x/"} {
		if m, err := ParseURL(bad); err == nil {
			t.Errorf("%s: %+v", bad, m)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: shows the password: %v", bad, err)
		}
	}
}

// Waits double up to five minutes; a refused login waits a minute at once.
func TestBackoff(t *testing.T) {
	lost := errors.New("lost")
	last := usual.backoff(lost, 1, 0)
	for n := 2; n < 100; n++ {
		next := usual.backoff(lost, n, 0)
		if next != min(2*last, usual.most) {
			t.Errorf("after %d failures %s, after one more %s", n-1, last, next)
		}
		last = next
	}
	if last > 5*60*1e9 || usual.backoff(lost, 50, 1) < 4*60*1e9 {
		t.Errorf("%s at most, %s at least", last, usual.backoff(lost, 50, 1))
	}
	if got := usual.backoff(&errLogin{"no"}, 1, 0); got != usual.refused {
		t.Errorf("a refused login waits %s", got)
	}
	if got := usual.backoff(&paused{lost}, 50, 0); got != usual.pause {
		t.Errorf("a pause waits %s", got)
	}
	if usual.idle >= 29*60*1e9 {
		t.Error("IDLE must be begun anew within 29 minutes")
	}
}
