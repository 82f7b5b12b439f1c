package mailflow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
)

// ListenerIMAP is the listener of a delivery that was fetched. Its client is
// the mailbox's name, which is no address: no network of it is trusted.
const ListenerIMAP = "imap"

// ErrNotFetched says that a fetched mail was not taken, and why that is in
// order: it is in our hands already, or its mailbox is another gateway's now.
var ErrNotFetched = errors.New("another has taken this mail")

// Fetched is what is known of a mail that lies in a mailbox.
type Fetched struct {
	Mailbox store.Mailbox
	// Row is the mail's row in the journal as it is to be afterwards.
	Row  store.MailboxMail
	Desk string // whose mail it is where its header does not say
	// Head is the beginning of the mail, with the header.
	Head []byte
	// Held is why the mail is to be held at once; "": it is processed.
	Held string
	// Mine says, within the transaction, whether the mailbox is still this
	// gateway's to fetch.
	Mine func(*store.Tx) (bool, error)
}

// CommitFetched is Commit for a mail out of a mailbox: the delivery and the
// journal's row are one transaction. It is [ErrNotFetched] where the mail was
// taken before; then nothing is changed.
func (in *Incoming) CommitFetched(ctx context.Context, m Fetched) error {
	d := in.fetchedDelivery(m)
	if n := hops(m.Head); n > MaxHops {
		m.Held = fmt.Sprintf("it has %d Received lines, and goes round in circles (RFC 5321 §6.3)", n)
	}
	if m.Row.State == store.MailCut {
		d.Hello = cutKey(m.Row, in.r.Settings.Load().Limits.MaxMessage)
	}
	in.rows = []store.Delivery{d}
	if d.Priority == 0 {
		ctx = store.Urgent(ctx)
	}
	err := in.r.DB.Update(ctx, "fetch", func(tx *store.Tx) error {
		earlier, err := in.r.mayTake(tx, m)
		if err != nil {
			return err
		}
		rawID, _, _, err := in.raw.Finish(tx)
		if err != nil {
			return err
		}
		d.RawID, d.Received = rawID, tx.Now()
		if d.ID, err = tx.AddDelivery(d); err != nil {
			return err
		}
		in.ids = []int64{d.ID}
		if earlier != 0 {
			how := "fetched whole as mail %d"
			if m.Row.State == store.MailCut {
				how = "its beginning was fetched as mail %d"
			}
			err = tx.EndUnfetched(earlier, fmt.Sprintf(how, d.ID))
		}
		if err == nil && m.Held != "" {
			d.State, d.Stop, d.Reason = store.DeliveryHeld, "receive", m.Held
			in.describeHead(&d, m.Head)
			err = tx.FinishDelivery(d)
		}
		if err != nil {
			return err
		}
		m.Row.DeliveryID = d.ID
		return errors.Join(tx.PutMailboxMail(m.Row), tx.AddMailboxDesk(m.Mailbox, d.Desk))
	})
	if err != nil {
		in.raw.Abort()
		if errors.Is(err, ErrNotFetched) {
			return err
		}
		return in.r.fault(err)
	}
	in.r.Count.Received.Add(1)
	if m.Held != "" {
		in.r.Count.Held.Add(1)
	} else {
		in.r.Wake()
	}
	return nil
}

// mayTake says whether a mail is still to be taken, and which delivery stands
// for it meanwhile.
func (r *Receiver) mayTake(tx *store.Tx, m Fetched) (held int64, err error) {
	mine, err := m.Mine(tx)
	if err != nil {
		return 0, err
	}
	if !mine {
		return 0, ErrNotFetched
	}
	row, err := tx.MailboxMail(m.Row.MailboxID, m.Row.UIDValidity, m.Row.UID)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err == nil && slices.Contains([]store.MailState{store.MailTaken, store.MailDone, store.MailThere, store.MailCut}, row.State) {
		err = ErrNotFetched
	}
	return row.DeliveryID, err
}

