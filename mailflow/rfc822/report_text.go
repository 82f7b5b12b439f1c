package rfc822

import (
	"regexp"
	"strings"
)

// Many systems answer in words alone: qmail, Exim, old sendmails, Exchange
// 2003, Gmail before 2017, providers' own. What they share is read here: a
// sender that is a machine, a sentence that says that delivery failed, lines
// that begin with the recipient, then the returned mail.

// bounceSenders are local parts of From, or display names, of such systems.
var bounceSenders = []string{"mailer-daemon", "mailerdaemon", "mailer_daemon", "mailer daemon", "mail delivery", "maildelivery",
	"mail.delivery", "mail deliver", "mail-daemon", "delivery subsystem", "delivery system"}

// bounceKeepers are names that systems and people share: of them the subject
// must say it. A postmaster may well write to a desk about a bounce.
var bounceKeepers = []string{"postmaster", "system administrator"}

// bouncePhrases say that a mail was not delivered, or not yet, lower-case.
var bouncePhrases = splitPhrases(`undeliver|delivery failure|delivery fail|delivery status notif|delivery problem|delivery report|delivery has failed|
	delivery to the following recip|delivery to the following recipients|failure notice|failed delivery|returned mail|returned to sender|
	returning message to sender|returning to sender|could not be delivered|couldn't be delivered|cannot be delivered|can't be delivered|not delivered|
	was not delivered|unable to deliver|not able to deliver|could not deliver|did not reach|had trouble delivering|error delivering|error sending your|
	rejected your message|mail system error|message status|returned message|non remis|n'a pas pu être remis|échec de la remise|retour de courrier|
	unzustellbar|nicht zugestellt|konnte nicht zugestellt|no se pudo entregar|não pôde ser entregue|non è stato possibile recapitare|
	не доставлено|недоставленн|возвращен|mail failed|delayed mail|warning: message|warning: could not send|delivery is delayed|
	delivery temporarily suspended|has been delayed|mailbox is full|mailbox exceeds|over quota|user unknown|no such user|not a valid user|errors from|
	error occurred while trying to deliver|automatically generated delivery|bounced|
	échec de la remise|n'a pas atteint|impossible de joindre|n'a pas été distribué|échec de la distribution|n'ai pas pu remettre|échec de livraison|
	non distribu|n'est pas parvenu|adresse introuvable|remise différée|a été retardée|n'a pas encore été remis|n'a pas pu être délivré|
	n'a pas pu être distribué|n'a pas été remis|n'a pas été délivré|non délivré|
	fehler bei der nachrichtenzustellung|zustellung verzögert|verzögert sich|nicht zustellbar|zustellung fehlgeschlagen|
	no se puede entregar|no se ha podido entregar|error en la entrega|no entregado|recapito non riuscito|non recapitabile|mancato recapito|
	impossibile recapitare|non consegnato|onbestelbaar|is mislukt|niet worden bezorgd|niet bezorgd|niet afgeleverd|falha na entrega|não entreg|
	não foi possível entregar|niedostarczaln|nie powiodło się|nie może zostać dostarczon|nie została dostarczon|nedoručiteln|nelze doručit|
	nebylo možné doručit|inte levereras|olevererbar|att leverera|ikke leveres|leveringsfejl|ei voitu toimittaa|toimitus epäonnistui|kézbesíthet|
	nem kézbesít|kézbesítése sikertelen|не может быть доставлен|не удалось доставить|teslim edilemedi|iletilemedi|退信|被退回|无法送达|無法送達|投递失败|
	無法傳遞|送信できませんでした|配信できませんでした|配信不能|届きませんでした|배달하지 못|전송 실패|반송`)

// sesBounce stands in what Amazon SES sends through SNS, in JSON.
const sesBounce = `"notificationType":"Bounce"`

// mayBeBounce is the cheap look before looksLikeBounce: nearly all mails end
// here, and their text is not read as a notice.
func mayBeBounce(m *Mail) bool {
	return m.Header.Get("X-Failed-Recipients") != "" || strings.Contains(cut(m.Text, 4<<10), sesBounce) ||
		m.nullPath() || m.FromMailSystem() || fromAny(m, bounceKeepers)
}

