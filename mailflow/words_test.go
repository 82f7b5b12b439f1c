package mailflow

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guichet/mailflow/ticket"
)

const customerName = "Ada Customer"

// What a party's whole text says on a resolved ticket, asked whether it is.
func TestMeaningWhenAsked(t *testing.T) {
	check := func(want ticket.EventType, text string) {
		t.Helper()
		if got := meaning(text, customerName, ticket.Resolved, true); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	check(ticket.Approve, "Oui")
	check(ticket.Approve, "oui, merci")
	check(ticket.Approve, "Oui, tout fonctionne, vous pouvez clôturer.")
	check(ticket.Approve, "C’est réglé, merci beaucoup !")
	check(ticket.Approve, "Bonjour,\n\nÇa marche.\n\nBien cordialement,\nAda Customer")
	check(ticket.Approve, "Je confirme.")
	check(ticket.Approve, "Yes")
	check(ticket.Approve, "Hi,\nit works now, thank you so much!\nAda")
	check(ticket.Approve, "👍 Solved 🎉")
	check(ticket.Approve, "It's fixed.\n\nBest regards\nAda Customer")
	check(ticket.Approve, "IT WORKS")
	check(ticket.Approve, "Ja, es funktioniert. Vielen Dank!")
	check(ticket.Approve, "Hallo, das Problem ist gelöst. Viele Grüße")
	check(ticket.Approve, "Sí")
	check(ticket.Approve, "Hola, ya funciona, muchas gracias. Un saludo")
	check(ticket.Refuse, "Non")
	check(ticket.Refuse, "Non, ça ne marche toujours pas.")
	check(ticket.Refuse, "Bonjour, ce n’est pas réglé. Cordialement")
	check(ticket.Refuse, "No")
	check(ticket.Refuse, "No, it doesn’t work. Thanks, Ada")
	check(ticket.Refuse, "not solved 😡")
	check(ticket.Refuse, "Nein, es funktioniert nicht.")
	check(ticket.Refuse, "No funciona")
	check(ticket.Refuse, "no thanks")
	check(ticket.Thanked, "Merci !")
	check(ticket.Thanked, "Thank you very much, have a nice day\nAda Customer")
	check(ticket.Thanked, "Vielen Dank, viele Grüße")
	check(ticket.Thanked, "Muchas gracias")
	check(ticket.Thanked, "Parfait, merci")
	check(ticket.Answered, "")
	check(ticket.Answered, "👍")
	check(ticket.Answered, "Ada Customer")
	check(ticket.Answered, strings.Repeat("yes ", 101))
}

// What the same words say where nothing asks, and on a ticket that is open.
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

// honest are sentences of people that say neither yes nor no in plain words.
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
					if got := meaning(whole, customerName, state, asked); got != ticket.Answered {
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
	said := append(append(append([]string{}, solved...), works...), append(notSolved, "yes", "no")...)
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
