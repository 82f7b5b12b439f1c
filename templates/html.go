package templates

import (
	"bytes"
	"html"
	"strings"
	"unicode"
)

// The HTML of mails is written for the programs that read it. Tables of 600
// pixels and styles at the elements, for Outlook and Gmail know no others;
// the style element holds only what may be lost (dark mode, phones). No
// picture and nothing remote.
const (
	fontStack = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
	inkColour = "#22201c"
	paleInk   = "#665f54"
	edge      = "#d9d2c3"
	ground    = "#f3efe6"
	textStyle = "margin:0 0 16px;font-family:" + fontStack + ";font-size:16px;line-height:24px;color:" + inkColour + ";"
	paleStyle = "margin:0 0 16px;font-family:" + fontStack + ";font-size:14px;line-height:21px;color:" + paleInk + ";"
	// darkStyle serves programs that turn the page dark and read style
	// elements (Apple Mail, Outlook on phones); Gmail turns colours itself.
	darkStyle = `@media (prefers-color-scheme:dark){` +
		`.ground{background:#191815!important}.card{background:#24221e!important;border-color:#454036!important}` +
		`.ink{color:#f0ece2!important}.pale{color:#b5ad9e!important}.lk{color:#93c8ef!important}` +
		`.said,.old,.stub,.cut{border-color:#5d5648!important}.stub{background:#2f2c26!important}}` +
		`@media (max-width:620px){.pad{padding:20px 18px!important}.wide{width:100%!important}}`
)

const (
	headStart = "<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"supported-color-schemes\" content=\"light dark\">\n" +
		// Phones make links of what looks like a number or a date.
		"<meta name=\"format-detection\" content=\"telephone=no,date=no,address=no\">\n"
	headEnd = "<style>" + darkStyle + "</style>\n</head>\n" +
		"<body class=\"ground\" style=\"margin:0;padding:0;background:" + ground + ";\">\n"
	leadStyle = textStyle + "font-size:19px;line-height:27px;font-weight:600;"
	cellStyle = "font-family:" + fontStack + ";font-size:15px;line-height:22px;vertical-align:top;"
)

// htmlWriter writes one mail's HTML.
type htmlWriter struct {
	b      []byte
	accent string
	number string // of the ticket, and of another that it names
	other  string
	open   blockKind // a list or a table of facts that is not yet closed
	begun  bool      // the first block, which says what happened, is written
}

func (w *htmlWriter) put(parts ...string) {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
}

// renderHTML makes the HTML part.
func renderHTML(blocks []block, lang, title string, d *Mail) string {
	w := &htmlWriter{b: *takeBuffer(), accent: d.Desk.accent(), number: d.Number, other: d.Other}
	w.put("<!DOCTYPE html>\n<html lang=\"", html.EscapeString(lang), "\">\n"+headStart,
		"<title>", html.EscapeString(title), "</title>\n"+headEnd)
	marker, blocks := takeMarker(blocks, d)
	if marker != "" {
		w.put("<p class=\"pale\" style=\""+paleStyle+"margin:8px 0;text-align:center;\">", html.EscapeString(marker), "</p>\n")
	}
	// Gmail and Apple Mail show the first words; these are hidden in the mail
	// itself, also from Outlook, which needs its own property.
	w.put("<div style=\"display:none;max-height:0;overflow:hidden;mso-hide:all;\">", html.EscapeString(previewOf(blocks)), "</div>\n"+
		"<table role=\"presentation\" class=\"ground\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"background:"+ground+";\"><tr><td align=\"center\" style=\"padding:16px 8px;\">\n"+
		"<table role=\"presentation\" class=\"wide\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"width:600px;max-width:100%;table-layout:fixed;\">\n"+
		"<tr><td class=\"card pad\" style=\"padding:28px 32px;overflow-wrap:anywhere;word-break:break-word;background:"+paper+";border:1px solid "+edge+";border-radius:6px;\">\n")
	w.header(d)
	for _, b := range blocks {
		w.block(b)
	}
	w.closeOpen(paragraph)
	w.put("</td></tr>\n</table>\n</td></tr></table>\n</body>\n</html>\n")
	defer leaveBuffer(w.b)
	return string(w.b)
}

