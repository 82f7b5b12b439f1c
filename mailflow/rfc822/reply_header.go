package rfc822

import "strings"

// The fields that mail programs copy above the mail they quote or forward.
const (
	labelFrom = 1 << iota
	labelDate
	labelSent // a date by a name that only mail programs use
	labelTo
	labelSubject
	labelOther
)

// headerLabels are the names of these fields, as mail programs write them.
var headerLabels = labelTable(map[int]string{
	labelFrom: `from|de|von|da|van|fra|från|od|от|от кого|від|lähettäjä|kimden|gönderen|feladó|de la|expéditeur|
		remitente|remetente|mittente|afzender|avsändare|avsender|absender|από|发件人|發件人|寄件者|寄件人|差出人|보낸 사람|보낸사람|מאת|من|saatja|odesílatel`,
	labelDate: `date|datum|fecha|data|dato|дата|päivämäärä|tarih|dátum|message du|ημερομηνία|date d'envoi|日期|日付|日時|날짜`,
	labelSent: `sent|envoyé|envoyé le|gesendet|enviado|enviado el|enviado em|enviada em|enviada|inviato|verzonden|verstuurd|
		sendt|skickat|wysłano|wysłane|odesláno|poslano|отправлено|надіслано|lähetetty|gönderildi|gönderme tarihi|gönderilmiş|
		elküldve|trimis|στάλθηκε|发送时间|發送時間|寄件日期|送信日時|보낸 날짜|נשלח`,
	labelTo: `to|à|a|an|til|till|aan|para|do|komu|кому|vastaanottaja|kime|alıcı|címzett|pour|pro|către|destinataire|
		destinatario|destinatário|προς|收件人|收件者|宛先|받는 사람|받는사람|אל|saaja`,
	labelSubject: `subject|objet|sujet|betreff|asunto|assunto|oggetto|onderwerp|emne|ämne|temat|předmět|predmet|тема|aihe|
		konu|tárgy|subiect|θέμα|主题|主題|主旨|件名|제목|נושא|teema`,
	labelOther: `cc|bcc|copie|copie à|kopie|kopia|kopi|copia|cópia|копия|копія|抄送|副本|참조|reply-to|répondre à|antwort an|
		responder a|rispondi a|risposta|importance|wichtigkeit|priorité|organization`,
})

func labelTable(in map[int]string) map[string]int {
	out := make(map[string]int)
	for kind, names := range in {
		for name := range strings.SplitSeq(names, "|") {
			out[strings.TrimSpace(name)] = kind
		}
	}
	return out
}

// headerLabel reads a line such as "*From:* Alice <alice@example.com>".
func headerLabel(line string) (kind int, value string) {
	head := line[:min(len(line), 64)]
	at, width := strings.IndexByte(head, ':'), 1
	if wide := strings.IndexByte(head, "："[0]); wide < 0 {
		// nearly always
	} else if wide = strings.Index(head, "："); wide >= 0 && (at < 0 || wide < at) {
		at, width = wide, len("：")
	}
	if at <= 0 {
		return 0, ""
	}
	var low [64]byte
	name := appendLower(low[:0], strings.Trim(line[:at], "*_> \t"))
	return headerLabels[string(name)], strings.Trim(line[at+width:], "* \t")
}

// maxHeaderBlock is how many lines of a header block are looked at.
const maxHeaderBlock = 16

// headerBlock tells how many lines from i are a copied mail header, or 0. One
// line is never one ("From: this is fine"), nor are lines of another kind
// that use the same words ("From: Paris, To: London, Date: 3 May").
func headerBlock(lines []replyLine, i int) int {
	if kind, _ := headerLabel(lines[i].trim); kind == 0 || lines[i].quoted {
		return 0
	}
	kinds, address, dated, other, end := 0, false, false, 0, i
	for j := i; j < len(lines) && j < i+maxHeaderBlock; j++ {
		kind, value := headerLabel(lines[j].trim)
		if kind == 0 {
			if lines[j].trim == "" && kinds == 0 || !continuesBlock(lines, j, &other) {
				break
			}
			continue
		}
		kinds |= kind
		end = j + 1
		if kind == labelFrom || kind == labelTo {
			address = address || strings.Contains(value, "@")
		}
		dated = dated || kind&(labelDate|labelSent) != 0 && strings.ContainsAny(value, "0123456789")
	}
	if isHeaderBlock(kinds, address, dated) {
		return end - i
	}
	return 0
}

// continuesBlock tells whether line j, which has no label, may stand inside a
// block: a wrapped value, or one blank line between two fields, twice at most.
func continuesBlock(lines []replyLine, j int, other *int) bool {
	*other++
	if *other > 3 || j+1 >= len(lines) || lines[j].quoted {
		return false
	}
	kind, _ := headerLabel(lines[j+1].trim)
	return kind != 0
}

