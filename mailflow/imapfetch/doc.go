// Package imapfetch takes mails out of mailboxes by IMAP (RFC 3501, 9051) and
// gives them to mailflow, as the listeners do. Each mailbox has a worker:
//
//	lease     on PostgreSQL one gateway at a time fetches a mailbox
//	connect   TLS, login by password or OAuth2 (oauth)
//	begin     what was there before us is noted, and makes no ticket (scan)
//	look      each new mail is fetched and committed (take), then marked, moved
//	          or deleted (settle)
//	wait      by IDLE (RFC 2177), or for the next poll
//
// # What was taken
//
// The journal has a row for each mail by (mailbox, UIDVALIDITY, UID), written
// in the transaction that takes the mail. A flag or a folder on the server is
// what people see, never what decides: a move that fails, a lost connection or
// a killed process makes no second ticket. Under a new UIDVALIDITY the mails
// that were seen before are known by a hash of their header.
//
// # A server is a stranger
//
// Every command has a time limit and a byte budget on the connection (guard);
// sizes are asked first, and a mail goes to the store in pieces. One that is
// too large, or that the server does not give, is shown among the held mails
// and keeps no other from being fetched.
//
// Known deviations: no UIDPLUS, no expunge: a deleted mail is only marked
// \Deleted then, since EXPUNGE would remove what others have marked.
package imapfetch
