package portal

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

const (
	// maxDownloads is how many files are sent at once, each out of some
	// 400 KiB of memory; more wait, for at most downloadWait.
	maxDownloads = 32
	downloadWait = 20 * time.Second
	// slowest is the bandwidth below which a download is given up, in bytes
	// a second.
	slowest = 8 << 10
)

// file sends an attachment of a message that the link's holder may see.
func (p *Portal) file(w http.ResponseWriter, r *http.Request, link string) {
	part, raw, err := p.openFile(r.Context(), link, r.URL.Path)
	if err == nil && r.Method != http.MethodHead {
		var leave func()
		if leave, err = p.downloads.enter(r.Context()); err == nil {
			defer leave()
		}
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		p.notFound(w, r)
	case err != nil:
		p.broken(w, fmt.Errorf("send part %s of message %d: %w", part.Path, part.MessageID, err))
	default:
		p.download(w, r, part, raw)
	}
}

// openFile finds a file; sql.ErrNoRows if the reader may see none there.
func (p *Portal) openFile(ctx context.Context, link, url string) (part store.Part, raw *store.RawReader, err error) {
	v, err := p.look(ctx, link, false)
	if err != nil {
		return part, nil, err
	}
	m, part, ok := v.find(url)
	if !ok {
		return part, nil, sql.ErrNoRows
	}
	raw, err = p.DB.OpenRaw(ctx, cmp.Or(part.RawID, m.RawID))
	return part, raw, err
}

// download sends a file piece by piece, always as a download of no active
// type: what a stranger sent never runs under our name. Where less is sent
// than was announced net/http cuts the connection, so that nobody takes half a
// file for a whole one.
func (p *Portal) download(w http.ResponseWriter, r *http.Request, part store.Part, raw io.ReaderAt) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Disposition", disposition(mailflow.FileName(part)))
	h.Set("Content-Length", strconv.FormatInt(part.Size, 10))
	if r.Method == http.MethodHead {
		return
	}
	allowed := time.Minute + time.Duration(part.Size/slowest)*time.Second
	// Where it cannot be set, the listener's own limit holds.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(allowed))
	if n, err := io.Copy(w, mailflow.StreamPart(part, raw)); err != nil || n != part.Size {
		p.Log.Info("download cut", "bytes", n, "of", part.Size, "err", err)
	}
}

// find looks for a file among those that the reader may see.
func (v *view) find(url string) (store.Message, store.Part, bool) {
	for _, m := range v.messages {
		for _, f := range v.files[m.ID] {
			if mailflow.FileURL(v.party.Link, f) == url {
				return m, f, true
			}
		}
	}
	return store.Message{}, store.Part{}, false
}

// gate lets maxDownloads in at once.
type gate struct {
	once  sync.Once
	slots chan struct{}
}

var errBusy = errors.New("too many files are being sent")

// enter waits for a slot; leave gives it back.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	g.once.Do(func() { g.slots = make(chan struct{}, maxDownloads) })
	ctx, cancel := context.WithTimeoutCause(ctx, downloadWait, errBusy)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
