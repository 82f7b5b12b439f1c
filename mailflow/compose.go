package mailflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

const (
	// attachLimit is how much travels with a mail, in decoded bytes; what is
	// larger stands behind a link.
	attachLimit = 10 << 20
	// inlineBody is the largest body kept in the outbox row itself.
	inlineBody = 256 << 10
	historyMax = 3
)

// ErrNotSent is returned by [Flow.Compose] for a row that must not leave now:
// it was held, or its lease is another's.
var ErrNotSent = errors.New("the mail is not to be sent now")

// draft is what composing one row reads from the store.
type draft struct {
	row       store.Outbox
	args      args
	desk      *Desk
	ticket    ticket.Ticket
	party     store.Party
	parties   []store.Party
	message   store.Message
	parts     []store.Part
	history   []store.Message
	notes     []string    // what no party may read
	public    []string    // what this reader may read, the words of this mail left out
	opener    ticket.Role // of the ticket's first message
	first     string      // the reader's first Message-ID on the ticket
	last      string      // the newest that the reader knows
	lang      string
	zone      *time.Location // that the reader has named, else the desk's
	org       string         // of the message's writer
	customers string         // the organisation of the customer, where somebody else writes
	other     store.Outbox
	agent     *Agent // the reader, if one
	items     []templates.Item

	hasNotes, hasParts, hasHistory bool // that the mail needs
}

// Compose is stage 9: it makes the finished mail of a leased row, or reads
// the one made before, so that every try sends the same bytes. A mail that
// cannot be made, or that shows what its reader may not see, is held.
func (f *Flow) Compose(ctx context.Context, o *store.Outbox) error {
	return f.compose(ctx, o, nil)
}

// ComposeLent is Compose for a row that was leased as it was added. It is used
// once.
func (f *Flow) ComposeLent(ctx context.Context, o *store.Outbox, l Lent) error {
	return f.compose(ctx, o, l.draft)
}

func (f *Flow) compose(ctx context.Context, o *store.Outbox, dr *draft) error {
	if o.MailID != "" { // it is stored together with the mail
		if _, err := f.sentMail(ctx, o); err != nil || o.Header != nil {
			return err
		}
	}
	dr, err := f.gathered(ctx, o, dr)
	if err != nil {
		return f.uncomposed(ctx, dr, err)
	}
	out, rendered, err := f.write(ctx, dr)
	if err != nil {
		return f.uncomposed(ctx, dr, err)
	}
	if reason, err := f.mayLeak(ctx, dr, rendered); err != nil {
		return f.uncomposed(ctx, dr, err)
	} else if reason != "" {
		return f.holdMail(ctx, dr, reason)
	}
	body, err := out.Body()
	if err != nil {
		return f.uncomposed(ctx, dr, err)
	}
	if o.Header, err = out.Write(body); err != nil {
		return f.uncomposed(ctx, dr, err)
	}
	o.Body, o.MailID, o.Sender = body.Bytes, out.MessageID, f.envelopeSender(dr)
	return f.keepMail(ctx, o)
}

// gathered reads what the mail may say, but for what is known of it.
func (f *Flow) gathered(ctx context.Context, o *store.Outbox, dr *draft) (*draft, error) {
	var err error
	if dr == nil {
		dr = &draft{row: *o, args: argsOf(*o)}
		// An update, though it only reads: it shares its snapshot with others,
		// and the writer has the pages in memory that a reader of SQLite must
		// fetch anew after each commit.
		err = f.DB.Update(ctx, "gather", func(tx *store.Tx) error { return f.gather(tx, dr) })
	}
	if err == nil && dr.more() {
		err = f.DB.View(ctx, func(tx *store.Tx) error { return f.gatherMore(tx, dr) })
	}
	return dr, err
}

// uncomposed holds a mail that cannot be made. Trouble of the store passes
// and says nothing about the mail.
func (f *Flow) uncomposed(ctx context.Context, dr *draft, err error) error {
	if store.IsTrouble(err) || ctx.Err() != nil {
		return err
	}
	return f.holdMail(ctx, dr, "it cannot be composed: "+err.Error())
}

