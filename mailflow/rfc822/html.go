package rfc822

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTMLText is the most text, in bytes, that one HTML body becomes.
const maxHTMLText = 2 << 20

// maxListDepth is how many nested lists keep a number of their own.
const maxListDepth = 32

// htmlToText gives the visible words of an HTML body, its blocks as lines and
// its quotes with "> " before each line. It reads tokens and never builds a
// tree: a mail with a million nested elements costs its length, no more.
func htmlToText(body string) string {
	text, open := convertHTML(body, true)
	if open {
		// A hidden element that is never closed would hide all that follows.
		// More text is better than less.
		text, _ = convertHTML(body, false)
	}
	return text
}

// convertHTML converts body once. With hide set, elements that CSS hides are
// left out, and open tells whether the last of them was never closed.
func convertHTML(body string, hide bool) (text string, open bool) {
	c := htmlReader{hide: hide, tags: htmlTags{}}
	c.out.b.Grow(min(len(body)/4, maxHTMLText)) // about what is text
	z := html.NewTokenizer(strings.NewReader(body))
	for !c.out.full {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		c.token(z, kind)
	}
	return c.out.finish(), c.hidden != ""
}

// htmlReader turns tokens into lines.
type htmlReader struct {
	out  htmlLines
	tags htmlTags
	hide bool

	raw    string // the element whose raw text is skipped, such as "style"
	hidden string // the element that is hidden, or ""
	depth  int    // open elements of that name inside it
	quotes []bool // open blockquotes: does it quote a mail?
	lists  []int  // open lists: next number, or 0 for bullets
	pre    int
	link   htmlLink
}

// htmlLink is the link that is open.
type htmlLink struct {
	url  string
	mark int // length of the output where it began
	img  bool
}

func (c *htmlReader) token(z *html.Tokenizer, kind html.TokenType) {
	switch kind {
	case html.TextToken:
		if c.raw == "" && c.hidden == "" {
			c.out.text(string(z.Text()), c.pre > 0)
		}
	case html.StartTagToken, html.SelfClosingTagToken:
		t := c.tags.read(z)
		if t.name == "noscript" || t.name == "noframes" {
			// No reader runs scripts in a mail: what stands for them is seen.
			z.NextIsNotRawText()
		}
		c.start(t, kind == html.SelfClosingTagToken)
	case html.EndTagToken:
		c.end(c.tags.read(z).name)
	}
}

// htmlTag is a tag as far as it matters here.
type htmlTag struct {
	name string
	htmlAttributes
	hides bool // see invisible
}

// htmlTags keeps the tags that were read by their bytes: a mail repeats a few
// over and over, and a tag is dear to read.
type htmlTags map[string]*htmlTag

// Of longer tags, and of more of them, each is read anew.
const (
	maxHTMLTags = 200
	maxHTMLTag  = 500 // bytes
)

// read reads the tag that z stands at.
func (known htmlTags) read(z *html.Tokenizer) *htmlTag {
	raw := z.Raw()
	if t := known[string(raw)]; t != nil {
		return t
	}
	key := ""
	if len(known) < maxHTMLTags && len(raw) <= maxHTMLTag {
		key = string(raw) // before it is read: that changes the bytes
	}
	name, more := z.TagName()
	t := &htmlTag{name: string(name), htmlAttributes: readAttributes(z, more)}
	t.hides = t.invisible()
	if key != "" {
		known[key] = t
	}
	return t
}

// htmlAttributes are the few attributes that matter here.
type htmlAttributes struct {
	class, style, href, alt, kind string
	hidden                        bool
}

func readAttributes(z *html.Tokenizer, more bool) htmlAttributes {
	var a htmlAttributes
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "class":
			a.class = strings.ToLower(string(value))
		case "style":
			a.style = strings.ToLower(strings.Join(strings.Fields(string(value)), ""))
		case "href":
			a.href = strings.TrimSpace(string(value))
		case "alt":
			a.alt = string(value)
		case "type":
			a.kind = strings.ToLower(string(value))
		case "hidden":
			a.hidden = true
		}
	}
	return a
}

// invisible tells whether a reader does not see the element: the preheaders
// of newsletters, the other half of "responsive" mails, and words meant for
// machines alone.
func (a htmlAttributes) invisible() bool {
	return a.hidden ||
		strings.Contains(a.style, "display:none") ||
		strings.Contains(a.style, "visibility:hidden") ||
		strings.Contains(a.style, "mso-hide:all") ||
		strings.Contains(a.style+";", "opacity:0;") ||
		strings.Contains(a.style, "max-height:0") && strings.Contains(a.style, "overflow:hidden")
}

// quotesMail tells whether a blockquote quotes a mail. Gmail and Outlook also
// write <blockquote> for a mere indent, without a border.
func (a htmlAttributes) quotesMail() bool {
	if a.kind == "cite" || strings.Contains(a.class, "quote") {
		return true
	}
	return !strings.Contains(a.style, "border:none") && !strings.Contains(a.style, "border-width:initial")
}

// htmlSkipped are elements whose text no reader sees.
var htmlSkipped = map[string]bool{
	"script": true, "style": true, "title": true, "iframe": true,
	"noembed": true, "template": true, "xml": true, "object": true, "svg": true,
}

