package rfc822

import "strings"

// Forwarded is a mail that another one forwards.
type Forwarded struct {
	From  Address // of the original
	Text  string  // its text
	Cover string  // what stands above it: the words of who forwards it
}

// Forwarded reads who wrote the mail that m forwards, and what; false if m is
// no forward or does not say who. raw is the mail m was read from. What it says
// is the word of who forwards it: nothing proves it.
func (m *Mail) Forwarded(raw []byte) (Forwarded, bool) {
	if !IsForward(m, m.Text) {
		return Forwarded{}, false
	}
	for _, p := range m.Parts {
		if p.ContentType == "message/rfc822" || p.ContentType == "message/global" {
			inner := Parse([]byte(readPart(p, raw, maxForwarded)))
			if len(inner.From) == 1 && inner.From[0].Address != "" {
				return Forwarded{From: inner.From[0], Text: inner.Text, Cover: ReplyText(m.Text)}, true
			}
		}
	}
	return forwardedIn(m.Text)
}

// maxForwarded bounds what is read of a forwarded mail.
const maxForwarded = 1 << 20

// forwardedIn finds the copied header of a forward within a text.
func forwardedIn(text string) (Forwarded, bool) {
	lines := splitReply(text)
	begin := -1
	for i := 0; i < len(lines); i++ {
		original, forward := quoteMarker(lines[i].trim)
		if (original || forward) && begin < 0 {
			begin = i
		}
		if forward && lines[i].quoted { // Apple Mail quotes all of it
			lines = append(lines[:i:i], splitReply(unquoted(lines[i:]))...)
		}
		n := headerBlock(lines, i)
		if n == 0 {
			continue
		}
		if begin < 0 {
			begin = i
		}
		out := Forwarded{Text: textOf(lines[i+n:]), Cover: textOf(lines[:begin])}
		for _, l := range lines[i : i+n] {
			if kind, value := headerLabel(l.trim); kind == labelFrom && out.From.Address == "" {
				out.From = copiedAddress(value)
			}
		}
		return out, out.From.Address != ""
	}
	return Forwarded{}, false
}

// unquoted takes one mark of quoting off each line that has one.
func unquoted(lines []replyLine) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.raw
		if l.quoted {
			out[i] = strings.TrimPrefix(strings.TrimPrefix(strings.TrimLeft(l.raw, " "), ">"), " ")
		}
	}
	return strings.Join(out, "\n")
}

func textOf(lines []replyLine) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.raw
	}
	return strings.Trim(strings.Join(out, "\n"), "\n ")
}

// copiedAddress reads a From that a mail program has copied into a text:
// "Alice <alice@example.com>", "Alice [mailto:alice@example.com]".
func copiedAddress(value string) Address {
	value = strings.NewReplacer("[mailto:", "<", "<mailto:", "<", "]", ">", "*", "").Replace(value)
	list, _ := parseAddresses(value)
	for _, a := range list {
		if strings.Contains(a.Address, "@") {
			return a
		}
	}
	return Address{}
}
