package portal

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"guichet/mailflow"
	"guichet/store"
)

func fileURL(link string, f store.Part) string {
	return fmt.Sprintf("/t/%s/file/%d/%s", link, f.MessageID, f.Path)
}

// file sends an attachment of a message that the link's holder may see. It is
// always a download of no active type: what a stranger sent never runs under
// our name.
func (p *Portal) file(w http.ResponseWriter, r *http.Request, link, message, path string) {
	v, err := p.look(r.Context(), link)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		p.broken(w, err)
		return
	}
	m, part, ok := v.find(message, path)
	if err != nil || !ok {
		p.notFound(w, r)
		return
	}
	var raw []byte
	if err := p.DB.View(r.Context(), func(tx *store.Tx) (err error) {
		raw, err = tx.ReadRaw(m.RawID)
		return err
	}); err != nil {
		p.broken(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": mailflow.FileName(part)})
	if disposition == "" {
		disposition = "attachment"
	}
	h.Set("Content-Disposition", disposition)
	var b bytes.Buffer
	if _, err := io.Copy(&b, mailflow.OpenPart(part, raw)); err != nil && b.Len() == 0 {
		p.broken(w, fmt.Errorf("decode part %s of message %d: %w", path, m.ID, err))
		return
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.Write(b.Bytes())
}

func (v *view) find(message, path string) (store.Message, store.Part, bool) {
	id, err := strconv.ParseInt(message, 10, 64)
	if v == nil || err != nil {
		return store.Message{}, store.Part{}, false
	}
	for _, m := range v.messages {
		for _, f := range v.files[m.ID] {
			if m.ID == id && f.Path == path {
				return m, f, true
			}
		}
	}
	return store.Message{}, store.Part{}, false
}
