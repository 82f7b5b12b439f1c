package mailflow

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"guichet/templates"
)

// formWords are what the record of a form says besides its own labels.
var formWords = map[string]map[string]string{
	"en": {"approximate": "%s (approximate)", "elsewhere": "%s (approximate, %s)", "yes": "yes", "customer": "For customer", "refused": "Not received",
		"too large": "too large", "too many": "too many files", "empty": "empty", "colon": ":"},
	"fr": {"approximate": "%s (approximatif)", "elsewhere": "%s (approximatif, %s)", "yes": "oui", "customer": "Pour le client", "refused": "Non reçus",
		"too large": "trop volumineux", "too many": "trop de fichiers", "empty": "vide", "colon": "\u00a0:"},
}

// The reasons for which a file of a form is not taken.
const (
	FileTooLarge = "too large"
	FileTooMany  = "too many"
	FileEmpty    = "empty"
)

// RefusedFile is one that came with a form and was not taken.
type RefusedFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes, as far as it was read
	Reason string `json:"reason"`
}

// Words puts the answers into the words that the parties read, in the language
// of who gave them: the questions with their answers.
func (a *Answers) Words(lang string, refused []RefusedFile) string {
	say := formWords[lang]
	if say == nil {
		say = formWords["en"]
	}
	var b strings.Builder
	block := false
	write := func(label, words string) {
		long := strings.Contains(words, "\n") || len(words) > 200
		if b.Len() > 0 && (block || long) {
			b.WriteString("\n")
		}
		block = long
		label = strings.TrimRight(label, " :\u00a0")
		if strings.HasSuffix(label, "?") {
			b.WriteString(label)
		} else {
			b.WriteString(label + say["colon"])
		}
		b.WriteString(map[bool]string{true: "\n", false: " "}[long] + words + "\n")
	}
	if a.Customer != "" {
		who := a.Customer
		if a.Organisation != "" {
			who = a.Organisation + ", " + a.Customer
		}
		write(say["customer"], who)
	}
	for i := range a.List {
		v := &a.List[i]
		f := a.asked.Field(v.Field)
		if f == nil || f.Name == CustomerField || f.Name == CustomerEmailField {
			continue
		}
		if words := f.words(v, lang, say, a.asked.Zone); words != "" {
			write(f.Label.In(lang), words)
		}
	}
	var names []string
	for _, r := range refused {
		names = append(names, fmt.Sprintf("%s (%s)", r.Name, say[r.Reason]))
	}
	if len(names) > 0 {
		write(say["refused"], strings.Join(names, ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// words is one answer as people read it. A time that is not exact names its
// zone where that is not the desk's.
func (f *Field) words(v *Answer, lang string, say map[string]string, desk *time.Location) string {
	switch {
	case f.Type == SelectField || f.Type == RadioField || f.Type == CheckboxField && len(f.Choices) > 0:
		var list []string
		for _, value := range v.Values {
			o, _ := f.option(value)
			list = append(list, o.In(lang))
		}
		return strings.Join(list, ", ")
	case f.Type == CheckboxField:
		return say["yes"]
	case v.Approx && len(v.Values) > 1 && desk != nil && v.Values[1] != desk.String():
		return fmt.Sprintf(say["elsewhere"], v.Values[0], templates.ZoneName(lang, ZoneOf(v.Values[1], desk)))
	case v.Approx:
		return fmt.Sprintf(say["approximate"], v.Values[0])
	case f.Type == ExactField:
		return exactWords(v.Values, lang)
	}
	return strings.Join(v.Values, ", ")
}

func exactWords(values []string, lang string) string {
	at, err := time.Parse(time.RFC3339, values[0])
	if err != nil {
		return values[0]
	}
	if zone, err := time.LoadLocation(values[1]); err == nil {
		at = at.In(zone)
	}
	words := templates.When(lang, at)
	if len(values) > 2 {
		words += ", " + values[2]
	}
	return words
}

// json is the answers as they are stored.
func (a *Answers) json() string {
	b, _ := json.Marshal(a.List)
	return string(b)
}
