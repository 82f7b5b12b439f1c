package rfc822

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBareSignature is how many text lines may follow a "--" that has lost the
// blank behind it and is still a signature. RFC 3676 §4.3 writes "-- "; a bare
// "--" above a long text is more likely a divider.
const maxBareSignature = 40

// signature returns the line where the signature that begins at line i ends,
// or 0. It ends where a quoted mail begins, or with the mail.
func (s *replyScanner) signature(i int) int {
	l := s.lines[i]
	switch {
	case l.trim == "--":
	case isDeviceLine(l.trim) && s.standsAlone(i):
	case strings.HasPrefix(l.trim, "__") && strings.Trim(l.trim, "_ ") == "" && isListFooter(s.lines, i):
	default:
		return 0
	}
	end, text := i+1, 0
	for end < len(s.lines) && !s.introduces(end) {
		if s.lines[end].trim != "" {
			text++
		}
		if l.trim == "--" && !l.cut && text > maxBareSignature {
			return 0 // at once: a text of "--" alone must not cost its square
		}
		end++
	}
	return end
}

// standsAlone tells whether line i is not the beginning of a sentence that
// goes on in the next line.
func (s *replyScanner) standsAlone(i int) bool {
	if i+1 >= len(s.lines) {
		return true
	}
	next := s.lines[i+1]
	return next.trim == "" || next.trim == "--" || isRule(next.trim) || isDeviceLine(next.trim) || s.introduces(i+1)
}

// isListFooter tells whether the rule at line i begins what a mailing list
// appends: its name and address.
func isListFooter(lines []replyLine, i int) bool {
	for j := i + 1; j < len(lines) && j <= i+3; j++ {
		t := strings.ToLower(lines[j].trim)
		if strings.Contains(t, "mailing list") || strings.Contains(t, "listinfo") || strings.Contains(t, "liste de diffusion") {
			return true
		}
	}
	return false
}

// legalPhrases are what companies append below a drawn line, lower-case.
var legalPhrases = splitPhrases(`confidential|intended solely|intended only|intended recipient|intended for the |in error|virus|monitored|disclaimer|
	privileged|unauthorised|unauthorized|opinions expressed|vertraulich|unbefugt|irrtümlich|confidentiel|strictement réserv|par erreur|
	scanned for|swept for|incoming and outgoing|please note: |destinataire|confidencial|por error|por engano|riservat|confidenzial|per errore|vertrouwelijk|poufn`)

// maxLegalNotice bounds the lines of one legal notice.
const maxLegalNotice = 40

// legalNotice returns the line where the legal notice that begins with the
// rule at line i ends, or 0. Two of the phrases must stand between the rule
// and the next one, or the end of the mail: one may be the writer's own word.
func legalNotice(lines []replyLine, i int) int {
	if len(lines[i].trim) < 10 || !isRule(lines[i].trim) {
		return 0
	}
	var b strings.Builder
	end := i + 1
	for ; end < len(lines) && end < i+maxLegalNotice; end++ {
		if t := lines[end].trim; len(t) >= 10 && isRule(t) {
			end++
			break
		}
		b.WriteString(strings.ToLower(lines[end].trim))
		b.WriteByte(' ')
	}
	if legalHits(b.String()) < 2 {
		return 0
	}
	return end
}

// legalHits is how many of the phrases text has.
func legalHits(text string) int {
	hits := 0
	for _, p := range legalPhrases {
		if strings.Contains(text, p) {
			hits++
		}
	}
	return hits
}

// legalTail tells whether all from line i on is one more notice, such as a
// virus scanner adds below the company's own.
func legalTail(lines []replyLine, i int) bool {
	if i > 0 && lines[i-1].trim != "" && !isRule(lines[i-1].trim) || len(lines)-i > maxLegalNotice {
		return false
	}
	var b strings.Builder
	for _, l := range lines[i:] {
		b.WriteString(strings.ToLower(l.trim))
		b.WriteByte(' ')
	}
	return legalHits(b.String()) >= 2
}