// looksLikeBounce tells whether a mail without a status part is a delivery
// report: a machine wrote it, and it says that a mail was not delivered.
func looksLikeBounce(m *Mail, notice string) bool {
	if m.Header.Get("X-Failed-Recipients") != "" || strings.Contains(cut(notice, 4<<10), sesBounce) {
		return true // the field is Exim's and Gmail's
	}
	said := m.Subject
	if m.nullPath() && m.FromMailSystem() {
		return true // whatever its language
	} else if m.nullPath() || m.FromMailSystem() {
		said += "\n" + cut(notice, 8<<10)
	} else if !fromAny(m, bounceKeepers) {
		return false
	}
	said = strings.ToLower(said)
	for _, p := range bouncePhrases {
		if strings.Contains(said, p) {
			return true
		}
	}
	return false
}

// FromMailSystem tells whether the author calls itself a mail system.
func (m *Mail) FromMailSystem() bool { return fromAny(m, bounceSenders) }

func fromAny(m *Mail, names []string) bool {
	from := strings.ToLower(cut(m.Header.Get("From"), 1000))
	for _, a := range m.From {
		from += " " + strings.ToLower(a.Name+" "+a.Address)
	}
	for _, s := range names {
		if strings.Contains(from, s) {
			return true
		}
	}
	return false
}

// nullPath tells whether the header shows the null path that notifications
// have (RFC 5321 §4.5.5): in Return-Path, or copied to From.
func (m *Mail) nullPath() bool {
	// The topmost Return-Path is the last server's.
	if strings.ReplaceAll(m.Header.Get("Return-Path"), " ", "") == "<>" {
		return true
	}
	return strings.TrimSpace(m.Header.Get("From")) == "<>"
}

// returnedMarks are lines above the returned mail, lower-case.
var returnedMarks = splitPhrases(`this is a copy of the message|a copy of the message|copy of the original message|copy of your message|
	the header of the original message|header of the original|original message follows|original message header|original headers follow|
	unsent message follows|message headers follow|message header follows|message text follows|below this line is a copy|
	----- original message|---- original message|returned message follows|message follows`)

// splitNotice parts a report's text in what the system says and the mail it
// returns, from its first header line.
func splitNotice(text string) (notice, returned string) {
	text = cut(text, maxReportText)
	marked, at := false, 0
	for rest := text; rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		start := at
		at += len(line) + 1
		rest = after
		t := strings.ToLower(strings.TrimSpace(line))
		if startsReturned(t) || marked && isHeaderLine(t) {
			return text[:start], text[start:]
		}
		marked = marked || isReturnedMark(t)
	}
	return text, ""
}

// startsReturned tells whether a line is one that a returned mail begins with
// and a notice never has.
func startsReturned(t string) bool {
	for _, p := range []string{"received:", "return-path:", "dkim-signature:", "arc-seal:", "x-originating-ip:", "delivered-to:", "authentication-results:", "domainkey-signature:"} {
		if strings.HasPrefix(t, p) {
			return true
		}
	}
	return false
}

func isHeaderLine(t string) bool {
	name, _, ok := strings.Cut(t, ":")
	return ok && name != "" && !strings.ContainsAny(name, " \t<@(")
}

func isReturnedMark(t string) bool {
	if len(t) > 120 {
		return false
	}
	for _, p := range returnedMarks {
		if strings.Contains(t, p) {
			return true
		}
	}
	return false
}

const reportMailbox = `([^\s<>()\[\]:;,"'*=：；，。、（）【】「」]+@[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9])`

var (
	// "<a@b>: host …", "  a@b", "* a@b", ">>> a@b <a@b>", "a@b [User unknown]"
	leadingMailbox = regexp.MustCompile(`^[\s*>|-]*<?(?i:mailto:)?` + reportMailbox + `>?(.*)$`)
	// "550 <a@b>... User unknown", "RCPT To:<a@b>", "rejected recipient <a@b>"
	saidMailbox = regexp.MustCompile(`(?i)(?:^[45]\d\d[ -][\d. ]*|rcpt to: ?|recipients?:? ?|addressee:? ?|recipient rejected: ?|address:? ?|mail to:? ?|email to:? ?|` +
		`message to:? ?|user:? ?|size:? ?|full:? ?|permanent errors: ?|delivered to:? ?|deliver to:? ?|delivery to:? ?|recipient address |"emailaddress":")<?` + reportMailbox)
	anyMailbox  = regexp.MustCompile(reportMailbox)
	smtpCode    = regexp.MustCompile(`(?:^|[^\d.])([45]\d\d)(?:[ -]|$)`)
	statusField = regexp.MustCompile(`(?im)^\s*Final-Recipient\s*:`)
)

