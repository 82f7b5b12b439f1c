package templates

import (
	"strings"

	"guichet/mailflow/ticket"
)

// Say puts a reason of the mail flow or of the rules in the reader's
// language. Reasons are written in English where they arise; one that is not
// known here, such as a relay's words, stays as it is.
func Say(lang, reason string) string {
	if lang != "fr" {
		return reason
	}
	if said, found := reasonsFrench.literal[reason]; found {
		return said
	}
	for _, r := range reasonsFrench.gapped {
		gaps, found := r.match(reason)
		if !found || r.joins && Say(lang, gaps[0]) == gaps[0] {
			continue
		}
		said := r.french
		for _, gap := range gaps {
			said = strings.Replace(said, "%s", Say(lang, gap), 1)
		}
		return said
	}
	return reason
}

// RoleName is what somebody is on a ticket, in the reader's language.
func RoleName(lang string, r ticket.Role) string { return wordsOf(lang).roles[r] }

// CommandHelp says in five words what a command does; name is the English one,
// such as "#close".
func CommandHelp(lang, name string) string { return wordsOf(lang).help[name] }

// CommandLine names what a command wants in the reader's language.
func CommandLine(lang, command string) string {
	if lang == "fr" {
		return strings.NewReplacer("NAME", "NOM", "ADDRESS", "ADRESSE", "CATEGORY", "CATÉGORIE", "URGENCY", "URGENCE", "NUMBER", "NUMÉRO", "DESK", "GUICHET").Replace(command)
	}
	return command
}

// reasons are those of a language: what is literal comes before what has gaps.
type reasons struct {
	literal map[string]string
	gapped  []translated
}

// translated is a reason with gaps.
type translated struct {
	english []string // what stands around the gaps
	french  string
	joins   bool // two reasons; applies only if the first is one of ours
}

// match finds what fills the gaps, each with as little as it can; a gap is
// never empty.
func (r *translated) match(s string) (gaps []string, ok bool) {
	rest, ok := strings.CutPrefix(s, r.english[0])
	if !ok || !strings.HasSuffix(rest, r.english[len(r.english)-1]) {
		return nil, false
	}
	return fill(rest, r.english[1:])
}

// fill matches a gap and a piece as often as there are pieces.
func fill(s string, pieces []string) ([]string, bool) {
	piece := pieces[0]
	if len(pieces) == 1 {
		gap, ok := strings.CutSuffix(s, piece)
		return []string{gap}, ok && gap != ""
	}
	for from := 1; from < len(s); from++ {
		n := strings.Index(s[from:], piece)
		if n < 0 {
			break
		}
		from += n
		if more, ok := fill(s[from+len(piece):], pieces[1:]); ok {
			return append([]string{s[:from]}, more...), true
		}
	}
	return nil, false
}