// takeMarker takes the line off above which an agent writes: it must stand
// above everything that the agent's program quotes.
func takeMarker(blocks []block, d *Mail) (string, []block) {
	if len(blocks) == 0 || d.Agent == nil || d.Agent.Marker == "" || !strings.Contains(blocks[0].body.raw(), d.Agent.Marker) {
		return "", blocks
	}
	return blocks[0].body.String(), blocks[1:]
}

// previewOf is the line that stands alone in a list of mails.
func previewOf(blocks []block) string {
	first := ""
	for _, b := range blocks {
		if b.kind == preheader {
			return b.body.String()
		}
		if first == "" && b.kind == paragraph {
			first = b.body.String()
		}
	}
	return first
}

// header shows the desk and, as a ticket stub with a perforated edge, the
// number: the one ornament, the same as on the pages.
func (w *htmlWriter) header(d *Mail) {
	w.put("<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 24px;\"><tr>\n"+
		"<td class=\"pale\" dir=\"auto\" style=\"font-family:"+fontStack+";font-size:14px;line-height:20px;color:"+paleInk+";\">",
		html.EscapeString(d.Desk.Name), "</td>\n")
	if d.Number != "" {
		w.put("<td align=\"right\"><table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr>\n"+
			"<td style=\"width:14px;background:", w.accent, ";border-right:4px dotted "+paper+";border-radius:4px 0 0 4px;font-size:1px;line-height:1px;\">&nbsp;</td>\n"+
			"<td class=\"stub ink\" style=\"padding:8px 14px;border:1px solid "+edge+";border-left:0;border-radius:0 4px 4px 0;background:#f6f1e4;"+
			"font-family:'SF Mono',Menlo,Consolas,'Courier New',monospace;font-size:16px;line-height:20px;font-weight:bold;letter-spacing:0.5px;white-space:nowrap;color:"+inkColour+";\">",
			html.EscapeString(d.Number), "</td>\n</tr></table></td>\n")
	}
	w.put("</tr></table>\n")
}

// closeOpen ends a list or table unless a block of that kind goes on with it.
func (w *htmlWriter) closeOpen(next blockKind) {
	if w.open == next {
		return
	}
	switch w.open {
	case item:
		w.put("</ul>\n")
	case fact:
		w.put("</table>\n")
	}
	w.open = paragraph
}

func (w *htmlWriter) block(b block) {
	if b.kind == preheader {
		return
	}
	w.closeOpen(b.kind)
	lead := !w.begun
	w.begun = true
	switch b.kind {
	case heading:
		w.put("<h2 class=\"ink\" style=\"" + textStyle + "margin:24px 0 8px;font-size:18px;font-weight:bold;\">")
		w.inline(b.body)
		w.put("</h2>\n")
	case item:
		w.item(b)
	case fact:
		w.fact(b)
	case words:
		w.put("<div class=\"said ink\" dir=\"auto\" style=\""+textStyle+"padding:2px 0 2px 16px;border-left:3px solid ", w.accent, ";\">")
		w.kept(b.body)
		w.put("</div>\n")
	case quote:
		w.put("<blockquote class=\"old pale\" dir=\"auto\" style=\"" + paleStyle + "padding:0 0 0 12px;border-left:2px solid " + edge + ";\">")
		w.kept(b.body)
		w.put("</blockquote>\n")
	case small:
		w.put("<p class=\"pale\" style=\"" + paleStyle + "\">")
		w.inline(b.body)
		w.put("</p>\n")
	case rule:
		w.put("<div class=\"cut\" style=\"margin:24px 0;border-top:1px solid " + edge + ";font-size:1px;line-height:1px;\">&nbsp;</div>\n")
	case signature:
		w.put("<p class=\"pale cut\" style=\"" + paleStyle + "margin:28px 0 0;padding-top:16px;border-top:1px solid " + edge + ";\">")
		w.inline(b.body)
		w.put("</p>\n")
	case button:
		w.button(b)
	case link:
		w.put("<p style=\""+textStyle+"\"><a class=\"lk\" href=\"", html.EscapeString(b.url), "\" style=\"color:", w.accent, ";\">")
		w.inline(b.body)
		w.put("</a></p>\n")
	default:
		style := textStyle
		if lead {
			style = leadStyle
		}
		w.put("<p class=\"ink\" style=\"", style, "\">")
		w.inline(b.body)
		w.put("</p>\n")
	}
}

