package mailflow

import (
	"cmp"
	"context"
	"io"
	"strings"

	"guichet/mailflow/rfc822"
	"guichet/mailflow/ticket"
	"guichet/store"
	"guichet/templates"
)

// nameFiles names the attachments of the message, and says whether they travel
// with the mail. Together they do up to attachLimit; else they stand behind
// links.
func (f *Flow) nameFiles(dr *draft, data *templates.Mail) (travel bool) {
	if len(dr.parts) == 0 || dr.args.Stranger || dr.args.Mute || !carriesFiles(dr.row.Kind) {
		return false
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
	return total <= attachLimit
}

// attach reads the attachments of the message out of its raw mail.
func (f *Flow) attach(ctx context.Context, dr *draft) ([]rfc822.Attachment, error) {
	var mail rfc822.Opener
	var out []rfc822.Attachment
	for i, p := range dr.parts {
		if p.RawID != 0 || i == 0 {
			raw, err := f.raw(ctx, cmp.Or(p.RawID, dr.message.RawID))
			if err != nil {
				return nil, err
			}
			mail = rfc822.Opener{Raw: raw}
		}
		b, err := io.ReadAll(io.LimitReader(mail.Open(partOf(p)), attachLimit))
		if err != nil && len(b) == 0 {
			continue // not decodable: the page still shows it
		}
		out = append(out, rfc822.Attachment{Filename: FileName(p), ContentType: p.ContentType, ContentID: p.ContentID, Data: b})
	}
	return out, nil
}

// OpenPart decodes an attachment out of its raw mail.
func OpenPart(p store.Part, raw []byte) io.Reader { return partOf(p).Open(raw) }

func partOf(p store.Part) rfc822.Part {
	return rfc822.Part{Encoding: p.Encoding, Offset: p.Offset, Length: p.Length}
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
	// Mail programs choose by the end of its name what opens a file.
	switch p.ContentType {
	case "message/rfc822":
		return "mail.eml"
	case "text/calendar":
		return "invitation.ics"
	}
	_, sub, _ := strings.Cut(p.ContentType, "/")
	return strings.TrimRight("file-"+p.Path+"."+sub, ".")
}
