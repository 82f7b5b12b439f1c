package mailflow

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guichet/mailflow/ticket"
)

const customerName = "Ada Customer"

// What a party's whole new text says, a file a language: lines of a meaning and
// a text, below a state and whether our question is answered.
func TestMeaningTables(t *testing.T) {
	for _, lang := range []string{"fr", "en", "de", "es"} {
		b, err := os.ReadFile("testdata/words/" + lang + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		var state ticket.State
		asked, count := false, 0
		for i, l := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
			if head, ok := strings.CutPrefix(l, "== "); ok {
				s, question, _ := strings.Cut(head, ", ")
				state, asked = ticket.State(s), question == "asked"
				continue
			}
			want, text, _ := strings.Cut(l, "\t")
			count++
			if got := meaning(strings.ReplaceAll(text, `\n`, "\n"), customerName, state, asked); string(got) != want {
				t.Errorf("%s.txt:%d: %q is %s, want %s", lang, i+1, text, got, want)
			}
		}
		if count < 60 {
			t.Errorf("%s.txt has %d phrases", lang, count)
		}
	}
}

// Words about a solution mean the same in every state that is not settled,
// and a yes is one nowhere but behind our question.
func TestMeaningByState(t *testing.T) {
	check := func(state ticket.State, asked bool, want ticket.EventType, text string) {
		t.Helper()
		if got := meaning(text, customerName, state, asked); got != want {
			t.Errorf("%s, asked %v: %q is %s, want %s", state, asked, text, got, want)
		}
	}
	check(ticket.Resolved, false, ticket.Answered, "yes")
	check(ticket.Resolved, false, ticket.Answered, "Non")
	check(ticket.Resolved, false, ticket.Approve, "ça marche")
	check(ticket.Resolved, false, ticket.Refuse, "le problème persiste")
	check(ticket.Closed, false, ticket.Refuse, "It doesn't work")
	check(ticket.Closed, false, ticket.Approve, "it works")
	check(ticket.Closed, true, ticket.Thanked, "Danke")
	check(ticket.Open, false, ticket.Withdraw, "C'est réglé, merci")
	check(ticket.Open, false, ticket.Withdraw, "Hello, the problem is solved, you can close the ticket. Thanks, Ada")
	check(ticket.New, false, ticket.Withdraw, "Hat sich erledigt, danke")
	check(ticket.Pending, false, ticket.Withdraw, "Está solucionado. Gracias")
	check(ticket.Frozen, false, ticket.Withdraw, "résolu")
	check(ticket.Open, false, ticket.Answered, "It works") // an answer to a question
	check(ticket.Pending, true, ticket.Answered, "yes")
	check(ticket.Pending, false, ticket.Answered, "oui, c'est bon")
	check(ticket.Pending, true, ticket.Answered, "not solved")
	check(ticket.Open, false, ticket.Thanked, "thanks!")
}

// honest are sentences of people that approve nothing in plain words.
var honest = []string{
	"Yes, but the printer still blinks.", "c'est bon, mais lentement", "it works? no", "it works, sometimes",
	"It works. Not.", "yes and no", "Ça marche ?", "C'est réglé ?", "Is it solved?", "Solved?", "Résolu ?",
	"It works now?", "¿Está solucionado?", "Funktioniert es?", "Es funktioniert?", "Oui ?", "No?", "Fixed？",
	"It works for Bob, for me it does not", "It would be solved if you called", "When it works, I confirm",
	"I will confirm tomorrow", "Please do not close the ticket", "you can close the ticket when it works",
	"not yet solved", "nothing is solved", "almost solved", "the problem is solved on one machine",
	"Oui, sauf le mardi", "je confirme que rien ne marche", "pas tout à fait", "pas mal, merci",
	"c'est bon pour moi, à vérifier avec Bob", "tout fonctionne sauf le téléphone", "ce n'est pas bon",
	"cela fonctionne moins bien", "je ne confirme pas", "Ja, aber nur langsam", "es geht so", "es funktioniert nur manchmal",
	"das Problem ist nicht ganz gelöst", "noch nicht", "sí, pero no siempre", "ya funciona a veces", "no sé",
	"no, it works", "no solved", "yes no", "thanks, but no", "I approve of nothing", "it is resolved that we leave you",
	"resolved: the ticket of Bob, not mine", "merci de me rappeler", "thanks for nothing, it is broken again",
	"Danke, aber der Fehler ist wieder da", "it works\nit stopped again", "Best regards to Bob, who says it works",
}

