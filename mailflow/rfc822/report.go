package rfc822

import (
	"io"
	"regexp"
	"strings"
)

// Bounds of what is read of a delivery report.
const (
	maxStatusPart       = 256 << 10
	maxReturnedHeader   = 128 << 10
	maxReportRecipients = 200
	maxReportText       = 256 << 10
	maxDiagnostic       = 1000
	maxReturnedIDs      = 200
)

// readReport reads what a delivery report says: RFC 3464 where there is a
// message/delivery-status part, else the words of the commonest systems that
// have none. It returns nil if m is no delivery report. All of it is easily
// forged (RFC 3464 §4.1): act on it only where it carries an id of ours.
func readReport(m *Mail, raw []byte) *Report {
	r := &Report{}
	standard := false
	for _, p := range m.Parts {
		switch p.ContentType {
		case "message/delivery-status", "message/global-delivery-status":
			standard = true
			r.addStatus(readPart(p, raw, maxStatusPart))
		}
	}
	if !standard && !mayBeBounce(m) {
		return nil
	}
	notice, returned := splitNotice(m.Text)
	if len(r.Recipients) == 0 {
		if !standard && !looksLikeBounce(m, notice) {
			return nil
		}
		r.readNotice(m, notice)
	}
	if ids := returnedIDs(m, raw, returned, "message-id"); len(ids) > 0 {
		r.OriginalMessageID = ids[0]
	}
	return r
}

// ReturnedIDs are the message ids in the header of the mail that a delivery
// report returns: its own, then those that it answers. The caller looks for
// the id that it signed itself. raw is the mail m was read from.
func (m *Mail) ReturnedIDs(raw []byte) []string {
	_, returned := splitNotice(m.Text)
	return returnedIDs(m, raw, returned, "message-id", "in-reply-to", "references")
}

// readPart reads the beginning of a part as text.
func readPart(p Part, raw []byte, limit int64) string {
	b, _ := io.ReadAll(io.LimitReader(p.Open(raw), limit)) // Open never fails
	return strings.ToValidUTF8(strings.ReplaceAll(string(b), "\r\n", "\n"), "\ufffd")
}

// headerField is one unfolded field of a returned header or a status group.
type headerField struct{ name, value string }

// looseFields reads header lines until the first blank line after a field.
// Blank lines and an mbox "From " line before it are passed over. rest is what
// follows.
func looseFields(text string) (fields []headerField, rest string) {
	for text != "" {
		line, after, _ := strings.Cut(text, "\n")
		line = strings.TrimRight(line, "\r")
		if strings.TrimSpace(line) == "" && len(fields) > 0 {
			return fields, after
		}
		text = after
		if n := len(fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			if len(fields[n-1].value) < maxReturnedHeader {
				fields[n-1].value += " " + strings.TrimSpace(line)
			}
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(name, " \t<@") && !strings.HasSuffix(name, " ") {
			continue
		}
		fields = append(fields, headerField{strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)})
	}
	return fields, ""
}

// addStatus reads the groups of a message/delivery-status part (RFC 3464
// §2.1): the first is about the mail, each other about one recipient.
func (r *Report) addStatus(text string) {
	for text != "" && len(r.Recipients) < maxReportRecipients {
		var fields []headerField
		fields, text = looseFields(text)
		r.addGroup(fields)
	}
}

func (r *Report) addGroup(fields []headerField) {
	var one ReportRecipient
	original := ""
	for _, f := range fields {
		switch f.name {
		case "final-recipient":
			if one.Recipient != "" {
				r.addRecipient(one, original) // groups without a blank line between
				one, original = ReportRecipient{}, ""
			}
			one.Recipient = reportAddress(f.value)
		case "original-recipient":
			original = reportAddress(f.value)
		case "action":
			word, _, _ := strings.Cut(strings.TrimSpace(f.value), " ")
			one.Action = strings.ToLower(strings.Trim(word, "(;."))
		case "status":
			one.Status = findStatus(f.value)
		case "diagnostic-code":
			if one.Diagnostic == "" {
				one.Diagnostic = cut(strings.TrimSpace(afterType(f.value)), maxDiagnostic)
			}
		}
	}
	r.addRecipient(one, original)
}

// addRecipient adds one, unless it names nobody or is there already.
func (r *Report) addRecipient(one ReportRecipient, original string) {
	if !strings.Contains(one.Recipient, "@") && original != "" {
		one.Recipient = original // Final-Recipient named a local mailbox
	}
	if one.Recipient == "" || len(r.Recipients) >= maxReportRecipients {
		return
	}
	for _, have := range r.Recipients {
		if strings.EqualFold(have.Recipient, one.Recipient) {
			return
		}
	}
	one.Diagnostic = cleanLine(one.Diagnostic)
	one.Action = cleanLine(cut(one.Action, 40))
	if one.Status == "" {
		one.Status = guessStatus(one.Diagnostic)
	}
	if one.Action == "" {
		one.Action = "failed"
	}
	r.Recipients = append(r.Recipients, one)
}

// afterType drops the type of a typed field (RFC 3464 §2.1.2): "rfc822; a@b".
func afterType(value string) string {
	kind, rest, ok := strings.Cut(value, ";")
	if !ok || strings.ContainsAny(kind, "@ <") && !strings.EqualFold(strings.TrimSpace(kind), "rfc822") {
		return value
	}
	return rest
}

// reportAddress reads the address of Final-Recipient and its kin.
func reportAddress(value string) string {
	v := strings.TrimSpace(afterType(value))
	if i := strings.LastIndexByte(v, '<'); i >= 0 {
		v, _, _ = strings.Cut(v[i+1:], ">")
	}
	if fields := strings.Fields(v); len(fields) > 0 {
		v = fields[0]
	}
	v = strings.Trim(v, "<>\"'();,:")
	if len(v) > 320 { // RFC 5321 §4.5.3.1: 64 + 1 + 255
		return ""
	}
	return cleanLine(v)
}

var statusCode = regexp.MustCompile(`(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.(?:$|\D))`)

// findStatus finds an enhanced status code (RFC 3463), not the beginning of an
// IP address.
func findStatus(s string) string {
	if m := statusCode.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// returnedIDs are the ids in the named fields of the returned mail, that of a
// part or of the text below the notice, in the order of the names.
func returnedIDs(m *Mail, raw []byte, returned string, names ...string) []string {
	var header []headerField
	for _, p := range m.Parts {
		switch p.ContentType {
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers":
			fields, _ := looseFields(readPart(p, raw, maxReturnedHeader))
			header = append(header, fields...)
		}
	}
	if len(header) == 0 && returned != "" {
		header, _ = looseFields(cut(returned, maxReturnedHeader))
	}
	var ids []string
	for _, name := range names {
		for _, f := range header {
			if f.name == name {
				ids = appendIDs(ids, f.value)
			}
		}
	}
	return ids
}

var bracketedID = regexp.MustCompile(`<[^<>\s]{1,900}>`)

func appendIDs(ids []string, value string) []string {
	found := bracketedID.FindAllString(value, maxReturnedIDs-len(ids))
	if len(found) == 0 && len(ids) < maxReturnedIDs {
		// An id that lost its brackets.
		if f := strings.Fields(value); len(f) == 1 && strings.Contains(f[0], "@") {
			found = []string{"<" + strings.Trim(f[0], "<>") + ">"}
		}
	}
	return append(ids, found...)
}
