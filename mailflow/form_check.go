package mailflow

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxLineAnswer = 1_000  // characters of a one-line answer
	maxTextAnswer = 20_000 // characters of a long one
)

// ProblemCode says what is wrong with an answer.
type ProblemCode string

// The problems. Vague: a time in words is asked for exactly, once.
const (
	Missing       ProblemCode = "missing"
	NoChoice      ProblemCode = "no-choice"
	NoAddress     ProblemCode = "no-address"
	OurAddress    ProblemCode = "our-address"
	TooLong       ProblemCode = "too-long"
	NoTime        ProblemCode = "no-time"
	Vague         ProblemCode = "vague"
	OtherCustomer ProblemCode = "other-customer"
)

// Problem is one answer that is not taken.
type Problem struct {
	Field string
	Code  ProblemCode
	N     int // characters too many
}

// Answer is what was answered to one field.
type Answer struct {
	Field  string   `json:"field"`
	Values []string `json:"values"`
	Approx bool     `json:"approximate,omitempty"` // a time that is only known in words
}

// Answers are a form's answers that were found good.
type Answers struct {
	Form string
	List []Answer
	// Of an integrator's customer: the address, "" if there is none; Known if
	// it is a contact's and not just typed.
	Organisation, Customer, CustomerName string
	Known                                bool
	FileFields                           []string // those that were shown

	asked *Asked
}

// Value is the answer to a field, "" if it was not asked or not answered.
func (a *Answers) Value(field string) string {
	for _, v := range a.List {
		if v.Field == field && len(v.Values) > 0 {
			return v.Values[0]
		}
	}
	return ""
}

// zone is the name of the zone in which the first of the times was given, ""
// without one: the writer's own.
func (a *Answers) zone() string {
	for _, v := range a.List {
		if f := a.asked.Field(v.Field); f != nil && f.Type == ExactField && len(v.Values) > 1 {
			return v.Values[1]
		}
	}
	return ""
}

// Check reads what was posted. Fields that are not shown are passed over,
// whatever they hold, as is what no field asked for. With problems the answers
// are not to be used.
func (a *Asked) Check(posted map[string][]string, ours func(address string) bool) (Answers, []Problem) {
	c := &formCheck{asked: a, posted: posted, ours: ours, shown: map[string]string{}, answers: Answers{Form: a.Form.Key, asked: a}}
	for i := range a.Fields {
		if f := &a.Fields[i]; c.isShown(f) {
			c.field(f)
		}
	}
	c.customer()
	return c.answers, c.problems
}

type formCheck struct {
	asked    *Asked
	posted   map[string][]string
	ours     func(string) bool
	shown    map[string]string // what conditions look at: the choice of each list that was shown
	answers  Answers
	problems []Problem
}

func (c *formCheck) isShown(f *Field) bool {
	if f.ShownWhen == "" {
		return true
	}
	value, ok := c.shown[f.ShownWhen]
	return ok && slices.Contains(f.ShownValues, value)
}

func (c *formCheck) bad(f *Field, code ProblemCode, n int) {
	c.problems = append(c.problems, Problem{f.Name, code, n})
}

func (c *formCheck) good(f *Field, values ...string) {
	c.answers.List = append(c.answers.List, Answer{Field: f.Name, Values: values})
}

