package templates

import (
	"strings"

	"guichet/mailflow/ticket"
)

// vocabulary is what a language calls the things of the gateway. The
// sentences of mails stand in their templates; what stands here is said in
// many of them, and on the pages.
type vocabulary struct {
	colon   string // after a label
	marker  string // the line above which an agent writes
	justNow string
	ago     [3]string // minutes, hours, days

	states  map[ticket.State]string
	short   map[ticket.State]string // for agents: one word
	closed  map[ticket.Reason]string
	roles   map[ticket.Role]string
	kinds   map[ticket.Kind]string // what comes next, for agents
	events  map[string]string
	help    map[string]string // a command's five words
	subject subjects

	solved, notSolved string // what a party says of the solution
}

// subjects are those that do not hold the ticket's own; %s are the desk's
// name and, in a stranger's, the time; strangerOther is for whom it only names.
type subjects struct {
	stranger, strangerOther, alsoReceived, none, several, digest string
}

var vocabularies = map[string]*vocabulary{"en": &english, "fr": &french}

// wordsOf is the language's vocabulary, or the English one.
func wordsOf(lang string) *vocabulary {
	if v := vocabularies[lang]; v != nil {
		return v
	}
	return &english
}

// MarkerLine is the line above which an agent's answer stands; code tells
// one mail's line from another's.
func MarkerLine(lang, code string) string {
	return strings.ReplaceAll(wordsOf(lang).marker, "%s", code)
}

// StateWords says where a ticket stands, to its parties.
func StateWords(lang string, s ticket.State, why ticket.Reason) string {
	v := wordsOf(lang)
	if s == ticket.Closed {
		if w := v.closed[why]; w != "" {
			return w
		}
	}
	return v.states[s]
}

var english = vocabulary{
	colon:  ":",
	marker: "— write above this line · %s —",
	solved: "It is solved.", notSolved: "It is not solved.",
	justNow: "just now",
	ago:     [3]string{"%d minutes ago", "%d hours ago", "%d days ago"},
	states: map[ticket.State]string{
		ticket.AwaitingForm: "Waiting for your form",
		ticket.New:          "Received, not yet opened",
		ticket.Open:         "Open: we are working on it",
		ticket.Pending:      "Waiting for your answer",
		ticket.Frozen:       "Frozen until you answer",
		ticket.Resolved:     "Solved: please confirm",
		ticket.Closed:       "Closed",
	},
	short: map[ticket.State]string{
		ticket.None: "none", ticket.AwaitingForm: "awaiting form", ticket.New: "new", ticket.Open: "open",
		ticket.Pending: "pending", ticket.Frozen: "frozen", ticket.Resolved: "resolved", ticket.Closed: "closed",
	},
	closed: map[ticket.Reason]string{
		ticket.Abandoned:   "Closed: the form was not filled in",
		ticket.Rejected:    "Closed: not a matter for this desk",
		ticket.Withdrawn:   "Closed at your request",
		ticket.Approved:    "Closed: the solution was confirmed",
		ticket.Unanswered:  "Closed: we had no answer",
		ticket.Unconfirmed: "Closed: nobody confirmed the solution",
		ticket.ByAgent:     "Closed by the desk",
		ticket.Merged:      "Closed: it goes on under another number",
	},
	roles: map[ticket.Role]string{
		ticket.Customer: "customer", ticket.Integrator: "integrator", ticket.Follower: "follower",
		ticket.Agent: "support", ticket.System: "automatic",
	},
	kinds: map[ticket.Kind]string{
		ticket.Reminder: "next reminder", ticket.AutoCloseWarning: "auto-close warning",
		ticket.ClosureReminder: "closure reminder", ticket.ClosedMail: "closes by itself",
		ticket.FormLink: "form expires",
	},
	events: map[string]string{
		"new-ticket": "new ticket", "answer": "answer", "colleague": "answer of a colleague",
		"waiting": "waits for your decision", "unproven-number": "waits: by number, sender unproven",
		"approved": "solution confirmed", "refused": "not solved", "withdrawn": "withdrawn",
		"reopened": "reopened", "closed": "closed", "undeliverable": "not delivered",
		"automatic": "automatic answer, nothing changed", "names-other": "names",
		"new-topic": "new topic, came in on another ticket's address", "thanks": "thanks, nothing changed",
		"form": "form submitted", "deadline": "deadline", "silent": "no confirmation, no answer", "loop": "mail loop stopped", "strangers-wait": "first answers wait",
		"crossed": "two answers at the same time", "assigned": "given to you", "moved": "came from another desk",
		"took-over": "took over", "form-sent": "form sent", "opened-for": "opened for somebody",
	},
	help: map[string]string{
		"#resolve": "solved, ask for confirmation", "#info": "ask for information", "#action": "ask for an action",
		"#note": "for agents only", "#take": "assign it to yourself", "#cc": "let ADDRESS follow it", "#assign": "give it to somebody", "#open": "validate and open it",
		"#validate": "validate and open it", "#reject": "not for us, say why", "#close": "close without asking",
		"#reopen": "open it again", "#move": "give to another desk", "#merge": "go on under NUMBER",
		"#link": "name a related ticket", "#accept": "count it as their answer", "#split": "make it another ticket",
		"#category": "set the category", "#urgency": "set the urgency", "#escalate": "pass it on upwards",
		"#time": "note the time spent", "#form": "send the form to ADDRESS", "#customer": "ADDRESS is the customer",
		"#uncc": "ADDRESS follows no more", "#integrator": "ADDRESS is the integrator", "#help": "all commands by mail",
	},
	subject: subjects{
		stranger:      "Your request to %s of %s",
		strangerOther: "Request to %s of %s",
		alsoReceived:  "Your further messages to %s",
		none:          "your request",
		digest:        "%s: tickets that need somebody (%d)",
		several:       "%s: %d notifications",
	},
}