// keepMail stores the finished mail. Large bodies go in pieces, so that one
// does not stall everybody's commits.
func (f *Flow) keepMail(ctx context.Context, o *store.Outbox) error {
	kept := *o
	var raw *store.RawWriter
	if len(o.Body) > inlineBody {
		raw = f.DB.NewRaw(ctx)
		if _, err := raw.Write(o.Body); err != nil {
			raw.Abort()
			return err
		}
		kept.Body = nil
	}
	var ok bool
	err := f.DB.Update(ctx, "compose", func(tx *store.Tx) (err error) {
		if raw != nil {
			if kept.BodyID, _, _, err = raw.Finish(tx); err != nil {
				return err
			}
		}
		ok, err = tx.StoreMail(kept)
		return err
	})
	if err == nil && !ok {
		return ErrNotSent
	}
	f.Count.Composed.Add(1)
	return err
}

// gather reads all that the mail may say.
func (f *Flow) gather(tx *store.Tx, dr *draft) (err error) {
	s := f.Settings.Load()
	if dr.desk = s.Desk(dr.row.Desk); dr.desk == nil {
		return fmt.Errorf("the desk %s is no longer configured", dr.row.Desk)
	}
	dr.agent = s.Agent(dr.row.Recipient)
	var zone string
	if dr.lang, zone, err = tx.Reader(dr.row.Recipient); err != nil {
		return err
	}
	dr.zone = ZoneOf(zone, dr.desk.Zone)
	if dr.agent != nil && dr.agent.Language != "" {
		dr.lang = dr.agent.Language
	}
	if dr.lang == "" {
		dr.lang = dr.desk.Language
	}
	if dr.row.TicketID != 0 {
		if err = f.gatherTicket(tx, dr); err != nil {
			return err
		}
	}
	if dr.args.Event == severalEvent {
		return f.gatherItems(tx, dr)
	}
	if dr.row.Kind == ticket.Digest {
		return f.gatherDigest(tx, dr)
	}
	if dr.args.Failed != 0 {
		dr.other, err = tx.OutboxByID(dr.args.Failed)
	}
	return ignoreNoRows(err)
}

func (f *Flow) gatherTicket(tx *store.Tx, dr *draft) (err error) {
	id := dr.row.TicketID
	if dr.parties, err = tx.Parties(id); err != nil {
		return err
	}
	if dr.party, err = tx.PartyByOrdinal(id, dr.row.Party); ignoreNoRows(err) != nil {
		return err
	}
	s, err := tx.Story(id, dr.args.Message, dr.party.Since, dr.row.Recipient)
	if err != nil {
		return err
	}
	dr.ticket, dr.message, dr.opener, dr.first, dr.last = s.Ticket, s.Message, s.Opener, s.First, s.Last
	dr.hasNotes = s.HasNotes && !dr.toAgent()
	dr.hasParts = s.HasParts && carriesFiles(dr.row.Kind)
	dr.hasHistory = s.HasHistory
	if s.Message.ID == 0 || dr.agent == nil {
		return nil // only agents are told of the organisation
	}
	org, err := tx.OrganisationOf(s.Message.Address)
	if org != nil {
		dr.org = org.Name
	}
	for _, p := range dr.parties {
		if err == nil && p.Role == ticket.Customer && p.Address != s.Message.Address {
			if org, err = tx.OrganisationOf(p.Address); org != nil {
				dr.customers = org.Name
			}
		}
	}
	return err
}

// more says that there is more to read, which may be long.
func (dr *draft) more() bool { return dr.hasNotes || dr.hasParts || dr.hasHistory }

func (f *Flow) gatherMore(tx *store.Tx, dr *draft) (err error) {
	m := dr.message
	if dr.hasNotes {
		if dr.notes, err = tx.Notes(dr.row.TicketID); err != nil {
			return err
		}
	}
	if dr.hasParts {
		if dr.parts, err = tx.Parts(m.ID); err != nil {
			return err
		}
		dr.parts = withoutShells(dr.parts)
	}
	if dr.hasHistory {
		dr.history, err = tx.PublicMessages(m.TicketID, dr.party.Since, m.ID, historyMax)
	}
	return err
}

