package ticket

// shapes are the ways in which a ticket can stand, each under its name.
var shapes = map[string]string{
	"none":          "none",
	"awaiting":      "awaiting-form sent=25h: form-link in %",
	"mailed-today":  "awaiting-form sent=2h: form-link in %",
	"invited":       "awaiting-form invited sent=2h: form-link in %",
	"new":           "new",
	"open":          "open #1",
	"pending":       "pending: reminder in %",
	"asked-0":       "pending: auto-close-warning in %", // of a desk without reminders
	"frozen":        "frozen 1x: reminder in %",
	"frozen-all":    "frozen 2x: auto-close-warning in %",
	"warned":        "frozen 2x warned",
	"closing":       "frozen 2x warned: closed in %",
	"resolved":      "resolved #1: closure-reminder in %",
	"reminded":      "resolved #1: auto-close-warning in %",
	"res-warned":    "resolved #1 warned",
	"res-closing":   "resolved #1 warned: closed in %",
	"closed":        "closed agent #1 1h",
	"closed-late":   "closed approved #1 500h",
	"abandoned":     "closed abandoned 1h",
	"abandoned-inv": "closed abandoned invited 500h",
	"merged":        "closed merged 1h",
}

var groups = map[string]string{
	"form":     "awaiting mailed-today invited",
	"asked":    "pending asked-0 frozen frozen-all warned closing",
	"live":     "new open asked",
	"settled":  "resolved reminded res-warned res-closing",
	"unclosed": "form live settled",
	"ended":    "closed closed-late",
	"shut":     "ended abandoned abandoned-inv",
	"all":      "unclosed shut",
}

