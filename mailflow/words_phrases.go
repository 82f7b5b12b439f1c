package mailflow

import (
	"strings"
	"sync"
)

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

// book is all phrases of all languages; people mix them. There are so many
// that their hashes are kept and not their texts.
type book struct {
	senses    map[uint64]sense // by phraseHash
	longest   int              // phrase, in words
	greetings map[string]bool
	closings  map[string]bool
	doubts    map[string]bool
	inPhrase  map[string]bool // words of phrases that say something
}

// phraseBook is the book, which takes some tenths of a second to read: whoever
// starts the program and reads no answer goes without. It is asked for before
// the transaction that judges words, in which nobody else could write.
var phraseBook = sync.OnceValue(func() *book {
	b := &book{senses: map[uint64]sense{}, greetings: map[string]bool{}, closings: map[string]bool{},
		doubts: map[string]bool{}, inPhrase: map[string]bool{}}
	eachPhrase(func(words speech, k sense) {
		h := phraseStart
		for _, w := range words {
			h = phraseHash(h, w)
			b.inPhrase[w] = b.inPhrase[w] || k&(isPolite|isFiller|isTime) == 0
		}
		b.senses[h] |= k
		b.longest = max(b.longest, len(words))
	})
	for _, l := range languages {
		expandAll(l.greetings, func(words speech) { b.greetings[strings.Join(words, " ")] = true })
		expandAll(l.closings, func(words speech) { b.closings[strings.Join(words, " ")] = true })
		for _, w := range strings.Fields(foldLetters(l.doubts)) {
			b.doubts[w] = true
		}
	}
	return b
})

var languages = []*phraseList{&frenchPhrases, &englishPhrases, &germanPhrases, &spanishPhrases}

// eachPhrase calls fn with all phrases and what they say.
func eachPhrase(fn func(words speech, k sense)) {
	for _, l := range languages {
		for k, patterns := range map[sense][]string{isSolved: l.solved, isWorks: l.works, isNeedless: l.needless, isNot: l.not,
			isYes: l.yes, isNo: l.no, isNod: l.nod, isNoted: l.noted, isPolite: append(append(l.polite, l.greetings...), l.closings...),
			isFiller: l.filler, isTime: l.time} {
			expandAll(patterns, func(words speech) { fn(words, k) })
		}
	}
}

// phraseHash adds a word to the hash of those before it (64-bit FNV-1a), which
// begins with phraseStart.
func phraseHash(h uint64, word string) uint64 {
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	return (h ^ ' ') * 1099511628211
}

const phraseStart uint64 = 14695981039346656037

// expandAll calls fn with the folded words of each phrase of the patterns.
func expandAll(patterns []string, fn func(words speech)) {
	for _, p := range patterns {
		for _, s := range expand(foldLetters(p)) {
			if words := foldedWords(s); len(words) > 0 {
				fn(words)
			}
		}
	}
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