// gatherPublic reads what the reader may have read before. It is asked for
// only where a mail shows something: most show nothing, and it is long.
func (f *Flow) gatherPublic(ctx context.Context, dr *draft) error {
	return f.DB.View(ctx, func(tx *store.Tx) (err error) {
		dr.public, err = tx.PublicWords(dr.row.TicketID, dr.party.Since, dr.args.Message)
		return err
	})
}

// write renders the row and builds the mail around it.
func (f *Flow) write(ctx context.Context, dr *draft) (*rfc822.Outgoing, templates.Rendered, error) {
	data := f.data(dr)
	attachments, err := f.attach(ctx, dr, data)
	if err != nil {
		return nil, templates.Rendered{}, err
	}
	kind := dr.row.Kind
	if dr.args.Event == severalEvent {
		kind = templates.Several
	}
	r, err := f.Templates.Load().Mail(kind, dr.lang, data)
	if err != nil {
		return nil, r, err
	}
	out := &rfc822.Outgoing{
		From:        rfc822.Address{Name: data.Desk.Name, Address: dr.desk.Address},
		ReplyTo:     f.replyTo(dr),
		To:          []rfc822.Address{{Name: data.Name, Address: dr.row.Recipient}},
		Subject:     r.Subject,
		Date:        f.Now(),
		MessageID:   "<" + f.Keys.Outbox(ticket.ForMessage, dr.row.ID) + "@" + f.hostname() + ">",
		Extra:       marks(dr),
		Text:        r.Text,
		HTML:        r.HTML,
		Attachments: attachments,
	}
	f.refer(dr, out)
	return out, r, nil
}

// replyTo is the address whose token tells the ticket and the party, or the
// confirmation; none where the desk has no such addresses.
func (f *Flow) replyTo(dr *draft) rfc822.Address {
	if dr.desk.Reply == "off" {
		return rfc822.Address{}
	}
	if dr.row.Kind == ticket.ConfirmCommand {
		return rfc822.Address{Address: dr.desk.TokenAddress(f.Keys.Outbox(ticket.ForConfirm, dr.row.ID))}
	}
	if dr.row.TicketID == 0 || dr.row.Party < 0 {
		return rfc822.Address{}
	}
	name := dr.desk.Name(dr.lang)
	if dr.ticket.Number != "" {
		name += " " + dr.ticket.Number
	}
	return rfc822.Address{Name: name, Address: dr.desk.TokenAddress(f.Keys.Reply(dr.row.TicketID, dr.row.Party))}
}

// envelopeSender is where reports on this one mail come back to.
func (f *Flow) envelopeSender(dr *draft) string {
	if f.Settings.Load().FixedEnvelope || dr.desk.Reply == "off" {
		return dr.desk.Address
	}
	return dr.desk.TokenAddress(f.Keys.Outbox(ticket.ForBounce, dr.row.ID))
}

// refer sets In-Reply-To and References from ids that the reader knows, so
// that no other party's or agent's ids travel, and every program keeps the
// ticket in one thread (RFC 5322 §3.6.4).
func (f *Flow) refer(dr *draft, out *rfc822.Outgoing) {
	if dr.first != "" {
		out.References = append(out.References, dr.first)
	}
	last := dr.last
	if dr.message.Address == dr.row.Recipient && dr.message.MailID != "" {
		last = dr.message.MailID
	}
	if last == "" {
		last = dr.first
	}
	if last != "" && last != dr.first {
		out.References = append(out.References, last)
	}
	out.InReplyTo = last
}

// marks are the header fields that tell machines, and only machines, what
// the mail is (RFC 3834 §5). Human words carry none of the marks of a machine.
func marks(dr *draft) []rfc822.Field {
	fields := []rfc822.Field{{Name: "X-Guichet-Kind", Value: string(dr.row.Kind)}}
	if dr.ticket.Number != "" {
		fields = append(fields, rfc822.Field{Name: "X-Guichet-Ticket", Value: dr.ticket.Number})
	}
	if human(dr) {
		return fields
	}
	auto := "auto-generated"
	switch dr.row.Kind {
	case ticket.Acknowledgment, ticket.RejectedCommand, ticket.Receipt, ticket.ConfirmCommand:
		auto = "auto-replied"
	}
	return append(fields, rfc822.Field{Name: "Auto-Submitted", Value: auto},
		rfc822.Field{Name: "X-Auto-Response-Suppress", Value: "OOF, AutoReply"})
}