// table is the table of a ticket's life and the rules below it (design §3),
// each row for every policy that its condition names. What no row holds is
// refused. A state resets reminders and warning, "same" keeps all;
// "agents" is their notification.
const table = `
in            | event                            | if         | becomes        | mails                    | deadline
none          | customer received                | direct     | new            | acknowledgment, agents   | none
none          | customer received                | form       | awaiting-form  | form-link, agents        | form-link form_expires
none          | customer received unanswerable   |            | new            | agents                   | none
none          | customer received linked         |            | new            | acknowledgment, agents   | none
none          | customer submitted               |            | new            | acknowledgment, agents   | none
none          | agent opened-for                 |            | open           | opened                   | none
none          | agent form-sent for=customer@example.org | | awaiting-form invited | form-link, agents | form-link form_expires

awaiting      | SAYS                             |            | same           | form-link                | same
awaiting      | customer joined unanswerable     |            | same           |                          | same
mailed-today invited | SAYS                      |            | same           |                          | same
form          | customer joined unanswerable     |            | same           |                          | same
awaiting mailed-today | customer submitted       |            | new            | acknowledgment, agents   | none
invited       | customer submitted               |            | open           | opened, agents           | none
form          | agent validated                  |            | open           | opened                   | none
form          | agent replied                    |            | open           | opened                   | none
form          | ASKS                             | reminders  | pending        | opened                   | reminder reminder_after
form          | ASKS                             | none       | pending        | opened                   | auto-close-warning reminder_after
form          | agent rejected                   |            | closed rejected| rejected                 | none
form          | deadline                         |            | closed abandoned |                        | none

new           | agent validated                  |            | open           | opened                   | none
new           | agent replied                    | validation | open           | opened                   | none
new           | agent replied                    | plain      | open           | update>others            | none
new           | agent rejected                   |            | closed rejected| rejected                 | none
new open      | SAYS                             |            | same           | update>others, agents    | same
new open      | customer joined unanswerable     |            | same           | update>others, agents    | same
new open      | customer submitted               |            | same           | update>others, agents    | same
open          | agent replied                    |            | same           | update>others            | same
new           | ASKS                             | reminders validation | pending | opened                | reminder reminder_after
new           | ASKS                             | none validation | pending   | opened                   | auto-close-warning reminder_after
new           | agent asked-information          | reminders plain | pending   | information-request      | reminder reminder_after
new           | agent asked-information          | none plain | pending        | information-request      | auto-close-warning reminder_after
new           | agent asked-action               | reminders plain | pending   | action-request           | reminder reminder_after
new           | agent asked-action               | none plain | pending        | action-request           | auto-close-warning reminder_after
open asked    | agent asked-information          | reminders  | pending        | information-request      | reminder reminder_after
open asked    | agent asked-information          | none       | pending        | information-request      | auto-close-warning reminder_after
open asked    | agent asked-action               | reminders  | pending        | action-request           | reminder reminder_after
open asked    | agent asked-action               | none       | pending        | action-request           | auto-close-warning reminder_after
asked         | agent replied                    |            | same           | update>others            | same
asked         | SAYS                             |            | open           | update>others, agents    | none
asked         | customer joined unanswerable     |            | open           | update>others, agents    | none
asked         | customer submitted               |            | open           | update>others, agents    | none
pending       | deadline                         | reminders  | frozen 1x      | reminder 1/2             | reminder reminder_every
pending       | deadline                         | none close | frozen warned  | auto-close-warning       | none
pending       | deadline                         | none neverclose | pending   |                          | none
asked-0       | deadline                         | close      | frozen warned  | auto-close-warning       | none
asked-0       | deadline                         | neverclose | pending        |                          | none
frozen        | deadline                         | reminders  | frozen 2x      | reminder 2/2             | auto-close-warning reminder_every
frozen        | deadline                         | none close | frozen 1x warned | auto-close-warning     | none
frozen        | deadline                         | none neverclose | frozen 1x |                          | none
frozen-all    | deadline                         | close      | frozen 2x warned | auto-close-warning     | none
frozen-all    | deadline                         | neverclose | frozen 2x      |                          | none
warned        | taken auto-close-warning         |            | same           |                          | closed auto_close_after
closing       | deadline                         |            | closed unanswered | closed, agents        | none
live          | agent resolved                   |            | resolved +     | closure-request          | closure-reminder closure_reminder_after
resolved      | deadline                         |            | resolved       | closure-reminder         | auto-close-warning closure_reminder_after
reminded      | deadline                         | assumed close | resolved warned | auto-close-warning   | none
reminded      | deadline                         | assumed neverclose | resolved  |                       | none
reminded      | deadline                         | required   | resolved warned | agents                  | none
res-warned    | taken auto-close-warning         | assumed    | same           |                          | closed auto_close_after
res-closing   | deadline                         | assumed    | closed unconfirmed | closed, agents       | none
res-closing   | deadline                         | required   | resolved warned | agents                  | none
settled       | APPROVES                         |            | closed approved | closed, agents          | none
settled       | customer withdrawn               |            | closed approved | closed, agents          | none
settled       | REFUSES                          |            | open           | reopened, agents         | none
settled       | customer thanked                 |            | same           | agents                   | same
settled       | ANSWERS                          |            | open           | update>others, agents    | none
settled       | customer submitted               |            | open           | update>others, agents    | none
settled       | agent replied                    |            | same           | update>others            | same
settled       | agent reopened                   |            | open           | reopened                 | none
form live     | customer withdrawn               |            | closed withdrawn | closed, agents         | none

ended abandoned abandoned-inv | agent reopened   |            | open           | reopened                 | none
closed        | MORE                             | reopen     | open           | reopened, agents         | none
closed        | NOT SOLVED                       | reopen     | open           | reopened, agents         | none
closed        | customer refused button          | reopen     | open           | reopened, agents         | none
closed        | customer submitted               | reopen     | open           | reopened, agents         | none
closed        | MORE                             | noreopen   | same           | linked-ticket            | same
closed        | NOT SOLVED                       | noreopen   | same           | linked-ticket            | same
closed        | customer submitted               | noreopen   | same           | linked-ticket            | same
closed-late   | MORE                             |            | same           | linked-ticket            | same
closed-late   | NOT SOLVED                       |            | same           | linked-ticket            | same
closed-late   | customer submitted               |            | same           | linked-ticket            | same
shut          | customer thanked                 |            | same           | agents                   | same
shut          | OLD APPROVAL                     |            | same           | agents                   | same
shut          | customer withdrawn               |            | same           | agents                   | same
abandoned abandoned-inv | customer joined        |            | awaiting-form keep | form-link, agents    | form-link form_expires
abandoned abandoned-inv | customer answered      |            | awaiting-form keep | form-link, agents    | form-link form_expires
abandoned abandoned-inv | NOT SOLVED             |            | awaiting-form keep | form-link, agents    | form-link form_expires
abandoned abandoned-inv | customer joined unanswerable |      | new            | agents                   | none
abandoned     | follower answered                | reopen     | open           | reopened, agents         | none
abandoned     | follower answered                | noreopen   | same           | linked-ticket            | same
abandoned-inv | follower answered                |            | same           | linked-ticket            | same
abandoned     | customer submitted               |            | new            | acknowledgment, agents   | none
abandoned-inv | customer submitted               |            | open           | opened, agents           | none
abandoned     | customer refused button          | reopen     | awaiting-form keep | form-link, agents    | form-link form_expires

unclosed      | agent closed                     |            | closed agent   | closed                   | none
unclosed      | agent merged into=8              |            | closed merged  | merged                   | none
unclosed      | agent took-over                  |            | same           |                          | again
live settled  | agent moved desk=sales           |            | same           | moved                    | moved
form          | agent moved desk=sales           | form       | same           | moved                    | moved
awaiting mailed-today | agent moved desk=sales   | direct     | new            | acknowledgment           | none
invited       | agent moved desk=sales           | direct     | open           | opened                   | none
all           | BOOKS                            |            | same           |                          | same
all           | agent categorised value=network  |            | same           | update>others            | same
all           | agent urgency-set value=high     |            | same           | update>others            | same
all           | agent escalated                  |            | same           | update>others            | same
all           | customer arrived                 |            | same           |                          | same
all           | customer waits                   |            | same           | agents                   | same
all           | failed update                    |            | same           | agents                   | same
all           | taken update                     |            | same           |                          | same
all           | taken reminder                   |            | same           |                          | same
form new open pending asked-0 frozen frozen-all shut | taken auto-close-warning   |            | same           |                          | same
resolved reminded closing res-closing | taken auto-close-warning | | same       |                          | same
res-warned    | taken auto-close-warning         | required   | same           |                          | same
merged        | customer arrived                 |            | same           |                          | same
merged        | failed update                    |            | same           | agents                   | same
merged        | taken update                     |            | same           |                          | same
merged        | taken reminder                   |            | same           |                          | same
merged        | taken auto-close-warning         |            | same           |                          | same
`

