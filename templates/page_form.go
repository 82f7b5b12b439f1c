package templates

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxWhen is how many conditions the style sheet knows. Fields of further ones
// are shown always, with the words that say when they are meant.
const maxWhen = 32

// Styled says that the style sheet hides a field while its condition does not
// hold.
func (w FormWhen) Styled() bool { return w.N >= 0 && w.N < maxWhen }

// Class are the style sheet's names for the conditions that an entry fulfils.
func (o FormOption) Class() string {
	var names []string
	for _, n := range o.Shows {
		if n < maxWhen {
			names = append(names, "w"+strconv.Itoa(n))
		}
	}
	return strings.Join(names, " ")
}

// Value is what was typed into a field of one line, or "".
func (f FormField) Value() string {
	if len(f.Values) == 0 {
		return ""
	}
	return f.Values[0]
}

// Has says that a box was ticked.
func (f FormField) Has(value string) bool {
	for _, v := range f.Values {
		if v == value {
			return true
		}
	}
	return false
}

// First is the id of the first control of a field, which links lead to.
func (f FormField) First() string {
	if f.Type == "radio" || f.Type == "checkbox" && len(f.Options) > 0 {
		return "f-" + f.Name + "-0"
	}
	return "f-" + f.Name
}

// Described are the ids of what explains a field.
func (f FormField) Described() string {
	var ids []string
	for _, part := range []struct{ prefix, text string }{{"e-", f.Problem}, {"h-", f.Help}, {"x-", f.Example}} {
		if part.text != "" {
			ids = append(ids, part.prefix+f.Name)
		}
	}
	return strings.Join(ids, " ")
}

// Fill is what a browser may fill in by itself.
func (f FormField) Fill() string {
	switch f.Type {
	case "email", "tel":
		if !strings.HasPrefix(f.Name, "for-") {
			return f.Type
		}
	}
	return "off"
}

// Wrong lists the fields with problems.
func (p *FormPage) Wrong() []FormField {
	var list []FormField
	for _, f := range p.Fields {
		if f.Problem != "" {
			list = append(list, f)
		}
	}
	return list
}

// fieldView is what the template of one field sees.
type fieldView struct {
	*pageView
	F FormField
}

// Question is a field with the page that it stands on.
func (v *pageView) Question(f FormField) fieldView { return fieldView{v, f} }

// Problem says what is wrong with an answer, and what to do.
func (v *pageView) Problem(f FormField) string {
	w := problemWords[v.Lang]
	if w == nil {
		w = problemWords["en"]
	}
	key := f.Problem
	if key == "missing" {
		switch f.Type {
		case "radio", "select":
			key = "missing-choice"
		case "datetime-local":
			key = "missing-time"
		}
	}
	s := w[key]
	if s == "" {
		s = w["missing"]
	}
	if strings.Contains(s, "%d") {
		return fmt.Sprintf(s, f.N)
	}
	return s
}

var problemWords = map[string]map[string]string{
	"en": {
		"missing":        "Please answer this question: we cannot help without it.",
		"missing-choice": "Please choose one.",
		"missing-time":   "Please give the exact time: with it we find what happened. If it cannot be found out, put what you know into words below.",
		"no-choice":      "Please choose one of the list.",
		"no-address":     "This is no e-mail address. It looks like name@company.example.",
		"our-address":    "This is an address of ours. Please give the one of your customer.",
		"too-long":       "This is too long by %d characters. Please shorten it, or attach it as a file.",
		"no-time":        "This date lies too far away. Please check the year.",
		"vague":          "To the minute, if you can: with the exact time we find what happened. If it cannot be found out, leave your words as they are and send the form again.",
		"other-customer": "This service belongs to another customer than the one above. Please change one of the two.",
	},
	"fr": {
		"missing":        "Merci de répondre à cette question\u00a0: sans elle, nous ne pouvons pas vous aider.",
		"missing-choice": "Merci de faire un choix.",
		"missing-time":   "Merci d’indiquer l’heure exacte\u00a0: elle nous permet de retrouver ce qui s’est passé. Si vous ne pouvez pas la connaître, dites ci-dessous ce que vous savez.",
		"no-choice":      "Merci de choisir dans la liste.",
		"no-address":     "Ce n’est pas une adresse de courriel. Elle ressemble à nom@entreprise.example.",
		"our-address":    "C’est une de nos adresses. Merci d’indiquer celle de votre client.",
		"too-long":       "C’est trop long de %d caractères. Merci de raccourcir, ou de le joindre en fichier.",
		"no-time":        "Cette date est trop éloignée. Merci de vérifier l’année.",
		"vague":          "À la minute près, si vous le pouvez\u00a0: l’heure exacte nous permet de retrouver ce qui s’est passé. Si vous ne pouvez pas la connaître, laissez vos mots tels quels et renvoyez le formulaire.",
		"other-customer": "Ce service est celui d’un autre client que celui choisi plus haut. Merci de changer l’un des deux.",
	},
}

// Why says why a file was not taken.
func (v *pageView) Why(f FormFile) string {
	switch f.Reason {
	case "too large":
		return v.Say("too large", "trop volumineux")
	case "empty":
		return v.Say("empty", "vide")
	}
	return v.Say("too many files", "trop de fichiers")
}

// Limit is a largest size as people say it: what is 2 MiB is 2 MB to them.
func (v *pageView) Limit(n int64) string {
	if n%(1<<20) == 0 {
		n = n / (1 << 20) * 1e6
	}
	return formatSize(v.Lang, n)
}

// City names a zone as people do.
func (v *pageView) City(zone string) string {
	city := strings.ReplaceAll(zone[strings.LastIndexByte(zone, '/')+1:], "_", " ")
	if c, ok := frenchCities[city]; ok && v.Lang == "fr" {
		return strings.TrimPrefix(c, "la ")
	}
	return city
}

// formSamples are forms that the template is checked with: empty, and filled
// in wrong with all kinds of fields.
func formSamples(m *Mail, lang string) []Based {
	page := &FormPage{Desk: m.Desk, Lang: lang, Subject: m.Subject, Received: m.Received, Until: m.Received.Add(time.Hour), Action: "/t/x",
		Other: "/t/x?lang=en", MaxFile: 2 << 20, Files: true, Zone: time.UTC, Now: m.Received,
		Kept:    []FormFile{{Name: m.Name, Size: 9, Token: "t"}},
		Refused: []FormFile{{Name: m.Name, Size: 9e6, Reason: "too large"}, {Reason: "empty"}, {Reason: "too many"}}}
	options := []FormOption{{Value: "a", Label: m.Name, Chosen: true, Shows: []int{0, 99}}, {Value: "b", Label: m.Name}}
	for _, typ := range []string{"text", "textarea", "email", "tel", "select", "radio", "checkbox", "datetime-local", "file"} {
		f := FormField{Name: typ, Type: typ, Label: m.Name, Help: m.Words, Example: m.Words, Required: true, Values: []string{m.Words}, Problem: "missing",
			When: []FormWhen{{N: 0, Words: m.Name}, {N: 99, Words: m.Name}}}
		switch typ {
		case "select", "radio", "checkbox":
			f.Options = options
		case "datetime-local":
			f.Zones, f.ZoneName, f.AskWords, f.Words = []string{"Europe/Paris", "UTC"}, "UTC", true, m.Words
		}
		page.Fields = append(page.Fields, f)
	}
	shut := *page
	shut.Shut = true
	return []Based{&FormPage{}, page, &shut}
}