// readNotice finds the recipients in the words of a report.
func (r *Report) readNotice(m *Mail, notice string) {
	if at := statusField.FindStringIndex(notice); at != nil {
		// The fields of a status part, in the text: Amazon WorkMail, and
		// reports whose boundaries broke.
		r.addStatus(notice[strings.LastIndex(notice[:at[0]], "\n\n")+1:])
	}
	action := "failed"
	if saysDelayed(m.Subject + "\n" + notice) {
		action = "delayed"
	}
	lines := strings.Split(notice, "\n")
	for _, find := range []func([]string, int) string{leadingRecipient, saidRecipient} {
		if len(r.Recipients) == 0 {
			r.fromLines(lines, action, find)
		}
	}
	for _, a := range failedRecipients(m) {
		r.addRecipient(ReportRecipient{Recipient: a, Action: action, Diagnostic: diagnosticOf(lines, 0, a)}, "")
	}
	if len(r.Recipients) == 0 {
		r.onlyMailbox(m, notice, action)
	}
	general := guessStatus(cut(notice, 8<<10)) // once: recipients are many
	if written := writtenStatus(cut(notice, 8<<10)); len(r.Recipients) == 1 && written != "" && writtenStatus(r.Recipients[0].Diagnostic) == "" &&
		smtpCode.FindString(r.Recipients[0].Diagnostic) == "" {
		r.Recipients[0].Status = written // a code anywhere says more than words
	}
	for i := range r.Recipients {
		one := &r.Recipients[i]
		if one.Status == defaultStatus {
			one.Status = general
		}
		if one.Action == "delayed" && one.Status == defaultStatus {
			one.Status = "4.4.7" // RFC 3463 §3.5: it takes its time
		}
	}
}

func (r *Report) fromLines(lines []string, action string, find func([]string, int) string) {
	for i := range lines {
		if a := find(lines, i); a != "" {
			r.addRecipient(ReportRecipient{Recipient: a, Action: action, Diagnostic: diagnosticOf(lines, i, a)}, "")
		}
	}
}

// failedRecipients reads X-Failed-Recipients (Exim, Gmail).
func failedRecipients(m *Mail) []string {
	var out []string
	for _, v := range m.Header.Values("X-Failed-Recipients") {
		out = append(out, anyMailbox.FindAllString(v, maxReportRecipients)...)
	}
	return out
}

// leadingRecipient is the address that line i begins with, unless the line
// before says that it is the sender's.
func leadingRecipient(lines []string, i int) string {
	m := leadingMailbox.FindStringSubmatch(lines[i])
	if m == nil {
		return ""
	}
	for j := i - 1; j >= 0 && j > i-3; j-- {
		t := strings.ToLower(strings.TrimSpace(lines[j]))
		if t == "" {
			continue
		}
		if strings.HasSuffix(t, " by") || strings.HasSuffix(t, "from") || strings.HasSuffix(t, "from:") || strings.HasSuffix(t, "contact") {
			return ""
		}
		break
	}
	return m[1]
}

// saidRecipient is the address that line i names as the one that failed.
func saidRecipient(lines []string, i int) string {
	if m := saidMailbox.FindStringSubmatch(lines[i]); m != nil {
		return m[1]
	}
	return ""
}

// onlyMailbox takes the only address in the notice that is not the reader's or
// the system's own.
func (r *Report) onlyMailbox(m *Mail, notice, action string) {
	own := map[string]bool{}
	for _, list := range [][]Address{m.From, m.To, m.Cc, m.ReplyTo, m.Sender} {
		for _, a := range list {
			own[strings.ToLower(a.Address)] = true
		}
	}
	found := ""
	for _, a := range anyMailbox.FindAllString(notice, 50) {
		if l := strings.ToLower(a); !own[l] && !strings.HasPrefix(l, "postmaster@") && !strings.EqualFold(a, found) {
			if found != "" {
				return
			}
			found = a
		}
	}
	if found != "" {
		r.addRecipient(ReportRecipient{Recipient: found, Action: action, Diagnostic: diagnosticOf(strings.Split(notice, "\n"), 0, found)}, "")
	}
}

