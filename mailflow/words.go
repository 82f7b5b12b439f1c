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
// "It works" ends only what is resolved: to an agent's question on an open
// ticket it is an answer. A bare yes or no speaks of the solution only where
// asked is set: the mail answers our question whether it is solved.
func meaning(text, name string, state ticket.State, asked bool) ticket.EventType {
	said := bare(text, name)
	settled := state == ticket.Resolved || state == ticket.Closed
	refuses, approves := notSolved, slices.Concat(solved, works)
	if asked {
		refuses, approves = slices.Concat(refuses, no), slices.Concat(approves, yes, nods)
	}
	switch {
	case strings.ContainsAny(text, "?¿？؟"):
		return ticket.Answered // "is it solved?" says nothing
	case said == "":
		if plain(text, name) == "" {
			return ticket.Answered // nothing at all, perhaps only a picture
		}
		return ticket.Thanked
	case settled && composed(said, refuses):
		return ticket.Refuse
	case settled && composed(said, approves):
		return ticket.Approve
	case !settled && composed(said, solved):
		return ticket.Withdraw
	case settled && composed(said, nods):
		return ticket.Thanked
	}
	return ticket.Answered
}

// composed says that a text is made of phrases alone, one or several: "oui,
// tout fonctionne, vous pouvez clôturer".
func composed(said string, phrases []string) bool {
	words := strings.Fields(said)
	reached := make([]bool, len(words)+1)
	reached[0] = true
	for i := range words {
		for n := 1; reached[i] && n <= 8 && i+n <= len(words); n++ {
			if slices.Contains(phrases, strings.Join(words[i:i+n], " ")) {
				reached[i+n] = true
			}
		}
	}
	return reached[len(words)]
}

// plain is the text in lower case, as words with single blanks, without the
// writer's own name at its end. Within the text a name may be a word: the
// family name No, or Pas.
func plain(text, name string) string {
	if len(text) > 400 {
		return strings.Repeat("x ", 100) // a long text is never plain
	}
	fold := func(s string) []string {
		s = strings.NewReplacer("’", "'", "œ", "oe").Replace(strings.ToLower(s))
		return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && !unicode.IsDigit(r) })
	}
	own := fold(name)
	words := fold(text)
	for len(words) > 0 && slices.Contains(own, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	return strings.Join(words, " ")
}

// bare removes greetings, thanks and closings, so that what is said remains.
func bare(text, name string) string {
	s := plain(text, name)
	for {
		cut := strings.TrimSpace(courtesy.ReplaceAllString(s, ""))
		if cut == s {
			return s
		}
		s = cut
	}
}

// courtesy takes the longest phrase: "merci beaucoup", not "merci" alone.
var courtesy = func() *regexp.Regexp {
	re := regexp.MustCompile(`^(?:` + politeness + `)(?:\s|$)|(?:^|\s)(?:` + politeness + `)$`)
	re.Longest()
	return re
}()

const politeness = `bonjour|bonsoir|salut|madame|monsieur|hello|hi|hey|dear all|dear team|dear support|` +
	`hallo|guten tag|guten morgen|moin|hola|buenos días|buenas tardes|` +
	`merci|merci bien|merci beaucoup|un grand merci|mille mercis|merci à vous|merci encore|merci d'avance|merci pour votre aide|merci de votre aide|merci pour tout|` +
	`thanks|thank you|many thanks|thanks a lot|thank you very much|thank you so much|thanks so much|thx|cheers|thanks for your help|thank you for your help|thanks again|` +
	`danke|vielen dank|danke schön|dankeschön|besten dank|danke für die hilfe|gracias|muchas gracias|mil gracias|` +
	`cordialement|bien cordialement|bien à vous|bonne journée|bonne soirée|à bientôt|sincères salutations|` +
	`regards|best regards|kind regards|best wishes|best|sincerely|have a nice day|have a good day|` +
	`mit freundlichen grüßen|freundliche grüße|viele grüße|beste grüße|mfg|lg|saludos|un saludo|atentamente|` +
	`super|parfait|great|perfect|toll|perfekt|perfecto|genial`

