package rfc822

import "strings"

// forwardPrefixes are what mail programs put before the subject of a forward.
var forwardPrefixes = wordSet(`fw fwd tr wg rv i pd vb vs vl enc doorst doorsturen fs továbbítás i̇lt ilt iletildi
	fwd转发 转发 轉寄 转寄 転送 전달 пересл пер πρθ redir`)

// forwardSubject tells whether a subject begins as a forward's, perhaps after
// the marks of answers: "Re: Fwd: x".
func forwardSubject(subject string) bool {
	s := strings.ToLower(cut(subject, 200))
	for {
		word, rest, ok := strings.Cut(strings.ReplaceAll(s, "：", ":"), ":")
		word = strings.Trim(word, " []()0123456789")
		if !ok || len(word) > 24 || strings.ContainsRune(word, ' ') {
			return strings.HasSuffix(strings.TrimSpace(s), "(fwd)")
		}
		if forwardPrefixes.set[word] {
			return true
		}
		if !answerPrefixes.set[word] {
			return false
		}
		s = rest
	}
}

// answerPrefixes are what mail programs put before the subject of an answer.
var answerPrefixes = wordSet(`re aw sv antw ynt odp ref rif r res réf réponse atb 答复 回复 回覆 ответ απ`)

// IsForward tells whether a mail forwards another, by its structure: a mail as
// attachment under a forward's subject; the mark of a forward
// ("---------- Forwarded message ---------") that nothing quotes; or a
// forward's subject and a copied header at the beginning of the new text.
// The subject alone proves nothing: answers to a forward keep it. text is the
// mail's whole text or the piece that is judged.
func IsForward(m *Mail, text string) bool {
	subject := forwardSubject(m.Subject)
	for _, p := range m.Parts {
		if (p.ContentType == "message/rfc822" || p.ContentType == "message/global") && subject {
			return true
		}
	}
	lines := splitReply(text)
	for i, l := range lines {
		if l.trim == "" {
			continue
		}
		original, forward := quoteMarker(l.trim)
		if forward {
			return true // Apple Mail quotes the mark itself
		}
		if l.quoted {
			continue
		}
		if original || headerBlock(lines, i) > 0 {
			return subject
		}
		if attribution(lines, i) > 0 {
			return false // an answer: what follows was quoted
		}
	}
	return false
}
