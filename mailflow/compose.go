package mailflow

import (
	"context"
	"errors"
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
	// inlineBody is the largest body, in bytes, that is kept in one piece.
	inlineBody = 256 << 10
	historyMax = 3
)

// ErrNotSent is returned by [Flow.Compose] for a row that must not leave now:
// it was held, or its lease is another's.
var ErrNotSent = errors.New("the mail is not to be sent now")

// Compose is stage 9: it makes the finished mail of a leased row, or reads
// the one made before, so that every try sends the same bytes. A large one is
// stored at once, of others [Flow.Settle] keeps what is needed. A mail that
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
	if o.Header != nil {
		return nil // it was made for this try
	}
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
	if len(o.Body) > inlineBody {
		err = f.keepMail(ctx, o)
	}
	if err == nil {
		f.Count.Composed.Add(1)
	}
	return err
}

// uncomposed holds a mail that cannot be made. Trouble of the store passes
// and says nothing about the mail.
func (f *Flow) uncomposed(ctx context.Context, dr *draft, err error) error {
	if store.IsTrouble(err) || ctx.Err() != nil {
		return err
	}
	return f.holdMail(ctx, dr, "it cannot be composed: "+err.Error())
}

// keepMail stores a large mail, so that it need not wait in memory. It goes in
// pieces: no other commit waits for all of it.
func (f *Flow) keepMail(ctx context.Context, o *store.Outbox) error {
	raw := f.DB.NewRaw(ctx)
	if _, err := raw.Write(o.Body); err != nil {
		raw.Abort()
		return err
	}
	kept := *o
	kept.Body = nil
	err := f.DB.Update(ctx, "compose", func(tx *store.Tx) (err error) {
		if kept.BodyID, _, _, err = raw.Finish(tx); err != nil {
			return err
		}
		o.Stored, err = tx.StoreMail(kept)
		return err
	})
	if err == nil && !o.Stored {
		return ErrNotSent
	}
	return err
}

// render says what the row says.
func (f *Flow) render(dr *draft, data *templates.Mail) (templates.Rendered, error) {
	kind := dr.row.Kind
	if dr.args.Event == severalEvent {
		kind = templates.Several
	}
	return f.Templates.Load().Mail(kind, dr.lang, data)
}

// write renders the row and builds the mail around it.
func (f *Flow) write(ctx context.Context, dr *draft) (*rfc822.Outgoing, templates.Rendered, error) {
	data := f.data(dr)
	var attachments []rfc822.Attachment
	if f.nameFiles(dr, data) {
		var err error
		if attachments, err = f.attach(ctx, dr); err != nil {
			return nil, templates.Rendered{}, err
		}
	}
	r, err := f.render(dr, data)
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
