package mailflow

import (
	"strings"

	"guichet/mailflow/rfc822"
)

// Beside is the verdict on a mail that carries these invitations. An answer to
// one, and its being called off (RFC 5546), are made by a calendar at a click:
// they are kept like any person's mail and not answered, unless somebody wrote
// more than a few words to them.
func (v Verdict) Beside(events []rfc822.Event, text string) Verdict {
	if !v.Answerable || len(events) == 0 || !fewWords(head(text, 2<<10), 120) {
		return v
	}
	for _, e := range events {
		if e.Method != "REPLY" && e.Method != "CANCEL" {
			return v
		}
	}
	v.Answerable, v.Reason = false, "a calendar's "+strings.ToLower(events[0].Method)
	return v
}

// receipt finds read receipts without their proper form.
func (c *classifier) receipt() (Class, string) {
	if c.part("message/disposition-notification") {
		return ClassAutoReply, "message/disposition-notification"
	}
	// A person may say so, too: a receipt answers a mail, or comes from nobody.
	if !c.nullPath && len(c.m.InReplyTo)+len(c.m.References) == 0 {
		return "", ""
	}
	subject := lowerWords(c.m.Subject)
	for _, p := range receiptSubjects {
		if strings.HasPrefix(subject, p) && c.receiptWords() {
			return ClassAutoReply, "read receipt: " + p
		}
	}
	return "", ""
}

// receiptSubjects begin the subjects of receipts that mail programs write in
// their own words (Outlook, Notes, GroupWise).
var receiptSubjects = split(`read:|not read:|return receipt|read receipt|lu :|lu:|non lu :|non lu:|accusé de lecture|accusé de réception|confirmation de lecture|gelesen:|ungelesen:|
	lesebestätigung|empfangsbestätigung|leído:|no leído:|confirmación de lectura|letto:|non letto:|conferma di lettura|ricevuta di ritorno|gelezen:|niet gelezen:|leesbevestiging|
	lida:|não lida:|lido:|confirmação de leitura|przeczytano:|potwierdzenie przeczytania|läst:|läskvitto|læst:|lest:|lesebekreftelse|luettu:|lukukuittaus|přečteno:|olvasási visszaigazolás|прочтено:|
	прочитано:|уведомление о прочтении|okundu:|已读:|已讀:|既読:|開封:|開封確認`)

// receiptPhrases are what such a receipt says, lower-case.
var receiptPhrases = newPhrases(split(`was read|was received by|has been displayed|deleted without being read|your document:|a été lu|a été affiché|supprimé sans avoir été lu|wurde gelesen|
	gelesen am|ungelesen gelöscht|fue leído|se leyó|ha sido leído|è stato letto|è stato visualizzato|is gelezen|werd gelezen|foi lida|foi lido|została przeczytana|
	zostało przeczytane|lästes|blev læst|ble lest|luettiin|on luettu|byla přečtena|прочитано|было прочитано|已读|已讀|既読|表示されました`))

// receiptWords tells whether a short text says that a mail was read, and
// asks nothing: a person who says so says more.
func (c *classifier) receiptWords() bool {
	text := head(c.m.Text, 2<<10)
	return fewWords(text, 120) && !strings.Contains(text, "?") && len(receiptPhrases.in(lowerWords(text))) > 0
}