// fetchedDelivery makes the one row of a fetched mail. Its desk is that of the
// topmost address to which a server has delivered it; what the sender may have
// written as such stands below.
func (in *Incoming) fetchedDelivery(m Fetched) store.Delivery {
	s := in.r.Settings.Load()
	h := readHead(m.Head)
	d := store.Delivery{Desk: m.Desk, Listener: in.env.Listener, Client: in.env.Client, MailFrom: h.returnPath, Priority: 1}
	for i, to := range slices.Concat(h.delivered, h.named) {
		route := s.Route(to)
		if route.Desk == nil || slices.Contains(d.Recipients, to) {
			continue
		}
		token, err := in.r.Keys.Verify(route.Token)
		switch {
		case err == nil:
			d.Priority = 0
			if token.Purpose == ticket.ForReply && d.About == 0 {
				d.About = token.Ticket()
			}
		case i >= len(h.delivered):
			continue // To and Cc name others' copies, too
		}
		if i < len(h.delivered) && d.Recipients == nil {
			d.Desk = route.Desk.Key
		}
		d.Recipients = append(d.Recipients, to)
	}
	return d
}

// fetchedHead is what the header of a fetched mail says of its way.
type fetchedHead struct {
	mail       *rfc822.Mail
	returnPath string   // "" is the null path, or that none is noted
	delivered  []string // addresses that servers have delivered it to, the last one first
	named      []string // in To and Cc
}

// DeliveredTo are the fields in which servers note to whom they delivered a
// mail, each in its own tradition: Postfix and Gmail, Postfix, Exim, others.
// It is only read.
var DeliveredTo = []string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "X-Forwarded-To"}

// readHead reads the beginning of a mail. It never fails: a mail whose header
// cannot be read is its mailbox's desk's.
func readHead(raw []byte) (h fetchedHead) {
	defer func() {
		if recover() != nil {
			h = fetchedHead{mail: &rfc822.Mail{}}
		}
	}()
	if i := emptyLine(raw); i >= 0 {
		raw = raw[:i]
	}
	h.mail = rfc822.Parse(raw)
	h.returnPath = strings.Trim(strings.TrimSpace(h.mail.Header.Get("Return-Path")), "<>")
	for _, f := range h.mail.Header {
		if !slices.ContainsFunc(DeliveredTo, func(name string) bool { return strings.EqualFold(name, f.Name) }) {
			continue
		}
		for a := range strings.SplitSeq(f.Value, ",") {
			if a = strings.ToLower(strings.Trim(strings.TrimSpace(a), "<>")); a != "" && len(h.delivered) < 20 {
				h.delivered = append(h.delivered, a)
			}
		}
	}
	for _, list := range [][]rfc822.Address{h.mail.To, h.mail.Cc} {
		for _, a := range list {
			h.named = append(h.named, strings.ToLower(a.Address))
		}
	}
	return h
}

// hops counts the servers that a mail has passed, by the lines that they leave.
func hops(head []byte) (n int) {
	for line := range bytes.Lines(head) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if len(line) > len("Received:") && bytes.EqualFold(line[:len("Received:")], []byte("Received:")) {
			n++
		}
	}
	return n
}

// describeHead fills in what lists show of a mail that is held before it is
// read.
func (in *Incoming) describeHead(d *store.Delivery, raw []byte) {
	m := readHead(raw).mail
	(&incoming{mail: m}).describe(d)
}

// MailHash tells a mail from others wherever it lies: by what its writer's
// program has put into its header, without blanks, and without the octets that
// only the rest of the header could explain. A mail that says nothing there has
// no hash. It also gives the mail's Date, zero if there is none.
func MailHash(raw []byte) (hash []byte, written time.Time) {
	m := readHead(raw).mail
	h := sha256.New()
	found := false
	for _, name := range []string{"Message-ID", "Date", "From", "Subject"} {
		value := strings.Map(func(r rune) rune {
			if r <= ' ' || r > '~' {
				return -1
			}
			return r
		}, m.Header.Get(name))
		found = found || value != ""
		h.Write([]byte(value + "\n"))
	}
	if !found {
		return nil, m.Date
	}
	return h.Sum(nil)[:16], m.Date
}
