package rfc822

import (
	"strings"
	"testing"
)

func TestForwarded(t *testing.T) {
	check := func(name, subject, text, address, words, cover string) {
		t.Helper()
		raw := []byte(strings.ReplaceAll("From: agent@desk.example\nSubject: "+subject+"\nContent-Type: text/plain; charset=utf-8\n\n"+text, "\n", "\r\n"))
		got, ok := Parse(raw).Forwarded(raw)
		if ok != (address != "") || ok && (got.From.Address != address || got.Text != words || got.Cover != cover) {
			t.Errorf("%s: %v, %+v", name, ok, got)
		}
	}
	check("Gmail", "Fwd: Router", "Please see.\n\n---------- Forwarded message ---------\nFrom: Ada B <ada@customer.example>\n"+
		"Date: Sat, 21 Nov 2026 at 14:05\nSubject: Router\nTo: <phone@desk.example>\n\nIt is dead.\n\nAda\n",
		"ada@customer.example", "It is dead.\n\nAda", "Please see.")
	check("Outlook, French", "TR: Routeur", "De : Ada B <ada@customer.example>\nEnvoyé : samedi 21 novembre 2026 14:05\nÀ : Accueil\nObjet : Routeur\n\nIl est mort.",
		"ada@customer.example", "Il est mort.", "")
	check("old Outlook", "FW: Router", "-----Original Message-----\nFrom: Ada B [mailto:ada@customer.example]\nSent: Saturday, November 21, 2026 2:05 PM\n"+
		"To: Desk\nSubject: Router\n\nDead.", "ada@customer.example", "Dead.", "")
	check("Apple Mail", "Fwd: Router", "> Begin forwarded message:\n> \n> From: Ada <ada@customer.example>\n> Subject: Router\n> Date: 21 November 2026 at 14:05:00 CET\n"+
		"> To: desk@desk.example\n> \n> Dead.", "ada@customer.example", "Dead.", "")
	check("Thunderbird", "Fwd: Router", "\n\n-------- Forwarded Message --------\nSubject: 	Router\nDate: 	Sat, 21 Nov 2026 14:05:00 +0100\n"+
		"From: 	Ada <ada@customer.example>\nTo: 	desk@desk.example\n\nDead.", "ada@customer.example", "Dead.", "")
	check("an answer", "Re: Router", "I will.\n\nOn Sat, Ada <ada@customer.example> wrote:\n> Dead.", "", "", "")
	check("nobody", "Fwd: Router", "---------- Forwarded message ---------\nFrom: Ada\nDate: Sat, 21 Nov 2026 at 14:05\nSubject: Router\nTo: Bob\n\nDead.", "", "", "")
	check("plain", "Router", "From: this is a plain text", "", "", "")
}

func TestForwardedAttached(t *testing.T) {
	raw := []byte(strings.ReplaceAll("From: agent@desk.example\nSubject: Fwd: Router\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"+
		"--b\nContent-Type: text/plain\n\nPlease see.\n--b\nContent-Type: message/rfc822\n\nFrom: Ada <ada@customer.example>\n"+
		"Subject: Router\nContent-Type: text/plain\n\nDead.\n--b--\n", "\n", "\r\n"))
	got, ok := Parse(raw).Forwarded(raw)
	if !ok || got.From.Address != "ada@customer.example" || got.From.Name != "Ada" || strings.TrimSpace(got.Text) != "Dead." || strings.TrimSpace(got.Cover) != "Please see." {
		t.Errorf("%v, %+v", ok, got)
	}
}
