package mailflow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// Submission is a form that was filled in behind a party's link.
type Submission struct {
	Link    string // of the party's row
	Lang    string // that the form was filled in in: the person's own from now on
	Answers Answers
	Files   []string // tokens of its uploads
	Refused []RefusedFile
}

// Submitted is what became of a form.
type Submitted struct {
	Number string // of its ticket
	Link   string // of the party's page there: another one where a new ticket began
	Twice  bool   // the same form had come before: nothing was added
}

// ErrFormClosed is the error of a form whose ticket takes no answers any more.
var ErrFormClosed = errors.New("the ticket takes no answers any more")

// Submit takes a form: one transaction, the same rules as a mail. The first
// one gives the ticket its number; a later one is an answer, unless it is the
// same again. It returns sql.ErrNoRows where the link leads nowhere, and
// [ErrFormClosed].
func (f *Flow) Submit(ctx context.Context, s Submission) (Submitted, error) {
	d := &decision{f: f, s: f.Settings.Load()}
	var out Submitted
	err := f.DB.Update(store.Urgent(ctx), "submit form", func(tx *store.Tx) (err error) {
		d.tx, d.queued, d.opened, d.why = tx, false, false, nil
		out, err = d.submit(s)
		return err
	})
	if err != nil {
		return out, err
	}
	f.Log.Info("threaded", KeyTicket, out.Number, "by", "form", "again", out.Twice)
	if d.queued {
		f.Outgoing()
	}
	return out, nil
}

func (d *decision) submit(s Submission) (Submitted, error) {
	p, err := d.tx.PartyByLink(s.Link)
	if err != nil {
		return Submitted{}, err
	}
	sender := p.ID
	t, err := d.f.survivor(d.tx, p.TicketID)
	if err == nil && t.ID != p.TicketID { // it was merged, and goes on there
		p, err = d.tx.PartyByAddress(t.ID, p.Address)
	}
	if err != nil {
		return Submitted{}, err
	}
	if !p.Active || p.Role == ticket.Agent {
		return Submitted{}, sql.ErrNoRows
	}
	uploads, err := d.uploads(sender, s.Files) // now that nobody else takes them
	if err != nil {
		return Submitted{}, err
	}
	sum := s.sum(uploads)
	late := d.tooLate(t, ticket.Event{Type: ticket.Submitted, Actor: p.Address, Role: p.Role})
	if same, err := d.sameForm(t, p, sum, late); err == nil {
		same.Link = cmp.Or(same.Link, s.Link)
		for _, u := range uploads {
			if err := d.tx.DropUpload(u); err != nil {
				return Submitted{}, err
			}
		}
		return same, nil
	} else if ignoreNoRows(err) != nil {
		return Submitted{}, err
	}
	if err := d.tx.SetProven(p.ID); err != nil {
		return Submitted{}, err
	}
	if err := d.tx.SetLanguage(p.Address, s.Lang); err != nil {
		return Submitted{}, err
	}
	if zone := s.Answers.zone(); zone != "" {
		if err := d.tx.SetZone(p.Address, zone); err != nil {
			return Submitted{}, err
		}
	}
	id, err := d.keepForm(t, p, s, uploads, sum)
	if err != nil {
		return Submitted{}, err
	}
	if late {
		return d.formFollows(t, p, s, store.Message{ID: id})
	}
	return d.enterForm(t, p, s, id)
}

// sameForm finds the same form as it was taken before; sql.ErrNoRows if it is
// new. One that came too late for its ticket stands on another.
func (d *decision) sameForm(t ticket.Ticket, p store.Party, sum string, late bool) (Submitted, error) {
	_, err := d.tx.SameSubmission(t.ID, p.Ordinal, sum)
	if err != sql.ErrNoRows || !late {
		return Submitted{Number: t.Number, Twice: true}, err
	}
	there, err := d.tx.SameSubmissionLinked(t.ID, p.Ordinal, sum)
	if err != nil {
		return Submitted{}, err
	}
	self, err := d.tx.PartyByOrdinal(there.TicketID, there.Party)
	if err != nil {
		return Submitted{}, err
	}
	t, err = d.tx.TicketByID(there.TicketID)
	return Submitted{Number: t.Number, Link: self.Link, Twice: true}, err
}

// enterForm applies the rules.
func (d *decision) enterForm(t ticket.Ticket, p store.Party, s Submission, message int64) (Submitted, error) {
	e := ticket.Event{Type: ticket.Submitted, Actor: p.Address, Role: p.Role, Answerable: true}
	n := notice{message: message, event: "form"}
	if AwaitsForm(t, p) {
		d.classifyBy(&t, &s.Answers)
	} else {
		n.event = "answer"
	}
	if err := d.addCustomer(t, p, &s.Answers, message); err != nil {
		return Submitted{}, err
	}
	if err := d.assignManager(&t); err != nil {
		return Submitted{}, err
	}
	if err := d.witness(t.ID, &e); err != nil {
		return Submitted{}, err
	}
	after, err := d.apply(t, e, n)
	if err != nil {
		var refused ticket.Refused
		if errors.As(err, &refused) {
			err = ErrFormClosed
		}
		return Submitted{}, err
	}
	return Submitted{Number: after.ticket.Number, Link: s.Link}, nil
}

