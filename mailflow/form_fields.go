package mailflow

import (
	"slices"
	"strings"
)

// Form is what a desk asks, as the configuration has it.
type Form struct {
	Key     string
	Fields  []Field
	MaxFile int64 // bytes of one file; 0 means [DefaultMaxFile]
}

// DefaultMaxFile is how large a file of a form may be, in bytes.
const DefaultMaxFile = 2 << 20

// FieldType says how a field is asked.
type FieldType string

// The types of fields. Exact is a time to the minute with its zone.
const (
	TextField     FieldType = "text"
	TextareaField FieldType = "textarea"
	EmailField    FieldType = "email"
	TelField      FieldType = "tel"
	SelectField   FieldType = "select"
	RadioField    FieldType = "radio"
	CheckboxField FieldType = "checkbox"
	ExactField    FieldType = "datetime-local"
	FileField     FieldType = "file"
)

// Field is one question of a form.
type Field struct {
	Name     string
	Type     FieldType
	Label    Texts
	Help     Texts
	Example  Texts
	Required bool
	Choices  []Choice
	// Services: the choices are the services of the writer's organisation, or
	// of those that he is the integrator of. Where there are none the field is
	// not asked.
	Services bool
	// ShownWhen names an earlier select or radio; the field is asked only if
	// that is asked and has one of ShownValues. "" is always.
	ShownWhen   string
	ShownValues []string
}

// Choice is one of the things that can be chosen, with a second list that
// follows it or without.
type Choice struct {
	Value   string
	Label   Texts
	Choices []Choice
}

// Texts are words in several languages, by "fr" and "en".
type Texts map[string]string

// In is the text in a language, or in another where it is missing.
func (t Texts) In(lang string) string {
	if s := t[lang]; s != "" {
		return s
	}
	for _, other := range []string{"en", "fr", ""} {
		if s := t[other]; s != "" {
			return s
		}
	}
	return ""
}

// Form returns the form of that name, or nil.
func (s *Settings) Form(key string) *Form {
	i := slices.IndexFunc(s.Forms, func(f Form) bool { return f.Key == key })
	if i < 0 {
		return nil
	}
	return &s.Forms[i]
}

// maxFile is the largest file that the form takes, in bytes.
func (f *Form) maxFile() int64 {
	if f.MaxFile > 0 {
		return f.MaxFile
	}
	return DefaultMaxFile
}

// Option is what one entry of a list posts, with the words of the list that
// it belongs to.
type Option struct {
	Value string // CHOICE, or CHOICE/SECOND for one of a second list
	Top   string // the choice of the first list, which conditions look at
	Group Texts  // the first choice's words, where this is of a second list
	Label Texts
}

// In is the entry's words: both choices, where there are two.
func (o Option) In(lang string) string {
	if o.Group == nil {
		return o.Label.In(lang)
	}
	return o.Group.In(lang) + " – " + o.Label.In(lang)
}

// Options are the entries of a select, radio or checkbox in their order: the
// choices, and in the place of one with a second list the entries of that. So
// one list asks both levels, and needs no script.
func (f *Field) Options() []Option {
	var list []Option
	for _, c := range f.Choices {
		if len(c.Choices) == 0 {
			list = append(list, Option{Value: c.Value, Top: c.Value, Label: c.Label})
		}
		for _, second := range c.Choices {
			list = append(list, Option{Value: c.Value + "/" + second.Value, Top: c.Value, Group: c.Label, Label: second.Label})
		}
	}
	return list
}

func (f *Field) option(value string) (Option, bool) {
	for _, o := range f.Options() {
		if o.Value == value {
			return o, true
		}
	}
	return Option{}, false
}

// conditions are what must hold for a field to be shown, the outermost last:
// the field that it looks at may itself be shown only at times.
func conditions(fields []Field, f *Field) []*Field {
	var chain []*Field
	for f.ShownWhen != "" && len(chain) < len(fields) {
		chain = append(chain, f)
		i := slices.IndexFunc(fields, func(o Field) bool { return o.Name == f.ShownWhen })
		if i < 0 {
			break
		}
		f = &fields[i]
	}
	return chain
}

// describes puts a condition into words: the choices that show a field.
func (f *Field) describes(fields []Field, lang string) string {
	i := slices.IndexFunc(fields, func(o Field) bool { return o.Name == f.ShownWhen })
	if i < 0 {
		return ""
	}
	var words []string
	for _, c := range fields[i].Choices {
		if slices.Contains(f.ShownValues, c.Value) {
			words = append(words, c.Label.In(lang))
		}
	}
	return strings.Join(words, ", ")
}