// human says that the mail carries a person's words to a party.
func human(dr *draft) bool {
	switch dr.row.Kind {
	case ticket.Update:
		return dr.args.Message != 0
	case ticket.FormLink, ticket.Opened, ticket.Moved, ticket.MergedMail, ticket.RejectedMail, ticket.ClosureRequest, ticket.InformationRequest, ticket.ActionRequest,
		ticket.ClosedMail, ticket.Reopened:
		return dr.args.Words && dr.message.Words != ""
	}
	return false
}

// attach reads the attachments of the message out of its raw mail. Together
// they travel up to attachLimit; else they stand behind links.
func (f *Flow) attach(ctx context.Context, dr *draft, data *templates.Mail) ([]rfc822.Attachment, error) {
	if len(dr.parts) == 0 || dr.args.Stranger || dr.args.Mute || !carriesFiles(dr.row.Kind) {
		return nil, nil
	}
	var total int64
	for _, p := range dr.parts {
		total += p.Size
	}
	for _, p := range dr.parts {
		file := templates.File{Name: FileName(p), Size: p.Size}
		if total > attachLimit {
			file.URL = f.Settings.Load().BaseURL + FileURL(dr.party.Link, p)
		}
		data.Files = append(data.Files, file)
	}
	if data.Agent != nil {
		data.Agent.Files = data.Files
	}
	if total > attachLimit {
		return nil, nil
	}
	var raw []byte
	var err error
	var out []rfc822.Attachment
	for i, p := range dr.parts {
		if p.RawID != 0 || i == 0 {
			if raw, err = f.raw(ctx, cmp.Or(p.RawID, dr.message.RawID)); err != nil {
				return nil, err
			}
		}
		b, err := io.ReadAll(io.LimitReader(OpenPart(p, raw), attachLimit))
		if err != nil && len(b) == 0 {
			continue // not decodable: the page still shows it
		}
		out = append(out, rfc822.Attachment{Filename: FileName(p), ContentType: p.ContentType, ContentID: p.ContentID, Data: b})
	}
	return out, nil
}

// OpenPart decodes an attachment out of its raw mail.
func OpenPart(p store.Part, raw []byte) io.Reader {
	return rfc822.Part{Encoding: p.Encoding, Offset: p.Offset, Length: p.Length}.Open(raw)
}

func carriesFiles(k ticket.Kind) bool {
	switch k {
	case ticket.Update, ticket.Notification, ticket.Opened, ticket.ClosureRequest, ticket.InformationRequest,
		ticket.ActionRequest, ticket.RejectedMail, ticket.ClosedMail, ticket.Reopened:
		return true
	}
	return false
}

// FileName is what an attachment is called where it must have a name.
func FileName(p store.Part) string {
	if p.Name != "" {
		return p.Name
	}
	if p.ContentType == "message/rfc822" {
		return "mail.eml"
	}
	_, sub, _ := strings.Cut(p.ContentType, "/")
	return strings.TrimRight("file-"+p.Path+"."+sub, ".")
}

// closeAt says when a ticket would be closed if nobody did anything, as far
// as that can be said; zero if it would not.
func closeAt(a args, p ticket.Policy) time.Time {
	t := p.Timers
	if a.Next == "" || a.Deadline.IsZero() || a.Next == ticket.ClosedMail {
		return a.Deadline
	}
	if t.AutoCloseAfter == ticket.Off || a.State == ticket.Resolved && p.Approval == ticket.Required {
		return time.Time{}
	}
	at := a.Deadline.Add(t.AutoCloseAfter)
	switch a.Next {
	case ticket.ClosureReminder:
		if t.ClosureReminderAfter == ticket.Off {
			return time.Time{}
		}
		at = at.Add(t.ClosureReminderAfter)
	case ticket.Reminder:
		if t.ReminderEvery == ticket.Off {
			return time.Time{}
		}
		at = at.Add(time.Duration(max(t.Reminders-a.N, 1)) * t.ReminderEvery)
	}
	return at
}
