package rfc822

import (
	"io"
	"strings"
	"time"
)

// Invitations come as text/calendar (RFC 5545, 5546). They stay attachments;
// of each what a reader needs is told in one line.

const (
	maxCalendar      = 256 << 10 // bytes read of one calendar
	maxCalendarLines = 5000
	maxEvents        = 3   // told of a mail
	maxEventText     = 200 // bytes of a name, title or place
)

// Event is what one invitation says. Times are as written: Zone is the name
// that the calendar gives, "UTC", or "" for a time without one.
type Event struct {
	Method    string // REQUEST, CANCEL, REPLY, …; "" if none is given
	Title     string
	Place     string
	Organizer Address
	Attendee  Address // of a REPLY: who answers
	Answer    string  // of a REPLY: ACCEPTED, DECLINED, TENTATIVE
	Start     time.Time
	End       time.Time // zero if none is given
	Zone      string
	AllDay    bool // Start and End are days; End is the day after the last
	Repeats   bool
}

// Events reads the invitations among the mail's parts, at most three of them.
// raw is the mail m was read from.
func (m *Mail) Events(raw []byte) []Event {
	var all []Event
	for _, p := range m.Parts {
		if isCalendar(p) && len(all) < maxEvents {
			b, _ := io.ReadAll(io.LimitReader(p.Open(raw), maxCalendar)) // Open never fails
			text, _ := decodeCharset(b, p.Charset)
			all = append(all, readCalendar(cleanText(text))...)
		}
	}
	return all[:min(len(all), maxEvents)]
}

func isCalendar(p Part) bool {
	switch p.ContentType {
	case "text/calendar", "application/ics", "text/x-vcalendar":
		return true
	case "application/octet-stream", "text/plain":
		return strings.HasSuffix(strings.ToLower(p.Filename), ".ics")
	}
	return false
}

// calendarReader walks over the lines of a calendar.
type calendarReader struct {
	method string
	in     []string // components that are open
	event  Event
	all    []Event
}

func readCalendar(text string) []Event {
	var r calendarReader
	unfolded := strings.NewReplacer("\n ", "", "\n\t", "").Replace(text)
	n := 0
	for line := range strings.SplitSeq(unfolded, "\n") {
		if n++; n > maxCalendarLines || len(r.all) == maxEvents {
			break
		}
		r.line(line)
	}
	for i := range r.all {
		r.all[i].Method = r.method
	}
	return r.all
}

func (r *calendarReader) line(line string) {
	name, params, value, ok := calendarLine(line)
	switch {
	case !ok:
	case name == "BEGIN" && len(r.in) < 10:
		if r.in = append(r.in, strings.ToUpper(value)); r.within("VEVENT") {
			r.event = Event{}
		}
	case name == "END" && len(r.in) > 0:
		if r.within("VEVENT") && (!r.event.Start.IsZero() || r.event.Title != "") {
			r.all = append(r.all, r.event)
		}
		r.in = r.in[:len(r.in)-1]
	case name == "METHOD" && r.within("VCALENDAR"):
		r.method = strings.ToUpper(calendarText(value))
	case r.within("VEVENT"):
		r.property(name, params, value)
	}
}

// within tells whether the innermost component is name: an alarm in an event
// has a description of its own.
func (r *calendarReader) within(name string) bool {
	return len(r.in) > 0 && r.in[len(r.in)-1] == name
}

func (r *calendarReader) property(name string, params map[string]string, value string) {
	e := &r.event
	switch name {
	case "SUMMARY":
		e.Title = calendarText(value)
	case "LOCATION":
		e.Place = calendarText(value)
	case "ORGANIZER":
		e.Organizer = calendarAddress(params, value)
	case "ATTENDEE":
		if e.Attendee == (Address{}) { // a REPLY has one
			e.Attendee, e.Answer = calendarAddress(params, value), strings.ToUpper(params["PARTSTAT"])
		}
	case "DTSTART":
		e.Start, e.Zone, e.AllDay = calendarTime(params, value)
	case "DTEND":
		e.End, _, _ = calendarTime(params, value)
	case "RRULE", "RDATE":
		e.Repeats = true
	}
}