func (w *htmlWriter) item(b block) {
	if w.open != item {
		w.put("<ul class=\"ink\" style=\"" + textStyle + "padding:0 0 0 22px;\">\n")
	}
	w.open = item
	w.put("<li style=\"margin:0 0 4px;\">")
	w.inline(b.body)
	w.put("</li>\n")
}

func (w *htmlWriter) fact(b block) {
	if w.open != fact {
		w.put("<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:0 0 20px;\">\n")
	}
	w.open = fact
	w.put("<tr><td class=\"pale\" style=\""+cellStyle+"padding:2px 16px 2px 0;white-space:nowrap;color:"+paleInk+";\">", html.EscapeString(b.label), "</td>"+
		"<td class=\"ink\" style=\""+cellStyle+"padding:2px 0;color:"+inkColour+";\">")
	w.inline(b.body)
	w.put("</td></tr>\n")
}

// button is a table, for Outlook pads no link; its address stands below for
// who can't press it or wants to see where it leads.
func (w *htmlWriter) button(b block) {
	url := html.EscapeString(b.url)
	w.put("<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"margin:4px 0 8px;\"><tr><td bgcolor=\"", w.accent, "\" style=\"background:", w.accent, ";border-radius:4px;\">"+
		"<a href=\"", url, "\" style=\"display:inline-block;padding:12px 22px;font-family:"+fontStack+";font-size:16px;line-height:20px;font-weight:bold;color:#ffffff;text-decoration:none;\">")
	w.inline(b.body)
	w.put("</a></td></tr></table>\n"+
		"<p style=\""+paleStyle+"font-size:13px;line-height:18px;word-break:break-all;\"><a class=\"lk\" href=\"", url, "\" style=\"color:", w.accent, ";\">", url, "</a></p>\n")
}

// inline writes a line's HTML. Words written from right to left are isolated,
// or they would take the sentence around them along (UAX 9). A number is
// kept in one line: a phone breaks it at its hyphen.
func (w *htmlWriter) inline(l line) {
	begin := len(w.b)
	for _, s := range l {
		number := s.value && s.text != "" && (s.text == w.number || s.text == w.other)
		turned := s.value && turns(s.text)
		if turned {
			w.put(`<span dir="auto" style="unicode-bidi:isolate;">`)
		}
		if number {
			w.put(`<span style="white-space:nowrap;">`)
		}
		w.escaped(noOverrides(s.text), " ")
		if number {
			w.put(`</span>`)
		}
		if turned {
			w.put(`</span>`)
		}
	}
	w.b = w.b[:begin+copy(w.b[begin:], bytes.TrimSpace(w.b[begin:]))]
}

// turns says that a text has words written from right to left. All of them
// begin with a byte from 0xd6 on.
func turns(s string) bool {
	for i := range len(s) {
		if s[i] >= 0xd6 {
			return strings.ContainsFunc(s[i:], isRightToLeft)
		}
	}
	return false
}

func isRightToLeft(r rune) bool {
	return r >= 0x590 && unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko)
}

// kept writes human words with their lines.
func (w *htmlWriter) kept(l line) { w.escaped(trimLines(l.raw()), "<br>\n") }

// escaped writes a text as [html.EscapeString] gives it, with ends for its line
// ends.
func (w *htmlWriter) escaped(s, ends string) {
	done := 0
	for i := range len(s) {
		var with string
		switch s[i] {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '"':
			with = "&#34;"
		case '\'':
			with = "&#39;"
		case '\n':
			with = ends
		default:
			continue
		}
		w.put(s[done:i], with)
		done = i + 1
	}
	w.put(s[done:])
}
