package rfc822

import "strings"

const (
	// maxText is how much of a mail's text is kept, in bytes. The corpora's
	// longest is 180 KB; a log pasted into a mail can have megabytes.
	maxText = 2 << 20
	// maxHTML is how much HTML is read, in bytes: pictures as data: URLs make
	// it larger than its text.
	maxHTML = 8 << 20
)

// block is one piece of readable text.
type block struct {
	text string
	html *entity // of which text is yet to be made
}

// texter makes the text of a tree.
type texter struct {
	raw   []byte
	note  func(string)
	plain int // bytes of plain text and of HTML that may still be read
	html  int
	pages map[*entity]string // HTML that was read
}

// text joins the plain parts by line ends, or takes the HTML where no plain
// part says anything. HTML that comes before all plain parts is taken too: it
// is the mail, and the plain part a footer that a list program added.
func (t *texter) text(root *entity) string {
	var texts []string
	plain := false // there was a plain part
	for _, b := range t.blocks(root) {
		if b.html != nil && !plain {
			texts = append(texts, htmlToText(t.page(b.html)))
		} else if !noText(b.text) {
			plain = true
			texts = append(texts, b.text)
		}
	}
	s := strings.Join(texts, "\n")
	if len(s) > maxText {
		t.note("The text is longer than 2 MiB; it was cut.")
		s = cut(s, maxText)
	}
	return s
}

// blocks gives the readable parts below e in their order.
func (t *texter) blocks(e *entity) []block {
	if len(e.kids) > 0 {
		return t.kids(e)
	}
	switch {
	case !e.isText():
		return nil
	case e.mediaType == "text/html":
		return []block{{html: e}}
	}
	return []block{{text: t.plainText(e)}}
}

// kids gives the blocks of all children, or of the best of alternatives: the
// first with plain text, else the last with HTML (RFC 2046 §5.1.4).
func (t *texter) kids(e *entity) []block {
	var all []block
	for _, k := range e.kids {
		b := t.blocks(k)
		if e.mediaType != "multipart/alternative" {
			all = append(all, b...)
			continue
		}
		if hasPlain(b) {
			return b
		}
		if hasHTML(b) {
			all = b
		}
	}
	return all
}

func hasPlain(blocks []block) bool {
	for _, b := range blocks {
		if b.html == nil && !noText(b.text) {
			return true
		}
	}
	return false
}

func hasHTML(blocks []block) bool {
	for _, b := range blocks {
		if b.html != nil {
			return true
		}
	}
	return false
}

func noText(s string) bool {
	return strings.TrimSpace(s) == ""
}

// isText reports whether a leaf is part of the mail's text rather than a file.
func (e *entity) isText() bool {
	return len(e.kids) == 0 && !e.attachment && e.filename == "" &&
		(e.mediaType == "text/plain" || e.mediaType == "text/html")
}

// plainText reads a text/plain part.
func (t *texter) plainText(e *entity) string {
	s := cleanText(t.decode(e, &t.plain))
	if strings.EqualFold(e.params["format"], "flowed") {
		s = nfc(unflow(s, strings.EqualFold(e.params["delsp"], "yes")))
	}
	return s
}

// page reads a text/html part, once.
func (t *texter) page(e *entity) string {
	if s, ok := t.pages[e]; ok {
		return s
	}
	s := cleanText(t.decode(e, &t.html))
	t.pages[e] = s
	return s
}

// decode reads a part's text, of which at most *room bytes.
func (t *texter) decode(e *entity, room *int) string {
	b := decodeBody(t.raw[e.start:e.end], e.encoding, *room+1)
	if len(b) > *room {
		t.note("The text is longer than 2 MiB; it was cut.")
		b = b[:*room]
	}
	*room -= len(b)
	charset := e.params["charset"]
	if charset == "" && e.mediaType == "text/html" {
		charset = metaCharset(b)
	}
	s, ok := decodeCharset(b, charset)
	if !ok {
		t.note("The charset " + quote(charset) + " is unknown; it was guessed.")
	}
	return s
}

// metaCharset finds what an HTML head says about its charset: it is believed
// where the part's header says nothing.
func metaCharset(b []byte) string {
	if !isASCII(b) && (mostlyUTF8(b)) {
		return ""
	}
	head := strings.ToLower(string(b[:min(len(b), 2048)]))
	i := strings.Index(head, "charset=")
	if i < 0 {
		return ""
	}
	v := strings.TrimLeft(head[i+len("charset="):], "\"' ")
	if n := strings.IndexAny(v, "\"'>; /"); n >= 0 {
		v = v[:n]
	}
	if strings.HasPrefix(charsetName(v), "utf-") {
		return "" // it was read as ASCII so far, so it is none of these
	}
	return v
}

// quote makes a word of the mail fit for a problem's sentence.
func quote(s string) string {
	return "\"" + cut(cleanLine(s), 40) + "\""
}

// unflow joins the lines of format=flowed text (RFC 3676 §4). delSp: the blank
// at a line's end is of the flow, not of the text.
func unflow(s string, delSp bool) string {
	var out strings.Builder
	out.Grow(len(s))
	flowing, depth := false, 0
	for line := range strings.SplitSeq(s, "\n") {
		quoted := 0
		for quoted < len(line) && line[quoted] == '>' {
			quoted++
		}
		marks, line := line[:quoted], strings.TrimPrefix(line[quoted:], " ") // space-stuffing
		sig := line == "-- " || line == "--"
		if flowing && (quoted != depth || sig) {
			flowing = false
			out.WriteByte('\n')
		}
		if !flowing && quoted > 0 {
			out.WriteString(marks)
			out.WriteByte(' ')
		}
		depth = quoted
		flowing = strings.HasSuffix(line, " ") && !sig
		if flowing && delSp {
			line = line[:len(line)-1]
		}
		out.WriteString(line)
		if !flowing {
			out.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
