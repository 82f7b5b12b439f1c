package outbound

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMaildir(t *testing.T) {
	base := t.TempDir()
	r := open(t, "maildir:var/outbox", Options{BaseDir: base})
	dir := filepath.Join(base, "var/outbox")
	m := testMail("a@b.example")
	for range 2 { // the second is a resend after a crash
		if res := r.Send(t.Context(), m); outcome(res) != "sent" {
			t.Fatalf("%+v", res)
		}
	}
	got, err := ReadMaildir(dir, 10)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d mails after a resend, %v", len(got), err)
	}
	want := "Return-Path: <support+b@desk.example>\r\nDelivered-To: a@b.example\r\n" + string(m.Header) + "\r\n" + string(m.Body)
	if e := got[0]; string(e.Raw) != want || e.Recipient != "a@b.example" || e.Size != int64(len(want)) {
		t.Errorf("%+v\n%s", e, e.Raw)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 || err != nil {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

func TestMaildirNames(t *testing.T) {
	name := func(header, body string) string {
		return mailName(&Mail{To: "a@b", Header: []byte(header), Body: []byte(body)})
	}
	same := name("Message-ID: <1@x>\r\n", "")
	if same != name("Subject: s\r\nMESSAGE-ID:\r\n <1@x>\r\nTo: z\r\n", "other") {
		t.Error("one Message-ID, two names")
	}
	if same == name("Message-ID: <2@x>\r\n", "") || name("A: b\r\n", "x") == name("A: b\r\n", "y") {
		t.Error("two mails, one name")
	}
	if strings.ContainsAny(name("Message-ID: </../../etc>\r\n", ""), "/\x00") {
		t.Error("the id reaches the path")
	}
}

// TestReadMaildir: order, limits, and a header that claims another recipient.
func TestReadMaildir(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadMaildir(dir, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	r := open(t, "maildir:"+dir, Options{})
	for i, to := range []string{"old@b.example", "mid@b.example", "new@b.example"} {
		m := testMail(to)
		m.Header = []byte("Message-ID: <" + to + ">\r\nDelivered-To: liar@b.example\r\n")
		m.Body = bytes.Repeat([]byte("0123456789\r\n"), 30_000)
		r.Send(t.Context(), m)
		at := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, "new", mailName(&m)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]string{0: "", -1: "", 2: "new mid", 9: "new mid old"} {
		got, err := ReadMaildir(dir, limit)
		var names []string
		for _, e := range got {
			name, _, _ := strings.Cut(e.Recipient, "@")
			names = append(names, name)
			if len(e.Raw) != maxShown || e.Size < 360_000 {
				t.Errorf("%d bytes shown of %d", len(e.Raw), e.Size)
			}
		}
		if strings.Join(names, " ") != want || err != nil {
			t.Errorf("limit %d: %q, %v", limit, names, err)
		}
	}
}

// TestForeign: the recipient is read from our own two lines only.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	open(t, "maildir:"+dir, Options{})
	foreign := "From: x@y.example\r\nTo: z@y.example\r\nDelivered-To: liar@y.example\r\n\r\n"
	if err := os.WriteFile(filepath.Join(dir, "new", "1"), []byte(foreign), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadMaildir(dir, 1); err != nil || len(got) != 1 || got[0].Recipient != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMaildirTrouble: what the file system refuses is the relay's trouble;
// what no relay may take is not written.
func TestMaildirTrouble(t *testing.T) {
	dir := t.TempDir()
	r := open(t, "maildir:"+dir, Options{})
	bad := testMail("a@b.example\r\nX: y")
	if res := r.Send(t.Context(), bad); res.State != Failed {
		t.Errorf("%+v", res)
	}
	if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	if res := r.Send(t.Context(), testMail("a@b.example")); outcome(res) != "trouble" {
		t.Errorf("%+v", res)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("maildir:"+dir+"/file", Options{}); err == nil || !strings.Contains(err.Error(), "relay.url") {
		t.Errorf("below a file: %v", err)
	}
}
