package rfc822

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	// maxDepth is how deep multiparts may nest; deeper ones are kept as one
	// attachment. Postfix cuts at 100; go-message is quadratic in it. A mail
	// forwarded ten times by people has about 20.
	maxDepth = 50
	// maxParts is how many leaves are looked at (CVE-2020-12100). What follows
	// stays in the raw mail alone.
	maxParts = 500
	// maxGuesses is how often a mail's missing boundary is looked for; each
	// time may read the mail once more.
	maxGuesses = 1
)

// entity is a node of the tree: a multipart with kids, or a leaf.
type entity struct {
	path       string
	mediaType  string // lower case; what stands there by default if there is none
	params     params
	attachment bool // Content-Disposition: attachment
	inline     bool // Content-Disposition: inline
	filename   string
	contentID  string
	encoding   string
	digest     bool // children are message/rfc822 by default (RFC 2046 §5.1.5)
	start, end int  // of the encoded body in the raw mail
	kids       []*entity
}

// walker finds the tree in one pass over the mail: each line is compared with
// the boundaries that are open, so that an inner multipart without its closing
// line ends where an outer one goes on.
type walker struct {
	l       lines
	raw     []byte
	open    []string       // boundaries, the outermost first
	level   map[string]int // of the innermost that is open, by its boundary
	dashes  [2]int         // the next LF and CR before two hyphens, as far as known
	hit     int            // the one whose delimiter was met last, -1: the mail's end
	closing bool           // it was a closing delimiter
	leaves  int
	guesses int
	full    bool   // no more parts are wanted
	charset string // the first declared: tried on raw bytes of headers
	note    func(string)
}

// delimiter reports whether line delimits an open multipart (RFC 2046 §5.1.1),
// and keeps which. Blanks behind it are transport padding.
func (w *walker) delimiter(line []byte) bool {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' || len(w.open) == 0 {
		return false
	}
	// Looked up, not compared with each: a mail can have millions of such lines
	// and fifty boundaries.
	s := line[2:]
	for n := len(s); n > 0 && (s[n-1] == ' ' || s[n-1] == '\t'); n-- {
		s = s[:n-1]
	}
	hit, ok := w.level[string(s)]
	closing := false
	if n := len(s) - 2; n > 0 && s[n] == '-' && s[n+1] == '-' {
		if i, found := w.level[string(s[:n])]; found && (!ok || i > hit) {
			hit, ok, closing = i, true, true
		}
	}
	if ok {
		w.hit, w.closing = hit, closing
	}
	return ok
}

// push opens a boundary within those that are open; pop closes it.
func (w *walker) push(boundary string) {
	if w.level == nil {
		w.level = map[string]int{}
	}
	w.level[boundary] = len(w.open)
	w.open = append(w.open, boundary)
}

func (w *walker) pop() {
	last := len(w.open) - 1
	boundary := w.open[last]
	w.open = w.open[:last]
	delete(w.level, boundary)
	for i, b := range w.open {
		if b == boundary { // one further out has the same
			w.level[b] = i
		}
	}
}

// body reads up to the next delimiter of any open multipart and returns where
// the content before it ends.
func (w *walker) body(start int) (end int) {
	for at := w.l.pos; len(w.open) > 0 && at < len(w.raw); at = w.nextDashes(at) {
		s := w.raw[at:]
		if len(s) < 3 || s[0] != '-' || s[1] != '-' {
			continue
		}
		if s[2] == '\n' || s[2] == '\r' { // none, and not worth a look
			at += 2
			continue
		}
		w.l.forward(at)
		line, _ := w.l.next()
		if w.delimiter(line) {
			return contentEnd(w.raw, start, at)
		}
		at += len(line)
	}
	w.l.back(len(w.raw))
	w.hit = -1
	return len(w.raw)
}

// nextDashes returns the next line start after pos with two hyphens, or the
// end. Both line ends are sought once, not once a line.
func (w *walker) nextDashes(pos int) int {
	for i := range w.dashes {
		if w.dashes[i] >= pos {
			continue
		}
		rest := w.raw[pos:]
		if len(rest) > 2 && rest[0] == dashStarts[i][0] && rest[1] == '-' && rest[2] == '-' {
			w.dashes[i] = pos // a mail of short lines: no search for each
			continue
		}
		w.dashes[i] = len(w.raw)
		if n := bytes.Index(rest, dashStarts[i]); n >= 0 {
			w.dashes[i] = pos + n
		}
	}
	return min(w.dashes[0], w.dashes[1], len(w.raw)-1) + 1
}

var dashStarts = [2][]byte{[]byte("\n--"), []byte("\r--")}

// rewind makes the walk go on from pos, which it has passed already.
func (w *walker) rewind(pos int) {
	w.l.back(pos)
	w.dashes = [2]int{-1, -1}
}

// entity reads the entity whose header's fields are given, up to the delimiter
// that ends it.
func (w *walker) entity(e *entity, depth int) {
	e.start = w.l.pos
	if isMultipart(e.mediaType) && depth < maxDepth {
		boundary := strings.TrimRight(e.params["boundary"], " \t")
		if boundary != "" && w.multipart(e, boundary, depth) {
			return
		}
		if guess := w.guess(e.start); guess != "" && guess != boundary {
			w.note("The boundary of a multipart is missing or wrong; it was guessed.")
			w.rewind(e.start)
			if w.multipart(e, guess, depth) {
				return
			}
		}
		w.note("A multipart has no parts; it is shown as text.")
		w.rewind(e.start)
		e.mediaType = "text/plain"
	} else if isMultipart(e.mediaType) {
		w.note("Multiparts are nested deeper than 50; the innermost is kept as one attachment.")
		e.mediaType = "application/octet-stream"
	}
	w.leaf(e)
}

