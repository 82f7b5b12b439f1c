package mailflow

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"guichet/mailflow/ticket"
)

// meaning reads what a party's whole new text plainly says about the ticket.
// What is not plain is an ordinary answer: it opens the ticket again, which
// costs an agent a look, while a wrong approval would cost the customer.
//
// So every word must be known: a text is plain if phrases of words_*.go, and
// nothing else, make it up, and none reaches over a mark such as a comma. "No
// funciona" is one phrase; "No, funciona" are two that do not agree.
//
// "It works" ends only what is resolved: to an agent's question on an open
// ticket it is an answer. A bare yes or no speaks of the solution only where
// asked is set: the mail answers our question whether it is solved.
func meaning(text, name string, state ticket.State, asked bool) ticket.EventType {
	if len(text) > maxPlain || strings.ContainsAny(text, "?¿？؟") {
		return ticket.Answered // "is it solved?" says nothing
	}
	mood := moodOf(text)
	said := speechOf(text, name)
	switch {
	case mood < 0 && !said.of(isNot, isNot|isNo|isPolite|isFiller|isTime) || len(said) == 0 && mood == 0:
		return ticket.Answered // a sad face, or nothing at all but perhaps a picture
	case len(said) == 0:
		return ticket.Thanked
	case state == ticket.Resolved || state == ticket.Closed:
		return said.ofSolution(asked)
	case said.of(isSolved|isNeedless, isSolved|isNeedless|isWorks|isPolite|isFiller|isTime):
		return ticket.Withdraw
	case said.of(isPolite, isPolite|isNoted|isFiller):
		return ticket.Thanked
	}
	return ticket.Answered
}

// maxPlain is how long a plain text can be, in bytes.
const maxPlain = 700

// ofSolution reads words about a solution that we have told.
func (s speech) ofSolution(asked bool) ticket.EventType {
	refuses, nods := isNot, isNod
	if asked {
		refuses, nods = isNot|isNo, 0
	}
	switch {
	case s.of(refuses, isNot|isNo|isPolite|isFiller|isTime):
		return ticket.Refuse
	case s.of(isSolved|isWorks|isNeedless, isSolved|isWorks|isNeedless|isYes|isNod|isNoted|isPolite|isFiller|isTime),
		asked && s.of(isYes|isNod, isYes|isNod|isPolite|isFiller):
		return ticket.Approve
	case s.of(isPolite|isNoted|nods, isPolite|isNoted|isFiller|nods):
		return ticket.Thanked
	}
	return ticket.Answered
}

// speech is a text in words; "" stands for a mark that no phrase reaches over.
type speech []string

// of says that a text is made of allowed phrases alone, at least one of them
// of a kind that says something: "oui, tout fonctionne, vous pouvez clôturer".
func (s speech) of(telling, allowed sense) bool {
	b := phraseBook()
	reached := make([]sense, len(s)+1) // 1: so far nothing was told, 2: something was
	reached[0] = 1
	for i := range s {
		if reached[i] == 0 {
			continue
		}
		if s[i] == "" {
			reached[i+1] |= reached[i]
			continue
		}
		phrase := hashStart
		for n := 0; n < b.longest && i+n < len(s) && s[i+n] != ""; n++ {
			phrase = hashWord(phrase, s[i+n])
			switch k := b.senses[phrase]; {
			case k&telling&allowed != 0:
				reached[i+n+1] |= 2
			case k&allowed != 0:
				reached[i+n+1] |= reached[i]
			}
		}
	}
	return reached[len(s)]&2 != 0
}

// speechOf is what a text says, in folded words: without its greeting, and
// without the writer's name and what stands below a closing formula.
func speechOf(text, name string) speech {
	lines := strings.Split(text, "\n")
	lines = withoutSignature(withoutGreeting(lines), name)
	var said speech
	for i, l := range lines {
		if i > 0 && strings.TrimSpace(lines[i-1]) == "" {
			said = append(said, "")
		}
		said = append(said, wordsIn(l)...)
	}
	return trimName(slices.Compact(said), name)
}

// trimName takes the writer's own name off the end. Within the text a name may
// be a word: the family name No, or Pas.
func trimName(said speech, name string) speech {
	own := wordsIn(name)
	for len(said) > 0 && (said[len(said)-1] == "" || slices.Contains(own, said[len(said)-1])) {
		said = said[:len(said)-1]
	}
	for len(said) > 0 && said[0] == "" {
		said = said[1:]
	}
	return said
}

// wordsIn are the words of a line, folded. Marks and pictures are each "".
func wordsIn(line string) speech { return foldedWords(foldLetters(line)) }

func foldedWords(s string) (words speech) {
	begin := -1
	s += "\n"
	for i, r := range s {
		inWord := unicode.IsLetter(r) || unicode.IsDigit(r) || r == '\''
		switch {
		case inWord && begin < 0:
			begin = i
		case !inWord && begin >= 0:
			if w := strings.Trim(s[begin:i], "'"); w != "" {
				words = append(words, plainI(w))
			}
			begin = -1
		}
		if !inWord && !unicode.IsSpace(r) && !unicode.Is(unicode.Variation_Selector, r) && r != '\u200d' {
			words = append(words, "")
		}
	}
	return words
}

// foldLetters is s in lower case without accents, as people write who have no
// time. The í stays, for plainI.
func foldLetters(s string) string {
	return plainLetters.Replace(strings.ToLower(s))
}

// plainI takes the accents off the i, but for the Spanish yes: without it, it
// is "if".
func plainI(s string) string {
	if !strings.Contains(s, "í") {
		return s
	}
	return spanishYes.ReplaceAllStringFunc(s, func(w string) string {
		if w == "sí" {
			return w
		}
		return strings.ReplaceAll(w, "í", "i")
	})
}

var spanishYes = regexp.MustCompile(`[\pL\pN']+`)

var plainLetters = strings.NewReplacer("’", "'", "‘", "'", "`", "'", "´", "'", "œ", "oe", "æ", "ae", "ß", "ss",
	"à", "a", "á", "a", "â", "a", "ä", "a", "ã", "a", "ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e",
	"ì", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o", "ô", "o", "ö", "o", "ù", "u", "ú", "u", "û", "u", "ü", "u",
	"e\u0301", "e", "e\u0300", "e", "e\u0302", "e", "a\u0300", "a", "c\u0327", "c", "u\u0308", "u", "o\u0308", "o", "a\u0308", "a",
	"i\u0301", "í", "n\u0303", "n", "o\u0301", "o", "a\u0301", "a", "u\u0301", "u")

// moodOf is what the pictures of a text say: 1 for thumbs up and the like
// alone, -1 where any of them is sad or cross, 0 without any.
func moodOf(text string) int {
	mood := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("👎😡😠😤🙄😒❌🤬😞😢😭💩🤔😕🙁☹😟😩😫🤷🤦⛔🚫😐😑⚠", r):
			return -1
		case strings.ContainsRune("👍🙏😊🙂😀😃😄😁👌✅🎉❤♥🤝💪✔☺😉🥳🙌👏⭐🌟", r):
			mood = 1
		}
	}
	return mood
}

// doubtful says that a text has a but, a not, a trouble or a question.
func doubtful(text string) bool {
	if strings.ContainsAny(text, "?¿？؟") || moodOf(text) < 0 {
		return true
	}
	return slices.ContainsFunc(wordsIn(text), isDoubt)
}

// isDoubt says that a folded word is one of doubt.
func isDoubt(w string) bool {
	return phraseBook().doubts[w] || strings.HasSuffix(w, "n't") || strings.HasPrefix(w, "n'")
}