func isHeaderBlock(kinds int, address, dated bool) bool {
	if kinds&labelFrom == 0 {
		return false
	}
	n := 0
	for _, k := range []int{labelDate | labelSent, labelTo, labelSubject} {
		if kinds&k != 0 {
			n++
		}
	}
	sure := address && dated
	if n < 2 {
		return n == 1 && sure
	}
	return sure || kinds&labelSubject != 0 || dated && kinds&labelSent != 0
}

// originalMarks and forwardMarks stand between dashes above a quoted or a
// forwarded mail.
var originalMarks = newPrefixes(splitPhrases(`original message|original email|original appointment|message d'origine|message d’origine|message original|
	message initial|courriel original|mail original|e-mail original|ursprüngliche mail|ursprüngliche e-mail|original mail|
	oprindelig mail|ursprungligt mail|originele e-mail|e-mail d'origine|původní e-mail|messaggio originale|ursprüngliche nachricht|originalnachricht|original-nachricht|
	ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|oprindelig besked|opprinnelig melding|
	oorspronkelijk bericht|origineel bericht|mensagem original|mensaje original|wiadomość oryginalna|oryginalna wiadomość|
	původní zpráva|pôvodná správa|исходное сообщение|оригинальное сообщение|первоначальное сообщение|пересылаемое сообщение|
	alkuperäinen viesti|原始邮件|原始郵件|邮件原件|元のメッセージ|원본 메시지|원본 메일|eredeti üzenet|orijinal mesaj|özgün ileti|
	mesaj original|izvorna poruka|reply message|reply above|replied message`))

var forwardMarks = newPrefixes(splitPhrases(`forwarded message|forwarded mail|forwarded email|forwarded by|message transféré|message transmis|courriel transféré|
	weitergeleitete nachricht|weitergeleitete mail|messaggio inoltrato|doorgestuurd bericht|mensaje reenviado|mensagem encaminhada|mensagem reencaminhada|
	przekazana wiadomość|wiadomość przekazana|vidarebefordrat meddelande|vidarebefordrat mail|videresendt meddelelse|videresendt besked|videresendt melding|
	пересланное сообщение|пересланное письмо|переслане повідомлення|přeposlaná zpráva|preposlaná správa|edelleenlähetetty viesti|välitetty viesti|
	továbbított üzenet|iletilen mesaj|yönlendirilmiş mesaj|mesaj redirecționat|προωθημένο μήνυμα|转发的邮件|转发邮件|轉寄的郵件|転送されたメッセージ|転送メッセージ|전달된 메시지`))

// forwardLines are such marks without dashes (Apple Mail), ending in a colon.
var forwardLines = newPrefixes(splitPhrases(`begin forwarded message|début du message réexpédié|début du message transféré|anfang der weitergeleiteten nachricht|
	anfang der weitergeleiteten e-mail|inizio messaggio inoltrato|inizio del messaggio inoltrato|begin doorgestuurd bericht|
	inicio del mensaje reenviado|início da mensagem encaminhada|início da mensagem reencaminhada|początek przekazywanej wiadomości|
	rozpoczęcie przekazanej wiadomości|vidarebefordrat brev|start på videresendt besked|videresendt melding|
	начало переадресованного сообщения|začátek přeposílané zprávy|välitetty viesti alkaa|下面是被转发的邮件|以下は転送されたメッセージです`))

// quoteMarker tells whether a line marks the beginning of a quoted mail
// ("-----Original Message-----") or of a forwarded one.
func quoteMarker(line string) (original, forward bool) {
	if len(line) < 12 || len(line) > 200 {
		return false, false
	}
	framed := strings.HasPrefix(trimLeft(line, "*> "), "--") || strings.HasPrefix(line, "==") || strings.HasPrefix(line, "__") ||
		strings.HasPrefix(line, "‐‐") || strings.HasPrefix(line, "——") // Proton's hyphens, Chinese dashes
	colon := strings.HasSuffix(line, ":") || strings.HasSuffix(line, "：") || strings.HasSuffix(line, ":*")
	if !framed && !colon {
		return false, false
	}
	inner := strings.Trim(line, "-_=*~—–‐ >:：\t")
	if framed {
		original, forward = originalMarks.of(inner) != "", forwardMarks.of(inner) != ""
	} else {
		forward = forwardLines.of(inner) != ""
	}
	if (original || forward) && len(strings.ToLower(inner)) > 120 {
		return false, false
	}
	return original, forward
}

// isRule tells whether a line is nothing but a drawn line.
func isRule(line string) bool {
	if len(line) < 3 || line[0] < 0x80 && strings.IndexByte("_-=*~ ", line[0]) < 0 {
		return false
	}
	return strings.Trim(line, "_-=*~—–─ ") == ""
}