// htmlBlocks are elements on lines of their own: 1 begins a line, 2 leaves an
// empty line before and after.
var htmlBlocks = map[string]int{
	"address": 1, "article": 1, "aside": 1, "body": 1, "caption": 1, "center": 1, "dd": 1,
	"dir": 1, "div": 1, "dl": 1, "dt": 1, "fieldset": 1, "footer": 1, "form": 1, "header": 1,
	"legend": 1, "li": 1, "main": 1, "menu": 1, "nav": 1, "ol": 1, "option": 1, "section": 1,
	"table": 1, "tbody": 1, "textarea": 1, "tfoot": 1, "thead": 1, "tr": 1, "ul": 1, "xmp": 1,
	"blockquote": 1, "hr": 1, "h1": 2, "h2": 2, "h3": 2, "h4": 2, "h5": 2, "h6": 2, "p": 2, "pre": 2,
}

func htmlVoid(tag string) bool {
	switch atom.Lookup([]byte(tag)) {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img,
		atom.Input, atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}

func (c *htmlReader) start(t *htmlTag, closed bool) {
	tag := t.name
	if c.raw != "" {
		return
	}
	if c.hidden != "" && !c.startHidden(tag, closed) {
		return
	}
	if htmlSkipped[tag] {
		if !closed {
			c.raw = tag
		}
		return
	}
	if c.hide && t.hides && !htmlVoid(tag) && tag != "body" && tag != "html" {
		c.hidden, c.depth = tag, 1
		return
	}
	c.block(t)
	switch tag {
	case "br":
		c.out.newline()
	case "hr":
		// Outlook's own text shows its rule so; see ReplyText.
		c.out.text(outlookRule, false)
		c.out.brk(1)
	case "td", "th":
		c.out.space()
	case "ul", "ol", "menu", "dir":
		c.openList(tag)
	case "li":
		c.item()
	case "blockquote":
		c.openQuote(t.quotesMail())
	case "pre", "xmp", "textarea":
		c.pre++
	case "img":
		c.image(t.alt)
	case "a":
		c.link = htmlLink{url: t.href, mark: c.out.b.Len()}
	}
}

// startHidden follows elements inside a hidden one, and tells whether tag ends
// what is hidden: a paragraph ends where the next block begins.
func (c *htmlReader) startHidden(tag string, closed bool) bool {
	if c.hidden == "p" && htmlBlocks[tag] > 0 {
		c.hidden = ""
		return true
	}
	if tag == c.hidden && !closed {
		c.depth++
	}
	return false
}

func (c *htmlReader) block(t *htmlTag) {
	n := htmlBlocks[t.name]
	if t.name == "p" && (strings.Contains(t.class, "mso") || strings.Contains(t.style, "margin:0")) {
		n = 1 // Outlook's paragraphs are lines
	}
	c.out.brk(n)
}

func (c *htmlReader) end(tag string) {
	if c.raw != "" {
		if tag == c.raw {
			c.raw = ""
		}
		return
	}
	if c.hidden != "" {
		if tag == c.hidden {
			if c.depth--; c.depth <= 0 {
				c.hidden = ""
			}
		}
		return
	}
	switch tag {
	case "blockquote":
		c.closeQuote()
	case "ul", "ol", "menu", "dir":
		if n := len(c.lists); n > 0 {
			c.lists = c.lists[:n-1]
		}
	case "pre", "xmp", "textarea":
		c.pre = max(0, c.pre-1)
	case "td", "th":
		c.out.space()
	case "a":
		c.closeLink()
	}
	if tag == "p" {
		c.out.brk(1) // the next paragraph says whether an empty line is due
	} else {
		c.out.brk(htmlBlocks[tag])
	}
}

func (c *htmlReader) openList(tag string) {
	first := 0
	if tag == "ol" {
		first = 1
	}
	if len(c.lists) < maxListDepth {
		c.lists = append(c.lists, first)
	}
}

func (c *htmlReader) item() {
	n := len(c.lists)
	if n == 0 || c.lists[n-1] == 0 {
		c.out.text("- ", false)
		return
	}
	c.out.text(itoa(c.lists[n-1])+". ", false)
	c.lists[n-1]++
}

func (c *htmlReader) openQuote(mail bool) {
	c.quotes = append(c.quotes, mail)
	if mail {
		c.out.level++
	}
}

func (c *htmlReader) closeQuote() {
	n := len(c.quotes)
	if n == 0 {
		return
	}
	if c.quotes[n-1] {
		c.out.level--
	}
	c.quotes = c.quotes[:n-1]
}

// image keeps pictures of a character: an emoji is a word of its writer.
func (c *htmlReader) image(alt string) {
	c.link.img = true
	if r := []rune(alt); len(alt) < 32 && len(r) <= 4 && len(r) > 0 && r[0] >= 0x2000 {
		c.out.text(alt, false)
	}
}

// closeLink shows where a link without words leads to. Others are not shown:
// their words are what the writer said.
func (c *htmlReader) closeLink() {
	l := c.link
	c.link = htmlLink{}
	web := strings.HasPrefix(l.url, "http://") || strings.HasPrefix(l.url, "https://")
	if web && !l.img && l.mark == c.out.b.Len() && len(l.url) < 2000 {
		c.out.text("<"+l.url+">", false)
	}
}
