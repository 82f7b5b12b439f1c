package rfc822

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	// maxTNEFFiles is how many files are listed of all winmail.dat of a mail:
	// each is read out of the whole again when it is opened.
	maxTNEFFiles = 100
	// maxTNEFMails is how many of them may be mails, whose text is made anew.
	maxTNEFMails = 20
	// maxTNEFMailRTF is how much RTF is unpacked for each.
	maxTNEFMailRTF = 1 << 20
)

// winmail lists what a winmail.dat holds behind it, and takes the mail's text
// from it where there is no other. body is its encoded content.
func (p *parser) winmail(outer Part, body []byte) {
	if !isWinmail(outer) {
		return
	}
	raw := decodeBody(body, outer.Encoding, len(body))
	if !isTNEF(raw) {
		p.note("The winmail.dat can't be read.")
		return
	}
	t := readTNEF(raw, 0, len(raw))
	if t.broken {
		p.note("The winmail.dat is damaged; what could be read of it is listed.")
	}
	if noText(p.m.Text) {
		p.m.Text = cut(t.bodyText(maxRTF), maxText)
	}
	p.tnefFiles(outer, t, outer.Path, 0)
}

func isWinmail(p Part) bool {
	switch p.ContentType {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return true
	case "application/octet-stream":
		name := strings.ToLower(p.Filename)
		return strings.HasPrefix(name, "winmail") || name == "win.dat"
	}
	return false
}

// tnefFiles lists the files of t, which lies in the winmail.dat outer.
func (p *parser) tnefFiles(outer Part, t *tnef, path string, depth int) {
	for i, f := range t.files {
		if p.inner == maxTNEFFiles || len(p.m.Parts) == maxParts {
			p.note("The winmail.dat holds more files than are listed; the rest was left out.")
			return
		}
		part := Part{Path: path + "." + strconv.Itoa(i+1), Filename: cleanFilename(f.name), ContentID: strings.Trim(cleanLine(f.contentID), "<> "),
			Inline: f.hidden, Offset: outer.Offset, Length: outer.Length, Size: int64(f.end - f.start), In: "winmail.dat"}
		if part.Filename == "" {
			part.Filename = cmp.Or(cleanFilename(f.title), "unknown.dat") // it must be called something
		}
		part.Encoding = innerEncoding("tnef", f, outer.Encoding)
		part.ContentType = fileType(f.contentType, part.Filename)
		if !f.embedded || depth == maxTNEFDepth {
			p.addInner(part)
			continue
		}
		mail := readTNEF(t.raw, f.start, f.end)
		if part.ContentType = "application/ms-tnef"; p.mails < maxTNEFMails && f.end-f.start <= maxTNEFMail {
			p.mails++
			part.ContentType, part.Encoding = "message/rfc822", innerEncoding("tnef-mail", f, outer.Encoding)
			part.Filename = mailName(mail, part.Filename)
			part.Size = int64(len(mail.mail()))
		}
		p.addInner(part)
		p.tnefFiles(outer, mail, part.Path, depth+1)
	}
}

func (p *parser) addInner(part Part) {
	p.inner++
	p.m.Parts = append(p.m.Parts, part)
}

// mailName names a mail by its subject, as mail programs do.
func mailName(t *tnef, name string) string {
	subject := strings.NewReplacer("/", "-", "\\", "-", ": ", " ", ":", " ").Replace(t.prop(mapiSubject))
	if s := cleanFilename(cut(subject, 100)); s != "" {
		name = s
	}
	return cleanFilename(strings.TrimSuffix(name, ".msg") + ".eml")
}

// fileTypes are the media types of files whose property names none.
var fileTypes = map[string]string{"pdf": "application/pdf", "txt": "text/plain", "log": "text/plain", "csv": "text/csv", "htm": "text/html", "html": "text/html",
	"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "zip": "application/zip", "rtf": "application/rtf",
	"doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint", "ics": "text/calendar", "eml": "message/rfc822"}

