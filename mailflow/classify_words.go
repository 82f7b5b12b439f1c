package mailflow

import (
	"strings"
	"unicode"

	"guichet/mailflow/rfc822"
)

// notAnswerable tells why a person's mail is not answered automatically, or
// "". An answer needs exactly one author with a mailbox that somebody reads.
func (c *classifier) notAnswerable(env Envelope, hasEnvelope bool) string {
	froms := c.m.Header.Values("From")
	switch {
	case len(froms) != 1 || len(c.m.From) != 1:
		return "not exactly one author" // RFC 5322 §3.6.2; DMARC fails too
	case !usable(c.m.From[0].Address):
		return "author has no usable address"
	case c.ours != nil && c.ours(c.m.From[0].Address):
		return "from our own address"
	case noReply(c.m.From[0].Address):
		return "from a no-reply address"
	case machineSender(c.m) != "":
		return "from " + machineSender(c.m)
	}
	for _, a := range c.m.Sender {
		if machineAddress(a.Address) != "" {
			return "sender is " + machineAddress(a.Address)
		}
	}
	if hasEnvelope && machineAddress(env.From) != "" {
		return "envelope sender is " + machineAddress(env.From)
	}
	return ""
}

// usable tells whether a mail could be sent to addr.
func usable(addr string) bool {
	local, domain, ok := cutAddress(addr)
	return ok && local != "" && strings.Trim(domain, ".") != "" && !strings.ContainsAny(addr, " \t\r\n<>,") &&
		len(local) <= 64 && len(domain) <= 255 && // RFC 5321 §4.5.3.1
		!strings.HasSuffix(strings.ToLower(domain), ".invalid") // RFC 2606 §2
}

func cutAddress(addr string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return "", "", false
	}
	return addr[:i], addr[i+1:], true
}

func senderAddress(m *rfc822.Mail) string {
	if len(m.From) == 0 {
		return ""
	}
	return m.From[0].Address
}

// squeeze folds case and drops what separates words: no-reply, no_reply and
// No.Reply are one.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// noReplyWords are in the local parts, or first labels, of addresses that
// nobody reads.
var noReplyWords = []string{"noreply", "noreplies", "donotreply", "dontreply", "donotrespond", "nepasrepondre", "nepasrépondre", "nerepondezpas",
	"nichtantworten", "nichtbeantworten", "keineantwort", "noresponder", "noresponda", "naoresponda", "nãoresponda", "nonrispondere", "norisposta",
	"nietbeantwoorden", "svarainte", "ikkesvar", "nieodpowiadaj", "noresponse", "unattended", "unmonitored"}

// noReply tells whether nobody reads what is sent to addr.
func noReply(addr string) bool {
	local, domain, _ := cutAddress(addr)
	label, _, _ := strings.Cut(domain, ".")
	for _, s := range []string{squeeze(local), squeeze(label)} {
		for _, w := range noReplyWords {
			if strings.Contains(s, w) {
				return true
			}
		}
	}
	return false
}

// machineLocals are local parts that no person writes from (RFC 2142, RFC
// 3834 §2): their mail may be real, an answer to it begins a loop.
var machineLocals = map[string]bool{"mailerdaemon": true, "maildaemon": true, "postmaster": true, "bounce": true, "bounces": true,
	"listserv": true, "majordomo": true, "mailman": true, "listmaster": true, "autoreply": true, "autoresponder": true, "automailer": true,
	"nobody": true, "uucp": true, "daemon": true, "root": true, "wwwrun": true, "wwwdata": true, "maildelivery": true, "fetchmail": true,
	"feedbackloop": true, "returns": true}

// machineAddress names what is machine-like in addr, or "".
func machineAddress(addr string) string {
	local, _, _ := cutAddress(strings.ToLower(addr))
	s := squeeze(local)
	if machineLocals[s] {
		return s
	}
	for _, p := range []string{"mailer-daemon", "bounce-", "bounces-", "bounce+", "bounces+", "owner-"} {
		if strings.HasPrefix(local, p) {
			return strings.Trim(p, "-+")
		}
	}
	for _, p := range []string{"-bounces", "-bounce", "-request", "-owner"} {
		if strings.HasSuffix(local, p) {
			return strings.Trim(p, "-")
		}
	}
	return ""
}

// machineSender is machineAddress of the mail's author.
func machineSender(m *rfc822.Mail) string {
	for _, a := range m.From {
		if w := machineAddress(a.Address); w != "" {
			return w
		}
	}
	return ""
}

