// Package outbound sends the mails that wait in the outbox: a [Worker] leases
// due rows from a [Queue], gives each finished mail to a [Relay] once, and
// records what became of it.
//
// # What an answer of the relay means
//
// A row is one mail to one recipient, so each outcome belongs to exactly one
// of them. Before MAIL is sent nothing was said about any row: a refused
// connection, a certificate that does not hold, a 4xx or 5xx to the banner,
// to EHLO or to AUTH is the relay's trouble. It pauses the whole queue for one
// second, doubled up to five minutes, and costs no row one of its tries; one
// row at a time then finds out whether the relay is back. From MAIL on a 5xx
// fails the row, a 4xx or a lost connection defers it, by the table in
// [judge]; MAIL's own 5xx fails it only where it speaks of the sender or the
// size (RFC 3463: x.1.7, x.1.8, x.3.4). A deferred row is tried again as
// [Backoff] says until it is five days old (RFC 5321 §4.5.4.1), then it fails.
// The relay's trouble alone never fails a row, however long it lasts.
//
// # The one way to send a mail twice
//
// When the process or the connection ends between the relay's taking of the
// final dot and our recording of its 250, the row is sent again: the same
// bytes with the same Message-ID, since [Queue.Prepare] composes once. Not
// sending it again would lose the mail where the relay had not taken it
// (RFC 5321 §6.1, RFC 1047). At any moment at most four mails a
// connection are on the wire or taken but not recorded.
//
// # Standards
//
// RFC 5321 over go-smtp's client, with the time limits of §4.5.3.2; 1870
// SIZE; 2034 and 3463 enhanced codes; 3207 STARTTLS, required where it is
// configured and never fallen back from; 3461 NOTIFY=FAILURE and RET=HDRS;
// 4954 AUTH PLAIN and LOGIN, over TLS or loopback only; 6152 8BITMIME; 6531
// SMTPUTF8; 8314 implicit TLS. There is no PIPELINING, no CHUNKING, and one
// recipient a transaction.
package outbound
