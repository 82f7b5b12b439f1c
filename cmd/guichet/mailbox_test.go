package main

import (
	"fmt"

	"guichet/mailflow/imapfetch/imaptest"
)

// mailboxOf is the configuration that fetches the INBOX of a Dovecot; the
// password stands in imap.pw.
func mailboxOf(d *imaptest.Dovecot) string {
	return fmt.Sprintf("mailboxes: [{url: \"imap://%s@%s/INBOX\", password_file: imap.pw, desk: support, after: \"move:Processed\"}]\n", imaptest.User, d.Addr)
}