// awaySubjects begin the subjects that vacation programs write, lower-case.
// They stand at the start, where a person's "Re: Out of office hours" does not.
var awaySubjects = split(`out of office|out of the office|out-of-office|ooo:|ooo -|auto:|auto reply|auto-reply|autoreply|auto response|auto-response|
	autoresponse|autorespons|automatic reply|automatic response|automated reply|automated response|away from|away until|i am away|i'm away|on vacation|
	vacation:|vacation reply|vacation notice|vacation response|on leave:|on holiday:|annual leave|holiday notice|
	réponse automatique|reponse automatique|absence du bureau|absent du bureau|absence :|absence:|message d'absence|notification d'absence|en congé|je suis absent|
	automatische antwort|abwesenheitsnotiz|abwesenheit|abwesend|nicht im büro|außer haus|urlaubsnotiz|
	respuesta automática|respuesta automatica|fuera de la oficina|fuera de oficina|ausente|ausencia|
	resposta automática|resposta automatica|fora do escritório|ausência|ausência temporária|
	risposta automatica|fuori ufficio|fuori sede|assente|assenza|
	automatisch antwoord|automatische beantwoording|automatische reactie|afwezig|afwezigheid|niet aanwezig|
	automatiskt svar|autosvar|frånvaro|frånvarande|ej på kontoret|automatisk svar|automatisk besvarelse|fravær|fraværende|ikke til stede|ikke på kontoret|
	automaattinen vastaus|poissa|poissaolo|odpowiedź automatyczna|automatyczna odpowiedź|poza biurem|nieobecność|nieobecny|
	automatická odpověď|automatická odpoveď|mimo kancelář|nepřítomnost|automatikus válasz|házon kívül|nem vagyok|
	автоматический ответ|автоответ|нет на месте|вне офиса|отсутств|автоматична відповідь|răspuns automat|otomatik yanıt|ofis dışında|
	αυτόματη απάντηση|εκτός γραφείου|自动回复|自動回覆|自动答复|外出|自動応答|不在|자동 응답|부재중|автоматичен отговор|samodejni odgovor|automatski odgovor`)

// awayInSubjects are signs anywhere in a subject.
var awayInSubjects = split(`is out of the office|out of office autoreply|out of office reply|- vacation response|est absent du bureau|est absent(e)|ist nicht im büro|ist nicht im haus|
	(out of office)|[out of office]|(auto reply)|[auto reply]|[auto-reply]|[autoreply]|(autoreply)|is on vacation|will be out of the office|is away from the office`)

// awayOpenings are what vacation programs say in their first sentence. They
// count in the first lines alone: a person who mentions a holiday further
// down, or in other words, stays a person.
var awayOpenings = newPhrases(split(`i am out of the office|i'm out of the office|i am currently out of|i'm currently out of|i will be out of the office|i am on vacation|
	i am currently on vacation|i am on annual leave|i am currently on annual leave|i am away from the office|i am currently away|i'm currently away|
	i am on leave|i am currently on leave|i am on maternity leave|thank you for your email. i am|thank you for your message. i am currently|
	this is an automatic reply|this is an automated reply|this is an automatic response|this is an automated response|this is an auto-reply|
	this is an auto reply|this is an autoreply|this is an automatically generated reply|this is an automatic message|
	je suis absent|je suis actuellement absent|je suis en congé|je suis actuellement en congé|je serai absent|en mon absence|ceci est une réponse automatique|
	ceci est un message automatique|je suis en arrêt|je suis actuellement en arrêt|je suis en déplacement|je suis actuellement en déplacement|actuellement absent|actuellement en congé|absent du bureau|
	ich bin derzeit nicht|ich bin zurzeit nicht|ich bin zur zeit nicht|ich bin im urlaub|ich bin momentan nicht|ich bin bis zum|ich bin nicht im büro|
	dies ist eine automatische|dies ist eine automatisch|diese nachricht wurde automatisch|
	estoy fuera de la oficina|me encuentro fuera|estaré fuera|estoy de vacaciones|este es un mensaje automático|esta es una respuesta automática|
	estou fora do escritório|estou ausente|estarei ausente|estou de férias|esta é uma resposta automática|esta é uma mensagem automática|
	sono fuori ufficio|sarò fuori ufficio|sarò assente|sono in ferie|sono assente|questa è una risposta automatica|questo è un messaggio automatico|
	ik ben afwezig|ik ben momenteel|ik ben niet aanwezig|ik ben op vakantie|ik ben met vakantie|dit is een automatisch|
	jag är på semester|jag är inte på kontoret|jag är tillbaka|jag är ledig|detta är ett automatiskt|
	jeg er på ferie|jeg er ikke på kontoret|jeg er ikke til stede|jeg er ute av kontoret|dette er et automatisk|olen lomalla|olen poissa|
	jestem na urlopie|jestem nieobecn|jestem poza biurem|przebywam na urlopie|obecnie przebywam|to jest automatyczna|wiadomość wygenerowana automatycznie|
	jsem na dovolené|jsem mimo kancelář|nejsem v kanceláři|szabadságon vagyok|házon kívül vagyok|
	я в отпуске|я нахожусь в отпуске|меня нет в офисе|я отсутствую|нахожусь в отпуске|это автоматический ответ|sunt în concediu|
	ofis dışındayım|izindeyim|我正在休假|我目前不在|我现在不在|ただいま休暇|休暇をいただいて|不在にして`))

