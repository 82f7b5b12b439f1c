package mailflow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// incompleteEvery is how often a person is told on one ticket that a mail was
// too large, at most: each such mail is worth a word, and a machine that
// answers us with such mails is not to be answered for ever.
const incompleteEvery = time.Hour

// cutMail is what is known of a mail of which only the beginning was fetched.
type cutMail struct {
	size    int64 // of the whole, in bytes, as its server said
	limit   int64 // that it has passed
	mailbox string
	uid     uint32
}

const cutKeyFormat = "UIDVALIDITY %d UID %d, more than %d bytes"

// cutKey says in a delivery which mail of its mailbox it is the beginning of,
// and of the limit. No header of the mail could: anybody can write one.
func cutKey(row store.MailboxMail, limit int64) string {
	return fmt.Sprintf(cutKeyFormat, row.UIDValidity, row.UID, limit)
}

// cutOf tells of what mail a delivery is the beginning; nil: it is whole.
func (f *Flow) cutOf(ctx context.Context, d store.Delivery) (*cutMail, error) {
	var validity uint32
	c := &cutMail{mailbox: d.Client}
	if d.Listener != ListenerIMAP || d.Hello == "" {
		return nil, nil
	}
	if _, err := fmt.Sscanf(d.Hello, cutKeyFormat, &validity, &c.uid, &c.limit); err != nil {
		return nil, nil
	}
	err := f.DB.View(ctx, func(tx *store.Tx) error {
		m, err := tx.MailboxNamed(d.Client)
		if err != nil {
			return err
		}
		row, err := tx.MailboxMail(m.ID, validity, c.uid)
		c.size = row.Size
		return err
	})
	return c, ignoreNoRows(err)
}

// cutWords are what a message says of a mail that was cut.
type cutWords struct {
	line  string // size of the mail, size that is taken, what is here
	more  string // the size of a mail of which nothing else is known
	words string // what is here: its words,
	part  string // the beginning of its words,
	none  string // or none
}

var cutLine = map[string]cutWords{
	"fr": {line: "[Ce message pèse %s ; %s au plus sont acceptés. %s]", more: "plus de %s", words: "Son texte est ici, il manque des fichiers.",
		part: "Seul le début de son texte est ici.", none: "Seul son début est ici, sans texte lisible."},
	"en": {line: "[This mail is %s; at most %s are taken. %s]", more: "more than %s", words: "Its words are here, files are missing.",
		part: "Only the beginning of its words is here.", none: "Only its beginning is here, without words that can be read."},
}

// under puts the line below the words of the mail.
func (c *cutMail) under(words string, m *rfc822.Mail, language string) string {
	say, ok := cutLine[language]
	if !ok {
		language, say = "en", cutLine["en"]
	}
	size, limit := templates.Size(language, c.size), templates.Size(language, c.limit)
	if c.size <= c.limit || size == limit {
		size = fmt.Sprintf(say.more, limit) // a server that lies does not say it
	}
	here := say.words
	switch {
	case m.Encrypted() || strings.TrimSpace(m.Text) == "":
		here = say.none
	case strings.HasSuffix(m.Text, rfc822.CutMark):
		here = say.part
	}
	line := fmt.Sprintf(say.line, size, limit, here)
	return strings.TrimLeft(strings.TrimRight(words, "\n")+"\n\n"+line, "\n")
}

// whole says where all of the mail lies. Only agents are told.
func (c *cutMail) whole() string { return fmt.Sprintf("%s, UID %d", c.mailbox, c.uid) }

// tellIncomplete tells a party whose mail was cut what has not come, unless
// another mail does. Who has proven nothing but that he knows a Message-ID
// hears nothing, nor does a colleague, whom we do not write to.
func (d *decision) tellIncomplete(t ticket.Ticket, w writer) error {
	if d.in.cut == nil || d.toldCut || w.colleague || w.alone && w.level == Unproven || !d.mayAnswer(w) {
		return nil
	}
	told, _, _, err := d.tx.Spend(fmt.Sprintf("incomplete %d %s", t.ID, w.party.Address), incompleteEvery, d.d.ID)
	if err != nil || told > 1 {
		return err
	}
	o := store.Outbox{TicketID: t.ID, Desk: t.Desk, Party: w.party.Ordinal, Kind: ticket.Incomplete, Recipient: w.party.Address,
		Priority: priorityMachine, Args: d.incomplete(t).json()}
	if drop, err := d.hush(&o, false); err != nil || drop {
		return err
	}
	d.because("%s to 1", ticket.Incomplete)
	return d.add(o)
}

// tellAgentIncomplete is tellIncomplete for an agent.
func (d *decision) tellAgentIncomplete(t ticket.Ticket, w writer) error {
	if d.in.cut == nil {
		return nil
	}
	return d.toAgent(t, w, ticket.Incomplete, d.incomplete(t))
}

func (d *decision) incomplete(t ticket.Ticket) args {
	return args{Message: d.d.MessageID, Mute: true, Limit: d.in.cut.limit, From: t.State, State: t.State, Closed: t.Closed, ClosedAt: t.ClosedAt}
}
