package mailflow

import (
	"slices"
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
	senses    map[uint64]sense // of phrases
	longest   int              // phrase, in words
	greetings map[uint64]bool  // phrases
	closings  map[uint64]bool  // phrases
	telling   map[uint64]bool  // words of phrases that say something
	doubts    map[string]bool
}

// phraseBook is the book. Whoever starts the program and reads no answer goes
// without.
var phraseBook = sync.OnceValue(func() *book {
	b := &book{senses: make(map[uint64]sense, 1<<17), greetings: map[uint64]bool{}, closings: map[uint64]bool{},
		telling: map[uint64]bool{}, doubts: map[string]bool{}}
	for _, l := range languages {
		for k, patterns := range l.bySense() {
			tells := k&(isPolite|isFiller|isTime) == 0
			eachPhrase(patterns, func(s spelling) {
				b.senses[s.phrase] |= k
				b.longest = max(b.longest, s.words)
			}, func(word uint64) { b.telling[word] = b.telling[word] || tells })
		}
		eachPhrase(l.greetings, func(s spelling) { b.greetings[s.phrase] = true }, nil)
		eachPhrase(l.closings, func(s spelling) { b.closings[s.phrase] = true }, nil)
		for _, w := range strings.Fields(foldLetters(l.doubts)) {
			b.doubts[w] = true
		}
	}
	return b
})

var languages = []*phraseList{&frenchPhrases, &englishPhrases, &germanPhrases, &spanishPhrases}

// bySense is the list with what its phrases say.
func (l *phraseList) bySense() map[sense][]string {
	return map[sense][]string{isSolved: l.solved, isWorks: l.works, isNeedless: l.needless, isNot: l.not,
		isYes: l.yes, isNo: l.no, isNod: l.nod, isNoted: l.noted, isPolite: slices.Concat(l.polite, l.greetings, l.closings),
		isFiller: l.filler, isTime: l.time}
}

// spelling is a phrase as far as it is spelt out, in hashes (64-bit FNV-1a)
// that begin with hashStart.
type spelling struct {
	phrase, word uint64 // word is the one that is begun, if one is
	begun        bool
	words        int
}

const hashStart uint64 = 14695981039346656037

func hashByte(h uint64, c byte) uint64 { return (h ^ uint64(c)) * 1099511628211 }

// hashWord adds a whole word to the hash of those before it.
func hashWord(h uint64, word string) uint64 {
	for i := range len(word) {
		h = hashByte(h, word[i])
	}
	return hashByte(h, ' ')
}

// hashWords is the hash of a phrase.
func hashWords(words speech) uint64 {
	h := hashStart
	for _, w := range words {
		h = hashWord(h, w)
	}
	return h
}

// spell adds a byte of a phrase; a blank ends the word, for which word is
// called with its hash if it is not nil.
func (s spelling) spell(c byte, word func(uint64)) spelling {
	if c != ' ' {
		s.phrase, s.word, s.begun = hashByte(s.phrase, c), hashByte(s.word, c), true
		return s
	}
	if !s.begun {
		return s
	}
	if word != nil {
		word(hashByte(s.word, ' '))
	}
	return spelling{phrase: hashByte(s.phrase, ' '), word: hashStart, words: s.words + 1}
}

// eachPhrase calls phrase with each of the phrases that the patterns stand
// for, and word with the words in them. What phrases have in common is spelt
// once: their texts would be megabytes. Patterns have no mark but {|} and no
// apostrophe at a word's edge.
func eachPhrase(patterns []string, phrase func(spelling), word func(uint64)) {
	var read func(p string, s spelling, then func(spelling))
	read = func(p string, s spelling, then func(spelling)) {
		for i := range len(p) {
			if p[i] == '{' {
				choices, rest := alternatives(p[i:])
				for _, c := range choices {
					read(c, s, func(s spelling) { read(rest, s, then) })
				}
				return
			}
			s = s.spell(p[i], word)
		}
		then(s)
	}
	for _, p := range patterns {
		read(plainI(foldLetters(p)), spelling{phrase: hashStart, word: hashStart}, func(s spelling) {
			if s = s.spell(' ', word); s.words > 0 {
				phrase(s)
			}
		})
	}
}

// alternatives are the choices in the braces with which p begins, and what
// follows them.
func alternatives(p string) (choices []string, rest string) {
	depth, from := 0, 1
	for i := range len(p) {
		switch {
		case p[i] == '{':
			depth++
		case p[i] == '|' && depth == 1:
			choices, from = append(choices, p[from:i]), i+1
		case p[i] == '}':
			if depth--; depth == 0 {
				return append(choices, p[from:i]), p[i+1:]
			}
		}
	}
	panic("a pattern's brace is not closed: " + p)
}