var eventGroups = map[string]string{
	"ASKS":         "agent asked-information; agent asked-action",
	"APPROVES":     "customer approved; customer approved #1; customer approved button",
	"REFUSES":      "customer refused; customer refused #1; customer refused button",
	"ANSWERS":      "customer answered; follower answered; customer joined; customer joined unanswerable; customer approved #9; customer refused #9",
	"MORE":         "customer answered; follower answered; customer joined; customer joined unanswerable",
	"NOT SOLVED":   "customer refused; customer refused #1; customer refused #9",
	"OLD APPROVAL": "customer approved; customer approved #1; customer approved #9",
	"SAYS": "customer answered; follower answered; customer joined; customer thanked; customer approved; customer refused; " +
		"customer approved #1; customer refused #1; customer approved #9; customer refused #9",
	"BOOKS": "agent noted; agent assigned a@desk.example; agent party-added; agent party-removed; agent linked; agent time-spent spent=2h",
}

// others are events that stand in no row by themselves: most are refused.
const others = "customer received; customer validated; agent answered; agent submitted; system answered; customer opened-for; " +
	"customer form-sent; agent accepted; agent split; customer approved button; customer refused button; customer moved; " +
	"agent validated; agent rejected; agent resolved; agent reopened; system unheard-of; deadline"
