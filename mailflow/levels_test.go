package mailflow

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"guichet/mailflow/rfc822"
	"guichet/store"
)

func TestLevel(t *testing.T) {
	s := testSettings()
	s.TrustedNetworks = append(s.TrustedNetworks, netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("198.51.100.4/32"))
	s.Desks = append(s.Desks, Desk{Key: "mass", Address: "firm@gmail.com", Reply: "off"})
	s.Agents = append(s.Agents, Agent{Address: "boss@house.example"}, Agent{Address: "anna@orange.fr"})
	var settings atomic.Pointer[Settings]
	settings.Store(s)
	f := &Flow{Settings: &settings}
	check := func(client, header string, want Level, reason string) {
		t.Helper()
		m := rfc822.Parse([]byte(strings.ReplaceAll(header, "|", "\r\n") + "\r\nSubject: x\r\n\r\nx\r\n"))
		w := f.level(&incoming{mail: m, d: store.Delivery{Client: client}})
		if w.level != want || !strings.Contains(w.reason, reason) {
			t.Errorf("%s %s: %s (%s), want %s (%s)", client, header, w.level, w.reason, want, reason)
		}
	}
	const stranger, trusted = "192.0.2.7", "10.1.2.3"
	// Not exactly one From, however the mail came.
	check(stranger, "From: a@b.example|From: c@d.example", Forged, "one From")
	check(trusted, "From: a@b.example|From: a@b.example", Forged, "one From")
	check(trusted, "From: a@b.example, c@d.example", Forged, "one From")
	check(trusted, "From: a@b.example|From : c@d.example", Forged, "one From")
	check(trusted, "From: a@b.example|FROM: c@d.example", Forged, "one From")
	check(trusted, "To: a@b.example", Forged, "one From")
	check(trusted, "From: ", Forged, "one From")
	check(trusted, "From: undisclosed-recipients:;", Forged, "one From")
	check(trusted, "Sender: a@b.example|From: <>", Forged, "one From")
	// Trusted networks.
	check(trusted, "From: a@b.example", Proven, "trusted network")
	check(trusted, "From: agent@desk.example", Proven, "trusted network")
	check("::ffff:10.1.2.3", "From: a@b.example", Proven, "trusted network")
	check("fd00::1", "From: a@b.example", Proven, "trusted network")
	check("198.51.100.4", "From: a@b.example", Proven, "trusted network")
	check("198.51.100.5", "From: a@b.example", Unproven, "nothing proves")
	check("::ffff:198.51.100.5", "From: a@b.example", Unproven, "nothing proves")
	check("2001:db8::a01:203", "From: a@b.example", Unproven, "nothing proves")
	check("11.0.0.1", "From: a@b.example", Unproven, "nothing proves")
	check("unix", "From: a@b.example", Unproven, "nothing proves")
	check("", "From: a@b.example", Unproven, "nothing proves")
	check("10.1.2.3.evil.example", "From: a@b.example", Unproven, "nothing proves")
	check(trusted, "Received: from x by y; Sat, 21 Nov 2026 10:00:00 +0000|From: a@b.example", Unproven, "nothing proves")
	check(trusted, "Received: from x by y|From: agent@desk.example", Forged, "our own domain")
	// Our own domains without proof.
	check(stranger, "From: agent@desk.example", Forged, "our own domain")
	check(stranger, "From: Support@Desk.Example", Forged, "our own domain")
	check(stranger, "From: anybody@desk.example", Forged, "our own domain")
	check(stranger, "From: boss@house.example", Forged, "our own domain")
	check(stranger, "From: other@house.example", Forged, "our own domain")
	check(stranger, "From: x@sub.house.example", Unproven, "nothing proves")
	check(stranger, "From: x@nothouse.example", Unproven, "nothing proves")
	// At a public provider only the address itself is ours.
	check(stranger, "From: firm@gmail.com", Forged, "our own domain")
	check(stranger, "From: somebody@gmail.com", Unproven, "nothing proves")
	check(stranger, "From: anna@orange.fr", Forged, "our own domain")
	check(stranger, "From: ada@orange.fr", Unproven, "nothing proves")
	// A name proves nothing, and nor does what a stranger writes above.
	check(stranger, "From: \"agent@desk.example\" <evil@evil.example>", Unproven, "nothing proves")
	check(stranger, "Authentication-Results: desk.example; dmarc=pass|From: a@b.example", Unproven, "nothing proves")
}

func TestIsPublicProvider(t *testing.T) {
	check := func(domain string, want bool) {
		t.Helper()
		if got := IsPublicProvider(domain); got != want {
			t.Errorf("%s: %v", domain, got)
		}
	}
	check("gmail.com", true)
	check("yahoo.co.uk", true)
	check("outlook.fr", true)
	check("laposte.net", true)
	check("customer.example", false)
	check("mail.customer.example", false)
	check("laposte.fr", false)
	check("notgmail.com", false)
	check("", false)
}
