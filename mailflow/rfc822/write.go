package rfc822

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// Body is a mail without its header: it depends on the content alone, so that
// one body serves all recipients.
type Body struct {
	Fields []Field // Content-Type and Content-Transfer-Encoding
	Bytes  []byte  // 7-bit lines that end in CRLF
}

// outNoID marks a Content-Id line that outRewrite drops. Neither base64 nor
// quoted-printable can produce "=_" (RFC 2045 §6.7).
const outNoID = "<=_none>"

// Body makes the MIME tree: alternative within mixed, pictures related to the
// HTML (RFC 2046 §5.1, RFC 2387).
//
// The tree is jordan-wright/email's. Its gaps are bridged here and in
// outAttachment, outSplit and outRewrite:
//   - its header fields are open to injection, unfolded and in random order:
//     only the text, the HTML and the attachments are handed over, and of its
//     header only the content type and transfer encoding are kept;
//   - Message-Id would be made from host name and process id: preset;
//   - boundaries are random: rewritten from a hash of the content;
//   - related lacks its type parameter (RFC 2387 §3.1): added;
//   - file names are neither quoted nor RFC 2231: our Content-Disposition;
//   - every attachment gets a Content-Id, for which some clients hide it:
//     dropped where there is none;
//   - a literal attachment without header map panics: always given.
func (o *Outgoing) Body() (*Body, error) {
	e := &email.Email{
		Text:    []byte(outText(o.Text)),
		HTML:    []byte(outText(o.HTML)),
		Headers: textproto.MIMEHeader{"Message-Id": {"<unused>"}},
	}
	if len(e.Text) == 0 && len(e.HTML) == 0 {
		e.Text = []byte("\n")
	}
	sum := sha256.New()
	outHash := func(b []byte) { fmt.Fprintf(sum, "%d:", len(b)); sum.Write(b) }
	outHash(e.Text)
	outHash(e.HTML)
	for i := range o.Attachments {
		a := outAttachment(&o.Attachments[i], len(e.HTML) > 0)
		e.Attachments = append(e.Attachments, a)
		outHash([]byte(a.Header.Get("Content-Disposition")))
		outHash(a.Content)
	}
	whole, err := e.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write body: %w", err)
	}
	fields, rest, err := outSplit(whole)
	if err != nil {
		return nil, err
	}
	r := outRewriter{seed: hex.EncodeToString(sum.Sum(nil)[:12]), names: map[string]string{}}
	for i := range fields {
		fields[i].Value = r.contentType(fields[i].Value)
	}
	return &Body{Fields: fields, Bytes: r.rewrite(rest)}, nil
}

// outText makes a text fit for quoted-printable: UTF-8, no NUL and no other
// control but tab and line end, LF alone, one at the end.
func outText(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, s)
	return strings.TrimRight(s, "\n") + "\n"
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
		Content:     a.Data,
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

// outSplit parts the library's mail from its header, and keeps the two fields
// that belong to the body.
func outSplit(whole []byte) ([]Field, []byte, error) {
	head, rest, found := bytes.Cut(whole, []byte("\r\n\r\n"))
	if !found {
		return nil, nil, fmt.Errorf("write body: no end of header")
	}
	unfolded := strings.ReplaceAll(string(head), "\r\n ", " ")
	byName := map[string]string{}
	for line := range strings.SplitSeq(unfolded, "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		byName[name] = value
	}
	var fields []Field
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding"} {
		if v := byName[name]; v != "" {
			fields = append(fields, Field{Name: name, Value: v})
		}
	}
	if len(fields) == 0 {
		return nil, nil, fmt.Errorf("write body: no content type")
	}
	return fields, rest, nil
}

// outRewriter replaces random boundaries by ones that depend on the content.
// They hold "=_", which no line of an encoded part can (RFC 2045 §6.7 gives
// this very advice).
type outRewriter struct {
	seed   string
	names  map[string]string // the library's boundary → ours
	inHead bool              // between a delimiter and the blank line after it
}

// boundary is the name for a boundary of the library, the same at each call.
func (r *outRewriter) boundary(old string) string {
	if _, ok := r.names[old]; !ok {
		r.names[old] = fmt.Sprintf("=_%s_%d", r.seed, len(r.names)+1)
	}
	return r.names[old]
}

// contentType rewrites a multipart's parameters: `multipart/x; boundary=old`.
func (r *outRewriter) contentType(v string) string {
	t, old, found := strings.Cut(v, " boundary=")
	if !found {
		return v
	}
	if strings.HasPrefix(t, "multipart/related") {
		t += ` type="text/html";`
	}
	return t + ` boundary="` + r.boundary(old) + `"`
}

// rewrite goes through the body line by line, once: it can hold 30 MB.
func (r *outRewriter) rewrite(b []byte) []byte {
	out := make([]byte, 0, len(b)+512)
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		out = append(out, r.line(b[:n])...)
		b = b[n:]
	}
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return out
}

// line rewrites a delimiter and, in the header of a part, its boundary or
// unwanted id. The text of a part can imitate all but a delimiter, which is a
// random one still.
func (r *outRewriter) line(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("--")) {
		return r.delimiter(b)
	}
	if !r.inHead {
		return b
	}
	line := strings.TrimRight(string(b), "\r\n")
	old, isBoundary := strings.CutPrefix(line, " boundary=")
	switch {
	case line == "":
		r.inHead = false
	case isBoundary:
		return []byte(` boundary="` + r.boundary(old) + "\"\r\n")
	case line == "Content-Type: multipart/related;":
		return []byte(line + " type=\"text/html\";\r\n")
	case line == "Content-Id: "+outNoID:
		return nil
	}
	return b
}

// delimiter rewrites the line that begins a part or ends a multipart.
func (r *outRewriter) delimiter(b []byte) []byte {
	name, last := strings.CutSuffix(strings.TrimRight(string(b[2:]), "\r\n"), "--")
	ours, ok := r.names[name]
	if !ok {
		return b
	}
	if last {
		return []byte("--" + ours + "--\r\n")
	}
	r.inHead = true
	return []byte("--" + ours + "\r\n")
}

// outIsASCII says whether s is printable ASCII.
func outIsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