// assignManager gives a ticket that nobody has to the manager of its
// organisation: an integrator's form has said whose it is.
func (d *decision) assignManager(t *ticket.Ticket) error {
	if t.Assignee != "" || t.State != ticket.AwaitingForm && t.Closed != ticket.Abandoned {
		return nil
	}
	parties, err := d.tx.Parties(t.ID)
	if err == nil {
		t.Assignee, err = d.managerOf(t.Desk, parties)
	}
	return err
}

// classifyBy takes from the answers what a ticket has fields for.
func (d *decision) classifyBy(t *ticket.Ticket, a *Answers) {
	t.Category = cmp.Or(a.Value("category"), t.Category)
	t.Urgency = cmp.Or(a.Value("urgency"), t.Urgency)
	if subject := a.Value("subject"); t.Subject == "" && subject != "" {
		if r := []rune(subject); len(r) > maxTicketSubject {
			subject = string(r[:maxTicketSubject])
		}
		t.Subject = subject
	}
}

// keepForm stores the answers as a message of the ticket, with the files.
func (d *decision) keepForm(t ticket.Ticket, p store.Party, s Submission, uploads []store.Upload, sum string) (int64, error) {
	var parts []store.Part
	for i, u := range uploads {
		parts = append(parts, store.Part{Path: fmt.Sprintf("form/%03d", i+1), Name: u.Name, ContentType: u.ContentType,
			Length: u.Size, Size: u.Size, RawID: u.RawID})
	}
	id, err := d.tx.AddMessage(store.Message{TicketID: t.ID, At: d.tx.Now(), Address: p.Address, Name: p.Name, Party: p.Ordinal,
		Role: p.Role, Visibility: store.Public, Proof: string(OwnToken), Reason: "filled in the form behind the mailed link",
		Words: d.f.withoutSecrets(s.Answers.Words(s.Lang, s.Refused))}, parts)
	if err != nil {
		return 0, err
	}
	for _, u := range uploads {
		if ok, err := d.tx.TakeUpload(u.ID, id); err != nil || !ok {
			return 0, cmp.Or(err, errors.New("a file of the form is gone"))
		}
	}
	refused, _ := json.Marshal(s.Refused)
	return id, d.tx.AddSubmission(store.Submission{MessageID: id, TicketID: t.ID, Party: p.Ordinal, Form: s.Answers.Form,
		Sum: sum, Answers: s.Answers.json(), Refused: string(refused)})
}

// uploads are the files of a form that a party has sent, in their order.
func (d *decision) uploads(party int64, tokens []string) ([]store.Upload, error) {
	all, err := d.tx.Uploads(party)
	return slices.DeleteFunc(all, func(u store.Upload) bool { return !slices.Contains(tokens, u.Token) }), err
}

// sum is equal for equal forms.
func (s *Submission) sum(uploads []store.Upload) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %s %q", s.Answers.Form, s.Answers.json(), s.Answers.Customer)
	for _, u := range uploads {
		fmt.Fprintf(h, " %q %s", u.Name, u.Sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// addCustomer makes a party of the customer whom an integrator names. One that
// is no contact of the organisation is told nothing before an agent acts: the
// address was only typed. He sees what is written from the form on.
func (d *decision) addCustomer(t ticket.Ticket, p store.Party, a *Answers, since int64) error {
	if a.Customer == "" || a.Customer == p.Address || p.Role != ticket.Integrator {
		return nil
	}
	parties, err := d.tx.Parties(t.ID)
	if err != nil {
		return err
	}
	for _, other := range parties {
		if other.Role == ticket.Customer && other.Address != a.Customer {
			// Taken from the mail's To or Cc; the form says it for certain.
			if err := d.tx.SetRole(other.ID, ticket.Follower); err != nil {
				return err
			}
		}
	}
	known := a.Known || slices.ContainsFunc(parties, func(o store.Party) bool { return o.Address == a.Customer })
	c, err := d.tx.AddParty(store.Party{TicketID: t.ID, Role: ticket.Customer, Address: strings.ToLower(a.Customer),
		Name: a.CustomerName, AddedBy: p.Address, Since: since, Untold: !known})
	if err != nil || !a.Known || c.Proven {
		return err
	}
	return d.tx.SetProven(c.ID) // the operator has named it, and the form's sender is proven
}

// IsOurs says that an address is a desk's or an agent's.
func (s *Settings) IsOurs(address string) bool {
	return s.Route(address).Desk != nil || s.Agent(address) != nil
}

// keepUploads is how long files wait for a form that was refused.
const keepUploads = 24 * time.Hour

// sweepUploads forgets files whose form was never sent right.
func (f *Flow) sweepUploads(ctx context.Context) {
	for more := true; more; {
		done := f.update(ctx, "sweep uploads", func(tx *store.Tx) error {
			n, err := tx.DropOldUploads(tx.Now().Add(-keepUploads), sweepBatch)
			more = n == sweepBatch
			return err
		})
		more = more && done
	}
}