func split(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, "|") {
		out = append(out, strings.TrimSpace(p))
	}
	return out
}

// awayWords finds vacation and out-of-office notes by their words alone: many
// programs mark nothing. Nothing automatic may be answered; a person's mail
// taken for one still reaches the ticket.
func (c *classifier) awayWords() (Class, string) {
	if hint := c.awayHint(); hint != "" {
		return ClassAutoReply, hint
	}
	return "", ""
}

// awayHint names the words that sound like a vacation note, or "".
func (c *classifier) awayHint() string {
	subject := lowerWords(c.m.Subject)
	for _, p := range awaySubjects {
		if rest, ok := strings.CutPrefix(subject, p); ok && endsWord(rest, p) && alone(rest) {
			return "subject begins with " + p
		}
	}
	for _, p := range awayInSubjects {
		if _, rest, ok := strings.Cut(subject, p); ok && alone(rest) {
			return "subject says " + p
		}
	}
	if p := awayOpening(c.m.Reply); p != "" {
		return "first lines say " + p
	}
	return ""
}

// endsWord tells whether a phrase ended where a word ends, or is a stem.
func endsWord(rest, phrase string) bool {
	if rest == "" {
		return true
	}
	r := []rune(head(rest, 8))[0]
	return !unicode.IsLetter(r) || strings.HasSuffix(phrase, "autorespons") || strings.HasSuffix(phrase, "отсутств") || r > 0x2e80
}

// requestWords are in subjects that people write about such notes.
var requestWords = wordsOf(`not doesn't don't won't problem problems issue error broken configure configuration setup how help request template
	pas ne n'est comment erreur problème impossible nicht fehler funktioniert problem falla problema não non niet werkt nie не`)

