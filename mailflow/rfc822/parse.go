package rfc822

import (
	"bytes"
	"io"
	"strings"
)

// maxProblems is how many problems of a mail are listed, each once.
const maxProblems = 20

// maxReplyLines is the longest text in which quotes are looked for, in lines.
// A longer one is kept whole: it is a log or a bomb (2 MiB of empty lines took
// 5 s), and cutting nothing loses nothing.
const maxReplyLines = 50_000

// Parse reads a mail. It never fails: whatever raw holds, a Mail is made of it,
// and Problems says what was wrong with it. Its work is linear in len(raw), and
// its memory bounded whatever raw is: see the max… constants.
func Parse(raw []byte) *Mail { return parse(raw, 0, false) }

// ParseCut is Parse of the beginning of a longer mail. The file in which it
// ends is not among its parts, and a text in which it ends has CutMark behind
// it.
func ParseCut(raw []byte) *Mail {
	if i := bytes.LastIndexByte(raw, '\n'); i >= len(raw)-maxLine {
		raw = raw[:i+1] // what stands behind it may be half a boundary
	}
	return parse(raw, 0, true)
}

// maxLine is the longest line that mails may have (RFC 5322 §2.1.1).
const maxLine = 1000

// CutMark stands where a text goes on in what we do not have.
const CutMark = "[…]"

// parse reads a mail that lies within depth others; cut says that its end is
// missing.
func parse(raw []byte, depth int, cut bool) *Mail {
	m := &Mail{}
	p := parser{m: m, depth: depth, cut: cut, whole: -1, w: walker{raw: raw, l: lines{b: raw, lf: -1}, dashes: [2]int{-1, -1}}, seen: map[string]bool{}}
	p.w.note = p.note
	skipLead(&p.w.l, p.note)
	fields, _ := readHeader(&p.w.l, p.w.delimiter, p.note)
	root := p.root(fields)
	p.w.entity(root, 0)
	m.Header = fieldsOf(fields, p.w.charset)
	p.header()
	p.text(root)
	if m.Reply = m.Text; strings.Count(m.Text, "\n") <= maxReplyLines {
		m.Reply = withoutClosing(ReplyText(m.Text))
	}
	m.Report = readReport(m, raw)
	p.leaveOut()
	return m
}

// parser assembles a Mail.
type parser struct {
	m     *Mail
	w     walker
	seen  map[string]bool // problems
	inner int             // files inside others
	mails int             // of them those that are mails
	depth int             // signed mails around this one
	cut   bool            // the end of the mail is missing
	torn  *entity         // the leaf in which it ends then, or nil
	whole int             // how many parts stand before torn; -1 where that is text
	ended bool            // the text is cut
}

// leaveOut takes the file in which the mail ends out of the parts, once all
// else of it was looked at, and marks a text that is cut.
func (p *parser) leaveOut() {
	m := p.m
	if p.whole >= 0 {
		m.sealed = m.Encrypted()
		m.Parts = m.Parts[:p.whole]
		p.note("The mail is cut, and the file in which it ends is left out.")
	}
	if p.ended {
		if strings.HasSuffix(strings.TrimSpace(m.Text), strings.TrimSpace(m.Reply)) {
			m.Reply = strings.TrimLeft(strings.TrimRight(m.Reply, " \n")+"\n"+CutMark, "\n")
		}
		m.Text = strings.TrimRight(m.Text, " \n") + "\n" + CutMark
		p.note("The mail is cut within its text.")
	}
}

// note adds a problem once.
func (p *parser) note(problem string) {
	if !p.seen[problem] && len(p.m.Problems) < maxProblems {
		p.seen[problem] = true
		p.m.Problems = append(p.m.Problems, problem)
	}
}

// root reads what the top header says about the body. The first charset that
// is declared, here or by a part, is tried on header bytes that are not ASCII:
// who sends those, sends all in one charset.
func (p *parser) root(fields []rawField) *entity {
	root := &entity{}
	p.w.read(root, fields, "text/plain")
	return root
}

