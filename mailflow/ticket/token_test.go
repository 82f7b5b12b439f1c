package ticket

import (
	"encoding/base32"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	oldKey = Key{ID: 3, Secret: []byte("the key of last year, 32 octets.")}
	newKey = Key{ID: 15, Secret: []byte("the key of this year, 32 octets.")}
	ring   = Keyring{oldKey, newKey}
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

func TestTokenRoundTrip(t *testing.T) {
	reply := func(ticket int64, party int) {
		t.Helper()
		s := ring.Reply(ticket, party)
		got, err := ring.Verify(s)
		if err != nil || got.Purpose != ForReply || got.Ticket() != ticket || got.Party() != party {
			t.Errorf("ticket %d, party %d: %+v, %v", ticket, party, got, err)
		}
		if len(s) != TokenLength || strings.Trim(s, alphabet) != "" {
			t.Errorf("ticket %d, party %d: %q", ticket, party, s)
		}
	}
	outbox := func(p Purpose, row int64) {
		t.Helper()
		s := ring.Outbox(p, row)
		got, err := ring.Verify(s)
		if err != nil || got.Purpose != p || got.Row() != row || len(s) != TokenLength {
			t.Errorf("purpose %d, row %d: %q, %+v, %v", p, row, s, got, err)
		}
	}
	reply(0, 0)
	reply(1, 1)
	reply(1, 1<<16-1)
	reply(1<<40-1, 0)
	reply(1<<40-1, 1<<16-1)
	for _, p := range purposes {
		outbox(p, 0)
		outbox(p, 1)
		outbox(p, 1<<40)
		outbox(p, 1<<56-1)
	}
	rapid.Check(t, func(t *rapid.T) {
		ticket, party := rapid.Int64Range(0, 1<<40-1).Draw(t, "ticket"), rapid.IntRange(0, 1<<16-1).Draw(t, "party")
		got, err := ring.Verify(ring.Reply(ticket, party))
		if err != nil || got.Ticket() != ticket || got.Party() != party {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

var purposes = []Purpose{ForReply, ForMessage, ForBounce, ForConfirm, ForApprove, ForRefuse}

// What does not fit must not become the token of somebody else.
func TestTokenLimits(t *testing.T) {
	check := func(ticket int64, party int) {
		t.Helper()
		if s := ring.Reply(ticket, party); s != "" {
			got, err := ring.Verify(s)
			t.Errorf("ticket %d, party %d: %q says ticket %d, party %d, %v", ticket, party, s, got.Ticket(), got.Party(), err)
		}
	}
	check(1<<40, 1)
	check(1<<40+7, 1)
	check(1<<62, 1)
	check(-1, 1)
	check(7, 1<<16)
	check(7, 1<<16+1)
	check(7, -1)
}

// Every other spelling of a token is none, except for the case of letters.
func TestTokenFlipped(t *testing.T) {
	for _, s := range []string{ring.Reply(123456, 2), ring.Outbox(ForBounce, 77), ring.Reply(0, 0), ring.Outbox(ForApprove, 1<<56-1)} {
		for i := range s {
			for _, c := range alphabet + "0189=-_ \n\r\x00" {
				flipped := s[:i] + string(c) + s[i+1:]
				if got, err := ring.Verify(flipped); flipped != s && err != ErrToken {
					t.Errorf("%s with %q at %d: %+v, %v", s, c, i, got, err)
				}
			}
		}
	}
}

func TestTokenSpelling(t *testing.T) {
	s := ring.Reply(123456, 2)
	check := func(spelling string, want bool) {
		t.Helper()
		if got, err := ring.Verify(spelling); (err == nil) != want || !want && (err != ErrToken || got != Token{}) {
			t.Errorf("%q: %+v, %v", spelling, got, err)
		}
	}
	check(s, true)
	check(strings.ToUpper(s), true)
	check(strings.ToUpper(s[:9])+s[9:], true)
	check("", false)
	check(s[1:], false)
	check(s[:31], false)
	check(s+"a", false)
	check(s+"=", false)
	check(s[:31]+"=", false)
	check(s[:24]+"========", false)
	check(s+s, false)
	check(" "+s, false)
	check(s[:16]+"\r\n"+s[16:], false)
	check(s[:16]+"\r\n"+s[18:], false)
	check(strings.Repeat("a", TokenLength), false)
	check(strings.Repeat("\u212a", 10)+"aa", false) // the Kelvin sign: three octets, folds to k
	check(strings.Repeat("\u0130", 16), false)      // two octets, folds to i
	check(strings.Repeat("\u023a", 16), false)      // folds to three octets
}

// Neither another key, nor another id or purpose with the right code.
func TestTokenForged(t *testing.T) {
	s := ring.Reply(123456, 2)
	raw, err := base32.NewEncoding(alphabet).DecodeString(s)
	if err != nil || len(raw) != 20 || raw[0] != 15<<4|byte(ForReply) {
		t.Fatalf("%x, %v", raw, err)
	}
	for head := range 256 {
		b := append([]byte{byte(head)}, raw[1:]...)
		forged := base32.NewEncoding(alphabet).EncodeToString(b)
		if got, err := ring.Verify(forged); forged != s && err == nil {
			t.Errorf("first octet %x: %+v", head, got)
		}
	}
	other := Key{ID: newKey.ID, Secret: []byte("somebody else's key, 32 octets..")}
	check := func(name string, k Keyring, token string) {
		t.Helper()
		if got, err := k.Verify(token); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	check("other secret", ring, Keyring{other}.Reply(123456, 2))
	check("secret under another id", ring, Keyring{{ID: oldKey.ID, Secret: newKey.Secret}}.Reply(123456, 2))
	check("unknown id", ring, Keyring{{ID: 5, Secret: newKey.Secret}}.Reply(123456, 2))
	check("no keys", nil, s)
	seen := map[string]Purpose{}
	for _, p := range purposes {
		token := ring.Outbox(p, 123456<<16|2)
		if other, ok := seen[token]; ok {
			t.Errorf("purposes %d and %d share a token", p, other)
		}
		seen[token] = p
	}
}

func TestKeys(t *testing.T) {
	before := Keyring{oldKey}.Reply(7, 1)
	check := func(name string, k Keyring, token string, want bool) {
		t.Helper()
		if got, err := k.Verify(token); (err == nil) != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	check("rotated", ring, before, true)
	check("revoked", Keyring{newKey}, before, false)
	check("the last signs", Keyring{newKey}, ring.Reply(7, 1), true)
	check("the first does not", Keyring{oldKey}, ring.Reply(7, 1), false)
	same := Key{ID: oldKey.ID, Secret: newKey.Secret}
	check("two keys of one id, the old", Keyring{oldKey, same}, before, true)
	check("two keys of one id, the new", Keyring{oldKey, same}, Keyring{oldKey, same}.Reply(7, 1), true)
	if a, b := oldKey.Fingerprint(), newKey.Fingerprint(); a == b || len(a) != 16 || strings.Contains(a, string(oldKey.Secret)) {
		t.Errorf("fingerprints %s, %s", a, b)
	}
}

// A token stands in mails that are answered years later. This one was made
// with Python from design §4.
func TestTokenGolden(t *testing.T) {
	if got, want := ring.Reply(123456, 2), "6eaaaapciaaafa5rjaf65xleetigzgfd"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// The code is compared in constant time, which no test of results can tell.
func TestTokenConstantTime(t *testing.T) {
	source, err := os.ReadFile("token.go")
	if err != nil {
		t.Fatal(err)
	}
	if s := string(source); !strings.Contains(s, "!hmac.Equal(key.mac(head), b)") || strings.Contains(s, "bytes.Equal") {
		t.Error("token.go does not compare by hmac.Equal")
	}
}

// FuzzToken: what verifies is, but for letter case, exactly what we sign.
func FuzzToken(f *testing.F) {
	f.Add(ring.Reply(123456, 2))
	f.Add(strings.ToUpper(ring.Outbox(ForMessage, 77)))
	f.Add(Keyring{oldKey}.Outbox(ForConfirm, 1<<56-1))
	f.Add(strings.Repeat("a", TokenLength))
	f.Add(ring.Reply(1, 1)[:30] + "==")
	f.Add("\u0130\u0130\u212a\u212a" + ring.Reply(1, 1)[:16])
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ring.Verify(s)
		if err != nil {
			if err != ErrToken || got != (Token{}) {
				t.Fatalf("%q: %+v, %v", s, got, err)
			}
			return
		}
		for _, k := range ring {
			if (Keyring{k}).sign(got.Purpose, got.Payload) == strings.ToLower(s) && len(s) == TokenLength {
				return
			}
		}
		t.Fatalf("%q verifies as %+v, but we would not write it so", s, got)
	})
}
