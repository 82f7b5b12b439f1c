package mailflow

import (
	"strings"
	"testing"

	"guichet/mailflow/ticket"
)

// An encrypted mail does not seem to say nothing: its agents read what is in it.
func TestEncryptedIsSaid(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.mail(ada, desk, "Subject: Router\nMIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n"+
			"Content-Transfer-Encoding: base64\n\nMIIB\n")
		w.run()
		if note := w.take(ticket.Notification, agent); !strings.Contains(note.mail.Text, "[Encrypted message: ") {
			t.Errorf("the notification:\n%s", note.mail.Text)
		}
		w.mail("bob@customer.example", desk, "Subject: Empty\n\n\n")
		w.run()
		if note := w.take(ticket.Notification, agent); strings.Contains(note.mail.Text, "Encrypted") {
			t.Errorf("the other:\n%s", note.mail.Text)
		}
	})
}