func TestMeaningMisreadsNothing(t *testing.T) {
	for _, text := range honest {
		for _, state := range []ticket.State{ticket.New, ticket.Open, ticket.Pending, ticket.Frozen, ticket.Resolved, ticket.Closed} {
			for _, asked := range []bool{true, false} {
				for _, whole := range []string{text, "Hello,\n" + text + "\nBest regards\nAda Customer", "Bonjour, " + text + " Merci !"} {
					if got := meaning(whole, customerName, state, asked); got != ticket.Answered && got != ticket.Refuse {
						t.Errorf("%s, asked %v: %q is %s", state, asked, whole, got)
					}
				}
			}
		}
	}
}

// A writer's name is no word of his, and no word of his is his name.
func TestMeaningOfNames(t *testing.T) {
	check := func(name, text string, want ticket.EventType) {
		t.Helper()
		if got := meaning(text, name, ticket.Resolved, true); got != want {
			t.Errorf("%s: %q is %s, want %s", name, text, got, want)
		}
	}
	check("Jean-Luc d'Été", "Ça marche, merci.\nJean-Luc d’Été", ticket.Approve)
	check("It Works", "it works", ticket.Answered)
	check("Marie de Pas", "Pas résolu", ticket.Refuse)
	check("Tae-woo No", "no está solucionado", ticket.Refuse)
	check("Anna Nicht", "es ist nicht gelöst. Anna", ticket.Refuse)
}

// Whoever adds a word that no phrase holds has said something else.
func TestMeaningProperty(t *testing.T) {
	var said []string
	for _, l := range languages {
		for _, p := range slices.Concat(l.solved, l.works, l.not, l.yes, l.no) {
			said = append(said, expand(p)...)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		words := strings.Fields(rapid.SampledFrom(said).Draw(t, "phrase"))
		at := rapid.IntRange(0, len(words)).Draw(t, "at")
		other := rapid.SampledFrom([]string{"xylophone", "mais", "but", "aber", "pero", "unless", "?"}).Draw(t, "other")
		text := strings.Join(words[:at], " ") + " " + other + " " + strings.Join(words[at:], " ")
		state := rapid.SampledFrom([]ticket.State{ticket.Open, ticket.Resolved, ticket.Closed}).Draw(t, "state")
		if got := meaning(text, customerName, state, rapid.Bool().Draw(t, "asked")); got != ticket.Answered {
			t.Fatalf("%q is %s", text, got)
		}
	})
}

// The book, which is made without the texts, holds just the phrases that the
// patterns' texts are.
func TestPhraseBook(t *testing.T) {
	want := book{senses: map[uint64]sense{}, telling: map[uint64]bool{}}
	for _, l := range languages {
		for k, patterns := range l.bySense() {
			for _, p := range patterns {
				for _, text := range expand(p) {
					words := wordsIn(text)
					if slices.Contains(words, "") {
						t.Errorf("a mark is in %q, of %q", text, p)
					}
					if len(words) == 0 {
						continue
					}
					want.senses[hashWords(words)] |= k
					want.longest = max(want.longest, len(words))
					for _, w := range words {
						h := hashWord(hashStart, w)
						want.telling[h] = want.telling[h] || k&(isPolite|isFiller|isTime) == 0
					}
				}
			}
		}
	}
	got := phraseBook()
	if !maps.Equal(got.senses, want.senses) || !maps.Equal(got.telling, want.telling) || got.longest != want.longest {
		t.Errorf("%d phrases of %d words and up to %d, want %d of %d and up to %d",
			len(got.senses), len(got.telling), got.longest, len(want.senses), len(want.telling), want.longest)
	}
}

// expand makes all texts of a pattern.
func expand(p string) []string {
	begin := strings.IndexByte(p, '{')
	if begin < 0 {
		return []string{p}
	}
	choices, rest := alternatives(p[begin:])
	var out []string
	for _, tail := range expand(rest) {
		for _, c := range choices {
			for _, head := range expand(c) {
				out = append(out, p[:begin]+head+tail)
			}
		}
	}
	return out
}