// solved says that the problem is gone, whatever was asked.
var solved = []string{
	"c'est réglé", "c'est résolu", "problème résolu", "problème réglé", "le problème est résolu", "le problème est réglé",
	"tout est réglé", "tout est résolu", "résolu", "réglé", "l'incident est résolu", "l'incident est réglé",
	"vous pouvez clôturer le ticket", "vous pouvez fermer le ticket", "vous pouvez clore le ticket",
	"it is solved", "it's solved", "solved", "it is resolved", "it's resolved", "resolved", "it is fixed", "it's fixed",
	"problem solved", "the problem is solved", "the problem is fixed", "the problem is resolved",
	"you can close the ticket", "you can close this ticket", "please close the ticket", "please close this ticket",
	"gelöst", "ist gelöst", "es ist gelöst", "das problem ist gelöst", "problem gelöst", "hat sich erledigt",
	"das ticket kann geschlossen werden", "ticket kann geschlossen werden",
	"está solucionado", "está resuelto", "problema resuelto", "problema solucionado", "el problema está resuelto",
	"el problema está solucionado", "pueden cerrar el ticket",
}

// works says of a solution that it holds.
var works = []string{
	"c'est bon", "c'est ok", "c'est ok pour moi", "c'est bon pour moi", "tout fonctionne", "ça fonctionne", "ça marche",
	"ça fonctionne maintenant", "ça marche maintenant", "tout marche", "cela fonctionne", "cela fonctionne maintenant",
	"je confirme la clôture", "vous pouvez clôturer", "vous pouvez fermer", "vous pouvez clore", "approuvé",
	"j'approuve la solution", "j'approuve",
	"it works", "it works now", "works now", "it is working", "it's working", "it is working now", "it's working now", "fixed",
	"everything works", "everything works now", "all good", "all good now", "you can close it", "please close", "approved",
	"i approve", "i approve the solution",
	"erledigt", "es funktioniert", "es funktioniert jetzt", "funktioniert", "funktioniert jetzt", "es geht", "es geht jetzt",
	"es geht wieder", "alles gut", "passt",
	"solucionado", "resuelto", "ya funciona", "funciona", "todo bien", "pueden cerrar",
}

// yes and no answer a question.
var (
	yes = []string{"oui", "je confirme", "yes", "i confirm", "confirmed", "ja", "sí", "confirmo"}
	no  = []string{"non", "no", "nein"}
	// nods approve only where they answer the question; else they are thanks.
	nods = []string{"ok", "okay", "d'accord", "entendu", "bien reçu", "noted", "in ordnung", "vale", "de acuerdo"}
)

// notSolved says that the problem is still there.
var notSolved = []string{
	"ce n'est pas réglé", "ce n'est pas résolu", "c'est pas réglé", "c'est pas résolu", "pas réglé", "pas résolu", "non résolu",
	"ce n'est toujours pas réglé", "ce n'est toujours pas résolu", "toujours pas réglé", "toujours pas résolu",
	"le problème persiste", "non le problème persiste", "le problème n'est pas résolu", "le problème n'est pas réglé",
	"le problème est toujours là", "ça ne fonctionne pas", "ça ne fonctionne toujours pas", "ça ne marche pas",
	"ça ne marche toujours pas", "cela ne fonctionne pas", "cela ne fonctionne toujours pas", "non ce n'est pas réglé",
	"non ce n'est pas résolu", "non ça ne marche pas", "non ça ne fonctionne pas",
	"not solved", "not resolved", "not fixed", "it is not solved", "it's not solved", "it isn't solved", "it is not resolved",
	"it's not resolved", "it is not fixed", "it's not fixed", "still not solved", "still not fixed", "still not working",
	"it does not work", "it doesn't work", "it still does not work", "it still doesn't work", "it is still not working",
	"the problem persists", "the problem is not solved", "the problem is still there", "no it is not solved",
	"no it's not solved", "no it does not work", "no it doesn't work", "no it is not", "no the problem persists",
	"nicht gelöst", "es ist nicht gelöst", "das problem ist nicht gelöst", "das problem besteht weiterhin",
	"es funktioniert nicht", "es funktioniert immer noch nicht", "es geht nicht", "es geht immer noch nicht",
	"nein nicht gelöst", "nein es funktioniert nicht",
	"no está solucionado", "no está resuelto", "no funciona", "sigue sin funcionar", "el problema persiste",
	"no no funciona", "sin resolver",
}
