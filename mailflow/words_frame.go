package mailflow

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A mail's frame is its greeting and its signature. They are cut off only
// where they can be nothing else: no sentence must be lost with them.

// withoutGreeting takes a name off the first line where it greets or thanks
// somebody: "Bonjour Paul," "Thanks Ada!"
func withoutGreeting(lines []string) []string {
	for i, l := range lines {
		if len(wordsIn(l)) == 0 {
			continue
		}
		end := len(l)
		if n := strings.IndexAny(l, ",!"); n >= 0 {
			end = n
		}
		words := wordsIn(l[:end])
		n := greeted(words)
		if n == 0 || n == len(words) || !isNames(l[:end], words[n:]) {
			return lines
		}
		greeting := strings.Join(words[:n], " ") + l[end:]
		return slices.Concat([]string{greeting}, lines[i+1:])
	}
	return lines
}

// greeted says how many words a line greets with.
func greeted(words speech) int {
	for n := min(3, len(words)); n > 0; n-- {
		if phraseBook().greetings[hashWords(words[:n])] {
			return n
		}
	}
	return 0
}

// isNames says that the last words of a line, up to three, are written as
// names are, and that none of them is a word of ours.
func isNames(line string, words speech) bool {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	if len(words) > 3 {
		return false
	}
	fields := strings.Fields(line)
	for i, w := range words {
		if isDoubt(w) || phraseBook().telling[hashWord(hashStart, w)] {
			return false
		}
		field := fields[max(len(fields)-len(words)+i, 0)]
		if r, _ := utf8.DecodeRuneInString(field); !unicode.IsUpper(r) {
			return false
		}
	}
	return true
}

// withoutSignature drops what stands below a closing formula, or a line that
// is the writer's name, if it reads like a signature to its end.
func withoutSignature(lines []string, name string) []string {
	own := wordsIn(name)
	for i, l := range lines {
		words := slices.DeleteFunc(wordsIn(l), func(w string) bool { return w == "" })
		closes := phraseBook().closings[hashWords(words)]
		named := len(words) > 0 && len(own) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(own, w) })
		if (closes || named) && i > 0 && isSignature(lines[i+1:], named, own) {
			if named {
				return lines[:i]
			}
			return lines[:i+1]
		}
	}
	return lines
}

// isSignature says that lines below a closing are a name and where it works:
// few and short, none a sentence or a second thought.
func isSignature(lines []string, named bool, own speech) bool {
	count := 0
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l == "" {
			continue
		}
		if count++; count > 8 || utf8.RuneCountInString(l) > 70 || doubtful(l) || !titled(l) {
			return false
		}
		if count == 1 && !named && !signs(l, own) {
			return false
		}
	}
	return true
}

// signs says that the first line below a closing holds the writer's name, or
// what could be it.
func signs(line string, own speech) bool {
	words := wordsIn(line)
	return slices.ContainsFunc(words, func(w string) bool { return w != "" && slices.Contains(own, w) }) || isNames(line, words)
}

// titled says that a line is written like a title, a place or a number: at
// most one word of four letters or more begins small, and it tells of no
// trouble.
func titled(line string) bool {
	small := 0
	for _, f := range strings.Fields(line) {
		f = strings.TrimFunc(f, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		r, _ := utf8.DecodeRuneInString(f)
		if strings.ContainsAny(f, "@/.") {
			continue // an address
		}
		if unicode.IsLower(r) && utf8.RuneCountInString(f) > 3 {
			small++
		}
		if w := foldLetters(f); phraseBook().telling[hashWord(hashStart, w)] && len(w) > 3 || w == "ps" || w == "nb" {
			return false
		}
	}
	return small <= 1
}