func isMultipart(mediaType string) bool { return strings.HasPrefix(mediaType, "multipart/") }

func (w *walker) leaf(e *entity) {
	if e.path == "" {
		e.path = "1" // the whole mail
	}
	e.end = w.body(e.start)
	w.count()
}

// count counts a leaf, and ends the walk at the last one.
func (w *walker) count() {
	if w.leaves++; w.leaves >= maxParts {
		w.note("The mail has more than 500 parts; the rest was not looked at.")
		w.full = true
	}
}

// multipart reads the parts of e and what follows them; false: there is no
// delimiter of it.
func (w *walker) multipart(e *entity, boundary string, depth int) bool {
	own := len(w.open)
	w.push(boundary)
	w.body(e.start) // the preamble
	if w.hit != own || w.closing {
		w.pop()
		return false
	}
	for w.hit == own && !w.closing && !w.full {
		e.kids = append(e.kids, w.part(e, depth+1))
	}
	closed := w.hit == own
	w.pop()
	if w.full {
		return true
	}
	if closed {
		w.body(w.l.pos) // the epilogue
	} else {
		w.note("A multipart is not closed.")
	}
	return true
}

// part reads a part: its header, then its content. A delimiter may follow the
// header at once.
func (w *walker) part(parent *entity, depth int) *entity {
	e := &entity{path: parent.childPath(len(parent.kids) + 1)}
	byDefault := "text/plain"
	if parent.digest {
		byDefault = "message/rfc822"
	}
	at := w.l.pos
	raw, ended := readHeader(&w.l, w.delimiter, w.note)
	w.read(e, raw, byDefault)
	if ended {
		e.start, e.end = at, at // a header without a body
		w.count()
		return e
	}
	w.entity(e, depth)
	return e
}

// guess looks for what may be the boundary in the lines from pos: the first
// that starts with two hyphens and is followed by a header or an empty line.
func (w *walker) guess(pos int) string {
	if w.guesses++; w.guesses > maxGuesses {
		return ""
	}
	l := lines{b: w.raw, lf: -1}
	l.back(pos)
	for {
		line, ok := l.next()
		if !ok || w.delimiter(line) {
			return ""
		}
		if len(line) < 3 || line[0] != '-' || line[1] != '-' || len(line) > 200 {
			continue
		}
		name := string(bytes.TrimRight(line[2:], " \t"))
		next := l.peek()
		_, _, field := cutField(next)
		// Not a rule of a text, and not a sentence.
		if !field && len(next) > 0 || strings.HasSuffix(name, "--") || strings.ContainsAny(name, " \t") {
			continue
		}
		if strings.Trim(name, "-_=*") != "" {
			return name
		}
	}
}

// read reads what an entity's fields say about it, and keeps the first charset.
func (w *walker) read(e *entity, raw []rawField, byDefault string) {
	e.read(raw, w.charset, byDefault, w.note)
	if w.charset == "" && e.params["charset"] != "" {
		w.charset = e.params["charset"]
		if !allASCII(raw) {
			e.read(raw, w.charset, byDefault, w.note) // its own fields may be in it
		}
	}
}

// read fills in what the fields of an entity say about it.
func (e *entity) read(raw []rawField, charset string, byDefault string, note func(string)) {
	get := func(name string) string { return cleanField(detect(rawValue(raw, name), charset)) }
	value, p, over := parseParams(get("Content-Type"))
	if over {
		note("A field has more than 100 parameters; the rest was left out.")
	}
	e.params = p
	e.mediaType = mediaType(value, byDefault)
	e.digest = e.mediaType == "multipart/digest"
	disp, dp, over := parseParams(get("Content-Disposition"))
	if over {
		note("A field has more than 100 parameters; the rest was left out.")
	}
	disp = strings.ToLower(strings.Trim(disp, "\" "))
	e.inline = disp == "inline"
	e.attachment = !e.inline && isToken(disp) // RFC 2183 §2.8: an unknown one is attachment
	e.filename = cleanFilename(dp["filename"])
	if e.filename == "" {
		e.filename = cleanFilename(p["name"])
	}
	e.encoding = encodingName(get("Content-Transfer-Encoding"))
	e.contentID = strings.Trim(cleanLine(get("Content-ID")), "<> ")
}

// mediaType brings Content-Type's value to lower case type/subtype. RFC 2045
// §5.2: what is missing or broken is text/plain; a bare "text" is common.
func mediaType(s, byDefault string) string {
	s = strings.ToLower(strings.ReplaceAll(cleanLine(s), " ", ""))
	s = strings.Trim(s, "\"'")
	kind, sub, ok := strings.Cut(s, "/")
	switch {
	case s == "" || kind == "":
		return byDefault
	case ok && sub != "" && len(s) <= 255:
		return s
	case kind == "html":
		return "text/html"
	case kind == "text" || kind == "plain":
		return "text/plain"
	case kind == "multipart":
		return "multipart/mixed"
	}
	return "application/octet-stream"
}

// isToken reports a word that may stand for a disposition; others are ignored.
func isToken(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

func (p *entity) childPath(n int) string {
	if p.path == "" {
		return strconv.Itoa(n)
	}
	return p.path + "." + strconv.Itoa(n)
}
