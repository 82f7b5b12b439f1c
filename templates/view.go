package templates

import (
	"strconv"
	"strings"
	"time"

	"guichet/mailflow/ticket"
)

// view is what a mail's template sees: the fields of the Mail, and methods
// that say them in the reader's language.
type view struct {
	*Mail
	kind ticket.Kind
	lang string

	topic   string // once it is asked for
	cleaned bool
}

// newView makes a view of a copy of d. From a mail to a stranger it takes
// away what the sender could have written, whatever the template says.
func newView(kind ticket.Kind, lang string, d *Mail) *view {
	m := *d
	if m.Agent == nil {
		m.Agent = &AgentView{}
	}
	if m.Stranger {
		if m.AuthorRole != ticket.Agent { // what an agent has written is no word of the sender's
			m.Words, m.Author = "", ""
		}
		m.Subject, m.Name, m.Asked = "", "", ""
		m.Files, m.History, m.Lines = nil, nil, nil
		m.Agent = &AgentView{}
	}
	return &view{Mail: &m, kind: kind, lang: lang}
}

// When is a day and hour with the zone's words.
func (v *view) When(t time.Time) string { return formatWhen(v.lang, inZone(t, v.Zone)) }

// At is a day and hour.
func (v *view) At(t time.Time) string { return formatAt(v.lang, inZone(t, v.Zone)) }

// Day is a day.
func (v *view) Day(t time.Time) string { return formatDay(v.lang, inZone(t, v.Zone)) }

// Short is a day and hour for lists.
func (v *view) Short(t time.Time) string { return formatShort(v.lang, inZone(t, v.Zone)) }

// Size is a file's size.
func (v *view) Size(n int64) string { return formatSize(v.lang, n) }

// Topic is the ticket's subject without marks of answers and numbers.
func (v *view) Topic() string {
	if !v.cleaned {
		v.topic, v.cleaned = CleanSubject(v.Subject), true
	}
	return v.topic
}

// Where says where the ticket stands, to its parties.
func (v *view) Where() string { return StateWords(v.lang, v.State, v.Closed) }

// StateName is a state in one word, for agents.
func (v *view) StateName(s ticket.State) string { return wordsOf(v.lang).short[s] }

// RoleName is what somebody is on the ticket.
func (v *view) RoleName(r ticket.Role) string { return wordsOf(v.lang).roles[r] }

// EventName is what happened, for agents.
func (v *view) EventName() string { return known(wordsOf(v.lang).events, v.Agent.Event) }

// EventOf is what happened in one of several notifications.
func (v *view) EventOf(code string) string { return known(wordsOf(v.lang).events, code) }

// Section is those of several items that bear a code.
func (v *view) Section(code string) (list []Item) {
	for _, i := range v.Items {
		if i.Event == code {
			list = append(list, i)
		}
	}
	return list
}

// Untold is how many notifications are only counted; "" if none are.
func (v *view) Untold() string {
	if n := v.Count - len(v.Items); n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

// Due is what is due at the deadline, for agents.
func (v *view) Due() string { return wordsOf(v.lang).kinds[v.Next.Kind] }

// Marker is the line above which an agent writes.
func (v *view) Marker() string {
	m := v.Agent.Marker
	if m == "" || strings.HasPrefix(m, "—") {
		return m
	}
	return MarkerLine(v.lang, m)
}

// Help is a command's explanation.
func (v *view) Help(c Command) string {
	if c.Help != "" {
		return c.Help
	}
	name, _, _ := strings.Cut(c.Name, " ")
	return wordsOf(v.lang).help[name]
}

// Linked are the files that stand behind a link, for they were too large to
// travel.
func (v *view) Linked() []File { return v.files(true) }

// Attached are the files that travel with the mail.
func (v *view) Attached() []File { return v.files(false) }

func (v *view) files(linked bool) []File {
	var list []File
	for _, f := range v.Files {
		if (f.URL != "") == linked {
			list = append(list, f)
		}
	}
	return list
}

// Older are the newest three of the older messages: a mail is no archive.
func (v *view) Older() []Entry { return v.History[:min(len(v.History), 3)] }

// Excerpt is the beginning of an older message.
func (v *view) Excerpt(s string) string {
	const lines, runes = 8, 600
	s = strings.Trim(cleanValue(s), "\n \t")
	cut := false
	if l := strings.Split(s, "\n"); len(l) > lines {
		s, cut = strings.Join(l[:lines], "\n"), true
	}
	if r := []rune(s); len(r) > runes {
		s, cut = string(r[:runes]), true
	}
	if cut {
		s = strings.TrimRight(s, " \n") + " […]"
	}
	return s
}

// Hours is how many hours are left until what comes next, as words of a
// number; "" where that is not known, or is said better by its date.
func (v *view) Hours() string {
	if h := int(v.Lasts / time.Hour); h >= 2 && h <= 72 && v.Lasts == time.Duration(h)*time.Hour {
		return strconv.Itoa(h)
	}
	return ""
}

// Last says whether this reminder is the last one.
func (v *view) Last() bool { return v.N > 0 && v.N == v.M }

// known is the word for a code, or the code itself.
func known(m map[string]string, code string) string {
	if w := m[code]; w != "" {
		return w
	}
	return code
}
