package rfc822

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// closings are the formulas above a writer's name, lower-case and without
// what surrounds them. Thanks are none: they say something.
var closings = closingSet(`best regards|kind regards|regards|warm regards|warmest regards|with kind regards|with best regards|with regards|kindest regards|
	best wishes|with best wishes|all the best|many regards|best|cheers|br|kr|rgds|brgds|
	cordialement|bien cordialement|très cordialement|tres cordialement|cdt|cdlt|bien à vous|bien à toi|bien a vous|sincères salutations|sinceres salutations|
	salutations|salutations distinguées|meilleures salutations|cordiales salutations|bonne journée|bonne soirée|bonne réception|bonne fin de journée|
	excellente journée|bon week-end|respectueusement|amicalement|amitiés|sincèrement|très sincèrement|bien sincèrement|a bientôt|à bientôt|
	mit freundlichen grüßen|mit freundlichen grüssen|mit freundlichen gruessen|mit freundlichem gruß|mit freundlichem gruss|mit besten grüßen|mit besten grüssen|
	mit lieben grüßen|mit vielen grüßen|freundliche grüße|freundliche grüsse|freundlichen gruß|beste grüße|beste grüsse|besten gruß|viele grüße|viele grüsse|
	liebe grüße|liebe grüsse|lieben gruß|schöne grüße|herzliche grüße|herzlichen gruß|hochachtungsvoll|grüße|grüsse|gruß|gruss|mfg|lg|vg|bg|
	saludos|un saludo|un cordial saludo|saludos cordiales|cordiales saludos|atentamente|atte|muy atentamente|un saludo cordial|un abrazo|reciba un cordial saludo|
	saluti|cordiali saluti|distinti saluti|un cordiale saluto|cordialmente|un saluto|buona giornata|buona serata|i migliori saluti|
	met vriendelijke groet|met vriendelijke groeten|vriendelijke groet|vriendelijke groeten|met hartelijke groet|hartelijke groet|hartelijke groeten|
	groeten|groet|groetjes|mvg|hoogachtend|
	atenciosamente|cumprimentos|com os melhores cumprimentos|melhores cumprimentos|os melhores cumprimentos|abraço|abraços|um abraço|cordiais saudações|att|
	pozdrawiam|pozdrawiam serdecznie|serdecznie pozdrawiam|z poważaniem|z powazaniem|z wyrazami szacunku|pozdrowienia|pzdr|
	med vänliga hälsningar|med vänlig hälsning|vänliga hälsningar|vänlig hälsning|bästa hälsningar|hälsningar|hälsning|mvh|vh|
	hilsen|venlig hilsen|med venlig hilsen|de bedste hilsner|bedste hilsner|mange hilsner|kh|kærlig hilsen|vennlig hilsen|med vennlig hilsen|med hilsen|hilsner|
	beste hilsen|ystävällisin terveisin|terveisin|parhain terveisin|ystävällisesti|
	s pozdravem|s pozdravom|s přátelským pozdravem|s úctou|hezký den|üdvözlettel|tisztelettel|üdv|
	с уважением|с наилучшими пожеланиями|всего доброго|с повагою|з повагою|с поздрав|поздрави|cu stimă|cu stima|cu respect|cu drag|
	saygılarımla|saygılarımızla|iyi çalışmalar|με εκτίμηση|φιλικά|lep pozdrav|lijep pozdrav|s poštovanjem|s spoštovanjem|pagarbiai|ar cieņu|lugupidamisega|
	敬具|よろしくお願いします|よろしくお願いいたします|宜しくお願いします|宜しくお願い致します|此致|此致敬礼|祝好|顺颂商祺|敬上|감사합니다`)

func closingSet(s string) map[string]bool {
	set := make(map[string]bool)
	for _, p := range splitPhrases(s) {
		set[p] = true
	}
	return set
}

// politeEnds are words of the long formulas of letters, which begin with one
// of politeStarts: "Je vous prie d'agréer, Madame, … salutations distinguées."
var (
	politeStarts = newPrefixes(splitPhrases(`je vous prie d|nous vous prions d|veuillez agréer|veuillez recevoir|veuillez croire|recevez|dans l'attente de votre r|dans l’attente de votre r`))
	politeEnds   = splitPhrases(`salutations|sentiments|considération|cordialement`)
)

const (
	// maxClosing is how many lines with text may follow a closing formula:
	// a name, what he does, where, and how to reach him.
	maxClosing = 14
	// maxClosingWords is how many words such a line has at most.
	maxClosingWords = 9
	maxClosingLine  = 120
	maxFormula      = 60 // bytes of the longest in the list, and some
)

// afterthoughts begin what is said after all.
var afterthoughts = newPrefixes([]string{"ps", "p.s", "p. s", "p.-s", "nb", "n.b", "#"})

// wordCount is the number of words of s, without a copy of each.
func wordCount(s string) int {
	n := 0
	for range strings.FieldsSeq(s) {
		n++
	}
	return n
}

