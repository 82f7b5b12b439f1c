package mailflow

import "strings"

// sense is what a phrase says; a phrase may have several.
type sense uint16

const (
	isSolved   sense = 1 << iota // the problem is gone, whatever was asked
	isWorks                      // a solution holds
	isNeedless                   // the request is withdrawn
	isNot                        // the problem is still there
	isYes
	isNo
	isNod    // ok: approves only where it answers the question
	isNoted  // received: never an approval
	isPolite // greetings, thanks, closings
	isFiller // for me, on our side: says nothing by itself
	isTime   // now, since this morning: not behind a bare yes
)

// phraseList is what one language says, as patterns: {a|b} is a or b, an empty
// one of them may be left out. They are folded like the texts.
type phraseList struct {
	solved, works, needless, not, yes, no, nod, noted, polite, filler, time []string
	greetings                                                               []string // that a name may follow
	closings                                                                []string // below which a signature stands
	doubts                                                                  string   // words
}

// senses are all phrases of all languages; people mix them.
var (
	senses        = map[string]sense{}
	longestPhrase int // in words
	greetings     = map[string]bool{}
	closings      = map[string]bool{}
	doubts        = map[string]bool{}
	inPhrase      = map[string]bool{} // words of phrases that say something
)

func init() {
	for _, l := range []*phraseList{&frenchPhrases, &englishPhrases, &germanPhrases, &spanishPhrases} {
		for k, patterns := range map[sense][]string{isSolved: l.solved, isWorks: l.works, isNeedless: l.needless, isNot: l.not,
			isYes: l.yes, isNo: l.no, isNod: l.nod, isNoted: l.noted, isPolite: append(append(l.polite, l.greetings...), l.closings...),
			isFiller: l.filler, isTime: l.time} {
			for _, p := range expandAll(patterns) {
				senses[p] |= k
				for w := range strings.FieldsSeq(p) {
					inPhrase[w] = inPhrase[w] || k&(isPolite|isFiller|isTime) == 0
				}
				longestPhrase = max(longestPhrase, strings.Count(p, " ")+1)
			}
		}
		for _, p := range expandAll(l.greetings) {
			greetings[p] = true
		}
		for _, p := range expandAll(l.closings) {
			closings[p] = true
		}
		for _, w := range strings.Fields(foldLetters(l.doubts)) {
			doubts[w] = true
		}
	}
}

// expandAll makes the phrases of patterns, folded.
func expandAll(patterns []string) []string {
	var out []string
	for _, p := range patterns {
		for _, s := range expand(p) {
			if s = strings.Join(wordsIn(s), " "); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// expand makes all texts of a pattern.
func expand(p string) []string {
	begin := strings.IndexByte(p, '{')
	if begin < 0 {
		return []string{p}
	}
	var choices []string
	end, depth, from := 0, 0, begin+1
	for i := begin; end == 0; i++ {
		switch p[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				choices, end = append(choices, p[from:i]), i
			}
		case '|':
			if depth == 1 {
				choices, from = append(choices, p[from:i]), i+1
			}
		}
	}
	var out []string
	for _, tail := range expand(p[end+1:]) {
		for _, c := range choices {
			for _, head := range expand(c) {
				out = append(out, p[:begin]+head+tail)
			}
		}
	}
	return out
}