// diagnosticOf is what stands behind the recipient a, from line i on: the rest
// of that line and the next ones, up to a blank line after some text or to the
// next recipient.
func diagnosticOf(lines []string, i int, a string) string {
	var said []string
	size := 0
	for j := i; j < len(lines) && j < i+12 && size < maxDiagnostic; j++ {
		t := strings.TrimSpace(lines[j])
		if j > i && leadingMailbox.MatchString(t) && !strings.Contains(t, a) {
			break
		}
		if j == i {
			if _, rest, ok := strings.Cut(t, a); ok {
				t = strings.TrimLeft(rest, ">:] ")
			}
		}
		if t == "" && len(said) > 0 && size > 20 {
			break
		}
		if t != "" && !strings.HasPrefix(t, "(generated from") && !strings.HasPrefix(t, "(ultimately generated") {
			said = append(said, t)
			size += len(t)
		}
	}
	return cut(strings.Join(said, " "), maxDiagnostic)
}

// saysDelayed tells whether the words announce a delay, not a failure.
func saysDelayed(s string) bool {
	s = strings.ToLower(cut(s, 8<<10))
	for _, p := range []string{"warning message only", "do not need to resend", "will be retried", "will keep trying", "will continue to try",
		"delivery is delayed", "(delay)", "delivery has been delayed", "has been delayed", "still trying", "temporary problem",
		"still being retried", "remise différée", "a été retardée", "n'a pas encore été remis", "va continuer d'essayer", "zustellung verzögert", "verzögert sich",
		"noch nicht zugestellt", "se ha retrasado", "consegna ritardata", "è stata ritardata", "is vertraagd", "foi atrasada", "została opóźniona", "har försenats",
		"er forsinket", "задержана", "будут продолжены", "已延迟", "遅延しています"} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

const defaultStatus = "5.0.0"

// statusWords give a status where the words carry no code (RFC 3463 §3).
var statusWords = []struct{ status, words string }{
	{"5.2.2", `quota|mailbox full|mailbox is full|mailfolder is full|mailbox exceeds|exceeded the local limit|storage|` +
		`lettres est pleine|destinataire est pleine|lettres pleine|postfach voll|postfach ist voll|buzón lleno|buzón está lleno|casella piena|posta è piena|postvak vol|postvak is vol|` +
		`correio cheia|skrzynka pełna|skrzynka jest pełna|переполнен|信箱已滿|邮箱已满`},
	{"5.1.2", `host unknown|unknown host|host not found|domain not found|no such domain|couldn't find any host|nxdomain`},
	{"4.4.7", `too long|giving up|expired|timed out|timeout|not reachable|could not deliver for`},
	{"5.1.1", `user unknown|unknown user|no such user|no mailbox|not found|not listed|not exist|doesn't have|invalid address|not recognized|no account|unrouteable|not a valid user|` +
		`n'existe pas|introuvable|n'est pas répertorié|pas de boîte aux lettres|utilisateur inconnu|destinataire inconnu|unbekannt|nicht gefunden|existiert nicht|` +
		`no se encontró|no existe|non è stato trovato|inesistente|sconosciut|niet gevonden|bestaat niet|onbekend|possível encontrar|não existe|nie znaleziono|` +
		`nie istnieje|не найден|не существует|неизвестн|不存在|存在しません|見つかりません`},
	{"5.7.1", `spam|blocked|policy|denied|blacklist`},
}

// writtenStatus is the first enhanced code of a failure that words hold, or "".
func writtenStatus(s string) string {
	for _, m := range statusCode.FindAllStringSubmatch(s, 10) {
		if m[1][0] != '2' { // "250 2.1.5 Ok" stands in transcripts
			return m[1]
		}
	}
	return ""
}

// guessStatus finds a status in the words of a report: an enhanced code, else
// an SMTP code's class, else what the words mean.
func guessStatus(diagnostic string) string {
	if s := writtenStatus(diagnostic); s != "" {
		return s
	}
	low := strings.ToLower(diagnostic)
	class := ""
	if m := smtpCode.FindStringSubmatch(diagnostic); m != nil {
		class = m[1][:1]
	}
	for _, w := range statusWords {
		for p := range strings.SplitSeq(w.words, "|") {
			if strings.Contains(low, p) && (class == "" || class == w.status[:1]) {
				return w.status
			}
		}
	}
	if class != "" {
		return class + ".0.0"
	}
	return defaultStatus
}
