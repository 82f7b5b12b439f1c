package mailflow

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"guichet/mailflow/ticket"
	"guichet/store"
)

// keep stores the mail as a message of a ticket, with its anchors.
func (d *decision) keep(ticketID int64, w writer, v store.Visibility, words string) (int64, error) {
	m := store.Message{TicketID: ticketID, DeliveryID: d.d.ID, RawID: d.d.RawID, At: d.d.Received, Address: w.address,
		Name: w.name, Party: -1, Role: w.role, Visibility: v, Proof: string(w.level), Reason: w.reason,
		MailID: d.in.mail.MessageID, People: d.in.people(), Words: d.withLines(words)}
	if w.party != nil {
		m.Party = w.party.Ordinal
	}
	var parts []store.Part
	for _, p := range d.in.mail.Parts {
		parts = append(parts, store.Part{Path: p.Path, Name: p.Filename, ContentType: p.ContentType, Encoding: p.Encoding,
			ContentID: p.ContentID, Inline: p.Inline, Offset: p.Offset, Length: p.Length, Size: p.Size})
	}
	id, err := d.tx.AddMessage(m, parts)
	if err != nil {
		return 0, err
	}
	d.d.TicketID, d.d.MessageID = ticketID, id
	if err := d.anchorNumbers(ticketID, id, w); err != nil {
		return 0, err
	}
	return id, d.anchor(ticketID, id)
}

// anchorNumbers ties to the ticket what other systems call it, as far as the
// mail says so and is not forged.
func (d *decision) anchorNumbers(ticketID, message int64, w writer) error {
	if w.level == Forged {
		return nil
	}
	for _, key := range append(slices.Clip(d.in.old), d.in.number) {
		if key == "" {
			continue
		}
		if err := d.tx.AddNumber(ticketID, message, key); err != nil {
			return err
		}
	}
	return nil
}

// encryptedLine stands in the place of words that we cannot read.
var encryptedLine = map[string]string{
	"fr": "[Message chiffré : ses mots sont dans la pièce jointe, que seule la clé de son destinataire ouvre.]",
	"en": "[Encrypted message: its words are in the attached file, which only its recipient's key opens.]",
}

// withLines adds a line for each invitation that the mail carries: its file
// opens in a calendar, but nobody sees there what it is about. A mail that is
// encrypted would seem to say nothing.
func (d *decision) withLines(words string) string {
	language := ""
	if desk := d.s.Desk(d.d.Desk); desk != nil {
		language = desk.Language
	}
	if d.in.cut != nil {
		words = d.in.cut.under(words, d.in.mail, language)
	} else if d.in.mail.Encrypted() {
		words = cmp.Or(encryptedLine[language], encryptedLine["en"])
	}
	for _, e := range d.in.events {
		words = strings.TrimLeft(strings.TrimRight(words, "\n")+"\n\n"+d.f.withoutSecrets(e.Line(language)), "\n")
	}
	return words
}

// anchor ties the mail's own id and all that it refers to to the ticket, so
// that an answer which overtakes its question is joined. Ids of ours are not
// kept: their token says more.
func (d *decision) anchor(ticketID, message int64) error {
	if err := d.tx.AddAnchor(ticketID, message, d.in.mail.MessageID, true); err != nil {
		return err
	}
	for _, id := range d.in.answered() {
		if _, ours := d.f.ownID(id); ours {
			continue
		}
		if err := d.tx.AddAnchor(ticketID, message, id, false); err != nil {
			return err
		}
	}
	return nil
}

// addCopied makes followers of those in To and Cc, if the writer is proven:
// otherwise a forged copy line would open the ticket to anybody.
func (d *decision) addCopied(ticketID int64, w writer) error {
	if w.level != Proven {
		return nil
	}
	since := d.d.MessageID
	for _, a := range d.s.strangersAmong(slices.Concat(d.in.mail.To, d.in.mail.Cc)) {
		_, err := d.tx.AddParty(store.Party{TicketID: ticketID, Role: ticket.Follower, Address: strings.ToLower(a.Address),
			Name: a.Name, AddedBy: w.address, Since: since})
		if err != nil {
			return err
		}
	}
	return nil
}

// withoutSecrets takes our own links and token addresses out of words that
// others will read: each belongs to the one person it was mailed to.
func (f *Flow) withoutSecrets(words string) string {
	s := f.Settings.Load()
	if strings.Contains(words, "/t/") || strings.Contains(words, "/T/") {
		words = pageLink.ReplaceAllStringFunc(words, func(link string) string {
			if strings.HasPrefix(strings.ToLower(link), strings.ToLower(s.BaseURL)+"/t/") {
				return s.BaseURL + "/"
			}
			return link
		})
	}
	var out strings.Builder
	done := 0
	for begin, end := range longWords(words) {
		if _, err := f.Keys.Verify(words[begin:end]); err == nil {
			out.WriteString(words[done:begin])
			out.WriteString("…")
			done = end
		}
	}
	if done == 0 {
		return words
	}
	out.WriteString(words[done:])
	return out.String()
}

var pageLink = regexp.MustCompile(`(?i)https?://[^\s<>"']+/t/[0-9a-f]{40}[^\s<>"']*`)
