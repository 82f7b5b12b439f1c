package mailflow

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guichet/mailflow/ticket"
)

const someToken = "abcdefghijklmnopqrstuvwxyz234567"

func TestRoute(t *testing.T) {
	s := &Settings{Hostname: "mx.desk.example", Desks: []Desk{
		{Key: "plus", Address: "support@desk.example", Reply: "support+{token}@desk.example"},
		{Key: "part", Address: "support+sales@desk.example", Reply: "support+sales+{token}@desk.example"},
		{Key: "dash", Address: "help@desk.example", Reply: "help-{token}@desk.example"},
		{Key: "domain", Address: "info@other.example", Reply: "{token}@reply.other.example"},
		{Key: "off", Address: "quiet@desk.example", Reply: "off"},
		{Key: "both", Address: "b@desk.example", Reply: "B.{token}.r@Desk.example"},
	}}
	check := func(address, desk, token string) {
		t.Helper()
		r := s.Route(address)
		got := ""
		if r.Desk != nil {
			got = r.Desk.Key
		}
		if got != desk || r.Token != token {
			t.Errorf("%s: %s %q, want %s %q", address, got, r.Token, desk, token)
		}
	}
	// The desks' own addresses.
	check("support@desk.example", "plus", "")
	check("SUPPORT@Desk.Example", "plus", "")
	check("support+sales@desk.example", "part", "")
	check("quiet@desk.example", "off", "")
	check("info@other.example", "domain", "")
	// Their token addresses; the token is judged later.
	check("support+"+someToken+"@desk.example", "plus", someToken)
	check("SUPPORT+"+strings.ToUpper(someToken)+"@DESK.EXAMPLE", "plus", someToken)
	check("support+sales+"+someToken+"@desk.example", "part", someToken)
	check("help-"+someToken+"@desk.example", "dash", someToken)
	check(someToken+"@reply.other.example", "domain", someToken)
	check("b."+someToken+".r@desk.example", "both", someToken)
	// Whatever follows a plus is the desk's.
	check("support+x@desk.example", "plus", "x")
	check("support+@desk.example", "plus", "")
	check("support+a+b@desk.example", "plus", "a+b")
	check("support+sales+x@desk.example", "part", "x")
	check(`support+"a@b"@desk.example`, "plus", `"a@b"`)
	check("quiet+"+someToken+"@desk.example", "off", someToken)
	check("help+x@desk.example", "dash", "x")
	check("info+x@other.example", "domain", "x")
	// What only looks like one of them.
	check("help-x@desk.example", "", "")
	check("help-"+someToken+"a@desk.example", "", "")
	check("help-"+someToken[1:]+"@desk.example", "", "")
	check("help-a+b"+someToken[3:]+"@desk.example", "", "")
	check("x@reply.other.example", "", "")
	check(someToken+"@other.example", "", "")
	check("xsupport@desk.example", "", "")
	check("support@desk.example.org", "", "")
	check("support@sub.desk.example", "", "")
	check("support", "", "")
	check("", "", "")
	check("@desk.example", "", "")
	check("support+x@evil.example", "", "")
	check("support+x@desk.example@evil.example", "", "")
	check(`"support@desk.example"@evil.example`, "", "")
	check(`"support+x@desk.example"@evil.example`, "", "")
	check(`"a@b"@desk.example`, "", "")
	// Postmaster (RFC 5321 §4.5.1).
	check("postmaster", "plus", "")
	check("Postmaster@desk.example", "plus", "")
	check("postmaster@mx.desk.example", "plus", "")
	check("postmaster@other.example", "plus", "")
	check("postmaster@evil.example", "", "")
	check("postmaster@", "plus", "")
	check("postmaster+x@desk.example", "", "")
}

func TestTokenAddress(t *testing.T) {
	check := func(reply, want string) {
		t.Helper()
		d := Desk{Address: "support@desk.example", Reply: reply}
		if got := d.TokenAddress("TOKEN"); got != want {
			t.Errorf("%s: %s, want %s", reply, got, want)
		}
	}
	check("support+{token}@desk.example", "support+TOKEN@desk.example")
	check("support-{token}@desk.example", "support-TOKEN@desk.example")
	check("{token}@reply.desk.example", "TOKEN@reply.desk.example")
	check("off", "support@desk.example")
	check("", "support@desk.example")
}

// A desk's token address, however its letters are cased, is that desk's, with
// that token; with one character more or less it carries none of ours.
func TestRouteProperty(t *testing.T) {
	patterns := []string{"support+{token}@desk.example", "support-{token}@desk.example", "{token}@reply.desk.example", "s.{token}.x@desk.example"}
	rapid.Check(t, func(t *rapid.T) {
		s := &Settings{Desks: []Desk{{Key: "other", Address: "other@desk.example", Reply: "other+{token}@desk.example"},
			{Key: "support", Address: "support@desk.example", Reply: rapid.SampledFrom(patterns).Draw(t, "pattern")}}}
		token := testKeys.Reply(rapid.Int64Range(0, 1<<40-1).Draw(t, "ticket"), rapid.IntRange(0, 1<<16-1).Draw(t, "party"))
		address := s.Desks[1].TokenAddress(token)
		if rapid.Bool().Draw(t, "upper") {
			address = strings.ToUpper(address)
		}
		if r := s.Route(address); r.Desk != &s.Desks[1] || r.Token != token {
			t.Fatalf("%s: %+v", address, r)
		}
		at := rapid.IntRange(0, len(address)).Draw(t, "at")
		other := address[:at] + rapid.StringMatching(`[a-z2-7+.-]`).Draw(t, "more") + address[at:]
		if at > 0 && rapid.Bool().Draw(t, "less") {
			other = address[:at-1] + address[at:]
		}
		if _, err := testKeys.Verify(s.Route(other).Token); err != ticket.ErrToken {
			t.Fatalf("%s bears a token", other)
		}
	})
}
