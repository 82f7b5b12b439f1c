package rfc822

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const (
	outFold = 76  // RFC 2047 §2 where words are encoded; RFC 5322 §2.1.1 allows 78
	outMax  = 998 // and must not be longer
)

// Write makes the header block with the body's fields, ending with the blank
// line: the mail is the block and b.Bytes. The order is fixed, so that the
// same values always give the same bytes.
func (o *Outgoing) Write(b *Body) ([]byte, error) {
	if o.Date.IsZero() {
		return nil, fmt.Errorf("write header: no date")
	}
	w := &outHeader{buf: make([]byte, 0, 1024), names: make([]string, 0, 24)}
	w.raw("Date", o.Date.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	w.addresses("From", []Address{o.From})
	if o.ReplyTo != (Address{}) {
		w.addresses("Reply-To", []Address{o.ReplyTo})
	}
	w.addresses("To", o.To)
	w.addresses("Cc", o.Cc)
	w.text("Subject", o.Subject)
	w.messageID(o.MessageID)
	w.ids("In-Reply-To", []string{o.InReplyTo})
	w.ids("References", outTrimReferences(o.References))
	for _, f := range o.Extra {
		w.extra(f)
	}
	w.raw("MIME-Version", "1.0")
	for _, f := range b.Fields {
		w.tokens(f.Name, strings.Split(f.Value, " "))
	}
	if w.err != nil {
		return nil, fmt.Errorf("write header: %w", w.err)
	}
	return append(w.buf, "\r\n"...), nil
}

// outHeader writes fields. The first error stays; after it nothing counts.
type outHeader struct {
	buf   []byte
	names []string // written so far
	err   error
}

func (w *outHeader) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// line writes a whole field and is the only place that does: whatever went
// wrong before, no line of a header holds a control or a byte that is not
// ASCII, is over 998, or begins a field that was not meant.
func (w *outHeader) line(name string, words ...string) {
	begin := len(w.buf)
	w.buf = append(append(w.buf, name...), ": "...)
	used := len(name) + 2
	for i, word := range words {
		switch {
		case i == 0:
		case used+1+len(word) > outFold:
			w.buf = append(w.buf, "\r\n "...)
			used = 1
		default:
			w.buf = append(w.buf, ' ')
			used++
		}
		w.buf = append(w.buf, word...)
		used += len(word)
	}
	w.check(name, w.buf[begin:])
	for _, n := range w.names {
		if sameName(n, name) {
			w.fail("%s: given twice", name)
		}
	}
	w.names = append(w.names, name)
	w.buf = append(w.buf, "\r\n"...)
}

// check looks at the lines of a field.
func (w *outHeader) check(name string, field []byte) {
	for first := true; ; first = false {
		l, rest, more := bytes.Cut(field, []byte("\r\n"))
		switch {
		case len(l) > outMax:
			w.fail("%s: a line of %d characters", name, len(l))
		case !outIsASCII(l):
			w.fail("%s: a control or a character that is not ASCII", name)
		case !first && len(bytes.TrimLeft(l, " ")) == 0, !first && l[0] != ' ':
			w.fail("%s: a line that continues nothing", name)
		}
		if !more {
			return
		}
		field = rest
	}
}

// raw writes a value that needs no folding.
func (w *outHeader) raw(name, value string) { w.line(name, value) }

// tokens writes words that stay whole, folded between them.
func (w *outHeader) tokens(name string, words []string) { w.line(name, words...) }

// text writes words of people: cleaned, and encoded where they must be.
func (w *outHeader) text(name, value string) {
	w.tokens(name, outEncode(outClean(value), len(name)+2))
}

func (w *outHeader) addresses(name string, list []Address) {
	if len(list) == 0 {
		return
	}
	var words []string
	for i, a := range list {
		wire, err := WireAddress(a.Address)
		if err != nil {
			w.fail("%s: %w", name, err)
			return
		}
		mailbox := append(outPhrase(a.Name, len(name)+2), "<"+wire+">")
		if len(mailbox) == 1 {
			mailbox[0] = wire
		}
		if i < len(list)-1 {
			mailbox[len(mailbox)-1] += ","
		}
		words = append(words, mailbox...)
	}
	w.tokens(name, words)
}

// messageID writes our own id, which must be right.
func (w *outHeader) messageID(id string) {
	left, right, found := strings.Cut(strings.Trim(id, "<>"), "@")
	if !outIsMessageID(id) || !found || left == "" || right == "" {
		w.fail("Message-ID: %q is none", id)
		return
	}
	w.raw("Message-ID", id)
}

// ids writes ids of other people's mails, those of them that can be written.
func (w *outHeader) ids(name string, ids []string) {
	good := make([]string, 0, len(ids))
	for _, id := range ids {
		if outIsMessageID(id) {
			good = append(good, id)
		}
	}
	if len(good) > 0 {
		w.tokens(name, good)
	}
}

// outOwn are the fields that no extra one may be: Write gives them itself,
// or, as Bcc, they must never be written.
var outOwn = map[string]bool{
	"date": true, "from": true, "sender": true, "reply-to": true, "to": true,
	"cc": true, "bcc": true, "subject": true, "message-id": true,
	"in-reply-to": true, "references": true, "mime-version": true,
	"received": true, "return-path": true,
}

func outIsOwn(lowName []byte) bool {
	return outOwn[string(lowName)] || bytes.HasPrefix(lowName, []byte("content-")) || bytes.HasPrefix(lowName, []byte("resent-"))
}

func (w *outHeader) extra(f Field) {
	var low [60]byte
	if !outIsFieldName(f.Name) || outIsOwn(appendLower(low[:0], f.Name)) {
		w.fail("%q can't be an extra field", f.Name)
		return
	}
	if strings.ContainsAny(f.Value, "\r\n\x00") {
		w.fail("%s: a line break or NUL in the value", f.Name)
		return
	}
	v := outClean(f.Value)
	if outIsASCII(v) && !strings.Contains(v, "=?") && len(f.Name)+2+len(v) <= outMax {
		w.raw(f.Name, v) // X-Guichet-… are compared and filtered as one line
		return
	}
	w.text(f.Name, v)
}

// outIsFieldName is stricter than RFC 5322 §3.6.8: letters, digits, hyphens.
func outIsFieldName(s string) bool {
	for _, r := range s {
		ok := r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !ok {
			return false
		}
	}
	return s != "" && len(s) <= 60
}

// outIsMessageID accepts what threads in the wild, even without an "@"; it
// must stand in a line of its own, as ids are never cut (RFC 5322 §3.6.4).
func outIsMessageID(id string) bool {
	n := len(id)
	return n > 2 && n <= 900 && id[0] == '<' && id[n-1] == '>' && outIsID(id[1:n-1])
}

// outIsID says whether s can stand between angle brackets.
func outIsID(s string) bool {
	return s != "" && len(s) < 900 && outIsASCII(s) && !strings.ContainsAny(s, "<> ")
}

// outTrimReferences keeps the first id, which names the thread, and the
// newest 19: mails over that lose their thread in no client we know, while
// long fields are refused by some relays (RFC 5322 §3.6.4 sets no limit).
func outTrimReferences(ids []string) []string {
	const most = 20
	list := make([]string, 0, len(ids))
	var seen map[string]bool
	for _, id := range ids {
		if !outIsMessageID(id) || len(ids) <= most && slices.Contains(list, id) || seen[id] {
			continue
		}
		if len(ids) > most { // and perhaps thousands
			if seen == nil {
				seen = make(map[string]bool, len(ids))
			}
			seen[id] = true
		}
		list = append(list, id)
	}
	if len(list) > most {
		list = append(list[:1:1], list[len(list)-most+1:]...)
	}
	return list
}
