package rfc822

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/textproto"
	"strings"
	"time"

	"github.com/jordan-wright/email"
)

// Outgoing is a mail to be written. What people wrote (names, subjects, file
// names, texts) is cleaned; what the program must get right (addresses, ids,
// field names) is refused where it is wrong.
type Outgoing struct {
	From    Address
	ReplyTo Address // zero: none
	To, Cc  []Address
	Subject string
	Date    time.Time

	MessageID  string   // with angle brackets, as all ids here
	InReplyTo  string   // "": none
	References []string // oldest first; the first and the newest 19 are written

	// Extra fields stand after References, in their order, unfolded if they
	// fit. They can not be fields that Outgoing writes itself.
	Extra []Field

	Text, HTML  string // UTF-8, lines end in LF or CRLF
	Attachments []Attachment
}

// Attachment is a file that travels with the mail.
type Attachment struct {
	Filename    string
	ContentType string // "" and what can't be sent as base64 become application/octet-stream
	ContentID   string // without angle brackets; what the HTML calls cid:…
	Inline      bool   // a picture of the HTML; needs ContentID and HTML
	Data        []byte
}

// Body is a mail without its header.
type Body struct {
	Fields []Field // Content-Type and Content-Transfer-Encoding
	Bytes  []byte  // 7-bit lines that end in CRLF
}

// Body makes the MIME tree: alternative within mixed, pictures related to the
// HTML (RFC 2046 §5.1, RFC 2387).
//
// The tree is jordan-wright/email's. Its gaps are bridged here and in
// outAttachment, outSplit and outRewrite:
//   - its header fields are open to injection, unfolded and in random order:
//     only the text, the HTML and the attachments are handed over, and of its
//     header only the content type and transfer encoding are kept;
//   - Message-Id would be made from host name and process id: preset;
//   - boundaries are random: rewritten from a hash of the Message-ID, so that a
//     mail is always made of the same bytes;
//   - related lacks its type parameter (RFC 2387 §3.1): added;
//   - file names are neither quoted nor RFC 2231: our Content-Disposition;
//   - every attachment gets a Content-Id, for which some clients hide it:
//     dropped where there is none;
//   - a literal attachment without header map panics: always given;
//   - it copies large parts often: it is given a mark for each part, and the
//     encoded part is put in the mark's place. So the tree of a mail without
//     attachments is always one of three, which are kept.
func (o *Outgoing) Body() (*Body, error) {
	c := &outContent{text: outText(o.Text), html: outText(o.HTML)}
	if c.text == "" && c.html == "" {
		c.text = "\n"
	}
	for i := range o.Attachments {
		a := outAttachment(&o.Attachments[i], c.html != "")
		c.files = append(c.files, a)
		c.data = append(c.data, o.Attachments[i].Data)
	}
	tree, err := c.tree()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(o.MessageID))
	return c.fill(tree, hex.EncodeToString(sum[:12])), nil
}

// outAttachment hands a file over with every header preset, since those that
// the library makes itself are not escaped.
func outAttachment(a *Attachment, html bool) *email.Attachment {
	inline := a.Inline && html && outIsID(a.ContentID)
	h := textproto.MIMEHeader{}
	disposition := "attachment"
	id := outNoID
	if inline {
		disposition = "inline"
		id = "<" + a.ContentID + ">"
	}
	h.Set("Content-Disposition", disposition+outFilename(a.Filename))
	h.Set("Content-Id", id)
	h.Set("Content-Transfer-Encoding", "base64")
	return &email.Attachment{
		Filename:    "unused",
		ContentType: outContentType(a.ContentType),
		Header:      h,
		HTMLRelated: inline,
	}
}

// outContentType is a media type that may be written: of its parameters only
// a charset is kept. RFC 2046 §5.2.1 forbids base64 for message/rfc822, RFC
// 2045 §6.4 for all composite types, so these travel as plain files.
func outContentType(s string) string {
	const plain = "application/octet-stream"
	t, params, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(t, "/") || len(t) > 100 {
		return plain
	}
	if strings.HasPrefix(t, "message/") || strings.HasPrefix(t, "multipart/") {
		return plain
	}
	keep := map[string]string{}
	if c := params["charset"]; c != "" && len(c) < 40 && outIsASCII(c) {
		keep["charset"] = c
	}
	if t = mime.FormatMediaType(t, keep); t == "" {
		return plain
	}
	return t
}

// outIsASCII says whether s is printable ASCII.
func outIsASCII[T string | []byte](s T) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