func (c *formCheck) first(name string) string {
	if v := c.posted[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (c *formCheck) field(f *Field) {
	switch f.Type {
	case FileField:
		c.answers.FileFields = append(c.answers.FileFields, f.Name)
	case SelectField, RadioField:
		c.choice(f)
	case CheckboxField:
		c.boxes(f)
	case ExactField:
		c.exact(f)
	case TextareaField:
		c.text(f, cleanBlock(c.first(f.Name)), maxTextAnswer)
	default:
		c.text(f, cleanLine(c.first(f.Name)), maxLineAnswer)
	}
}

func (c *formCheck) text(f *Field, v string, limit int) {
	n := utf8.RuneCountInString(v)
	switch {
	case v == "" && f.Required:
		c.bad(f, Missing, 0)
	case v == "":
	case n > limit:
		c.bad(f, TooLong, n-limit)
	case f.Type == EmailField:
		address, ok := FormAddress(v)
		if !ok {
			c.bad(f, NoAddress, 0)
			return
		}
		c.good(f, address)
	default:
		c.good(f, v)
	}
}

func (c *formCheck) choice(f *Field) {
	v := c.first(f.Name)
	o, ok := f.option(v)
	switch {
	case ok:
		c.shown[f.Name] = o.Top
		c.good(f, v)
	case v != "":
		c.bad(f, NoChoice, 0)
	case f.Required:
		c.bad(f, Missing, 0)
	}
}

func (c *formCheck) boxes(f *Field) {
	var chosen []string
	for _, v := range c.posted[f.Name] {
		if _, ok := f.option(v); ok && !slices.Contains(chosen, v) {
			chosen = append(chosen, v)
		} else if len(f.Choices) == 0 && v != "" {
			chosen = []string{"yes"}
		} else if v != "" && !ok {
			c.bad(f, NoChoice, 0)
			return
		}
	}
	if len(chosen) > 0 {
		c.good(f, chosen...)
	}
}

// exact reads a time. What is not exact is asked once more; then it is kept in
// the person's words and marked approximate.
func (c *formCheck) exact(f *Field) {
	raw, words := cleanLine(c.first(f.Name)), cleanLine(c.first(f.Name+WordsSuffix))
	zone := ZoneOf(c.first(f.Name+ZoneSuffix), c.asked.Zone)
	at, ok := readTime(raw, zone)
	_, again := c.posted[f.Name+WordsSuffix]
	if !ok && words == "" {
		words = raw
	}
	switch {
	case ok && (at.Year() < 1990 || at.Year() > 2199):
		c.bad(f, NoTime, 0)
	case ok:
		values := []string{at.Format(time.RFC3339), zone.String()}
		if words != "" && words != raw {
			values = append(values, words)
		}
		c.good(f, values...)
	case words == "" && f.Required:
		c.bad(f, Missing, 0)
	case words == "":
	case utf8.RuneCountInString(words) > maxLineAnswer:
		c.bad(f, TooLong, utf8.RuneCountInString(words)-maxLineAnswer)
	case !again:
		c.bad(f, Vague, 0)
	default:
		c.answers.List = append(c.answers.List, Answer{Field: f.Name, Values: []string{words, zone.String()}, Approx: true})
	}
}

// readTime reads what browsers send for an exact time, and what is typed where
// they offer no field for it.
func readTime(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.000", "2006-01-02 15:04", "2006-01-02 15:04:05",
		"02/01/2006 15:04", "02/01/2006, 15:04", "2 January 2006, 15:04", "2 January 2006 15:04"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, true
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// customer finds whom an integrator writes for: the address that he typed, or
// the contact that he chose. His own address is nobody else's.
func (c *formCheck) customer() {
	a := c.asked
	if !a.Integrator {
		return
	}
	for _, p := range c.problems {
		if p.Field == CustomerField || p.Field == CustomerEmailField {
			return
		}
	}
	email, address := a.Field(CustomerEmailField), c.answers.Value(CustomerEmailField)
	if address == a.self {
		address = ""
	}
	if list := a.Field(CustomerField); list != nil {
		o, _ := list.option(c.answers.Value(CustomerField))
		c.answers.Organisation = o.Top
		if address == "" {
			address = strings.TrimPrefix(strings.TrimPrefix(o.Value, o.Top), "/")
		}
	}
	switch {
	case address == "":
		c.bad(email, Missing, 0)
	case c.ours != nil && c.ours(address):
		c.bad(email, OurAddress, 0)
	}
	c.answers.Customer = address
	for _, o := range a.orgs {
		for _, p := range o.Contacts {
			if p.Address == address {
				c.answers.Known, c.answers.CustomerName = true, p.Name
			}
		}
	}
	c.service()
}

// service holds that the service is one of the customer's own.
func (c *formCheck) service() {
	if len(c.asked.orgs) < 2 {
		return
	}
	for i := range c.asked.Fields {
		f := &c.asked.Fields[i]
		v := c.answers.Value(f.Name)
		if !f.Services || v == "" || v == noService {
			continue
		}
		if o, _ := f.option(v); o.Top != c.answers.Organisation {
			c.bad(f, OtherCustomer, 0)
		}
	}
}

// FormAddress reads an address that somebody typed: in lower case, its domain
// in ASCII.
func FormAddress(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if p, err := mail.ParseAddress(s); err == nil {
		s = strings.ToLower(p.Address)
	}
	local, domain, ok := cutLast(s)
	if !ok {
		return "", false
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(local) > 64 || len(local)+len(domain) > 253 || !typedAddress.MatchString(local+"@"+domain) {
		return "", false
	}
	return local + "@" + domain, true
}

var typedAddress = regexp.MustCompile("^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@" +
	`[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$`)

// cleanLine is an answer of one line: no controls, no characters that turn the
// reading direction, single blanks.
func cleanLine(s string) string { return strings.Join(strings.Fields(visible(s)), " ") }

// cleanBlock is an answer of several lines.
func cleanBlock(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(visible(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimRightFunc(lines[i], unicode.IsSpace)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x061c:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