// header fills in what the top header says.
func (p *parser) header() {
	m, h := p.m, p.m.Header
	if len(h) == 0 {
		p.note("The mail has no header.")
	}
	m.Subject = cleanLine(decodeWords(h.Get("Subject")))
	m.From = p.addresses("From")
	m.Sender = p.addresses("Sender")
	m.ReplyTo = p.addresses("Reply-To")
	m.To = p.addresses("To")
	m.Cc = p.addresses("Cc")
	if date := h.Get("Date"); date != "" {
		if m.Date = parseDate(date); m.Date.IsZero() {
			p.note("The date " + quote(date) + " can't be read.")
		}
	}
	m.MessageID = ownID(h.Get("Message-ID"))
	m.InReplyTo = p.ids("In-Reply-To")
	m.References = p.ids("References")
	if len(m.From) != 1 || len(h.Values("From")) != 1 {
		p.note("The mail does not have exactly one author.")
	}
}

// addresses reads all fields called name: of two From both count, or whoever
// looks at one would be shown another than he who looks at the other.
func (p *parser) addresses(name string) []Address {
	var list []Address
	for _, v := range p.m.Header.Values(name) {
		more, over := parseAddresses(v)
		list = append(list, more...)
		if over || len(list) > maxAddresses {
			p.note(name + " has more than 500 addresses; the rest was left out.")
			return withAddress(list[:min(len(list), maxAddresses)])
		}
	}
	return withAddress(list)
}

// withAddress leaves out entries without an address, if others have one.
func withAddress(list []Address) []Address {
	var some []Address
	for _, a := range list {
		if a.Address != "" {
			some = append(some, a)
		}
	}
	if len(some) == 0 {
		return list
	}
	return some
}

func (p *parser) ids(name string) []string {
	list, over := parseIDs(strings.Join(p.m.Header.Values(name), " "))
	if over {
		p.note(name + " has more than 200 ids; the first and the newest were kept.")
	}
	return list
}

// text fills in the text and the parts that are not.
func (p *parser) text(root *entity) {
	t := texter{raw: p.w.raw, note: p.note, plain: maxText, html: maxHTML, pages: map[*entity]string{}}
	p.m.Text = t.text(root)
	var pages []*entity
	p.collect(root, &pages)
	if e := p.torn; e != nil && e.isText() && !noText(string(p.w.raw[e.start:e.end])) {
		_, read := t.pages[e]
		p.ended = read || e.mediaType != "text/html"
	}
	p.cids(&t, pages)
}

// collect lists the leaves that are not text, and the HTML among those that are.
func (p *parser) collect(e *entity, pages *[]*entity) {
	for _, k := range e.kids {
		p.collect(k, pages)
	}
	if len(e.kids) > 0 {
		return
	}
	if p.cut && e.end == len(p.w.raw) {
		p.torn = e
	}
	if e.isText() {
		if e.mediaType == "text/html" {
			*pages = append(*pages, e)
		}
		return
	}
	part := Part{
		Path: e.path, Filename: e.filename, ContentType: e.mediaType, Charset: cleanLine(e.params["charset"]),
		ContentID: e.contentID, Inline: e.inline, Encoding: e.encoding,
		Offset: int64(e.start), Length: int64(e.end - e.start),
	}
	if p.torn == e {
		p.whole = len(p.m.Parts)
	}
	part.Size, _ = io.Copy(io.Discard, part.Open(p.w.raw))
	p.m.Parts = append(p.m.Parts, part)
	p.winmail(part, p.w.raw[e.start:e.end])
	p.signed(part, p.w.raw[e.start:e.end])
}

// cids marks the parts inline that the HTML shows by cid: (RFC 2392).
func (p *parser) cids(t *texter, pages []*entity) {
	byID := map[string][]int{}
	for i, part := range p.m.Parts {
		if part.ContentID != "" && !part.Inline {
			byID[part.ContentID] = append(byID[part.ContentID], i)
		}
	}
	if len(byID) == 0 {
		return
	}
	for _, e := range pages {
		for rest := t.page(e); ; {
			i := strings.Index(rest, "cid:")
			if i < 0 {
				break
			}
			rest = rest[i+len("cid:"):]
			n := strings.IndexAny(rest[:min(len(rest), maxID)], "\"'<> )")
			if n < 0 {
				continue
			}
			for _, at := range byID[string(percentDecode(rest[:n]))] {
				p.m.Parts[at].Inline = true
			}
		}
	}
}
