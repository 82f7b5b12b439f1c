package mailflow

import (
	"encoding/json"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// notice is what the mails about an event are to say besides what its ticket
// says.
type notice struct {
	message   int64  // whose words they carry; 0: none
	event     string // the code that agents are shown
	reason    string
	other     string   // number of another ticket
	addressed []string // who has the mail already
	stranger  bool     // the answered person has proven nothing
	first     bool     // a stranger's first mail
	fromAgent bool     // the words are an agent's
	quiet     bool     // agents know already
	unproven  bool     // the actor has not proven more than a token: no words come back
	silent    bool     // the actor is not answered at all
	spared    []string // addresses that get no mail of this event
	actor     string   // for the history, where another than the event's wrote
	mailID    string   // likewise
	step      string   // for the history: what the clock did
	asked     string   // the party who is to answer; "": all are
	was       string   // key of the desk that had the ticket so far
	quietly   bool     // what parties are told of it stands in another mail
}

// args is what an outbox row keeps for composing, as JSON: ids and codes of
// the moment, never sentences.
type args struct {
	Message  int64         `json:"message,omitempty"`
	Event    string        `json:"event,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Other    string        `json:"other,omitempty"`
	Was      string        `json:"was,omitempty"` // key of the desk that had the ticket
	Stranger bool          `json:"stranger,omitempty"`
	Words    bool          `json:"words,omitempty"` // an agent's words: a person wrote this mail
	Mute     bool          `json:"mute,omitempty"`  // the reader's own words are not sent back
	First    bool          `json:"first,omitempty"` // the first answer to a stranger
	From     ticket.State  `json:"from,omitempty"`
	State    ticket.State  `json:"state,omitempty"`
	Closed   ticket.Reason `json:"closed,omitempty"`
	Next     ticket.Kind   `json:"next,omitempty"`
	Deadline time.Time     `json:"deadline,omitzero"`
	ClosedAt time.Time     `json:"closed_at,omitzero"`
	N        int           `json:"n,omitempty"`
	M        int           `json:"m,omitempty"`
	// Resolution is the ticket's at that moment: a word on it holds for no
	// later one.
	Resolution int `json:"resolution,omitempty"`
	// Delivery is the mail that a confirmation or a refusal speaks of, Lines
	// its commands with what was wrong.
	Delivery int64       `json:"delivery,omitempty"`
	Lines    []argLine   `json:"lines,omitempty"`
	Times    []time.Time `json:"times,omitempty"`
	Count    int         `json:"count,omitempty"`
	Used     bool        `json:"used,omitempty"` // a confirmation works once
	Failed   int64       `json:"failed,omitempty"`
	Asked    string      `json:"asked,omitempty"`   // the party who is to answer
	Waiting  int         `json:"waiting,omitempty"` // mails that wait for an agent
	Items    []argItem   `json:"items,omitempty"`   // of several notifications in one mail
	Changes  []argChange `json:"changes,omitempty"` // of what parties are told
	// Limit is the size that the reader's mail has passed, in bytes; 0: it came
	// whole. Whole is for agents: where all of a mail lies of which we have the
	// beginning.
	Limit int64  `json:"limit,omitempty"`
	Whole string `json:"whole,omitempty"`
}

type argLine struct {
	Text   string `json:"text"`
	Reason string `json:"reason,omitempty"`
	OK     bool   `json:"ok,omitempty"`
}

func (a args) json() string {
	b, _ := json.Marshal(a)
	return string(b)
}

func argsOf(o store.Outbox) (a args) {
	json.Unmarshal([]byte(o.Args), &a)
	return a
}