// calendarLine parts "NAME;PARAM=value;PARAM=\"quoted: value\":value".
func calendarLine(line string) (name string, params map[string]string, value string, ok bool) {
	quoted, colon := false, -1
	var parts []string
	from := 0
	for i := 0; i < len(line) && colon < 0 && len(parts) < 30; i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			parts = append(parts, line[from:i])
			from = i + 1
		case c == ':':
			parts = append(parts, line[from:i])
			colon = i
		}
	}
	if colon < 0 {
		return "", nil, "", false
	}
	params = map[string]string{}
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(p, "=")
		params[strings.ToUpper(strings.TrimSpace(k))] = strings.Trim(v, "\" ")
	}
	return strings.ToUpper(strings.TrimSpace(parts[0])), params, strings.TrimSpace(line[colon+1:]), true
}

var calendarEscapes = strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`)

func calendarText(s string) string {
	return cut(cleanLine(calendarEscapes.Replace(cut(s, 4*maxEventText))), maxEventText)
}

func calendarAddress(params map[string]string, value string) Address {
	if len(value) > 7 && strings.EqualFold(value[:7], "mailto:") {
		value = value[7:]
	}
	if !strings.Contains(value, "@") {
		value = ""
	}
	return Address{Name: calendarText(params["CN"]), Address: calendarText(value)}
}

// calendarTime reads a date or a time (RFC 5545 §3.3.4, §3.3.5).
func calendarTime(params map[string]string, value string) (at time.Time, zone string, allDay bool) {
	zone = calendarText(params["TZID"])
	if rest, ok := strings.CutSuffix(value, "Z"); ok {
		value, zone = rest, "UTC"
	}
	for _, layout := range []string{"20060102T150405", "20060102T1504", "20060102"} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, zone, layout == "20060102"
		}
	}
	return time.Time{}, "", false
}

// eventWords are the words around an event, by language.
var eventWords = map[string]map[string]string{
	"en": {"": "Calendar", "REQUEST": "Invitation", "PUBLISH": "Calendar", "CANCEL": "Cancelled", "REPLY": "Answer to an invitation",
		"COUNTER": "Other time proposed", "ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative", "repeats": "repeats", "until": "to"},
	"fr": {"": "Agenda", "REQUEST": "Invitation", "PUBLISH": "Agenda", "CANCEL": "Annulation", "REPLY": "Réponse à une invitation",
		"COUNTER": "Autre horaire proposé", "ACCEPTED": "accepté", "DECLINED": "refusé", "TENTATIVE": "provisoire", "repeats": "se répète", "until": "au"},
}

// Line tells the event in one line, in "fr" or else in English: what, when with
// its zone, where, who.
func (e Event) Line(lang string) string {
	words := eventWords[lang]
	if words == nil {
		words = eventWords["en"]
	}
	what := words[e.Method]
	if what == "" {
		what = words[""]
	}
	var said []string
	add := func(s string) {
		if s != "" {
			said = append(said, s)
		}
	}
	add(e.Title)
	if !e.Start.IsZero() {
		add(e.when(words["until"]))
	}
	if e.Repeats {
		add(words["repeats"])
	}
	add(e.Place)
	add(person(e.Organizer))
	if e.Method == "REPLY" {
		add(strings.TrimSpace(person(e.Attendee) + " " + words[e.Answer]))
	}
	return "[" + what + "] " + strings.Join(said, " · ")
}

// when writes dates as ISO 8601 has them: every reader knows which is the day.
func (e Event) when(until string) string {
	const day, clock = "2006-01-02", "15:04"
	if e.AllDay {
		if last := e.End.AddDate(0, 0, -1); last.After(e.Start) {
			return e.Start.Format(day) + " " + until + " " + last.Format(day)
		}
		return e.Start.Format(day)
	}
	s := e.Start.Format(day + " " + clock)
	switch {
	case e.End.IsZero() || !e.End.After(e.Start):
	case e.End.Format(day) == e.Start.Format(day):
		s += "–" + e.End.Format(clock)
	default:
		s += " " + until + " " + e.End.Format(day+" "+clock)
	}
	if e.Zone != "" {
		s += " (" + e.Zone + ")"
	}
	return s
}

func person(a Address) string {
	switch {
	case a.Address == "" || strings.EqualFold(a.Name, a.Address):
		return a.Name
	case a.Name == "":
		return a.Address
	}
	return a.Name + " <" + a.Address + ">"
}