// withoutClosing cuts the signature that only a closing formula announces:
// "Cordialement," and the name and address below it, down to the end. It is
// kept where anything below it may be more than that, and where nothing would
// be left.
func withoutClosing(text string) string {
	seen, slash := 0, -1 // lines with text below, and where "/Anna" begins
	for end := len(text); end > 0; {
		from := strings.LastIndexByte(text[:end], '\n') + 1
		t := strings.TrimSpace(plainBlanks(text[from:end]))
		end = from - 1
		if t == "" {
			continue
		}
		if seen > 0 && isClosing(t) || isClosingWithName(t) {
			if !onlySignature(text[from:]) {
				return text
			}
			return orWhole(text[:from], text)
		}
		if slash >= 0 { // no formula above it
			break
		}
		if seen == 0 && isSlashName(t) && strings.HasSuffix(text[:from], "\n\n") {
			slash = from
		}
		if seen++; seen > maxClosing || !mayFollowClosing(t) {
			break
		}
	}
	if slash > 0 {
		return orWhole(text[:slash], text)
	}
	return text
}

// onlySignature tells whether what stands below a closing formula, which is
// its first line, is a signature to its end: below the formula's own paragraph
// each one begins with a name, or says how to reach somebody.
func onlySignature(text string) bool {
	paragraphs := strings.Split(plainBlanks(text), "\n\n")
	for _, p := range paragraphs[1:] {
		p = strings.TrimSpace(p)
		first, _, _ := strings.Cut(p, "\n")
		if p != "" && !isName(first) && !hasContact(p) {
			return false
		}
	}
	return true
}

// hasContact tells whether a text holds an address, a link or a telephone
// number.
func hasContact(text string) bool {
	if strings.Contains(text, "@") || strings.Contains(text, "://") || strings.Contains(text, "www.") {
		return true
	}
	for line := range strings.Lines(text) {
		if isPhone(line) {
			return true
		}
	}
	return false
}

// isPhone tells whether a line is a telephone number, perhaps below a label: at
// least seven digits, in groups or from a 0 or + on.
func isPhone(line string) bool {
	at := strings.IndexAny(line, "+(0123456789")
	if at < 0 || at > 20 {
		return false
	}
	number := strings.TrimSpace(line[at:])
	digits := 0
	for i := range len(number) {
		switch c := number[i]; {
		case c >= '0' && c <= '9':
			digits++
		case strings.IndexByte(" .-/()+", c) < 0:
			return false
		}
	}
	return digits >= 7 && (number[0] == '+' || number[0] == '0' || number[0] == '(' || digits < len(number))
}

// orWhole is rest, unless that says nothing but a greeting.
func orWhole(rest, text string) string {
	rest = strings.TrimRight(rest, " \t\n")
	if wordCount(rest) > 2 || strings.ContainsAny(rest, ".?!\n") {
		return rest
	}
	return text
}

// isClosing tells whether a line is a closing formula.
func isClosing(line string) bool {
	if len(line) > maxClosingLine {
		return false
	}
	if isFormula(line) {
		return true
	}
	if politeStarts.of(line) == "" {
		return false
	}
	low := strings.ToLower(line)
	for _, p := range politeEnds {
		if strings.Contains(low, p) {
			return true
		}
	}
	return false
}

// isFormula looks a line up in the list, without what surrounds it.
func isFormula(line string) bool {
	line = strings.Trim(line, " \t,.!;:*_-–—~|")
	if len(line) > maxFormula {
		return false
	}
	if strings.Contains(line, "  ") || strings.Contains(line, "’") {
		line = strings.Join(strings.Fields(strings.ReplaceAll(line, "’", "'")), " ")
	}
	var low [2 * maxFormula]byte
	return closings[string(appendLower(low[:0], line))]
}

// isClosingWithName tells whether formula and name share a line, as in
// "Cordialement, Jean Dupont".
func isClosingWithName(line string) bool {
	if len(line) > maxClosingLine {
		return false
	}
	head, name, ok := strings.Cut(line, ",")
	return ok && len(head) > 3 && isName(name) && isFormula(head)
}

// isName tells whether s is one to four capitalised words.
func isName(s string) bool {
	n := 0
	for w := range strings.FieldsSeq(strings.Trim(s, " .,!*_")) {
		if r, _ := utf8.DecodeRuneInString(w); !unicode.IsUpper(r) {
			return false
		}
		n++
	}
	return n > 0 && n <= 4
}

// isSlashName is how Swedes and Danes sign: "/Anna".
func isSlashName(line string) bool {
	name := strings.TrimLeft(line, "/")
	return len(name) < len(line) && len(line)-len(name) <= 2 && len(line) < 40 && isName(name) && !strings.ContainsAny(name, "/0123456789")
}

// mayFollowClosing tells whether a line may stand below a closing formula: it
// is short and no sentence, quote, or file within the text ("<<report.doc>>").
func mayFollowClosing(line string) bool {
	if len(line) > maxClosingLine || strings.HasSuffix(line, "?") || strings.HasSuffix(line, "!") || strings.HasPrefix(line, ">") || strings.HasPrefix(line, "<<") {
		return false
	}
	if p := afterthoughts.of(line); p != "" && (len(line) == len(p) || !isLetter(line[len(p)])) {
		return false
	}
	words := wordCount(line)
	return words <= maxClosingWords && !(words > 5 && strings.HasSuffix(line, "."))
}