func wordsOf(s string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// alone tells whether what follows the phrase, up to the subject that a note
// repeats after a colon, is a note's: "Out of office reply does not work" is a
// person's request.
func alone(rest string) bool {
	for w := range strings.FieldsSeq(firstOf(rest, ":")) {
		if requestWords[strings.Trim(w, ".,!?\"")] || strings.HasSuffix(w, "?") {
			return false
		}
	}
	return true
}

// awayOpening finds an opening in the first lines of the new text, after a
// greeting.
func awayOpening(text string) string {
	text = head(strings.TrimLeft(text, " \n\t*"), 2000)
	opening := openingLines(text)
	for _, p := range awayOpenings.in(opening) {
		at := strings.Index(opening, p)
		if startsSentence(opening[:at]) && awayGoesOn(plainApostrophes(strings.ToLower(text)), opening[at+len(p):]) {
			return p
		}
	}
	return ""
}

// openingLines are the first four lines with text, in lower case, with single
// blanks, up to 300 bytes.
func openingLines(text string) string {
	opening, seen := "", 0
	for line := range strings.SplitSeq(text, "\n") {
		line = lowerWords(line)
		if line == "" {
			continue
		}
		opening += line + " "
		if seen++; seen == 4 {
			break
		}
	}
	return head(plainApostrophes(opening), 300)
}

func plainApostrophes(text string) string { return strings.ReplaceAll(text, "’", "'") }

// startsSentence tells whether what stands before a phrase is nothing, a
// greeting, or thanks for the mail.
func startsSentence(before string) bool {
	before = strings.TrimSpace(before)
	if before == "" || strings.HasSuffix(before, ":") {
		return true
	}
	last, _ := strings.CutSuffix(before, "!")
	if len(last) < 60 && (strings.HasSuffix(before, ",") || strings.HasSuffix(before, "!") || !strings.ContainsAny(last, ".?")) {
		return true // "hello," "bonjour et merci pour votre message,"
	}
	for _, w := range thanks {
		if strings.HasSuffix(before, ".") && len(before) < 160 && strings.Contains(before, w) {
			return true // "Thank you for your mail."
		}
	}
	return false
}

// thanks are what stands before the note itself.
var thanks = split(`thank|automat|merci|dank|gracias|obrigad|grazie|bedankt|tack|tak |takk|kiitos|dzięku|děkuj|köszön|спасибо|mulțum|teşekkür|received|reçu|accus|réception`)

// awayMarks are what a note says besides: until when, and whom to ask. A
// person who writes "I am on vacation" for another reason says other things.
var awayMarks = split(`return|until|urgent|will reply|will respond|will answer|as soon as|back on|back in|limited access|no access|in my absence|
	contact|emergency|retour|jusqu|urgence|contacter|répondr|rückkehr|zurück|bis|dringend|wenden|regres|vuelta|hasta|urgente|contactar|até|voltar|
	rientr|fino|tornerò|urgenz|terug|tot|dringende|bereikbaar|tillbaka|till|tilbage|tilbake|takaisin|powrot|wracam|do dnia|pilnych|zpět|vissza|
	вернусь|до|срочн|reveni|döneceğ|返回|回复|戻り|automat|отвечу`)

// awayGoesOn tells whether the text goes on like a note: a short text with one
// of the marks and without a question.
func awayGoesOn(text, after string) bool {
	if strings.Contains(text, "?") || len(strings.Fields(text)) > 150 {
		return false
	}
	for _, p := range awayMarks {
		if strings.Contains(after, p) || strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// challengePhrases are what challenge-response systems say, lower-case.
var challengePhrases = newPhrases(split(`this message was created automatically by the challenge|confirm that you are a human|prove you are human|prove that you are human|
	confirm you are human|verify that you are a real person|not a spammer|to have your message delivered|to release your message|before your message can be delivered|
	before your email can be delivered|your message is being held|your email is being held|your message is waiting|added to the approved senders|
	approved sender list|approved senders list|add yourself to my|on the guest list|guest list|whitelist request|is protecting|requires verification of|
	please verify your email address by replying|is protected by|allowed list|ensure delivery of your email|challenge-response|mailinblack|
	protégée contre le spam|protégée contre les spams|protégé contre le spam|prouver que vous n'êtes pas un robot|vous n'êtes pas un robot|pour que votre message me soit remis|
	système de validation|valider votre adresse|pour vous authentifier|liste blanche|
	kein roboter|bestätigen sie ihre absenderadresse|no es un robot|protegida contra el spam|antispam verification|sender verification|you are not on my|click here to verify`))

// challenge finds the questions of challenge-response systems.
func (c *classifier) challenge() (Class, string) {
	if c.isChallenge() {
		return ClassAutoReply, "challenge-response"
	}
	return "", ""
}

func (c *classifier) isChallenge() bool {
	if c.has("X-Boxbe-Challenge") || c.has("X-ChoiceMail-Registration-Request") || c.has("X-Spamarrest-Challenge") || c.has("X-Bluebottle-Request") {
		return true
	}
	_, domain, _ := cutAddress(strings.ToLower(senderAddress(c.m)))
	switch domain {
	case "boxbe.com", "spamarrest.com", "bluebottle.com", "mailblocks.com":
		if isRobotAddress(senderAddress(c.m)) || c.challengeWords() > 0 {
			return true
		}
	}
	return fewWords(head(c.m.Reply, 8<<10), 250) && c.challengeWords() > 1
}

// fewWords tells whether text has at most n words.
func fewWords(text string, n int) bool {
	within := false
	for i := range len(text) {
		was := within
		if within = text[i] > ' '; within && !was {
			if n--; n < 0 {
				return false
			}
		}
	}
	return true
}

func isRobotAddress(addr string) bool { return noReply(addr) || machineAddress(addr) != "" }

// challengeWords is how many of the phrases the text says.
func (c *classifier) challengeWords() int {
	return len(challengePhrases.in(plainApostrophes(lowerWords(head(c.m.Text, 4<<10)))))
}
