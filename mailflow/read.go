package mailflow

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// incoming is one delivery with what reading and classifying made of it.
type incoming struct {
	d       store.Delivery
	mail    *rfc822.Mail
	verdict Verdict
	// ours is the text of our own mails that an agent's mail answers, so that
	// nothing of it is taken for the agent's words; answers are their tickets.
	ours    string
	answers []int64
	// forwarded is the mail that an agent's mail forwards, or nil.
	forwarded *rfc822.Forwarded
	// number is that of a partner's ticket system, old are those of what stood
	// before this gateway, as the store keeps them.
	number string
	old    []string
	// events are the invitations in it.
	events []rfc822.Event
	// about is the mail of ours that this one, a report, is about, or 0.
	about int64
	// confirmed is the agent's mail that this one confirms, or nil.
	confirmed *incoming
	// cut is set if this is only the beginning of the mail.
	cut *cutMail

	contentHash, copyHash []byte

	persons []string // for people, once made
	named   map[string]bool
}

// read is stage 2, with what deciding will need of other mails: that
// transaction reads no bytes and parses nothing.
func (f *Flow) read(ctx context.Context, d store.Delivery) (*incoming, error) {
	raw, err := f.raw(ctx, d.RawID)
	if err != nil {
		return nil, err
	}
	return f.readBytes(ctx, d, raw)
}

// readSafely is read, or readBytes if the bytes are given, of which a failure
// of the program costs one mail.
func (f *Flow) readSafely(ctx context.Context, d store.Delivery, raw []byte) (in *incoming, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.Log.Error("read", KeyMail, d.ID, "panic", p, "stack", string(debug.Stack()))
			err = &stopped{"read", fmt.Sprintf("the program failed: %v", p)}
		}
	}()
	if raw == nil {
		return f.read(ctx, d)
	}
	return f.readBytes(ctx, d, raw)
}

// readBytes is read of a mail whose bytes are there.
func (f *Flow) readBytes(ctx context.Context, d store.Delivery, raw []byte) (*incoming, error) {
	cut, err := f.cutOf(ctx, d)
	if err != nil {
		return nil, err
	}
	m, err := f.parse(raw, cut != nil)
	if err != nil {
		return nil, err
	}
	s := f.Settings.Load()
	in := &incoming{d: d, mail: m, cut: cut, events: m.Events(raw)}
	env := Envelope{Listener: d.Listener, Client: d.Client, From: d.MailFrom, Recipients: d.Recipients}
	// A mailbox keeps no envelope: its Return-Path is looked for anyhow.
	hasEnvelope := d.Listener != ListenerIMAP || d.MailFrom != ""
	in.verdict = Classify(m, env, hasEnvelope, func(a string) bool { return s.Route(a).Desk != nil }).Beside(in.events, m.Text)
	in.numbers(s)
	if d.Reason == ReleasedByHand {
		in.verdict = Verdict{Class: ClassPerson, Reason: ReleasedByHand}
	}
	if len(m.InReplyTo)+len(m.References) > 0 {
		phraseBook() // made here, not in the first decision that wants it
	}
	in.about = cmp.Or(f.complains(m, in.verdict, raw), f.returned(in))
	in.hash(raw)
	row, ok, err := f.confirmRow(ctx, in)
	if ok {
		in.confirmed, err = f.readConfirmed(ctx, row)
	}
	if s.Agent(in.from()) != nil {
		if fw, ok := m.Forwarded(raw); ok {
			in.forwarded = &fw
		}
	}
	if err == nil && s.Agent(in.from()) != nil {
		err = f.ourWords(ctx, in)
	}
	return in, err
}

// trouble is err if it is the store's own, and nil for what is not there:
// without its other mails a mail would be misread.
func trouble(err error) error {
	if store.IsTrouble(err) {
		return err
	}
	return nil
}

func (f *Flow) raw(ctx context.Context, id int64) (raw []byte, err error) {
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		raw, err = tx.ReadRaw(id)
		return err
	})
	return raw, err
}

// from is the one address that the mail claims to come from, in lower case;
// "" if there is none or more than one.
func (in *incoming) from() string {
	if len(in.mail.From) != 1 {
		return ""
	}
	return strings.ToLower(in.mail.From[0].Address)
}

// root is the id that all mails of a thread have in common: the first that
// they refer to, or their own.
func (in *incoming) root() string {
	switch m := in.mail; {
	case len(m.References) > 0:
		return m.References[0]
	case len(m.InReplyTo) > 0:
		return m.InReplyTo[0]
	case m.MessageID != "":
		return m.MessageID
	}
	return in.from()
}

// describe fills in what lists show of a delivery.
func (in *incoming) describe(d *store.Delivery) {
	d.From, d.Subject, d.MailID = in.from(), in.mail.Subject, in.mail.MessageID
	if len(in.mail.To) > 0 {
		d.To = strings.ToLower(in.mail.To[0].Address)
	}
	d.ContentHash, d.CopyHash = in.contentHash, in.copyHash
}

// hash makes the two keys that copies of one mail share. Trace fields differ
// from copy to copy and are left out; line ends are folded.
func (in *incoming) hash(raw []byte) {
	h := in.mail.Header
	content, same := sha256.New(), sha256.New()
	content.Write([]byte(in.d.Desk))
	same.Write([]byte(in.d.Desk))
	for _, name := range []string{"From", "To", "Cc", "Date", "Subject", "Message-ID"} {
		value := []byte("\n" + strings.Join(h.Values(name), "\n"))
		content.Write(value)
		if name == "From" || name == "Date" || name == "Message-ID" {
			same.Write(value)
		}
	}
	writeBody(content, raw)
	in.contentHash = content.Sum(nil)
	if h.Get("Message-ID") != "" && h.Get("Date") != "" {
		in.copyHash = same.Sum(nil)
	}
}

