// Package rfc822 reads and writes mail (RFC 5322, 2045-2049, 2231, 3464,
// 3676, 6532). Reading never fails: any bytes become a [Mail] with its
// problems listed. Writing is strict.
package rfc822

import "time"

// Mail is what could be read of one mail. All strings are valid UTF-8 without
// NUL, in NFC; names, subjects and file names are freed of control and bidi
// characters.
type Mail struct {
	// Header holds the top header's fields in their order, unfolded but not
	// decoded.
	Header Header

	Subject   string
	From      []Address
	Sender    []Address
	ReplyTo   []Address
	To        []Address
	Cc        []Address
	Date      time.Time // zero: none, or not readable
	MessageID string    // with angle brackets; "" if none
	// InReplyTo and References hold ids in angle brackets. Of References the
	// first and the newest 199 are kept.
	InReplyTo  []string
	References []string

	// Parts are the leaves that are not the text itself: attachments, inline
	// pictures, returned mails (one part each, not unpacked), in their order.
	Parts []Part
	// Text is the whole readable text: the text/plain parts, or the HTML as
	// text where there is no plain part.
	Text string
	// Reply is Text without quoted mails and signature.
	Reply string
	// Report is a delivery report's content, or nil.
	Report *Report

	// Problems lists what was wrong or cut, one sentence each.
	Problems []string

	signed bool // smime.p7m is signed and not encrypted
	sealed bool // what was left out of a mail that is cut made it encrypted
}

// Address is a mailbox as a header field gives it.
type Address struct {
	Name    string `json:"name"`
	Address string `json:"address"` // local@domain, case kept; "" if there is none
}

// Field is one header field. Value is unfolded and otherwise as written.
type Field struct {
	Name  string
	Value string
}

// Header is a list of fields in the order of the mail.
type Header []Field

// Part is one leaf of a mail, described by where it lies in the raw bytes, so
// that attachments need not be copied.
type Part struct {
	Path        string // "1.2": position in the tree, from 1
	Filename    string // "" if the mail gives none
	ContentType string // lower-case media type without parameters
	Charset     string // as declared
	ContentID   string // without angle brackets
	Inline      bool   // Content-Disposition: inline, or referred to by cid
	Encoding    string // lower-case Content-Transfer-Encoding; "" is 7bit
	Offset      int64  // of the encoded body in the raw mail
	Length      int64  // of the encoded body, in bytes
	Size        int64  // decoded, in bytes
	In          string // "winmail.dat" or "smime.p7m" if it was found inside one
}

// Report is the content of a delivery report (RFC 3464) or of what stands in
// for one.
type Report struct {
	Recipients []ReportRecipient
	// OriginalMessageID is the returned mail's, with angle brackets, or "".
	OriginalMessageID string
}

// ReportRecipient is one recipient's outcome in a delivery report.
type ReportRecipient struct {
	Recipient  string `json:"recipient"`
	Action     string `json:"action"` // failed, delayed, delivered, relayed, expanded
	Status     string `json:"status"` // RFC 3463, such as 5.1.1
	Diagnostic string `json:"diagnostic"`
}