// reasonsFrench holds each reason with %s for what differs; what stands for
// %s is translated, too.
var reasonsFrench = compileReasons([][2]string{
	// How far a sender is proven, and why a mail waits.
	{"proven", "vérifié"},
	{"own token", "par son adresse de réponse"},
	{"unproven", "non vérifié"},
	{"forged", "falsifié"},
	{"%s: %s", "%s : %s"},
	{"%s (%s)", "%s (%s)"},
	{"submitted from a trusted network", "envoyé depuis un réseau de confiance"},
	{"answered from the address that we wrote to", "répond de l’adresse à laquelle nous avions écrit"},
	{"nothing proves the sender", "rien ne prouve l’expéditeur"},
	{"confirmed by mail", "confirmé par courriel"},
	{"filled in the form behind the mailed link", "a rempli le formulaire par le lien envoyé à son adresse"},
	{"written on the page behind the mailed link", "écrit sur la page dont le lien a été envoyé à son adresse"},
	{"not exactly one From", "pas exactement un expéditeur"},
	{"our own domain without proof", "notre propre domaine, sans preuve"},
	{"not proven", "non vérifié"},
	{"proven, but without the agent's own reply address", "vérifié, mais sans l’adresse de réponse propre à l’agent"},
	{"unproven, found by %s", "non vérifié, trouvé par %s"},
	{"not a party, found by %s", "étranger au ticket, trouvé par %s"},
	{"the number in the subject", "le numéro dans l’objet"},
	{"a Message-ID of the ticket", "un Message-ID du ticket"},
	{"our Message-ID", "notre Message-ID"},
	{"reply address", "l’adresse de réponse"},
	{"bears an agent's address", "porte l’adresse de réponse d’un agent"},
	{"another address than the one that was written to", "une autre adresse que celle à laquelle nous avions écrit"},
	{"more than %s new tickets of one subject in %s", "plus de %s nouveaux tickets du même objet en %s"},
	{"five mails in an hour came within two minutes of our automatic mails", "cinq messages en une heure sont arrivés moins de deux minutes après nos messages automatiques"},
	// Why a mail of ours is held.
	{"more than a quarter of the last 200 first answers to strangers could not be delivered", "plus du quart des 200 dernières premières réponses à des inconnus n’ont pu être remises"},
	{"it shows the address of an agent", "il montre l’adresse d’un agent"},
	{"it shows a reply address of somebody else", "il montre l’adresse de réponse de quelqu’un d’autre"},
	{"it shows the link of somebody else", "il montre le lien de quelqu’un d’autre"},
	{"it shows words of a note", "il montre des mots d’une note interne"},
	{"it cannot be composed: %s", "il ne peut être composé : %s"},
	// What is wrong with a command.
	{"unknown command; #help lists them", "commande inconnue ; #help donne la liste"},
	{"write below why: the customer is told", "écrivez pourquoi au-dessous : le client le lira"},
	{"write your words below the commands", "écrivez votre texte au-dessous des commandes"},
	{"no agent %s works on this desk", "aucun agent %s ne travaille à ce guichet"},
	{"give an address: %s", "donnez une adresse : %s"},
	{"%s is not an address", "%s n’est pas une adresse"},
	{"%s is a desk of ours", "%s est un guichet à nous"},
	{"%s is an agent", "%s est un agent"},
	{"no further mail of this ticket waits for an agent", "aucun autre message de ce ticket n’attend un agent"},
	{"no mail of this ticket waits for an agent", "aucun message de ce ticket n’attend un agent"},
	{"not possible while a ticket is opened", "impossible à l’ouverture d’un ticket"},
	{"Nobody is on this ticket who could be told; name somebody first: %s", "Personne sur ce ticket ne peut l’entendre ; nommez d’abord quelqu’un : %s"},
	{"Nothing new stands above the line: write your answer there, not below or between what is quoted.", "Rien de nouveau au-dessus de la ligne : écrivez votre réponse là, ni au-dessous ni entre les citations."},
	{"%s is too long for an address", "%s est trop long pour une adresse"},
	{"whom do you ask? Write %s: and your words, or your words below the commands", "à qui le demandez-vous ? Écrivez %s : puis votre texte, ou votre texte au-dessous des commandes"},
	{"write below what you ask: the parties are told", "écrivez au-dessous ce que vous demandez : les parties le liront"},
	{"one request a mail: who reads two does not know which to answer", "une demande par message : qui en lit deux ne sait à laquelle répondre"},
	{"%s is not on this ticket; #cc adds somebody", "%s n’est pas sur ce ticket ; #copie ajoute quelqu’un"},
	{"this ticket has no customer; name one: %s", "ce ticket n’a pas de client ; nommez-le : %s"},
	{"this ticket has no integrator; name one: %s", "ce ticket n’a pas d’intégrateur ; nommez-le : %s"},
	{"%s is not on this ticket", "%s n’est pas sur ce ticket"},
	{"%s is the customer; name another first: %s", "%s est le client ; nommez-en d’abord un autre : %s"},
	{"you do not work on the desk of %s; #link it", "vous ne travaillez pas au guichet de %s ; #lier"},
	{"you do not work on %s", "vous ne travaillez pas au guichet %s"},
	{"%s is none of this desk's: %s", "%s n’est pas de celles du guichet : %s"},
	{"write which: %s", "écrivez laquelle : %s"},
	{"%s is too long; write your words below the commands", "%s est trop long ; écrivez votre texte au-dessous des commandes"},
	{"write which ticket: %s", "écrivez quel ticket : %s"},
	{"write with which ticket: %s", "écrivez avec quel ticket : %s"},
	{"there is no ticket %s", "il n’y a pas de ticket %s"},
	{"that is this ticket", "c’est ce ticket même"},
	{"%s is closed; reopen it first, or #link it", "%s est clôturé ; rouvrez-le d’abord, ou #lier"},
	{"%s has no party and no organisation in common with this ticket; #link it", "%s n’a ni partie ni organisation en commun avec ce ticket ; #lier"},
	{"the ticket is at that desk already", "le ticket est déjà à ce guichet"},
	{"there is no desk %s; known here: %s", "il n’y a pas de guichet %s ; ici : %s"},
	{"write #form in a new mail to the desk: it begins a ticket of its own", "écrivez #formulaire dans un nouveau message au guichet : il ouvre un ticket à part"},
	{"this desk has no form", "ce guichet n’a pas de formulaire"},
	{"one form a ticket", "un formulaire par ticket"},
	{"was taken off this ticket", "a été retiré de ce ticket"},
	// Receipts, and what agents are told of each other.
	{"the mail of %s of %s", "le message de %s du %s"},
	{"is sent: %s", "reçoit : %s"},
	{"kept for agents; nobody else is told", "gardé pour les agents ; personne d’autre n’est prévenu"},
	{"no mail to anybody", "aucun message à personne"},
	{"%s answered at %s, before your answer", "%s a répondu à %s, avant votre réponse"},
	{"%s answered at %s, after your answer", "%s a répondu à %s, après votre réponse"},
	{"from %s", "de la part de %s"},
	{"update", "mise à jour"},
	{"opened", "ouverture"},
	{"information-request", "demande d’information"},
	{"action-request", "demande d’action"},
	{"closure-request", "demande de clôture"},
	{"closed", "clôture"},
	{"reopened", "réouverture"},
	{"moved", "changement de guichet"},
	{"merged", "regroupement"},
	{"acknowledgment", "prise en compte"},
	{"form-link", "lien vers le formulaire"},
	{"this ticket was merged into another one and goes on there", "ce ticket a été regroupé avec un autre, où il continue"},
	{"this ticket waits for its form: #validate first", "ce ticket attend son formulaire : #valider d’abord"},
	{"a ticket is merged into another one", "un ticket se regroupe avec un autre"},
	{"this ticket is open already", "ce ticket est déjà ouvert"},
	{"only a new ticket can be rejected; use #close", "seul un nouveau ticket peut être refusé ; utilisez #clore"},
	{"this ticket is not closed", "ce ticket n’est pas clôturé"},
	{"this ticket is resolved: #reopen first", "ce ticket est résolu : #rouvrir d’abord"},
	{"this ticket is resolved already", "ce ticket est déjà résolu"},
	{"this ticket is closed: #reopen first", "ce ticket est clôturé : #rouvrir d’abord"},
	{"this ticket is closed already", "ce ticket est déjà clôturé"},
	{"a ticket that is %s cannot be %s", "impossible dans l’état du ticket (%s, %s)"},
})

func compileReasons(pairs [][2]string) reasons {
	r := reasons{literal: map[string]string{}}
	var last []translated // of two gaps that join reasons: they match much
	for _, p := range pairs {
		t := translated{english: strings.Split(p[0], "%s"), french: frenchSpaces(p[1])}
		switch {
		case strings.HasPrefix(p[0], "%s: ") || strings.HasPrefix(p[0], "%s ("):
			t.joins = true
			last = append(last, t)
		case len(t.english) > 1:
			r.gapped = append(r.gapped, t)
		default:
			if r.literal[p[0]] == "" {
				r.literal[p[0]] = t.french
			}
		}
	}
	r.gapped = append(r.gapped, last...)
	return r
}

// frenchSpaces makes the blanks before French punctuation unbreakable.
func frenchSpaces(s string) string {
	return frenchBlanks.Replace(s)
}

var frenchBlanks = strings.NewReplacer(" :", "\u00a0:", " ;", "\u202f;", " !", "\u202f!", " ?", "\u202f?")
