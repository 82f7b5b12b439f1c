package mailflow

import (
	"testing"

	"guichet/store"
)

// What has no name gets one that a mail program can open.
func TestFileName(t *testing.T) {
	for _, c := range []struct{ name, kind, want string }{
		{"", "text/calendar", "invitation.ics"},
		{"", "message/rfc822", "mail.eml"},
		{"", "image/png", "file-1.2.png"},
		{"a.txt", "text/calendar", "a.txt"},
	} {
		if got := FileName(store.Part{Path: "1.2", Name: c.name, ContentType: c.kind}); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.kind, c.name, got, c.want)
		}
	}
}
