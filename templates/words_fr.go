package templates

import "guichet/mailflow/ticket"

// french holds no-break spaces before : ; ! ? (U+00A0), written as such.
var french = vocabulary{
	colon:  "\u00a0:",
	marker: "— répondez au-dessus de cette ligne · %s —",
	solved: "C’est résolu.", notSolved: "Ce n’est pas résolu.",
	justNow: "à l’instant",
	ago:     [3]string{"il y a %d\u00a0minutes", "il y a %d\u00a0heures", "il y a %d\u00a0jours"},
	states: map[ticket.State]string{
		ticket.AwaitingForm: "En attente de votre formulaire",
		ticket.New:          "Reçu, pas encore ouvert",
		ticket.Open:         "Ouvert\u00a0: nous y travaillons",
		ticket.Pending:      "En attente de votre réponse",
		ticket.Frozen:       "Gelé jusqu’à votre réponse",
		ticket.Resolved:     "Résolu\u00a0: merci de confirmer",
		ticket.Closed:       "Clôturé",
	},
	short: map[ticket.State]string{
		ticket.None: "aucun", ticket.AwaitingForm: "formulaire attendu", ticket.New: "nouveau", ticket.Open: "ouvert",
		ticket.Pending: "en attente", ticket.Frozen: "gelé", ticket.Resolved: "résolu", ticket.Closed: "clôturé",
	},
	closed: map[ticket.Reason]string{
		ticket.Abandoned:   "Clôturé\u00a0: le formulaire n’a pas été rempli",
		ticket.Rejected:    "Clôturé\u00a0: la demande ne relève pas de ce guichet",
		ticket.Withdrawn:   "Clôturé à votre demande",
		ticket.Approved:    "Clôturé\u00a0: la solution a été confirmée",
		ticket.Unanswered:  "Clôturé sans réponse de votre part",
		ticket.Unconfirmed: "Clôturé\u00a0: la solution n’a pas été confirmée",
		ticket.ByAgent:     "Clôturé par le support",
		ticket.Merged:      "Clôturé\u00a0: le suivi continue sous un autre numéro",
	},
	roles: map[ticket.Role]string{
		ticket.Customer: "client", ticket.Integrator: "intégrateur", ticket.Follower: "en copie",
		ticket.Agent: "support", ticket.System: "automatique",
	},
	kinds: map[ticket.Kind]string{
		ticket.Reminder: "prochaine relance", ticket.AutoCloseWarning: "annonce d’auto-clôture",
		ticket.ClosureReminder: "relance de clôture", ticket.ClosedMail: "auto-clôture",
		ticket.FormLink: "expiration du formulaire",
	},
	events: map[string]string{
		"new-ticket": "nouveau ticket", "answer": "réponse", "colleague": "réponse d’un collègue",
		"waiting": "attend votre décision", "unproven-number": "en attente\u00a0: numéro seul, expéditeur non prouvé",
		"approved": "solution confirmée", "refused": "pas résolu", "withdrawn": "demande retirée",
		"reopened": "rouvert", "closed": "clôturé", "undeliverable": "non remis",
		"automatic": "réponse automatique, rien ne change", "names-other": "cite",
		"new-topic": "nouveau sujet, arrivé à l’adresse d’un autre ticket", "thanks": "remerciement, rien ne change",
		"form": "formulaire rempli", "deadline": "échéance", "silent": "ni confirmation ni réponse", "loop": "boucle de messages arrêtée", "strangers-wait": "premières réponses en attente",
		"crossed": "deux réponses en même temps", "assigned": "vous est confié", "moved": "vient d’un autre guichet",
		"took-over": "a repris", "form-sent": "formulaire envoyé", "opened-for": "ouvert pour quelqu’un",
	},
	help: map[string]string{
		"#resolve": "résolu, demander la clôture", "#info": "demander une information", "#action": "demander une action",
		"#note": "pour les agents seulement", "#take": "se l’attribuer", "#cc": "ADRESSE suit le ticket", "#assign": "confier à quelqu’un", "#open": "valider et ouvrir",
		"#validate": "valider et ouvrir", "#reject": "refuser, dire pourquoi", "#close": "clôturer sans demander",
		"#reopen": "rouvrir le ticket", "#move": "confier à un autre guichet", "#merge": "continuer sous NUMÉRO",
		"#link": "citer un ticket lié", "#accept": "compter comme leur réponse", "#split": "en faire un autre ticket",
		"#category": "changer la catégorie", "#urgency": "changer l’urgence", "#escalate": "passer au niveau supérieur",
		"#time": "noter le temps passé", "#form": "envoyer le formulaire à ADRESSE", "#customer": "ADRESSE est le client",
		"#uncc": "ADRESSE ne suit plus", "#integrator": "ADRESSE est l’intégrateur", "#help": "recevoir la liste des commandes",
	},
	subject: subjects{
		stranger:      "%s\u00a0: votre demande du %s",
		strangerOther: "%s\u00a0: demande du %s",
		alsoReceived:  "%s\u00a0: vos autres messages",
		none:          "votre demande",
		digest:        "%s\u00a0: tickets en attente (%d)",
		several:       "%s\u00a0: %d notifications",
	},
}
