package outbound

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		tries int
		rnd   float64
		want  time.Duration
	}{
		{-1, 0, time.Minute}, {0, 0, time.Minute}, {1, 0, time.Minute}, {1, 1, 45 * time.Second},
		{2, 0, 2 * time.Minute}, {3, 0, 4 * time.Minute}, {4, 0.5, 7 * time.Minute}, {6, 0, 32 * time.Minute},
		{7, 0, time.Hour}, {8, 0, time.Hour}, {8, 1, 45 * time.Minute}, {1 << 40, 0, time.Hour},
	} {
		if got := Backoff(c.tries, func() float64 { return c.rnd }); got != c.want {
			t.Errorf("Backoff(%d, %v) = %s, want %s", c.tries, c.rnd, got, c.want)
		}
	}
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := pause(n, func() float64 { return 0 }); got != want {
			t.Errorf("pause(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"250 2.0.0 Ok":                "250 2.0.0 Ok",
		" 550\r\n  two\tlines \n":     "550 two lines",
		"nul\x00 esc\x1b[31m \x7f":    "nul esc [31m",
		"bad \xff utf":                "bad \uFFFD utf",
		"bidi \u202e zero\u200bwidth": "bidi zero width",
		"sep\u2028para\u00a0nbsp":     "sep para nbsp",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	long := oneLine(strings.Repeat("é ", 5000))
	if len(long) > maxReply || len(long) < maxReply-4 || !utf8.ValidString(long) {
		t.Errorf("%d bytes", len(long))
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("550 5.1.1\r\n no \xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := oneLine(s)
		if len(got) > maxReply || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00") || oneLine(got) != got {
			t.Errorf("oneLine(%q) = %q", s, got)
		}
	})
}

func TestCheckAddress(t *testing.T) {
	ok := []string{"a@b", "support+abc@desk.example", "o'hara@x.y", `"quoted"@x.y`, "jö@x.y", "a@[192.0.2.1]", "a@b@c"}
	bad := []string{"", "a", "@b", "a@", "a b@c", "a@b c", "a@b\r\n", "a\x00@b", "<a@b>", "a@b> SIZE=1", "a\t@b", "a@b\x7f",
		"a\u00a0@b", "a\u202e@b", "a\u2028@b", "\xff@b", strings.Repeat("a", 250) + "@b.cd"}
	for _, a := range ok {
		if err := checkAddress(a); err != nil {
			t.Errorf("%q: %v", a, err)
		}
	}
	for _, a := range bad {
		if checkAddress(a) == nil {
			t.Errorf("%q passes", a)
		}
	}
}

func TestURL(t *testing.T) {
	user := Options{User: "u", Password: "p"}
	for _, c := range []struct {
		url  string
		opt  Options
		want string // part of the error; "" is none
	}{
		{"maildir:var/outbox", Options{}, ""},
		{"maildir:/var/outbox", Options{}, ""},
		{"maildir:", Options{}, "write maildir:DIR"},
		{"maildir://x", Options{}, "write maildir:DIR"},
		{"smtp://127.0.0.1:25", Options{}, ""},
		{"smtp://127.0.0.1", user, ""},
		{"smtp://[::1]:2525", user, ""},
		{"smtp://[::ffff:127.0.0.1]", user, ""},
		{"smtp://localhost:25", Options{}, ""},
		{"smtp://loopback:25", Options{}, ""},
		{"smtp://mail.example:25", Options{}, "?plain=yes"},
		{"smtp://localhost.example:25", Options{}, "?plain=yes"},
		{"smtp://mail.example:25?plain=yes", Options{}, ""},
		{"smtp://mail.example:25?plain=yes", user, "clear text"},
		{"smtp://mail.example:25?plain=no", Options{}, "?plain=yes"},
		{"smtps://mail.example?plain=yes", Options{}, "?plain=yes"},
		{"smtp+starttls://mail.example:587", user, ""},
		{"smtps://mail.example", user, ""},
		{"smtps://mail.example/", user, ""},
		{"smtps://mail.example/x", user, "nothing may follow"},
		{"smtps://u:secret@mail.example", Options{}, "password_file"},
		{"smtps://u:secret@mail.example:port", Options{}, "cannot be read"},
		{"smtps://:465", Options{}, "no host"},
		{"mail.example:465", Options{}, "unknown scheme"},
		{"lmtp://mail.example", Options{}, "unknown scheme"},
		{"", Options{}, "unknown scheme"},
		{"smtps://mail.example", Options{User: "u"}, "password_file"},
		{"smtps://mail.example", Options{Password: "p"}, "relay.user"},
		{"smtps://mail.example", Options{User: "u\r\n", Password: "p"}, "line end"},
		{"smtps://mail.example", Options{Hostname: "a b"}, "hostname"},
	} {
		err := Check(c.url, c.opt)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.url, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds the password", c.url)
		}
		if c.opt == (Options{}) && (CheckURL(c.url) == nil) != (err == nil) {
			t.Errorf("%s: CheckURL differs", c.url)
		}
	}
	a, _ := check("smtps://mail.example", Options{})
	if a.String() != "mail.example:465" {
		t.Errorf("default port: %s", a)
	}
}

// Whatever is left without the whole line ends is loose.
func TestLooseProperty(t *testing.T) {
	piece := rapid.SampledFrom([]string{"\r\n", "\r\n", "a", "\r", "\n", "\x00", ""})
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		want := strings.ContainsAny(strings.ReplaceAll(s, "\r\n", ""), "\r\n\x00")
		if got := loose([]byte(s)); got != want {
			t.Fatalf("%q: %v", s, got)
		}
	})
}