func fileType(declared, name string) string {
	if declared != "" {
		return mediaType(declared, "application/octet-stream")
	}
	if t := fileTypes[strings.TrimPrefix(path.Ext(strings.ToLower(name)), ".")]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// innerEncoding says where in the decoded winmail.dat a file stands; see Inner.
func innerEncoding(kind string, f tnefFile, outer string) string {
	return fmt.Sprintf("%s:%d:%d:%s", kind, f.start, f.end-f.start, outer)
}

// innerReader reads size bytes behind skip ones, or the mail that they hold.
type innerReader struct {
	r          io.Reader
	skip, size int64
	mail       bool
	ready      bool
}

func (r *innerReader) Read(p []byte) (int, error) {
	if !r.ready {
		r.ready = true
		if c, ok := r.r.(*countedReader); ok {
			r.skip -= c.n
		}
		if _, err := io.CopyN(io.Discard, r.r, r.skip); err != nil {
			return 0, err
		}
		r.r = io.LimitReader(r.r, r.size)
		if r.mail {
			b, err := io.ReadAll(io.LimitReader(r.r, maxTNEFMail))
			if err != nil {
				return 0, err
			}
			r.r = bytes.NewReader(readTNEF(b, 0, len(b)).mail())
		}
	}
	return r.r.Read(p)
}

// The properties of mails that are read.
const (
	mapiSubject     = 0x0037
	mapiSubmitted   = 0x0039
	mapiSentByName  = 0x0042
	mapiSentByEmail = 0x0065
	mapiSentBySMTP  = 0x5d02
	mapiDisplayCc   = 0x0e03
	mapiDisplayTo   = 0x0e04
	mapiBody        = 0x1000
	mapiRTF         = 0x1009
	mapiHTML        = 0x1013
	mapiMessageID   = 0x1035
	mapiCodepage    = 0x3fde
)

func (t *tnef) prop(id uint16) string { return t.text(t.props[id]) }

// bodyText is the text of the mail: as plain text, of its HTML, or of its RTF, of
// which at most rtf bytes are unpacked.
func (t *tnef) bodyText(rtf int) string {
	if s := cleanText(t.prop(mapiBody)); !noText(s) {
		return s
	}
	if s := cleanText(t.text8(t.body)); !noText(s) {
		return s
	}
	if v, ok := t.props[mapiHTML]; ok {
		return htmlToText(cleanText(t.html(v)))
	}
	v, ok := t.props[mapiRTF]
	if !ok {
		return ""
	}
	s, html := rtfText(unpackRTF(t.raw[v.start:v.end], rtf), t.codepage)
	if s = cleanText(s); html {
		return htmlToText(s)
	}
	return strings.Trim(s, "\n ")
}

// html reads the HTML property, whose bytes are in a codepage of their own.
func (t *tnef) html(v mapiValue) string {
	if v.kind == mapiUnicode {
		return t.text(v)
	}
	b := trimNUL(t.raw[v.start:v.end])
	charset := metaCharset(b)
	if c := t.props[mapiCodepage]; charset == "" && c.end-c.start == 4 {
		charset = codepageName(int(binary.LittleEndian.Uint32(t.raw[c.start:])))
	}
	s, _ := decodeCharset(b, charset)
	return s
}

// mail writes t as a mail of its own, of header and text, so that who gets it
// can open it. Its files are listed apart.
func (t *tnef) mail() []byte {
	var out bytes.Buffer
	field := func(name, value string) {
		if value = cleanLine(value); value != "" {
			fmt.Fprintf(&out, "%s: %s\r\n", name, cut(value, 900)) // RFC 6532: in UTF-8
		}
	}
	address := cleanLine(cmp.Or(t.prop(mapiSentBySMTP), t.prop(mapiSentByEmail)))
	if strings.Contains(address, "@") && !strings.ContainsAny(address, " <>\"(),:;") {
		field("From", strings.TrimSpace("\""+quotable(t.prop(mapiSentByName))+"\" <"+address+">"))
	} else {
		field("X-From", t.prop(mapiSentByName)) // a name without address
	}
	field("X-To", t.prop(mapiDisplayTo))
	field("X-Cc", t.prop(mapiDisplayCc))
	field("Subject", t.prop(mapiSubject))
	if at := t.submitted(); !at.IsZero() {
		field("Date", at.Format(time.RFC1123Z))
	}
	field("Message-ID", ownID(t.prop(mapiMessageID)))
	out.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	out.WriteString(strings.ReplaceAll(cut(t.bodyText(maxTNEFMailRTF), maxTNEFMailRTF), "\n", "\r\n"))
	return out.Bytes()
}

func quotable(s string) string {
	return strings.NewReplacer("\"", "'", "\\", "/").Replace(cleanLine(s))
}

// submitted is when the mail was sent: 100 ns since 1601.
func (t *tnef) submitted() time.Time {
	v := t.props[mapiSubmitted]
	if v.end-v.start != 8 {
		return time.Time{}
	}
	n := int64(binary.LittleEndian.Uint64(t.raw[v.start:]))
	const epoch = 11644473600 // 1601 to 1970, in seconds
	if n/1e7-epoch < 0 || n/1e7-epoch > 253402300799 {
		return time.Time{}
	}
	return time.Unix(n/1e7-epoch, 0).UTC()
}
