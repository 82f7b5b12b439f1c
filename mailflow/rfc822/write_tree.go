package rfc822

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jordan-wright/email"
)

// outContent is what a body is made of.
type outContent struct {
	text, html string
	files      []*email.Attachment
	data       [][]byte // of the files
}

// outTree is a body with marks in the places of boundaries and parts: NUL,
// which nothing else in it can be, and a letter; after that of a file its
// number and another NUL.
type outTree struct {
	fields []Field
	body   string
}

const (
	outSeed     = "\x00s"
	outTextPart = "\x00t"
	outHTMLPart = "\x00h"
	outFilePart = "\x00f"
)

// The library is given these for the parts; quoted-printable leaves them as
// they are. A file's is followed by its number.
const (
	outTextMark = "text-of-the-mail"
	outHTMLMark = "html-of-the-mail"
	outFileMark = "file-of-the-mail-"
)

// outTrees keeps the trees of mails without attachments: text, HTML, both.
var outTrees [4]atomic.Pointer[outTree]

// tree is the library's for the content.
func (c *outContent) tree() (*outTree, error) {
	e := &email.Email{Headers: textproto.MIMEHeader{"Message-Id": {"<unused>"}}, Attachments: c.files}
	form := 0
	if c.text != "" {
		e.Text, form = []byte(outTextMark), 1
	}
	if c.html != "" {
		e.HTML, form = []byte(outHTMLMark), form+2
	}
	if t := outTrees[form].Load(); t != nil && len(c.files) == 0 {
		return t, nil
	}
	r := outRewriter{names: map[string]string{}, marks: map[string]string{outTextMark: outTextPart, outHTMLMark: outHTMLPart}}
	for i, a := range c.files {
		a.Content = append([]byte(outFileMark), strconv.Itoa(i)...)
		r.marks[base64.StdEncoding.EncodeToString(a.Content)] = outFilePart + strconv.Itoa(i) + "\x00"
	}
	whole, err := e.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write body: %w", err)
	}
	t := &outTree{}
	var rest []byte
	if t.fields, rest, err = outSplit(whole); err != nil {
		return nil, err
	}
	for i := range t.fields {
		t.fields[i].Value = r.contentType(t.fields[i].Value)
	}
	t.body = string(r.rewrite(rest))
	if len(c.files) == 0 {
		outTrees[form].Store(t)
	}
	return t, nil
}

// fill puts the boundaries' seed and the encoded parts into the tree.
func (c *outContent) fill(t *outTree, seed string) *Body {
	size := len(t.body) + 256 + (len(c.text)+len(c.html))*9/8
	for _, d := range c.data {
		size += outBase64Len(len(d))
	}
	b := &Body{Bytes: make([]byte, 0, size), Fields: slices.Clone(t.fields)}
	for i := range b.Fields {
		b.Fields[i].Value = strings.ReplaceAll(b.Fields[i].Value, outSeed, seed)
	}
	for rest := t.body; ; {
		fixed, marked, found := strings.Cut(rest, "\x00")
		b.Bytes = append(b.Bytes, fixed...)
		if !found {
			break
		}
		rest = marked[1:]
		switch marked[0] {
		case outSeed[1]:
			b.Bytes = append(b.Bytes, seed...)
		case outTextPart[1]:
			b.Bytes = outQuoted(b.Bytes, c.text)
		case outHTMLPart[1]:
			b.Bytes = outQuoted(b.Bytes, c.html)
		case outFilePart[1]:
			var number string
			number, rest, _ = strings.Cut(rest, "\x00")
			i, _ := strconv.Atoi(number)
			b.Bytes = outBase64(b.Bytes, c.data[i])
		}
	}
	if !bytes.HasSuffix(b.Bytes, []byte("\r\n")) {
		b.Bytes = append(b.Bytes, "\r\n"...)
	}
	return b
}

// outNoID marks a Content-Id line that outRewrite drops. Neither base64 nor
// quoted-printable can produce "=_" (RFC 2045 §6.7).
const outNoID = "<=_none>"

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

// outRewriter replaces random boundaries by ones that depend on the content,
// and what stands for the parts by marks. Boundaries hold "=_", which no line
// of an encoded part can (RFC 2045 §6.7 gives this very advice).
type outRewriter struct {
	names  map[string]string // the library's boundary → ours
	marks  map[string]string // what the library was given → our mark
	inHead bool              // between a delimiter and the blank line after it
}

// boundary is the name for a boundary of the library, the same at each call.
func (r *outRewriter) boundary(old string) string {
	if _, ok := r.names[old]; !ok {
		r.names[old] = "=_" + outSeed + "_" + strconv.Itoa(len(r.names)+1)
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

// rewrite goes through the body line by line.
func (r *outRewriter) rewrite(b []byte) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		out = append(out, r.line(line)...)
	}
	return out
}

// line rewrites a delimiter, a part and, in the header of a part, its
// boundary or unwanted id.
func (r *outRewriter) line(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("--")) {
		return r.delimiter(b)
	}
	line := strings.TrimRight(string(b), "\r\n")
	if !r.inHead {
		if mark := r.marks[line]; strings.HasPrefix(mark, outFilePart) {
			return []byte(mark) // brings its line ends
		} else if mark != "" {
			return []byte(mark + string(b[len(line):]))
		}
		return b
	}
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
