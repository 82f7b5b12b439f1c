package templates

import (
	"strings"
	"testing"
	"time"

	"guichet/mailflow/ticket"
)

func TestDates(t *testing.T) {
	at := time.Date(2026, 11, 24, 9, 5, 0, 0, paris(t))
	check := func(got, want string) {
		t.Helper()
		if got = strings.ReplaceAll(got, nbsp, "~"); got != want {
			t.Errorf("got %q, wanted %q", got, want)
		}
	}
	check(formatWhen("fr", at), "mardi 24 novembre 2026 à 9~h~05 (heure de Paris)")
	check(formatWhen("en", at), "Tuesday 24 November 2026 at 09:05 (Paris time)")
	check(formatAt("fr", time.Date(2026, 8, 1, 14, 0, 0, 0, time.UTC)), "samedi 1er août 2026 à 14~h")
	check(formatShort("fr", at), "24 novembre, 9~h~05")
	check(formatShort("en", at), "24 November, 09:05")
	for name, want := range map[string]string{
		"Europe/London": "heure de Londres", "America/New_York": "heure de New York", "Europe/Athens": "heure d’Athènes",
		"Africa/Cairo": "heure du Caire", "Indian/Reunion": "heure de La Réunion", "UTC": "UTC", "Etc/GMT-3": "+03",
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		check(zoneWords("fr", at.In(zone)), want)
	}
	for n, want := range map[int64]string{0: "0~o", 999: "999~o", 1000: "1~ko", 340_000: "340~ko", 999_499: "999~ko", 999_501: "1~Mo", 1_250_000: "1,2~Mo", 48_000_000: "48~Mo", 2_500_000_000: "2,5~Go", -1: "0~o"} {
		check(formatSize("fr", n), want)
	}
	check(formatSize("en", 1_260_000), "1.3~MB")
	check(formatSince("en", at, at.Add(50*time.Hour)), "2 days ago")
	check(formatSince("fr", at, at.Add(3*time.Hour)), "il y a 3~heures")
	check(formatSince("fr", at, at.Add(90*time.Minute)), "il y a 90~minutes")
}

func TestSubject(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := Subject("en", in, "INC-000123"); got != want {
			t.Errorf("%q: got %q, wanted %q", in, got, want)
		}
	}
	check("Panne", "Re: Panne [#INC-000123]")
	check("Re: AW: RE : Re[2]: Panne", "Re: Panne [#INC-000123]")
	check("Re: Panne [#INC-000123]", "Re: Panne [#INC-000123]")
	check("[#INC-000007] Re: [#INC-000123] Re: Panne", "Re: Panne [#INC-000123]")
	check("Re: \u00a0: Panne", "Re: : Panne [#INC-000123]")
	check("Fwd: Panne", "Re: Fwd: Panne [#INC-000123]")
	check("Rechnung: 7", "Re: Rechnung: 7 [#INC-000123]")
	check("a\r\nBcc: x\x00\x01", "Re: a Bcc: x [#INC-000123]")
	check("", "Re: your request [#INC-000123]")
	check("Re: Re:", "Re: your request [#INC-000123]")
	check(strings.Repeat("é", 500), "Re: "+strings.Repeat("é", 199)+"… [#INC-000123]")
	if got := Subject("fr", "Réf: x", ""); got != "Re: Réf: x" {
		t.Errorf("got %q", got)
	}
}

func TestAccent(t *testing.T) {
	for c, want := range map[string]string{"#1d5c87": "#1d5c87", "#ffff00": ourAccent, "": ourAccent, "red": ourAccent, "#8a1f3d": "#8a1f3d", "#12345g": ourAccent, "#fff;x:y": ourAccent} {
		if got := (Desk{Accent: c}).accent(); got != want {
			t.Errorf("%q: got %s", c, got)
		}
	}
	if contrast(ourAccent, "#ffffff") < 4.5 || contrast(paleInk, paper) < 4.5 || contrast(paleInk, ground) < 4.5 {
		t.Error("our own colours are hard to read")
	}
}

// Every state, reason, role and event has its words in every language.
func TestVocabularies(t *testing.T) {
	for lang, v := range vocabularies {
		for s := range english.states {
			if v.states[s] == "" || v.short[s] == "" {
				t.Errorf("%s: no words for state %s", lang, s)
			}
		}
		for r := range english.closed {
			if v.closed[r] == "" {
				t.Errorf("%s: no words for %s", lang, r)
			}
		}
		for e := range english.events {
			if v.events[e] == "" {
				t.Errorf("%s: no words for %s", lang, e)
			}
		}
		for c := range english.help {
			if v.help[c] == "" {
				t.Errorf("%s: no words for %s", lang, c)
			}
		}
		for k := range english.kinds {
			if v.kinds[k] == "" {
				t.Errorf("%s: no words for %s", lang, k)
			}
		}
	}
	if got := StateWords("en", ticket.Closed, ticket.Unanswered); got != "Closed: we had no answer" {
		t.Errorf("got %q", got)
	}
	if got := MarkerLine("en", "7f3a"); got != "— write above this line · 7f3a —" {
		t.Errorf("got %q", got)
	}
}
