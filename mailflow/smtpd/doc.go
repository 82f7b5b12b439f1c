// Package smtpd takes mail in over SMTP (RFC 5321) and LMTP (RFC 2033). It is
// a bridge over github.com/emersion/go-smtp, which speaks the commands; what
// go-smtp leaves open is closed here, each gap in one place:
//
//	limit.go     how many connections, and who leaves when all places are taken
//	link.go      the socket: every deadline
//	dialogue.go  what go-smtp reads: one command line at a time, never a body
//	command.go   what a command line is, and RCPT TO:<postmaster>
//	body.go      the body of DATA, by RFC 5321 §4.5.2 to the letter; what a mail may be
//	chunk.go     the body of BDAT, which go-smtp is given as DATA
//	session.go   one mail's envelope and bytes, and the answers
//	address.go   which addresses are let in
//	reply.go     every answer of ours
//
// # A connection
//
// A socket becomes a link, a link becomes a dialogue, and go-smtp serves the
// dialogue:
//
//	socket ─ link ─┬─────────── dialogue ─ go-smtp (plain)  ─ session ─ Intake
//	               └─ crypto/tls ─ dialogue ─ go-smtp (secure) ─ session ─ Intake
//
// STARTTLS ends the first dialogue and begins a second one on the same link,
// under another go-smtp server, so nothing learnt in clear text survives
// (RFC 3207 §4.2).
//
// # Extensions
//
// SIZE (RFC 1870), 8BITMIME (6152), SMTPUTF8 (6531), CHUNKING (3030),
// PIPELINING (2920), ENHANCEDSTATUSCODES (2034), STARTTLS (3207), and AUTH
// PLAIN (4954) if configured, on TLS alone.
//
// # Bytes
//
// A mail's bytes are kept as they came, bare CR and LF included, save for the
// dot that RFC 5321 §4.5.2 adds. Only CRLF.CRLF ends DATA; a dot behind
// a bare CR or LF is text. The first dot of a line goes even if nothing but
// a bare LF follows it ("CRLF . LF" is kept as "CRLF LF"): every sender that
// keeps the RFC has doubled it.
//
// # Deviations
//
// A command line that ends in a bare LF is taken, as every large server does;
// it cannot smuggle, as a body never reaches the command reader. BINARYMIME
// and DSN are not offered. A SIZE above 4 GiB is answered 501, not 552.
package smtpd
