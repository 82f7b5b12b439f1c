package portal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"guichet/mailflow"
	"guichet/store"
)

const (
	maxWords  = 1 << 20  // bytes of all answers of one form
	maxValues = 2_000    // answers of one form, the entries of lists counted
	maxFiles  = 50       // files that wait for one party's form
	maxKept   = 25 << 20 // bytes of them
	// formTime is how long a form without files may take to arrive; files have
	// so much longer as they need at the slowest bandwidth, up to formTimeMost.
	formTime     = time.Minute
	formTimeMost = 20 * time.Minute
)

// received is a form as it came: its answers, and its files, which are stored
// already.
type received struct {
	values  url.Values
	files   []sentFile
	refused []mailflow.RefusedFile
}

// sentFile is a stored file; field is "" for one that came with an earlier,
// refused form.
type sentFile struct {
	store.Upload
	field string
}

func (g *received) first(name string) string { return g.values.Get(name) }

// only leaves the files of fields that were shown.
func (g *received) only(fields []string) {
	g.files = slices.DeleteFunc(g.files, func(f sentFile) bool { return f.field != "" && !slices.Contains(fields, f.field) })
}

func (g *received) tokens() (list []string) {
	for _, f := range g.files {
		list = append(list, f.Token)
	}
	return list
}

// receive reads a form from the request. What it refuses is an [unread];
// other errors are ours.
func (p *Portal) receive(w http.ResponseWriter, r *http.Request, v *view) (*received, error) {
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close")
		return nil, errTooLarge
	}
	allowed := formTime + time.Duration(max(r.ContentLength, 0)/slowest)*time.Second
	if r.ContentLength < 0 {
		allowed = 5 * formTime
	}
	// Where it cannot be set, the listener's own limit holds.
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(min(allowed, formTimeMost)))
	control.SetWriteDeadline(time.Now().Add(min(allowed, formTimeMost) + time.Minute))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	g := &received{values: url.Values{}}
	switch kind {
	case "multipart/form-data":
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		parts, err := r.MultipartReader()
		if err != nil {
			return nil, errNoForm
		}
		if err := p.parts(r.Context(), parts, g, v); err != nil {
			return nil, err
		}
	case "application/x-www-form-urlencoded":
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWords))
		if err != nil {
			return nil, cause(err)
		}
		if g.values, err = url.ParseQuery(string(b)); err != nil || len(g.values) > maxValues {
			return nil, errNoForm
		}
	default:
		return nil, &unread{http.StatusUnsupportedMediaType, "This is no form."}
	}
	g.addKept(v)
	return g, nil
}

var (
	errTooLarge = &unread{http.StatusRequestEntityTooLarge, "This is too large to be taken, files included. Please go back, leave large files out, and send the form again."}
	errNoForm   = &unread{http.StatusBadRequest, "This form could not be read. Please go back and send it again."}
	errCut      = &unread{http.StatusRequestTimeout, "The form did not arrive whole. Please go back and send it again."}
)

// cause sorts errors of reading the request from errors of ours.
func cause(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return errTooLarge
	}
	return errCut
}

// parts reads a multipart form. A file that is not taken is read to its end
// all the same: the answers behind it are not lost with it.
func (p *Portal) parts(ctx context.Context, parts *multipart.Reader, g *received, v *view) error {
	words, values := int64(0), 0
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return cause(err)
		}
		name, isFile := part.FormName(), hasFileName(part)
		if isFile {
			if err := p.takeFile(ctx, part, name, g, v); err != nil {
				return err
			}
			continue
		}
		b, err := io.ReadAll(io.LimitReader(part, maxWords-words+1))
		if err != nil {
			return cause(err)
		}
		words += int64(len(b))
		if values++; words > maxWords || values > maxValues {
			return errTooLarge
		}
		g.values.Add(name, string(b))
	}
}

// hasFileName tells a file from an answer, also where its name is empty: so
// browsers send a field in which no file was chosen.
func hasFileName(part *multipart.Part) bool {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	_, ok := params["filename"]
	return err == nil && ok
}

// takeFile takes one file, or notes why it is not taken.
func (p *Portal) takeFile(ctx context.Context, part *multipart.Part, field string, g *received, v *view) error {
	_, params, _ := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	asked := v.asked.Field(field)
	if params["filename"] == "" || asked == nil || asked.Type != mailflow.FileField {
		_, err := io.Copy(io.Discard, part)
		return causeOf(err)
	}
	// Browsers write a quotation mark so (HTML, multipart/form-data encoding).
	name := safeName(strings.ReplaceAll(params["filename"], "%22", `"`))
	u := store.Upload{PartyID: v.party.ID, Name: name, ContentType: typeOf(part), Token: newToken()}
	raw := p.DB.NewRaw(ctx)
	defer raw.Abort()
	limit, reason := v.asked.MaxFile(), mailflow.FileTooLarge
	if len(g.files)+v.waiting() >= maxFiles {
		limit, reason = 0, mailflow.FileTooMany
	} else if left := maxKept - v.kept(g); left < limit {
		limit, reason = left, mailflow.FileTooMany
	}
	src := &sides{from: part, to: raw, left: limit}
	n, err := io.Copy(io.Discard, src)
	switch {
	case src.failed != nil:
		return src.failed
	case err != nil:
		return cause(err)
	case n > limit:
		g.refused = append(g.refused, mailflow.RefusedFile{Name: u.Name, Size: n, Reason: reason})
		return nil
	case n == 0:
		g.refused = append(g.refused, mailflow.RefusedFile{Name: u.Name, Reason: mailflow.FileEmpty})
		return nil
	}
	err = p.DB.Update(ctx, "keep upload", func(tx *store.Tx) (err error) {
		u, err = tx.KeepUpload(u, raw)
		return err
	})
	if err == nil {
		g.files = append(g.files, sentFile{u, field})
	}
	return err
}

func causeOf(err error) error {
	if err != nil {
		return cause(err)
	}
	return nil
}

// sides reads a file to its end and stores up to left bytes of it.
type sides struct {
	from   io.Reader
	to     io.Writer
	left   int64
	failed error // of the store
}

func (s *sides) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	if s.left -= int64(n); s.left >= 0 && n > 0 && s.failed == nil {
		if _, s.failed = s.to.Write(b[:n]); s.failed != nil {
			return n, s.failed
		}
	}
	return n, err
}

// waiting counts the files that wait for the party's form.
func (v *view) waiting() (n int) {
	for _, u := range v.uploads {
		if u.MessageID == 0 {
			n++
		}
	}
	return n
}

// kept is how many bytes wait for the party's form.
func (v *view) kept(g *received) (n int64) {
	for _, u := range v.uploads {
		if u.MessageID == 0 {
			n += u.Size
		}
	}
	for _, f := range g.files {
		n += f.Size
	}
	return n
}

// addKept adds the files of an earlier, refused form that are to go along.
func (g *received) addKept(v *view) {
	var list []sentFile
	for _, u := range v.uploads {
		if slices.Contains(g.values["keep-file"], u.Token) {
			list = append(list, sentFile{u, ""})
		}
	}
	g.files = append(list, g.files...)
}

// typeOf is what a browser calls a file, if that is a type at all.
func typeOf(part *multipart.Part) string {
	kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil || len(kind) > 100 {
		return "application/octet-stream"
	}
	return kind
}

func newToken() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