// writeBody writes what follows the first empty line, or else all of raw, with
// LF for CRLF and without line ends behind it. A mail can be large: it is not
// copied.
func writeBody(w io.Writer, raw []byte) {
	body := raw
	if i := emptyLine(raw); i >= 0 {
		body = raw[i:]
	}
	for n := len(body); n > 0 && body[n-1] == '\n'; n = len(body) {
		body = bytes.TrimSuffix(body[:n-1], []byte("\r"))
	}
	for {
		i := bytes.Index(body, []byte("\r\n"))
		if i < 0 {
			break
		}
		w.Write(body[:i])
		body = body[i+1:] // the LF goes with the next line
	}
	w.Write(body)
}

// emptyLine returns where the first empty line ends, or -1. Line ends are LF
// or CRLF.
func emptyLine(raw []byte) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(raw[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n
		rest := bytes.TrimPrefix(raw[i+1:], []byte("\r"))
		if len(rest) > 0 && rest[0] == '\n' {
			return len(raw) - len(rest) + 1
		}
	}
}

// recipients are all addresses that the mail was sent to, the envelope's
// first: they are the most certain.
func (in *incoming) recipients() []string {
	all := slices.Clone(in.d.Recipients)
	for _, name := range DeliveredTo {
		for _, v := range in.mail.Header.Values(name) {
			all = append(all, strings.Trim(strings.TrimSpace(v), "<>"))
		}
	}
	for _, list := range [][]rfc822.Address{in.mail.To, in.mail.Cc} {
		for _, a := range list {
			all = append(all, a.Address)
		}
	}
	return all
}

// tokens lists the verified tokens in the recipients' addresses.
func (f *Flow) tokens(in *incoming) []ticket.Token {
	s := f.Settings.Load()
	var out []ticket.Token
	for _, a := range in.recipients() {
		if r := s.Route(a); r.Token != "" {
			if t, err := f.Keys.Verify(r.Token); err == nil {
				out = append(out, t)
			}
		}
	}
	return out
}

// idTokens lists the verified tokens in the ids that the mail answers, those
// of In-Reply-To first, then References from the newest.
func (f *Flow) idTokens(in *incoming) []ticket.Token {
	var out []ticket.Token
	for _, id := range in.answered() {
		if t, ok := f.ownID(id); ok {
			out = append(out, t)
		}
	}
	return out
}

// answered lists the ids that the mail refers to, the nearest first.
func (in *incoming) answered() []string {
	ids := slices.Clone(in.mail.InReplyTo)
	for i := len(in.mail.References) - 1; i >= 0; i-- {
		if !slices.Contains(ids, in.mail.References[i]) {
			ids = append(ids, in.mail.References[i])
		}
	}
	return ids
}

// ownID reads a Message-ID of ours. What stands right of the @ is not looked
// at: some systems change it, and the token needs no witness.
func (f *Flow) ownID(id string) (ticket.Token, bool) {
	local, _, ok := cutLast(strings.Trim(id, "<> "))
	if !ok {
		return ticket.Token{}, false
	}
	t, err := f.Keys.Verify(local)
	return t, err == nil && t.Purpose == ticket.ForMessage
}

// ourWords reads the mails of ours that an agent's mail answers.
func (f *Flow) ourWords(ctx context.Context, in *incoming) error {
	for i, t := range f.idTokens(in) {
		if i == 5 {
			break
		}
		words, ticketID, err := f.sentWords(ctx, t.Row())
		if trouble(err) != nil {
			return err
		}
		if err == nil {
			in.ours += words + "\n"
			in.answers = append(in.answers, ticketID)
		}
	}
	return nil
}

// sentWords is the text of a mail of ours, and its ticket: as it was sent,
// where that is kept, else as it would be written now, once more with all who
// were ever on the ticket.
func (f *Flow) sentWords(ctx context.Context, row int64) (words string, ticketID int64, err error) {
	o := store.Outbox{ID: row}
	mail, err := f.sentMail(ctx, &o)
	if err != nil {
		return "", 0, err
	}
	dr := &draft{}
	var everybody []store.Party
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		if dr.row, err = tx.OutboxByID(row); err != nil || o.Header != nil {
			return err
		}
		dr.args = argsOf(dr.row)
		if err = f.gather(tx, dr); err != nil || dr.row.TicketID == 0 {
			return err
		}
		everybody, err = tx.Everybody(dr.row.TicketID)
		return err
	})
	if err != nil {
		return "", 0, err
	}
	if o.Header != nil {
		return rfc822.Parse(mail).Text, dr.row.TicketID, nil
	}
	if dr, err = f.gathered(ctx, &dr.row, dr); err != nil {
		return "", 0, err
	}
	for {
		data := f.data(dr)
		f.nameFiles(dr, data)
		r, err := f.render(dr, data)
		words += r.Text + "\n"
		if err != nil || len(everybody) == len(dr.parties) {
			return words, dr.row.TicketID, err
		}
		dr.parties = everybody
	}
}

// sentMail reads the stored bytes of a mail of ours.
func (f *Flow) sentMail(ctx context.Context, o *store.Outbox) (mail []byte, err error) {
	err = f.DB.View(ctx, func(tx *store.Tx) error {
		if err := tx.LoadMail(o); err != nil {
			return err
		}
		if o.BodyID != 0 {
			o.Body, err = tx.ReadRaw(o.BodyID)
		}
		return err
	})
	return slices.Concat(o.Header, o.Body), err
}

func sortDeliveries(ds []store.Delivery) {
	slices.SortFunc(ds, func(a, b store.Delivery) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
