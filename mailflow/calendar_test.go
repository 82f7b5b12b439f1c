package mailflow

import (
	"fmt"
	"strings"
	"testing"
)

// What a calendar sends at a click makes a ticket and is not answered; an
// invitation is, and so are words.
func TestCalendarIsNotAnswered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		n := 0
		check := func(method, text string, answered int) {
			t.Helper()
			n++
			from := fmt.Sprintf("c%d@customer.example", n)
			w.mail(from, desk, "Subject: Meeting\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n"+text+
				"\n--b\nContent-Type: text/calendar; method="+method+"\n\nBEGIN:VCALENDAR\nMETHOD:"+method+"\nBEGIN:VEVENT\nSUMMARY:Meeting\nDTSTART:20261201T140000Z\nATTENDEE;PARTSTAT=ACCEPTED:mailto:"+from+"\nEND:VEVENT\nEND:VCALENDAR\n--b--\n")
			w.run()
			if got := w.left(from); got != answered || len(w.tickets()) != n {
				t.Errorf("%s: %d answers, %d tickets of %d", method, got, len(w.tickets()), n)
			}
		}
		check("REQUEST", "Please come.", 1)
		check("REPLY", "", 0)
		check("REPLY", "Ada has accepted this invitation.", 0)
		check("CANCEL", "Called off.", 0)
		check("CANCEL", strings.Repeat("The calendar shows this meeting twice, and the second one cannot be removed. ", 20), 1)
	})
}