// devicePrefixes begin the line that a program appends by itself, lower-case.
var devicePrefixes = newPrefixes(splitPhrases(`sent from my |sent from |sent via |sent with |sent using |sent by |get outlook for |get bluemail for |obtenir bluemail pour |obtenez bluemail pour |download outlook for |
	envoyé depuis |envoyé de mon |envoyé de |envoyé à partir |envoyé avec |envoyé via |provenance : |télécharger outlook pour |obtenez outlook pour |obtenir outlook pour |
	gesendet von |gesendet mit |gesendet über |von meinem |von meiner |von yahoo mail |von gmx mail |von web.de mail |diese nachricht wurde von meinem |holen sie sich outlook für |laden sie outlook für |
	enviado desde |enviado do |enviado a partir |enviado de mi |enviado através |enviado con |obtener outlook para |obter o outlook para |baixe o outlook para |
	inviato da |inviato dal |inviato dall|inviato con |inviato tramite |scarica outlook per |ottieni outlook per |
	verzonden vanaf |verzonden vanuit |verstuurd vanuit |verzonden met |verstuurd vanaf |verstuurd met |outlook downloaden voor |outlook voor |
	skickat från |skickades från |hämta outlook för |sendt fra |sendt med |sendt via |hent outlook for |få outlook til |
	lähetetty |hanki outlook |wysłane z |wysłano z |pobierz outlook |odesláno z |odoslané z |отправлено с |отправлено из |надіслано з |
	elküldve |iphone'umdan gönderildi|trimis de pe |发自我的|来自我的|來自我的|發自我的|从我的|az iphone készülékemről küldve|iphoneから送信|私のiphoneから送信|나의 iphone에서 보냄|cópia enviada do |
	gönderen: |στάλθηκε από `))

// getWords are what mail programs for phones invite to do, at the beginning or
// the end of a line: "Get Outlook for Android".
var getWords = wordSet(`get download downloaden ophalen hent få hämta hanki pobierz získat získejte stáhnout скачать получить завантажити edinin beziehen
	herunterladen holen télécharger obtenir obtenez obtener obter baixe scarica ottieni descărcați letöltése 获取 下载 取得 入手`)

// isAppLine tells whether a line invites to Outlook for phones.
func isAppLine(t string) bool {
	if len(t) > 80 || !strings.Contains(t, "utlook") || !strings.Contains(t, "ndroid") && !strings.Contains(t, "iOS") {
		return false
	}
	low := strings.ToLower(t)
	words := strings.Fields(low)
	return len(words) > 2 && len(words) <= 7 && (getWords.set[words[0]] || getWords.set[words[len(words)-1]])
}

// excuses stand behind the line of a program, lower-case.
var excuses = splitPhrases(`. please excuse my brevity|. veuillez excuser ma brièveté|. bitte entschuldigen sie die kürze|. bitte entschuldigen sie meine kürze`)

// cutExcuse cuts such an excuse off.
func cutExcuse(t string) string {
	for _, e := range excuses {
		if n := len(t) - len(e); n > 0 && strings.EqualFold(t[n:], e) {
			return t[:n]
		}
	}
	return t
}

func splitPhrases(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, "|") {
		out = append(out, strings.TrimLeft(p, "\n\t"))
	}
	return out
}

var (
	angleURL    = regexp.MustCompile(`<(?:https?|mailto):[^<>]*>|\((?:https?|mailto):[^()]*\)`)
	bareURL     = regexp.MustCompile(`https?://\S+`)
	sentenceEnd = regexp.MustCompile(`[,;?!:]|\. `)
)

// isDeviceLine tells whether a line was appended by a program: "Sent from my
// iPhone". A sentence ("Sent from my desk, it is much easier") is not.
func isDeviceLine(line string) bool {
	if len(line) < 6 || len(line) > 300 {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(trimLeft(line, "*_[(")); unicode.IsLower(r) && !strings.HasPrefix(line, "iPhone") {
		return false
	}
	t := line
	if strings.IndexByte(line, ':') >= 0 && (strings.Contains(line, "://") || strings.Contains(line, "mailto:")) {
		t = bareURL.ReplaceAllString(angleURL.ReplaceAllString(line, ""), "")
	}
	t = strings.ReplaceAll(trimRight(trimLeft(t, "*_[]()<>. \t"), "*_[]()<>. \t"), "](", "")
	if isAppLine(t) {
		return true
	}
	prefix := devicePrefixes.of(t)
	if prefix != "" {
		t = cutExcuse(t)
	}
	if prefix == "" || len(strings.Fields(t)) > 10 {
		return false
	}
	t = strings.ToLower(t)
	if strings.HasPrefix(prefix, "von ") && !strings.Contains(t, "gesendet") && !strings.Contains(t, "gesandt") {
		return false
	}
	return !sentenceEnd.MatchString(strings.TrimPrefix(t, prefix))
}
