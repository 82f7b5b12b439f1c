package rfc822

// ReplyText is text without quoted mails and signature.
func ReplyText(text string) string { return replyText(text) }
